/** What was compared of a model's ways to be computed, for people. */
import type { Parity } from '../../src/index.node.js';
import { fittingTable } from './output.js';

const written = (difference: number): string => (difference === 0 ? '0' : difference.toExponential(1));

export function parityLines(
  { model, size, pictures, allPixels, ways, tolerance }: Parity,
  directory: string,
): string[] {
  return [
    `Model: ${model}`,
    `Pictures: ${pictures} of ${directory}, decoded to ${size.width}x${size.height}; SHA-256 of all pixels:`,
    `  ${allPixels}`,
    `Probabilities against the reference in float64, tolerance ${tolerance}:`,
    ...fittingTable([
      ['computed by', 'worst difference', 'verdict'],
      ...ways.map(({ way, worstDifference, passed }) => [way, written(worstDifference), passed ? 'ok' : 'FAILED']),
    ]),
  ];
}

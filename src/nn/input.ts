/** Where a graph of layers begins. */
import { UsageError } from '../errors.js';
import { checkNames, preview } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { SymbolicTensor } from './layers/layer.js';

/**
 * The input of a graph: Keras' `Input(shape=…)`, without the batch axis.
 * @throws UsageError unless all lengths are positive integers
 */
export function input(options: { shape: Shape }): SymbolicTensor {
  checkNames('input', options, { shape: true });
  const { shape } = options;
  const isShape = Array.isArray(shape) && shape.every((length) => Number.isInteger(length) && length >= 1);
  if (!isShape) throw new UsageError(`input: shape expects a list of integers of at least 1, got ${preview(shape)}`);
  return new SymbolicTensor(shape);
}

/** What layers with a kernel and a bias have in common. */
import { UsageError } from '../../errors.js';
import type { Shape } from '../../tensor/shape.js';
import { glorotUniform } from '../initializers.js';
import type { ParameterDescription } from './layer.js';

/** L2 regularization of a kernel: `l2` times Σ w² is added to the loss, as Keras' `l2(…)` does. */
export interface Regularizer {
  readonly l2: number;
}

/** @throws UsageError unless it is a number of at least 0 */
export function checkRegularizer(layer: string, regularizer: Regularizer | null): Regularizer | null {
  if (regularizer !== null && !(regularizer.l2 >= 0 && regularizer.l2 < Infinity))
    throw new UsageError(`${layer}: kernelRegularizer expects an l2 of at least 0, got ${regularizer.l2}`);
  return regularizer;
}

export function weights(kernel: Shape, useBias: boolean, regularizer: Regularizer | null): ParameterDescription[] {
  const described: ParameterDescription[] = [
    {
      name: 'kernel',
      shape: kernel,
      initialize: (random) => glorotUniform(kernel, random),
      ...(regularizer && { l2: regularizer.l2 }),
    },
  ];
  if (useBias)
    described.push({ name: 'bias', shape: [kernel.at(-1)!], initialize: () => new Float32Array(kernel.at(-1)!) });
  return described;
}

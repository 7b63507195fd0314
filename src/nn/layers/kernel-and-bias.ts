/** What layers with a kernel and a bias have in common. */
import type { Kind } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { glorotUniform } from '../initializers.js';
import type { ParameterDescription } from './layer.js';

/** L2 regularization of a kernel: `l2` times Σ w² is added to the loss, as Keras' `l2(…)` does. */
export interface Regularizer {
  readonly l2: number;
}

export const regularizer: Kind<Regularizer | null> = {
  expects: '{ l2: a number of at least 0 }, or null',
  read(given) {
    if (given === null) return null;
    if (typeof given !== 'object' || Object.keys(given).join() !== 'l2') return undefined;
    const { l2 } = given as Regularizer;
    return Number.isFinite(l2) && l2 >= 0 ? { l2 } : undefined;
  },
};

/** A kernel [..., in, out] and, if there is one, a bias [out]. */
export function weights(kernel: Shape, useBias: boolean, regularization: Regularizer | null): ParameterDescription[] {
  const described: ParameterDescription[] = [
    {
      name: 'kernel',
      shape: kernel,
      initialize: (random) => glorotUniform(kernel, random),
      ...(regularization && { l2: regularization.l2 }),
    },
  ];
  if (useBias) described.push(biasOf(kernel.at(-1)!));
  return described;
}

/** A bias for so many outputs, 0 at first. */
export const biasOf = (outputs: number): ParameterDescription => ({
  name: 'bias',
  shape: [outputs],
  initialize: () => new Float32Array(outputs),
});

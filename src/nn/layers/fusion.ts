/** What layers that end in sums do for those that follow them: fewer passes over memory, the same function. */
import { foldBatchNorm } from '../../kernels/norm/fold-batch-norm.js';
import type { FusedActivation } from '../../kernels/shared/fused-activation.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Activation } from '../activations.js';
import { followingActivation } from './activation.js';
import type { Follower } from './layer.js';
import { BatchNormalization } from './normalization.js';

/** A layer's sums x·weight + bias, and what they end in. */
export interface Sums {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly activation: FusedActivation;
}

/**
 * A layer's sums with the batch normalization by constants and the relu that follow, and how many followers that takes in; null where
 * another activation is between.
 */
export function takeIn(
  weight: Tensor,
  bias: Tensor | undefined,
  own: Activation,
  followers: readonly Follower[],
  training: boolean,
): (Sums & { readonly taken: number }) | null {
  if (own === 'relu') return { weight, bias, activation: own, taken: 0 };
  if (own !== 'linear') return null;
  const [first] = followers;
  if (!(first?.layer instanceof BatchNormalization) || first.layer.normalizesByBatch(training))
    return { weight, bias, ...followingActivation(followers) };
  const { activation, taken } = followingActivation(followers.slice(1));
  return {
    ...foldBatchNorm(weight, bias, first.layer.constants(first.parameters)),
    activation,
    taken: 1 + taken,
  };
}

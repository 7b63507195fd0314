/**
 * Batch normalization by given statistics, folded into the sums before it. A convolution's or dense layer's outputs are sums
 * y = b + Σ x·w of one channel, so that normalizing them is another such sum:
 *
 *   γ·(y − μ) / √(σ² + ε) + β = b' + Σ x·w',  w' = w·γ / √(σ² + ε),  b' = γ·(b − μ) / √(σ² + ε) + β
 *
 * b' is the normalization of b. Both are computed where the layers run, from the parameters as they are: nothing to go stale.
 */
import { defineOp } from '../../tensor/autograd.js';
import { zerosLikeKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import {
  type BatchNormAttributes,
  batchNormInference,
  batchNormParameterGradients,
  batchNormScale,
} from './batch-norm.js';

/** w [..., C], γ [C], σ² [C] → w'. Through w·γ / √(σ² + ε), the same scale leads back; dγ is that of a batch normalization with μ = 0. */
export const foldedWeightOp = defineOp<BatchNormAttributes>({
  name: 'foldedWeight',
  forward: (inputs, attributes) => launch(batchNormScale, inputs, attributes),
  backward({ dy, inputs: [weight, gamma, variance], attributes: { epsilon }, needs, into }) {
    const [zeros] = needs[1] ? launch(zerosLikeKernel, [gamma], null) : [];
    const inputs = zeros && [dy, weight, gamma, zeros, zeros, variance];
    return [
      needs[0] && launch(batchNormScale, [dy, gamma, variance], { epsilon }, [into[0]])[0],
      inputs
        ? launch(batchNormParameterGradients, inputs, { epsilon, activation: 'linear' }, [into[1], null])[0]
        : null,
      null, // a constant, as in batchNormInference
    ];
  },
});

/** What a batch normalization goes by: γ, β, μ and σ², [C] each, and ε. */
export interface BatchNormParameters extends BatchNormAttributes {
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/**
 * Weight [..., C] and bias [C] (none: 0) whose sums are normalized already.
 * @throws ShapeError when a vector is not [C]
 */
export function foldBatchNorm(
  weight: Tensor,
  bias: Tensor | undefined,
  { gamma, beta, mean, variance, epsilon }: BatchNormParameters,
): { weight: Tensor; bias: Tensor } {
  const given = bias ?? launch(zerosLikeKernel, [mean], null)[0];
  return {
    weight: foldedWeightOp.apply([weight, gamma, variance], { epsilon }),
    bias: batchNormInference(given, gamma, beta, mean, variance, { epsilon }),
  };
}

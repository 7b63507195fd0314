/** Batch normalization, with Keras' names and defaults. */
import { batchNorm, batchNormInference } from '../../kernels/norm/batch-norm.js';
import type { BatchNormParameters } from '../../kernels/norm/fold-batch-norm.js';
import type { FusedActivation } from '../../kernels/shared/fused-activation.js';
import { flag, number, optional } from '../../options.js';
import { onesLikeKernel, zerosLikeKernel } from '../../tensor/elementwise.js';
import type { Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { followingActivation } from './activation.js';
import { ShapeKeeping } from './layer.js';
import type { CallContext, Follower, Fused, LayerTensors, ParameterDescription } from './layer.js';

const batchNormalizationSchema = {
  /** Part of the running statistics that a step keeps. Default 0.99, Keras'; PyTorch's 0.1 is 0.9 here. */
  momentum: optional(
    number('a number from 0 to 1', (given) => given >= 0 && given <= 1),
    0.99,
  ),
  epsilon: optional(
    number('a positive number', (given) => given > 0),
    1e-3,
  ),
  /** Whether there is a β to add … */
  center: optional(flag, true),
  /** … and a γ to multiply by. */
  scale: optional(flag, true),
  /** The running variance as n / (n − 1) times the batch's, as PyTorch and TensorFlow's fused kernel have it; Keras 3 does not. */
  unbiasedVariance: optional(flag, false),
};

/** Batch normalization over all axes but the last: by the batch in training, by running statistics otherwise. */
export class BatchNormalization extends ShapeKeeping<typeof batchNormalizationSchema> {
  static readonly kind = 'BatchNormalization';
  static readonly schema = batchNormalizationSchema;

  override parameters(input: Shape): readonly ParameterDescription[] {
    const { center, scale } = this.options;
    const shape = [input.at(-1)!];
    const filled = (name: string, value: number, trainable: boolean): ParameterDescription => ({
      name,
      shape,
      trainable,
      initialize: () => new Float32Array(shape[0]).fill(value),
    });
    return [
      ...(scale ? [filled('gamma', 1, true)] : []),
      ...(center ? [filled('beta', 0, true)] : []),
      filled('moving_mean', 0, false),
      filled('moving_variance', 1, false),
    ];
  }

  call([x]: readonly Tensor[], parameters: LayerTensors, { training }: CallContext): Tensor {
    return this.#normalize(x, parameters, training, 'linear');
  }

  override callFused(
    [x]: readonly Tensor[],
    parameters: LayerTensors,
    followers: readonly Follower[],
    training: boolean,
  ): Fused | null {
    const { activation, taken } = followingActivation(followers);
    return taken > 0 ? { value: this.#normalize(x, parameters, training, activation), taken } : null;
  }

  #normalize(x: Tensor, parameters: LayerTensors, training: boolean, activation: FusedActivation): Tensor {
    const { momentum, unbiasedVariance: unbiased } = this.options;
    const { gamma, beta, mean, variance, epsilon } = this.constants(parameters);
    if (!this.normalizesByBatch(training))
      return batchNormInference(x, gamma, beta, mean, variance, { epsilon, activation });
    return batchNorm(x, gamma, beta, { epsilon, activation, moving: { mean, variance, momentum, unbiased } });
  }

  /** False where the running statistics are what it goes by: in predictions, and when it is frozen. */
  normalizesByBatch(training: boolean): boolean {
    return training && this.trainable;
  }

  /** What predictions are normalized by. */
  constants(parameters: LayerTensors): BatchNormParameters {
    const { moving_mean: mean, moving_variance: variance } = parameters;
    return {
      gamma: parameters['gamma'] ?? launch(onesLikeKernel, [mean], null)[0],
      beta: parameters['beta'] ?? launch(zerosLikeKernel, [mean], null)[0],
      mean,
      variance,
      epsilon: this.options.epsilon,
    };
  }
}

/** Batch normalization, with Keras' names and defaults. */
import { batchNorm, batchNormInference } from '../../kernels/norm/batch-norm.js';
import { flag, number, optional } from '../../options.js';
import { onesLikeKernel, zerosLikeKernel } from '../../tensor/elementwise.js';
import type { Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { ShapeKeeping } from './layer.js';
import type { CallContext, LayerTensors, ParameterDescription } from './layer.js';

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
    const { momentum, epsilon, unbiasedVariance: unbiased } = this.options;
    const { moving_mean: mean, moving_variance: variance } = parameters;
    const gamma = parameters['gamma'] ?? launch(onesLikeKernel, [mean], null)[0];
    const beta = parameters['beta'] ?? launch(zerosLikeKernel, [mean], null)[0];
    if (!training || !this.trainable) return batchNormInference(x, gamma, beta, mean, variance, { epsilon });
    return batchNorm(x, gamma, beta, { epsilon, moving: { mean, variance, momentum, unbiased } });
  }
}

/** Batch normalization, with Keras' names and defaults. */
import { UsageError } from '../../errors.js';
import { batchNorm, batchNormInference } from '../../kernels/norm/batch-norm.js';
import { onesLikeKernel, zerosLikeKernel } from '../../tensor/elementwise.js';
import type { Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { ShapeKeeping } from './layer.js';
import type { CallContext, LayerConfig, LayerOptions, LayerTensors, ParameterDescription } from './layer.js';

export interface BatchNormalizationOptions extends LayerOptions {
  /** Part of the running statistics that a step keeps. Default 0.99, Keras'; PyTorch's 0.1 is 0.9 here. */
  momentum?: number;
  epsilon?: number;
  /** Whether there is a β to add … */
  center?: boolean;
  /** … and a γ to multiply by. */
  scale?: boolean;
  /** The running variance as n / (n − 1) times the batch's, as PyTorch and TensorFlow's fused kernel have it; Keras 3 does not. */
  unbiasedVariance?: boolean;
}

/** Batch normalization over all axes but the last: by the batch in training, by running statistics otherwise. */
export class BatchNormalization extends ShapeKeeping {
  readonly kind = 'BatchNormalization';
  readonly momentum: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  readonly unbiasedVariance: boolean;

  constructor(options: BatchNormalizationOptions = {}) {
    super(options);
    const { momentum = 0.99, epsilon = 1e-3, center = true, scale = true, unbiasedVariance = false } = options;
    if (!(momentum >= 0 && momentum <= 1))
      throw new UsageError(`BatchNormalization: momentum expects a number from 0 to 1, got ${momentum}`);
    if (!(epsilon > 0)) throw new UsageError(`BatchNormalization: epsilon expects a positive number, got ${epsilon}`);
    this.momentum = momentum;
    this.epsilon = epsilon;
    this.center = center;
    this.scale = scale;
    this.unbiasedVariance = unbiasedVariance;
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    const shape = [input.at(-1)!];
    const filled = (name: string, value: number, trainable: boolean): ParameterDescription => ({
      name,
      shape,
      trainable,
      initialize: () => new Float32Array(shape[0]).fill(value),
    });
    return [
      ...(this.scale ? [filled('gamma', 1, true)] : []),
      ...(this.center ? [filled('beta', 0, true)] : []),
      filled('moving_mean', 0, false),
      filled('moving_variance', 1, false),
    ];
  }

  call([x]: readonly Tensor[], parameters: LayerTensors, { training }: CallContext): Tensor {
    const { momentum, epsilon, unbiasedVariance: unbiased } = this;
    const { moving_mean: mean, moving_variance: variance } = parameters;
    const gamma = parameters['gamma'] ?? launch(onesLikeKernel, [mean], null)[0];
    const beta = parameters['beta'] ?? launch(zerosLikeKernel, [mean], null)[0];
    if (!training || !this.trainable) return batchNormInference(x, gamma, beta, mean, variance, { epsilon });
    return batchNorm(x, gamma, beta, { epsilon, moving: { mean, variance, momentum, unbiased } });
  }

  config(): LayerConfig {
    const { kind, name, momentum, epsilon, center, scale, unbiasedVariance } = this;
    return { kind, name, momentum, epsilon, center, scale, unbiasedVariance };
  }
}

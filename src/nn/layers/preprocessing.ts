/** What models do to pixels before all else, with Keras' names and defaults. */
import { affine } from '../../kernels/elementwise/functions.js';
import { batchNormInference } from '../../kernels/norm/batch-norm.js';
import { number, optional } from '../../options.js';
import { onesLikeKernel, zerosLikeKernel } from '../../tensor/elementwise.js';
import type { Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { ShapeKeeping, type LayerTensors, type ParameterDescription } from './layer.js';

const rescalingSchema = { scale: number(), offset: optional(number(), 0) };

/** x · scale + offset */
export class Rescaling extends ShapeKeeping<typeof rescalingSchema> {
  static readonly kind = 'Rescaling';
  static readonly schema = rescalingSchema;

  call([x]: readonly Tensor[]): Tensor {
    return affine(x, this.options);
  }
}

/** Keras divides by max(√variance, 1e-7); √(variance + 1e-14) is that but for variances near 1e-14. */
export const NORMALIZATION_EPSILON = 1e-14;

const noOptions = {};

/** (x − mean) / √variance by channel, of the training set: two weights that training leaves as they are, 0 and 1 at first. */
export class Normalization extends ShapeKeeping<typeof noOptions> {
  static readonly kind = 'Normalization';
  static readonly schema = noOptions;

  override parameters(input: Shape): readonly ParameterDescription[] {
    const shape = [input.at(-1)!];
    return [
      { name: 'mean', shape, trainable: false, initialize: () => new Float32Array(shape[0]) },
      { name: 'variance', shape, trainable: false, initialize: () => new Float32Array(shape[0]).fill(1) },
    ];
  }

  call([x]: readonly Tensor[], { mean, variance }: LayerTensors): Tensor {
    const [gamma] = launch(onesLikeKernel, [mean], null);
    const [beta] = launch(zerosLikeKernel, [mean], null);
    return batchNormInference(x, gamma, beta, mean, variance, { epsilon: NORMALIZATION_EPSILON });
  }
}

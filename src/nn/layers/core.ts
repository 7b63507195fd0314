/** Dense layers, dropout and changes of shape, with Keras' names and defaults. */
import { ShapeError } from '../../errors.js';
import { dense } from '../../kernels/dense/dense.js';
import { dropout } from '../../kernels/elementwise/dropout.js';
import { crop, pad } from '../../kernels/move/pad.js';
import { permute } from '../../kernels/move/permute.js';
import { flatten, reshape } from '../../kernels/move/reshape.js';
import type { Pair } from '../../kernels/shared/window.js';
import { added, count, flag, lengths, number, optional, pairOf, type Kind } from '../../options.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activationOption, afterFused, fusedPart } from '../activations.js';
import { takeIn } from './fusion.js';
import { regularizer, weights } from './kernel-and-bias.js';
import { checkPicture, Layer, ShapeKeeping } from './layer.js';
import type { CallContext, Follower, Fused, LayerTensors, OptionsFor, ParameterDescription } from './layer.js';

const denseSchema = {
  units: count,
  activation: optional(activationOption, 'linear'),
  useBias: optional(flag, true),
  kernelRegularizer: added(regularizer, null),
};

/** Fully connected: [in] → [units]. */
export class Dense extends Layer<typeof denseSchema> {
  static readonly kind = 'Dense';
  static readonly schema = denseSchema;
  static readonly leading = ['units'];

  constructor(units: number, options: OptionsFor<typeof denseSchema, 'units'> = {}) {
    super({ ...options, units });
  }

  outputShape(input: Shape): Shape {
    if (input.length !== 1)
      throw new ShapeError(
        `${this.name || 'Dense'}: expects a vector, got ${formatShape(input)}; put a Flatten layer before it`,
      );
    return [this.options.units];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    const { units, useBias, kernelRegularizer } = this.options;
    return weights([input[0], units], useBias, kernelRegularizer);
  }

  call([x]: readonly Tensor[], { kernel, bias }: LayerTensors, { activation }: CallContext): Tensor {
    return afterFused(dense(x, kernel, { ...(bias && { bias }), activation: fusedPart(activation) }), activation);
  }

  override callFused(
    [x]: readonly Tensor[],
    { kernel, bias }: LayerTensors,
    followers: readonly Follower[],
    training: boolean,
  ): Fused | null {
    const sums = takeIn(kernel, bias, this.activation, followers, training);
    if (!sums || sums.taken === 0) return null;
    const { weight, activation, taken } = sums;
    return { value: dense(x, weight, { ...(sums.bias && { bias: sums.bias }), activation }), taken };
  }
}

const dropoutSchema = { rate: number('a number from 0 up to 1', (rate) => rate >= 0 && rate < 1) };

/** Sets a part `rate` of its inputs to 0 in training and scales the others up; does nothing otherwise. */
export class Dropout extends ShapeKeeping<typeof dropoutSchema> {
  static readonly kind = 'Dropout';
  static readonly schema = dropoutSchema;
  static readonly leading = ['rate'];
  override readonly stochastic = true;

  constructor(rate: number, options: OptionsFor<typeof dropoutSchema, 'rate'> = {}) {
    super({ ...options, rate });
  }

  call([x]: readonly Tensor[], _: LayerTensors, { training, random }: CallContext): Tensor {
    const { seed, layer, step } = random;
    const { rate } = this.options;
    return training && rate > 0 ? dropout(x, step, { rate, seed, layer }) : x;
  }
}

const noOptions = {};

/** [H,W,C] → [H·W·C], in that order. */
export class Flatten extends Layer<typeof noOptions> {
  static readonly kind = 'Flatten';
  static readonly schema = noOptions;

  outputShape(input: Shape): Shape {
    return [sizeOf(input)];
  }

  call([x]: readonly Tensor[]): Tensor {
    return flatten(x);
  }
}

const reshapeSchema = { targetShape: lengths };

/** The same elements under another shape. */
export class Reshape extends Layer<typeof reshapeSchema> {
  static readonly kind = 'Reshape';
  static readonly schema = reshapeSchema;
  static readonly leading = ['targetShape'];

  constructor(targetShape: Shape, options: OptionsFor<typeof reshapeSchema, 'targetShape'> = {}) {
    super({ ...options, targetShape });
  }

  outputShape(input: Shape): Shape {
    const { targetShape } = this.options;
    if (sizeOf(input) !== sizeOf(targetShape))
      throw new ShapeError(
        `${this.name || this.kind}: expects ${sizeOf(targetShape)} elements for ${formatShape(targetShape)}, got ${formatShape(input)}`,
      );
    return targetShape;
  }

  call([x]: readonly Tensor[]): Tensor {
    return reshape(x, [x.shape[0], ...this.options.targetShape]);
  }
}

const permuteSchema = {
  /** For each axis of the output the axis of the input, 1 being the first after the batch. */
  dims: lengths,
};

/** [H,W,C] with its axes in another order. */
export class Permute extends Layer<typeof permuteSchema> {
  static readonly kind = 'Permute';
  static readonly schema = permuteSchema;
  static readonly leading = ['dims'];

  constructor(dims: readonly number[], options: OptionsFor<typeof permuteSchema, 'dims'> = {}) {
    super({ ...options, dims });
  }

  outputShape(input: Shape): Shape {
    const { dims } = this.options;
    if (dims.length !== input.length || dims.toSorted((a, b) => a - b).some((axis, at) => axis !== at + 1))
      throw new ShapeError(
        `${this.name || this.kind}: dims expects each of the axes 1 to ${input.length} once, got ${formatShape(dims)}`,
      );
    return dims.map((axis) => input[axis - 1]);
  }

  call([x]: readonly Tensor[]): Tensor {
    return permute(x, [0, ...this.options.dims]);
  }
}

/** A number for all sides, [rows, columns], or [[top, bottom], [left, right]], which is what it is kept as. */
const sides: Kind<number | Pair | readonly [Pair, Pair], readonly [Pair, Pair]> = {
  expects: 'an integer from 0 to 4096, two of them, or [[top, bottom], [left, right]]',
  read(given) {
    const both: unknown = typeof given === 'number' ? [given, given] : given;
    if (!Array.isArray(both) || both.length !== 2) return undefined;
    const [rows, columns] = both.map(pairOf(0).read);
    return rows && columns && [rows, columns];
  },
};

const zeroPaddingSchema = {
  padding: optional(sides, [
    [1, 1],
    [1, 1],
  ] as const),
  /** What is put there in place of 0. */
  value: added(number(), 0),
};

const croppingSchema = {
  cropping: optional(sides, [
    [0, 0],
    [0, 0],
  ] as const),
};

/** Zeros around [H,W,C], or another number. */
export class ZeroPadding2D extends Layer<typeof zeroPaddingSchema> {
  static readonly kind = 'ZeroPadding2D';
  static readonly schema = zeroPaddingSchema;

  outputShape(input: Shape): Shape {
    checkPicture(this, input);
    const [[top, bottom], [left, right]] = this.options.padding;
    return [input[0] + top + bottom, input[1] + left + right, input[2]];
  }

  call([x]: readonly Tensor[]): Tensor {
    const { padding, value } = this.options;
    return pad(x, [[0, 0], ...padding, [0, 0]], { value });
  }
}

/** [H,W,C] without so many rows and columns at its edges. */
export class Cropping2D extends Layer<typeof croppingSchema> {
  static readonly kind = 'Cropping2D';
  static readonly schema = croppingSchema;

  outputShape(input: Shape): Shape {
    checkPicture(this, input);
    const [[top, bottom], [left, right]] = this.options.cropping;
    const [height, width] = [input[0] - top - bottom, input[1] - left - right];
    if (height < 1 || width < 1)
      throw new ShapeError(`${this.name || this.kind}: expects something to be left, got ${formatShape(input)}`);
    return [height, width, input[2]];
  }

  call([x]: readonly Tensor[]): Tensor {
    return crop(x, [[0, 0], ...this.options.cropping, [0, 0]]);
  }
}

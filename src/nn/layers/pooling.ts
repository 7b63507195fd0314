/** Maxima and averages over windows and whole pictures, with Keras' names and defaults. */
import { reshape } from '../../kernels/move/reshape.js';
import { averagePool2d } from '../../kernels/pool/average-pool2d.js';
import { maxPool2d } from '../../kernels/pool/max-pool2d.js';
import { globalMaxPool2d } from '../../kernels/reduce/reduce-max.js';
import { globalAveragePool2d } from '../../kernels/reduce/reduce.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import { added, flag, oneOf, optional, pairOf, type Kind } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkPicture, Layer } from './layer.js';

export const paddingOption = oneOf(['valid', 'same']);

/** By name as Keras, or in numbers as others: [[top, bottom], [left, right]]. */
const poolPadding: Kind<Padding> = {
  expects: `${paddingOption.expects}, or [[top, bottom], [left, right]]`,
  read(given) {
    if (!Array.isArray(given) || given.length !== 2) return paddingOption.read(given);
    const [rows, columns] = (given as unknown[]).map((side) =>
      Array.isArray(side) ? pairOf(0).read(side) : undefined,
    );
    return rows && columns && [rows, columns];
  },
};

const poolingSchema = {
  poolSize: optional(pairOf(1), [2, 2]),
  /** By default the pool's size. */
  strides: optional(pairOf(1), ({ poolSize }: { poolSize: Pair }) => poolSize),
  padding: optional(poolPadding, 'valid'),
};

/** Windows of [H,W,C] → [OH,OW,C]. */
abstract class WindowPooling extends Layer<typeof poolingSchema> {
  outputShape(input: Shape): Shape {
    const { poolSize: size, strides, padding } = this.options;
    const window = { size, strides, dilation: [1, 1] as const, padding };
    const { outputHeight, outputWidth } = windowGeometry(this.name || this.kind, [1, ...input], window);
    return [outputHeight, outputWidth, input[2]];
  }
}

/** Maximum over windows of [H,W,C] → [OH,OW,C]. */
export class MaxPooling2D extends WindowPooling {
  static readonly kind = 'MaxPooling2D';
  static readonly schema = poolingSchema;

  /** Windows of 2×2 side by side: what convolutions can do in the same pass. */
  get halves(): boolean {
    const { poolSize, strides, padding } = this.options;
    return [...poolSize, ...strides].every((length) => length === 2) && padding === 'valid';
  }

  call([x]: readonly Tensor[]): Tensor {
    const { poolSize: size, strides, padding } = this.options;
    return maxPool2d(x, { size, strides, padding });
  }
}

/** Average over windows of [H,W,C] → [OH,OW,C]; padding is not counted. */
export class AveragePooling2D extends WindowPooling {
  static readonly kind = 'AveragePooling2D';
  static readonly schema = poolingSchema;

  call([x]: readonly Tensor[]): Tensor {
    const { poolSize: size, strides, padding } = this.options;
    return averagePool2d(x, { size, strides, padding });
  }
}

const globalPoolingSchema = {
  /** True gives a picture of one pixel, [1,1,C]. */
  keepdims: added(flag, false),
};

/** [H,W,C] → [C], one number for each channel; with `keepdims` → [1,1,C]. */
abstract class GlobalPooling extends Layer<typeof globalPoolingSchema> {
  outputShape(input: Shape): Shape {
    checkPicture(this, input);
    return this.options.keepdims ? [1, 1, input[2]] : [input[2]];
  }

  /** y [N,C] in the shape that is asked for. */
  protected shaped(y: Tensor): Tensor {
    return this.options.keepdims ? reshape(y, [y.shape[0], 1, 1, y.shape[1]]) : y;
  }
}

/** The mean of each channel. */
export class GlobalAveragePooling2D extends GlobalPooling {
  static readonly kind = 'GlobalAveragePooling2D';
  static readonly schema = globalPoolingSchema;

  call([x]: readonly Tensor[]): Tensor {
    return this.shaped(globalAveragePool2d(x));
  }
}

/** The maximum of each channel. */
export class GlobalMaxPooling2D extends GlobalPooling {
  static readonly kind = 'GlobalMaxPooling2D';
  static readonly schema = globalPoolingSchema;

  call([x]: readonly Tensor[]): Tensor {
    return this.shaped(globalMaxPool2d(x));
  }
}

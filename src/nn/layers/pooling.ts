/** Maxima and averages over windows and whole pictures, with Keras' names and defaults. */
import { averagePool2d } from '../../kernels/pool/average-pool2d.js';
import { maxPool2d } from '../../kernels/pool/max-pool2d.js';
import { globalMaxPool2d } from '../../kernels/reduce/reduce-max.js';
import { globalAveragePool2d } from '../../kernels/reduce/reduce.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkPicture, Layer, type LayerConfig, type LayerOptions } from './layer.js';
import { pair } from './options.js';

export interface MaxPooling2DOptions extends LayerOptions {
  poolSize?: number | Pair;
  /** Default: the pool's size. */
  strides?: number | Pair;
  padding?: Padding;
}

/** Maximum over windows of [H,W,C] → [OH,OW,C]. */
export class MaxPooling2D extends Layer {
  readonly kind = 'MaxPooling2D';
  readonly poolSize: Pair;
  readonly strides: Pair;
  readonly padding: Padding;

  constructor(options: MaxPooling2DOptions = {}) {
    super(options);
    const { poolSize = 2, strides = poolSize, padding = 'valid' } = options;
    this.poolSize = pair(poolSize);
    this.strides = pair(strides);
    this.padding = padding;
  }

  outputShape(input: Shape): Shape {
    const { poolSize: size, strides, padding } = this;
    const { outputHeight, outputWidth } = windowGeometry(this.name || 'MaxPooling2D', [1, ...input], {
      size,
      strides,
      dilation: [1, 1],
      padding,
    });
    return [outputHeight, outputWidth, input[2]];
  }

  /** Windows of 2×2 side by side: what convolutions can do in the same pass. */
  get halves(): boolean {
    return [...this.poolSize, ...this.strides].every((length) => length === 2) && this.padding === 'valid';
  }

  call([x]: readonly Tensor[]): Tensor {
    return maxPool2d(x, { size: this.poolSize, strides: this.strides, padding: this.padding });
  }

  config(): LayerConfig {
    const { kind, name, poolSize, strides, padding } = this;
    return { kind, name, poolSize, strides, padding };
  }
}

export interface AveragePooling2DOptions extends LayerOptions {
  poolSize?: number | Pair;
  /** Default: the pool's size. */
  strides?: number | Pair;
  padding?: Padding;
}

/** Average over windows of [H,W,C] → [OH,OW,C]; padding is not counted. */
export class AveragePooling2D extends Layer {
  readonly kind = 'AveragePooling2D';
  readonly poolSize: Pair;
  readonly strides: Pair;
  readonly padding: Padding;

  constructor(options: AveragePooling2DOptions = {}) {
    super(options);
    const { poolSize = 2, strides = poolSize, padding = 'valid' } = options;
    this.poolSize = pair(poolSize);
    this.strides = pair(strides);
    this.padding = padding;
  }

  outputShape(input: Shape): Shape {
    const { poolSize: size, strides, padding } = this;
    const window = { size, strides, dilation: [1, 1] as const, padding };
    const { outputHeight, outputWidth } = windowGeometry(this.name || this.kind, [1, ...input], window);
    return [outputHeight, outputWidth, input[2]];
  }

  call([x]: readonly Tensor[]): Tensor {
    return averagePool2d(x, { size: this.poolSize, strides: this.strides, padding: this.padding });
  }

  config(): LayerConfig {
    const { kind, name, poolSize, strides, padding } = this;
    return { kind, name, poolSize, strides, padding };
  }
}

/** [H,W,C] → [C], one number for each channel. */
abstract class GlobalPooling extends Layer {
  constructor(options: LayerOptions = {}) {
    super(options);
  }

  outputShape(input: Shape): Shape {
    checkPicture(this, input);
    return [input[2]];
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

/** The mean of each channel. */
export class GlobalAveragePooling2D extends GlobalPooling {
  readonly kind = 'GlobalAveragePooling2D';

  call([x]: readonly Tensor[]): Tensor {
    return globalAveragePool2d(x);
  }
}

/** The maximum of each channel. */
export class GlobalMaxPooling2D extends GlobalPooling {
  readonly kind = 'GlobalMaxPooling2D';

  call([x]: readonly Tensor[]): Tensor {
    return globalMaxPool2d(x);
  }
}

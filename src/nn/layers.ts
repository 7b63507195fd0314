/** Layers, with Keras' names and defaults. A layer describes itself; its parameters live in the model's arena. */
import { ShapeError, UsageError } from '../errors.js';
import { conv2dMaxPool2d } from '../kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../kernels/conv2d/conv2d.js';
import { dense } from '../kernels/dense.js';
import { flatten } from '../kernels/flatten.js';
import { maxPool2d } from '../kernels/max-pool2d.js';
import { sigmoid } from '../kernels/sigmoid.js';
import { windowGeometry, type Padding, type Pair } from '../kernels/window.js';
import type { Random } from '../tensor/random.js';
import { formatShape, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { glorotUniform } from './initializers.js';

export type Activation = 'linear' | 'relu' | 'sigmoid';

export interface ParameterDescription {
  /** 'kernel' or 'bias'; the full name is `layer.kernel`. */
  readonly name: string;
  readonly shape: Shape;
  initialize(random: Random): Float32Array;
}

/** A layer as JSON: what model files hold. */
export interface LayerConfig {
  readonly kind: string;
  readonly name: string;
  readonly [option: string]: unknown;
}

/** Options that every layer takes. Shapes are without the batch axis. */
export interface LayerOptions {
  name?: string;
  /** Shape of the model's input [H,W,C]; for the first layer. */
  inputShape?: Shape;
}

export abstract class Layer {
  abstract readonly kind: string;
  readonly activation: Activation = 'linear';
  readonly inputShape: Shape | null;
  /** Given by the model when it is empty: `conv2d`, `conv2d_1`, … */
  name: string;

  constructor({ name = '', inputShape }: LayerOptions) {
    this.name = name;
    this.inputShape = inputShape ?? null;
  }

  /** @throws ShapeError when the layer cannot follow such an input */
  abstract outputShape(input: Shape): Shape;

  parameters(_input: Shape): readonly ParameterDescription[] {
    return [];
  }

  /** x [N, …input] → [N, …output]; `activation` is the layer's own, or 'linear' for the logits of a last layer. */
  abstract call(x: Tensor, parameters: Readonly<Record<string, Tensor>>, activation: Activation): Tensor;

  /** This layer and the next in one pass, where there is a kernel for the two; else null. */
  callFused(_next: Layer, _x: Tensor, _parameters: Readonly<Record<string, Tensor>>): Tensor | null {
    return null;
  }

  abstract config(): LayerConfig;
}

const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);

function checkCount(layer: string, option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`${layer}: ${option} expects an integer of at least 1, got ${value}`);
}

/** relu is fused into the kernels; sigmoid is a pass of its own. */
const fused = (activation: Activation) => (activation === 'relu' ? 'relu' : 'linear');
const finish = (y: Tensor, activation: Activation): Tensor => (activation === 'sigmoid' ? sigmoid(y) : y);

function weights(kernel: Shape, useBias: boolean): ParameterDescription[] {
  const described: ParameterDescription[] = [
    { name: 'kernel', shape: kernel, initialize: (random) => glorotUniform(kernel, random) },
  ];
  if (useBias)
    described.push({ name: 'bias', shape: [kernel.at(-1)!], initialize: () => new Float32Array(kernel.at(-1)!) });
  return described;
}

export interface Conv2DOptions extends LayerOptions {
  strides?: number | Pair;
  padding?: Padding;
  dilationRate?: number | Pair;
  activation?: Activation;
  useBias?: boolean;
}

/** Convolution of [H,W,C] with `filters` windows of `kernelSize` → [OH,OW,filters]. */
export class Conv2D extends Layer {
  readonly kind = 'Conv2D';
  override readonly activation: Activation;
  readonly filters: number;
  readonly kernelSize: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
  readonly dilationRate: Pair;
  readonly useBias: boolean;

  constructor(filters: number, kernelSize: number | Pair, options: Conv2DOptions = {}) {
    super(options);
    const { strides = 1, padding = 'valid', dilationRate = 1, activation = 'linear', useBias = true } = options;
    checkCount('Conv2D', 'filters', filters);
    this.filters = filters;
    this.kernelSize = pair(kernelSize);
    this.strides = pair(strides);
    this.padding = padding;
    this.dilationRate = pair(dilationRate);
    this.activation = activation;
    this.useBias = useBias;
  }

  outputShape(input: Shape): Shape {
    const { kernelSize: size, strides, dilationRate: dilation, padding } = this;
    const { outputHeight, outputWidth } = windowGeometry(this.name || 'Conv2D', [1, ...input], {
      size,
      strides,
      dilation,
      padding,
    });
    return [outputHeight, outputWidth, this.filters];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    return weights([...this.kernelSize, input[2], this.filters], this.useBias);
  }

  call(x: Tensor, { kernel, bias }: Readonly<Record<string, Tensor>>, activation: Activation): Tensor {
    return finish(conv2d(x, kernel, this.#options(bias, activation)), activation);
  }

  override callFused(next: Layer, x: Tensor, { kernel, bias }: Readonly<Record<string, Tensor>>): Tensor | null {
    if (!(next instanceof MaxPooling2D && next.halves) || this.activation === 'sigmoid') return null;
    return conv2dMaxPool2d(x, kernel, this.#options(bias, this.activation));
  }

  #options(bias: Tensor | undefined, activation: Activation) {
    const { strides, padding, dilationRate: dilation } = this;
    return { ...(bias && { bias }), strides, padding, dilation, activation: fused(activation) } as const;
  }

  config(): LayerConfig {
    const { kind, name, filters, kernelSize, strides, padding, dilationRate, activation, useBias } = this;
    return { kind, name, filters, kernelSize, strides, padding, dilationRate, activation, useBias };
  }
}

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

  call(x: Tensor): Tensor {
    return maxPool2d(x, { size: this.poolSize, strides: this.strides, padding: this.padding });
  }

  config(): LayerConfig {
    const { kind, name, poolSize, strides, padding } = this;
    return { kind, name, poolSize, strides, padding };
  }
}

/** [H,W,C] → [H·W·C], in that order. */
export class Flatten extends Layer {
  readonly kind = 'Flatten';

  constructor(options: LayerOptions = {}) {
    super(options);
  }

  outputShape(input: Shape): Shape {
    return [sizeOf(input)];
  }

  call(x: Tensor): Tensor {
    return flatten(x);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

export interface DenseOptions extends LayerOptions {
  activation?: Activation;
  useBias?: boolean;
}

/** Fully connected: [in] → [units]. */
export class Dense extends Layer {
  readonly kind = 'Dense';
  override readonly activation: Activation;
  readonly units: number;
  readonly useBias: boolean;

  constructor(units: number, options: DenseOptions = {}) {
    super(options);
    const { activation = 'linear', useBias = true } = options;
    checkCount('Dense', 'units', units);
    this.units = units;
    this.activation = activation;
    this.useBias = useBias;
  }

  outputShape(input: Shape): Shape {
    if (input.length !== 1)
      throw new ShapeError(
        `${this.name || 'Dense'}: expects a vector, got ${formatShape(input)}; put a Flatten layer before it`,
      );
    return [this.units];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    return weights([input[0], this.units], this.useBias);
  }

  call(x: Tensor, { kernel, bias }: Readonly<Record<string, Tensor>>, activation: Activation): Tensor {
    return finish(dense(x, kernel, { ...(bias && { bias }), activation: fused(activation) }), activation);
  }

  config(): LayerConfig {
    const { kind, name, units, activation, useBias } = this;
    return { kind, name, units, activation, useBias };
  }
}

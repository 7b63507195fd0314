/** Convolutions, pooling, dense layers and changes of shape, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { conv2dMaxPool2d } from '../../kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../kernels/conv2d/conv2d.js';
import { dense } from '../../kernels/dense/dense.js';
import { flatten, reshape } from '../../kernels/move/reshape.js';
import { maxPool2d } from '../../kernels/pool/max-pool2d.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { afterFused, checkActivation, fusedPart, type Activation } from './activation.js';
import { glorotUniform } from '../initializers.js';
import { Layer } from './layer.js';
import type { CallContext, LayerConfig, LayerOptions, LayerTensors, ParameterDescription } from './layer.js';

export const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);

export function checkCount(layer: string, option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`${layer}: ${option} expects an integer of at least 1, got ${value}`);
}

/** L2 regularization of a kernel: `l2` times Σ w² is added to the loss, as Keras' `l2(…)` does. */
export interface Regularizer {
  readonly l2: number;
}

/** @throws UsageError unless it is a number of at least 0 */
function checkRegularizer(layer: string, regularizer: Regularizer | null): Regularizer | null {
  if (regularizer !== null && !(regularizer.l2 >= 0 && regularizer.l2 < Infinity))
    throw new UsageError(`${layer}: kernelRegularizer expects an l2 of at least 0, got ${regularizer.l2}`);
  return regularizer;
}

function weights(kernel: Shape, useBias: boolean, regularizer: Regularizer | null): ParameterDescription[] {
  const described: ParameterDescription[] = [
    {
      ...{ name: 'kernel', shape: kernel, initialize: (random) => glorotUniform(kernel, random) },
      ...(regularizer && { l2: regularizer.l2 }),
    },
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
  kernelRegularizer?: Regularizer | null;
  /** Divides the channels: each group of filters sees its group of inputs only. */
  groups?: number;
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
  readonly kernelRegularizer: Regularizer | null;
  readonly groups: number;

  constructor(filters: number, kernelSize: number | Pair, options: Conv2DOptions = {}) {
    super(options);
    const { strides = 1, padding = 'valid', dilationRate = 1, activation = 'linear', useBias = true } = options;
    checkCount('Conv2D', 'filters', filters);
    this.filters = filters;
    this.kernelSize = pair(kernelSize);
    this.strides = pair(strides);
    this.padding = padding;
    this.dilationRate = pair(dilationRate);
    this.activation = checkActivation('Conv2D', activation);
    this.useBias = useBias;
    this.kernelRegularizer = checkRegularizer('Conv2D', options.kernelRegularizer ?? null);
    this.groups = options.groups ?? 1;
    checkCount('Conv2D', 'groups', this.groups);
    if (filters % this.groups !== 0)
      throw new UsageError(`Conv2D: groups expects a divisor of the ${filters} filters, got ${this.groups}`);
  }

  outputShape(input: Shape): Shape {
    const { kernelSize: size, strides, dilationRate: dilation, padding, groups } = this;
    if (input.length === 3 && input[2] % groups !== 0)
      throw new ShapeError(`${this.name || 'Conv2D'}: groups expects a divisor of ${input[2]} channels, got ${groups}`);
    const { outputHeight, outputWidth } = windowGeometry(this.name || 'Conv2D', [1, ...input], {
      size,
      strides,
      dilation,
      padding,
    });
    return [outputHeight, outputWidth, this.filters];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    const kernel = [...this.kernelSize, input[2] / this.groups, this.filters];
    return weights(kernel, this.useBias, this.kernelRegularizer);
  }

  call([x]: readonly Tensor[], { kernel, bias }: LayerTensors, { activation }: CallContext): Tensor {
    return afterFused(conv2d(x, kernel, { ...this.#options(bias, activation), groups: this.groups }), activation);
  }

  override callFused(next: Layer, x: Tensor, { kernel, bias }: LayerTensors): Tensor | null {
    const whole = this.activation === fusedPart(this.activation);
    if (!(next instanceof MaxPooling2D && next.halves) || !whole || this.groups !== 1) return null;
    return conv2dMaxPool2d(x, kernel, this.#options(bias, this.activation));
  }

  #options(bias: Tensor | undefined, activation: Activation) {
    const { strides, padding, dilationRate: dilation } = this;
    return { ...(bias && { bias }), strides, padding, dilation, activation: fusedPart(activation) } as const;
  }

  config(): LayerConfig {
    const { kind, name, filters, kernelSize, strides, padding, dilationRate, activation, useBias } = this;
    return {
      ...{ kind, name, filters, kernelSize, strides, padding, dilationRate, activation, useBias },
      ...(this.kernelRegularizer && { kernelRegularizer: this.kernelRegularizer }),
      ...(this.groups !== 1 && { groups: this.groups }),
    };
  }
}

export interface DepthwiseConv2DOptions extends Omit<Conv2DOptions, 'groups' | 'kernelRegularizer'> {
  /** Outputs of each channel. Default 1. */
  depthMultiplier?: number;
}

/** Convolution of each channel by itself: [H,W,C] → [OH,OW,C·depthMultiplier]. */
export class DepthwiseConv2D extends Layer {
  readonly kind = 'DepthwiseConv2D';
  override readonly activation: Activation;
  readonly kernelSize: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
  readonly dilationRate: Pair;
  readonly depthMultiplier: number;
  readonly useBias: boolean;

  constructor(kernelSize: number | Pair, options: DepthwiseConv2DOptions = {}) {
    super(options);
    const { strides = 1, padding = 'valid', dilationRate = 1, activation = 'linear', useBias = true } = options;
    const { depthMultiplier = 1 } = options;
    checkCount('DepthwiseConv2D', 'depthMultiplier', depthMultiplier);
    this.kernelSize = pair(kernelSize);
    this.strides = pair(strides);
    this.padding = padding;
    this.dilationRate = pair(dilationRate);
    this.depthMultiplier = depthMultiplier;
    this.activation = checkActivation('DepthwiseConv2D', activation);
    this.useBias = useBias;
  }

  outputShape(input: Shape): Shape {
    const { kernelSize: size, strides, dilationRate: dilation, padding } = this;
    const window = { size, strides, dilation, padding };
    const { outputHeight, outputWidth } = windowGeometry(this.name || 'DepthwiseConv2D', [1, ...input], window);
    return [outputHeight, outputWidth, input[2] * this.depthMultiplier];
  }

  /** The kernel is [KH,KW,C,M], as Keras stores it: the same order in memory as a grouped convolution's [KH,KW,1,C·M]. */
  override parameters(input: Shape): readonly ParameterDescription[] {
    const shape = [...this.kernelSize, input[2], this.depthMultiplier];
    const outputs = input[2] * this.depthMultiplier;
    return [
      { name: 'depthwise_kernel', shape, initialize: (random) => glorotUniform(shape, random) },
      ...(this.useBias ? [{ name: 'bias', shape: [outputs], initialize: () => new Float32Array(outputs) }] : []),
    ];
  }

  call([x]: readonly Tensor[], parameters: LayerTensors, { activation }: CallContext): Tensor {
    const { strides, padding, dilationRate: dilation } = this;
    const { depthwise_kernel: kernel, bias } = parameters;
    const groups = x.shape[3];
    const weight = reshape(kernel, [...this.kernelSize, 1, groups * this.depthMultiplier]);
    const options = { ...(bias && { bias }), strides, padding, dilation, activation: fusedPart(activation) };
    // One channel is one group: an ordinary convolution.
    return afterFused(conv2d(x, weight, { ...options, groups }), activation);
  }

  config(): LayerConfig {
    const { kind, name, kernelSize, strides, padding, dilationRate, depthMultiplier, activation, useBias } = this;
    return { kind, name, kernelSize, strides, padding, dilationRate, depthMultiplier, activation, useBias };
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

  call([x]: readonly Tensor[]): Tensor {
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

  call([x]: readonly Tensor[]): Tensor {
    return flatten(x);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

export interface DenseOptions extends LayerOptions {
  activation?: Activation;
  useBias?: boolean;
  kernelRegularizer?: Regularizer | null;
}

/** Fully connected: [in] → [units]. */
export class Dense extends Layer {
  readonly kind = 'Dense';
  override readonly activation: Activation;
  readonly units: number;
  readonly useBias: boolean;
  readonly kernelRegularizer: Regularizer | null;

  constructor(units: number, options: DenseOptions = {}) {
    super(options);
    const { activation = 'linear', useBias = true } = options;
    checkCount('Dense', 'units', units);
    this.units = units;
    this.activation = checkActivation('Dense', activation);
    this.useBias = useBias;
    this.kernelRegularizer = checkRegularizer('Dense', options.kernelRegularizer ?? null);
  }

  outputShape(input: Shape): Shape {
    if (input.length !== 1)
      throw new ShapeError(
        `${this.name || 'Dense'}: expects a vector, got ${formatShape(input)}; put a Flatten layer before it`,
      );
    return [this.units];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    return weights([input[0], this.units], this.useBias, this.kernelRegularizer);
  }

  call([x]: readonly Tensor[], { kernel, bias }: LayerTensors, { activation }: CallContext): Tensor {
    return afterFused(dense(x, kernel, { ...(bias && { bias }), activation: fusedPart(activation) }), activation);
  }

  config(): LayerConfig {
    const { kind, name, units, activation, useBias, kernelRegularizer } = this;
    return { kind, name, units, activation, useBias, ...(kernelRegularizer && { kernelRegularizer }) };
  }
}

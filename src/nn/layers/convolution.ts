/** Convolutions, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { conv2dMaxPool2d } from '../../kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../kernels/conv2d/conv2d.js';
import { reshape } from '../../kernels/move/reshape.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { afterFused, checkActivation, fusedPart, type Activation } from '../activations.js';
import { glorotUniform } from '../initializers.js';
import { checkRegularizer, weights, type Regularizer } from './kernel-and-bias.js';
import { Layer } from './layer.js';
import type { CallContext, LayerConfig, LayerOptions, LayerTensors, ParameterDescription } from './layer.js';
import { checkCount, pair } from './options.js';
import { MaxPooling2D } from './pooling.js';

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
      kind,
      name,
      filters,
      kernelSize,
      strides,
      padding,
      dilationRate,
      activation,
      useBias,
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

/** Convolutions, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { conv2dMaxPool2d } from '../../kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../kernels/conv2d/conv2d.js';
import { reshape } from '../../kernels/move/reshape.js';
import { windowGeometry, type Pair } from '../../kernels/shared/window.js';
import { added, count, flag, optional, pairOf } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { FusedActivation } from '../../kernels/shared/fused-activation.js';
import { activationOption, afterFused, fusedPart } from '../activations.js';
import { glorotUniform } from '../initializers.js';
import { takeIn, type Sums } from './fusion.js';
import { biasOf, regularizer, weights } from './kernel-and-bias.js';
import { Layer } from './layer.js';
import type { CallContext, Follower, Fused, LayerTensors, OptionsFor, ParameterDescription } from './layer.js';
import { MaxPooling2D, paddingOption } from './pooling.js';

const conv2dSchema = {
  filters: count,
  kernelSize: pairOf(1),
  strides: optional(pairOf(1), [1, 1]),
  padding: optional(paddingOption, 'valid'),
  dilationRate: optional(pairOf(1), [1, 1]),
  activation: optional(activationOption, 'linear'),
  useBias: optional(flag, true),
  kernelRegularizer: added(regularizer, null),
  /** Divides the channels: each group of filters sees its group of inputs only. */
  groups: added(count, 1),
};

/** Convolution of [H,W,C] with `filters` windows of `kernelSize` → [OH,OW,filters]. */
export class Conv2D extends Layer<typeof conv2dSchema> {
  static readonly kind = 'Conv2D';
  static readonly schema = conv2dSchema;
  static readonly leading = ['filters', 'kernelSize'];

  constructor(
    filters: number,
    kernelSize: number | Pair,
    options: OptionsFor<typeof conv2dSchema, 'filters' | 'kernelSize'> = {},
  ) {
    super({ ...options, filters, kernelSize });
    const { groups } = this.options;
    if (filters % groups !== 0)
      throw new UsageError(`Conv2D: groups expects a divisor of the ${filters} filters, got ${groups}`);
  }

  outputShape(input: Shape): Shape {
    const { filters, kernelSize: size, strides, dilationRate: dilation, padding, groups } = this.options;
    const place = this.name || 'Conv2D';
    if (input.length === 3 && input[2] % groups !== 0)
      throw new ShapeError(`${place}: groups expects a divisor of ${input[2]} channels, got ${groups}`);
    const window = { size, strides, dilation, padding };
    const { outputHeight, outputWidth } = windowGeometry(place, [1, ...input], window);
    return [outputHeight, outputWidth, filters];
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    const { filters, kernelSize, groups, useBias, kernelRegularizer } = this.options;
    return weights([...kernelSize, input[2] / groups, filters], useBias, kernelRegularizer);
  }

  call([x]: readonly Tensor[], parameters: LayerTensors, { activation }: CallContext): Tensor {
    const { kernel, bias } = parameters;
    const { groups } = this.options;
    return afterFused(conv2d(x, kernel, { ...this.#attributes(bias, fusedPart(activation)), groups }), activation);
  }

  override callFused(
    [x]: readonly Tensor[],
    { kernel, bias }: LayerTensors,
    followers: readonly Follower[],
    training: boolean,
  ): Fused | null {
    const { groups } = this.options;
    const sums = takeIn(kernel, bias, this.activation, followers, training);
    if (!sums) return null;
    const { weight, taken } = sums;
    const attributes = this.#attributes(sums.bias, sums.activation);
    const next = followers[taken]?.layer;
    if (next instanceof MaxPooling2D && next.halves && groups === 1)
      return { value: conv2dMaxPool2d(x, weight, attributes), taken: taken + 1 };
    return taken > 0 ? { value: conv2d(x, weight, { ...attributes, groups }), taken } : null;
  }

  #attributes(bias: Tensor | undefined, activation: FusedActivation) {
    const { strides, padding, dilationRate: dilation } = this.options;
    const attributes = { strides, padding, dilation, activation };
    return bias ? { ...attributes, bias } : attributes;
  }
}

const depthwiseSchema = {
  kernelSize: pairOf(1),
  strides: optional(pairOf(1), [1, 1]),
  padding: optional(paddingOption, 'valid'),
  dilationRate: optional(pairOf(1), [1, 1]),
  /** Outputs of each channel. */
  depthMultiplier: optional(count, 1),
  activation: optional(activationOption, 'linear'),
  useBias: optional(flag, true),
};

/** Convolution of each channel by itself: [H,W,C] → [OH,OW,C·depthMultiplier]. */
export class DepthwiseConv2D extends Layer<typeof depthwiseSchema> {
  static readonly kind = 'DepthwiseConv2D';
  static readonly schema = depthwiseSchema;
  static readonly leading = ['kernelSize'];

  constructor(kernelSize: number | Pair, options: OptionsFor<typeof depthwiseSchema, 'kernelSize'> = {}) {
    super({ ...options, kernelSize });
  }

  outputShape(input: Shape): Shape {
    const { kernelSize: size, strides, dilationRate: dilation, padding, depthMultiplier } = this.options;
    const window = { size, strides, dilation, padding };
    const { outputHeight, outputWidth } = windowGeometry(this.name || 'DepthwiseConv2D', [1, ...input], window);
    return [outputHeight, outputWidth, input[2] * depthMultiplier];
  }

  /** The kernel is [KH,KW,C,M], as Keras stores it: the same order in memory as a grouped convolution's [KH,KW,1,C·M]. */
  override parameters(input: Shape): readonly ParameterDescription[] {
    const { kernelSize, depthMultiplier, useBias } = this.options;
    const shape = [...kernelSize, input[2], depthMultiplier];
    return [
      { name: 'depthwise_kernel', shape, initialize: (random) => glorotUniform(shape, random) },
      ...(useBias ? [biasOf(input[2] * depthMultiplier)] : []),
    ];
  }

  call([x]: readonly Tensor[], parameters: LayerTensors, { activation }: CallContext): Tensor {
    const sums = { weight: this.#weight(parameters), bias: parameters['bias'], activation: fusedPart(activation) };
    return afterFused(this.#convolve(x, sums), activation);
  }

  override callFused(
    [x]: readonly Tensor[],
    parameters: LayerTensors,
    followers: readonly Follower[],
    training: boolean,
  ): Fused | null {
    const sums = takeIn(this.#weight(parameters), parameters['bias'], this.activation, followers, training);
    return sums && sums.taken > 0 ? { value: this.#convolve(x, sums), taken: sums.taken } : null;
  }

  #weight({ depthwise_kernel: kernel }: LayerTensors): Tensor {
    const { kernelSize, depthMultiplier } = this.options;
    return reshape(kernel, [...kernelSize, 1, kernel.shape[2] * depthMultiplier]);
  }

  #convolve(x: Tensor, { weight, bias, activation }: Sums): Tensor {
    const { strides, padding, dilationRate: dilation } = this.options;
    // One channel is one group: an ordinary convolution.
    const attributes = { strides, padding, dilation, activation, groups: x.shape[3] };
    return conv2d(x, weight, bias ? { ...attributes, bias } : attributes);
  }
}

/** Activations as layers, further pooling, regularization, merging and changes of shape, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { add, multiply } from '../../kernels/elementwise/arithmetic.js';
import { averagePool2d } from '../../kernels/pool/average-pool2d.js';
import { batchNorm, batchNormInference } from '../../kernels/norm/batch-norm.js';
import { concat } from '../../kernels/move/concat.js';
import { dropout } from '../../kernels/elementwise/dropout.js';
import { elu } from '../../kernels/activation/elu.js';
import { reshape } from '../../kernels/move/reshape.js';
import { leakyRelu } from '../../kernels/activation/leaky-relu.js';
import { pad } from '../../kernels/move/pad.js';
import { globalMaxPool2d } from '../../kernels/reduce/reduce-max.js';
import { globalAveragePool2d } from '../../kernels/reduce/reduce.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import { onesLikeKernel, zerosLikeKernel } from '../../tensor/elementwise.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { activate, checkActivation, type Activation as ActivationName } from './activation.js';
import { Layer } from './layer.js';
import type { CallContext, LayerConfig, LayerOptions, LayerTensors, ParameterDescription } from './layer.js';
import { pair } from './layers.js';

/** A layer that keeps its input's shape and has no parameters. */
abstract class ShapeKeeping extends Layer {
  outputShape(input: Shape): Shape {
    return input;
  }
}

/** An activation by its name, as a layer of its own. */
export class Activation extends ShapeKeeping {
  readonly kind = 'Activation';
  override readonly activation: ActivationName;

  constructor(activation: ActivationName, options: LayerOptions = {}) {
    super(options);
    this.activation = checkActivation('Activation', activation);
  }

  call([x]: readonly Tensor[], _: LayerTensors, { activation }: CallContext): Tensor {
    return activate(x, activation);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, activation: this.activation };
  }
}

/** max(x, 0) */
export class ReLU extends ShapeKeeping {
  readonly kind = 'ReLU';

  constructor(options: LayerOptions = {}) {
    super(options);
  }

  call([x]: readonly Tensor[]): Tensor {
    return activate(x, 'relu');
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

/** x, or negativeSlope · x below 0. */
export class LeakyReLU extends ShapeKeeping {
  readonly kind = 'LeakyReLU';
  readonly negativeSlope: number;

  constructor({ negativeSlope = 0.3, ...options }: LayerOptions & { negativeSlope?: number } = {}) {
    super(options);
    if (!(negativeSlope >= 0 && negativeSlope < Infinity))
      throw new UsageError(`LeakyReLU: negativeSlope expects a number of at least 0, got ${negativeSlope}`);
    this.negativeSlope = negativeSlope;
  }

  call([x]: readonly Tensor[]): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, negativeSlope: this.negativeSlope };
  }
}

/** x, or alpha · (e^x − 1) below 0. */
export class ELU extends ShapeKeeping {
  readonly kind = 'ELU';
  readonly alpha: number;

  constructor({ alpha = 1, ...options }: LayerOptions & { alpha?: number } = {}) {
    super(options);
    if (!(alpha >= 0 && alpha < Infinity))
      throw new UsageError(`ELU: alpha expects a number of at least 0, got ${alpha}`);
    this.alpha = alpha;
  }

  call([x]: readonly Tensor[]): Tensor {
    return elu(x, { alpha: this.alpha });
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, alpha: this.alpha };
  }
}

/** Softmax over the last axis. */
export class Softmax extends ShapeKeeping {
  readonly kind = 'Softmax';
  override readonly activation = 'softmax';

  constructor(options: LayerOptions = {}) {
    super(options);
  }

  call([x]: readonly Tensor[], _: LayerTensors, { activation }: CallContext): Tensor {
    return activate(x, activation);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

/** Sets a part `rate` of its inputs to 0 in training and scales the others up; does nothing otherwise. */
export class Dropout extends ShapeKeeping {
  readonly kind = 'Dropout';
  override readonly stochastic = true;
  readonly rate: number;

  constructor(rate: number, options: LayerOptions = {}) {
    super(options);
    if (!(rate >= 0 && rate < 1)) throw new UsageError(`Dropout: rate expects a number from 0 up to 1, got ${rate}`);
    this.rate = rate;
  }

  call([x]: readonly Tensor[], _: LayerTensors, { training, random }: CallContext): Tensor {
    const { seed, layer, step } = random;
    return training && this.rate > 0 ? dropout(x, step, { rate: this.rate, seed, layer }) : x;
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, rate: this.rate };
  }
}

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
      ...{ name, shape, trainable, initialize: () => new Float32Array(shape[0]).fill(value) },
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
    if (!training) return batchNormInference(x, gamma, beta, mean, variance, { epsilon });
    return batchNorm(x, gamma, beta, { epsilon, moving: { mean, variance, momentum, unbiased } });
  }

  config(): LayerConfig {
    const { kind, name, momentum, epsilon, center, scale, unbiasedVariance } = this;
    return { kind, name, momentum, epsilon, center, scale, unbiasedVariance };
  }
}

/** @throws ShapeError unless it is [H,W,C] */
function checkPicture(layer: Layer, input: Shape): void {
  if (input.length !== 3)
    throw new ShapeError(`${layer.name || layer.kind}: expects [H,W,C], got ${formatShape(input)}`);
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

/** Zeros around [H,W,C]. */
export class ZeroPadding2D extends Layer {
  readonly kind = 'ZeroPadding2D';
  /** [[top, bottom], [left, right]] */
  readonly padding: readonly [Pair, Pair];

  /** @param options.padding a number for all sides, [rows, columns], or [[top, bottom], [left, right]]; default 1 */
  constructor({ padding = 1, ...options }: LayerOptions & { padding?: number | Pair | readonly [Pair, Pair] } = {}) {
    super(options);
    const [rows, columns] = typeof padding === 'number' ? [padding, padding] : padding;
    this.padding = [pair(rows), pair(columns)];
    if (!this.padding.flat().every((count) => Number.isInteger(count) && count >= 0))
      throw new UsageError(`ZeroPadding2D: padding expects integers of at least 0, got ${JSON.stringify(padding)}`);
  }

  outputShape(input: Shape): Shape {
    checkPicture(this, input);
    const [[top, bottom], [left, right]] = this.padding;
    return [input[0] + top + bottom, input[1] + left + right, input[2]];
  }

  call([x]: readonly Tensor[]): Tensor {
    return pad(x, [[0, 0], ...this.padding, [0, 0]]);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, padding: this.padding };
  }
}

/** The same elements under another shape. */
export class Reshape extends Layer {
  readonly kind = 'Reshape';
  readonly targetShape: Shape;

  constructor(targetShape: Shape, options: LayerOptions = {}) {
    super(options);
    if (!targetShape.every((length) => Number.isInteger(length) && length >= 1))
      throw new UsageError(`Reshape: targetShape expects integers of at least 1, got ${formatShape(targetShape)}`);
    this.targetShape = targetShape;
  }

  outputShape(input: Shape): Shape {
    if (sizeOf(input) !== sizeOf(this.targetShape))
      throw new ShapeError(
        `${this.name || this.kind}: ${formatShape(this.targetShape)} has ${sizeOf(this.targetShape)} elements, got ${formatShape(input)}`,
      );
    return this.targetShape;
  }

  call([x]: readonly Tensor[]): Tensor {
    return reshape(x, [x.shape[0], ...this.targetShape]);
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, targetShape: this.targetShape };
  }
}

/** Several inputs of one shape, joined element by element. */
abstract class Merging extends Layer {
  override readonly merges = true;

  constructor(options: LayerOptions = {}) {
    super(options);
  }

  outputShape(first: Shape, ...others: Shape[]): Shape {
    const odd = others.find((shape) => !sameShape(shape, first));
    if (odd)
      throw new ShapeError(
        `${this.name || this.kind}: expects inputs of one shape, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    return first;
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

/** The sum of its inputs: the end of a residual block. */
export class Add extends Merging {
  readonly kind = 'Add';

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(add);
  }
}

/** The product of its inputs. */
export class Multiply extends Merging {
  readonly kind = 'Multiply';

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(multiply);
  }
}

/** Its inputs behind each other along an axis. */
export class Concatenate extends Layer {
  readonly kind = 'Concatenate';
  override readonly merges = true;
  readonly axis: number;

  /** @param options.axis counted with the batch axis, as in Keras; default −1, the last */
  constructor({ axis = -1, ...options }: LayerOptions & { axis?: number } = {}) {
    super(options);
    if (!Number.isInteger(axis) || axis === 0)
      throw new UsageError(`Concatenate: axis expects an integer other than 0, the batch, got ${axis}`);
    this.axis = axis;
  }

  outputShape(first: Shape, ...others: Shape[]): Shape {
    const name = this.name || this.kind;
    const axis = this.axis < 0 ? first.length + this.axis : this.axis - 1;
    if (axis < 0 || axis >= first.length)
      throw new ShapeError(`${name}: axis ${this.axis} expects an input with such an axis, got ${formatShape(first)}`);
    const alike = (shape: Shape): boolean =>
      shape.length === first.length && shape.every((length, each) => each === axis || length === first[each]);
    const odd = others.find((shape) => !alike(shape));
    if (odd)
      throw new ShapeError(
        `${name}: expects shapes that differ along axis ${this.axis} only, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    const total = others.reduce((sum, shape) => sum + shape[axis], first[axis]);
    return first.map((length, each) => (each === axis ? total : length));
  }

  call(inputs: readonly Tensor[]): Tensor {
    return concat(inputs, { axis: this.axis });
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, axis: this.axis };
  }
}

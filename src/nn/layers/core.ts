/** Dense layers, dropout and changes of shape, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { dense } from '../../kernels/dense/dense.js';
import { dropout } from '../../kernels/elementwise/dropout.js';
import { pad } from '../../kernels/move/pad.js';
import { flatten, reshape } from '../../kernels/move/reshape.js';
import type { Pair } from '../../kernels/shared/window.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { afterFused, checkActivation, fusedPart, type Activation } from '../activations.js';
import { checkRegularizer, weights, type Regularizer } from './kernel-and-bias.js';
import { checkPicture, Layer, ShapeKeeping } from './layer.js';
import type { CallContext, LayerConfig, LayerOptions, LayerTensors, ParameterDescription } from './layer.js';
import { checkCount, pair } from './options.js';

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

/** Activations as layers, with Keras' names and defaults. */
import { UsageError } from '../../errors.js';
import { elu } from '../../kernels/activation/elu.js';
import { leakyRelu } from '../../kernels/activation/leaky-relu.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activate, checkActivation, type Activation as ActivationName } from '../activations.js';
import { ShapeKeeping, type CallContext, type LayerConfig, type LayerOptions, type LayerTensors } from './layer.js';

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

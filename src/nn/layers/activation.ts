/** Activations as layers, with Keras' names and defaults. */
import { boundedRelu } from '../../kernels/activation/bounded-relu.js';
import { elu } from '../../kernels/activation/elu.js';
import { leakyRelu } from '../../kernels/activation/leaky-relu.js';
import { added, numberFrom0, optional, orNull } from '../../options.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activate, activationOption, type Activation as ActivationName } from '../activations.js';
import type { FusedActivation } from '../../kernels/shared/fused-activation.js';
import { ShapeKeeping, type Follower, type CallContext, type LayerTensors, type OptionsFor } from './layer.js';

const activationSchema = { activation: activationOption };

/** An activation by its name, as a layer of its own. */
export class Activation extends ShapeKeeping<typeof activationSchema> {
  static readonly kind = 'Activation';
  static readonly schema = activationSchema;
  static readonly leading = ['activation'];

  constructor(activation: ActivationName, options: OptionsFor<typeof activationSchema, 'activation'> = {}) {
    super({ ...options, activation });
  }

  call([x]: readonly Tensor[], _: LayerTensors, { activation }: CallContext): Tensor {
    return activate(x, activation);
  }
}

const noOptions = {};

const reluSchema = {
  /** Null for no bound; 6 makes it ReLU6. */
  maxValue: added(orNull(numberFrom0), null),
  negativeSlope: added(numberFrom0, 0),
  threshold: added(numberFrom0, 0),
};

/** max(x, 0); by its options min(x, maxValue) above the threshold, and negativeSlope · (x − threshold) at it and below. */
export class ReLU extends ShapeKeeping<typeof reluSchema> {
  static readonly kind = 'ReLU';
  static readonly schema = reluSchema;

  /** max(x, 0) and nothing else. */
  get isPlain(): boolean {
    const { maxValue, negativeSlope, threshold } = this.options;
    return maxValue === null && negativeSlope === 0 && threshold === 0;
  }

  call([x]: readonly Tensor[]): Tensor {
    return this.isPlain ? activate(x, 'relu') : boundedRelu(x, this.options);
  }
}

const leakyReluSchema = { negativeSlope: optional(numberFrom0, 0.3) };

/** x, or negativeSlope · x below 0. */
export class LeakyReLU extends ShapeKeeping<typeof leakyReluSchema> {
  static readonly kind = 'LeakyReLU';
  static readonly schema = leakyReluSchema;

  call([x]: readonly Tensor[]): Tensor {
    return leakyRelu(x, this.options);
  }
}

const eluSchema = { alpha: optional(numberFrom0, 1) };

/** x, or alpha · (e^x − 1) below 0. */
export class ELU extends ShapeKeeping<typeof eluSchema> {
  static readonly kind = 'ELU';
  static readonly schema = eluSchema;

  call([x]: readonly Tensor[]): Tensor {
    return elu(x, this.options);
  }
}

/** Softmax over the last axis. */
export class Softmax extends ShapeKeeping<typeof noOptions> {
  static readonly kind = 'Softmax';
  static readonly schema = noOptions;

  override get activation(): 'softmax' {
    return 'softmax';
  }

  call([x]: readonly Tensor[], _: LayerTensors, { activation }: CallContext): Tensor {
    return activate(x, activation);
  }
}

/** The activation that a layer can do in its own pass for those that follow, and how many that takes in: a relu or none. */
export function followingActivation([next]: readonly Follower[]): { activation: FusedActivation; taken: number } {
  const isRelu =
    (next?.layer instanceof ReLU && next.layer.isPlain) ||
    (next?.layer instanceof Activation && next.layer.activation === 'relu');
  return isRelu ? { activation: 'relu', taken: 1 } : { activation: 'linear', taken: 0 };
}

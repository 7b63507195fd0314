/** Activations that layers take by name, as Keras spells them. */
import { elu } from '../kernels/activation/elu.js';
import { gelu } from '../kernels/activation/gelu.js';
import { hardSigmoid, hardSwish } from '../kernels/activation/hard-sigmoid.js';
import { leakyRelu } from '../kernels/activation/leaky-relu.js';
import type { FusedActivation } from '../kernels/shared/fused-activation.js';
import { relu } from '../kernels/activation/relu.js';
import { sigmoid } from '../kernels/activation/sigmoid.js';
import { softmax } from '../kernels/activation/softmax.js';
import { swish } from '../kernels/activation/swish.js';
import { tanh } from '../kernels/activation/tanh.js';
import { oneOf } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';

const functions = {
  linear: (x: Tensor): Tensor => x,
  relu,
  sigmoid,
  softmax: (x: Tensor): Tensor => softmax(x),
  tanh,
  elu: (x: Tensor): Tensor => elu(x),
  gelu,
  swish,
  /** Keras 3's, which is not that of Keras 1 and 2. */
  hard_sigmoid: hardSigmoid,
  hard_swish: hardSwish,
  /** Keras' function of that name; its layer LeakyReLU has the slope 0.3. */
  leaky_relu: (x: Tensor): Tensor => leakyRelu(x, { negativeSlope: 0.2 }),
};

export type Activation = keyof typeof functions;

export const activationNames = Object.keys(functions) as readonly Activation[];

/** The option of a layer. */
export const activationOption = oneOf(activationNames);

/** The part of an activation that kernels do in the same pass … */
export const fusedPart = (activation: Activation): FusedActivation => (activation === 'relu' ? 'relu' : 'linear');

/** … and the rest, as a pass of its own. */
export const afterFused = (y: Tensor, activation: Activation): Tensor =>
  activation === 'relu' ? y : functions[activation](y);

export const activate = (x: Tensor, activation: Activation): Tensor => functions[activation](x);

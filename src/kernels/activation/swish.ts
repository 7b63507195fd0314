/**
 * Swish, also called SiLU: y = x·s with s = sigmoid(x), dy/dx = s·(1 + x·(1 − s)).
 * Source: Ramachandran, Zoph, Le, "Searching for activation functions" (arXiv:1710.05941).
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { EXP, SIGMOID } from '../shared/math.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';
import { sigmoidOf } from './sigmoid.js';

export const swishForward = elementwiseKernel({
  name: 'swish',
  inputs: 1,
  functions: EXP + SIGMOID,
  wgsl: 'a * sigmoid(a)',
  twin: (x) => x * sigmoidOf(x),
});

/** dy, x → dx */
export const swishGradient = elementwiseKernel({
  name: 'swishGradient',
  inputs: 2,
  functions: EXP + SIGMOID,
  wgsl: 'a * sigmoid(b) * (1.0 + b * sigmoid(-b))',
  twin: (dy, x) => dy * sigmoidOf(x) * (1 + x * sigmoidOf(-x)),
});

export const swishOp = defineOp<null>({
  name: 'swish',
  forward: (inputs) => launch(swishForward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(swishGradient, [dy, x], null),
});

/** x · sigmoid(x) for every element; any shape. */
export const swish = (x: Tensor): Tensor => swishOp.apply([x], null);

// --- samples

export const swishEntry: RegistryEntry = {
  kernels: [
    elementwise(swishForward, 1, { roundings: 4, because: 'own e^x, three operations' }, { low: -30, high: 30 }),
    elementwise(swishGradient, 2, { roundings: 8, because: 'own e^x twice, six operations' }, { low: -30, high: 30 }),
  ],
  ops: [unary(swishOp, { roundings: 8, because: 'own e^x twice, six operations' })],
};

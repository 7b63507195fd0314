/** Logistic sigmoid: y = 1 / (1 + e^−x), computed through e^−|x| so that it cannot overflow; dy/dx = y·(1 − y). */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { EXP, SIGMOID } from '../shared/math.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

/** The twin of SIGMOID, also used where a kernel has a sigmoid inside. */
export function sigmoidOf(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

export const sigmoidForward = elementwiseKernel({
  name: 'sigmoid',
  inputs: 1,
  wgsl: 'sigmoid(a)',
  functions: EXP + SIGMOID,
  twin: sigmoidOf,
});

/** dy, y → dx */
export const sigmoidGradient = elementwiseKernel({
  name: 'sigmoidGradient',
  inputs: 2,
  wgsl: 'a * b * (1.0 - b)',
  twin: (dy, y) => dy * y * (1 - y),
});

export const sigmoidOp = defineOp<null>({
  name: 'sigmoid',
  forward: (inputs) => launch(sigmoidForward, inputs, null),
  backward: ({ dy, outputs: [y] }) => launch(sigmoidGradient, [dy, y], null),
});

/** 1 / (1 + e^−x) for every element; any shape. */
export const sigmoid = (x: Tensor): Tensor => sigmoidOp.apply([x], null);

// --- samples

export const sigmoidEntry: RegistryEntry = {
  kernels: [
    elementwise(sigmoidForward, 1, { roundings: 4, because: 'own e^x, a sum, a quotient' }, { low: -30, high: 30 }),
    elementwise(sigmoidGradient, 2, { roundings: 4, because: 'three operations' }, { low: 0, high: 1 }),
  ],
  ops: [unary(sigmoidOp, { roundings: 8, because: 'own e^x, then y·(1 − y) of a rounded y' })],
};

/** Logistic sigmoid: y = 1 / (1 + e^−x), computed through e^−|x| so that it cannot overflow; dy/dx = y·(1 − y). */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { Expression } from '../../tensor/expression.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const sigmoidForward = elementwiseKernel({
  name: 'sigmoid',
  inputs: 1,
  formula: ([x]) => x.sigmoid(),
});

/** dy, y → dx */
export const sigmoidGradient = elementwiseKernel({
  name: 'sigmoidGradient',
  inputs: 2,
  formula: ([dy, y]) => dy.multiply(y).multiply(Expression.of(1).subtract(y)),
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

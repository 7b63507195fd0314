/** Hyperbolic tangent: y = tanh(x), dy/dx = (1 − y)·(1 + y). */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { Expression } from '../../tensor/expression.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const tanhForward = elementwiseKernel({
  name: 'tanh',
  inputs: 1,
  formula: ([x]) => x.tanh(),
});

/** dy, y → dx */
export const tanhGradient = elementwiseKernel({
  name: 'tanhGradient',
  inputs: 2,
  formula: ([dy, y]) => dy.multiply(Expression.of(1).subtract(y).multiply(y.add(1))),
});

export const tanhOp = defineOp<null>({
  name: 'tanh',
  forward: (inputs) => launch(tanhForward, inputs, null),
  backward: ({ dy, outputs: [y] }) => launch(tanhGradient, [dy, y], null),
});

/** tanh(x) for every element; any shape. */
export const tanh = (x: Tensor): Tensor => tanhOp.apply([x], null);

// --- samples

export const tanhEntry: RegistryEntry = {
  kernels: [
    elementwise(tanhForward, 1, { roundings: 4, because: 'own approximation, within 2 ulp' }, { low: -12, high: 12 }),
    elementwise(tanhGradient, 2, { roundings: 4, because: 'four operations' }, { low: -1, high: 1 }),
  ],
  ops: [unary(tanhOp, { roundings: 8, because: 'forward, then 1 − y² of a rounded y' })],
};

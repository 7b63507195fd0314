/**
 * Swish, also called SiLU: y = x·s with s = sigmoid(x), dy/dx = s·(1 + x·(1 − s)).
 * Source: Ramachandran, Zoph, Le, "Searching for activation functions" (arXiv:1710.05941).
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const swishForward = elementwiseKernel({
  name: 'swish',
  inputs: 1,
  formula: ([x]) => x.multiply(x.sigmoid()),
});

/** dy, x → dx */
export const swishGradient = elementwiseKernel({
  name: 'swishGradient',
  inputs: 2,
  formula: ([dy, x]) => dy.multiply(x.sigmoid()).multiply(x.multiply(x.negate().sigmoid()).add(1)),
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

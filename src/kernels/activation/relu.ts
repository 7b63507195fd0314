/**
 * Rectified linear unit: y = max(x, 0), with derivative 0 at 0. Written with `x <= 0`, which is false for NaN, so that
 * NaN passes through and is noticed.
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { apartFromZero, elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const reluForward = elementwiseKernel({
  name: 'relu',
  inputs: 1,
  formula: ([x]) => x.atMost(0).select(0, x),
});

/** dy, y → dx: dy where y > 0; y or x will do, since they are positive together. */
export const reluGradientKernel = elementwiseKernel({
  name: 'reluGradient',
  inputs: 2,
  formula: ([dy, y]) => y.atMost(0).select(0, dy),
});

export function reluGradient(dy: Tensor, y: Tensor): Tensor {
  return launch(reluGradientKernel, [dy, y], null)[0];
}

export const reluOp = defineOp<null>({
  name: 'relu',
  forward: (inputs) => launch(reluForward, inputs, null),
  backward: ({ dy, outputs: [y] }) => [reluGradient(dy, y)],
});

/** max(x, 0) for every element; any shape. */
export const relu = (x: Tensor): Tensor => reluOp.apply([x], null);

// --- samples

const copied = { roundings: 0, because: 'values are copied' };
export const reluEntry: RegistryEntry = {
  kernels: [elementwise(reluForward, 1, copied), elementwise(reluGradientKernel, 2, copied)],
  ops: [unary(reluOp, copied, { values: apartFromZero })],
};

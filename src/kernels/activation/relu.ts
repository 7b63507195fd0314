/**
 * Rectified linear unit: y = max(x, 0), with derivative 0 at 0. Written with `x <= 0`, which is false for NaN, so that
 * NaN passes through and is noticed.
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { activate } from '../shared/fused-activation.js';
import { apartFromZero, elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const reluForward = elementwiseKernel({
  name: 'relu',
  inputs: 1,
  wgsl: activate('relu', 'a'),
  twin: (x) => (x <= 0 ? 0 : x),
  wasm: 'relu',
});

/** dy, y → dx: dy where y > 0; y or x will do, since they are positive together. */
export const reluGradientKernel = elementwiseKernel({
  name: 'reluGradient',
  inputs: 2,
  wgsl: 'select(a, 0.0, b <= 0.0)',
  twin: (dy, y) => (y <= 0 ? 0 : dy),
  wasm: 'reluGradient',
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

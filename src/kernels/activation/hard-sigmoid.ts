/**
 * Piecewise linear stand-ins of sigmoid and swish, as Keras 3 and PyTorch define them: h(x) = min(max(x + 3, 0), 6) / 6, and x·h(x).
 * Their derivatives are those of the middle piece within −3 < x < 3.
 * Source: Howard et al., "Searching for MobileNetV3" (arXiv:1905.02244), section 5.2.
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import type { Expression } from '../../tensor/expression.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { elementwise, floats, unary, type RegistryEntry } from '../shared/samples.js';

const sixth = 1 / 6;
const hardened = (x: Expression): Expression => x.add(3).maximum(0).minimum(6).multiply(sixth);

export const hardSigmoidForward = elementwiseKernel({
  name: 'hardSigmoid',
  inputs: 1,
  formula: ([x]) => hardened(x),
});

/** dy, x → dx */
export const hardSigmoidGradient = elementwiseKernel({
  name: 'hardSigmoidGradient',
  inputs: 2,
  formula: ([dy, x]) => x.abs().below(3).select(dy.multiply(sixth), 0),
});

export const hardSwishForward = elementwiseKernel({
  name: 'hardSwish',
  inputs: 1,
  formula: ([x]) => x.multiply(hardened(x)),
});

/** dy, x → dx: 0, (2x + 3) / 6, 1 */
export const hardSwishGradient = elementwiseKernel({
  name: 'hardSwishGradient',
  inputs: 2,
  formula: ([dy, x]) =>
    x.atMost(-3).select(0, x.atLeast(3).select(dy, dy.multiply(x.multiply(2).add(3)).multiply(sixth))),
});

export const hardSigmoidOp = defineOp<null>({
  name: 'hardSigmoid',
  forward: (inputs) => launch(hardSigmoidForward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(hardSigmoidGradient, [dy, x], null),
});

export const hardSwishOp = defineOp<null>({
  name: 'hardSwish',
  forward: (inputs) => launch(hardSwishForward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(hardSwishGradient, [dy, x], null),
});

/** min(max(x + 3, 0), 6) / 6 for every element; any shape. */
export const hardSigmoid = (x: Tensor): Tensor => hardSigmoidOp.apply([x], null);

/** x · hardSigmoid(x) for every element; any shape. */
export const hardSwish = (x: Tensor): Tensor => hardSwishOp.apply([x], null);

// --- samples

const few = { roundings: 6, because: 'a sum, 1/6 is rounded, two or three products' };
/** Odd multiples of 1/16: away from the kinks at −3 and 3. */
const values: Parameters<typeof unary>[2] = {
  values: (random, shape) => {
    const { values: given, ...sample } = floats(random, shape, -4, 4);
    return { ...sample, values: Float32Array.from(given, (value) => Math.floor(value * 8) / 8 + 1 / 16) };
  },
};
export const hardSigmoidEntry: RegistryEntry = {
  kernels: [
    elementwise(hardSigmoidForward, 1, few),
    elementwise(hardSigmoidGradient, 2, few),
    elementwise(hardSwishForward, 1, few),
    elementwise(hardSwishGradient, 2, few),
  ],
  ops: [unary(hardSigmoidOp, few, values), unary(hardSwishOp, few, values)],
};

/** Leaky rectified linear unit: y = x for x > 0, else s·x; the derivative at 0 is s. */
import { expectNumber, expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { apartFromZero, elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export interface LeakyReluAttributes {
  readonly negativeSlope: number;
}

export const leakyReluForward = elementwiseKernel<LeakyReluAttributes>({
  name: 'leakyRelu',
  inputs: 1,
  formula: ([x], { negativeSlope }) => x.atMost(0).select(x.multiply(negativeSlope), x),
});

/** dy, x → dx */
export const leakyReluGradient = elementwiseKernel<LeakyReluAttributes>({
  name: 'leakyReluGradient',
  inputs: 2,
  formula: ([dy, x], { negativeSlope }) => x.atMost(0).select(dy.multiply(negativeSlope), dy),
});

export const leakyReluOp = defineOp<LeakyReluAttributes>({
  name: 'leakyRelu',
  forward: (inputs, attributes) => launch(leakyReluForward, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes }) => launch(leakyReluGradient, [dy, x], attributes),
});

/** x where it is positive, else negativeSlope · x (default 0.3, that of Keras' layer); any shape. */
export function leakyRelu(x: Tensor, options: { negativeSlope?: number } = {}): Tensor {
  expectObject(options, 'leakyRelu: options');
  const { negativeSlope = 0.3 } = options;
  expectNumber(negativeSlope, 'leakyRelu: negativeSlope');
  return leakyReluOp.apply([x], { negativeSlope });
}

// --- samples

const oneProduct = { roundings: 2, because: 'the slope is rounded, then one product' };
const attributes = () => ({ negativeSlope: 0.3 });
export const leakyReluEntry: RegistryEntry = {
  kernels: [
    elementwise(leakyReluForward, 1, oneProduct, { attributes }),
    elementwise(leakyReluGradient, 2, oneProduct, { attributes }),
  ],
  ops: [unary(leakyReluOp, oneProduct, { values: apartFromZero, attributes })],
};

/**
 * Rectified linear unit with Keras' three options: min(x, maxValue) above the threshold, negativeSlope·(x − threshold) at it and
 * below. The derivative is 1 between the two, 0 from maxValue on, negativeSlope at the threshold and below.
 */
import { expectNumber, expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { apartFromZero, elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export interface BoundedReluAttributes {
  /** Null for no bound. */
  readonly maxValue: number | null;
  readonly negativeSlope: number;
  readonly threshold: number;
}

export const boundedReluForward = elementwiseKernel<BoundedReluAttributes>({
  name: 'boundedRelu',
  inputs: 1,
  formula: ([x], { maxValue, negativeSlope, threshold }) =>
    x
      .atMost(threshold)
      .select(
        negativeSlope === 0 ? 0 : x.subtract(threshold).multiply(negativeSlope),
        maxValue === null ? x : x.minimum(maxValue),
      ),
});

/** dy, x → dx */
export const boundedReluGradient = elementwiseKernel<BoundedReluAttributes>({
  name: 'boundedReluGradient',
  inputs: 2,
  formula: ([dy, x], { maxValue, negativeSlope, threshold }) =>
    x
      .atMost(threshold)
      .select(
        negativeSlope === 0 ? 0 : dy.multiply(negativeSlope),
        maxValue === null ? dy : x.atLeast(maxValue).select(0, dy),
      ),
});

export const boundedReluOp = defineOp<BoundedReluAttributes>({
  name: 'boundedRelu',
  forward: (inputs, attributes) => launch(boundedReluForward, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes }) => launch(boundedReluGradient, [dy, x], attributes),
});

/** Keras' relu with all its options, ReLU6 with maxValue 6; any shape. */
export function boundedRelu(x: Tensor, options: Partial<BoundedReluAttributes> = {}): Tensor {
  expectObject(options, 'boundedRelu: options');
  const { maxValue = null, negativeSlope = 0, threshold = 0 } = options;
  if (maxValue !== null) expectNumber(maxValue, 'boundedRelu: maxValue');
  expectNumber(negativeSlope, 'boundedRelu: negativeSlope');
  expectNumber(threshold, 'boundedRelu: threshold');
  return boundedReluOp.apply([x], { maxValue, negativeSlope, threshold });
}

// --- samples

const few = { roundings: 3, because: 'the slope is rounded, then a difference and a product' };
const attributes = (random: { integer(limit: number): number }) => ({
  maxValue: random.integer(3) ? 2 : null,
  negativeSlope: random.integer(2) * 0.3,
  threshold: random.integer(2) * 0.5,
});
export const boundedReluEntry: RegistryEntry = {
  kernels: [
    elementwise(boundedReluForward, 1, few, { attributes }),
    elementwise(boundedReluGradient, 2, few, { attributes }),
  ],
  // At a threshold y jumps; the samples stay 1/16 away from it.
  ops: [unary(boundedReluOp, few, { values: apartFromZero, attributes })],
};

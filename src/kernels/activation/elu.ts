/**
 * Exponential linear unit: y = x for x > 0, else α·(e^x − 1); the derivative for x ≤ 0 is y + α.
 * Source: Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network learning by ELUs" (ICLR 2016).
 */
import { expectNumber, expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { apartFromZero, elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export interface EluAttributes {
  readonly alpha: number;
}

export const eluForward = elementwiseKernel<EluAttributes>({
  name: 'elu',
  inputs: 1,
  formula: ([x], { alpha }) => x.atMost(0).select(x.minimum(0).expm1().multiply(alpha), x),
});

/** dy, x, y → dx */
export const eluGradient = elementwiseKernel<EluAttributes>({
  name: 'eluGradient',
  inputs: 3,
  formula: ([dy, x, y], { alpha }) => x.atMost(0).select(dy.multiply(y.add(alpha)), dy),
});

export const eluOp = defineOp<EluAttributes>({
  name: 'elu',
  forward: (inputs, attributes) => launch(eluForward, inputs, attributes),
  backward: ({ dy, inputs: [x], outputs: [y], attributes }) => launch(eluGradient, [dy, x, y], attributes),
});

/** x where it is positive, else alpha · (e^x − 1); any shape. */
export function elu(x: Tensor, options: { alpha?: number } = {}): Tensor {
  expectObject(options, 'elu: options');
  const { alpha = 1 } = options;
  expectNumber(alpha, 'elu: alpha');
  return eluOp.apply([x], { alpha });
}

// --- samples

const attributes = () => ({ alpha: 1.25 });
export const eluEntry: RegistryEntry = {
  kernels: [
    elementwise(eluForward, 1, { roundings: 4, because: 'own e^x − 1, within 2 ulp; one product' }, { attributes }),
    elementwise(eluGradient, 3, { roundings: 3, because: 'three operations' }, { attributes }),
  ],
  ops: [
    unary(
      eluOp,
      { roundings: 8, because: 'forward, then y + α of a rounded y' },
      { values: apartFromZero, attributes },
    ),
  ],
};

/**
 * Gaussian error linear unit: y = x·Φ(x), dy/dx = Φ(x) + x·φ(x), with the normal distribution's Φ and density φ.
 * The exact form (Keras' `approximate=False`), not the one by tanh.
 * Source: Hendrycks, Gimpel, "Gaussian error linear units" (arXiv:1606.08415).
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

export const geluForward = elementwiseKernel({
  name: 'gelu',
  inputs: 1,
  formula: ([x]) => x.multiply(x.normalProbability()),
});

/** dy, x → dx */
export const geluGradient = elementwiseKernel({
  name: 'geluGradient',
  inputs: 2,
  formula([dy, x]) {
    const density = x
      .square()
      .multiply(-0.5)
      .exp()
      .divide(Math.sqrt(2 * Math.PI));
    return dy.multiply(x.normalProbability().add(x.multiply(density)));
  },
});

export const geluOp = defineOp<null>({
  name: 'gelu',
  forward: (inputs) => launch(geluForward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(geluGradient, [dy, x], null),
});

/** x · Φ(x) for every element; any shape. */
export const gelu = (x: Tensor): Tensor => geluOp.apply([x], null);

// --- samples

export const geluEntry: RegistryEntry = {
  kernels: [
    elementwise(geluForward, 1, { roundings: 4, because: 'own Φ, within 3 ulp; one product' }, { low: -8, high: 8 }),
    elementwise(geluGradient, 2, { roundings: 8, because: 'own Φ and e^x, four operations' }, { low: -8, high: 8 }),
  ],
  ops: [unary(geluOp, { roundings: 8, because: 'own Φ and e^x, four operations' })],
};

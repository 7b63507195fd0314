/**
 * Gaussian error linear unit: y = x·Φ(x), dy/dx = Φ(x) + x·φ(x), with the normal distribution's Φ and density φ.
 * The exact form (Keras' `approximate=False`), not the one by tanh.
 * Source: Hendrycks, Gimpel, "Gaussian error linear units" (arXiv:1606.08415).
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { EXP, NORMAL, normalProbability } from '../shared/math.js';
import { elementwise, unary, type RegistryEntry } from '../shared/samples.js';

const DENSITY = /* wgsl */ `
fn normalDensity(x: f32) -> f32 { return 0.39894228 * exponential(-0.5 * x * x); }
`;

export const geluForward = elementwiseKernel({
  name: 'gelu',
  inputs: 1,
  functions: EXP + NORMAL,
  wgsl: 'a * normalProbability(a)',
  twin: (x) => x * normalProbability(x),
});

/** dy, x → dx */
export const geluGradient = elementwiseKernel({
  name: 'geluGradient',
  inputs: 2,
  functions: EXP + NORMAL + DENSITY,
  wgsl: 'a * (normalProbability(b) + b * normalDensity(b))',
  twin: (dy, x) => dy * (normalProbability(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI)),
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

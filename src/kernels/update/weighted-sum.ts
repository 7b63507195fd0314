/**
 * y ← a·y + b·x over a whole arena, the two factors known on the device only: the gradients of several batches added up
 * (a = 1, b = samples of the batch), and their mean taken (a = 0, b = 1 / samples of all). With a = 0 what y held is not looked at.
 */
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

const WEIGHTED_SUM = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> factors: array<f32, 2>;   // a, b
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
${ENTRY}
  let added = factors[1] * x[index];
  if (factors[0] == 0.0) { y[index] = added; } else { y[index] = factors[0] * y[index] + added; }
}`;

/** x [n], factors [a, b] → y [n], in place */
export const weightedSum = defineKernel<null>({
  name: 'weightedSum',
  inPlace: true,
  outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
  twin({ inputs: [x, factors], outputs: [y] }) {
    const [a, b] = [factors[0], factors[1]];
    for (let i = 0; i < y.length; i++) y[i] = a === 0 ? b * x[i] : a * y[i] + b * x[i];
  },
  wgsl: ({ inputs: [x] }) => planThreads(WEIGHTED_SUM, sizeOf(x)),
});

// --- samples

export const weightedSumEntry: RegistryEntry = {
  kernels: [
    {
      kernel: weightedSum,
      roundings: 3,
      because: 'two products, one sum',
      sample(random) {
        const shape = [between(random, 1, 300)];
        const factors = floats(random, [2], 0.1, 2);
        if (random.integer(2) === 1) factors.values[0] = 0;
        return { inputs: [floats(random, shape), factors], attributes: null, inPlace: [floats(random, shape)] };
      },
    },
  ],
  ops: [],
};

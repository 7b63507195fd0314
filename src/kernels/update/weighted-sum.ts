/**
 * y ← a·y + b·x over a whole arena, the two factors known on the device only: the gradients of several batches added up
 * (a = 1, b = samples of the batch), and their mean taken (a = 0, b = 1 / samples of all). With a = 0 what y held is not looked at.
 */
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

/** x [n], factors [a, b] → y [n], in place */
export const weightedSum = elementwiseKernel({
  name: 'weightedSum',
  inputs: { x: 'element', factors: 'number' },
  inPlace: 1,
  formula([x, factors], _, [y]) {
    const added = factors.at(1).multiply(x);
    return factors.at(0).equals(0).select(added, factors.at(0).multiply(y).add(added));
  },
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

/**
 * One step of gradient descent over all parameters at once, with momentum as Keras writes it:
 * v ← μ·v − lr·g, then θ ← θ + v, or with Nesterov's look-ahead θ ← θ + μ·v − lr·g.
 * Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum" (ICML 2013).
 */
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface SgdAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** gradients [n], step [learning rate] → parameters [n], velocities [n], both in place */
export const sgdUpdate = elementwiseKernel<SgdAttributes>({
  name: 'sgd',
  inputs: { gradients: 'element', learningRate: 'number' },
  inPlace: 2,
  formula([gradient, learningRate], { momentum, nesterov }, [parameter, before]) {
    const change = learningRate.multiply(gradient);
    const velocity = before.multiply(momentum).subtract(change);
    return [parameter.add(nesterov ? velocity.multiply(momentum).subtract(change) : velocity), velocity];
  },
});

// --- samples

export const sgdEntry: RegistryEntry = {
  kernels: [
    {
      kernel: sgdUpdate,
      roundings: 4,
      because: 'five operations',
      sample(random) {
        const shape = [between(random, 1, 300)];
        return {
          inputs: [floats(random, shape), floats(random, [1], 0.001, 0.1)],
          attributes: { momentum: random.uniform(0, 0.99), nesterov: random.integer(2) === 1 },
          inPlace: [floats(random, shape), floats(random, shape)],
        };
      },
    },
  ],
  ops: [],
};

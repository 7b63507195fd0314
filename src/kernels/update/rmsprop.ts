/**
 * One step of RMSprop over all parameters at once (Tieleman and Hinton, Coursera lecture 6e, 2012):
 *
 *   v ← ρ·v + (1 − ρ)·g²,  u = lr·g / √(v + ε)  or  lr·g / (√v + ε),  b ← μ·b + u,  θ ← θ − b
 *
 * Keras adds ε inside the root since 2.11; PyTorch and older Keras outside. Without momentum, b is u.
 */
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface RmspropAttributes {
  readonly rho: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly epsilonInside: boolean;
}

/** gradients [n], step [learning rate] → parameters [n], squares [n], velocities [n], all three in place */
export const rmspropUpdate = elementwiseKernel<RmspropAttributes>({
  name: 'rmsprop',
  inputs: { gradients: 'element', learningRate: 'number' },
  inPlace: 3,
  formula([g, learningRate], { rho, epsilon, momentum, epsilonInside }, [parameter, square, before]) {
    const v = square.multiply(rho).add(g.multiply(1 - rho).multiply(g));
    const root = epsilonInside ? v.add(epsilon).sqrt() : v.sqrt().add(epsilon);
    const velocity = before.multiply(momentum).add(learningRate.multiply(g).divide(root));
    return [parameter.subtract(velocity), v, velocity];
  },
});

// --- samples

export const rmspropEntry: RegistryEntry = {
  kernels: [
    {
      kernel: rmspropUpdate,
      roundings: 8,
      because: 'a root, a quotient, seven other operations',
      sample(random) {
        const shape = [between(random, 1, 300)];
        return {
          inputs: [floats(random, shape), floats(random, [1], 0.001, 0.01)],
          attributes: {
            rho: 0.9,
            epsilon: 1e-7,
            momentum: random.uniform(0, 0.9),
            epsilonInside: random.integer(2) === 1,
          },
          inPlace: [floats(random, shape), floats(random, shape, 0.1, 1), floats(random, shape)],
        };
      },
    },
  ],
  ops: [],
};

/**
 * One step of RMSprop over all parameters at once (Tieleman and Hinton, Coursera lecture 6e, 2012):
 *
 *   v ← ρ·v + (1 − ρ)·g²,  u = lr·g / √(v + ε)  or  lr·g / (√v + ε),  b ← μ·b + u,  θ ← θ − b
 *
 * Keras adds ε inside the root since 2.11; PyTorch and older Keras outside. Without momentum, b is u.
 */
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface RmspropAttributes {
  readonly rho: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly epsilonInside: boolean;
}

const rmspropShader = (epsilonInside: boolean): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<f32, 1>;   // learning rate
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;
@group(0) @binding(4) var<storage, read_write> velocities: array<f32>;
override RHO: f32;
override REST: f32;   // 1 − ρ, rounded once
override EPSILON: f32;
override MOMENTUM: f32;
${ENTRY}
  let g = gradients[index];
  let v = RHO * squares[index] + REST * g * g;
  let velocity = MOMENTUM * velocities[index] + step[0] * g / ${epsilonInside ? 'sqrt(v + EPSILON)' : '(sqrt(v) + EPSILON)'};
  squares[index] = v;
  velocities[index] = velocity;
  parameters[index] -= velocity;
}`;

/** gradients [n], step [learning rate] → parameters [n], squares [n], velocities [n], all three in place */
export const rmspropUpdate = defineKernel<RmspropAttributes>({
  name: 'rmsprop',
  inPlace: true,
  outputs: ([gradients]) => [0, 1, 2].map(() => ({ shape: gradients, dtype: 'float32' })),
  twin({ inputs: [gradients, step], outputs: [parameters, squares, velocities] }, _, attributes) {
    const { rho, epsilon, momentum, epsilonInside } = attributes;
    for (let i = 0; i < parameters.length; i++) {
      const g = gradients[i];
      const v = rho * squares[i] + (1 - rho) * g * g;
      const root = epsilonInside ? Math.sqrt(v + epsilon) : Math.sqrt(v) + epsilon;
      const velocity = momentum * velocities[i] + (step[0] * g) / root;
      squares[i] = v;
      velocities[i] = velocity;
      parameters[i] -= velocity;
    }
  },
  wgsl: ({ inputs: [gradients] }, { rho, epsilon, momentum, epsilonInside }) =>
    planThreads(rmspropShader(epsilonInside), sizeOf(gradients), {
      RHO: rho,
      REST: 1 - rho,
      EPSILON: epsilon,
      MOMENTUM: momentum,
    }),
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

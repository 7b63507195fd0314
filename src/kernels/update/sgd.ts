/**
 * One step of gradient descent over all parameters at once, with momentum as Keras writes it:
 * v ← μ·v − lr·g, then θ ← θ + v, or with Nesterov's look-ahead θ ← θ + μ·v − lr·g.
 * Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum" (ICML 2013).
 */
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface SgdAttributes {
  readonly momentum: number;
  readonly nesterov: boolean;
}

const sgdShader = (nesterov: boolean): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<f32, 1>;   // learning rate
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocities: array<f32>;
override MOMENTUM: f32;
${ENTRY}
  let change = step[0] * gradients[index];
  let velocity = MOMENTUM * velocities[index] - change;
  velocities[index] = velocity;
  parameters[index] += ${nesterov ? 'MOMENTUM * velocity - change' : 'velocity'};
}`;

/** gradients [n], step [learning rate] → parameters [n], velocities [n], both in place */
export const sgdUpdate = defineKernel<SgdAttributes>({
  name: 'sgd',
  inPlace: true,
  outputs: ([gradients]) => [0, 1].map(() => ({ shape: gradients, dtype: 'float32' })),
  twin({ inputs: [gradients, step], outputs: [parameters, velocities] }, _, { momentum, nesterov }) {
    for (let i = 0; i < parameters.length; i++) {
      const change = step[0] * gradients[i];
      const velocity = momentum * velocities[i] - change;
      velocities[i] = velocity;
      parameters[i] += nesterov ? momentum * velocity - change : velocity;
    }
  },
  wgsl: ({ inputs: [gradients] }, { momentum, nesterov }) =>
    planThreads(sgdShader(nesterov), sizeOf(gradients), { MOMENTUM: momentum }),
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

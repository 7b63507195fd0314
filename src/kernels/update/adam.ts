/**
 * One step of Adam over all parameters at once (Kingma and Ba, arXiv:1412.6980):
 *
 *   m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  θ ← θ − α·m / (√v·s + ε)
 *
 * α and s come anew with each step t: Keras has α = lr·√(1 − β2^t) / (1 − β1^t), s = 1 (ε outside the correction),
 * PyTorch α = lr / (1 − β1^t), s = 1 / √(1 − β2^t) (ε inside).
 */
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { splitElements } from '../../tensor/cpu/parts.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

const ADAM = /* wgsl */ `
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<f32, 2>;   // α, s
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> means: array<f32>;
@group(0) @binding(4) var<storage, read_write> squares: array<f32>;
override BETA1: f32;
override BETA2: f32;
override REST1: f32;   // 1 − β1, rounded once
override REST2: f32;
override EPSILON: f32;
${ENTRY}
  let g = gradients[index];
  let m = BETA1 * means[index] + REST1 * g;
  let v = BETA2 * squares[index] + REST2 * g * g;
  means[index] = m;
  squares[index] = v;
  parameters[index] -= step[0] * m / (sqrt(v) * step[1] + EPSILON);
}`;

/** gradients [n], step [α, s] → parameters [n], m [n], v [n], all three in place */
export const adamUpdate = defineKernel<AdamAttributes>({
  name: 'adam',
  inPlace: true,
  outputs: ([gradients]) => [0, 1, 2].map(() => ({ shape: gradients, dtype: 'float32' })),
  twin({ inputs: [gradients, step], outputs: [parameters, means, squares] }, _, { beta1, beta2, epsilon }) {
    for (let i = 0; i < parameters.length; i++) {
      const g = gradients[i];
      const m = beta1 * means[i] + (1 - beta1) * g;
      const v = beta2 * squares[i] + (1 - beta2) * g * g;
      means[i] = m;
      squares[i] = v;
      parameters[i] -= (step[0] * m) / (Math.sqrt(v) * step[1] + epsilon);
    }
  },
  wgsl: ({ inputs: [gradients] }, { beta1, beta2, epsilon }) =>
    planThreads(ADAM, sizeOf(gradients), {
      BETA1: beta1,
      BETA2: beta2,
      REST1: 1 - beta1,
      REST2: 1 - beta2,
      EPSILON: epsilon,
    }),
  operations: ({ inputs: [gradients] }) => 14 * sizeOf(gradients),
  wasm({ inputs: [gradients] }, { beta1, beta2, epsilon }) {
    const count = sizeOf(gradients);
    const { parts, chunk } = splitElements(count);
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'adam',
          parts,
          arguments: [...inputs, ...outputs, count, chunk, beta1, beta2, 1 - beta1, 1 - beta2, epsilon],
        },
      ],
    };
  },
});

// --- samples

export const adamEntry: RegistryEntry = {
  kernels: [
    {
      kernel: adamUpdate,
      roundings: 8,
      because: 'a root, a quotient, ten other operations',
      sample(random) {
        const shape = [between(random, 1, 300)];
        return {
          inputs: [
            floats(random, shape),
            { shape: [2], dtype: 'float32', values: Float32Array.of(0.003, random.uniform(1, 30)) },
          ],
          attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
          inPlace: [floats(random, shape), floats(random, shape), floats(random, shape, 0, 1)],
        };
      },
    },
  ],
  ops: [],
};

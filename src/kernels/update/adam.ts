/**
 * One step of Adam over all parameters at once (Kingma and Ba, arXiv:1412.6980):
 *
 *   m ← β1·m + (1 − β1)·g,  v ← β2·v + (1 − β2)·g²,  θ ← θ − α·m / (√v·s + ε)
 *
 * α and s come anew with each step t: Keras has α = lr·√(1 − β2^t) / (1 − β1^t), s = 1 (ε outside the correction),
 * PyTorch α = lr / (1 − β1^t), s = 1 / √(1 − β2^t) (ε inside).
 */
import { elementwiseKernel } from '../../tensor/elementwise.js';
import type { OperandShapes } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface AdamAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** gradients [n], step [α, s] → parameters [n], m [n], v [n], all three in place */
export const adamUpdate = {
  ...elementwiseKernel<AdamAttributes>({
    name: 'adam',
    inputs: { gradients: 'element', step: 'number' },
    inPlace: 3,
    formula([g, step], { beta1, beta2, epsilon }, [parameter, mean, square]) {
      const m = mean.multiply(beta1).add(g.multiply(1 - beta1));
      const v = square.multiply(beta2).add(g.multiply(1 - beta2).multiply(g));
      const change = step
        .at(0)
        .multiply(m)
        .divide(v.sqrt().multiply(step.at(1)).add(epsilon));
      return [parameter.subtract(change), m, v];
    },
  }),
  operations: ({ inputs: [gradients] }: OperandShapes) => 14 * sizeOf(gradients),
};

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

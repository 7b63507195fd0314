/** Adam (Kingma and Ba, arXiv:1412.6980), as Keras and as PyTorch compute it. */
import { UsageError } from '../errors.js';
import { adamUpdate } from '../kernels/adam.js';
import { launch, zeros } from '../tensor/tensor.js';
import type { Optimizer } from './optimizer.js';

export interface AdamOptions {
  learningRate?: number;
  beta1?: number;
  beta2?: number;
  /** Default 1e-7, Keras' since 2.3; Keras 2.1.2 and PyTorch have 1e-8. */
  epsilon?: number;
  /** 'keras' adds ε outside the bias correction, 'pytorch' inside; with tiny gradients they differ. */
  correction?: 'keras' | 'pytorch';
}

/** α and s of the update (see kernels/adam.ts) at step t = 1, 2, …, in float64. */
export function adamStep(
  step: number,
  { learningRate, beta1, beta2, correction }: Required<AdamOptions>,
): [number, number] {
  const first = 1 - beta1 ** step;
  const second = Math.sqrt(1 - beta2 ** step);
  return correction === 'keras' ? [(learningRate * second) / first, 1] : [learningRate / first, 1 / second];
}

/**
 * @throws UsageError when the learning rate is not a positive number or a β is not in [0, 1)
 */
export function adam(options: AdamOptions = {}): Optimizer {
  const settings: Required<AdamOptions> = {
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
    correction: 'keras',
    ...options,
  };
  const { learningRate, beta1, beta2, epsilon } = settings;
  if (!(learningRate > 0 && learningRate < Infinity))
    throw new UsageError(`adam: learningRate expects a positive number, got ${learningRate}`);
  if (!(epsilon > 0)) throw new UsageError(`adam: epsilon expects a positive number, got ${epsilon}`);
  for (const beta of [beta1, beta2]) {
    if (!(beta >= 0 && beta < 1))
      throw new UsageError(`adam: beta1 and beta2 expect numbers from 0 up to 1, got ${beta1} and ${beta2}`);
  }
  return {
    name: 'adam',
    config: { ...settings },
    bind(parameters, gradients) {
      const { device, shape } = parameters;
      const means = zeros(device, shape);
      const squares = zeros(device, shape);
      const step = zeros(device, [2]);
      const values = new Float32Array(2);
      return {
        prepare(count) {
          values.set(adamStep(count, settings));
          step.write(values);
        },
        apply() {
          launch(adamUpdate, [gradients, step], { beta1, beta2, epsilon }, [parameters, means, squares]);
        },
        destroy() {
          for (const item of [means, squares, step]) item.destroy();
        },
      };
    },
  };
}

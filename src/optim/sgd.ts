/** Gradient descent with optional momentum, as in Keras; with a constant learning rate PyTorch's is the same. */
import { UsageError } from '../errors.js';
import { sgdUpdate } from '../kernels/sgd.js';
import { launch, tensor, zeros } from '../tensor/tensor.js';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  learningRate?: number;
  momentum?: number;
  nesterov?: boolean;
}

/** @throws UsageError when the learning rate is not a positive number or the momentum is not in [0, 1) */
export function sgd({ learningRate = 0.01, momentum = 0, nesterov = false }: SgdOptions = {}): Optimizer {
  if (!(learningRate > 0 && learningRate < Infinity)) {
    throw new UsageError(`sgd: learningRate expects a positive number, got ${learningRate}`);
  }
  if (!(momentum >= 0 && momentum < 1)) {
    throw new UsageError(`sgd: momentum expects a number from 0 up to 1, got ${momentum}`);
  }
  return {
    name: 'sgd',
    config: { learningRate, momentum, nesterov: String(nesterov) },
    bind(parameters, gradients) {
      const { device, shape } = parameters;
      const velocities = zeros(device, shape);
      const step = tensor(device, [learningRate]);
      return {
        prepare() {}, // the learning rate is constant
        apply() {
          launch(sgdUpdate, [gradients, step], { momentum, nesterov }, [parameters, velocities]);
        },
        destroy() {
          velocities.destroy();
          step.destroy();
        },
      };
    },
  };
}

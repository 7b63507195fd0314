/** Gradient descent with optional momentum, as in Keras; with a constant learning rate PyTorch's is the same. */
import { sgdUpdate } from '../kernels/update/sgd.js';
import { checkNames } from '../options.js';
import { launch } from '../tensor/tensor.js';
import { checkFraction, defineOptimizer, type Optimizer, type OptimizerOptions } from './optimizer.js';

export interface SgdOptions extends OptimizerOptions {
  momentum?: number;
  nesterov?: boolean;
}

/**
 * @param options.learningRate default 0.01
 * @throws UsageError when the learning rate is not a positive number or the momentum is not in [0, 1)
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkNames('sgd', options, { learningRate: true, globalClipNorm: true, momentum: true, nesterov: true });
  const { momentum = 0, nesterov = false, learningRate = 0.01, ...others } = options;
  checkFraction('sgd', { momentum });
  return defineOptimizer({
    name: 'sgd',
    options: { learningRate, ...others },
    config: { momentum, nesterov },
    slots: 1,
    stepValues: (_, rate) => [[rate]],
    update({ parameters, gradients, slots, step }) {
      launch(sgdUpdate, [gradients, step[0]], { momentum, nesterov }, [parameters, ...slots]);
    },
  });
}

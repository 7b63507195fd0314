/** RMSprop (Tieleman and Hinton, 2012): as Keras has it (ε inside the root), as PyTorch (outside), each with momentum if wanted. */
import { rmspropUpdate } from '../kernels/update/rmsprop.js';
import { checkNames } from '../options.js';
import { launch } from '../tensor/tensor.js';
import { checkFraction, checkPositive, defineOptimizer, type Optimizer, type OptimizerOptions } from './optimizer.js';

export interface RmspropOptions extends OptimizerOptions {
  /** Default 0.9, Keras'; PyTorch has 0.99 and calls it alpha. */
  rho?: number;
  momentum?: number;
  epsilon?: number;
  /** √(v + ε), Keras' since 2.11, or √v + ε, PyTorch's and older Keras'. */
  epsilonInside?: boolean;
}

/** @throws UsageError when the learning rate or ε is not a positive number, or ρ or the momentum is not in [0, 1) */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkNames('rmsprop', options, {
    learningRate: true,
    globalClipNorm: true,
    rho: true,
    momentum: true,
    epsilon: true,
    epsilonInside: true,
  });
  const { rho = 0.9, momentum = 0, epsilon = 1e-7, epsilonInside = true } = options;
  checkFraction('rmsprop', { rho, momentum });
  checkPositive('rmsprop', { epsilon });
  const attributes = { rho, momentum, epsilon, epsilonInside };
  return defineOptimizer({
    name: 'rmsprop',
    options,
    config: attributes,
    slots: 2,
    stepValues: (_, learningRate) => [[learningRate]],
    update({ parameters, gradients, slots, step }) {
      launch(rmspropUpdate, [gradients, step[0]], attributes, [parameters, ...slots]);
    },
  });
}

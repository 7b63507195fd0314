/** Adam (Kingma and Ba, arXiv:1412.6980), as Keras and as PyTorch compute it, and AdamW (Loshchilov and Hutter, arXiv:1711.05101). */
import { pow } from '../tensor/exact-math.js';
import { adamUpdate } from '../kernels/update/adam.js';
import { scaleInPlace } from '../kernels/update/scale-in-place.js';
import { checkNames } from '../options.js';
import { launch } from '../tensor/tensor.js';
import { checkFraction, checkPositive, defineOptimizer, type Optimizer, type OptimizerOptions } from './optimizer.js';

export interface AdamOptions extends OptimizerOptions {
  beta1?: number;
  beta2?: number;
  /** Default 1e-7, Keras' since 2.3; Keras 2.1.2 and PyTorch have 1e-8. */
  epsilon?: number;
  /** 'keras' adds ε outside the bias correction, 'pytorch' inside; with tiny gradients they differ. */
  correction?: 'keras' | 'pytorch';
}

const optionNames = {
  learningRate: true,
  globalClipNorm: true,
  beta1: true,
  beta2: true,
  epsilon: true,
  correction: true,
} as const;

type Settings = Required<Omit<AdamOptions, keyof OptimizerOptions>>;

const DEFAULTS: Settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, correction: 'keras' };

/** α and s of the update (see kernels/adam.ts) at step t = 1, 2, …, in float64. */
export function adamStep(
  step: number,
  learningRate: number,
  { beta1, beta2, correction }: Omit<Settings, 'epsilon'>,
): [number, number] {
  const first = 1 - pow(beta1, step);
  const second = Math.sqrt(1 - pow(beta2, step));
  return correction === 'keras' ? [(learningRate * second) / first, 1] : [learningRate / first, 1 / second];
}

function settingsOf(name: string, options: Partial<Settings>): Settings {
  const { beta1, beta2, epsilon, correction } = { ...DEFAULTS, ...options };
  checkPositive(name, { epsilon });
  checkFraction(name, { beta1, beta2 });
  return { beta1, beta2, epsilon, correction };
}

/**
 * @throws UsageError when the learning rate or ε is not a positive number or a β is not in [0, 1)
 */
export function adam(options: AdamOptions = {}): Optimizer {
  checkNames('adam', options, optionNames);
  const settings = settingsOf('adam', options);
  return defineOptimizer({
    name: 'adam',
    options,
    config: { ...settings },
    slots: 2,
    stepValues: (step, learningRate) => [adamStep(step, learningRate, settings)],
    update({ parameters, gradients, slots, step }) {
      launch(adamUpdate, [gradients, step[0]], settings, [parameters, ...slots]);
    },
  });
}

export interface AdamWOptions extends AdamOptions {
  /** Every parameter shrinks by learningRate · weightDecay before each step. Default 0.004, Keras'; PyTorch has 0.01. */
  weightDecay?: number;
}

/**
 * Adam with weight decay that does not go through its means: θ ← θ·(1 − lr·wd), then a step of Adam.
 * @throws UsageError as `adam` does, and for a weight decay outside of [0, 1)
 */
export function adamW(given: AdamWOptions = {}): Optimizer {
  checkNames<AdamWOptions>('adamW', given, { ...optionNames, weightDecay: true });
  const { weightDecay = 0.004, ...options } = given;
  const settings = settingsOf('adamW', options);
  checkFraction('adamW', { weightDecay });
  return defineOptimizer({
    name: 'adamW',
    options,
    config: { ...settings, weightDecay },
    slots: 2,
    stepValues: (step, learningRate) => [adamStep(step, learningRate, settings), [1 - learningRate * weightDecay]],
    update({ parameters, gradients, slots, step }) {
      launch(scaleInPlace, [step[1]], { size: parameters.size }, [parameters]);
      launch(adamUpdate, [gradients, step[0]], settings, [parameters, ...slots]);
    },
  });
}

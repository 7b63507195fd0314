/** How a network is trained: from a few options to augmentation, normalization, optimizer and loss. */
import { preview } from '../options.js';
import { expectCount, expectNumber, expectObject, expectText, objectWith } from '../expect.js';
import type { AugmentationOptions } from '../data/augmentation.js';
import type { NormalizationOptions } from '../data/normalization.js';
import { binaryCrossentropy, categoricalCrossentropy, type Loss } from '../nn/losses.js';
import { UsageError } from '../errors.js';
import type { Optimizer } from '../optim/optimizer.js';
import { optimizerNames, optimizers, type OptimizerName } from '../optim/optimizers.js';
import {
  constant,
  cosineDecay,
  exponentialDecay,
  piecewiseConstantDecay,
  reduceOnPlateau,
  warmUp,
  type Schedule,
} from '../optim/schedules.js';

/** Centre and divide by the deviation: of each picture, or of the set's channels. */
export type Normalize = 'none' | 'samplewise' | 'featurewise';

export interface RecipeOptions {
  /** Its `profile` says whose arithmetic is followed: Keras 2's, or 2.1.2's. */
  readonly augmentation?: AugmentationOptions;
  readonly normalize?: Normalize;
  /** Default 0.001. */
  readonly learningRate?: number | Schedule;
  /** Default `adam`; `sgd` has Nesterov's momentum of 0.9. */
  readonly optimizer?: OptimizerName;
  /** Of `adamW`, which alone has one. Default 0.004, Keras'. */
  readonly weightDecay?: number | undefined;
  /** Part of each label that is given to all classes alike, from 0 up to 1. Default 0. */
  readonly labelSmoothing?: number;
}

export interface Recipe {
  readonly augmentation: AugmentationOptions;
  readonly normalization: NormalizationOptions;
  readonly optimizer: Optimizer;
  readonly loss: Loss;
}

const normalizations: Readonly<Record<Normalize, NormalizationOptions>> = {
  none: {},
  samplewise: { samplewiseCenter: true, samplewiseStdNormalization: true },
  featurewise: { featurewiseCenter: true, featurewiseStdNormalization: true },
};

export const scheduleNames = ['constant', 'cosine', 'step', 'exponential', 'plateau'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** Schedules that end with the last epoch: in a longer training every rate would be another. */
export function endsWithTraining(name: ScheduleName): boolean {
  expectText(name, 'endsWithTraining: name');
  return name !== 'constant' && name !== 'plateau';
}

/** Of a plateau: epochs without a smaller loss, after which the rate falls to a tenth. */
const PLATEAU_PATIENCE = 5;

export interface ScheduleOptions {
  readonly learningRate: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Epochs in which the rate rises, from 0 up to all. Default 0. */
  readonly warmup?: number | undefined;
}

/**
 * How the learning rate changes over a training: `cosine` falls to 0 along half a cosine, `step` to a tenth after half of the steps and again
 * after three quarters, `exponential` to a hundredth at the end, `plateau` to a tenth whenever five epochs brought no smaller loss.
 *
 * @throws UsageError for a warm-up that is longer than the training
 */
export function scheduleOf(name: ScheduleName, options: ScheduleOptions): number | Schedule {
  expectText(name, 'scheduleOf: name');
  if (!scheduleNames.includes(name))
    throw new UsageError(`schedule: expects one of ${scheduleNames.join(', ')}, got '${name as string}'`);
  objectWith({ learningRate: expectNumber, epochs: expectCount, stepsPerEpoch: expectCount })(
    options,
    'scheduleOf: options',
  );
  const { learningRate, epochs, stepsPerEpoch, warmup = 0 } = options;
  if (!(warmup >= 0 && warmup < epochs))
    throw new UsageError(`warmup: expects fewer epochs than the training has (${epochs}), got ${warmup}`);
  const warming = Math.round(warmup * stepsPerEpoch);
  const steps = epochs * stepsPerEpoch - warming;
  const schedules: Readonly<Record<ScheduleName, () => Schedule>> = {
    constant: () => constant(learningRate),
    cosine: () => cosineDecay({ initialLearningRate: learningRate, decaySteps: steps }),
    step: () =>
      piecewiseConstantDecay({
        boundaries: [Math.ceil(steps / 2), Math.ceil((3 * steps) / 4)],
        values: [learningRate, learningRate / 10, learningRate / 100],
      }),
    exponential: () => exponentialDecay({ initialLearningRate: learningRate, decaySteps: steps, decayRate: 0.01 }),
    plateau: () => reduceOnPlateau({ learningRate, patience: PLATEAU_PATIENCE }),
  };
  if (name === 'constant' && warming === 0) return learningRate;
  return warming === 0 ? schedules[name]() : warmUp(schedules[name](), { steps: warming });
}

/** An optimizer as the recipe asks for it. @throws UsageError for a weight decay that it does not have */
function optimizerOf(
  { optimizer = 'adam', learningRate = 0.001, weightDecay }: RecipeOptions,
  epsilon: number,
): Optimizer {
  if (!Object.hasOwn(optimizers, optimizer))
    throw new UsageError(`optimizer: expects one of ${optimizerNames.join(', ')}, got ${preview(optimizer)}`);
  if (weightDecay !== undefined && optimizer !== 'adamW')
    throw new UsageError(`weightDecay: expects the optimizer adamW, got ${preview(optimizer)}`);
  const others: Partial<Record<OptimizerName, object>> = {
    adam: { epsilon },
    adamW: { epsilon, ...(weightDecay !== undefined && { weightDecay }) },
    sgd: { momentum: 0.9, nesterov: true },
  };
  return optimizers[optimizer]({ learningRate, ...others[optimizer] });
}

/** @param classes two end in a sigmoid, more in a softmax */
export function recipeOf(classes: number, options: RecipeOptions = {}): Recipe {
  expectObject(options, 'recipeOf: options');
  const { augmentation = {}, normalize = 'none', labelSmoothing = 0 } = options;
  expectObject(augmentation, 'recipeOf: augmentation');
  expectText(normalize, 'recipeOf: normalize');
  const isOld = augmentation.profile === 'keras-2.1.2';
  if (!Object.hasOwn(normalizations, normalize))
    throw new UsageError(
      `normalize: expects one of ${Object.keys(normalizations).join(', ')}, got ${preview(normalize)}`,
    );
  return {
    augmentation,
    normalization: normalizations[normalize],
    optimizer: optimizerOf(options, isOld ? 1e-8 : 1e-7),
    loss:
      classes === 2
        ? binaryCrossentropy({ form: isOld ? 'keras3' : 'logits', labelSmoothing })
        : categoricalCrossentropy({ labelSmoothing }),
  };
}

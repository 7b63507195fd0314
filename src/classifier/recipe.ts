/** How a network is trained: from a few options to augmentation, normalization, optimizer and loss. */
import { preview } from '../options.js';
import { expectObject, expectText } from '../expect.js';
import type { AugmentationOptions } from '../data/augmentation.js';
import type { NormalizationOptions } from '../data/normalization.js';
import { binaryCrossentropy, categoricalCrossentropy, type Loss } from '../nn/losses.js';
import { UsageError } from '../errors.js';
import { adam, adamW } from '../optim/adam.js';
import type { Optimizer } from '../optim/optimizer.js';
import { rmsprop } from '../optim/rmsprop.js';
import { sgd } from '../optim/sgd.js';

/** Centre and divide by the deviation: of each picture, or of the set's channels. */
export type Normalize = 'none' | 'samplewise' | 'featurewise';

export const optimizerNames = ['adam', 'adamW', 'rmsprop', 'sgd'] as const;
export type OptimizerName = (typeof optimizerNames)[number];

export interface RecipeOptions {
  /** Its `profile` says whose arithmetic is followed: Keras 2's, or 2.1.2's. */
  readonly augmentation?: AugmentationOptions;
  readonly normalize?: Normalize;
  /** Default 0.001. */
  readonly learningRate?: number;
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

/** An optimizer as the recipe asks for it. @throws UsageError for a weight decay that it does not have */
function optimizerOf(
  { optimizer = 'adam', learningRate = 0.001, weightDecay }: RecipeOptions,
  epsilon: number,
): Optimizer {
  if (weightDecay !== undefined && optimizer !== 'adamW')
    throw new UsageError(`weightDecay: expects the optimizer adamW, got ${preview(optimizer)}`);
  if (optimizer === 'adamW') return adamW({ learningRate, epsilon, ...(weightDecay !== undefined && { weightDecay }) });
  if (optimizer === 'rmsprop') return rmsprop({ learningRate });
  if (optimizer === 'sgd') return sgd({ learningRate, momentum: 0.9, nesterov: true });
  return adam({ learningRate, epsilon });
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

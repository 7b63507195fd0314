/** How a network is trained: from a few options to augmentation, normalization, optimizer and loss. */
import type { AugmentationOptions } from '../data/augmentation.js';
import type { NormalizationOptions } from '../data/normalization.js';
import { binaryCrossentropy, categoricalCrossentropy, type Loss } from '../nn/losses.js';
import { adam } from '../optim/adam.js';
import type { Optimizer } from '../optim/optimizer.js';

/** Centre and divide by the deviation: of each picture, or of the set's channels. */
export type Normalize = 'none' | 'samplewise' | 'featurewise';

export interface RecipeOptions {
  /** Its `profile` says whose arithmetic is followed: Keras 2's, or 2.1.2's. */
  readonly augmentation?: AugmentationOptions;
  readonly normalize?: Normalize;
  /** Of Adam. Default 0.001. */
  readonly learningRate?: number;
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

/** @param classes two end in a sigmoid, more in a softmax */
export function recipeOf(classes: number, options: RecipeOptions = {}): Recipe {
  const { augmentation = {}, normalize = 'none', learningRate = 0.001 } = options;
  const isOld = augmentation.profile === 'keras-2.1.2';
  return {
    augmentation,
    normalization: normalizations[normalize],
    optimizer: adam({ learningRate, epsilon: isOld ? 1e-8 : 1e-7 }),
    loss: classes === 2 ? binaryCrossentropy({ form: isOld ? 'keras3' : 'logits' }) : categoricalCrossentropy(),
  };
}

/** Keras' `ImageDataGenerator` by name: options first, then a flow of batches from a data set. */
import { UsageError } from '../errors.js';
import { checkNames } from '../options.js';
import { type AugmentationOptions, checkAugmentation } from './augmentation.js';
import { DataFlow, type FlowOptions } from './batches.js';
import type { Dataset } from './dataset.js';
import { featureStatistics, type Normalization, type NormalizationOptions } from './normalization.js';

/** Augmentation, the factor on the pixel values (usually 1/255; default 1), normalization, and Keras' split. */
export interface ImageDataGeneratorOptions extends AugmentationOptions, NormalizationOptions {
  readonly rescale?: number;
  /** Part of each class that `subset: 'validation'` takes: the first by name. */
  readonly validationSplit?: number;
}

/** What `imageDataGenerator` returns. */
export interface ImageDataGenerator {
  readonly options: ImageDataGeneratorOptions;
  /** What is done to rescaled values; for the model file. */
  readonly normalization: Normalization;
  /**
   * Takes the set's mean and standard deviation, for `featurewiseCenter` and `featurewiseStdNormalization`.
   */
  fit(dataset: Dataset): Promise<void>;
  /**
   * Batches of a data set. Defaults: 32 pictures a batch, shuffled, seed 0.
   * @throws UsageError when featurewise normalization is asked for and `fit` was not called
   */
  flow(dataset: Dataset, options?: Pick<FlowOptions, 'batchSize' | 'shuffle' | 'seed'>): DataFlow;
}

const optionNames = {
  rotationRange: true,
  widthShiftRange: true,
  heightShiftRange: true,
  shearRange: true,
  zoomRange: true,
  horizontalFlip: true,
  verticalFlip: true,
  channelShiftRange: true,
  brightnessRange: true,
  fillMode: true,
  cval: true,
  profile: true,
  rescale: true,
  validationSplit: true,
  samplewiseCenter: true,
  samplewiseStdNormalization: true,
  featurewiseCenter: true,
  featurewiseStdNormalization: true,
} as const;

/**
 * @throws UsageError naming an option that is unknown, not supported or out of range
 * @example imageDataGenerator({ rescale: 1 / 255, shearRange: 0.2, zoomRange: 0.2, horizontalFlip: true })
 */
export function imageDataGenerator(options: ImageDataGeneratorOptions = {}): ImageDataGenerator {
  checkNames('imageDataGenerator', options, optionNames);
  checkAugmentation(options);
  const { rescale = 1, validationSplit, samplewiseCenter, samplewiseStdNormalization, ...rest } = options;
  const { featurewiseCenter = false, featurewiseStdNormalization = false, ...augmentation } = rest;
  if (validationSplit !== undefined && !(validationSplit > 0 && validationSplit < 1)) {
    throw new UsageError(`validationSplit: expects a fraction above 0 and below 1, got ${validationSplit}`);
  }
  let normalization: Normalization = {
    ...(samplewiseCenter && { samplewiseCenter }),
    ...(samplewiseStdNormalization && { samplewiseStdNormalization }),
  };
  let isFitted = !featurewiseCenter && !featurewiseStdNormalization;
  return {
    options,
    get normalization() {
      return normalization;
    },
    async fit(dataset) {
      if (!featurewiseCenter && !featurewiseStdNormalization) return;
      const { mean, std } = await featureStatistics(dataset, rescale);
      normalization = {
        ...normalization,
        ...(featurewiseCenter && { featurewiseMean: mean }),
        ...(featurewiseStdNormalization && { featurewiseStd: std }),
      };
      isFitted = true;
    },
    flow(dataset, flowOptions = {}) {
      checkNames('flow', flowOptions, { batchSize: true, shuffle: true, seed: true });
      if (!isFitted) {
        throw new UsageError(
          'flow: featurewiseCenter and featurewiseStdNormalization need figures of the set; await fit(dataset) first',
        );
      }
      return new DataFlow(dataset, { ...flowOptions, augmentation, rescale, normalization });
    },
  };
}

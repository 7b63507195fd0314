/** Keras' `ImageDataGenerator` by name: options first, then a flow of batches from a data set. */
import { UsageError } from '../errors.js';
import { type AugmentationOptions, checkAugmentation } from './augmentation.js';
import { DataFlow, type FlowOptions } from './batches.js';
import type { Dataset } from './dataset.js';

/** Augmentation and the factor on the pixel values (usually 1/255; default 1). */
export interface ImageDataGeneratorOptions extends AugmentationOptions {
  readonly rescale?: number;
}

/** What `imageDataGenerator` returns. */
export interface ImageDataGenerator {
  readonly options: ImageDataGeneratorOptions;
  /** Batches of a data set in memory. Defaults: 32 pictures a batch, shuffled, seed 0. */
  flow(dataset: Dataset, options?: Pick<FlowOptions, 'batchSize' | 'shuffle' | 'seed'>): DataFlow;
}

const supportedOptions = ['rescale', 'shearRange', 'zoomRange', 'horizontalFlip', 'profile'];

/**
 * @throws UsageError naming an option that is unknown, not supported or out of range
 * @example imageDataGenerator({ rescale: 1 / 255, shearRange: 0.2, zoomRange: 0.2, horizontalFlip: true })
 */
export function imageDataGenerator(options: ImageDataGeneratorOptions = {}): ImageDataGenerator {
  checkOptionNames('imageDataGenerator', options, supportedOptions);
  checkAugmentation(options);
  const { rescale = 1, ...augmentation } = options;
  return {
    options,
    flow(dataset, flowOptions = {}) {
      checkOptionNames('flow', flowOptions, ['batchSize', 'shuffle', 'seed']);
      return new DataFlow(dataset, { ...flowOptions, augmentation, rescale });
    },
  };
}

/** Plain JavaScript has no compiler that would notice a misspelt option. @throws UsageError naming it */
export function checkOptionNames(caller: string, options: object, supported: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!supported.includes(name)) {
      throw new UsageError(`${caller}: option '${name}' is not supported; supported are ${supported.join(', ')}`);
    }
  }
}

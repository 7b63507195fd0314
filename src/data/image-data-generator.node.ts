/** `imageDataGenerator` with Keras' `flow_from_directory`. */
import { expectArray } from '../expect.js';
import { DataError, UsageError } from '../errors.js';
import { checkNames, preview } from '../options.js';
import type { DataFlow } from './batches.js';
import { classCounts } from './dataset.js';
import type { FileList } from './sources/file-list.js';
import {
  type ImageDataGenerator,
  type ImageDataGeneratorOptions,
  imageDataGenerator as browserImageDataGenerator,
} from './image-data-generator.js';
import { loadDataset } from './store/load-dataset.node.js';
import type { Interpolation } from './pictures/resize.js';
import { listLabelled } from './sources/splits.node.js';

/** Keras' options of the same names. */
export interface FlowFromDirectoryOptions {
  /** [height, width], in Keras' order. Default [256, 256]. */
  readonly targetSize?: readonly [number, number];
  /** Default 32. */
  readonly batchSize?: number;
  /** `categorical` (the default) for any number of classes, `binary` for two. Labels are class indices in both. */
  readonly classMode?: 'binary' | 'categorical';
  /** Default true. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Which part, where the generator has a `validationSplit`: of each class the first by name are for validation. */
  readonly subset?: 'training' | 'validation';
  /** Default `nearest`. */
  readonly interpolation?: Interpolation;
  /** Takes Keras' line "Found 20 images belonging to 2 classes.", and one line for each file that is left out. */
  readonly onMessage?: (message: string) => void;
}

/** What `imageDataGenerator` returns in Node. */
export interface NodeImageDataGenerator extends ImageDataGenerator {
  /**
   * Loads a folder that has one folder per class, a manifest or a practice set. Class indices are in `classIndices` of the result.
   *
   * @throws UsageError for options out of range; DataError for a folder that cannot be used
   */
  flowFromDirectory(directory: string, options?: FlowFromDirectoryOptions): Promise<DataFlow>;
}

const flowOptionNames = {
  targetSize: true,
  batchSize: true,
  classMode: true,
  shuffle: true,
  seed: true,
  interpolation: true,
  subset: true,
  onMessage: true,
} as const;

/**
 * @throws UsageError naming an option that is unknown, not supported or out of range
 * @example
 * const generator = imageDataGenerator({ rescale: 1 / 255, zoomRange: 0.2, horizontalFlip: true });
 * const trainingSet = await generator.flowFromDirectory('training_set', { targetSize: [64, 64], batchSize: 32 });
 */
export function imageDataGenerator(options: ImageDataGeneratorOptions = {}): NodeImageDataGenerator {
  const generator = browserImageDataGenerator(options);
  return {
    options,
    get normalization() {
      return generator.normalization;
    },
    fit: (dataset) => generator.fit(dataset),
    flow: (dataset, flowOptions) => generator.flow(dataset, flowOptions),
    async flowFromDirectory(directory, flowOptions = {}) {
      checkNames('flowFromDirectory', flowOptions, flowOptionNames);
      const { targetSize = [256, 256], classMode = 'categorical', interpolation = 'nearest', onMessage } = flowOptions;
      const { batchSize = 32, shuffle = true, seed = 0 } = flowOptions;
      if (classMode !== 'binary' && classMode !== 'categorical') {
        throw new UsageError(`classMode: expects 'binary' or 'categorical', got ${preview(classMode)}`);
      }
      expectArray(targetSize, 'flowFromDirectory: targetSize');
      const [height, width] = targetSize;
      const files = takeSubset(await listLabelled(directory), options.validationSplit, flowOptions.subset);
      if (classMode === 'binary' && files.classNames.length !== 2) {
        throw new DataError(
          `${directory}: expects two class folders, got ${files.classNames.length}; use classMode: 'categorical'`,
        );
      }
      const dataset = await loadDataset(files, { size: { width, height }, interpolation });
      for (const { error } of dataset.skipped) onMessage?.(`Skipped: ${error}`);
      onMessage?.(`Found ${dataset.labels.length} images belonging to ${dataset.classNames.length} classes.`);
      return generator.flow(dataset, { batchSize, shuffle, seed });
    },
  };
}

/** Keras' split: the first ⌊fraction · n⌋ pictures of each class, in the order of their paths, are for validation. */
function takeSubset(
  list: FileList,
  fraction: number | undefined,
  subset: 'training' | 'validation' | undefined,
): FileList {
  if (subset === undefined) return list;
  if (fraction === undefined)
    throw new UsageError(`subset: expects a generator with a validationSplit for ${preview(subset)}`);
  if (subset !== 'training' && subset !== 'validation') {
    throw new UsageError(`subset: expects 'training' or 'validation', got ${preview(subset)}`);
  }
  const counts = classCounts({ labels: list.files.map(({ label }) => label), classNames: list.classNames });
  const seen = counts.map(() => 0);
  const files = list.files.filter(({ label }) => {
    const isValidation = seen[label]++ < Math.floor(fraction * counts[label]);
    return isValidation === (subset === 'validation');
  });
  return { ...list, files };
}

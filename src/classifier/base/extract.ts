/** A base's features of whole sets of pictures: computed, or taken from where they are kept. */
import type { AugmentationOptions } from '../../data/augmentation.js';
import { DataFlow } from '../../data/batches.js';
import { expectDataset, subset, type Dataset } from '../../data/dataset.js';
import type { Model } from '../../nn/model.js';
import { changedBatches, type Batches } from '../../nn/training/batches.js';
import { expectObject, objectWith } from '../../expect.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import type { PicturePreparation } from '../preparation.js';
import { expectBase, onBase, type Base } from './features.js';

/** Features of the pictures at these places of a set, [places, width]. */
export type ComputeFeatures = (places: Uint32Array) => Promise<Float32Array>;

/** What keeps features from run to run: gives those of all pictures of the set, and asks for what it lacks. */
export type KeepFeatures = (dataset: Dataset, width: number, compute: ComputeFeatures) => Promise<Float32Array>;

const BATCH = 16;

export interface ExtractOptions {
  /** Pictures a step. Default 16. */
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly keep?: KeepFeatures | undefined;
}

/** Copies of each picture, each augmented in its own way. */
export interface Versions {
  readonly count: number;
  readonly augmentation: AugmentationOptions;
  readonly seed: number;
}

/**
 * Features of augmented copies of the pictures, which are not kept: version 1 of all, then version 2, …
 *
 * @param dataset prepared as for the base
 * @returns [count · N, width]
 */
export async function computeVersions(
  base: Base,
  dataset: Dataset,
  { picture, values }: PicturePreparation,
  device: Device,
  { count, augmentation, seed }: Versions,
  options: Omit<ExtractOptions, 'keep'> = {},
): Promise<Float32Array> {
  const { batchSize = BATCH } = options;
  if (count === 0) return new Float32Array(0);
  const extractor = await onBase(base, { classes: 0, size: picture.size });
  const all = new Float32Array(count * dataset.labels.length * extractor.units);
  const flow = new DataFlow(dataset, { batchSize, shuffle: false, augmentation, seed, ...values });
  try {
    for (let version = 0; version < count; version++) {
      const first = (version + 1) * flow.stepsPerPass; // each pass over a flow draws anew
      const pass = changedBatches(flow, { batch: (step) => flow.batch(first + step) });
      all.set(await predictAll(extractor, pass, device, options), (version * all.length) / count);
    }
    return all;
  } finally {
    extractor.destroy();
  }
}

/**
 * @param dataset prepared as for the base
 * @returns [N, width]
 */
export async function computeFeatures(
  base: Base,
  dataset: Dataset,
  preparation: PicturePreparation,
  device: Device,
  options: ExtractOptions = {},
): Promise<Float32Array> {
  expectObject(preparation, 'computeFeatures: preparation');
  const { picture, values } = preparation;
  expectBase(base, 'computeFeatures: base');
  expectDataset(dataset, 'computeFeatures: dataset');
  objectWith({ size: expectObject })(picture, 'computeFeatures: preparation, picture');
  expectObject(values, 'computeFeatures: preparation, values');
  expectDevice(device, 'computeFeatures: device');
  expectObject(options, 'computeFeatures: options');
  const extractor = await onBase(base, { classes: 0, size: picture.size });
  const compute: ComputeFeatures = (places) => {
    const chosen = places.length === dataset.labels.length ? dataset : subset(dataset, places);
    return passThrough(extractor, chosen, values, device, options);
  };
  try {
    return options.keep
      ? await options.keep(dataset, extractor.units, compute)
      : await compute(Uint32Array.from({ length: dataset.labels.length }, (_, index) => index));
  } finally {
    extractor.destroy();
  }
}

/** What a model gives for the pictures of a set, [N, units]. It is compiled for that, and is the caller's to destroy. */
export async function passThrough(
  model: Model,
  dataset: Dataset,
  values: PicturePreparation['values'],
  device: Device,
  options: Omit<ExtractOptions, 'keep'> = {},
): Promise<Float32Array> {
  const { batchSize = BATCH } = options;
  return predictAll(model, new DataFlow(dataset, { batchSize, shuffle: false, ...values }), device, options);
}

function predictAll(
  model: Model,
  batches: Batches,
  device: Device,
  { onProgress }: Pick<ExtractOptions, 'onProgress'>,
): Promise<Float32Array> {
  model.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
  let done = 0;
  return model.predict(batches, {
    onScores: (indices) => onProgress?.((done += indices.length), batches.sampleCount),
  });
}

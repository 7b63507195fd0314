/** A base's features of whole sets of pictures: computed, or taken from where they are kept. */
import { DataFlow } from '../../data/batches.js';
import { subset, type Dataset } from '../../data/dataset.js';
import type { Model } from '../../nn/model.js';
import type { Device } from '../../tensor/device.js';
import type { PicturePreparation } from '../preparation.js';
import { onBase, type Base } from './features.js';

/** Features of the pictures at these places of a set, [places, width]. */
export type ComputeFeatures = (places: Uint32Array) => Promise<Float32Array>;

/** What keeps features from run to run: gives those of all pictures of the set, and asks for what it lacks. */
export type KeepFeatures = (dataset: Dataset, width: number, compute: ComputeFeatures) => Promise<Float32Array>;

export interface ExtractOptions {
  /** Pictures a step. Default 16. */
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly keep?: KeepFeatures | undefined;
}

/**
 * @param dataset prepared as for the base
 * @returns [N, width]
 */
export async function computeFeatures(
  base: Base,
  dataset: Dataset,
  { picture, values }: PicturePreparation,
  device: Device,
  { batchSize = 16, onProgress, keep }: ExtractOptions = {},
): Promise<Float32Array> {
  const extractor = await onBase(base, { classes: 0, size: picture.size });
  let compiled: Model | null = null; // only where something is to be computed
  const compute: ComputeFeatures = async (places) => {
    compiled ??= extractor.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
    const chosen = places.length === dataset.labels.length ? dataset : subset(dataset, places);
    let done = 0;
    return compiled.predict(new DataFlow(chosen, { batchSize, shuffle: false, ...values }), {
      onScores: (indices) => onProgress?.((done += indices.length), places.length),
    });
  };
  try {
    return keep
      ? await keep(dataset, extractor.units, compute)
      : await compute(Uint32Array.from({ length: dataset.labels.length }, (_, index) => index));
  } finally {
    extractor.destroy();
  }
}

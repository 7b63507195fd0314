/** Centring and normalizing of pictures, as Keras' ImageDataGenerator names it: by each picture's values, or by the set's. */
import type { Dataset } from './dataset.js';

/** Keras' options of the same names. */
export interface NormalizationOptions {
  /** Subtract each picture's mean. */
  readonly samplewiseCenter?: boolean;
  /** Divide by each picture's standard deviation. */
  readonly samplewiseStdNormalization?: boolean;
  /** Subtract the set's mean, channel by channel. */
  readonly featurewiseCenter?: boolean;
  /** Divide by the set's standard deviation, channel by channel. */
  readonly featurewiseStdNormalization?: boolean;
}

/** What is done to the rescaled values; part of a model, since its predictions need the same. */
export interface Normalization {
  readonly samplewiseCenter?: boolean;
  readonly samplewiseStdNormalization?: boolean;
  /** [channels] */
  readonly featurewiseMean?: readonly number[];
  /** [channels] */
  readonly featurewiseStd?: readonly number[];
}

const SLAB = 256;

/**
 * Mean and standard deviation of each channel over all pictures, in rescaled values. (Keras' `fit` takes what it is given
 * without rescaling it; with `rescale` its figures are 255 times too large.)
 */
export async function featureStatistics(
  { pictures, labels, pictureShape }: Dataset,
  rescale: number,
): Promise<{ mean: number[]; std: number[] }> {
  const [height, width, channels] = pictureShape;
  const length = height * width * channels;
  const sums = new Float64Array(channels); // of whole numbers: exact
  const squares = new Float64Array(channels);
  const add = (values: Uint8Array): void => {
    for (let at = 0; at < values.length; at++) {
      const c = at % channels;
      sums[c] += values[at];
      squares[c] += values[at] * values[at];
    }
  };
  if (pictures instanceof Uint8Array) add(pictures);
  else {
    const slab = new Uint8Array(SLAB * length);
    for (let first = 0; first < labels.length; first += SLAB) {
      const count = Math.min(SLAB, labels.length - first);
      await pictures.read(
        Uint32Array.from({ length: count }, (_, i) => first + i),
        slab,
      );
      add(slab.subarray(0, count * length));
    }
  }
  const count = labels.length * height * width;
  const mean = Array.from(sums, (sum) => sum / count);
  const std = mean.map((value, c) => Math.sqrt(Math.max(0, squares[c] / count - value * value)) * rescale);
  return { mean: mean.map((value) => value * rescale), std };
}

/**
 * Training on a base: its features of all pictures, a head on them, and how unlike them a picture may be. Seconds on a CPU, and
 * a hundred pictures are enough where the classes differ in what pictures in general differ in. docs/base.md has the figures.
 */
import { DataFlow } from '../../data/batches.js';
import { subset, type Dataset } from '../../data/dataset.js';
import type { Size } from '../../data/pictures/resize.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { Model } from '../../nn/model.js';
import type { Device } from '../../tensor/device.js';
import { preparationOf, preprocessingOf, type PreprocessingOptions } from '../preparation.js';
import { DEFAULT_THRESHOLD } from '../training.js';
import { alertClassOf } from '../verdict.js';
import { HEAD, onBase, type Base } from './features.js';
import { fitHead } from './head.js';
import { unlikeSection } from './unlike-section.js';
import { fitUnlike } from './unlike.js';

/** Features of the pictures at these places of a set, [places, width]. */
export type ComputeFeatures = (places: Uint32Array) => Promise<Float32Array>;

/** What keeps features from run to run: gives those of all pictures of the set, and asks for what it lacks. */
export type KeepFeatures = (dataset: Dataset, width: number, compute: ComputeFeatures) => Promise<Float32Array>;

export interface OnBaseOptions extends Pick<PreprocessingOptions, 'region' | 'exif'> {
  /** Of the prepared pictures. Default: what the base was trained on. */
  readonly size?: Size | undefined;
  /** Inverse strength of the head's L2 penalty. Default 0.1. */
  readonly C?: number | undefined;
  /** Share of pictures like the training's that are to count as known. Default 0.99. */
  readonly coverage?: number | undefined;
  readonly seed?: number | undefined;
  readonly alertClass?: string | undefined;
  /** Pictures a step. Default 16. */
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly keep?: KeepFeatures | undefined;
  readonly pause?: (() => Promise<void>) | undefined;
}

/** How pictures are prepared for a base. */
export function basePreparation(base: Base, { size, region, exif }: OnBaseOptions) {
  const [height, width] = base.model.inputShape;
  const { interpolation, rescale } = base.preprocessing;
  const preprocessing = preprocessingOf({ interpolation, rescale, region, exif });
  return { preprocessing, ...preparationOf({ preprocessing }, size ?? { width, height }) };
}

/**
 * @param training prepared as `basePreparation` says
 * @returns base and head as one model, not compiled, and what its file says
 * @throws UsageError when a class has no picture, or for an alert's class that is none of the classes
 */
export async function trainOnBase(
  base: Base,
  training: Dataset,
  device: Device,
  options: OnBaseOptions = {},
): Promise<{ model: Model; info: ModelInfo }> {
  const { seed = 0, batchSize = 16, C, coverage, onProgress, pause } = options;
  const { preprocessing, picture, values } = basePreparation(base, options);
  const { classNames, labels } = training;
  const alert = { className: alertClassOf(classNames, options.alertClass), threshold: DEFAULT_THRESHOLD };
  const extractor = await onBase(base, { classes: 0, size: picture.size, seed });
  extractor.compile({ device, loss: 'meanSquaredError' });
  const width = extractor.units;
  const compute: ComputeFeatures = async (places) => {
    const chosen = places.length === labels.length ? training : subset(training, places);
    let done = 0;
    return extractor.predict(new DataFlow(chosen, { batchSize, shuffle: false, ...values }), {
      onScores: (indices) => onProgress?.((done += indices.length), places.length),
    });
  };
  let features: Float32Array;
  try {
    features = options.keep
      ? await options.keep(training, width, compute)
      : await compute(Uint32Array.from({ length: labels.length }, (_, index) => index));
  } finally {
    extractor.destroy();
  }

  const regression = { ...(C !== undefined && { C }), ...(pause && { pause }) };
  const { kernel, bias, columns } = await fitHead(features, labels, classNames.length, regression);
  const model = await onBase(base, { classes: classNames.length, size: picture.size, seed });
  model.setWeights({
    ...(await model.getWeights()),
    [`${HEAD}.kernel`]: { shape: [width, columns], data: kernel },
    [`${HEAD}.bias`]: { shape: [columns], data: bias },
  });

  const deepest = base.featureLayers.length - 1;
  const layer = `base_mean_${deepest}`;
  const own = model.nodes.find((node) => node.layer.name === layer)?.shape[0] ?? width;
  const last = Float32Array.from({ length: labels.length * own }, (_, at) => {
    const [row, feature] = [Math.floor(at / own), at % own];
    return features[row * width + (width - own) + feature];
  });
  const unlike = await fitUnlike(last, labels, classNames.length, {
    seed,
    ...(coverage !== undefined && { coverage }),
    ...(pause && { pause }),
  });
  const sections = {
    unlike: unlikeSection(unlike, layer),
    provenance: { value: { base: base.name, hash: base.hash } },
  };
  return { model, info: { classNames, preprocessing, alert, sections } };
}

/**
 * Training on good pictures only: what they look like is learned from most of them, the limit from the others. docs/good-only.md says
 * what may be expected of it, and what not.
 */
import { DataError, UsageError } from '../../errors.js';
import { expectList, expectObject, received } from '../../expect.js';
import { expectDataset, split, subset, type Dataset } from '../../data/dataset.js';
import type { Model } from '../../nn/model.js';
import type { Device } from '../../tensor/device.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import { alarmErrors, averagePrecision, rocAuc, type AlarmErrors } from '../figures/curves.js';
import type { Base } from '../base/features.js';
import { basePreparation, type BasePlanOptions } from '../base/train-on-base.js';
import { DEFAULT_THRESHOLD } from '../training.js';
import { alarmLimit, type AlarmLimit } from './alarm-limit.js';
import { scorerOf, viewOf, type GoodOnlyWay, type GoodStatistics } from './scorer.js';
import { eachPart, PositionSums, sceneStatistics, type Pass } from './statistics.js';

export interface GoodOnlyOptions extends Pick<BasePlanOptions, 'size' | 'region' | 'exif'> {
  /** Share of good pictures that may raise the alarm. Default 0.01. */
  readonly falseAlarms?: number | undefined;
  /** Good pictures for the limit, from which nothing is learned. Default: a fifth of the good ones. */
  readonly heldBack?: Dataset | undefined;
  /** Of the channels of a fixed camera, and of the pictures that are held back. */
  readonly seed?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly pause?: (() => Promise<void>) | undefined;
}

export interface GoodOnly {
  readonly way: GoodOnlyWay;
  /** Not compiled; it gives the probability of class 1. */
  readonly model: Model;
  readonly info: ModelInfo;
  readonly limit: AlarmLimit;
  /** Distances of other pictures, 1 at the limit: [N]. */
  readonly distances: (dataset: Dataset) => Promise<Float64Array>;
  /** Of the good pictures that were held back, 1 at the limit. */
  readonly heldBack: Float64Array;
}

/** Part of the good pictures that is held back for the limit, and how many there have to be. */
export const HELD_BACK = 0.2;
const FEWEST = 20;

/**
 * @param good prepared as `basePreparation` says; its labels say which class the good one is, its class names are good and defect
 * @throws DataError for fewer than 20 pictures
 */
export async function trainGoodOnly(
  base: Base,
  way: GoodOnlyWay,
  good: Dataset,
  device: Device,
  options: GoodOnlyOptions = {},
): Promise<GoodOnly> {
  expectDataset(good, 'trainGoodOnly: good');
  expectObject(options, 'trainGoodOnly: options');
  const { falseAlarms = 0.01, seed = 0, batchSize, onProgress, pause } = options;
  const { preprocessing, picture, values } = basePreparation(base, options);
  const { size } = picture;
  const pass: Pass = { device, values, batchSize, onProgress };
  const [learning, judging] = options.heldBack ? [good, options.heldBack] : parted(good, seed);
  const count = learning.labels.length + judging.labels.length;
  if (count < FEWEST)
    throw new DataError(`${good.name}: expects ${FEWEST} good pictures or more (hundreds are better), got ${count}`);
  const statistics = await learn(base, way, size, learning, { ...pass, seed, pause });
  const measure = async (dataset: Dataset): Promise<Float64Array> => {
    const scorer = await scorerOf(base, way, size, { seed, statistics, limit: null });
    const distances = new Float64Array(dataset.labels.length);
    try {
      await eachPart(scorer, dataset, pass, (part, first) => distances.set(Float64Array.from(part, Math.sqrt), first));
    } finally {
      scorer.destroy();
    }
    return distances;
  };
  const heldBack = await measure(judging);
  const limit = alarmLimit(heldBack, falseAlarms);
  const goodLabel = good.labels[0] ?? 0;
  const defect = good.classNames[1 - goodLabel];
  const model = await scorerOf(base, way, size, {
    seed,
    statistics,
    limit: limit.distance,
    sign: goodLabel === 0 ? 1 : -1,
  });
  const { low, high } = limit.falseAlarms;
  const value = { way, falseAlarms, limit: limit.distance, heldBack: limit.heldBack, interval: [low, high] };
  const decision = {
    threshold: DEFAULT_THRESHOLD,
    reason: `the distance beyond which a share of ${falseAlarms} of good pictures lies`,
    data: `${limit.heldBack} good pictures from which nothing was learned`,
    part: 'validation',
    interval: [low, high],
    cannotKnow: ['how many defects are missed: none was shown, or so few that they promise nothing'],
  };
  const info: ModelInfo = {
    classNames: good.classNames,
    preprocessing,
    alert: { className: defect, threshold: DEFAULT_THRESHOLD },
    sections: {
      decision: { value: decision },
      'good-only': { value },
      provenance: { value: { base: base.name, hash: base.hash } },
    },
  };
  const relative = (distances: Float64Array): Float64Array => distances.map((distance) => distance / limit.distance);
  const distances = async (dataset: Dataset): Promise<Float64Array> => relative(await measure(dataset));
  return { way, model, info, limit, distances, heldBack: relative(heldBack) };
}

async function learn(
  base: Base,
  way: GoodOnlyWay,
  size: { width: number; height: number },
  learning: Dataset,
  { seed, pause, ...pass }: Pass & { seed: number; pause: (() => Promise<void>) | undefined },
): Promise<GoodStatistics> {
  const { model, rows, columns, width } = await viewOf(base, way, size, seed);
  const samples = learning.labels.length;
  try {
    if (way === 'scene') {
      const features = new Float32Array(samples * width);
      await eachPart(model, learning, pass, (part, first) => features.set(part, first * width));
      return await sceneStatistics(features, samples, pause);
    }
    const sums = new PositionSums(rows * columns, width);
    await eachPart(model, learning, pass, (part) => sums.add(part));
    return sums.statistics();
  } finally {
    model.destroy();
  }
}

/** Most pictures to learn from, the others for the limit. */
function parted(good: Dataset, seed: number): [Dataset, Dataset] {
  const { training, validation } = split(
    { labels: new Uint8Array(good.labels.length), classNames: ['good'] },
    HELD_BACK,
    seed,
  );
  return [subset(good, training), subset(good, validation)];
}

/** How well defects are told from the good pictures that were held back; nothing was learned from either. */
export interface GoodOnlyFigures extends AlarmErrors {
  readonly rocAuc: number;
  readonly averagePrecision: number;
}

export async function judgeDefects(trained: GoodOnly, defects: Dataset): Promise<GoodOnlyFigures> {
  expectObject(trained, 'judgeDefects: trained');
  if (typeof trained.distances !== 'function')
    throw new UsageError(`judgeDefects: trained expects what trainGoodOnly gave, got ${received(trained)}`);
  expectObject(defects, 'judgeDefects: defects');
  expectList(defects.labels, 'judgeDefects: the labels of defects');
  const theirs = await trained.distances(defects);
  const scores = Float64Array.from([...trained.heldBack, ...theirs]);
  const labels = Uint8Array.from(scores, (_, at) => (at < trained.heldBack.length ? 0 : 1));
  return {
    rocAuc: rocAuc(labels, scores),
    averagePrecision: averagePrecision(labels, scores),
    ...alarmErrors(labels, scores, 1),
  };
}

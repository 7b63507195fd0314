/** What good pictures look like, learned from what a way sees of them (`viewOf`): a mean and a covariance at each position. */
import { UsageError } from '../../errors.js';
import { DataFlow } from '../../data/batches.js';
import { subset, type Dataset } from '../../data/dataset.js';
import type { Model } from '../../nn/model.js';
import type { Device } from '../../tensor/device.js';
import type { PicturePreparation } from '../preparation.js';
import { cholesky, inverse } from '../base/triangular.js';
import { fitUnlike } from '../base/unlike.js';
import type { GoodStatistics } from './scorer.js';

/** Rows that are in memory at a time. */
const TOGETHER = 64;

export interface Pass {
  readonly device: Device;
  readonly values: PicturePreparation['values'];
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What a model gives for each picture, some pictures at a time: [count, units] and the index of the first. */
export async function eachPart(
  model: Model,
  dataset: Dataset,
  { device, values, batchSize = 16, onProgress }: Pass,
  visit: (part: Float32Array, first: number) => void,
): Promise<void> {
  model.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
  const total = dataset.labels.length;
  for (let first = 0; first < total; first += TOGETHER) {
    const count = Math.min(TOGETHER, total - first);
    const part = subset(
      dataset,
      Uint32Array.from({ length: count }, (_, at) => first + at),
    );
    visit(await model.predict(new DataFlow(part, { batchSize, shuffle: false, ...values })), first);
    onProgress?.(first + count, total);
  }
}

/** Of vectors [samples, width], shrunk as Ledoit and Wolf do. */
export async function sceneStatistics(
  features: Float32Array,
  samples: number,
  pause?: () => Promise<void>,
): Promise<GoodStatistics> {
  const { means, factor } = await fitUnlike(features, new Uint8Array(samples), 1, pause ? { pause } : {});
  return { means, factors: factor };
}

/** Part of the mean variance that is added to each: PaDiM's 0.01, of features that have variances of about 1. */
const RIDGE = 0.01;

/** Sums over the pictures so far, one position behind another: memory does not grow with the pictures. */
export class PositionSums {
  readonly #groups: number;
  readonly #width: number;
  /** About the first picture, so that nothing cancels. */
  #origin: Float32Array | null = null;
  #count = 0;
  readonly #first: Float64Array;
  readonly #second: Float64Array;

  constructor(groups: number, width: number) {
    this.#groups = groups;
    this.#width = width;
    this.#first = new Float64Array(groups * width);
    this.#second = new Float64Array(groups * width * width);
  }

  /** @param rows [count, groups · width] */
  add(rows: Float32Array): void {
    const width = this.#width;
    const length = this.#groups * width;
    const origin = (this.#origin ??= rows.slice(0, length));
    const moved = new Float64Array(width);
    for (let at = 0; at < rows.length; at += length) {
      this.#count++;
      for (let group = 0; group < length; group += width) {
        for (let j = 0; j < width; j++) moved[j] = rows[at + group + j] - origin[group + j];
        for (let j = 0; j < width; j++) {
          const value = moved[j];
          this.#first[group + j] += value;
          for (let k = 0, to = (group + j) * width; k <= j; k++) this.#second[to + k] += value * moved[k];
        }
      }
    }
  }

  /** @throws UsageError for fewer than two pictures */
  statistics(): GoodStatistics {
    const [groups, width, count] = [this.#groups, this.#width, this.#count];
    if (count < 2 || !this.#origin)
      throw new UsageError(`fixed camera: expects two good pictures at least, got ${count}`);
    const means = new Float32Array(groups * width);
    const factors = new Float32Array(groups * width * width);
    const covariances = this.#second.map((sum, at) => {
      const [row, column] = [Math.floor(at / width), at % width];
      const [a, b] = [this.#first[row], this.#first[row - (row % width) + column]];
      return (sum - (a * b) / count) / (count - 1);
    });
    let trace = 0;
    for (let row = 0; row < groups * width; row++) trace += covariances[row * width + (row % width)];
    const ridge = (RIDGE * trace) / (groups * width) || 1;
    const deviation = new Float64Array(width).fill(1);
    for (let group = 0; group < groups; group++) {
      const covariance = covariances.subarray(group * width * width, (group + 1) * width * width);
      for (let j = 0; j < width; j++) covariance[j * width + j] += ridge;
      factors.set(inverse(cholesky(covariance, width), deviation), group * width * width);
      for (let j = group * width; j < (group + 1) * width; j++) means[j] = this.#origin[j] + this.#first[j] / count;
    }
    return { means, factors };
  }
}

/**
 * How unlike the training pictures a picture is: the Mahalanobis distance of its features to the nearest class mean, under one covariance
 * for all classes (Lee et al., arXiv:1807.03888), shrunk as Ledoit and Wolf do ("A well-conditioned estimator for large-dimensional
 * covariance matrices", 2004), as a multiple of a threshold. Beyond 1 a picture is unknown: the model was not trained on such.
 */
import { square } from '../../tensor/exact-math.js';
import { divide, FOLDS } from './folds.js';
import { moments, standardised } from './head.js';
import { cholesky, inverse, solve, timesLower } from './triangular.js';

export interface Unlike {
  /** Mean features of each class, [classes, width]. */
  readonly means: Float32Array;
  /** [width, width], lower triangle: distance² = Σ (factor · (x − mean))². */
  readonly factor: Float32Array;
  /** The distance that counts as 1. */
  readonly threshold: number;
}

export interface UnlikeOptions {
  /** Share of pictures like the training's that are to count as known. Default 0.99. */
  readonly coverage?: number;
  /**
   * Factor on the distance that covers so many: pictures of another day are a little further off than those of training. Default 1.3;
   * docs/base.md has what other factors give.
   */
  readonly margin?: number;
  readonly seed?: number;
  /** Called now and then, for a turn of the event loop. */
  readonly pause?: () => Promise<void>;
}

/** Where pictures are all alike. */
const SMALLEST_VARIANCE = 1e-9;

/**
 * @param features [samples, width], row-major
 * @param labels class indices [samples]
 */
export async function fitUnlike(
  features: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  { coverage = 0.99, margin = 1.3, seed = 0, pause }: UnlikeOptions = {},
): Promise<Unlike> {
  const samples = labels.length;
  const folds = divide(labels, classes, seed);
  const scale = moments(features, samples);
  const set: Rows = { x: standardised(features, scale), labels, width: scale.mean.length, classes };
  const sums = Array.from({ length: FOLDS }, (_, fold) => sumsOf(set, (i) => folds[i] === fold));
  const all = sums.reduce((one, other) => addSums(one, other));
  // Distances of pictures from which nothing was learned: each fold judged by what the others give.
  const distances = new Float64Array(samples);
  for (const [fold, own] of sums.entries()) {
    if (own.counts.every((count) => count === 0)) continue;
    const fitted = estimate(set, addSums(all, own, -1), (i) => folds[i] !== fold);
    measure(set, fitted, (i) => folds[i] === fold, distances);
    await pause?.();
  }
  const threshold = margin * quantile(distances, coverage);
  const { means, deviation, lower } = estimate(set, all, () => true);
  const { width } = set;
  const place = (value: number, j: number): number => value * scale.deviation[j] + scale.mean[j];
  return {
    means: Float32Array.from(means, (value, at) => place(value, at % width)),
    factor: inverse(
      lower,
      deviation.map((value, j) => value * scale.deviation[j]),
    ),
    threshold,
  };
}

/** 1: at the threshold; more: unlike what the model was trained on. @param features [width] */
export const unlikeness = (unlike: Unlike, features: Float32Array): number =>
  distanceTo(unlike, features) / unlike.threshold;

function quantile(values: Float64Array, share: number): number {
  const sorted = values.toSorted();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

/** Standardised features [samples, width]. */
interface Rows {
  readonly x: Float64Array;
  readonly labels: ArrayLike<number>;
  readonly width: number;
  readonly classes: number;
}

/** Sums over some of the rows, which may be added and taken away: Σ x by class, and the lower triangle of Σ x·xᵀ. */
interface Sums {
  readonly counts: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

type Choice = (row: number) => boolean;

function sumsOf({ x, labels, width, classes }: Rows, chosen: Choice): Sums {
  const counts = new Float64Array(classes);
  const first = new Float64Array(classes * width);
  const second = new Float64Array(width * width);
  const rows = Array.from(labels, (_, row) => row).filter(chosen);
  for (const row of rows) {
    counts[labels[row]]++;
    for (let j = 0; j < width; j++) first[labels[row] * width + j] += x[row * width + j];
  }
  // Four rows in one pass over the matrix, which is larger than caches; what is missing of the last four is rows of zeros.
  for (let next = 0; next < rows.length; next += 4) {
    const four = new Float64Array(4 * width);
    for (let n = 0; n < Math.min(4, rows.length - next); n++)
      four.set(x.subarray(rows[next + n] * width, (rows[next + n] + 1) * width), n * width);
    for (let j = 0; j < width; j++) {
      const [p, q, r, s] = [four[j], four[width + j], four[2 * width + j], four[3 * width + j]];
      for (let k = 0, at = j * width; k <= j; k++)
        second[at + k] =
          second[at + k] + p * four[k] + q * four[width + k] + r * four[2 * width + k] + s * four[3 * width + k];
    }
  }
  return { counts, first, second };
}

const addSums = (a: Sums, b: Sums, sign: 1 | -1 = 1): Sums => {
  const add = (one: Float64Array, other: Float64Array): Float64Array => {
    const sum = one.slice();
    for (let at = 0; at < sum.length; at++) sum[at] += sign * other[at];
    return sum;
  };
  return { counts: add(a.counts, b.counts), first: add(a.first, b.first), second: add(a.second, b.second) };
};

interface Estimate {
  /** [classes, width] */
  readonly means: Float64Array;
  /** Of each feature, [width]. */
  readonly deviation: Float64Array;
  /** L with L·Lᵀ the shrunk covariance of features divided by their deviations, [width, width]. */
  readonly lower: Float64Array;
}

/**
 * Class means, and the root of the covariance about them, drawn towards a multiple of the identity by Ledoit and Wolf's share.
 * @param chosen the rows of which the sums are
 */
function estimate(rows: Rows, { counts, first, second }: Sums, chosen: Choice): Estimate {
  const { x, labels, width } = rows;
  const samples = counts.reduce((sum, count) => sum + count, 0);
  const means = first.map((sum, at) => sum / (counts[Math.floor(at / width)] || 1));
  const deviation = new Float64Array(width);
  for (let j = 0; j < width; j++) {
    let mean = 0;
    for (let c = 0; c < counts.length; c++) mean += first[c * width + j] / samples;
    const variance = second[j * width + j] / samples - square(mean);
    deviation[j] = variance > SMALLEST_VARIANCE ? Math.sqrt(variance) : 1;
  }
  const covariance = second.slice();
  for (let j = 0; j < width; j++) {
    for (let c = 0; c < counts.length; c++) {
      const factor = counts[c] * means[c * width + j];
      for (let k = 0, at = j * width; k <= j; k++) covariance[at + k] -= factor * means[c * width + k];
    }
  }
  let trace = 0;
  let squared = 0; // Frobenius norm²: what is below the diagonal counts twice
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) {
      const value = (covariance[j * width + k] /= samples * deviation[j] * deviation[k]);
      squared += (j === k ? 1 : 2) * square(value);
    }
    trace += covariance[j * width + j];
  }
  let fourth = 0; // Σᵢ ‖xᵢ‖⁴ of the centred rows
  for (let i = 0; i < labels.length; i++) {
    if (!chosen(i)) continue;
    let squares = 0;
    for (let j = 0; j < width; j++) squares += square((x[i * width + j] - means[labels[i] * width + j]) / deviation[j]);
    fourth += square(squares);
  }
  const mean = trace / width;
  const spread = Math.max(squared / width - square(mean), 0);
  const noise = Math.min((fourth / samples - squared) / (samples * width), spread);
  const share = spread === 0 ? 0 : noise / spread;
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) covariance[j * width + k] *= 1 - share;
    covariance[j * width + j] += Math.max(share * mean, SMALLEST_VARIANCE);
  }
  return { means, deviation, lower: cholesky(covariance, width) };
}

/** The distances of the chosen rows to their nearest class. */
function measure({ x, width, classes }: Rows, fitted: Estimate, chosen: Choice, distances: Float64Array): void {
  const { means, deviation, lower } = fitted;
  const projected = (row: Float64Array): Float64Array =>
    solve(
      lower,
      row.map((value, j) => value / deviation[j]),
    );
  const centres = Array.from({ length: classes }, (_, c) => projected(means.subarray(c * width, (c + 1) * width)));
  for (let i = 0; i < distances.length; i++) {
    if (!chosen(i)) continue;
    const point = projected(x.subarray(i * width, (i + 1) * width));
    distances[i] = distanceToNearest(point, centres);
  }
}

/** The smallest Mahalanobis distance to a class: the factor is linear, so that it is applied to picture and means one by one. */
function distanceTo(unlike: Unlike, features: Float32Array): number {
  let ready = readyOf.get(unlike);
  if (!ready) {
    const [factor, means, width] = [Float64Array.from(unlike.factor), Float64Array.from(unlike.means), features.length];
    const centres = Array.from({ length: means.length / width }, (_, c) =>
      timesLower(factor, means.subarray(c * width, (c + 1) * width)),
    );
    ready = { factor, centres };
    readyOf.set(unlike, ready);
  }
  const point = timesLower(ready.factor, Float64Array.from(features));
  return distanceToNearest(point, ready.centres);
}

/** The factor in float64, and the class means under it. */
const readyOf = new WeakMap<Unlike, { readonly factor: Float64Array; readonly centres: readonly Float64Array[] }>();

function distanceToNearest(point: Float64Array, centres: readonly Float64Array[]): number {
  let least = Infinity;
  for (const centre of centres) {
    let sum = 0;
    for (let j = 0; j < point.length; j++) sum += square(point[j] - centre[j]);
    least = Math.min(least, sum);
  }
  return Math.sqrt(least);
}

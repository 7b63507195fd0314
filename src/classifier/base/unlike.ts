/**
 * How unlike the training pictures a picture is: the Mahalanobis distance of its features to the nearest class mean, under one covariance
 * for all classes (Lee et al., arXiv:1807.03888), shrunk as Ledoit and Wolf do ("A well-conditioned estimator for large-dimensional
 * covariance matrices", 2004), as a multiple of a threshold. Beyond 1 a picture is unknown: the model was not trained on such.
 */
import { square } from '../../tensor/exact-math.js';
import { divide, FOLDS } from './folds.js';
import { moments, standardised } from './head.js';

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
  for (let i = 0; i < labels.length; i++) {
    if (!chosen(i)) continue;
    counts[labels[i]]++;
    const row = x.subarray(i * width, (i + 1) * width);
    for (let j = 0; j < width; j++) {
      const value = row[j];
      first[labels[i] * width + j] += value;
      for (let k = 0, at = j * width; k <= j; k++) second[at + k] += value * row[k];
    }
  }
  return { counts, first, second };
}

const addSums = (a: Sums, b: Sums, sign: 1 | -1 = 1): Sums => {
  const add = (one: Float64Array, other: Float64Array): Float64Array =>
    one.map((value, at) => value + sign * other[at]);
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
  for (let c = 0; c < counts.length; c++) {
    const mean = means.subarray(c * width, (c + 1) * width);
    for (let j = 0; j < width; j++)
      for (let k = 0, at = j * width; k <= j; k++) covariance[at + k] -= counts[c] * mean[j] * mean[k];
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
    const squares = centres.map((centre) => point.reduce((sum, value, j) => sum + square(value - centre[j]), 0));
    distances[i] = Math.sqrt(Math.min(...squares));
  }
}

/** y with L·y = b, in place of b. */
function solve(lower: Float64Array, b: Float64Array): Float64Array {
  const width = b.length;
  for (let row = 0; row < width; row++) {
    let value = b[row];
    for (let k = 0, at = row * width; k < row; k++) value -= lower[at + k] * b[k];
    b[row] = value / lower[row * width + row];
  }
  return b;
}

/** L⁻¹ with its columns divided by the deviations: it takes bare features. */
export function inverse(lower: Float64Array, deviation: Float64Array): Float32Array {
  const width = deviation.length;
  const factor = new Float32Array(width * width);
  const solved = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    for (let row = column; row < width; row++) {
      let value = row === column ? 1 : 0;
      for (let k = column, at = row * width; k < row; k++) value -= lower[at + k] * solved[k];
      solved[row] = value / lower[row * width + row];
      factor[row * width + column] = solved[row] / deviation[column];
    }
  }
  return factor;
}

/** L with L·Lᵀ = A, in place of A's lower triangle [width, width]. Source: Golub, Van Loan, "Matrix Computations", 4.2. */
export function cholesky(a: Float64Array, width: number): Float64Array {
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) {
      let value = a[j * width + k];
      for (let i = 0; i < k; i++) value -= a[j * width + i] * a[k * width + i];
      a[j * width + k] = k === j ? Math.sqrt(value) : value / a[k * width + k];
    }
  }
  return a;
}

/** The smallest Mahalanobis distance to a class: the factor is linear, so that it is applied to picture and means one by one. */
function distanceTo(unlike: Unlike, features: Float32Array): number {
  let centres = centresOf.get(unlike);
  if (!centres) {
    const { means } = unlike;
    const width = features.length;
    centres = Array.from({ length: means.length / width }, (_, c) =>
      underFactor(unlike, means.subarray(c * width, (c + 1) * width)),
    );
    centresOf.set(unlike, centres);
  }
  const point = underFactor(unlike, features);
  const squares = centres.map((centre) => point.reduce((sum, value, j) => sum + square(value - centre[j]), 0));
  return Math.sqrt(Math.min(...squares));
}

/** The class means under the factor. */
const centresOf = new WeakMap<Unlike, Float64Array[]>();

function underFactor({ factor }: Unlike, x: Float32Array): Float64Array {
  const width = x.length;
  const y = new Float64Array(width);
  for (let row = 0; row < width; row++) {
    let sum = 0;
    for (let column = 0, at = row * width; column <= row; column++) sum += factor[at + column] * x[column];
    y[row] = sum;
  }
  return y;
}

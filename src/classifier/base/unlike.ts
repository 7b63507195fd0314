/**
 * How unlike the training pictures a picture is: the Mahalanobis distance of its features to the nearest class mean, under one covariance
 * for all classes (Lee et al., arXiv:1807.03888), shrunk as Ledoit and Wolf do ("A well-conditioned estimator for large-dimensional
 * covariance matrices", 2004), as a multiple of a threshold. Beyond 1 a picture is unknown: the model was not trained on such.
 */
import { square } from '../../tensor/exact-math.js';
import { Random, RandomStream } from '../../tensor/random.js';
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
   * Factor on the distance that covers so many: pictures of another day are a little further off than those of training. Default 1.5,
   * with which no draw of eight on two sets had more than 1.5 % of false unknowns (without, up to 5 %).
   */
  readonly margin?: number;
  readonly seed?: number;
  /** Called now and then, for a turn of the event loop. */
  readonly pause?: () => Promise<void>;
}

const FOLDS = 5;
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
  { coverage = 0.99, margin = 1.5, seed = 0, pause }: UnlikeOptions = {},
): Promise<Unlike> {
  const samples = labels.length;
  const width = features.length / samples;
  const rows = (indices: readonly number[]): Float32Array => {
    const chosen = new Float32Array(indices.length * width);
    for (const [to, from] of indices.entries())
      chosen.set(features.subarray(from * width, (from + 1) * width), to * width);
    return chosen;
  };
  // Distances of pictures from which nothing was learned: each fold judged by what the others give.
  const folds = divide(labels, classes, seed);
  const distances = new Float64Array(samples);
  for (let fold = 0; fold < FOLDS; fold++) {
    const [own, others] = [true, false].map((inside) =>
      folds.flatMap((each, index) => ((each === fold) === inside ? [index] : [])),
    );
    if (own.length === 0) continue;
    const fitted = estimate(
      rows(others),
      others.map((index) => labels[index]),
      classes,
    );
    for (const index of own)
      distances[index] = distanceTo(fitted, features.subarray(index * width, (index + 1) * width));
    await pause?.();
  }
  const threshold = margin * quantile(distances, coverage);
  return { ...estimate(features, labels, classes), threshold };
}

/** 1: at the threshold; more: unlike what the model was trained on. @param features [width] */
export const unlikeness = (unlike: Unlike, features: Float32Array): number =>
  distanceTo(unlike, features) / unlike.threshold;

/** The fold of each sample: every class is divided evenly, in an order drawn from the seed. */
function divide(labels: ArrayLike<number>, classes: number, seed: number): number[] {
  const folds = Array.from({ length: labels.length }, () => 0);
  for (let label = 0; label < classes; label++) {
    const members = Array.from(labels).flatMap((each, index) => (each === label ? [index] : []));
    const order = new Random(seed, RandomStream.split, label).permutation(members.length);
    order.forEach((place, rank) => (folds[members[place]] = rank % FOLDS));
  }
  return folds;
}

function quantile(values: Float64Array, share: number): number {
  const sorted = values.toSorted();
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

/** Class means, and the inverse root of the shrunk covariance about them. */
function estimate(features: Float32Array, labels: ArrayLike<number>, classes: number): Omit<Unlike, 'threshold'> {
  const samples = labels.length;
  const scale = moments(features, samples);
  const width = scale.mean.length;
  const x = standardised(features, scale);
  const centres = new Float64Array(classes * width);
  const counts = new Uint32Array(classes);
  for (let i = 0; i < samples; i++) counts[labels[i]]++;
  for (let i = 0; i < samples; i++)
    for (let j = 0; j < width; j++) centres[labels[i] * width + j] += x[i * width + j] / counts[labels[i]];
  for (let i = 0; i < samples; i++) for (let j = 0; j < width; j++) x[i * width + j] -= centres[labels[i] * width + j];

  const lower = cholesky(ledoitWolf(x, samples), width);
  // L⁻¹ by forward substitution, and the standardisation in it: it takes bare features.
  const factor = new Float32Array(width * width);
  const solved = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    for (let row = column; row < width; row++) {
      let value = row === column ? 1 : 0;
      for (let k = column; k < row; k++) value -= lower[row * width + k] * solved[k];
      solved[row] = value / lower[row * width + row];
      factor[row * width + column] = solved[row] / scale.deviation[column];
    }
  }
  const means = Float32Array.from(
    centres,
    (centre, at) => centre * scale.deviation[at % width] + scale.mean[at % width],
  );
  return { means, factor };
}

/**
 * The covariance of centred rows x [samples, width], drawn towards a multiple of the identity by Ledoit and Wolf's share.
 * @returns its lower triangle, in [width, width]
 */
function ledoitWolf(x: Float64Array, samples: number): Float64Array {
  const width = x.length / samples;
  const covariance = new Float64Array(width * width); // Σᵢ xᵢ·xᵢᵀ, at first
  let fourth = 0; // Σᵢ ‖xᵢ‖⁴
  for (let i = 0; i < samples; i++) {
    const row = x.subarray(i * width, (i + 1) * width);
    let squares = 0;
    for (let j = 0; j < width; j++) {
      squares += square(row[j]);
      for (let k = 0; k <= j; k++) covariance[j * width + k] += row[j] * row[k];
    }
    fourth += square(squares);
  }
  let trace = 0;
  let squared = 0; // Frobenius norm²: what is below the diagonal counts twice
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) {
      const value = (covariance[j * width + k] /= samples);
      squared += (j === k ? 1 : 2) * square(value);
    }
    trace += covariance[j * width + j];
  }
  const mean = trace / width;
  const spread = Math.max(squared / width - square(mean), 0);
  const noise = Math.min((fourth / samples - squared) / (samples * width), spread);
  const share = spread === 0 ? 0 : noise / spread;
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) covariance[j * width + k] *= 1 - share;
    covariance[j * width + j] += Math.max(share * mean, SMALLEST_VARIANCE);
  }
  return covariance;
}

/** L with L·Lᵀ = A, in place of A's lower triangle [width, width]. Source: Golub, Van Loan, "Matrix Computations", 4.2. */
function cholesky(a: Float64Array, width: number): Float64Array {
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) {
      let value = a[j * width + k];
      for (let i = 0; i < k; i++) value -= a[j * width + i] * a[k * width + i];
      a[j * width + k] = k === j ? Math.sqrt(value) : value / a[k * width + k];
    }
  }
  return a;
}

/** The smallest Mahalanobis distance to a class. */
function distanceTo({ means, factor }: Omit<Unlike, 'threshold'>, features: Float32Array): number {
  const width = features.length;
  let least = Infinity;
  for (let first = 0; first < means.length; first += width) {
    let squares = 0;
    for (let row = 0; row < width; row++) {
      let sum = 0;
      for (let column = 0; column <= row; column++)
        sum += factor[row * width + column] * (features[column] - means[first + column]);
      squares += square(sum);
    }
    least = Math.min(least, squares);
  }
  return Math.sqrt(least);
}

/**
 * Logistic regression with an L2 penalty, solved to convergence in float64: the same classifier whatever the order
 * of the samples and wherever it starts.
 *
 * Minimises C · Σᵢ loss(xᵢ, yᵢ) + ½ · Σ w², the intercepts unpenalised (scikit-learn's `LogisticRegression`). Two classes have one
 * column of weights and the logistic loss; K > 2 have K columns and the softmax's cross-entropy. By L-BFGS (Nocedal, Wright, "Numerical
 * Optimization", algorithms 7.4 and 3.1): the function is strictly convex but for shifts of the intercepts, so that where it starts
 * does not matter.
 */
import { UsageError } from '../../errors.js';
import { exp, log, log1p } from '../../tensor/exact-math.js';

export interface LogisticRegression {
  /** [features, columns], row-major; columns: 1 of two classes, else one a class */
  readonly weights: Float64Array;
  /** [columns] */
  readonly intercepts: Float64Array;
  /** Steps that it took. */
  readonly iterations: number;
}

export interface LogisticRegressionOptions {
  /** Inverse strength of the penalty. Default 0.1. */
  readonly C?: number;
  /** What the scores begin with, [samples, columns]: only what is to be added to them is learned. Default 0. */
  readonly offsets?: Float64Array;
  /** Largest component of the gradient at the end, as a share of C. Default 1e-7. */
  readonly tolerance?: number;
  /** Called now and then in long solutions, for a turn of the event loop. */
  readonly pause?: () => Promise<void>;
}

/** Pairs of steps and gradient changes that approximate the curvature. */
const MEMORY = 12;
const MOST_ITERATIONS = 2000;
/** Of the sufficient decrease (Armijo). */
const DECREASE = 1e-4;
/** Of a sum of thousands of losses in float64, as a share of it. */
const ROUNDING = 2 ** -46;

/**
 * @param features [samples, width], row-major; with a width of 0 there are intercepts alone
 * @param labels class indices [samples]
 * @throws UsageError when a class has no sample, or a feature is not finite
 */
export async function fitLogisticRegression(
  features: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  { C = 0.1, offsets, tolerance = 1e-7, pause }: LogisticRegressionOptions = {},
): Promise<LogisticRegression> {
  const samples = labels.length;
  const width = features.length / samples;
  const counts = new Uint32Array(classes);
  for (let i = 0; i < samples; i++) counts[labels[i]]++;
  const empty = counts.indexOf(0);
  if (empty >= 0)
    throw new UsageError(`logistic regression: expects samples of every class, got none of class ${empty}`);
  if (!features.every(Number.isFinite))
    throw new UsageError('logistic regression: expects finite features, got others');
  const columns = classes === 2 ? 1 : classes;
  const size = (width + 1) * columns; // weights [columns, width], then intercepts

  const scores = new Float64Array(columns);
  /** The objective at `at`; its gradient goes into `gradient`. One pass over the features, which are larger than caches. */
  const evaluate = (at: Float64Array, gradient: Float64Array): number => {
    const intercepts = width * columns;
    let penalty = 0;
    for (let w = 0; w < intercepts; w++) {
      gradient[w] = at[w];
      penalty += at[w] * at[w];
    }
    gradient.fill(0, intercepts);
    let loss = 0;
    for (let i = 0; i < samples; i++) {
      const x = i * width;
      for (let k = 0; k < columns; k++) {
        scores[k] = at[intercepts + k] + dotAt(features, x, at, k * width, width);
        if (offsets) scores[k] += offsets[i * columns + k];
      }
      loss += columns === 1 ? logisticLoss(scores, labels[i]) : softmaxLoss(scores, labels[i]); // scores: now the loss' gradient
      for (let k = 0; k < columns; k++) {
        const slope = C * scores[k];
        gradient[intercepts + k] += slope;
        for (let j = 0, w = k * width; j < width; j++) gradient[w + j] += slope * features[x + j];
      }
    }
    return C * loss + penalty / 2;
  };

  const point = new Float64Array(size);
  const iterations = await minimise(evaluate, point, tolerance * C, pause);
  const weights = Float64Array.from({ length: width * columns }, (_, at) => {
    const [feature, column] = [Math.floor(at / columns), at % columns];
    return point[column * width + feature];
  });
  return { weights, intercepts: point.slice(width * columns), iterations };
}

/** −log p of the label, from one score; the score becomes the gradient p − y. */
function logisticLoss(row: Float64Array, label: number): number {
  const [z] = row;
  const e = exp(-Math.abs(z));
  row[0] = (z >= 0 ? 1 / (1 + e) : e / (1 + e)) - label;
  return log1p(e) + Math.max(z, 0) - z * label;
}

/** −log p of the label, from a score a class; the scores become the gradient p − y. */
function softmaxLoss(row: Float64Array, label: number): number {
  const largest = row.reduce((most, z) => Math.max(most, z), -Infinity);
  const own = row[label] - largest;
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += row[k] = exp(row[k] - largest);
  for (let k = 0; k < row.length; k++) row[k] /= sum;
  row[label] -= 1;
  return log(sum) - own;
}

/** Σ a[p + i] · b[q + i] over `count`, in four sums that do not wait for one another. */
function dotAt(a: Float64Array, p: number, b: Float64Array, q: number, count: number): number {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = count - (count % 4);
  let i = 0;
  for (; i < whole; i += 4) {
    first += a[p + i] * b[q + i];
    second += a[p + i + 1] * b[q + i + 1];
    third += a[p + i + 2] * b[q + i + 2];
    fourth += a[p + i + 3] * b[q + i + 3];
  }
  for (; i < count; i++) first += a[p + i] * b[q + i];
  return first + second + (third + fourth);
}

const dot = (a: Float64Array, b: Float64Array): number => dotAt(a, 0, b, 0, a.length);

/** L-BFGS from `point`, which ends in the minimum. @returns the number of steps */
async function minimise(
  evaluate: (at: Float64Array, gradient: Float64Array) => number,
  point: Float64Array,
  tolerance: number,
  pause: (() => Promise<void>) | undefined,
): Promise<number> {
  const size = point.length;
  let gradient = new Float64Array(size);
  let next = new Float64Array(size);
  let value = evaluate(point, gradient);
  const memory: { step: Float64Array; change: Float64Array; rho: number }[] = [];
  for (let iteration = 1; iteration <= MOST_ITERATIONS; iteration++) {
    if (gradient.every((one) => Math.abs(one) <= tolerance)) return iteration - 1;
    const direction = descent(gradient, memory);
    const slope = dot(direction, gradient);
    const step = new Float64Array(size);
    // The first direction is the bare gradient, of unknown scale.
    let length = memory.length > 0 ? 1 : Math.min(1, 1 / Math.sqrt(dot(gradient, gradient)));
    let reached: number;
    for (;;) {
      for (let i = 0; i < size; i++) step[i] = length * direction[i];
      reached = evaluate(
        point.map((x, i) => x + step[i]),
        next,
      );
      // Near the minimum decreases are below the objective's own rounding, while the gradient still tells the way (Hager, Zhang 2005).
      if (reached <= value + DECREASE * length * slope + ROUNDING * Math.abs(value)) break;
      length /= 2;
      if (length < 1e-20) return iteration; // nothing is left but rounding
    }
    const change = next.map((after, i) => after - gradient[i]);
    const curvature = dot(step, change);
    if (curvature > 0) {
      memory.push({ step, change, rho: 1 / curvature });
      if (memory.length > MEMORY) memory.shift();
    }
    for (let i = 0; i < size; i++) point[i] += step[i];
    [gradient, next] = [next, gradient];
    value = reached;
    await pause?.();
  }
  return MOST_ITERATIONS;
}

/** −H·g by the two loops over the remembered steps. */
function descent(
  gradient: Float64Array,
  memory: readonly { step: Float64Array; change: Float64Array; rho: number }[],
): Float64Array {
  const direction = gradient.map((value) => -value);
  const shares: number[] = [];
  for (const { step, change, rho } of memory.toReversed()) {
    const share = rho * dot(step, direction);
    shares.unshift(share);
    for (let i = 0; i < direction.length; i++) direction[i] -= share * change[i];
  }
  const last = memory.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.change, last.change));
    for (let i = 0; i < direction.length; i++) direction[i] *= scale;
  }
  for (const [index, { step, change, rho }] of memory.entries()) {
    const share = shares[index] - rho * dot(change, direction);
    for (let i = 0; i < direction.length; i++) direction[i] += share * step[i];
  }
  return direction;
}

/** The head on a base's features: standardised, logistic regression, and both in one dense layer. */
import { UsageError } from '../../errors.js';
import { exp, square } from '../../tensor/exact-math.js';
import { divide, FOLDS } from './folds.js';
import { fitLogisticRegression, type LogisticRegressionOptions } from './logistic-regression.js';

/** Mean and deviation of each feature over the samples, in float64; a feature that never changes has deviation 1. */
export function moments(features: ArrayLike<number>, samples: number): { mean: Float64Array; deviation: Float64Array } {
  const width = features.length / samples;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (let i = 0; i < samples; i++) for (let j = 0; j < width; j++) mean[j] += features[i * width + j] / samples;
  for (let i = 0; i < samples; i++)
    for (let j = 0; j < width; j++) deviation[j] += square(features[i * width + j] - mean[j]) / samples;
  for (let j = 0; j < width; j++) deviation[j] = Math.sqrt(deviation[j]) || 1;
  return { mean, deviation };
}

/** (x − mean) / deviation, [samples, width]. */
export function standardised(
  features: ArrayLike<number>,
  { mean, deviation }: { mean: Float64Array; deviation: Float64Array },
): Float64Array {
  const width = mean.length;
  const x = new Float64Array(features.length);
  for (let row = 0; row < x.length; row += width)
    for (let j = 0; j < width; j++) x[row + j] = (features[row + j] - mean[j]) / deviation[j];
  return x;
}

/** Weights of a dense layer [width, columns] and [columns]. */
export interface Head {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly columns: number;
}

export interface HeadFitOptions extends LogisticRegressionOptions {
  /** Rows that each picture has: as many sets of all pictures follow one another, in the same order. Default 1. */
  readonly copies?: number;
}

/** Pictures of the smallest class for which intercepts are cross-fitted: with fewer the parts say too little, with more they gain little. */
const FEW = { from: 20, to: 100 };

/**
 * The dense layer that gives the same scores from bare features as the regression does from standardised ones:
 * Σ w·(x − μ)/σ + b = Σ (w/σ)·x + (b − Σ w·μ/σ).
 *
 * @param features [samples, width]
 * @throws UsageError for features that are not finite, and when a class has no sample
 */
export async function fitHead(
  features: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  { copies = 1, ...options }: HeadFitOptions = {},
): Promise<Head> {
  if (labels.length === 0) throw new UsageError('base: expects pictures to train on, got none');
  const scale = moments(features, labels.length);
  const x = standardised(features, scale);
  const { weights, intercepts } = await fitLogisticRegression(x, labels, classes, options);
  const counts = Array.from(
    { length: classes },
    (_, label) => Array.from(labels).filter((one) => one === label).length,
  );
  const fewest = Math.min(...counts) / copies;
  const shifts =
    fewest >= FEW.from && fewest < FEW.to ? await crossFittedShifts(x, labels, classes, copies, options) : null;
  const columns = intercepts.length;
  const bias = intercepts.map((intercept, column) => intercept + (shifts?.[column] ?? 0));
  const kernel = weights.map((weight, at) => {
    const [feature, column] = [Math.floor(at / columns), at % columns];
    const scaled = weight / scale.deviation[feature];
    bias[column] -= scaled * scale.mean[feature];
    return scaled;
  });
  return { kernel: Float32Array.from(kernel), bias: Float32Array.from(bias), columns };
}

/**
 * What is to be added to the intercepts, so that scores of pictures from which nothing was learned are most likely. With fewer pictures than
 * features the regression is right on all that it learns from, and where it divides them says little: a class that varies more lost
 * up to 10 % of its other pictures (docs/base.md).
 */
async function crossFittedShifts(
  x: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  copies: number,
  options: LogisticRegressionOptions,
): Promise<Float64Array> {
  const width = x.length / labels.length;
  const pictures = labels.length / copies;
  const folds = divide(Array.from(labels).slice(0, pictures), classes, 0);
  const rows = Array.from(labels, (_, row) => row);
  let scores = new Float64Array(0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const others = rows.filter((row) => folds[row % pictures] !== fold);
    const learned = Float64Array.from(
      { length: others.length * width },
      (_, at) => x[others[Math.floor(at / width)] * width + (at % width)],
    );
    const { weights, intercepts } = await fitLogisticRegression(
      learned,
      others.map((row) => labels[row]),
      classes,
      options,
    );
    const columns = intercepts.length;
    if (fold === 0) scores = new Float64Array(labels.length * columns);
    for (const row of rows) {
      if (folds[row % pictures] !== fold) continue;
      for (let k = 0; k < columns; k++) {
        let score = intercepts[k];
        for (let j = 0; j < width; j++) score += weights[j * columns + k] * x[row * width + j];
        scores[row * columns + k] = score;
      }
    }
  }
  return (await fitLogisticRegression(new Float64Array(0), labels, classes, { ...options, offsets: scores }))
    .intercepts;
}

/** What the dense layer and its activation give: of one column the sigmoid [N], else the softmax [N, columns]. */
export function scoresOf(features: Float32Array, { kernel, bias, columns }: Head): Float32Array {
  const width = kernel.length / columns;
  const scores = new Float32Array((features.length / width) * columns);
  for (let row = 0; row < scores.length / columns; row++) {
    const logits = Float64Array.from(bias);
    for (let j = 0; j < width; j++)
      for (let k = 0; k < columns; k++) logits[k] += features[row * width + j] * kernel[j * columns + k];
    const own = scores.subarray(row * columns, (row + 1) * columns);
    if (columns === 1) own[0] = 1 / (1 + exp(-logits[0]));
    else own.set(softmax(logits));
  }
  return scores;
}

function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((most, each) => Math.max(most, each), -Infinity);
  const powers = logits.map((each) => exp(each - largest));
  const sum = powers.reduce((all, each) => all + each, 0);
  return powers.map((each) => each / sum);
}

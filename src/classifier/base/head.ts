/** The head on a base's features: standardised, logistic regression, and both in one dense layer. */
import { UsageError } from '../../errors.js';
import { exp, square } from '../../tensor/exact-math.js';
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
  return Float64Array.from(features, (value, at) => (value - mean[at % width]) / deviation[at % width]);
}

/** Weights of a dense layer [width, columns] and [columns]. */
export interface Head {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly columns: number;
}

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
  options: LogisticRegressionOptions = {},
): Promise<Head> {
  if (labels.length === 0) throw new UsageError('base: expects pictures to train on, got none');
  const scale = moments(features, labels.length);
  const { weights, intercepts } = await fitLogisticRegression(standardised(features, scale), labels, classes, options);
  const columns = intercepts.length;
  const bias = intercepts.slice();
  const kernel = weights.map((weight, at) => {
    const [feature, column] = [Math.floor(at / columns), at % columns];
    const scaled = weight / scale.deviation[feature];
    bias[column] -= scaled * scale.mean[feature];
    return scaled;
  });
  return { kernel: Float32Array.from(kernel), bias: Float32Array.from(bias), columns };
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

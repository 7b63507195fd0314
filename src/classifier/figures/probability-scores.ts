/** Whether probabilities mean what they say: Brier score, log loss, expected calibration error. */
import { expectWhole } from '../../expect.js';
import { log, square } from '../../tensor/exact-math.js';
import { checkProbabilities } from './checks.js';

/**
 * Mean squared error of the probabilities (Brier, 1950), from 0: of two classes that of the second's, at most 1; of more the sum
 * over all classes, at most 2. So does scikit-learn.
 *
 * @param probabilities [N][classes]
 */
export function brierScore(labels: ArrayLike<number>, probabilities: readonly ArrayLike<number>[]): number {
  checkProbabilities('brierScore', labels, probabilities);
  let sum = 0;
  for (const [n, row] of probabilities.entries()) {
    const first = row.length === 2 ? 1 : 0;
    for (let k = first; k < row.length; k++) sum += square(row[k] - Number(labels[n] === k));
  }
  return sum / probabilities.length;
}

/** Mean −log of the probability of each sample's class, which is taken to be at least 2⁻⁵², as by scikit-learn. */
export function logLoss(labels: ArrayLike<number>, probabilities: readonly ArrayLike<number>[]): number {
  checkProbabilities('logLoss', labels, probabilities);
  let sum = 0;
  for (const [n, row] of probabilities.entries())
    sum -= log(Math.min(Math.max(row[labels[n]], Number.EPSILON), 1 - Number.EPSILON));
  return sum / probabilities.length;
}

/** Samples whose confidence is above `from` and at most `to`. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the class that was taken; NaN in an empty bin. */
  readonly confidence: number;
  /** Part of the samples for which that was right; NaN in an empty bin. */
  readonly accuracy: number;
}

export const CALIBRATION_BINS = 15;

/** Confidence against accuracy in bins of equal width (a reliability diagram). The confidence is the greatest probability. */
export function calibrationBins(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  bins = CALIBRATION_BINS,
): CalibrationBin[] {
  checkProbabilities('calibrationBins', labels, probabilities);
  expectWhole(bins, 'calibrationBins: bins', 1, 2 ** 20);
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const [n, row] of probabilities.entries()) {
    let taken = 0;
    for (let k = 1; k < row.length; k++) if (row[k] > row[taken]) taken = k;
    let bin = Math.min(bins - 1, Math.max(0, Math.ceil(row[taken] * bins) - 1));
    if (row[taken] <= bin / bins && bin > 0) bin--; // the product was rounded up
    sums[bin].count++;
    sums[bin].confidence += row[taken];
    sums[bin].right += Number(taken === labels[n]);
  }
  return sums.map(({ count, confidence, right }, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    count,
    confidence: confidence / count,
    accuracy: right / count,
  }));
}

/**
 * Mean distance of confidence and accuracy over the bins, by their samples (Guo, Pleiss, Sun, Weinberger, "On calibration of modern
 * neural networks", ICML 2017). It depends on the bins: state them beside it.
 */
export function expectedCalibrationError(
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  bins = CALIBRATION_BINS,
): number {
  let sum = 0;
  for (const { count, confidence, accuracy } of calibrationBins(labels, probabilities, bins))
    if (count > 0) sum += count * Math.abs(confidence - accuracy);
  return sum / probabilities.length;
}

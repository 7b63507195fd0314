/**
 * Figures of a whole set, from the labels and the probabilities of all its samples (not averages over batches). Ratios
 * whose denominator is 0 are 0, as scikit-learn's `zero_division=0`; curves that need both classes are NaN without.
 */
import { UsageError } from '../errors.js';

/** counts[label][predicted] */
export function confusionMatrix(labels: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  checkLengths(labels, predicted);
  for (let n = 0; n < labels.length; n++) {
    if (!(labels[n] in counts) || !(predicted[n] in counts))
      throw new UsageError(
        `confusionMatrix: expects classes 0 to ${classes - 1}, got ${labels[n]} taken for ${predicted[n]}`,
      );
    counts[labels[n]][predicted[n]]++;
  }
  return counts;
}

function checkLengths(labels: ArrayLike<number>, scores: ArrayLike<number>): void {
  if (labels.length !== scores.length)
    throw new UsageError(`metrics: expects a score for each label, got ${scores.length} for ${labels.length}`);
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** How well one class is told from the rest. */
export interface ClassScores {
  /** Of those taken for the class, the part that is. */
  readonly precision: number;
  /** Of those of the class, the part that was found. */
  readonly recall: number;
  /** The harmonic mean of the two. */
  readonly f1: number;
  /** Samples of the class. */
  readonly support: number;
}

/** Precision, recall and F1 of every class. */
export function classScores(matrix: readonly (readonly number[])[]): ClassScores[] {
  return matrix.map((row, index) => {
    const support = row.reduce((sum, count) => sum + count, 0);
    const taken = matrix.reduce((sum, each) => sum + each[index], 0);
    const hits = row[index];
    return {
      precision: ratio(hits, taken),
      recall: ratio(hits, support),
      f1: ratio(2 * hits, taken + support),
      support,
    };
  });
}

/** Part of the samples on the matrix' diagonal. */
export function accuracy(matrix: readonly (readonly number[])[]): number {
  const hits = matrix.reduce((sum, row, index) => sum + row[index], 0);
  return ratio(
    hits,
    matrix.flat().reduce((sum, count) => sum + count, 0),
  );
}

/** Numbers of positives and negatives among the samples of each different score, from the highest score down. */
function steps(labels: ArrayLike<number>, scores: ArrayLike<number>): { positives: number; negatives: number }[] {
  checkLengths(labels, scores);
  const order = Array.from({ length: labels.length }, (_, n) => n).toSorted((a, b) => scores[b] - scores[a]);
  const found: { positives: number; negatives: number }[] = [];
  let last = Number.NaN;
  for (const n of order) {
    if (scores[n] !== last) found.push({ positives: 0, negatives: 0 });
    last = scores[n];
    if (labels[n] > 0.5) found[found.length - 1].positives++;
    else found[found.length - 1].negatives++;
  }
  return found;
}

/**
 * Area under the receiver operating characteristic: the probability that a positive scores higher than a negative, ties
 * counting half (Hanley and McNeil, 1982).
 *
 * @param labels 1 for the class, 0 for the rest
 * @param scores its probabilities
 */
export function rocAuc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  let [positives, negatives, area] = [0, 0, 0];
  for (const step of steps(labels, scores)) {
    area += step.negatives * (positives + step.positives / 2);
    positives += step.positives;
    negatives += step.negatives;
  }
  return positives > 0 && negatives > 0 ? area / (positives * negatives) : Number.NaN;
}

/**
 * Average precision: Σ (recall_k − recall_k−1) · precision_k over the different scores, without interpolation, as
 * scikit-learn computes it.
 */
export function averagePrecision(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  let [positives, taken, sum] = [0, 0, 0];
  for (const step of steps(labels, scores)) {
    positives += step.positives;
    taken += step.positives + step.negatives;
    sum += step.positives * (positives / taken);
  }
  return positives > 0 ? sum / positives : Number.NaN;
}

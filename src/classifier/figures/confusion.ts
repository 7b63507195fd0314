/** Figures of the most probable class: the confusion matrix, and what follows from it, as scikit-learn defines them. */
import { UsageError } from '../../errors.js';

/** counts[label][predicted] */
export type ConfusionMatrix = readonly (readonly number[])[];

/** counts[label][predicted] */
export function confusionMatrix(labels: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  if (labels.length !== predicted.length)
    throw new UsageError(
      `confusionMatrix: expects a prediction for each label, got ${predicted.length} for ${labels.length}`,
    );
  for (let n = 0; n < labels.length; n++) {
    if (!(labels[n] in counts) || !(predicted[n] in counts))
      throw new UsageError(
        `confusionMatrix: expects classes 0 to ${classes - 1}, got ${labels[n]} taken for ${predicted[n]}`,
      );
    counts[labels[n]][predicted[n]]++;
  }
  return counts;
}

/** Of nothing: 0, as scikit-learn's `zero_division=0`. */
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

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

/** Precision, recall and F1 of every class; 0 where nothing is to be divided by. */
export function classScores(matrix: ConfusionMatrix): ClassScores[] {
  return matrix.map((row, index) => {
    const support = sum(row);
    const taken = sum(matrix.map((each) => each[index]));
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
export function accuracy(matrix: ConfusionMatrix): number {
  return ratio(sum(matrix.map((row, index) => row[index])), sum(matrix.flat()));
}

/** The mean of the recalls of the classes that are there: 1 / classes for a model that takes all for one. NaN without any. */
export function balancedAccuracy(matrix: ConfusionMatrix): number {
  const recalls = classScores(matrix)
    .filter(({ support }) => support > 0)
    .map(({ recall }) => recall);
  return sum(recalls) / recalls.length;
}

/** The accuracy of who takes every sample for the most frequent class: what any accuracy must be compared with. */
export function majorityAccuracy(matrix: ConfusionMatrix): number {
  return ratio(Math.max(0, ...matrix.map(sum)), sum(matrix.flat()));
}

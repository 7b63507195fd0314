/** Figures of the most probable class: the confusion matrix, and what follows from it, as scikit-learn defines them. */
import { UsageError } from '../../errors.js';
import { expectList, received } from '../../expect.js';

/** counts[label][predicted] */
export type ConfusionMatrix = readonly (readonly number[])[];

/** More classes than any model tells apart: their table would fill the memory. */
const MOST_CLASSES = 4096;

/** counts[label][predicted] @throws UsageError unless there is a prediction for each label, both among the classes */
export function confusionMatrix(labels: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  if (!(Number.isInteger(classes) && classes >= 1 && classes <= MOST_CLASSES))
    throw new UsageError(`confusionMatrix: expects 1 to ${MOST_CLASSES} classes, got ${received(classes)}`);
  expectList(labels, 'confusionMatrix: labels');
  expectList(predicted, 'confusionMatrix: predicted');
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  if (labels.length !== predicted.length)
    throw new UsageError(
      `confusionMatrix: expects a prediction for each label, got ${predicted.length} for ${labels.length}`,
    );
  for (let n = 0; n < labels.length; n++) {
    if (!(labels[n] in counts) || !(predicted[n] in counts))
      throw new UsageError(
        `confusionMatrix: expects classes 0 to ${classes - 1}, got ${received(labels[n])} taken for ${received(predicted[n])}`,
      );
    counts[labels[n]][predicted[n]]++;
  }
  return counts;
}

/** @throws UsageError unless each class has a row of counts, one for each class */
function expectMatrix(matrix: ConfusionMatrix, name: string): void {
  if (!Array.isArray(matrix)) throw new UsageError(`${name}: matrix expects an array, got ${received(matrix)}`);
  for (const row of matrix) {
    if (!Array.isArray(row) || row.length !== matrix.length || !row.every((count) => Number.isFinite(count)))
      throw new UsageError(`${name}: expects a square matrix of counts [K][K], got a row that is ${received(row)}`);
  }
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
  expectMatrix(matrix, 'classScores');
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
  expectMatrix(matrix, 'accuracy');
  return ratio(sum(matrix.map((row, index) => row[index])), sum(matrix.flat()));
}

/** The mean of the recalls of the classes that are there: 1 / classes for a model that takes all for one. NaN without any. */
export function balancedAccuracy(matrix: ConfusionMatrix): number {
  expectMatrix(matrix, 'balancedAccuracy');
  const recalls = classScores(matrix)
    .filter(({ support }) => support > 0)
    .map(({ recall }) => recall);
  return sum(recalls) / recalls.length;
}

/** The accuracy of who takes every sample for the most frequent class: what any accuracy must be compared with. */
export function majorityAccuracy(matrix: ConfusionMatrix): number {
  expectMatrix(matrix, 'majorityAccuracy');
  return ratio(Math.max(0, ...matrix.map(sum)), sum(matrix.flat()));
}

/** What figures are made of: labels and scores of a whole set. A NaN among them would sort anywhere and spoil all in silence. */
import { UsageError } from '../../errors.js';
import { expectList, received } from '../../expect.js';

/** @throws UsageError unless each label has a score, and every score is a number */
export function checkScores(name: string, labels: ArrayLike<number>, scores: ArrayLike<number>): void {
  expectList(labels, `${name}: labels`);
  expectList(scores, `${name}: scores`);
  if (labels.length !== scores.length)
    throw new UsageError(`${name}: expects a score for each label, got ${scores.length} for ${labels.length}`);
  for (let n = 0; n < scores.length; n++)
    if (!Number.isFinite(scores[n]))
      throw new UsageError(`${name}: expects numbers as scores, got ${received(scores[n])} at ${n}`);
}

/** @throws UsageError unless labels are 1 for the class and 0 for the rest */
export function checkBinary(name: string, labels: ArrayLike<number>, scores: ArrayLike<number>): void {
  checkScores(name, labels, scores);
  for (let n = 0; n < labels.length; n++)
    if (labels[n] !== 0 && labels[n] !== 1)
      throw new UsageError(
        `${name}: expects labels 1 (the class) and 0 (the rest), got ${received(labels[n])} at ${n}`,
      );
}

/**
 * @param probabilities [N][classes]
 * @throws UsageError unless each picture has as many probabilities as all others, at least two, that sum to about 1, and a label
 *   among them
 */
export function checkProbabilities(
  name: string,
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
): void {
  expectList(labels, `${name}: labels`);
  expectList(probabilities, `${name}: probabilities`);
  for (const row of probabilities) expectList(row, `${name}: the probabilities of a picture`);
  if (labels.length !== probabilities.length || labels.length === 0)
    throw new UsageError(
      `${name}: expects probabilities for each of one or more labels, got ${probabilities.length} for ${labels.length}`,
    );
  const classes = probabilities[0].length;
  for (const [n, row] of probabilities.entries()) {
    let sum = 0;
    for (let k = 0; k < row.length; k++) sum += typeof row[k] === 'number' && row[k] >= 0 ? row[k] : Number.NaN;
    if (row.length !== classes || classes < 2 || !(Math.abs(sum - 1) < 1e-3))
      throw new UsageError(
        `${name}: expects probabilities of ${Math.max(2, classes)} classes that sum to 1, got ${Array.from(row).slice(0, 5).map(received).join(', ')} at ${n}`,
      );
    if (!Number.isInteger(labels[n]) || labels[n] < 0 || labels[n] >= classes)
      throw new UsageError(`${name}: expects classes 0 to ${classes - 1}, got ${received(labels[n])} at ${n}`);
  }
}

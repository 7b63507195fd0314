/** Cross-fitting: what is learned from some of the pictures judges the others, so that each is judged by what has not seen it. */
import { Random, RandomStream } from '../../tensor/random.js';

export const FOLDS = 5;

/** The fold of each sample: every class is divided evenly, in an order drawn from the seed. */
export function divide(labels: ArrayLike<number>, classes: number, seed: number): number[] {
  const folds = Array.from({ length: labels.length }, () => 0);
  for (let label = 0; label < classes; label++) {
    const members = Array.from(labels).flatMap((each, index) => (each === label ? [index] : []));
    const order = new Random(seed, RandomStream.split, label).permutation(members.length);
    order.forEach((place, rank) => (folds[members[place]] = rank % FOLDS));
  }
  return folds;
}

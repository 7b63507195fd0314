/**
 * How the CPU device's work is split. The split follows from the sizes alone, never from the number of threads, so that
 * results do not depend on it.
 */

/** Parts that keep many threads busy, and few enough that each is worth a hand-over. */
const MOST_PARTS = 32;

/** `parts` parts of `chunk` items each; the last may be shorter. */
export interface Split {
  readonly parts: number;
  readonly chunk: number;
}

/**
 * @param smallest items below which splitting does not pay
 * @param multiple of which each chunk is one, save the last
 */
export function split(count: number, smallest = 1, multiple = 1): Split {
  const chunk = Math.max(smallest, Math.ceil(count / MOST_PARTS / multiple) * multiple);
  return { parts: Math.max(1, Math.ceil(count / chunk)), chunk };
}

/** Elements that are treated alike, in whole fours. */
export const splitElements = (count: number): Split => splitRows(count, 4);

/** The same in whole rows of so many elements. */
export const splitRows = (count: number, row: number): Split => split(count, Math.ceil(4096 / row) * row, row);

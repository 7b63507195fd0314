/**
 * Rows of a component that has half as many samples as the picture has pixels, one way or both ways, at the picture's
 * resolution: libjpeg's "fancy" upsampling. A new sample is 3/4 of the nearer and 1/4 of the farther of the two that it lies
 * between; what is left is rounded up and down in turns. Source: libjpeg-turbo's jdsample.c, bit for bit.
 *
 * Rows lie in one memory, at the places given. The samples beside a row must repeat its ends.
 */

/** [width] → [2 · width] */
export function doubleColumns(memory: Uint8ClampedArray, from: number, width: number, to: number): void {
  for (const end = from + width; from < end; from++) {
    memory[to++] = (3 * memory[from] + memory[from - 1] + 1) >> 2;
    memory[to++] = (3 * memory[from] + memory[from + 1] + 2) >> 2;
  }
}

/** [width] → [width] */
export function betweenRows(
  memory: Uint8ClampedArray,
  near: number,
  far: number,
  rounding: number,
  width: number,
  to: number,
): void {
  for (const end = to + width; to < end; to++) memory[to] = (3 * memory[near++] + memory[far++] + rounding) >> 2;
}

/** [width] → [2 · width] */
export function doubleColumnsBetweenRows(
  memory: Uint8ClampedArray,
  near: number,
  far: number,
  width: number,
  to: number,
): void {
  let previous = 3 * memory[near - 1] + memory[far - 1];
  let sum = 3 * memory[near] + memory[far];
  for (let column = 1; column <= width; column++) {
    const next = 3 * memory[near + column] + memory[far + column];
    memory[to++] = (3 * sum + previous + 8) >> 4;
    memory[to++] = (3 * sum + next + 7) >> 4;
    previous = sum;
    sum = next;
  }
}

/** Smooth random values, for surfaces. They are the same in every picture: a picture draws where in them it lies. */

/** The noise repeats after so many units. */
export const NOISE_SIZE = 128;

const lattice = Float32Array.from({ length: NOISE_SIZE * NOISE_SIZE }, (_, index) => hash(index + 1) * 2 ** -32);

/** Value noise in [0, 1): random values at whole numbers, smoothly joined. */
export function noise(x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const acrossX = x - left;
  const acrossY = y - top;
  const shareX = acrossX * acrossX * (3 - 2 * acrossX);
  const shareY = acrossY * acrossY * (3 - 2 * acrossY);
  const mask = NOISE_SIZE - 1;
  const upper = (top & mask) * NOISE_SIZE;
  const lower = ((top + 1) & mask) * NOISE_SIZE;
  const column = left & mask;
  const next = (left + 1) & mask;
  const above = lattice[upper + column] + shareX * (lattice[upper + next] - lattice[upper + column]);
  const below = lattice[lower + column] + shareX * (lattice[lower + next] - lattice[lower + column]);
  return above + shareY * (below - above);
}

/** Mixes the bits of a 32-bit integer. Source: Chris Wellons, "Prospecting for hash functions" (lowbias32). */
export function hash(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** 0 up to `low`, 1 from `high`, and smooth between them. */
export function smoothstep(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/**
 * Points that fill the unit cube evenly: Sobol's sequence, each digit shifted by the seed's (a random digital shift keeps the evenness).
 * Source: Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30 (2008);
 * direction numbers of new-joe-kuo-6.
 */
import { expectCount, expectWhole } from '../../expect.js';
import { Random, RandomStream } from '../../tensor/random.js';

/** Of the dimensions from the second on: the polynomial's degree, its coefficients, and the first direction numbers. */
const DIRECTIONS: readonly (readonly [degree: number, coefficients: number, ...first: number[]])[] = [
  [1, 0, 1],
  [2, 1, 1, 3],
  [3, 1, 1, 3, 1],
  [3, 2, 1, 1, 1],
  [4, 1, 1, 1, 3, 3],
  [4, 4, 1, 3, 5, 13],
  [5, 2, 1, 1, 5, 5, 17],
  [5, 4, 1, 1, 5, 5, 5],
  [5, 7, 1, 1, 7, 11, 19],
  [5, 11, 1, 1, 5, 1, 1],
  [5, 13, 1, 1, 1, 3, 11],
  [5, 14, 1, 3, 5, 5, 31],
  [6, 1, 1, 3, 3, 9, 7, 49],
  [6, 13, 1, 1, 1, 15, 21, 21],
  [6, 16, 1, 3, 1, 13, 27, 49],
];

export const MOST_DIMENSIONS = DIRECTIONS.length + 1;

/** One coordinate of a point of the plain sequence, as 32 bits. */
export function sobolBits(index: number, dimension: number): number {
  expectCount(index, 'sobolBits: index');
  expectWhole(dimension, 'sobolBits: dimension', 0, MOST_DIMENSIONS - 1);
  const directions = directionsOf(dimension);
  let bits = 0;
  const gray = index ^ (index >>> 1);
  for (let digit = 0; digit < 32; digit++) if ((gray >>> digit) & 1) bits ^= directions[digit];
  return bits >>> 0;
}

/** v_k = m_k · 2^(32 − k), [32] */
function directionsOf(dimension: number): Uint32Array {
  const v = new Uint32Array(32);
  if (dimension === 0) return v.map((_, k) => 2 ** (31 - k));
  const [degree, coefficients, ...first] = DIRECTIONS[dimension - 1];
  for (let k = 0; k < 32; k++) {
    if (k < degree) {
      v[k] = first[k] * 2 ** (31 - k);
      continue;
    }
    v[k] = v[k - degree] ^ (v[k - degree] >>> degree);
    for (let n = 1; n < degree; n++) if ((coefficients >>> (degree - 1 - n)) & 1) v[k] ^= v[k - n];
  }
  return v;
}

/** A point in [0, 1)^dimensions that follows from seed and index alone. */
export function sobolPoint(seed: number, index: number, dimensions: number): number[] {
  return Array.from({ length: dimensions }, (_, dimension) => {
    const shift = new Random(seed, RandomStream.search, dimension).bits();
    return ((sobolBits(index, dimension) ^ shift) >>> 0) * 2 ** -32;
  });
}

/** The same without evenness. */
export const randomPoint = (seed: number, index: number, dimensions: number): number[] =>
  Array.from(
    { length: dimensions },
    (_, dimension) => new Random(seed, RandomStream.search, dimension, index + 1).bits() * 2 ** -32,
  );

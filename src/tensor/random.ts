/**
 * Random numbers by counter: Philox 4×32 with 10 rounds.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 *
 * A draw depends only on its address (seed, stream, two indices), never on what was drawn before it, so the order of
 * work (threads, batches, a resumed run) cannot change a result.
 */
import { expectNumber, expectWhole, listOf, refuse } from '../expect.js';
import { cos, log } from './exact-math.js';
import { fillRounds } from './random.wasm.js';

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers, by halves, so that all stays in integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Neither sum reaches 2^32: (2^16 − 1)² + 2^16 − 1 is below it.
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) >>> 0;
  const other = (Math.imul(aLow, bHigh) + (middle & 0xffff)) >>> 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) >>> 0;
}

/**
 * One Philox 4×32-10 block: four 32-bit words for a 128-bit counter and a 64-bit key.
 *
 * @param counter four unsigned 32-bit words
 * @param key two unsigned 32-bit words
 * @param out where the four words go
 */
export function philox4x32(
  counter: ArrayLike<number>,
  key: ArrayLike<number>,
  out: Uint32Array = new Uint32Array(4),
): Uint32Array {
  listOf(expectNumber)(counter, 'philox4x32: counter');
  listOf(expectNumber)(key, 'philox4x32: key');
  if (!(out instanceof Uint32Array)) refuse(out, 'philox4x32: out', 'a Uint32Array');
  return block(counter, key, out);
}

function block(counter: ArrayLike<number>, key: ArrayLike<number>, out: Uint32Array): Uint32Array {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}

/** What random numbers are used for. Each purpose has its own, independent sequence; the numbers are part of the format. */
export const RandomStream = {
  weights: 1,
  shuffle: 2,
  augmentation: 3,
  split: 4,
  synthetic: 5,
  dropout: 6,
  defects: 7,
  bootstrap: 8,
  search: 9,
} as const;
export type RandomStream = (typeof RandomStream)[keyof typeof RandomStream];

/** From so many numbers on WebAssembly is worth the call. */
const MANY = 256;

/**
 * The sequence of random numbers at one address. Two instances with the same address give the same numbers.
 *
 * @example const random = new Random(seed, RandomStream.augmentation, epoch, sample);
 */
export class Random {
  readonly #key: [number, number];
  readonly #counter: [number, number, number, number];
  readonly #block = new Uint32Array(4);
  #used = 4;

  /**
   * @param seed any integer of at most 53 bits
   * @param stream what the numbers are for
   * @param major first index of the address (epoch, parameter, picture …), below 2^32
   * @param minor second index (sample …), below 2^32
   */
  constructor(seed: number, stream: RandomStream, major = 0, minor = 0) {
    expectNumber(seed, 'Random: seed');
    expectNumber(stream, 'Random: stream');
    expectNumber(major, 'Random: major');
    expectNumber(minor, 'Random: minor');
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#counter = [0, stream, major, minor];
  }

  /** The next 32 random bits, as an unsigned integer. */
  bits(): number {
    if (this.#used === 4) {
      block(this.#counter, this.#key, this.#block);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#block[this.#used++];
  }

  /** Leaves the next `count` numbers out. */
  skip(count: number): void {
    expectNumber(count, 'skip: count');
    const within = Math.min(count, 4 - this.#used);
    this.#used += within;
    this.#counter[0] += Math.floor((count - within) / 4);
    for (let left = (count - within) % 4; left > 0; left--) this.bits();
  }

  /** Uniform in [low, high): 2^24 equally likely values, each exact in float32 when the range is [0, 1). */
  uniform(low = 0, high = 1): number {
    expectNumber(low, 'uniform: low');
    expectNumber(high, 'uniform: high');
    return low + (high - low) * ((this.bits() >>> 8) * 2 ** -24);
  }

  /** Fills an array with what so many calls of `uniform` would give, many times as fast. */
  fillUniform(out: Float32Array, low = 0, high = 1): Float32Array {
    if (!(out instanceof Float32Array)) refuse(out, 'fillUniform: out', 'a Float32Array');
    expectNumber(low, 'fillUniform: low');
    expectNumber(high, 'fillUniform: high');
    const range = high - low;
    let index = 0;
    const one = (): void => {
      out[index++] = low + range * ((this.bits() >>> 8) * 2 ** -24);
    };
    if (out.length >= MANY) {
      while (this.#used < 4) one();
      const filled = fillRounds(out, index, this.#counter, this.#key, low, range);
      this.#counter[0] += filled / 4;
      index += filled;
    }
    while (index < out.length) one();
    return out;
  }

  /** Uniform integer in [0, limit), by multiplication; the bias is below limit / 2^32. */
  integer(limit: number): number {
    expectNumber(limit, 'integer: limit');
    return Math.floor(this.bits() * 2 ** -32 * limit);
  }

  /** Normal with mean 0 and deviation 1 (Box–Muller; one of the pair is thrown away, so that draws stay countable). */
  normal(): number {
    const radius = Math.sqrt(-2 * log(1 - this.uniform()));
    return radius * cos(2 * Math.PI * this.uniform());
  }

  /** The indices 0 … count − 1 in random order (Fisher–Yates). */
  permutation(count: number): Uint32Array {
    expectWhole(count, 'permutation: count', 0, 2 ** 30);
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    return order;
  }
}

/**
 * Whether a camera shows what is there now: it may be frozen, or look elsewhere. Both are told from the pictures alone. What is wrong with
 * a single picture (dark, overexposed, blurred, covered, unlike the training's) its model tells.
 */
import { pixelHash } from '../classifier/pixel-hash.js';
import type { Picture } from '../data/pictures/picture.js';

/** Brightness Y of a picture (ITU-R 601) in a grid of `side` × `side` cells, each the mean of up to 4 × 4 of its pixels. */
export function brightnessGrid({ width, height, data }: Picture, side: number): Float32Array {
  const grid = new Float32Array(side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      let sum = 0;
      for (let dy = 0; dy < 4; dy++) {
        const y = Math.min(height - 1, Math.floor(((row + (dy + 0.5) / 4) * height) / side));
        for (let dx = 0; dx < 4; dx++) {
          const x = Math.min(width - 1, Math.floor(((column + (dx + 0.5) / 4) * width) / side));
          const at = 3 * (y * width + x);
          sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
        }
      }
      grid[row * side + column] = sum / 16;
    }
  }
  return grid;
}

/** Cells along each side of what is compared from frame to frame. */
const FROZEN_SIDE = 32;
/** Differences from which the noise of a camera is known. */
const KNOWN_AFTER = 50;
const REMEMBERED = 400;
/** Frames that differ by less than this part of the least usual difference are the same frame, encoded anew. */
const FROZEN_PART = 0.1;

/** Frozen: the pixels are the same, or differ by far less than this camera's noise does, for long. */
export class FrozenWatch {
  readonly #milliseconds: number;
  readonly #differences: number[] = [];
  #seen = 0;
  #last: { readonly grid: Float32Array; readonly hash: number | null } | null = null;
  #sameSince = 0;
  #sameFrames = 0;

  /** @param seconds from which on it is frozen; 0 for never */
  constructor(seconds: number) {
    this.#milliseconds = seconds * 1000;
  }

  /** @returns why it is frozen, or null */
  look(picture: Picture, now: number): string | null {
    if (this.#milliseconds === 0) return null;
    const grid = brightnessGrid(picture, FROZEN_SIDE);
    const difference = this.#last ? meanDifference(grid, this.#last.grid) : Infinity;
    // The hash takes all pixels, and is asked only where the grid sees no difference.
    const hash = difference === 0 ? pixelHash(picture.data) : null;
    const isSame = difference === 0 && (this.#last?.hash === null || this.#last?.hash === hash);
    const floor = this.#noiseFloor();
    const isStill = isSame || difference < FROZEN_PART * floor;
    this.#last = { grid, hash };
    if (!isStill) {
      this.#sameFrames = 0;
      this.#sameSince = now;
      if (Number.isFinite(difference)) this.#differences[this.#seen++ % REMEMBERED] = difference;
      return null;
    }
    this.#sameFrames++;
    const seconds = (now - this.#sameSince) / 1000;
    if (this.#sameFrames < 3 || now - this.#sameSince < this.#milliseconds) return null;
    return isSame
      ? `the same pixels for ${seconds.toFixed(0)} s`
      : `no noise for ${seconds.toFixed(0)} s: frames differ by ${difference.toFixed(4)} levels, usually by ${floor.toFixed(3)} or more`;
  }

  /** The least usual difference of two frames, in levels of 255; 0 while it is not known. */
  #noiseFloor(): number {
    if (this.#differences.length < KNOWN_AFTER) return 0;
    return this.#differences.toSorted((a, b) => a - b)[Math.floor(this.#differences.length / 20)];
  }
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += Math.abs(a[at] - b[at]);
  return sum / a.length;
}

const MOVED_SIDE = 64;
const REACH = 16;
/** Frames that are averaged, so that what moves by itself washes out and what stands still stays. */
const AVERAGED = 12;
const MILLISECONDS_BETWEEN_LOOKS = 250;
/** Registering takes some 10 ms: with every eighth look. */
const LOOKS_BETWEEN_REGISTRATIONS = 8;
/** Of edges: below this nothing of the reference is found anywhere. */
const LEAST_LIKENESS = 0.2;
/** So much better the scene must fit elsewhere than at its place. */
const LEAST_GAIN = 0.1;

/** Moved: the edges of what stands still lie elsewhere than in the reference, or are not to be found. */
export class MovedWatch {
  readonly #reference: Float32Array;
  readonly #part: number;
  #mean: Float32Array | null = null;
  #count = 0;
  #looks = 0;
  #lookedAt = -Infinity;
  #result: string | null = null;

  /**
   * @param references one picture or more of how the camera should look
   * @param part of the width from which on it has moved
   */
  constructor(references: readonly Picture[], part: number) {
    const mean = new Float32Array(MOVED_SIDE * MOVED_SIDE);
    for (const picture of references) {
      const grid = brightnessGrid(picture, MOVED_SIDE);
      for (let at = 0; at < mean.length; at++) mean[at] += grid[at] / references.length;
    }
    this.#reference = edges(mean);
    this.#part = part;
  }

  /** @returns why it has moved, or null */
  look(picture: Picture, now: number): string | null {
    if (now - this.#lookedAt < MILLISECONDS_BETWEEN_LOOKS) return this.#result;
    this.#lookedAt = now;
    const grid = brightnessGrid(picture, MOVED_SIDE);
    this.#mean ??= new Float32Array(grid.length);
    this.#count = Math.min(AVERAGED, this.#count + 1);
    for (let at = 0; at < grid.length; at++) this.#mean[at] += (grid[at] - this.#mean[at]) / this.#count;
    this.#looks++;
    if (this.#count < AVERAGED || (this.#looks - AVERAGED) % LOOKS_BETWEEN_REGISTRATIONS !== 0) return this.#result;
    const { x, y, likeness, atPlace } = registration(this.#reference, edges(this.#mean));
    const distance = Math.sqrt(x * x + y * y) / MOVED_SIDE;
    if (likeness < LEAST_LIKENESS)
      this.#result = `nothing of the reference is found (likeness ${likeness.toFixed(2)}): is it another scene?`;
    else if (distance > this.#part && likeness > atPlace + LEAST_GAIN)
      this.#result = `the scene lies ${percent(x)} of the width to the right and ${percent(y)} of the height down from where it was`;
    else this.#result = null;
    return this.#result;
  }
}

const percent = (cells: number): string => `${((100 * cells) / MOVED_SIDE).toFixed(0)} %`;

/** Length of the gradient in each cell. */
function edges(grid: Float32Array): Float32Array {
  const out = new Float32Array(grid.length);
  for (let row = 1; row < MOVED_SIDE - 1; row++) {
    for (let column = 1; column < MOVED_SIDE - 1; column++) {
      const at = row * MOVED_SIDE + column;
      const across = grid[at + 1] - grid[at - 1];
      const down = grid[at + MOVED_SIDE] - grid[at - MOVED_SIDE];
      out[at] = Math.sqrt(across * across + down * down);
    }
  }
  return out;
}

/** Where `now` lies against `before`: the shift of the largest normalized cross-correlation (Lewis, 1995), in cells. */
export function registration(
  before: Float32Array,
  now: Float32Array,
): { readonly x: number; readonly y: number; readonly likeness: number; readonly atPlace: number } {
  let best = { x: 0, y: 0, likeness: -1 };
  const atPlace = correlation(before, now, 0, 0);
  for (let y = -REACH; y <= REACH; y++) {
    for (let x = -REACH; x <= REACH; x++) {
      const likeness = correlation(before, now, x, y);
      if (likeness > best.likeness) best = { x, y, likeness };
    }
  }
  return { ...best, atPlace };
}

/** Of the part that both have when `now` is `before`, moved by x cells to the right and y down. */
function correlation(before: Float32Array, now: Float32Array, x: number, y: number): number {
  let [count, a, b, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  for (let row = Math.max(1, 1 + y); row < Math.min(MOVED_SIDE - 1, MOVED_SIDE - 1 + y); row++) {
    for (let column = Math.max(1, 1 + x); column < Math.min(MOVED_SIDE - 1, MOVED_SIDE - 1 + x); column++) {
      const was = before[(row - y) * MOVED_SIDE + column - x];
      const is = now[row * MOVED_SIDE + column];
      count++;
      a += was;
      b += is;
      aa += was * was;
      bb += is * is;
      ab += was * is;
    }
  }
  const variance = (aa - (a * a) / count) * (bb - (b * b) / count);
  return variance > 0 ? (ab - (a * b) / count) / Math.sqrt(variance) : 0;
}

/**
 * Which pictures look alike: their thumbnails (16×16 brightness) differ by at most so many levels of 255 on average. Copies
 * that were saved again, resized or slightly changed differ by less than one; pictures of one camera at different times
 * by several.
 */
import { THUMBNAIL_SIDE } from './picture-facts.js';

const LENGTH = THUMBNAIL_SIDE * THUMBNAIL_SIDE;
const BLOCK = 4;
const BLOCKS = (THUMBNAIL_SIDE / BLOCK) ** 2;

/** Mean absolute difference of two thumbnails, in levels. */
export function thumbnailDistance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < LENGTH; index++) sum += Math.abs(a[index] - b[index]);
  return sum / LENGTH;
}

/**
 * All pairs of pictures whose thumbnails are at most `distance` apart, each pair once.
 *
 * Sums over parts bound the distance from below, so that most pairs are settled without a look at their pixels: pictures
 * are gone through by mean brightness, then compared by sixteen blocks.
 */
export function forEachNearPair(
  thumbnails: readonly Uint8Array[],
  distance: number,
  visit: (a: number, b: number) => void,
): void {
  const count = thumbnails.length;
  const limit = distance * LENGTH;
  const blocks = new Int32Array(count * BLOCKS);
  const sums = new Int32Array(count);
  for (const [picture, thumbnail] of thumbnails.entries()) {
    for (let at = 0; at < LENGTH; at++) {
      const row = Math.floor(at / THUMBNAIL_SIDE / BLOCK);
      const column = Math.floor((at % THUMBNAIL_SIDE) / BLOCK);
      blocks[picture * BLOCKS + row * (THUMBNAIL_SIDE / BLOCK) + column] += thumbnail[at];
      sums[picture] += thumbnail[at];
    }
  }
  const order = Uint32Array.from({ length: count }, (_, index) => index).toSorted((a, b) => sums[a] - sums[b] || a - b);
  for (let first = 0; first < count; first++) {
    const a = order[first];
    for (let second = first + 1; second < count && sums[order[second]] - sums[a] <= limit; second++) {
      const b = order[second];
      let bound = 0;
      for (let block = 0; block < BLOCKS && bound <= limit; block++) {
        bound += Math.abs(blocks[a * BLOCKS + block] - blocks[b * BLOCKS + block]);
      }
      if (bound <= limit && thumbnailDistance(thumbnails[a], thumbnails[b]) <= distance) visit(a, b);
    }
  }
}

/** Sets of things that are joined pair by pair. */
export class Clusters {
  readonly #parent: Uint32Array;

  constructor(count: number) {
    this.#parent = Uint32Array.from({ length: count }, (_, index) => index);
  }

  find(index: number): number {
    const parent = this.#parent;
    while (parent[index] !== index) index = parent[index] = parent[parent[index]];
    return index;
  }

  join(a: number, b: number): void {
    const [low, high] = [this.find(a), this.find(b)].toSorted((x, y) => x - y);
    this.#parent[high] = low;
  }

  /** Members of each set, ascending; sets in the order of their first member. */
  members(): number[][] {
    const found = new Map<number, number[]>();
    for (let index = 0; index < this.#parent.length; index++) {
      const root = this.find(index);
      const members = found.get(root);
      if (members) members.push(index);
      else found.set(root, [index]);
    }
    return [...found.values()];
  }
}

/**
 * Which pictures look alike: their thumbnails (16×16 brightness) differ by at most so many levels of 255 on average. Copies
 * that were saved again, resized or slightly changed differ by less than one; pictures of one camera at different times
 * by several.
 */
import { turns } from '../../turns.js';
import { THUMBNAIL_SIDE } from './picture-facts.js';

const LENGTH = THUMBNAIL_SIDE * THUMBNAIL_SIDE;
const BLOCK = 4;
const BLOCKS = (THUMBNAIL_SIDE / BLOCK) * (THUMBNAIL_SIDE / BLOCK);

/** Mean absolute difference of two thumbnails, in levels. */
export function thumbnailDistance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < LENGTH; index++) sum += Math.abs(a[index] - b[index]);
  return sum / LENGTH;
}

/**
 * Pairs of pictures whose thumbnails are at most `distance` apart, as many as join what a chain of such pairs joins.
 *
 * Pictures are gathered around the first one that is at most half as far: those of one gathering are all near each other by the
 * triangle inequality, so that ten thousand alike pictures are not compared with one another. Between gatherings, sums over
 * parts bound the distance from below, so that most pairs are settled without a look at their pixels.
 */
export async function nearJoins(
  thumbnails: readonly Uint8Array[],
  distance: number,
): Promise<readonly (readonly [number, number])[]> {
  const count = thumbnails.length;
  const limit = distance * LENGTH;
  const turn = turns();
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
  const isWithin = (a: number, b: number, most: number): boolean => {
    if (Math.abs(sums[a] - sums[b]) > most) return false;
    let bound = 0;
    for (let block = 0; block < BLOCKS && bound <= most; block++) {
      bound += Math.abs(blocks[a * BLOCKS + block] - blocks[b * BLOCKS + block]);
    }
    return bound <= most && thumbnailDistance(thumbnails[a], thumbnails[b]) * LENGTH <= most;
  };
  const joins: [number, number][] = [];
  const joined = new Clusters(count);
  const join = (a: number, b: number): void => {
    joins.push([a, b]);
    joined.join(a, b);
  };
  const order = Uint32Array.from({ length: count }, (_, index) => index).toSorted((a, b) => sums[a] - sums[b] || a - b);
  // Gatherings, in the order of their centres' brightness; the centre is the first member.
  const gatherings: number[][] = [];
  let first = 0;
  for (const picture of order) {
    while (first < gatherings.length && sums[picture] - sums[gatherings[first][0]] > limit / 2) first++;
    let own: number[] | undefined;
    for (let at = gatherings.length - 1; at >= first && !own; at--)
      if (isWithin(gatherings[at][0], picture, limit / 2)) own = gatherings[at];
    if (own) {
      join(own[0], picture);
      own.push(picture);
    } else gatherings.push([picture]);
    const waiting = turn();
    if (waiting) await waiting;
  }
  for (const [index, gathering] of gatherings.entries()) {
    const [centre] = gathering;
    for (let next = index + 1; next < gatherings.length; next++) {
      const other = gatherings[next];
      if (sums[other[0]] - sums[centre] > 2 * limit) break;
      if (joined.find(centre) === joined.find(other[0]) || !isWithin(centre, other[0], 2 * limit)) continue;
      const pair = await nearPair(gathering, other, (a, b) => isWithin(a, b, limit), turn);
      if (pair) join(...pair);
      const waiting = turn();
      if (waiting) await waiting;
    }
    const waiting = turn();
    if (waiting) await waiting;
  }
  return joins;
}

/** The first pair of members that are near each other; one is enough to join two gatherings. */
async function nearPair(
  some: readonly number[],
  others: readonly number[],
  isNear: (a: number, b: number) => boolean,
  turn: () => Promise<void> | null,
): Promise<[number, number] | null> {
  for (const a of some) {
    for (const b of others) if (isNear(a, b)) return [a, b];
    const waiting = turn();
    if (waiting) await waiting;
  }
  return null;
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
    const [first, second] = [this.find(a), this.find(b)];
    this.#parent[Math.max(first, second)] = Math.min(first, second);
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

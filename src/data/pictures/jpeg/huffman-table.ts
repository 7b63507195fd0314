/**
 * Huffman codes as a decoder wants them: what the next bits mean, by lookup.
 * Source: ITU-T T.81, annex C (codes from their lengths) and F.2.2 (coefficients).
 */
import { DamagedPicture } from '../damaged-picture.js';

/** A table as files define it. */
export interface HuffmanDefinition {
  /** How many codes there are of each length from 1 to 16, [16] */
  readonly counts: Uint8Array;
  /** What the codes stand for, the shortest code first. */
  readonly symbols: Uint8Array;
}

/** Bits that are looked up at once. With more, the tables would leave the processor's nearest cache. */
const LOOKUP_BITS = 10;
/** The next bits stand highest in a word of 32. */
export const LOOKUP_SHIFT = 32 - LOOKUP_BITS;
const LONGEST_CODE = 16;

/**
 * A code's entry is 5 bits for its length, 4 for the size of the number that follows it, 4 for the run of zeros before that
 * number. Where code and number fit into the bits that are looked up, the entry has the number too, in its upper 16 bits;
 * then the length is that of both and the size is 0.
 */
export interface HuffmanTable {
  /** Entry by the next bits; 0 where the code is longer than they are. */
  readonly lookup: Int32Array;
  /** Entry by the code's place in order. */
  readonly entries: Int32Array;
  /** By length: the first string of 16 bits that is behind all codes of up to this length, [17] */
  readonly limits: Int32Array;
  /** By length: what to add to a code to get its place in order, [17] */
  readonly offsets: Int32Array;
}

export const entryLength = (entry: number): number => entry & 31;
export const entrySize = (entry: number): number => (entry >> 5) & 15;
export const entryRun = (entry: number): number => (entry >> 9) & 15;
export const entryNumber = (entry: number): number => entry >> 16;

/** @throws DamagedPicture when there are more codes than their lengths allow */
export function buildHuffmanTable({ counts, symbols }: HuffmanDefinition): HuffmanTable {
  const lookup = new Int32Array(1 << LOOKUP_BITS);
  const entries = Int32Array.from(symbols, (symbol) => ((symbol & 15) << 5) | ((symbol >> 4) << 9));
  const limits = new Int32Array(LONGEST_CODE + 1);
  const offsets = new Int32Array(LONGEST_CODE + 1);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    offsets[length] = place - code;
    for (const end = place + counts[length - 1]; place < end; place++, code++) {
      entries[place] |= length;
      if (length <= LOOKUP_BITS) fillLookup(lookup, code << (LOOKUP_BITS - length), entries[place]);
    }
    if (place > 0 && code >= 1 << length) throw new DamagedPicture('a Huffman table has too many codes'); // none is all ones
    limits[length] = code << (LONGEST_CODE - length);
    code <<= 1;
  }
  return { lookup, entries, limits, offsets };
}

/** For all strings that start with a code, the first of which is `first`. */
function fillLookup(lookup: Int32Array, first: number, entry: number): void {
  const size = entrySize(entry);
  const free = LOOKUP_BITS - entryLength(entry);
  const withNumber = (entryRun(entry) << 9) | (entryLength(entry) + size);
  for (let rest = 0; rest < 1 << free; rest++) {
    const hasNumber = size > 0 && size <= free;
    lookup[first + rest] = hasNumber ? (signed(rest >> (free - size), size) << 16) | withNumber : entry;
  }
}

/** The entry of a code that is too long to be looked up, or 0 where there is no such code. */
export function findLongCode({ entries, limits, offsets }: HuffmanTable, buffer: number): number {
  const next = buffer >>> (32 - LONGEST_CODE);
  for (let length = LOOKUP_BITS + 1; length <= LONGEST_CODE; length++) {
    if (next < limits[length]) return entries[(next >> (LONGEST_CODE - length)) + offsets[length]];
  }
  return 0;
}

/** A number of `size` bits: those that start with 0 are negative, and stand for how far they are above the lowest. */
export function signed(bits: number, size: number): number {
  return bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
}

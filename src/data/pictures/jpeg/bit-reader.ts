/** The bits of a scan's compressed data, restart interval by restart interval. */
import { DamagedPicture } from '../damaged-picture.js';
import { entryLength, findLongCode, type HuffmanTable, LOOKUP_SHIFT } from './huffman-table.js';

const FIRST_RESTART_MARKER = 0xd0;

/** A unit has at most 10 blocks of 64 codes with numbers, of 31 bits each: one too many must stay within the array. */
const BYTES_BEHIND = 2500;

/** So that a position in bits is a whole number of 32. */
const LONGEST_SCAN = 2 ** 28;

/** Where a restart interval ends: in `BitReader.view`, and the marker's position in the file. */
interface IntervalEnd {
  readonly end: number;
  readonly marker: number;
}

/** At least 25 bits from `position` on, in the highest places of a word of 32. */
export const nextBits = (view: DataView, position: number): number => view.getInt32(position >>> 3) << (position & 7);

/**
 * The next bits are read anew for each code and each number, wherever they start: a buffer of them would ask every time
 * whether it must be refilled, and no processor foresees the answers.
 */
export class BitReader {
  /** The scan's compressed data without stuffed bytes and markers, then zeros. */
  readonly view: DataView;
  /** How many bits were taken. */
  position = 0;
  readonly #file: Uint8Array;
  readonly #start: number;
  readonly #ends: IntervalEnd[] = [];
  #interval = 0;

  /** @param start, end of the compressed data in the file; at `end` stands the marker of what follows the scan */
  constructor(file: Uint8Array, start: number, end: number) {
    this.#file = file;
    this.#start = start;
    if (end - start > LONGEST_SCAN)
      throw this.damage(`${end - start} bytes, more than the ${LONGEST_SCAN} of any camera`);
    const bytes = new Uint8Array(end - start + BYTES_BEHIND);
    let to = 0;
    for (let from = start; from < end; from++) {
      const byte = file[from];
      bytes[to++] = byte;
      if (byte !== 0xff) continue;
      const marker = from;
      do from++;
      while (file[from] === 0xff); // bytes that only fill
      if (file[from] !== 0) this.#ends.push({ end: --to, marker });
    }
    this.#ends.push({ end: to, marker: end });
    this.view = new DataView(bytes.fill(0, to).buffer);
  }

  /** The next bits, as a number from 0. @param size 1 to 16 */
  take(size: number): number {
    const next = nextBits(this.view, this.position);
    this.position += size;
    return next >>> (32 - size);
  }

  /** The entry of the next code; a number that it holds is taken with it. */
  takeCode(table: HuffmanTable): number {
    const next = nextBits(this.view, this.position);
    const entry = table.lookup[next >>> LOOKUP_SHIFT] || findLongCode(table, next);
    if (entry === 0) throw this.unknownCode();
    this.position += entryLength(entry);
    return entry;
  }

  /** @throws DamagedPicture when more bits were taken than the restart interval has */
  checkEnd(): void {
    const { end, marker } = this.#ends[this.#interval];
    if (this.position <= end * 8) return;
    throw new DamagedPicture(`its pixel data ends too early, at byte ${marker}`);
  }

  /**
   * Goes on behind the restart marker that ends this interval; what is left before it is passed over.
   *
   * @throws DamagedPicture when that marker is missing or another one
   */
  restart(): void {
    const { end, marker } = this.#ends[this.#interval];
    const expected = FIRST_RESTART_MARKER + (this.#interval % 8);
    let at = marker;
    while (this.#file[at] === 0xff) at++;
    if (this.#file[at] !== expected) {
      const received = `ff${this.#file[at].toString(16).padStart(2, '0')}`;
      throw new DamagedPicture(
        `expects the restart marker ff${expected.toString(16)} at byte ${marker}, got ${received}`,
      );
    }
    this.#interval++;
    this.position = end * 8;
  }

  unknownCode(): DamagedPicture {
    return this.damage('a code that its Huffman table does not have');
  }

  behindBlock(): DamagedPicture {
    return this.damage('a coefficient behind the end of its block');
  }

  /** An error in the data itself. */
  damage(problem: string): DamagedPicture {
    return new DamagedPicture(`its pixel data, which starts at byte ${this.#start}, has ${problem}`);
  }
}

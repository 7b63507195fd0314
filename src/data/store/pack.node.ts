/**
 * A pack: one file with many prepared pictures, found by the digest of the file that each was made from. It is written
 * under a temporary name and renamed when it is complete and on the disk; it never changes after that.
 *
 *     pictures  [count, pictureLength]
 *     checks    [count] uint32            CRC-32 of each picture
 *     facts     [count, FACTS_LENGTH]     see picture-facts.ts
 *     index     [count, ENTRY_LENGTH]     see digest-index.ts: digest → place
 *     trailer   64 bytes: 'BELTPACK', version, count, picture length (uint32 each), 12 zeros, SHA-256 of checks to index
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, read, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DataError } from '../../errors.js';
import { DigestIndex, ENTRY_LENGTH } from './digest-index.js';
import { DIGEST_LENGTH, FACTS_LENGTH } from '../audit/picture-facts.js';

const MAGIC = 'BELTPACK';
const VERSION = 2;
const TRAILER_LENGTH = 64;
const CHECK_LENGTH = 4;

export const PACK_EXTENSION = '.pack';

/** Where packs are written; such a file that nobody writes to any more is what a crash left. */
export const TEMPORARY_EXTENSION = '.tmp';

export class Pack {
  readonly path: string;
  readonly index: DigestIndex;
  readonly count: number;
  readonly #checks: Buffer;
  readonly #facts: Uint8Array;
  readonly #pictureLength: number;
  readonly #file: number;

  /** @param table checks, facts and index of `count` pictures */
  private constructor(path: string, file: number, count: number, table: Uint8Array, pictureLength: number) {
    this.path = path;
    this.count = count;
    const [factsStart, indexStart] = [count * CHECK_LENGTH, count * (CHECK_LENGTH + FACTS_LENGTH)];
    this.#checks = Buffer.from(table.subarray(0, factsStart));
    this.#facts = table.subarray(factsStart, indexStart);
    this.index = new DigestIndex(table.subarray(indexStart));
    this.#file = file;
    this.#pictureLength = pictureLength;
  }

  /** @returns null for a file that is no pack of such pictures, or a damaged one */
  static open(path: string, pictureLength: number): Pack | null {
    let file: number | null = null;
    try {
      file = openSync(path, 'r');
      const { size } = fstatSync(file);
      const trailer = readExactly(file, size - TRAILER_LENGTH, TRAILER_LENGTH);
      const view = new DataView(trailer.buffer);
      const count = view.getUint32(12, true);
      const tableStart = count * pictureLength;
      const tableLength = count * (CHECK_LENGTH + FACTS_LENGTH + ENTRY_LENGTH);
      const fits =
        Buffer.from(trailer.subarray(0, 8)).toString('latin1') === MAGIC &&
        view.getUint32(8, true) === VERSION &&
        view.getUint32(16, true) === pictureLength &&
        size === tableStart + tableLength + TRAILER_LENGTH;
      const table = fits ? readExactly(file, tableStart, tableLength) : null;
      if (table && createHash('sha256').update(table).digest().equals(trailer.subarray(32))) {
        return new Pack(path, file, count, table, pictureLength);
      }
    } catch {
      // not to be read: as if it were not there
    }
    if (file !== null) closeSync(file);
    return null;
  }

  facts(place: number): Uint8Array {
    return this.#facts.subarray(place * FACTS_LENGTH, (place + 1) * FACTS_LENGTH);
  }

  /**
   * Copies `count` pictures from `place` on into `target`.
   *
   * @throws DataError when the disk gives back other bytes than it was given; the pack is taken away then
   */
  async read(place: number, count: number, target: Uint8Array): Promise<void> {
    const bytes = count * this.#pictureLength;
    for (let done = 0; done < bytes;) {
      const length = await readPart(this.#file, target, done, bytes - done, place * this.#pictureLength + done);
      if (length === 0) throw this.#damaged(place + Math.floor(done / this.#pictureLength));
      done += length;
    }
    for (let at = 0; at < count; at++) {
      const picture = target.subarray(at * this.#pictureLength, (at + 1) * this.#pictureLength);
      if (crc32(picture) !== this.#checks.readUInt32LE((place + at) * CHECK_LENGTH)) throw this.#damaged(place + at);
    }
  }

  #damaged(place: number): DataError {
    rmSync(this.path, { force: true });
    return new DataError(
      `${this.path}: picture ${place} of this file of the cache is damaged; the file was taken away, so that the same ` +
        'command makes its pictures again; if that comes back, see to the disk',
    );
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** fs/promises would need its own file handle, which is closed (with a warning) when it is collected. */
function readPart(file: number, target: Uint8Array, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) =>
    read(file, target, at, length, position, (error, count) => (error ? reject(error) : resolve(count))),
  );
}

function readExactly(file: number, position: number, length: number): Uint8Array<ArrayBuffer> {
  if (position < 0) throw new RangeError('too short');
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const count = readSync(file, bytes, done, length - done, position + done);
    if (count === 0) throw new RangeError('too short');
    done += count;
  }
  return bytes;
}

/** Writes one pack, picture by picture. */
export class PackWriter {
  readonly #folder: string;
  readonly #pictureLength: number;
  readonly #temporary: string;
  readonly #file: number;
  readonly #checks: number[] = [];
  readonly #facts: Uint8Array[] = [];
  readonly #digests: Uint8Array[] = [];

  /** @throws what fs throws */
  constructor(folder: string, pictureLength: number) {
    this.#folder = folder;
    this.#pictureLength = pictureLength;
    this.#temporary = join(folder, `${process.pid}-${randomBytes(6).toString('hex')}${TEMPORARY_EXTENSION}`);
    this.#file = openSync(this.#temporary, 'wx');
  }

  get count(): number {
    return this.#digests.length;
  }

  get bytes(): number {
    return this.count * this.#pictureLength;
  }

  /** Appends a picture. @returns its place. @throws what fs throws */
  add(digest: Uint8Array, facts: Uint8Array, picture: Uint8Array): number {
    writeExactly(this.#file, picture);
    this.#checks.push(crc32(picture));
    this.#digests.push(digest.slice());
    this.#facts.push(facts.slice());
    return this.count - 1;
  }

  /** Makes the pack durable under its name. @returns its path. @throws what fs throws */
  finish(): string {
    const checks = Buffer.alloc(this.count * CHECK_LENGTH);
    for (const [place, check] of this.#checks.entries()) checks.writeUInt32LE(check, place * CHECK_LENGTH);
    const facts = Buffer.concat(this.#facts);
    const { bytes: index } = DigestIndex.of(Buffer.concat(this.#digests));
    const hash = createHash('sha256').update(checks).update(facts).update(index).digest();
    const trailer = Buffer.alloc(TRAILER_LENGTH);
    trailer.write(MAGIC, 0, 'latin1');
    trailer.writeUInt32LE(VERSION, 8);
    trailer.writeUInt32LE(this.count, 12);
    trailer.writeUInt32LE(this.#pictureLength, 16);
    hash.copy(trailer, TRAILER_LENGTH - DIGEST_LENGTH);
    for (const part of [checks, facts, index, trailer]) writeExactly(this.#file, part);
    fsyncSync(this.#file);
    closeSync(this.#file);
    // Random: two runs that made the same pack at the same time leave two, of which one is forgotten sooner or later.
    const path = join(this.#folder, basename(this.#temporary, TEMPORARY_EXTENSION) + PACK_EXTENSION);
    renameSync(this.#temporary, path);
    return path;
  }

  /** Takes the unfinished file away. */
  abandon(): void {
    try {
      closeSync(this.#file);
    } catch {
      // finish() was on its way
    }
    rmSync(this.#temporary, { force: true });
  }
}

function writeExactly(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done);
}

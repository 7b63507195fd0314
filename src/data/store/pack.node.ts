/**
 * A pack: one file with many prepared pictures, found by the digest of the file that each was made from. It is written
 * under a temporary name and renamed when it is complete and on the disk; it never changes after that.
 *
 *     header    16 bytes: 'BELTPACK', version, picture length (uint32 each)
 *     pictures  [count, pictureLength]
 *     checks    [count] uint32            CRC-32 of each picture
 *     facts     [count, FACTS_LENGTH]     see picture-facts.ts
 *     index     [count, ENTRY_LENGTH]     see digest-index.ts: digest → place
 *     trailer   64 bytes: 'BELTPACK', version, count, picture length (uint32 each), 12 zeros, SHA-256 of checks to index
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, read, readSync, renameSync, rmSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { DigestIndex, ENTRY_LENGTH } from './digest-index.js';
import { openTemporary, startsWith, TEMPORARY_EXTENSION, writeExactly } from './own-files.node.js';
import { DIGEST_LENGTH, FACTS_LENGTH } from '../audit/picture-facts.js';

const MAGIC = 'BELTPACK';
const VERSION = 3;
const HEADER_LENGTH = 16;
const TRAILER_LENGTH = 64;
const CHECK_LENGTH = 4;

export const PACK_EXTENSION = '.pack';

/** Whether a name is one that packs get. */
export const isPackName = (name: string): boolean => /^\d+-[0-9a-f]{12}\.pack$/.test(name);

/** Whether a file is a pack of any version, or the beginning of one. */
export const isPack = (path: string): boolean => startsWith(path, Buffer.from(MAGIC, 'latin1'));

/** What a pack gives back is not what it was given. */
export class DamagedPack extends Error {}

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
      const tableStart = HEADER_LENGTH + count * pictureLength;
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
   * @throws DamagedPack when the disk gives back other bytes than it was given; the pack is taken away then, so that the next
   *   run makes its pictures again
   */
  async read(place: number, count: number, target: Uint8Array): Promise<void> {
    const bytes = count * this.#pictureLength;
    for (let done = 0; done < bytes;) {
      const position = HEADER_LENGTH + place * this.#pictureLength + done;
      const length = await readPart(this.#file, target, done, bytes - done, position).catch(() => 0);
      if (length === 0) throw this.#damaged();
      done += length;
    }
    for (let at = 0; at < count; at++) {
      const picture = target.subarray(at * this.#pictureLength, (at + 1) * this.#pictureLength);
      if (crc32(picture) !== this.#checks.readUInt32LE((place + at) * CHECK_LENGTH)) throw this.#damaged();
    }
  }

  #damaged(): DamagedPack {
    if (isPack(this.path)) rmSync(this.path, { force: true });
    return new DamagedPack(this.path);
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
  readonly #pictureLength: number;
  readonly #temporary: string;
  readonly #file: number;
  readonly #checks: number[] = [];
  readonly #facts: Uint8Array[] = [];
  readonly #digests: Uint8Array[] = [];

  /** @throws what fs throws */
  constructor(folder: string, pictureLength: number) {
    this.#pictureLength = pictureLength;
    const { path, file } = openTemporary(folder);
    this.#temporary = path;
    this.#file = file;
    const header = Buffer.alloc(HEADER_LENGTH);
    header.write(MAGIC, 0, 'latin1');
    header.writeUInt32LE(VERSION, 8);
    header.writeUInt32LE(pictureLength, 12);
    try {
      writeExactly(file, header);
    } catch (error) {
      this.abandon();
      throw error;
    }
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
    const path = this.#temporary.slice(0, -TEMPORARY_EXTENSION.length) + PACK_EXTENSION;
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

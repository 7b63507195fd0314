/**
 * Prepared pictures kept on disk from run to run.
 *
 *     CACHE/CACHEDIR.TAG           the mark: without it nothing is written or removed here
 *     CACHE/pictures/KEY/*.pack    pictures of one preparation (KEY names it), found by their files' digests
 *     CACHE/reports/KEY.json       what was computed from digests: a set's audit
 *     CACHE/files/KEY.json         digests of files by path, size, times and number, so that files need not be read again
 *
 * Nothing here is needed: whatever is missing, damaged or in the way is made again. Runs may share a cache at any time:
 * files appear under their names only when they are complete, and never change afterwards. Only files are removed that have a
 * name and a beginning such as the cache gives them.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, statfsSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { makeFolders } from '../../files.node.js';
import { markFolder, markOf, refuseForeign } from './cache-mark.node.js';
import { DEFAULT_CACHE_LIMIT } from './cache-place.node.js';
import { isOwnJson, isOwnTemporary, readJson, writeJson } from './own-files.node.js';
import { DamagedPack, isPack, isPackName, Pack, PackWriter } from './pack.node.js';
import type { PictureStore } from './picture-store.js';
import type { Preparation } from '../pictures/resize.js';
import { temporaryFolder } from './temporary-folder.node.js';

/**
 * Grows by one whenever decoding or resizing gives other pixels than before: pictures in a cache that were made by an
 * older version are not used any more.
 */
const PIXELS_VERSION = 2;

/** A longer pack is closed and another begun, so that a crash loses little and old pictures go in pieces. */
const LONGEST_PACK = 256 * 2 ** 20;
/** A temporary file that nobody has written to for so long is what a crash left. */
const ABANDONED_AFTER = 3600_000;

/** The disk does not hold the pictures. */
export class NoRoomError extends DataError {}

export class PictureCache {
  readonly directory: string;
  readonly limit: number;
  /** The system would not read or write here, or has no room: not asked again in this process. */
  isRefused = false;
  readonly #shelves = new Map<string, Shelf>();

  /**
   * @param directory new, empty, or a cache already
   * @param limit bytes that the cache may take on disk
   * @throws UsageError for a folder that holds anything else
   */
  constructor(directory: string, limit = DEFAULT_CACHE_LIMIT) {
    refuseForeign(directory);
    this.directory = directory;
    this.limit = limit;
  }

  /** A cache for this process only, for pictures that memory does not hold; it goes away when the process ends. */
  static temporary(): PictureCache {
    return new PictureCache(temporaryFolder(), Infinity);
  }

  /** The pictures of one preparation. */
  shelf(preparation: Preparation): Shelf {
    const { size, interpolation = 'nearest', region = null, exif = false } = preparation;
    const key = JSON.stringify({ pixels: PIXELS_VERSION, size, interpolation, region, exif });
    return this.records(key, size.width * size.height * 3);
  }

  /** Records of so many bytes that follow from a picture and what `key` says: features, for instance. Found as pictures are. */
  records(key: string, length: number): Shelf {
    let shelf = this.#shelves.get(key);
    if (!shelf) {
      shelf = new Shelf(this, join(this.directory, 'pictures', sha256(key).slice(0, 16)), length);
      this.#shelves.set(key, shelf);
    }
    return shelf;
  }

  /**
   * A value that follows from `key` alone: remembered, or made and remembered.
   *
   * @param key everything that it depends on, and a version of how it is made
   */
  async remember<Value>(key: Uint8Array, make: () => Value | Promise<Value>): Promise<Value> {
    const folder = join(this.directory, 'reports');
    const name = `${sha256(key).slice(0, 32)}.json`;
    const kept = readJson(join(folder, name));
    if (kept !== undefined) return kept as Value;
    const value = await make();
    try {
      markFolder(this.directory);
      writeJson(folder, name, value);
    } catch {
      // no room, no rights: it is made again next time
    }
    return value;
  }

  /**
   * Makes room: takes away what crashes left, and the files that were used least recently while the cache is above its
   * limit. Runs that have them open go on reading them (where the system forbids that, they stay).
   */
  prune(keep: ReadonlySet<string>): void {
    if (markOf(this.directory) !== 'marked') return;
    const files: { path: string; bytes: number; used: number }[] = [];
    for (const { path, isTemporary } of this.#ownFiles()) {
      try {
        const { size, mtimeMs } = lstatSync(path);
        if (!isTemporary) files.push({ path, bytes: size, used: mtimeMs });
        else if (Date.now() - mtimeMs > ABANDONED_AFTER) unlinkSync(path);
      } catch {
        // another run was quicker
      }
    }
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes } of files.toSorted((a, b) => a.used - b.used)) {
      if (total <= this.limit) return;
      if (keep.has(path)) continue;
      try {
        unlinkSync(path);
        total -= bytes;
      } catch {
        // in use, or gone
      }
    }
  }

  /** What a cache has written, by name and beginning: whatever else lies in its folders is not its own. */
  *#ownFiles(): Generator<{ path: string; isTemporary: boolean }> {
    const shelves = join(this.directory, 'pictures');
    const places: [folder: string, isName: (name: string) => boolean, isOwn: (path: string) => boolean][] = [
      ...namesIn(shelves)
        .filter((shelf) => /^[0-9a-f]{16}$/.test(shelf))
        .map((shelf) => [join(shelves, shelf), isPackName, isPack] as (typeof places)[number]),
      [join(this.directory, 'reports'), (name) => /^[0-9a-f]{32}\.json$/.test(name), isOwnJson],
      [join(this.directory, 'files'), (name) => /^[0-9a-f]{16}\.json$/.test(name), isOwnJson],
    ];
    for (const [folder, isName, isOwn] of places) {
      if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue; // a link leads elsewhere
      for (const name of namesIn(folder)) {
        const path = join(folder, name);
        const isTemporary = isOwnTemporary(name);
        if ((isTemporary || isName(name)) && isOwn(path)) yield { path, isTemporary };
      }
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Which pack of a shelf, and which picture of it. */
export interface Place {
  readonly pack: number;
  readonly place: number;
}

/** All pictures of one preparation in a cache. */
export class Shelf {
  readonly #cache: PictureCache;
  readonly folder: string;
  /** A pack gave back other bytes than it was given. */
  isDamaged = false;
  readonly #pictureLength: number;
  readonly packs: Pack[] = [];
  #writer: PackWriter | null = null;
  /** Places of what the writer has, by digest. */
  readonly #written = new Map<string, Place>();

  constructor(cache: PictureCache, folder: string, pictureLength: number) {
    this.#cache = cache;
    this.folder = folder;
    this.#pictureLength = pictureLength;
    this.refresh();
  }

  /** Opens packs that came since. */
  refresh(): void {
    for (const name of namesIn(this.folder).toSorted()) {
      const path = join(this.folder, name);
      if (!isPackName(name) || this.packs.some((pack) => pack.path === path)) continue;
      const pack = Pack.open(path, this.#pictureLength);
      if (pack) this.packs.push(pack);
    }
  }

  find(digest: Uint8Array): Place | null {
    for (const [pack, { index }] of this.packs.entries()) {
      const place = index.find(digest);
      if (place >= 0) return { pack, place };
    }
    return this.#written.get(hexOf(digest)) ?? null;
  }

  /**
   * Adds a picture, unless it is there.
   *
   * @throws what fs throws
   */
  add(digest: Uint8Array, facts: Uint8Array, picture: Uint8Array): Place {
    const found = this.find(digest);
    if (found) return found;
    if (!this.#writer) {
      markFolder(this.#cache.directory);
      makeFolders(this.folder);
      this.#writer = new PackWriter(this.folder, this.#pictureLength);
    }
    const place = { pack: this.packs.length, place: this.#writer.add(digest, facts, picture) };
    this.#written.set(hexOf(digest), place);
    if (this.#writer.bytes >= LONGEST_PACK) this.finish();
    return place;
  }

  /** Ends a series of `add`: what was added can be read from now on. @throws what fs throws */
  finish(): void {
    if (!this.#writer) return;
    const path = this.#writer.finish();
    this.#writer = null;
    this.#written.clear();
    const pack = Pack.open(path, this.#pictureLength);
    if (!pack) throw new Error(`${path}: what was written cannot be read`);
    this.packs.push(pack);
  }

  /** Gives up what was added since the last `finish`. */
  abandon(): void {
    this.#writer?.abandon();
    this.#writer = null;
    this.#written.clear();
  }

  /** Notes that these packs are in use, then makes room for them. */
  keep(places: Iterable<Place>): void {
    const used = new Set([...new Set(Array.from(places, ({ pack }) => pack))].map((pack) => this.packs[pack].path));
    const now = new Date();
    for (const path of used) {
      try {
        utimesSync(path, now, now);
      } catch {
        // a cache of another user, read only
      }
    }
    if (this.#cache.limit < Infinity) this.#cache.prune(used);
  }

  /** @throws NoRoomError when the disk has no room for that many pictures */
  checkRoom(count: number): void {
    markFolder(this.#cache.directory);
    makeFolders(this.folder);
    const { bavail, bsize } = statfsSync(this.folder);
    const bytes = count * this.#pictureLength;
    if (bytes <= bavail * bsize) return;
    const variable = this.#cache.limit < Infinity ? 'BELTNET_CACHE' : 'TMPDIR';
    throw new NoRoomError(
      `${count} pictures need ${room(bytes)} in the cache ${this.#cache.directory}, which has ${room(bavail * bsize)} ` +
        `left; make room, set ${variable} to a folder on another disk, or choose a smaller size`,
    );
  }
}

const hexOf = (digest: Uint8Array): string => Buffer.from(digest).toString('latin1');

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const room = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/** Makes a picture again from its source, for where the disk has lost it. @throws DataError when the source is not what it was */
export type Remake = (index: number) => Promise<Uint8Array>;

/** Pictures of a shelf, in an order of their own. */
export class CachedPictures implements PictureStore {
  readonly forwardOnly = false;
  readonly count: number;
  readonly #packs: readonly Pack[];
  readonly #packOf: Uint16Array;
  readonly #placeOf: Uint32Array;
  readonly #pictureLength: number;
  readonly #remake: Remake;

  constructor(packs: readonly Pack[], places: readonly Place[], pictureLength: number, remake: Remake) {
    this.#remake = remake;
    this.count = places.length;
    this.#packs = packs;
    this.#packOf = Uint16Array.from(places, ({ pack }) => pack);
    this.#placeOf = Uint32Array.from(places, ({ place }) => place);
    this.#pictureLength = pictureLength;
  }

  async read(indices: Uint32Array, target: Uint8Array): Promise<void> {
    const reads: Promise<void>[] = [];
    const length = this.#pictureLength;
    for (let first = 0; first < indices.length;) {
      // Neighbours in a pack are read in one piece.
      const pack = this.#packOf[indices[first]];
      const place = this.#placeOf[indices[first]];
      let count = 1;
      for (; first + count < indices.length; count++) {
        const next = indices[first + count];
        if (this.#packOf[next] !== pack || this.#placeOf[next] !== place + count) break;
      }
      const run = indices.subarray(first, first + count);
      const pictures = target.subarray(first * length, (first + count) * length);
      reads.push(
        this.#packs[pack].read(place, count, pictures).catch((error) => this.#makeAgain(run, pictures, error)),
      );
      first += count;
    }
    await Promise.all(reads);
  }

  /** All of a damaged run: which of its pictures are whole is not worth knowing. */
  async #makeAgain(run: Uint32Array, target: Uint8Array, error: unknown): Promise<void> {
    if (!(error instanceof DamagedPack)) throw error;
    for (const [at, index] of run.entries()) target.set(await this.#remake(index), at * this.#pictureLength);
  }

  facts(index: number): Uint8Array {
    return this.#packs[this.#packOf[index]].facts(this.#placeOf[index]);
  }
}

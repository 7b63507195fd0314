/** Files to a labelled data set: decoded, or taken from the cache. */
import {
  expectArray,
  expectCount,
  expectFunction,
  expectObject,
  expectText,
  listOf,
  objectWith,
} from '../../expect.js';
import { createHash } from 'node:crypto';
import { DataError, UsageError } from '../../errors.js';
import { CachedPictures, NoRoomError, PictureCache, type Place, type Remake, type Shelf } from './cache.node.js';
import { isWithin } from './cache-place.node.js';
import type { Dataset, PictureRecords, SkippedFile } from '../dataset.js';
import { decodeFiles, type DecodeOptions } from './decode-pool.node.js';
import { FileDigests } from './file-digests.node.js';
import type { FileList } from '../sources/file-list.js';
import type { PictureArray } from '../sources/picture-array.js';
import { DIGEST_LENGTH, FACTS_LENGTH, RECORD_LENGTH, writeFacts } from '../audit/picture-facts.js';
import type { Picture } from '../pictures/picture.js';
import type { Pictures } from './picture-store.js';

import { checkPreparation, prepareNamed, type Preparation, type Size } from '../pictures/resize.js';
import { digestOfFile, type PictureItem } from './picture-items.node.js';
import { turns } from '../../turns.js';

export interface LoadOptions extends Preparation {
  /** Worker threads; 0 decodes in this thread. Default: one per processor core, none for fewer than 16 files. */
  readonly workers?: number;
  /** Bytes that pictures may take while they are decoded, by all threads together. Default: half of the machine's, or BELTNET_MEMORY. */
  readonly memory?: number;
  /** Called after each file. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface LoadDatasetOptions extends LoadOptions {
  /** What to do with a file that cannot be used: `skip` it (default; it is named in `skipped`) or `fail`. */
  readonly onBad?: 'skip' | 'fail';
  /** Where pictures are kept from run to run. Default: nowhere. */
  readonly cache?: PictureCache | null;
  /** Takes a sentence when the cache cannot be used; loading goes on without it. */
  readonly onNote?: (note: string) => void;
}

/** Without a cache, larger sets go to temporary files. */
const MOST_IN_MEMORY = 256 * 2 ** 20;

const expectFiles = objectWith({
  classNames: listOf(expectText),
  files: listOf(objectWith({ path: expectText, label: expectCount })),
  skipped: expectArray,
});

/**
 * Decodes and resizes the files of a list. Sets of up to 256 MiB are in memory then; larger ones, and those of a cache, are
 * on disk, and are read from there in batches.
 *
 * @throws DataError for the first bad file under `fail`, for a class that loses all its pictures, when memory or disk do not
 *   suffice or a worker thread dies; UsageError for options out of range
 */
export async function loadDataset(list: FileList, options: LoadDatasetOptions): Promise<Dataset> {
  expectFiles(list, 'loadDataset: list');
  expectObject(options, 'loadDataset: options');
  const { onBad = 'skip', cache = null, size } = options;
  if (onBad !== 'skip' && onBad !== 'fail') {
    throw new UsageError(`onBad: expects 'skip' or 'fail', got '${String(onBad)}'`);
  }
  checkPreparation(options);
  if (onBad === 'fail' && list.skipped.length > 0) throw new DataError(list.skipped[0].error);
  const loaded = await load(list, { ...options, stopOnError: onBad === 'fail' }, cache);

  const good = list.files.filter((_, index) => loaded.errors[index] === null);
  const skipped: SkippedFile[] = [...list.skipped];
  for (const [index, error] of loaded.errors.entries()) {
    if (error !== null) skipped.push({ file: list.files[index].path, error });
  }
  checkEveryClass(list, good, skipped);
  return datasetOf(list, loaded, size, skipped);
}

/** What was loaded of a list as a set, in which classes may be without pictures. */
export function datasetOf(list: FileList, loaded: Loaded, size: Size, skipped: readonly SkippedFile[]): Dataset {
  expectFiles(list, 'datasetOf: list');
  objectWith({ errors: expectArray })(loaded, 'datasetOf: loaded');
  objectWith({ width: expectCount, height: expectCount })(size, 'datasetOf: size');
  expectArray(skipped, 'datasetOf: skipped');
  const good = list.files.filter((_, index) => loaded.errors[index] === null);
  return {
    name: list.name,
    pictures: loaded.pictures,
    labels: Uint8Array.from(good, (file) => file.label),
    classNames: list.classNames,
    pictureShape: [size.height, size.width, 3],
    files: good.map((file) => file.path),
    skipped: [...skipped],
    records: loaded.records,
  };
}

/** Pictures and records are those of the files without an error, in their order. */
export interface Loaded {
  readonly pictures: Pictures;
  readonly records: PictureRecords;
  /** Why a file cannot be used, or null, [files] */
  readonly errors: readonly (string | null)[];
}

export type LoadingOptions = LoadDatasetOptions & Pick<DecodeOptions, 'stopOnError'>;

/** Decodes and resizes the files of a list, or takes them from the cache; whatever is wrong with a file is in `errors`. */
export async function load(list: FileList, options: LoadingOptions, cache: PictureCache | null): Promise<Loaded> {
  if (list.array) return loadArray(list, list.array, options);
  if (cache && isWithin(list.name, cache.directory)) {
    throw new UsageError(
      `cache: expects a folder apart from the pictures' own, got ${cache.directory}, which holds ${list.name}`,
    );
  }
  if (cache && isWithin(cache.directory, list.name)) {
    throw new UsageError(
      `cache: expects a folder apart from the pictures' own, got ${cache.directory} in ${list.name}`,
    );
  }
  const bytes = list.files.length * options.size.width * options.size.height * 3;
  const usable = cache && !cache.isRefused ? cache : null;
  if (usable && bytes <= usable.limit) {
    const shelf = usable.shelf(options);
    try {
      return await loadThrough(shelf, new FileDigests(usable.directory, list.name), list, options);
    } catch (error) {
      shelf.abandon();
      const { syscall, code } = error as NodeJS.ErrnoException;
      if (!syscall && !(error instanceof NoRoomError)) throw error;
      usable.isRefused = true;
      const reason = syscall ? `the cache ${usable.directory} cannot be used (${code})` : (error as Error).message;
      options.onNote?.(`${reason}; pictures are loaded without it`);
    }
  } else if (usable) {
    options.onNote?.(`${list.name}: its pictures need more room than the cache may take; they are loaded without it`);
  }
  if (bytes <= MOST_IN_MEMORY) return loadIntoMemory(list, options);
  return loadThrough(PictureCache.temporary().shelf(options), null, list, options);
}

/** A run of a list's files, from `first` to before `end`. */
export interface LoadShareOptions extends LoadingOptions {
  readonly first: number;
  readonly end: number;
  /** Takes the digest of each file's content, in their order; see `inputsHash`. */
  readonly onInput: (digest: Uint8Array) => void;
}

/** As `load`, of some of a list's files. */
export async function loadShare(list: FileList, options: LoadShareOptions): Promise<Loaded> {
  expectFiles(list, 'loadShare: list');
  objectWith({ first: expectCount, end: expectCount, onInput: expectFunction })(options, 'loadShare: options');
  checkPreparation(options);
  const files = list.files.slice(options.first, options.end);
  const loaded = await load({ ...list, files }, options, options.cache ?? null);
  let good = 0;
  for (const [index, error] of loaded.errors.entries())
    options.onInput(error === null ? loaded.records.digest(good++) : digestOfFile(files[index].path));
  return loaded;
}

/** What of each of some lists, one behind the other, is in a share of all their files. */
export function sharesOfLists<List extends Pick<FileList, 'files'>>(
  lists: readonly List[],
  share: { readonly first: number; readonly end: number },
): { readonly list: List; readonly place: number; readonly first: number; readonly end: number }[] {
  listOf(objectWith({ files: expectArray }))(lists, 'sharesOfLists: lists');
  objectWith({ first: expectCount, end: expectCount })(share, 'sharesOfLists: share');
  let before = 0;
  return lists.flatMap((list, place) => {
    const within = (at: number): number => Math.min(Math.max(at - before, 0), list.files.length);
    const [first, end] = [within(share.first), within(share.end)];
    before += list.files.length;
    return first < end ? [{ list, place, first, end }] : [];
  });
}

/** A list's files as items to be shared out. */
export function itemsOf(list: FileList): PictureItem[] {
  expectFiles(list, 'itemsOf: list');
  const { files, array } = list;
  return files.map(({ path, row }) => ({
    name: path,
    ...(array && row !== undefined && { picture: () => array.picture(row) }),
  }));
}

/** Decodes what the shelf does not have, and takes the rest from there. */
async function loadThrough(
  shelf: Shelf,
  digests: FileDigests | null,
  list: FileList,
  options: LoadingOptions,
): Promise<Loaded> {
  const { size, onProgress } = options;
  const paths = list.files.map(({ path }) => path);
  const digestsOf = new Uint8Array(paths.length * DIGEST_LENGTH);
  const places: (Place | null)[] = [];
  const turn = turns();
  for (const [index, path] of paths.entries()) {
    const digest = digests?.find(path);
    const place = digest && shelf.find(digest);
    if (place) digestsOf.set(digest, index * DIGEST_LENGTH);
    places.push(place ?? null);
    await turn();
  }
  const errors: (string | null)[] = paths.map(() => null);
  const missing = [...paths.keys()].filter((index) => !places[index]);
  const present = paths.length - missing.length;
  if (missing.length > 0) {
    shelf.checkRoom(missing.length);
    const batches = decodeFiles(
      missing.map((index) => paths[index]),
      {
        ...options,
        known: shelf.packs.map(({ index }) => index),
        ...(onProgress && { onProgress: (done) => onProgress(present + done, paths.length) }),
      },
    );
    const length = size.width * size.height * 3;
    for await (const { first, results, pictures, records } of batches) {
      for (const [at, { error, known }] of results.entries()) {
        const index = missing[first + at];
        errors[index] = error;
        if (error !== null) continue;
        const record = records.slice(at * RECORD_LENGTH, (at + 1) * RECORD_LENGTH);
        const digest = record.subarray(0, DIGEST_LENGTH);
        places[index] = known
          ? shelf.find(digest)
          : shelf.add(digest, record.subarray(DIGEST_LENGTH), pictures.subarray(at * length, (at + 1) * length));
        digestsOf.set(digest, index * DIGEST_LENGTH);
        digests?.note(paths[index], digest);
      }
    }
    shelf.finish();
    digests?.save();
  }
  const good = [...paths.keys()].filter((index) => errors[index] === null);
  const goodPlaces = good.map((index) => places[index] as Place);
  shelf.keep(goodPlaces);
  const remake: Remake = async (index) => {
    const path = paths[good[index]];
    noteDamage(shelf, options);
    const { readPicture } = await import('../pictures/read-picture.node.js'); // the decoders are loaded where they are needed
    const record = new Uint8Array(RECORD_LENGTH);
    const picture = readPicture(path, options, record, () => false);
    if (picture && Buffer.compare(record.subarray(0, DIGEST_LENGTH), records.digest(index)) === 0) return picture.data;
    throw new DataError(`${path}: has changed since it was loaded, and what was kept of it is damaged; start again`);
  };
  const pictures = new CachedPictures(shelf.packs, goodPlaces, size.width * size.height * 3, remake);
  const records: PictureRecords = {
    digest: (index) => digestsOf.subarray(good[index] * DIGEST_LENGTH, (good[index] + 1) * DIGEST_LENGTH),
    facts: (index) => pictures.facts(index),
  };
  return { pictures, records, errors };
}

/** Said once: the pictures of a damaged file are made again whenever they are asked for. */
function noteDamage(shelf: Shelf, { onNote }: LoadingOptions): void {
  if (shelf.isDamaged) return;
  shelf.isDamaged = true;
  onNote?.(
    `what was kept in ${shelf.folder} is damaged: its pictures are decoded again; if that comes back, see to the disk`,
  );
}

async function loadIntoMemory(list: FileList, options: LoadingOptions): Promise<Loaded> {
  const paths = list.files.map(({ path }) => path);
  const length = options.size.width * options.size.height * 3;
  const pictures = new Uint8Array(paths.length * length);
  const records = new Uint8Array(paths.length * RECORD_LENGTH);
  const errors: (string | null)[] = paths.map(() => null);
  let good = 0;
  for await (const batch of decodeFiles(paths, options)) {
    for (const [at, { index, error }] of batch.results.entries()) {
      errors[index] = error;
      if (error !== null) continue;
      pictures.set(batch.pictures.subarray(at * length, (at + 1) * length), good * length);
      records.set(batch.records.subarray(at * RECORD_LENGTH, (at + 1) * RECORD_LENGTH), good * RECORD_LENGTH);
      good++;
    }
  }
  return {
    pictures: good === paths.length ? pictures : pictures.slice(0, good * length),
    records: {
      digest: (index) => records.subarray(index * RECORD_LENGTH, index * RECORD_LENGTH + DIGEST_LENGTH),
      facts: (index) => records.subarray(index * RECORD_LENGTH + DIGEST_LENGTH, (index + 1) * RECORD_LENGTH),
    },
    errors,
  };
}

/** Nothing is to be decoded here, so nothing is worth keeping from run to run. */
async function loadArray(list: FileList, array: PictureArray, options: LoadingOptions): Promise<Loaded> {
  const { files } = list;
  const length = options.size.width * options.size.height * 3;
  const picture = (index: number): Picture => array.picture(files[index].row as number);
  const records: PictureRecords = {
    digest: (index) => createHash('sha256').update(picture(index).data).digest(),
    facts(index) {
      const facts = new Uint8Array(FACTS_LENGTH);
      writeFacts(picture(index), null, facts);
      return facts;
    },
  };
  const errors = files.map(() => null);
  const isSmall = files.length * length <= MOST_IN_MEMORY;
  const pictures = new Uint8Array(isSmall ? files.length * length : length);
  const shelf = isSmall ? null : PictureCache.temporary().shelf(options);
  shelf?.checkRoom(files.length);
  const places: Place[] = [];
  const prepareAt = (index: number): Uint8Array => prepareNamed(picture(index), files[index].path, options).data;
  const remake: Remake = async (index) => {
    if (shelf) noteDamage(shelf, options);
    return Promise.resolve(prepareAt(index));
  };
  const turn = turns();
  for (let index = 0; index < files.length; index++) {
    const prepared = prepareAt(index);
    if (shelf) places.push(shelf.add(records.digest(index), records.facts(index), prepared));
    else pictures.set(prepared, index * length);
    options.onProgress?.(index + 1, files.length);
    await turn();
  }
  shelf?.finish();
  return { pictures: shelf ? new CachedPictures(shelf.packs, places, length, remake) : pictures, records, errors };
}

/** @throws DataError for a class without a picture that can be used */
export function checkEveryClass(
  list: Pick<FileList, 'name' | 'classNames' | 'mayLackClasses'> & Partial<Pick<FileList, 'files'>>,
  good: readonly { readonly label: number }[],
  skipped: readonly (SkippedFile & { readonly label?: number })[],
): void {
  objectWith({ classNames: listOf(expectText) })(list, 'checkEveryClass: list');
  listOf(objectWith({ label: expectCount }))(good, 'checkEveryClass: good');
  expectArray(skipped, 'checkEveryClass: skipped');
  const present = new Set(good.map(({ label }) => label));
  for (const [label, name] of list.classNames.entries()) {
    if (present.has(label)) continue;
    const ofClass = new Set(list.files?.flatMap((file) => (file.label === label ? [file.path] : [])));
    if (list.mayLackClasses && ofClass.size === 0) continue;
    const example = skipped.find((each) => each.label === label || ofClass.has(each.file));
    throw new DataError(
      `${list.name}: not one picture of class '${name}' can be used` +
        (example ? `; for example ${example.error}` : ''),
    );
  }
}

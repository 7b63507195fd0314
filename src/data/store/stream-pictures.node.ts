/** Any pictures to predict, without labels: decoded while they are read. */
import { MemoryBudget } from '../../memory.node.js';
import type { Picture } from '../pictures/picture.js';
import { checkPreparation, prepareNamed } from '../pictures/resize.js';
import { openArraySet, rowName } from '../sources/array-files.node.js';
import { expandPaths } from '../sources/expand-paths.node.js';
import { isManifest, listManifest } from '../sources/manifest.node.js';
import { decodeFiles } from './decode-pool.node.js';
import type { LoadOptions } from './load-dataset.node.js';
import type { PictureStore } from './picture-store.js';

/** Pictures to predict, decoded while they are read. */
export interface PictureStream {
  /** Sorted by path, each once: the order of `pictures`. */
  readonly files: readonly string[];
  /** Black where a file cannot be used. */
  readonly pictures: PictureStore;
  /** Why a file cannot be used, or null. Known once its picture was read. */
  errorOf(index: number): string | null;
  /** Ends the worker threads; needed only when not all pictures were read. */
  close(): Promise<void>;
}

/** A picture to predict: a file, or a row of a practice set. */
interface Item {
  readonly name: string;
  readonly picture?: () => Picture;
  /** Why a folder's listing passed it over. */
  readonly error?: string;
}

/**
 * Decodes and resizes files without labels, as fast as they are asked for; never more than a few are in memory.
 *
 * @param paths files, folders (all pictures in them), patterns with `*`, manifests and practice sets
 * @throws DataError for a folder without pictures or a pattern without a match; UsageError for options out of range
 */
export async function streamPictures(paths: readonly string[], options: LoadOptions): Promise<PictureStream> {
  checkPreparation(options);
  const { items, decoded } = await listItems(paths);
  const errors = new Map<number, string>();
  const { width, height } = options.size;
  const length = width * height * 3;
  const batches = decodeFiles(decoded, options);
  const take = pictureByPicture(batches, length);
  const readOne = async (index: number): Promise<Uint8Array | null> => {
    const { name, picture, error } = items[index];
    if (picture) return prepareNamed(picture(), name, options).data;
    if (error !== undefined) {
      errors.set(index, error);
      return null;
    }
    const { value } = await take.next();
    if (!value) throw new RangeError('pictures are read once, in their order');
    if (value.error === null) return value.picture;
    errors.set(index, value.error);
    return null;
  };
  const read = async (indices: Uint32Array, target: Uint8Array): Promise<void> => {
    for (const [position, index] of indices.entries()) {
      const picture = await readOne(index);
      if (picture) target.set(picture, position * length);
      else target.fill(0, position * length, (position + 1) * length);
    }
  };
  let reading = Promise.resolve();
  return {
    files: items.map(({ name }) => name),
    pictures: {
      count: items.length,
      forwardOnly: true,
      // One read after the other, also when several are asked for at once.
      read: (indices, target) => (reading = reading.then(() => read(indices, target))),
    },
    errorOf: (index) => errors.get(index) ?? null,
    close: async () => void (await batches.return()),
  };
}

/** Sorted by name, each once; the rows of a practice set in their order. And the files among them, to decode. */
async function listItems(paths: readonly string[]): Promise<{ items: Item[]; decoded: string[] }> {
  const rows = new Map<string, Item[]>();
  const others: string[] = [];
  const budget = new MemoryBudget();
  for (const path of paths) {
    const set = await openArraySet(path, budget);
    if (!set) for (const other of isManifest(path) ? await listManifest(path) : [path]) others.push(other);
    for (const part of [set?.training, set?.validation, set?.test]) {
      if (!part) continue;
      const { pictures } = part;
      const item = (row: number): Item => ({ name: rowName(part, row), picture: () => pictures.picture(row) });
      rows.set(
        part.name,
        Array.from({ length: pictures.count }, (_, row) => item(row)),
      );
    }
  }
  const expanded = others.length === 0 && paths.length > 0 ? { paths: [], skipped: [] } : expandPaths(others);
  const named = new Set(expanded.paths); // a file that was named is read, whatever a folder's listing says of it
  const skipped = new Map(expanded.skipped.flatMap(({ file, error }) => (named.has(file) ? [] : [[file, error]])));
  const items = [...named, ...skipped.keys(), ...rows.keys()].toSorted().flatMap((name): Item[] => {
    const error = skipped.get(name);
    return rows.get(name) ?? [{ name, ...(error !== undefined && { error }) }];
  });
  return {
    items,
    decoded: items.flatMap(({ name, picture, error }) => (picture || error !== undefined ? [] : [name])),
  };
}

async function* pictureByPicture(
  batches: ReturnType<typeof decodeFiles>,
  length: number,
): AsyncGenerator<{ picture: Uint8Array; error: string | null }, undefined> {
  for await (const { results, pictures } of batches) {
    for (const [at, { error }] of results.entries()) {
      yield { picture: pictures.subarray(at * length, (at + 1) * length), error };
    }
  }
  return undefined;
}

/** A picture to predict, or why it cannot be. */
export type LoadedPicture =
  | { readonly file: string; readonly picture: Picture }
  | { readonly file: string; readonly error: string };

/**
 * Decodes and resizes files without labels, all into memory; see `streamPictures` for many.
 *
 * @returns one result a file, sorted by path, each file once; a missing or bad file gives an error, the others go on
 * @throws as `streamPictures`
 */
export async function loadPictures(paths: readonly string[], options: LoadOptions): Promise<LoadedPicture[]> {
  const stream = await streamPictures(paths, options);
  const { width, height } = options.size;
  const results: LoadedPicture[] = [];
  try {
    for (const [index, file] of stream.files.entries()) {
      const data = new Uint8Array(width * height * 3);
      await stream.pictures.read(Uint32Array.of(index), data);
      const error = stream.errorOf(index);
      results.push(error === null ? { file, picture: { width, height, data } } : { file, error });
    }
  } finally {
    await stream.close();
  }
  return results;
}

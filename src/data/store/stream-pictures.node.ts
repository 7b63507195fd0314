/** Any pictures to predict, without labels: decoded while they are read. */
import { DIGEST_LENGTH, RECORD_LENGTH } from '../audit/picture-facts.js';
import type { Picture } from '../pictures/picture.js';
import { checkPreparation, prepareNamed } from '../pictures/resize.js';
import { decodeFiles } from './decode-pool.node.js';
import type { LoadOptions } from './load-dataset.node.js';
import { listPictures, sha256, UNREADABLE, type PictureItem } from './picture-items.node.js';
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

/**
 * Decodes and resizes files without labels, as fast as they are asked for; never more than a few are in memory.
 *
 * @param paths files, folders (all pictures in them), patterns with `*`, manifests and practice sets
 * @throws DataError for a folder without pictures or a pattern without a match; UsageError for options out of range
 */
export async function streamPictures(paths: readonly string[], options: LoadOptions): Promise<PictureStream> {
  checkPreparation(options);
  return streamItems(await listPictures(paths), options);
}

/** @param onInput takes the digest of each item's content, in their order; see `inputsHash` */
export function streamItems(
  items: readonly PictureItem[],
  options: LoadOptions & { readonly onInput?: (digest: Uint8Array) => void },
): PictureStream {
  checkPreparation(options);
  const { onInput = () => {} } = options;
  const decoded = items.flatMap(({ name, picture, error }) => (picture || error !== undefined ? [] : [name]));
  const errors = new Map<number, string>();
  const { width, height } = options.size;
  const length = width * height * 3;
  const batches = decodeFiles(decoded, options);
  const take = pictureByPicture(batches, length);
  const readOne = async (index: number): Promise<Uint8Array | null> => {
    const { name, picture, error } = items[index];
    if (picture) {
      const whole = picture();
      onInput(sha256(whole.data));
      return prepareNamed(whole, name, options).data;
    }
    if (error !== undefined) {
      onInput(UNREADABLE);
      errors.set(index, error);
      return null;
    }
    const { value } = await take.next();
    if (!value) throw new RangeError('pictures are read once, in their order');
    onInput(value.digest);
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

async function* pictureByPicture(
  batches: ReturnType<typeof decodeFiles>,
  length: number,
): AsyncGenerator<{ picture: Uint8Array; error: string | null; digest: Uint8Array }, undefined> {
  for await (const { results, pictures, records } of batches) {
    for (const [at, { error }] of results.entries()) {
      const digest = records.subarray(at * RECORD_LENGTH, at * RECORD_LENGTH + DIGEST_LENGTH);
      yield { picture: pictures.subarray(at * length, (at + 1) * length), error, digest };
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

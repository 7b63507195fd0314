/** Files to pictures in memory: a labelled data set to train on, or any pictures to predict. */
import { DataError, UsageError } from '../errors.js';
import type { Dataset, SkippedFile } from './dataset.js';
import { decodeAll } from './decode-pool.node.js';
import { expandPaths } from './expand-paths.node.js';
import type { FileList } from './folder.node.js';
import type { Picture } from './picture.js';
import type { Interpolation, Size } from './resize.js';

export interface LoadOptions {
  /** Every picture is resized to this. */
  readonly size: Size;
  /** Default `nearest`, as in Keras. */
  readonly interpolation?: Interpolation;
  /** Worker threads; 0 decodes in this thread. Default: one per processor core, none for fewer than 16 files. */
  readonly workers?: number;
  /** Called after each file. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Decodes and resizes the files of a list.
 *
 * @param options onBad: what to do with a file that cannot be used: `skip` it (default; it is named in `skipped`) or `fail`
 * @throws DataError for the first bad file under `fail`, for a class that loses all its pictures, when memory does not
 *   suffice or a worker thread dies; UsageError for options out of range
 */
export async function loadDataset(
  list: FileList,
  options: LoadOptions & { readonly onBad?: 'skip' | 'fail' },
): Promise<Dataset> {
  const { onBad = 'skip', ...decoding } = options;
  if (onBad !== 'skip' && onBad !== 'fail') {
    throw new UsageError(`onBad: expected 'skip' or 'fail', received '${String(onBad)}'`);
  }
  if (onBad === 'fail' && list.skipped.length > 0) throw new DataError(list.skipped[0].error);
  const paths = list.files.map((file) => file.path);
  const { pictures, errors } = await decodeAll(paths, { ...decoding, stopOnError: onBad === 'fail' });

  const good = list.files.filter((_, index) => errors[index] === null);
  const skipped: SkippedFile[] = [...list.skipped];
  for (const [index, error] of errors.entries()) if (error !== null) skipped.push({ file: paths[index], error });
  checkEveryClassHasPictures(list, good, skipped);
  const { width, height } = options.size;
  return {
    name: list.name,
    pictures: copyGood(pictures, errors, good.length, height * width * 3),
    labels: Uint8Array.from(good, (file) => file.label),
    classNames: list.classNames,
    pictureShape: [height, width, 3],
    files: good.map((file) => file.path),
    skipped,
  };
}

/** A picture to predict, or why it cannot be. */
export type LoadedPicture =
  | { readonly file: string; readonly picture: Picture }
  | { readonly file: string; readonly error: string };

/**
 * Decodes and resizes files without labels.
 *
 * @param paths files, folders (all pictures in them) and patterns with `*`
 * @returns one result a file, sorted by path, each file once; a missing or bad file gives an error, the others go on
 * @throws DataError for a folder without pictures or a pattern without a match; UsageError for options out of range
 */
export async function loadPictures(paths: readonly string[], options: LoadOptions): Promise<LoadedPicture[]> {
  const expanded = expandPaths(paths);
  const { pictures, errors } = await decodeAll(expanded.paths, options);
  const { width, height } = options.size;
  const length = height * width * 3;
  const results: LoadedPicture[] = expanded.paths.map((file, index) => {
    const error = errors[index];
    if (error !== null) return { file, error };
    return { file, picture: { width, height, data: pictures.slice(index * length, (index + 1) * length) } };
  });
  return [...results, ...expanded.skipped].toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

function checkEveryClassHasPictures(
  list: FileList,
  good: readonly { readonly label: number }[],
  skipped: readonly SkippedFile[],
): void {
  for (const [label, name] of list.classNames.entries()) {
    if (good.some((file) => file.label === label)) continue;
    const example = skipped.find(({ file }) => list.files.some((bad) => bad.path === file && bad.label === label));
    throw new DataError(
      `${list.name}: not one picture of class '${name}' can be used` +
        (example ? `; for example ${example.error}` : ''),
    );
  }
}

/** Closes the gaps of bad files, and leaves shared memory, which graphics drivers and web interfaces refuse. */
function copyGood(pictures: Uint8Array, errors: readonly (string | null)[], count: number, length: number): Uint8Array {
  const out = new Uint8Array(count * length);
  let target = 0;
  for (const [index, error] of errors.entries()) {
    if (error !== null) continue;
    out.set(pictures.subarray(index * length, (index + 1) * length), target);
    target += length;
  }
  return out;
}

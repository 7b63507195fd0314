/** What `train` and `evaluate` share: loading a labelled folder and saying what was found, skipped and passed over. */
import { UsageError } from '../../src/errors.js';
import {
  classCounts,
  isWithin,
  loadDataset,
  markedCacheDirectory,
  PictureCache,
  type Dataset,
  type FileList,
  type Interpolation,
  type Region,
  type Size,
} from '../../src/index.node.js';
import { count, note, showProgress, type Output } from './output.js';

/** Longer lists are cut on the terminal; `config.json` and `--json` have all of them. */
const MOST_LINES = 10;

export interface LoadingOptions {
  readonly size: Size;
  readonly interpolation: Interpolation;
  readonly region?: Region;
  readonly exif: boolean;
  readonly onBad: 'skip' | 'fail';
  readonly workers?: number | undefined;
  readonly cache: PictureCache | null;
}

/** The options of commands that keep decoded pictures. */
export interface CacheOptions {
  /** A folder, or false for none; by default the system's place. */
  readonly cache: string | boolean;
  /** In GB. */
  readonly cacheLimit: number;
}

/**
 * @param data the folders of the user's pictures, where nothing is ever written
 * @throws UsageError for a cache inside of them or around them, or a named folder that holds something else
 */
export function openCache({ cache, cacheLimit }: CacheOptions, data: readonly string[]): PictureCache | null {
  if (cache === false) return null;
  const directory = cache === true ? markedCacheDirectory() : cache;
  const touching = data.find((folder) => isWithin(directory, folder) || isWithin(folder, directory));
  if (touching === undefined) return new PictureCache(directory, cacheLimit * 1e9);
  if (cache === true && !process.env['BELTNET_CACHE']) {
    note(`note: ${directory}, where decoded pictures are kept, is not apart from ${touching}; they are not kept`);
    return null;
  }
  const option = cache === true ? 'BELTNET_CACHE' : '--cache';
  throw new UsageError(`${option}: expected a folder outside of the pictures' own (${touching}), got '${directory}'`);
}

/** Decodes the pictures of a folder, with a progress line, and says what came of it. */
export async function loadAndReport(
  files: FileList,
  { workers, ...options }: LoadingOptions,
  output: Output,
): Promise<Dataset> {
  noteAll(files.notes, 'note');
  const dataset = await loadDataset(files, {
    ...options,
    ...(workers !== undefined && { workers }),
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total} ${files.name}`),
    onNote: (line) => note(`note: ${line}`),
  });
  noteAll(
    dataset.skipped.map(({ error }) => error),
    'skipped',
  );
  output.say(`Found ${dataset.labels.length} images belonging to ${dataset.classNames.length} classes.`);
  return dataset;
}

function noteAll(lines: readonly string[], kind: 'note' | 'skipped'): void {
  for (const line of lines.slice(0, MOST_LINES)) note(`${kind}: ${line}`);
  const rest = lines.length - MOST_LINES;
  if (rest > 0) note(`${kind}: and ${rest} more`);
}

/** What is worth knowing of a set: for `--json` and a run's configuration. */
export function describeSet(dataset: Dataset): object {
  const classes = classCounts(dataset).map((pictures, index) => [dataset.classNames[index], pictures] as const);
  return {
    ...{ directory: dataset.name, pictures: dataset.labels.length, classes: Object.fromEntries(classes) },
    skipped: dataset.skipped,
  };
}

/** "gap = 0 (400 pictures), ok = 1 (400 pictures)" */
export function describeClasses(dataset: Dataset): string {
  return classCounts(dataset)
    .map((pictures, index) => `${dataset.classNames[index]} = ${index} (${count(pictures, 'picture')})`)
    .join(', ');
}

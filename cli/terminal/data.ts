/** What commands on labelled pictures share: the cache, loading, and saying what was found and what was left out. */
import { UsageError } from '../../src/errors.js';
import {
  classCounts,
  HOLD_BACK,
  isWithin,
  listGoodPictures,
  loadDataset,
  markedCacheDirectory,
  openSplits,
  PictureCache,
  type Dataset,
  type FileList,
  type LoadDatasetOptions,
  type Splits,
} from '../../src/index.node.js';
import type { Options } from './command.js';
import type { cacheFlags } from './common-flags.js';
import { count, note, showProgress, type Output } from './output.js';

/**
 * @param data the folders of the user's pictures, where nothing is ever written
 * @throws UsageError for a cache inside of them or around them, or a named folder that holds something else
 */
export function openCache(
  { cache, cacheLimit }: Options<typeof cacheFlags>,
  data: readonly string[],
): PictureCache | null {
  if (cache === false) return null;
  const directory = cache === true ? markedCacheDirectory() : cache;
  const touching = data.find((folder) => isWithin(directory, folder) || isWithin(folder, directory));
  if (touching === undefined) return new PictureCache(directory, cacheLimit * 1e9);
  if (cache === true && !process.env['BELTNET_CACHE']) {
    note(`note: ${directory}, where decoded pictures are kept, is not apart from ${touching}; they are not kept`);
    return null;
  }
  const option = cache === true ? 'BELTNET_CACHE' : '--cache';
  throw new UsageError(`${option}: expects a folder outside of the pictures' own (${touching}), got '${directory}'`);
}

/** The part of a cross-validation that a run is. */
export interface Fold {
  readonly index: number;
  readonly of: number;
}

interface SplittingOptions {
  readonly seed: number;
  readonly split: number | undefined;
  readonly groupBy: RegExp | undefined;
  readonly holdBack: number | undefined;
  readonly validateOnTest: boolean;
  readonly base: unknown;
  readonly fineTune: unknown;
  readonly goodOnly: boolean;
  readonly goodClass: string | undefined;
}

/** What `train` takes of a data set to train on, to choose by, and to judge. */
export function openTrainingSplits(
  directory: string,
  options: SplittingOptions,
  fold: Fold | null = null,
): Promise<Splits> {
  const { seed, split, groupBy, holdBack, validateOnTest, base, fineTune } = options;
  if (options.goodOnly) return listGoodPictures(directory, options);
  const isFineTuned = fineTune !== undefined;
  if (base !== undefined && !isFineTuned) return openSplits(directory, { seed, split, groupBy, ...(fold && { fold }) }); // a fixed recipe: nothing is chosen
  return openSplits(directory, {
    ...{ seed, split, groupBy, validateOnTest },
    ...(fold && { fold }),
    holdBack: holdBack ?? (split !== undefined ? 0 : isFineTuned ? HOLD_BACK : 'auto'),
  });
}

/** Decodes the pictures of a folder, with a progress line, and says what came of it: every file that is left out is named. */
export async function loadAndReport(
  files: FileList,
  { workers, ...options }: Omit<LoadDatasetOptions, 'workers'> & { workers?: number | undefined },
  output: Output,
): Promise<Dataset> {
  for (const line of files.notes) note(`note: ${line}`);
  const dataset = await loadDataset(files, {
    ...options,
    ...(workers !== undefined && { workers }),
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total} ${files.name}`),
    onNote: (line) => note(`note: ${line}`),
  });
  sayFound(dataset, output);
  return dataset;
}

/** What came of loading. */
export function sayFound(
  { skipped, labels, classNames }: Pick<Dataset, 'skipped' | 'labels' | 'classNames'>,
  output: Output,
): void {
  for (const { error } of skipped) note(`skipped: ${error}`);
  output.say(`Found ${labels.length} images belonging to ${classNames.length} classes.`);
}

/** The last word on files that were left out, after the lines that name them have scrolled away. */
export function noteSkipped(datasets: readonly Pick<Dataset, 'skipped' | 'labels'>[]): void {
  const skipped = datasets.flatMap((dataset) => dataset.skipped);
  if (skipped.length === 0) return;
  const used = datasets.reduce((sum, { labels }) => sum + labels.length, 0);
  const byEnding = new Map<string, number>();
  for (const { file } of skipped) {
    const ending = /\.\w+$/.exec(file)?.[0].toLowerCase() ?? 'without ending';
    byEnding.set(ending, (byEnding.get(ending) ?? 0) + 1);
  }
  const endings = [...byEnding].map(([ending, files]) => `${files} ${ending}`).join(', ');
  note(
    `note: ${skipped.length} of ${count(used + skipped.length, 'file')} ${skipped.length === 1 ? 'was' : 'were'} left out (${endings}); ` +
      'see the lines "skipped" above; --on-bad fail stops at the first, with exit code 3',
  );
}

/** "gap = 0 (400 pictures), ok = 1 (400 pictures)" */
export function describeClasses(dataset: Dataset): string {
  return classCounts(dataset)
    .map((pictures, index) => `${dataset.classNames[index]} = ${index} (${count(pictures, 'picture')})`)
    .join(', ');
}

/** "53 pictures for training, 19 for validation": those that can be used. */
export function describeParts(training: Dataset, validation: Dataset | null): string {
  const forValidation = validation ? `, ${validation.labels.length} for validation` : '';
  return `${count(training.labels.length, 'picture')} for training${forValidation}`;
}

/**
 * Which pictures of a data set judge a model, and which may choose something for it (a threshold, a temperature): those that judge it
 * last choose nothing, and those that trained it do neither, unless somebody insists.
 */
import { preview } from '../options.js';
import { expectArray, expectFunction, expectObject, objectWith } from '../expect.js';
import { subset, type Dataset, expectDataset } from '../data/dataset.js';
import type { FileList } from '../data/sources/file-list.js';
import { openParts, type PartName } from '../data/sources/parts.node.js';
import { DataError, UsageError } from '../errors.js';
import type { PicturesOfRun } from './picture-manifest.node.js';
import { pixelHashes } from './pixel-hash.js';

export type JudgingPurpose = 'judge' | 'choose';

export interface JudgingPictures {
  readonly files: FileList;
  readonly part: PartName;
  /** Whether somebody asked for this part by name. */
  readonly isInsisted: boolean;
  readonly purpose: JudgingPurpose;
}

/**
 * To judge: `test/`, else `val/`, else the others; to choose: `val/`, else of the others those that did not train the model.
 *
 * @param insisted the part that is to be taken
 * @param record what the model's run did with which pictures; null where nobody knows
 * @throws DataError where no pictures may choose; UsageError for a part that is not there
 */
export async function picturesFor(
  purpose: JudgingPurpose,
  directory: string,
  options: { readonly insisted?: PartName | undefined; readonly record: PicturesOfRun | null },
): Promise<JudgingPictures> {
  expectObject(options, 'picturesFor: options');
  const { insisted, record } = options;
  const { isDivided, names, list } = await openParts(directory);
  if (insisted !== undefined) {
    if (!names.includes(insisted))
      throw new UsageError(
        `part: ${directory} has the part${names.length > 1 ? 's' : ''} ${names.join(', ')}, got ${preview(insisted)}`,
      );
    return { files: list(insisted), part: insisted, isInsisted: true, purpose };
  }
  const order: readonly PartName[] =
    purpose === 'judge' ? ['test', 'validation', 'training'] : ['validation', 'training'];
  const part = order.find((name) => names.includes(name));
  const isUnknown = part === 'training' && purpose === 'choose' && isDivided && record === null;
  if (part === undefined || isUnknown)
    throw new DataError(
      `${directory}: expects pictures that may choose, got ${names.join(' and ')}; what is chosen on the pictures of a test ` +
        'leaves none to judge it, and those that trained the model praise it: give pictures of their own (val/), or the run that ' +
        `kept some from its training; --part ${names.includes('test') ? 'test' : names[0]} insists`,
    );
  return { files: list(part), part, isInsisted: false, purpose };
}

/** Loaded pictures, and what the model has seen of them. */
export interface UnseenPictures {
  readonly dataset: Dataset;
  /** See `pixelHashes`, [N]. */
  readonly pixels: readonly number[];
  /** Those of them that trained the model; null where nobody knows. */
  readonly inTraining: number | null;
  /** Pictures that were left out because they trained the model. */
  readonly leftOut: number;
}

/**
 * Leaves out what trained the model, where pictures are not there for judging or choosing anyway (a test set that leaks is judged as it
 * is, and the leak told). Where all of them trained it they judge it all the same, but choose nothing.
 *
 * @throws DataError where none is left to choose
 */
export async function leaveOutSeen(
  dataset: Dataset,
  pictures: Omit<JudgingPictures, 'files'>,
  record: PicturesOfRun | null,
): Promise<UnseenPictures> {
  expectDataset(dataset, 'leaveOutSeen: dataset');
  expectObject(pictures, 'leaveOutSeen: pictures');
  if (record !== null) objectWith({ get: expectFunction })(record, 'leaveOutSeen: record');
  const pixels = await pixelHashes(dataset);
  const all = { dataset, pixels, inTraining: null, leftOut: 0 };
  if (!record) return all;
  const trained = pixels.map((each) => record.get(each) === 'training');
  const { taken, inTraining, leftOut } = unseenOf(trained, pictures, dataset.name);
  if (leftOut === 0) return { ...all, inTraining };
  return { dataset: subset(dataset, taken), pixels: taken.map((n) => pixels[n]), inTraining, leftOut };
}

/**
 * Which of some pictures judge or choose, by whether each of them trained the model: see `leaveOutSeen`.
 * @throws DataError where none is left to choose
 */
export function unseenOf(
  trained: readonly boolean[],
  pictures: Omit<JudgingPictures, 'files'>,
  name: string,
): { readonly taken: readonly number[]; readonly inTraining: number; readonly leftOut: number } {
  expectArray(trained, 'unseenOf: trained');
  expectObject(pictures, 'unseenOf: pictures');
  const { part, isInsisted, purpose } = pictures;
  const every = [...trained.keys()];
  const unseen = every.filter((n) => !trained[n]);
  const inTraining = trained.length - unseen.length;
  if (part !== 'training' || isInsisted || inTraining === 0) return { taken: every, inTraining, leftOut: 0 };
  if (unseen.length > 0) return { taken: unseen, inTraining: 0, leftOut: inTraining };
  if (purpose === 'judge') return { taken: every, inTraining, leftOut: 0 };
  throw new DataError(
    `${name}: expects pictures that did not train the model, got ${inTraining} that all did; give others, ` +
      'or insist with --part training',
  );
}

/** What commands that measure a model on labelled pictures share: from a folder to what the model says of its pictures. */
import { DataError, UsageError } from '../../src/errors.js';
import {
  evaluateClassifier,
  groupsOf,
  leaveOutSeen,
  loadClassifier,
  openSplits,
  picturesFor,
  picturesOfModel,
  type Calibration,
  type Dataset,
  type Device,
  type Evaluation,
  type FileList,
  type JudgingPictures,
  type JudgingPurpose,
  type ModelInfo,
  type NodeClassifier,
  type PartName,
  type PicturesOfRun,
} from '../../src/index.node.js';
import { flag, type Options } from './command.js';
import type { DeviceFacts } from './device.js';
import {
  batchFlag,
  cacheFlags,
  deviceFlags,
  difficultyFlag,
  onBadFlag,
  seedFlag,
  splitFlags,
  workersFlag,
} from './common-flags.js';
import { loadAndReport, openCache } from './data.js';
import { oneOf } from './options.js';
import { count, note, type Output } from './output.js';

export const judgingOperands = (taken: string) => ({
  '<model>': 'model.safetensors, or the folder of a run',
  '<dir>': `a divided data set, of which ${taken}; class folders; a manifest; or a practice set`,
});

const partNames = ['test', 'validation', 'training'] as const satisfies readonly PartName[];

export const judgingFlags = {
  part: flag('<name>', 'take this part of the data set, whatever it was meant for', (name) => oneOf(name, partNames), {
    choices: partNames,
  }),
  ...splitFlags('only the part that train --split keeps for validation'),
  difficulty: difficultyFlag,
  seed: seedFlag('of that split, and of the defects that --difficulty draws'),
  batch: batchFlag,
  ...deviceFlags,
  workers: workersFlag,
  ...cacheFlags,
  onBad: onBadFlag,
};

export interface JudgedFolder {
  readonly classifier: NodeClassifier;
  readonly dataset: Dataset;
  readonly evaluation: Evaluation;
  readonly part: PartName;
  /** How many of the pictures trained the model; null where nobody knows. */
  readonly inTraining: number | null;
  /** The pictures in words. */
  readonly data: string;
}

/** What is told of an evaluation. */
export interface ToldEvaluation extends Pick<JudgedFolder, 'evaluation' | 'part' | 'inTraining' | 'data'> {
  /** The model file. */
  readonly model: string;
  readonly classNames: readonly string[];
  readonly set: Pick<Dataset, 'name' | 'skipped' | 'labels'>;
  readonly facts: DeviceFacts;
  readonly calibration: Calibration | null;
  readonly split: number | undefined;
  readonly seed: number;
  readonly difficulty: number;
}

/** @param threshold in place of the model's own */
export async function judgeFolder(
  [model, directory]: readonly string[],
  options: Options<typeof judgingFlags>,
  { purpose, device, output, threshold }: JudgingContext,
): Promise<JudgedFolder> {
  const { groupBy, seed, difficulty, batch: batchSize } = options;
  const classifier = await loadClassifier(model, { device, ...(threshold !== undefined && { threshold }) });
  const { info, name, preparation } = classifier;
  const record = await picturesOfModel(name);
  const chosen = await choosePictures(directory, options, purpose, record);
  const { files, part } = chosen;
  checkClasses(files, info, name);
  const cache = openCache(options, [directory]);
  const loading = { ...preparation.picture, onBad: options.onBad, workers: options.workers, cache };
  const groups = await groupsOf(files, groupBy);
  const groupOf = groups && new Map(files.files.map(({ path }, index) => [path, groups[index]]));
  const loaded = await loadAndReport(files, loading, output);
  const { dataset, pixels, inTraining, leftOut } = await leaveOutSeen(loaded, chosen, record);
  noteLeftOut(leftOut, files.name);
  const evaluation = await evaluateClassifier(classifier, dataset, {
    batchSize,
    seed,
    difficulty,
    pixels,
    groups: groupOf ? dataset.files.map((file) => groupOf.get(file) ?? file) : undefined,
  });
  const data = inWords(chosen, options, leftOut, inTraining ?? 0);
  return { classifier, dataset, evaluation, part, inTraining, data };
}

export interface JudgingContext {
  readonly purpose: JudgingPurpose;
  readonly device: Device;
  readonly output: Output;
  readonly threshold?: number | undefined;
}

export async function choosePictures(
  directory: string,
  { part, split, groupBy, seed }: Options<typeof judgingFlags>,
  purpose: JudgingPurpose,
  record: PicturesOfRun | null,
): Promise<JudgingPictures> {
  if (split === undefined) return picturesFor(purpose, directory, { insisted: part, record });
  if (part !== undefined) throw new UsageError('--part: expects no --split beside it, which is a part already');
  const { validation } = await openSplits(directory, { seed, split, ...(groupBy && { groupBy }) });
  return { files: validation as FileList, part: 'validation', isInsisted: false, purpose };
}

/** "belt/test_set (the pictures of a test)" */
export function inWords(
  { files, part, purpose }: Pick<JudgingPictures, 'part' | 'purpose'> & { readonly files: Pick<FileList, 'name'> },
  {
    split,
    seed,
    difficulty,
  }: { readonly split: number | undefined; readonly seed: number; readonly difficulty: number },
  leftOut: number,
  inTraining: number,
): string {
  const what = [
    ...(split === undefined ? [] : [`the ${split} that --split and --seed ${seed} keep for validation`]),
    ...(leftOut > 0 ? ['those that did not train the model'] : []),
    ...(purpose === 'choose' && part === 'test' ? ['pictures of a test, which judge the model no longer'] : []),
    ...(purpose === 'choose' && inTraining > 0 ? [`${inTraining} of them trained the model`] : []),
    ...(difficulty > 0 ? [`difficulty ${difficulty}`] : []),
  ];
  return `${files.name}${what.length > 0 ? ` (${what.join('; ')})` : ''}`;
}

export function noteLeftOut(leftOut: number, name: string): void {
  if (leftOut > 0)
    note(
      `note: ${count(leftOut, 'picture')} of ${name} trained the model and ${leftOut === 1 ? 'is' : 'are'} left out`,
    );
}

/** Says so where pictures trained the model that they are to judge. */
export function warnOfSeen(
  { inTraining, dataset }: { readonly inTraining: number | null; readonly dataset: Pick<Dataset, 'labels'> },
  what: string,
): void {
  if (inTraining === null || inTraining === 0) return;
  note(
    `warning: ${inTraining} of ${count(dataset.labels.length, 'picture')} ${inTraining === 1 ? 'was' : 'were'} in training: ${what}`,
  );
}

export function checkClasses(files: FileList, { classNames }: ModelInfo, path: string): void {
  if (files.classNames.join('/') === classNames.join('/')) return;
  throw new DataError(
    `${files.name}: expects the classes of ${path} (${classNames.join(', ')}), got ${files.classNames.join(', ')}; ` +
      'give the folders those names, or take the model of these classes',
  );
}

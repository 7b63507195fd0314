/** What commands that measure a model on labelled pictures share: from a folder to what the model says of its pictures. */
import { DataError } from '../../src/errors.js';
import {
  evaluateClassifier,
  groupsOf,
  loadClassifier,
  openSplits,
  type Dataset,
  type Device,
  type Evaluation,
  type FileList,
  type ModelInfo,
  type NodeClassifier,
} from '../../src/index.node.js';
import type { Options } from './command.js';
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
import type { Output } from './output.js';

export const judgingOperands = {
  '<model>': 'model.safetensors, or the folder of a run',
  '<dir>': 'folder with the class folders; of a divided data set its validation or test pictures are taken',
};

export const judgingFlags = {
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
  readonly files: FileList;
  readonly dataset: Dataset;
  readonly evaluation: Evaluation;
  /** The pictures in words. */
  readonly data: string;
}

/** @param threshold in place of the model's own */
export async function judgeFolder(
  [model, directory]: readonly string[],
  options: Options<typeof judgingFlags>,
  device: Device,
  output: Output,
  threshold?: number,
): Promise<JudgedFolder> {
  const { split, groupBy, seed, difficulty, batch: batchSize } = options;
  const classifier = await loadClassifier(model, { device, ...(threshold !== undefined && { threshold }) });
  const { info, name, preparation } = classifier;
  const { training, validation } = await openSplits(directory, {
    seed,
    ...(split !== undefined && { split }),
    ...(split !== undefined && groupBy && { groupBy }),
  });
  const files = validation ?? training;
  checkClasses(files, info, name);
  const cache = openCache(options, [directory]);
  const loading = { ...preparation.picture, onBad: options.onBad, workers: options.workers, cache };
  const groups = await groupsOf(files, groupBy);
  const groupOf = groups && new Map(files.files.map(({ path }, index) => [path, groups[index]]));
  const dataset = await loadAndReport(files, loading, output);
  const evaluation = await evaluateClassifier(classifier, dataset, {
    batchSize,
    seed,
    difficulty,
    groups: groupOf ? dataset.files.map((file) => groupOf.get(file) ?? file) : undefined,
  });
  const taken = split === undefined ? '' : ` (the ${split} that --split and --seed ${seed} keep for validation)`;
  const data = `${files.name}${taken}${difficulty > 0 ? `, difficulty ${difficulty}` : ''}`;
  return { classifier, files, dataset, evaluation, data };
}

function checkClasses(files: FileList, { classNames }: ModelInfo, path: string): void {
  if (files.classNames.join('/') === classNames.join('/')) return;
  throw new DataError(
    `${files.name}: expected the classes of ${path} (${classNames.join(', ')}), got ${files.classNames.join(', ')}; ` +
      'give the folders those names, or take the model of these classes',
  );
}

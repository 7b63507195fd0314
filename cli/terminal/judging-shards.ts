/** `evaluate --shard`: what a share of the pictures adds to an evaluation, and the evaluation of all shares. */
import { UsageError } from '../../src/errors.js';
import {
  checkEveryClass,
  datasetOf,
  evaluateShare,
  evaluationOf,
  groupsOf,
  itemsOf,
  loadClassifier,
  loadShare,
  picturesOfModel,
  unseenOf,
  type Dataset,
  type EvaluationLine,
  type JudgingPictures,
  type ModelInfo,
  type Shard,
  type ShardFile,
} from '../../src/index.node.js';
import type { Options } from './command.js';
import { openCache, sayFound } from './data.js';
import type { DeviceFacts } from './device.js';
import {
  checkClasses,
  choosePictures,
  inWords,
  noteLeftOut,
  type judgingFlags,
  type JudgingContext,
  type ToldEvaluation,
} from './judging.js';
import { note, type Output } from './output.js';
import { deviceOfWork, labelsHash, linesOf, runShard, workOfModel } from './shards.js';

type SkippedFile = Dataset['skipped'][number];

/** What all shards say alike, and what is told of it. */
interface EvaluationWork {
  readonly set: { readonly name: string; readonly skipped: readonly SkippedFile[] };
  readonly part: JudgingPictures['part'];
  readonly isInsisted: boolean;
  readonly purpose: JudgingPictures['purpose'];
  readonly split: number | null;
  readonly seed: number;
  readonly info: ModelInfo;
  readonly named: string;
}

/** A picture's line, or that of a file that cannot be used. */
type Line = EvaluationLine | { readonly file: string; readonly label: number; readonly error: string };

/** Judges a share of the pictures. @returns the exit code */
export async function judgeShard(
  shard: { shard: Shard; out: string },
  [model, directory]: readonly string[],
  options: Options<typeof judgingFlags> & { readonly json: boolean },
  { purpose, device, facts, threshold }: JudgingContext & { readonly facts: DeviceFacts },
): Promise<number> {
  const { groupBy, seed, split, batch: batchSize, workers, onBad } = options;
  const classifier = await loadClassifier(model, { device, ...(threshold !== undefined && { threshold }) });
  const { info, name, preparation } = classifier;
  const record = await picturesOfModel(name);
  const { files, part, isInsisted } = await choosePictures(directory, options, purpose, record);
  checkClasses(files, info, name);
  if (onBad === 'fail' && files.skipped.length > 0)
    throw new UsageError(`${files.skipped[0].error}; --on-bad skip leaves it out`);
  for (const line of files.notes) note(`note: ${line}`);
  const groups = await groupsOf(files, groupBy);
  const cache = openCache(options, [directory]);
  const { classNames, preprocessing, alert } = info;
  return runShard(shard, options, itemsOf(files), {
    command: 'evaluate',
    work: {
      ...(await workOfModel(name)),
      'labels of the files': labelsHash([files]),
      groups: groups && labelsHash([{ files: groups.map((group) => ({ path: '', label: 0, group })) }]),
      ...{ batch: batchSize, part, isInsisted, purpose, split: split ?? null, seed },
      set: { name: files.name, skipped: files.skipped },
      ...{ info: { classNames, preprocessing, alert }, named: name },
      device: deviceOfWork(facts),
    } satisfies EvaluationWork & Record<string, unknown>,
    by: { device: facts },
    step: batchSize,
    async run(items, add, onInput, first) {
      const list = { ...files, files: files.files.slice(first, first + items.length), skipped: [] };
      const { size } = preparation.picture;
      const loaded = await loadShare(list, {
        ...{ ...preparation.picture, cache, onInput, first: 0, end: items.length },
        ...(workers !== undefined && { workers }),
        stopOnError: onBad === 'fail',
        onNote: (line) => note(`note: ${line}`),
      });
      const dataset = datasetOf(list, loaded, size, []);
      const ofShare = groups?.slice(first, first + items.length).filter((_, n) => loaded.errors[n] === null);
      const judged =
        dataset.labels.length === 0
          ? []
          : await evaluateShare(classifier, dataset, {
              ...{ batchSize, groups: ofShare },
              trained: record ? (pixels) => record.get(pixels) === 'training' : undefined,
            });
      let good = 0;
      for (const [n, error] of loaded.errors.entries()) {
        const { path: file, label } = list.files[n];
        add(error === null ? judged[good++] : ({ file, label, error } satisfies Line));
      }
    },
  });
}

/** What one process would have told of all pictures. */
export async function judgedInShards(shards: readonly ShardFile[], output: Output): Promise<ToldEvaluation> {
  const work = shards[0].head.work as unknown as EvaluationWork;
  const { set, info, part, isInsisted, purpose, seed, named } = work;
  const { device: facts } = shards[0].head.by as { readonly device: DeviceFacts };
  const skipped = [...set.skipped];
  const judged: EvaluationLine[] = [];
  for await (const line of linesOf<Line>(shards)) {
    if ('error' in line) skipped.push(line);
    else judged.push(line);
  }
  const found = { ...set, skipped: skipped.map(({ file, error }) => ({ file, error })), classNames: info.classNames };
  checkEveryClass(found, judged, skipped);
  sayFound({ ...found, labels: Uint8Array.from(judged, ({ label }) => label) }, output);
  const knows = judged.some(({ trained }) => trained !== undefined);
  const chosen = { part, isInsisted, purpose };
  const unseen = unseenOf(
    judged.map(({ trained = false }) => trained),
    chosen,
    set.name,
  );
  noteLeftOut(unseen.leftOut, set.name);
  const lines = unseen.taken.map((n) => judged[n]);
  const split = work.split ?? undefined;
  return {
    ...{ model: named, classNames: info.classNames, facts, part, split, seed, difficulty: 0, calibration: null },
    set: { ...found, labels: Uint8Array.from(lines, ({ label }) => label) },
    inTraining: knows ? unseen.inTraining : null,
    data: inWords({ files: set, part, purpose }, { split, seed, difficulty: 0 }, unseen.leftOut, unseen.inTraining),
    evaluation: await evaluationOf(lines, info),
  };
}

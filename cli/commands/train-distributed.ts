/**
 * `beltnet train --distributed`: one of several processes that train together. Rank 0 does what a training alone does: it reads the
 * options, keeps the run, speaks. The others take the options from it, load the same pictures, and take part in the steps.
 */
import { availableParallelism } from 'node:os';
import { BeltnetError, UsageError } from '../../src/errors.js';
import {
  checkMemory,
  classWeightsFor,
  Meantime,
  openMpiGroup,
  share,
  together,
  trainingFlows,
  type MpiGroup,
} from '../../src/index.node.js';
import { loadAndReport, openCache, type Fold } from '../terminal/data.js';
import { withDevice } from '../terminal/device.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { mute, note, Output } from '../terminal/output.js';
import type { Ranks } from '../terminal/ranks.js';
import { configuredOptions, ownOptions, resumeOptions } from '../terminal/resume.js';
import { checkedStart, isFrozen } from '../terminal/start-of-training.js';
import type { TrainOptions } from '../terminal/training-flags.js';
import { foldOfRun, planInSteps, trainInSteps } from './train-in-steps.js';

/** What the others are told. */
interface Task {
  readonly directory: string;
  /** As config.json has them. */
  readonly options: object;
  readonly fold: Fold | null;
}

/** Milliseconds in which rank 0, which has mostly met the same failure, may say so alone. */
const FIRST_WORD = 1000;
const MOST_THREADS = 8;

/** Options that make no steps, or several trainings. */
const ALONE = ['repeats', 'folds', 'findLr', 'dryRun', 'goodOnly'] as const;

/** @returns the exit code; the same on all ranks */
export async function trainDistributed(
  operand: string | undefined,
  asked: TrainOptions,
  given: readonly string[],
): Promise<number> {
  const alone = ALONE.find((name) => given.includes(name));
  if (alone !== undefined)
    throw new UsageError(`--distributed: expects one training in steps, got --${alone}; leave one of them out`);
  const group = await openMpiGroup({ stallSeconds: asked.stallSeconds });
  mute(group.rank > 0);
  try {
    const code = group.rank === 0 ? await lead(group, operand, asked, given) : await follow(group);
    await group.close();
    return code;
  } catch (error) {
    if (group.rank === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, FIRST_WORD));
    mute(false);
    if (error instanceof BeltnetError) error.message = `rank ${group.rank}: ${error.message}`;
    throw error;
  }
}

/** A process's share of the cores, unless it was told a number. */
const threadsOf = ({ threads }: TrainOptions, { localSize }: MpiGroup): number =>
  threads ?? Math.min(MOST_THREADS, Math.max(1, Math.floor(availableParallelism() / localSize)));

/** Rank 0. */
async function lead(
  group: MpiGroup,
  operand: string | undefined,
  asked: TrainOptions,
  given: readonly string[],
): Promise<number> {
  const { directory, options: configured } = await configuredOptions(operand, asked, given);
  const started = checkedStart(configured, given);
  const resumed = await resumeOptions(directory, started, given);
  const options = resumed?.options ?? started;
  const pictures = resumed?.directory ?? directory;
  if (pictures === undefined)
    throw new UsageError('train: expects the folder of the pictures, or --resume RUN to go on with a run');
  if (isFrozen(options))
    throw new UsageError('--distributed: expects a training in steps; a head on a base takes seconds: train it alone');
  const earlier = resumed?.config['ranks'];
  if (resumed && earlier !== group.size)
    note(
      `note: ${resumed.run} was begun by ${typeof earlier === 'number' ? earlier : 1} processes and goes on with ${group.size}: the same batches, ` +
        'but sums round otherwise, so that the weights are not the same bit for bit',
    );
  const fold = resumed ? foldOfRun(resumed.config) : null;
  await share<Task>(group, { directory: pictures, options: stored(options), fold }, 'start');

  let meantime = new Meantime(group);
  let hasTrained = false;
  const around = async <Result>(fit: () => Promise<Result>): Promise<Result> => {
    await meantime.end();
    await new Meantime(group).end(); // in which the others on this machine load what this process has decoded
    await share(group, true, 'start');
    hasTrained = true;
    const result = await fit();
    meantime = new Meantime(group);
    return result;
  };
  try {
    const ranks: Ranks = { group, threads: threadsOf(options, group), around };
    const code = await trainInSteps(pictures, options, given, resumed, new Output(options), fold, ranks);
    await meantime.end();
    if (hasTrained) return await share(group, code, 'end');
    await new Meantime(group).end();
    await share(group, false, 'start'); // there were no steps to be made
    return await share(group, code, 'end');
  } catch (error) {
    meantime.leave();
    throw error;
  }
}

/** As config.json has them, from which `ownOptions` makes them again. */
const stored = (options: TrainOptions): object => ({
  ...options,
  groupBy: options.groupBy ? String(options.groupBy) : null,
});

/** Any other rank. */
async function follow(group: MpiGroup): Promise<number> {
  const task = await share<Task | null>(group, null, 'start');
  const { directory, options: given, fold } = task as Task;
  const options = { ...(ownOptions({ options: given }, 'rank 0') as TrainOptions), kernels: undefined }; // rank 0 gives its choices
  const { splits, start } = await planInSteps(directory, options, fold, null);
  const { model, preparation, recipe } = start.plan;
  return withDevice({ ...options, threads: threadsOf(options, group) }, async (device) => {
    checkMemory(model, device.memoryBudget);
    const cache = openCache(options, [directory]);
    const load = async () => {
      const loading = { ...preparation.picture, onBad: options.onBad, workers: options.workers, cache };
      const output = new Output(options);
      const training = await loadAndReport(splits.training, loading, output);
      const validation = splits.validation && (await loadAndReport(splits.validation, loading, output));
      return { training, flows: await trainingFlows(start.plan, training, validation, options.batch) };
    };
    // Of the processes of a machine one decodes, the others find it in the cache.
    const isFirst = group.localRank === 0;
    const decoded = await together(group, () => (isFirst ? load() : Promise.resolve(null)));
    const { training, flows } = await together(group, () => (decoded ? Promise.resolve(decoded) : load()));
    if (await share(group, false, 'start')) {
      const { optimizer, loss } = recipe;
      const weights = options.classWeight !== 'none' && { classWeight: classWeightsFor(options.classWeight, training) };
      model.compile({ device, optimizer, loss, ...weights, group, syncEvery: options.syncEvery });
      const fit = (signal: AbortSignal) =>
        model.fit(flows.training, {
          signal,
          ...(options.stepsPerEpoch !== undefined && { stepsPerEpoch: options.stepsPerEpoch }),
          ...(flows.validation && { validationData: flows.validation }),
          ...(options.validationSteps !== undefined && { validationSteps: options.validationSteps }),
          // As rank 0, which keeps the figures: the scores are summed for it.
          ...(flows.validation && { onValidationScores: () => {} }),
        });
      await stopInOrder('', fit);
      await together(group, () => Promise.resolve()); // while rank 0 judges and writes
    }
    return share(group, 0, 'end');
  });
}

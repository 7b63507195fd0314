/** The training: from any point of it, epoch by epoch, telling callbacks what happens. */
import { gather, share, type Group } from '../../distributed/group.js';
import { UsageError } from '../../errors.js';
import { compareData } from './across-ranks.js';
import { PictureSource } from './batch-source.js';
import type { Batches } from './batches.js';
import { checkCounts, checkFinite, largestBatch, measure, type OnScores, type PassOwner } from './evaluate.js';
import type { EpochLog, History, Progress, TrainedModel, TrainingCallback, TrainingEvent } from './events.js';
import type { Exclusive } from './exclusive.js';
import { RunningMean } from './figures.js';
import type { StepProfile } from './profile.js';
import type { Meeting } from './rank-steps.js';
import { MOST_STEPS_OF_GROUP, runSteps, whenReady } from './run-steps.js';
import { SharedBatches, type BatchPart } from './shared-batches.js';
import type { StateOwner } from './state.js';
import type { Ran } from './steps.js';

export interface FitOptions {
  /** Epochs to train, or, with `initialEpoch`, the last one: Keras counts so. Default 1. */
  epochs?: number;
  /**
   * Epochs done before this call. Default: where the model stands, which after an earlier `fit`, or after `restoreTrainingState`,
   * may be in the midst of an epoch: a training goes on as if it had never paused.
   */
  initialEpoch?: number;
  /** Default: one pass over the data. Steps past it go on into the next pass; the next epoch continues from there. */
  stepsPerEpoch?: number;
  /**
   * Batches whose gradients make one update: their mean over all samples, as of one large batch (batch normalization goes by
   * each batch). The last update of an epoch may have fewer. Default 1.
   */
  accumulate?: number;
  validationData?: Batches;
  /** Default: one pass over the validation data. */
  validationSteps?: number;
  /** Takes what the model gives for the validation pictures in each epoch, step by step, before the epoch's event. */
  onValidationScores?: OnScores;
  /** Told of every event, in this order, before `onProgress` and `onEpoch`; each is waited for. */
  callbacks?: readonly TrainingCallback[];
  /** Called after each step whose figures are known. */
  onProgress?: (progress: Progress) => void;
  /** Called after each epoch; the next one waits for it. */
  onEpoch?: (log: EpochLog) => void | Promise<void>;
  /** Stops after the current step. */
  signal?: AbortSignal;
}

/** Of these, for `checkNames`. */
export const fitOptionNames: Readonly<Record<keyof FitOptions, true>> = {
  epochs: true,
  initialEpoch: true,
  stepsPerEpoch: true,
  accumulate: true,
  validationData: true,
  validationSteps: true,
  onValidationScores: true,
  callbacks: true,
  onProgress: true,
  onEpoch: true,
  signal: true,
};

/** What of a compiled model a training needs. */
export interface FitOwner extends PassOwner, StateOwner {
  readonly training: Exclusive;
  readonly group: Group;
  readonly syncEvery: number;
}

/** Updates between two looks whether all ranks have the same parameters; there is one after each epoch, too. */
const UPDATES_BETWEEN_COMPARISONS = 500;

/** When the ranks of a training meet, by the step of an epoch; it is the same on all. */
function meetings({ group, syncEvery }: FitOwner, stepsPerEpoch: number, accumulate: number) {
  const isLast = (index: number): boolean => (index + 1) % accumulate === 0 || index + 1 === stepsPerEpoch;
  const interval = Math.min(MOST_STEPS_OF_GROUP, syncEvery === 1 ? MOST_STEPS_OF_GROUP : syncEvery * accumulate);
  const tells = (index: number): boolean =>
    (syncEvery === 1 && isLast(index)) || (index + 1) % interval === 0 || index + 1 === stepsPerEpoch;
  const synchronizes = (index: number): boolean =>
    syncEvery > 1 && ((index + 1) % (syncEvery * accumulate) === 0 || index + 1 === stepsPerEpoch);
  return {
    isLast,
    of: (index: number, update: number, part: BatchPart): Meeting => {
      const isWhole = isLast(index) && (syncEvery === 1 || synchronizes(index));
      const isDue = index + 1 === stepsPerEpoch || update % UPDATES_BETWEEN_COMPARISONS === 0;
      return { part, tell: tells(index), synchronize: synchronizes(index), compare: isWhole && isDue };
    },
    /** The first step from this one on after which the figures of all before it are known. */
    readable(index: number): number {
      if (group.size === 1) return index;
      let at = index;
      while (at < stepsPerEpoch && !tells(at - 1)) at++;
      return at;
    },
  };
}

type Told<Event> = Event extends unknown ? Omit<Event, 'model' | 'learningRate'> : never;

function callbacksOf({ callbacks = [], onProgress, onEpoch }: FitOptions): readonly TrainingCallback[] {
  return [
    ...callbacks,
    ...(onProgress ? [(event: TrainingEvent) => (event.type === 'step' ? onProgress(event) : undefined)] : []),
    ...(onEpoch ? [(event: TrainingEvent) => (event.type === 'epoch' ? onEpoch(logOf(event)) : undefined)] : []),
  ];
}

const logOf = ({ epoch, seconds, loss, accuracy, valLoss, valAccuracy }: EpochLog): EpochLog => ({
  epoch,
  seconds,
  loss,
  accuracy,
  ...(valLoss !== undefined && valAccuracy !== undefined && { valLoss, valAccuracy }),
});

export async function fitBatches(
  owner: FitOwner,
  model: TrainedModel,
  batches: Batches,
  options: FitOptions,
): Promise<History> {
  const { device, steps, counters, bound, figures, group } = owner;
  const { epochs = 1, stepsPerEpoch = batches.stepsPerPass, accumulate = 1, validationData, validationSteps } = options;
  checkCounts('fit', { epochs, stepsPerEpoch, accumulate, validationSteps });
  const lastEpoch = await sameStart(owner, batches, begin(owner, options, stepsPerEpoch));
  const meets = meetings(owner, stepsPerEpoch, accumulate);

  const callbacks = callbacksOf(options);
  let stopped = false;
  const wishesToStop = (): boolean => stopped || (options.signal?.aborted ?? false);
  const isStopped = (): boolean => (group.size === 1 ? wishesToStop() : steps.stopAgreed);
  const tell = async (event: Told<TrainingEvent>): Promise<void> => {
    const learningRate = bound.learningRate(Math.max(1, counters.updates));
    for (const callback of callbacks)
      if ((await callback({ ...event, learningRate, model })) === 'stop') stopped = true;
  };

  const logs: EpochLog[] = [];
  const shared = shareOf(batches, group);
  const sharedValidation = validationData && shareOf(validationData, group);
  const source = await PictureSource.open(device, shared);
  const validation = sharedValidation && (await PictureSource.open(device, sharedValidation));
  try {
    if (group.rank === 0) await steps.tune('gradients', source, largestBatch(shared), largestPart(shared));
    // Before the first step too: a choice in the midst of a training would change its bits from there on.
    if (group.rank === 0 && validation) await steps.tune('evaluate', validation, largestBatch(sharedValidation));
    if (group.size > 1) await takeChoices(owner);
    await tell({ type: 'start', initialEpoch: counters.epoch, epochs: lastEpoch, steps: stepsPerEpoch });
    while (counters.epoch < lastEpoch && !isStopped()) {
      const start = performance.now();
      const epoch = counters.epoch + 1;
      const firstOfEpoch = counters.epoch * stepsPerEpoch;
      const firstStep = counters.step;
      const firstSamples = counters.running.samples;
      const train = (index: number, count: number): Ran => {
        const last = meets.isLast(index);
        const update = counters.updates + 1;
        const step = {
          update,
          draw: counters.draws + 1,
          last,
          check: index + 1 === stepsPerEpoch,
          stopped: wishesToStop,
          ...(shared instanceof SharedBatches && {
            meeting: meets.of(index, update, shared.partOfStep(firstOfEpoch + index)),
          }),
        };
        const running = steps.train(source, count, step);
        const advance = (by: number): void => {
          counters.draws += by;
          counters.step += by;
          if (last) counters.updates += by;
        };
        advance(1);
        return running?.then(
          (done) => {
            if (done === false) advance(-1);
            return done;
          },
          (error: unknown) => {
            advance(-1);
            throw error;
          },
        );
      };
      await figures.runAfter('fit', () =>
        runSteps(steps, {
          count: stepsPerEpoch - firstStep,
          stopped: isStopped,
          readable: (done) => meets.readable(firstStep + done) - firstStep,
          run(done) {
            const index = firstStep + done;
            return whenReady(steps, source.load(firstOfEpoch + index), ({ length }) => train(index, length));
          },
          onFigures(each, done) {
            const step = firstStep + done + 1;
            counters.running.add(each);
            counters.told++;
            const where = `in epoch ${epoch}, step ${step}${picturesOf(batches, firstOfEpoch + step - 1)}`;
            checkFinite(each, 'loss', where, { epoch, step });
            if (callbacks.length === 0) return undefined;
            const seconds = (performance.now() - start) / 1000;
            return tell({
              type: 'step',
              ...counters.running.metrics,
              epoch,
              step,
              steps: stepsPerEpoch,
              picturesPerSecond: (counters.running.samples - firstSamples) / seconds,
            });
          },
        }),
      );
      if (counters.step < stepsPerEpoch) {
        await steps.synchronize();
        await checkParameters(owner, epoch);
        break;
      }
      const where = `in epoch ${epoch}`;
      const valued =
        validation &&
        (await figures.runAfter('fit', () =>
          measure(steps, validation, sharedValidation, {
            group,
            round: epoch - 1,
            what: 'validation loss',
            where,
            onScores: options.onValidationScores,
            ...(validationSteps && { steps: validationSteps }),
            ...(options.signal && { signal: options.signal }),
          }),
        ));
      if (valued === null) break; // the signal came first
      const log: EpochLog = {
        epoch,
        seconds: (performance.now() - start) / 1000,
        ...counters.running.metrics,
        ...(valued && { valLoss: valued.loss, valAccuracy: valued.accuracy }),
      };
      logs.push(log);
      bound.observe(log.valLoss ?? log.loss);
      Object.assign(counters, { epoch, step: 0, told: 0, running: new RunningMean() });
      await tell({ type: 'epoch', ...log });
      if (group.size > 1 && (await agree(group, wishesToStop()))) break;
    }
    const interrupted = (options.signal?.aborted ?? false) || (steps.stopAgreed && !stopped);
    const history = { epochs: logs, interrupted, stopped };
    await tell({ type: 'end', ...history });
    return history;
  } catch (error) {
    // What was still on its way counts too: the training may go on, after a picture that could not be read, say.
    for (const each of await steps.lastMetrics(counters.step - counters.told).catch(() => [])) {
      counters.running.add(each);
      counters.told++;
    }
    throw error;
  } finally {
    for (const used of [source, validation]) {
      if (!used) continue;
      steps.forget(used);
      used.destroy();
    }
  }
}

/**
 * All ranks begin where rank 0 stands, with its weights, its optimizer's state and its counters, and end where it does.
 * @returns rank 0's last epoch
 */
async function sameStart(owner: FitOwner, batches: Batches, ownLast: number): Promise<number> {
  const { group, counters, bound, steps } = owner;
  if (group.size === 1) return ownLast;
  await compareData(group, batches);
  const { running, ...counted } = counters;
  const first = await share(group, { ownLast, counted, sums: running.sums, schedule: bound.schedule }, 'start');
  Object.assign(counters, { ...first.counted, running: new RunningMean(first.sums) });
  bound.schedule = first.schedule;
  await steps.takeFromFirst();
  return first.ownLast;
}

/** All ranks take the variants of kernels that rank 0 has chosen. */
async function takeChoices({ group, device, steps }: FitOwner): Promise<void> {
  const choices = await share(group, [...device.kernelChoices], 'start');
  if (group.rank === 0 || choices.length === 0) return;
  for (const [key, variant] of choices) device.kernelChoices.set(key, variant);
  steps.forgetRecordings();
}

const shareOf = (batches: Batches, group: Group): Batches =>
  group.size === 1 ? batches : new SharedBatches(batches, group);

/** What the largest step of a rank is part of, for a choice of kernels. */
const largestPart = (batches: Batches): BatchPart | undefined =>
  batches instanceof SharedBatches ? batches.partOf(largestBatch(batches.whole)) : undefined;

/** Whether any rank wishes to stop. */
async function agree(group: Group, wish: boolean): Promise<boolean> {
  return (await gather(group, wish ? 1 : 0, 'figures')).some((each) => each > 0);
}

/**
 * Sets the counters to where the training is to begin.
 * @returns the last epoch
 */
function begin({ counters }: FitOwner, { epochs = 1, initialEpoch }: FitOptions, stepsPerEpoch: number): number {
  if (initialEpoch !== undefined && !(Number.isInteger(initialEpoch) && initialEpoch >= 0))
    throw new UsageError(`fit: initialEpoch expects an integer of at least 0, got ${initialEpoch}`);
  if (initialEpoch !== undefined && initialEpoch !== counters.epoch)
    Object.assign(counters, { epoch: initialEpoch, step: 0, told: 0, running: new RunningMean() });
  if (counters.step > stepsPerEpoch)
    throw new UsageError(
      `fit: epoch ${counters.epoch + 1}, which was begun, is at step ${counters.step}: expects at least as many stepsPerEpoch, got ` +
        `${stepsPerEpoch}; to go on with the next one give initialEpoch: ${counters.epoch + 1}`,
    );
  return initialEpoch === undefined ? counters.epoch + epochs : epochs;
}

const MOST_NAMED = 4;

/** ", whose 32 pictures are a.png, b.png, …" */
function picturesOf(batches: Batches, step: number): string {
  if (!batches.files || batches.files.length === 0) return '';
  const { indices } = batches.batch(step);
  const named = [...indices.subarray(0, MOST_NAMED)].map((index) => batches.files?.[index]);
  return `, whose ${indices.length} pictures are ${named.join(', ')}${indices.length > MOST_NAMED ? ', …' : ''}`;
}

/** A training that was stopped in the midst of an epoch leaves no broken model either. */
async function checkParameters({ steps, counters }: FitOwner, epoch: number): Promise<void> {
  if (counters.step === 0) return;
  while (steps.inTurns) await steps.inTurns;
  steps.check();
  const [figures] = await steps.lastMetrics(1);
  checkFinite(figures, 'loss', `in epoch ${epoch}, step ${counters.step}`);
}

/** Where the time of a training step on the first batch goes; see `profileStep`. */
export async function profileBatches({ device, steps, counters }: FitOwner, batches: Batches): Promise<StepProfile> {
  const source = await PictureSource.open(device, batches);
  try {
    const { length } = await source.load(0);
    await steps.tune('gradients', source, length);
    return await steps.profile(source, length, ++counters.updates);
  } finally {
    steps.forget(source);
    source.destroy();
  }
}

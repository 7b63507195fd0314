/**
 * The steps of a compiled model: training, evaluating and predicting on one batch. Each is recorded once per source
 * and batch size, and replayed afterwards: no allocation, one submit.
 *
 *   gradients:  batch → layers → loss → metrics row → gradients
 *   update:     gradients → optimizer
 *   evaluating: batch → layers → loss → metrics row
 *   judging:    the same, and scores
 *   predicting: batch → layers → scores
 *
 * A training step is gradients and update, two recordings joined in one submit, unless something is to stand between.
 * Accumulation stands between: after all but the last of its batches the gradients are only added up.
 *
 * Where a step takes long on this thread, the event loop has turns in its midst. Whoever wants to run another one, or to
 * read what steps write, waits until there is none (`inTurns`): recordings share their memory. A step that is stopped there leaves all as it was.
 */
import { add, multiply } from '../../kernels/elementwise/arithmetic.js';
import { batchMetrics, METRIC_ROWS, METRICS } from '../../kernels/loss/batch-metrics.js';
import { classWeights } from '../../kernels/loss/labels.js';
import { reshape } from '../../kernels/move/reshape.js';
import { countNotFinite } from '../../kernels/reduce/count-not-finite.js';
import { mean, sumOp } from '../../kernels/reduce/reduce.js';
import { weightedSum } from '../../kernels/update/weighted-sum.js';
import { backwardOnce, noGrad, record } from '../../tensor/autograd.js';
import { onShare } from '../../tensor/batch-share.js';
import type { Device, Recording } from '../../tensor/device.js';
import type { MemoryPool } from '../../tensor/memory-pool.js';
import { copyKernel } from '../../tensor/elementwise.js';
import { emptyTensor, launch, tensor, viewOf, zeros, type Tensor } from '../../tensor/tensor.js';
import { turnOfEventLoop } from '../../turns.js';
import type { ForwardOptions } from '../graph.js';
import type { Loss } from '../losses.js';
import type { BatchSource } from './batch-source.js';
import type { BatchPart } from './shared-batches.js';
import { profileStep, type StepProfile } from './profile.js';
import { isPartOfRanks, RankSteps, type Meeting, type RankStepsOptions } from './rank-steps.js';

/** Figures of one batch. */
export interface BatchMetrics {
  readonly loss: number;
  readonly correct: number;
  readonly samples: number;
  /** Values of loss and scores that are NaN or infinite … */
  readonly notFinite: number;
  /** … and of parameters after the step, where they were looked at. */
  readonly badParameters: number;
}

/** What the steps need to know of a compiled model. */
export interface StepsOptions extends RankStepsOptions {
  /** The layers as a function: x [n, …] → the last layer's values [n, units]. */
  readonly forward: (x: Tensor, options: ForwardOptions) => Tensor;
  /** The last layer's activation: the loss' scores → probabilities. */
  readonly finish: (scores: Tensor) => Tensor;
  readonly units: number;
  readonly loss: Loss;
  /** Weights of the classes in the training's loss [K], or null. */
  readonly classWeights: Tensor | null;
  /** What regularization adds to the loss, or a share of it: a scalar; null for nothing. */
  readonly penalty: (share: number) => Tensor | null;
  /** True when layers draw random numbers by the step's number. */
  readonly stochastic: boolean;
}

export type StepKind = 'gradients' | 'evaluate' | 'judge' | 'predict';

/** Where a training step stands. */
export interface TrainingStep {
  /** Number of the update that this batch is for, from 1 over the whole training. */
  readonly update: number;
  /** Number of the batch, from 1 over the whole training: what dropout draws by. */
  readonly draw: number;
  /** False: more batches are to come before the update. */
  readonly last?: boolean;
  /** Whether the parameters are looked at afterwards: their NaN are among the step's figures. */
  readonly check?: boolean;
  /** Asked in the midst of a step that takes long; where there are other ranks, only those together stop. */
  readonly stopped?: () => boolean;
  /** What it has other ranks do, where there are any. */
  readonly meeting?: Meeting;
}

/** A step that was run or, where a promise of it is given, will be; false if it was left undone. */
export type Ran = void | Promise<boolean | void>;

const never = (): boolean => false;

/** What a recording is for: so many samples of a source, which may be part of a batch. */
interface StepSamples {
  readonly source: BatchSource;
  readonly count: number;
  readonly part?: BatchPart;
}

const keyOf = (kind: string, { count, part }: StepSamples): string =>
  part ? `${kind} ${part.counts ? count : 'none'} of ${part.samples}` : `${kind} ${count}`;

export class Steps {
  readonly #device: Device;
  readonly #options: StepsOptions;
  /** Recordings never run at the same time, so that they share their memory. */
  readonly #pool: MemoryPool;
  readonly #recordings = new Map<BatchSource, Map<string, Recording>>();
  /** The recordings that no source has a part in. */
  readonly #common = new Map<string, Recording>();
  readonly #table: Tensor;
  readonly #row: Tensor;
  readonly #hostRow = new Uint32Array(1);
  readonly #step: Tensor;
  /** Where judging and predicting steps leave their scores, by batch size. */
  readonly #scores = new Map<number, Tensor>();
  /** 1/m for each of n samples, by n and m: the gradient of the mean loss over m of them with respect to each sample's. */
  readonly #shares = new Map<string, Tensor>();
  /** Σ samples · gradients of the batches since the last update, and the factors with which it is added to and divided. */
  #sums: Tensor | null = null;
  readonly #adding: Tensor;
  readonly #dividing: Tensor;
  /** Samples in the sums. */
  #gathered = 0;
  readonly #ranks: RankSteps;
  #nextRow = 0;
  /** The step that takes turns with the event loop, until whoever ran it has asked for its results; null where none does. */
  #inTurns: Promise<void> | null = null;
  #destroyed = false;

  constructor(device: Device, options: StepsOptions) {
    this.#device = device;
    this.#pool = device.createPool();
    this.#options = options;
    this.#table = zeros(device, [METRIC_ROWS, METRICS]);
    this.#ranks = new RankSteps(device, options, this.#table);
    this.#row = tensor(device, new Uint32Array(1));
    this.#step = tensor(device, new Uint32Array(1));
    this.#adding = zeros(device, [2]);
    this.#dividing = zeros(device, [2]);
  }

  /** Runs one training step on what was loaded into the source, or, where it is not the last of several, its gradients. */
  train(source: BatchSource, count: number, step: TrainingStep): Ran {
    const { update, draw, last = true, check = false, stopped, meeting } = step;
    const samples = { source, count, ...(meeting && { part: meeting.part }) };
    const gathered = this.#gathered;
    const parts = ['gradients'];
    if (!last || this.#gathered > 0) {
      const added = this.#ranks.samplesOf(samples);
      this.#adding.write(Float32Array.of(this.#gathered === 0 ? 0 : 1, meeting?.part.counts === false ? 0 : added));
      this.#gathered += added;
      parts.push('add');
    }
    const wishesToStop = meeting !== undefined && (stopped?.() ?? false);
    const ranks = meeting && this.#ranks.begin(meeting, { update, last, row: this.#nextRow, count, wishesToStop });
    if (last) {
      if (this.#gathered > 0) {
        this.#dividing.write(Float32Array.of(0, 1 / this.#gathered));
        parts.push('divide');
      }
      this.#gathered = 0;
      this.#options.optimizer.prepare(update);
      parts.push(...(ranks?.before ?? []), 'update');
    }
    if (this.#options.stochastic) this.#step.write(Uint32Array.of(draw));
    parts.push(...(ranks?.after ?? []));
    if (check) parts.push('check');
    return meeting
      ? this.#measured(parts, samples)
      : this.#measured(parts, samples, stopped, () => (this.#gathered = gathered));
  }

  /** Whether the ranks have agreed to stop: one of them wished to. */
  get stopAgreed(): boolean {
    return this.#ranks.stopAgreed;
  }

  /** Whether all ranks have the same parameters, and nothing beside that belongs to one of them alone. */
  get isWhole(): boolean {
    return this.#options.group.size === 1 || (this.#gathered === 0 && this.#ranks.isSettled);
  }

  /** Averages the ranks' parameters where that was not done since the last step. */
  async synchronize(): Promise<void> {
    if (this.#ranks.isApart) await this.#run(this.#commonPart('synchronize'));
  }

  /** Gives all ranks the parameters of rank 0, and what belongs to them. */
  async takeFromFirst(): Promise<void> {
    this.#ranks.restart();
    await this.#run(this.#commonPart('take'));
  }

  evaluate(source: BatchSource, count: number, stopped?: () => boolean): Ran {
    return this.#measured(['evaluate'], { source, count }, stopped);
  }

  /** An evaluating step after which `scores` has the probabilities. */
  judge(source: BatchSource, count: number, stopped?: () => boolean): Ran {
    return this.#measured(['judge'], { source, count }, stopped);
  }

  /** Probabilities that the last judging step of so many samples left, [n, units]. */
  scores(count: number): Promise<Float32Array> {
    return this.#scoresOf(count).read();
  }

  #measured(parts: readonly string[], samples: StepSamples, stopped?: () => boolean, undo?: () => void): Ran {
    const row = this.#nextRow;
    this.#hostRow[0] = row;
    this.#row.write(this.#hostRow);
    this.#nextRow = (row + 1) % METRIC_ROWS;
    return this.#run(this.#joined(parts, samples), stopped, () => {
      this.#nextRow = row;
      undo?.();
    });
  }

  /** Runs a recording; a promise, of whether it was done, only where it may take long. */
  #run(recording: Recording, stopped = never, undo?: () => void): Ran {
    if (!this.#device.mayTakeLong(recording)) return this.#device.replay(recording);
    const { state } = this.#options.arena;
    const running = (async () => {
      const before = state.size > 0 ? state.read() : null; // asked for before the step moves it
      const done = await this.#device.replayInTurns(recording, () => this.#destroyed || stopped());
      if (!done && !this.#destroyed) {
        undo?.();
        if (before) state.write(await before);
      }
      return done;
    })();
    this.#inTurns = running
      .then(turnOfEventLoop, turnOfEventLoop) // in which whoever ran it asks for its results
      .then(() => void (this.#inTurns = null));
    return running;
  }

  /** Ends with the step that takes turns with the event loop; null where none does. Others may wait too: look again after it. */
  get inTurns(): Promise<void> | null {
    return this.#inTurns;
  }

  /** Counts parameters that are not finite into the figures of the last step. */
  check(): void {
    this.#device.replay(this.#commonPart('check'));
  }

  /** Probabilities of the loaded batch, [n, units]. */
  async predict(source: BatchSource, count: number): Promise<Float32Array> {
    while (this.#inTurns) await this.#inTurns;
    const running = this.#run(this.#recordingOf('predict', { source, count }));
    if (running) await running;
    return this.scores(count);
  }

  #scoresOf(count: number): Tensor {
    let scores = this.#scores.get(count);
    if (!scores) this.#scores.set(count, (scores = zeros(this.#device, [count, this.#options.units])));
    return scores;
  }

  /** Figures of the last steps, oldest first: of at most METRIC_ROWS. */
  async lastMetrics(count: number): Promise<BatchMetrics[]> {
    if (count === 0) return [];
    const first = (this.#nextRow - count + METRIC_ROWS) % METRIC_ROWS;
    const table = await this.#table.read();
    return Array.from({ length: count }, (_, i) => {
      const start = ((first + i) % METRIC_ROWS) * METRICS;
      const [loss, correct, samples, notFinite, badParameters] = table.subarray(start, start + METRICS);
      return { loss, correct, samples, notFinite, badParameters };
    });
  }

  /** What was added up since the last update, and of how many samples: null right after one. */
  get gathered(): { samples: number; sums: Tensor } | null {
    return this.#gathered > 0 && this.#sums ? { samples: this.#gathered, sums: this.#sums } : null;
  }

  /** Puts sums of earlier batches back; null for none. */
  restoreGathered(gathered: { samples: number; sums: Float32Array } | null): void {
    this.#gathered = gathered?.samples ?? 0;
    if (gathered) this.#sumsPlace().write(gathered.sums);
  }

  #sumsPlace(): Tensor {
    const { gradients } = this.#options.arena;
    return (this.#sums ??= emptyTensor(this.#device, gradients.shape));
  }

  /** Has the device choose between variants of a step's kernels, before its first run. */
  async tune(kind: StepKind, source: BatchSource, count: number, part?: BatchPart): Promise<void> {
    const samples = { source, count, ...(part && { part }) };
    const step = this.#joined(kind === 'gradients' ? [kind, 'update'] : [kind], samples);
    if (await this.#device.tune(step)) this.forgetRecordings();
  }

  /** Where the time of a training step on what was loaded into the source goes; see `profileStep`. It trains. */
  async profile(source: BatchSource, count: number, update: number): Promise<StepProfile> {
    while (this.#inTurns) await this.#inTurns;
    this.#options.optimizer.prepare(update);
    return profileStep(this.#device, this.#joined(['gradients', 'update'], { source, count }));
  }

  /** Recordings behind each other as one; the first belongs to a source and a batch size. */
  #joined([first, ...others]: readonly string[], samples: StepSamples): Recording {
    const recording = this.#recordingOf(first as StepKind, samples);
    if (others.length === 0) return recording;
    const key = `${keyOf(first, samples)} ${others.join(' ')}`;
    const recordings = this.#recordings.get(samples.source) as Map<string, Recording>;
    let joined = recordings.get(key);
    if (!joined) {
      const rest = others.map((part) => this.#commonPart(part));
      const launches = [recording, ...rest].flatMap((part) => part.launches);
      // What changes the parameters is in one piece: nobody sees it half done.
      recordings.set(key, (joined = { launches, divisible: recording.launches.length }));
    }
    return joined;
  }

  #recordingOf(kind: StepKind, samples: StepSamples): Recording {
    const { source, count } = samples;
    let recordings = this.#recordings.get(source);
    if (!recordings) this.#recordings.set(source, (recordings = new Map()));
    const key = keyOf(kind, samples);
    let recording = recordings.get(key);
    if (!recording) {
      const seed = kind === 'gradients' ? this.#shareOf(count, this.#ranks.samplesOf(samples)) : null;
      if (kind === 'judge' || kind === 'predict') this.#scoresOf(count);
      recording = this.#device.record(this.#pool, () => this.#queue(kind, samples, seed));
      recordings.set(key, recording);
    }
    return recording;
  }

  #shareOf(count: number, samples: number): Tensor {
    const key = `${count} of ${samples}`;
    let share = this.#shares.get(key);
    if (!share) this.#shares.set(key, (share = tensor(this.#device, new Float32Array(count).fill(1 / samples))));
    return share;
  }

  #commonPart(part: string): Recording {
    let recording = this.#common.get(part);
    if (!recording) {
      const sums = part === 'add' || part === 'divide' ? this.#sumsPlace() : null;
      recording = this.#device.record(this.#pool, () => this.#queueCommon(part, sums));
      this.#common.set(part, recording);
    }
    return recording;
  }

  #queueCommon(part: string, sums: Tensor | null): void {
    const { optimizer, arena } = this.#options;
    if (isPartOfRanks(part)) this.#ranks.queue(part);
    if (part === 'update') optimizer.apply();
    if (part === 'add') launch(weightedSum, [arena.gradients, this.#adding], null, [sums]);
    if (part === 'divide' && sums) launch(weightedSum, [sums, this.#dividing], null, [arena.gradients]);
    if (part === 'check') {
      for (const values of [arena.values, arena.state])
        if (values.size > 0) launch(countNotFinite, [values, this.#row], null, [this.#table]);
    }
  }

  /** The step itself, as an ordinary computation. @param shares the gradient of the loss with respect to each sample's, to train */
  #queue(kind: StepKind, samples: StepSamples, shares: Tensor | null): void {
    const { forward, finish, units, loss, classWeights: weights, penalty } = this.#options;
    const { source, count } = samples;
    const ofAll = this.#ranks.samplesOf(samples);
    const x = source.batch(count);
    const step = this.#step;
    if (kind === 'predict') {
      const probabilities = noGrad(() => forward(x, { logits: false, training: false, step }));
      launch(copyKernel, [reshape(probabilities, [count, units])], null, [this.#scoresOf(count)]);
      return;
    }
    const training = kind === 'gradients';
    const labels = viewOf(source.labels, [count]);
    const computeLoss = () => {
      const scores = reshape(forward(x, { logits: loss.onLogits, training, step }), [count, units]);
      const each = loss.perSample(scores, labels);
      const weighted = training && weights ? multiply(each, classWeights(labels, weights)) : each;
      const extra = penalty(count / ofAll);
      // Without a penalty the mean is left to the metrics, and its gradient is known beforehand.
      if (!extra) return { scores, loss: weighted, told: weighted, seed: shares ?? undefined };
      const total = add(sumOp.apply([weighted], { first: 0, count: 1, scale: 1 / ofAll }), extra);
      const told = ofAll === count ? total : noGrad(() => add(mean(weighted), penalty(1) as Tensor));
      return { scores, loss: total, told };
    };
    const { result, tape } = training
      ? record(() => onShare(this.#ranks.shareOf(samples.part), computeLoss))
      : { result: noGrad(computeLoss), tape: [] };
    launch(batchMetrics, [result.told, result.scores, labels, this.#row], { threshold: loss.onLogits ? 0 : 0.5 }, [
      this.#table,
    ]);
    if (kind === 'judge') {
      const probabilities = noGrad(() => (loss.onLogits ? finish(result.scores) : result.scores));
      launch(copyKernel, [reshape(probabilities, [count, units])], null, [this.#scores.get(count)]);
    }
    if (training) backwardOnce(tape, result.loss, result.seed);
  }

  /** Forgets the recordings over a source that is about to be destroyed. Their memory serves later ones. */
  forget(source: BatchSource): void {
    this.#recordings.delete(source);
  }

  /** Has everything recorded anew at its next use. */
  forgetRecordings(): void {
    this.#recordings.clear();
    this.#common.clear();
  }

  destroy(): void {
    this.#destroyed = true;
    this.forgetRecordings();
    this.#device.forget(this.#pool);
    for (const item of [...this.#scores.values(), ...this.#shares.values()]) item.destroy();
    for (const item of [this.#table, this.#row, this.#step, this.#sums, this.#adding, this.#dividing]) item?.destroy();
    this.#options.classWeights?.destroy();
  }
}

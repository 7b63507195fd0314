/** The passes over a set that leave the model as it is: evaluating and predicting. */
import { alone, type Group } from '../../distributed/group.js';
import { NotANumberError, UsageError } from '../../errors.js';
import type { Device } from '../../tensor/device.js';
import { turns } from '../../turns.js';
import { PictureSource } from './batch-source.js';
import type { Batches } from './batches.js';
import { RunningMean, type SetMetrics } from './figures.js';
import type { Exclusive } from './exclusive.js';
import { runSteps, whenReady } from './run-steps.js';
import type { SharedBatches } from './shared-batches.js';
import type { BatchMetrics, Ran, Steps } from './steps.js';

export interface EvaluateOptions {
  /** Steps to run; past one pass over the data they go on into the next. Default: one pass. */
  steps?: number;
  signal?: AbortSignal;
  /** Takes what the model gives, step by step. */
  onScores?: OnScores | undefined;
  /** As for `predict`. */
  tune?: boolean;
}

export interface PredictOptions {
  /** Takes each step's scores as soon as they are there. */
  onScores?: OnScores;
  /**
   * First tries the forms of the heavy kernels, on devices that do so (hardware GPUs), and takes the quickest for all steps of this
   * batch size, now and later: pays for passes that are long or come again and again. Scores may then differ in their last bits
   * from those of other batch sizes; `device.kernelChoices` has the choice. Default false.
   */
  tune?: boolean;
}

/** What of a compiled model the passes need. */
export interface PassOwner {
  readonly device: Device;
  readonly steps: Steps;
  /** Whose steps the table of figures serves. */
  readonly figures: Exclusive;
}

/** Samples of a pass's full batches. */
export const largestBatch = ({ batchSize, sampleCount }: Batches): number => Math.min(batchSize, sampleCount);

/** @throws UsageError unless all are integers of at least 1 */
export function checkCounts(method: string, counts: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UsageError(`${method}: ${name} expects an integer of at least 1, got ${value}`);
  }
}

/** @throws NotANumberError when the figures of a step say that the training is broken; `where`: 'in epoch 2, step 3' */
export function checkFinite(
  { loss, notFinite, badParameters }: BatchMetrics,
  what: string,
  where: string,
  at: NotANumberError['at'] = null,
): void {
  if (notFinite > 0 || !Number.isFinite(loss))
    throw new NotANumberError(
      `the ${what} became ${Number.isFinite(loss) ? 'partly NaN or infinite' : loss} ${where}; try a smaller learning rate`,
      at,
    );
  if (badParameters > 0)
    throw new NotANumberError(
      `${badParameters} of the model's parameters became NaN or infinite ${where}; try a smaller learning rate`,
      at,
    );
}

interface MeasureOptions extends EvaluateOptions {
  /** Counts earlier calls, so that each goes on where the last ended. */
  readonly round: number;
  readonly what: string;
  readonly where: string;
  /** Who shares the batches. Default: nobody. */
  readonly group?: Group;
}

/** Means over `steps` steps; null when the signal came first. */
export async function measure(
  steps: Steps,
  source: PictureSource,
  batches: Batches,
  { round, where, what, onScores: given, group = alone, ...options }: MeasureOptions,
): Promise<SetMetrics | null> {
  const { steps: count = batches.stepsPerPass, signal } = options;
  const running = new RunningMean();
  const stopped = (): boolean => signal?.aborted ?? false;
  const ranks = group.size > 1 ? new RanksOfPass(group, batches as SharedBatches, round * count, count) : null;
  const onScores = given && (ranks ? ranks.add : given);
  let step = 0;
  let telling: Promise<void> = Promise.resolve();
  const judge = (indices: Uint32Array): Ran => {
    if (!onScores) return steps.evaluate(source, indices.length, stopped);
    const tell = (): Promise<void> => {
      const earlier = telling;
      const scores = steps.scores(indices.length); // asked for before the next step writes over them
      telling = earlier.then(async () => onScores(indices, await scores));
      telling.catch(() => {}); // awaited one step later, it must not count as unhandled until then
      return earlier;
    };
    const judging = steps.judge(source, indices.length, stopped);
    return judging ? judging.then<boolean | void>((done) => (done === false ? false : tell())) : tell();
  };
  const done = await runSteps(steps, {
    count,
    stopped,
    run: (index) => whenReady(steps, source.load(round * count + index), judge),
    onFigures(figures) {
      checkFinite(figures, what, where);
      if (ranks?.counts(step++) ?? true) running.add(figures);
    },
  });
  await telling;
  if (ranks) return ranks.finish(running, done < count, given);
  return done < count ? null : running.metrics;
}

/** A pass that ranks share: each judges its part, and at the end all have all figures and scores. */
class RanksOfPass {
  readonly #group: Group;
  readonly #batches: SharedBatches;
  readonly #first: number;
  readonly #steps: number;
  readonly #scores: Float32Array[] = [];

  constructor(group: Group, batches: SharedBatches, first: number, steps: number) {
    this.#group = group;
    this.#batches = batches;
    this.#first = first;
    this.#steps = steps;
  }

  /** Whether this rank has pictures in a step of the pass. */
  counts(step: number): boolean {
    return this.#batches.partOfStep(this.#first + step).counts;
  }

  readonly add = (_: Uint32Array, scores: Float32Array): void => void this.#scores.push(scores);

  /** @returns null when a rank was stopped */
  async finish(running: RunningMean, isStopped: boolean, onScores: OnScores | undefined): Promise<SetMetrics | null> {
    const { loss, correct, samples } = running.sums;
    const sums = Float64Array.of(loss, correct, samples, isStopped ? 1 : 0);
    await this.#group.sum(sums, 'figures');
    if (sums[3] > 0) return null;
    if (onScores) await this.#tell(onScores);
    return new RunningMean({ loss: sums[0], correct: sums[1], samples: sums[2] }).metrics;
  }

  async #tell(onScores: OnScores): Promise<void> {
    const counts = Array.from({ length: this.#steps }, (_, step) => this.#batches.samplesOf(this.#first + step));
    const units = this.#scores[0].length / this.#batches.positionsOf(counts[0]).length;
    const all = new Float32Array(counts.reduce((sum, each) => sum + each, 0) * units);
    let start = 0;
    for (const [step, scores] of this.#scores.entries()) {
      const positions = this.counts(step) ? this.#batches.positionsOf(counts[step]) : [];
      for (const [n, position] of positions.entries())
        all.set(scores.subarray(n * units, (n + 1) * units), (start + position) * units);
      start += counts[step];
    }
    await this.#group.sum(all, 'figures');
    start = 0;
    for (const [step, count] of counts.entries()) {
      const { indices } = this.#batches.whole.batch(this.#first + step);
      await onScores(indices, all.subarray(start * units, (start + count) * units));
      start += count;
    }
  }
}

export async function evaluateBatches(
  { device, steps, figures }: PassOwner,
  batches: Batches,
  options: EvaluateOptions,
): Promise<SetMetrics> {
  checkCounts('evaluate', { steps: options.steps });
  return figures.run('evaluate', async () => {
    const source = await PictureSource.open(device, batches);
    try {
      if (options.tune) await steps.tune('evaluate', source, largestBatch(batches));
      const how = { ...options, round: 0, what: 'loss', where: 'while evaluating' };
      const metrics = await measure(steps, source, batches, how);
      if (!metrics) throw options.signal?.reason ?? new UsageError('evaluate: stopped before the end');
      return metrics;
    } finally {
      steps.forget(source);
      source.destroy();
    }
  });
}

/**
 * Takes the scores of one step, [n, units]: those of sample `indices[i]` begin at `scores[i · units]`.
 */
export type OnScores = (indices: Uint32Array, scores: Float32Array) => void | Promise<void>;

/** @returns [N, units], in the order of the set */
export async function predictBatches(
  { device, steps }: PassOwner,
  batches: Batches,
  units: number,
  { onScores, tune = false }: PredictOptions,
): Promise<Float32Array> {
  const result = new Float32Array(batches.sampleCount * units);
  const source = await PictureSource.open(device, batches);
  const turn = turns();
  try {
    if (tune) await steps.tune('predict', source, largestBatch(batches));
    for (let step = 0; step < batches.stepsPerPass; step++) {
      await turn();
      const indices = await source.load(step);
      const scores = await steps.predict(source, indices.length);
      indices.forEach((sample, i) => result.set(scores.subarray(i * units, (i + 1) * units), sample * units));
      await onScores?.(indices, scores);
    }
    return result;
  } finally {
    steps.forget(source);
    source.destroy();
  }
}

/** The loops over a data set: training, evaluating, predicting. */
import { NotANumberError, UsageError } from '../../errors.js';
import { METRIC_ROWS } from '../../kernels/loss/batch-metrics.js';
import type { Device } from '../../tensor/device.js';
import { PictureSource } from './batch-source.js';
import type { Batches } from './batches.js';
import type { StepProfile } from './profile.js';
import type { BatchMetrics, Steps } from './steps.js';

/** Size-weighted means over samples. */
export interface SetMetrics {
  readonly loss: number;
  readonly accuracy: number;
}

export interface EpochLog extends SetMetrics {
  /** Counted from 1. */
  readonly epoch: number;
  readonly seconds: number;
  readonly valLoss?: number;
  readonly valAccuracy?: number;
}

export interface Progress extends SetMetrics {
  readonly epoch: number;
  /** Steps done in this epoch, and how many it has. */
  readonly step: number;
  readonly steps: number;
  readonly picturesPerSecond: number;
}

export interface History {
  readonly epochs: readonly EpochLog[];
  /** True when `signal` stopped the training. */
  readonly interrupted: boolean;
}

export interface EvaluateOptions {
  /** Steps to run; past one pass over the data they go on into the next. Default: one pass. */
  steps?: number;
  signal?: AbortSignal;
}

export interface FitOptions {
  epochs?: number;
  /** Default: one pass over the data. Steps past it go on into the next pass; the next epoch continues from there. */
  stepsPerEpoch?: number;
  validationData?: Batches;
  /** Default: one pass over the validation data. */
  validationSteps?: number;
  /** Called every so often, never more than once a step. */
  onProgress?: (progress: Progress) => void;
  /** Called after each epoch; the next one waits for it. */
  onEpoch?: (log: EpochLog) => void | Promise<void>;
  /** Stops after the current step. */
  signal?: AbortSignal;
}

/** How often figures are read, which is also how often the event loop gets its turn. */
const MILLISECONDS_BETWEEN_READS = 100;
/** Each step has a row in the table of figures. */
const MOST_STEPS_OF_GROUP = METRIC_ROWS / 2;

/** Lets timers, signals and the page have their turn; a resolved promise would not. */
const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

class RunningMean {
  #loss = 0;
  #correct = 0;
  samples = 0;

  add({ loss, correct, samples }: BatchMetrics): void {
    this.#loss += loss * samples;
    this.#correct += correct;
    this.samples += samples;
  }

  get metrics(): SetMetrics {
    return { loss: this.#loss / this.samples, accuracy: this.#correct / this.samples };
  }
}

/**
 * Runs `count` steps and reads their figures in groups, as large as fit into a tenth of a second. The next group is
 * queued before the figures of one are waited for, so that the device always has work.
 *
 * @returns the steps that were done: fewer when the signal came
 */
async function runSteps(
  steps: Steps,
  count: number,
  signal: AbortSignal | undefined,
  run: (index: number) => void | Promise<void>,
  onFigures: (figures: BatchMetrics, index: number) => void,
): Promise<number> {
  let group = 1;
  let queued = 0;
  let done = 0;
  let last = performance.now();
  const finish = (figures: readonly BatchMetrics[]): void => {
    for (const [i, each] of figures.entries()) onFigures(each, done + i);
    done += figures.length;
    const now = performance.now();
    const milliseconds = (now - last) / figures.length;
    last = now;
    group = Math.min(MOST_STEPS_OF_GROUP, Math.max(1, Math.floor(MILLISECONDS_BETWEEN_READS / milliseconds)));
  };
  const stopped = (): boolean => signal?.aborted ?? false;
  let reading: Promise<BatchMetrics[]> | null = null;
  while (queued < count && !stopped()) {
    const end = Math.min(count, queued + group);
    for (; queued < end; queued++) {
      const waiting = run(queued);
      if (waiting) await waiting; // only where pictures are still being read
    }
    const earlier = reading;
    reading = steps.readMetrics();
    reading.catch(() => {}); // awaited one round later, it must not count as unhandled until then
    if (earlier) finish(await earlier);
    await yieldToEventLoop();
  }
  if (reading) finish(await reading);
  return done;
}

/** Goes on at once where nothing is to wait for: a promise would cost each step a turn of the event loop. */
function whenLoaded(
  loaded: Uint32Array | Promise<Uint32Array>,
  run: (indices: Uint32Array) => void,
): void | Promise<void> {
  return loaded instanceof Promise ? loaded.then(run) : run(loaded);
}

function checkCounts(counts: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UsageError(`fit: ${name} expects an integer of at least 1, got ${value}`);
  }
}

export async function fitBatches(
  device: Device,
  steps: Steps,
  batches: Batches,
  options: FitOptions,
  nextStep: () => number,
): Promise<History> {
  const {
    epochs = 1,
    stepsPerEpoch = batches.stepsPerPass,
    validationData,
    validationSteps,
    onProgress,
    onEpoch,
    signal,
  } = options;
  checkCounts({ epochs, stepsPerEpoch, validationSteps });
  const logs: EpochLog[] = [];
  const source = await PictureSource.open(device, batches);
  const validation = validationData && (await PictureSource.open(device, validationData));
  try {
    await steps.tune(source, Math.min(batches.batchSize, batches.sampleCount));
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const start = performance.now();
      const running = new RunningMean();
      const first = (epoch - 1) * stepsPerEpoch;
      const done = await runSteps(
        steps,
        stepsPerEpoch,
        signal,
        (index) => whenLoaded(source.load(first + index), ({ length }) => steps.train(source, length, nextStep())),
        (figures, index) => {
          checkFinite(figures, epoch, index + 1);
          running.add(figures);
          onProgress?.({
            ...running.metrics,
            epoch,
            step: index + 1,
            steps: stepsPerEpoch,
            picturesPerSecond: running.samples / ((performance.now() - start) / 1000),
          });
        },
      );
      if (done < stepsPerEpoch) return { epochs: logs, interrupted: true };
      const valued =
        validation &&
        validationData &&
        (await measure(steps, validation, validationData, epoch - 1, {
          ...(validationSteps && { steps: validationSteps }),
          ...(signal && { signal }),
        }));
      if (signal?.aborted && valued === null) return { epochs: logs, interrupted: true };
      const log: EpochLog = {
        epoch,
        seconds: (performance.now() - start) / 1000,
        ...running.metrics,
        ...(valued && { valLoss: valued.loss, valAccuracy: valued.accuracy }),
      };
      logs.push(log);
      steps.observe(log.valLoss ?? log.loss);
      await onEpoch?.(log);
    }
    return { epochs: logs, interrupted: signal?.aborted ?? false };
  } finally {
    for (const used of [source, validation]) {
      if (!used) continue;
      steps.forget(used);
      used.destroy();
    }
  }
}

/** Where the time of a training step on the first batch goes; see `profileStep`. */
export async function profileBatches(
  device: Device,
  steps: Steps,
  batches: Batches,
  nextStep: () => number,
): Promise<StepProfile> {
  const source = await PictureSource.open(device, batches);
  try {
    const { length } = await source.load(0);
    await steps.tune(source, length);
    return await steps.profile(source, length, nextStep());
  } finally {
    steps.forget(source);
    source.destroy();
  }
}

function checkFinite({ loss, notFinite }: BatchMetrics, epoch: number, step: number): void {
  if (notFinite === 0 && Number.isFinite(loss)) return;
  throw new NotANumberError(
    `the loss became ${Number.isFinite(loss) ? 'partly NaN or infinite' : loss} in epoch ${epoch}, step ${step}; ` +
      'try a smaller learning rate',
  );
}

/** Means over `steps` steps; null when the signal came first. `round` counts earlier calls, so that each goes on where the last ended. */
async function measure(
  steps: Steps,
  source: PictureSource,
  batches: Batches,
  round: number,
  options: EvaluateOptions,
): Promise<SetMetrics | null> {
  const { steps: count = batches.stepsPerPass, signal } = options;
  const running = new RunningMean();
  const done = await runSteps(
    steps,
    count,
    signal,
    (index) => whenLoaded(source.load(round * count + index), ({ length }) => steps.evaluate(source, length)),
    (figures) => running.add(figures),
  );
  return done < count ? null : running.metrics;
}

export async function evaluateBatches(
  device: Device,
  steps: Steps,
  batches: Batches,
  options: EvaluateOptions,
): Promise<SetMetrics> {
  checkCounts({ steps: options.steps });
  const source = await PictureSource.open(device, batches);
  try {
    const metrics = await measure(steps, source, batches, 0, options);
    if (!metrics) throw options.signal?.reason ?? new UsageError('evaluate: stopped before the end');
    return metrics;
  } finally {
    steps.forget(source);
    source.destroy();
  }
}

/**
 * Takes the scores of one step, [n, units]: those of sample `indices[i]` begin at `scores[i · units]`.
 */
export type OnScores = (indices: Uint32Array, scores: Float32Array) => void | Promise<void>;

/** @returns [N, units], in the order of the set */
export async function predictBatches(
  device: Device,
  steps: Steps,
  batches: Batches,
  units: number,
  onScores?: OnScores,
): Promise<Float32Array> {
  const result = new Float32Array(batches.sampleCount * units);
  const source = await PictureSource.open(device, batches);
  try {
    for (let step = 0; step < batches.stepsPerPass; step++) {
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

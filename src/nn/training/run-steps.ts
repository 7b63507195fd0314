/** Runs the steps of an epoch or of a pass, and reads their figures every so often. */
import { METRIC_ROWS } from '../../kernels/loss/batch-metrics.js';
import { turnOfEventLoop } from '../../turns.js';
import type { BatchMetrics, Ran, Steps } from './steps.js';

/** How often figures are read, which is also how often the event loop gets its turn. */
const MILLISECONDS_BETWEEN_READS = 100;
/** Each step has a row in the table of figures. */
export const MOST_STEPS_OF_GROUP = METRIC_ROWS / 2;

export interface StepLoop {
  readonly count: number;
  /** Asked before each step. */
  readonly stopped: () => boolean;
  /** The first number of steps, from this one on, after which the figures of all of them can be read. Default: any. */
  readonly readable?: (count: number) => number;
  /** False from a promise: it was stopped in the midst of the step, which does not count then. */
  readonly run: (index: number) => Ran;
  readonly onFigures: (figures: BatchMetrics, index: number) => void | Promise<void>;
}

/**
 * Runs `count` steps and reads their figures in groups, as large as fit into a tenth of a second. The next group is
 * queued before the figures of one are waited for, so that the device always has work.
 *
 * @returns the steps that were done: fewer when it was stopped
 */
export async function runSteps(
  steps: Steps,
  { count, stopped, run, onFigures, readable = (done) => done }: StepLoop,
): Promise<number> {
  let group = 1;
  let queued = 0;
  let done = 0;
  let last = performance.now();
  const finish = async (figures: readonly BatchMetrics[]): Promise<void> => {
    const now = performance.now();
    const milliseconds = (now - last) / figures.length;
    group = Math.min(MOST_STEPS_OF_GROUP, Math.max(1, Math.floor(MILLISECONDS_BETWEEN_READS / milliseconds)));
    for (const each of figures) {
      const waiting = onFigures(each, done++);
      if (waiting) await waiting;
    }
    last = performance.now(); // what was told and waited for is not the steps' time
  };
  let reading: Promise<BatchMetrics[]> | null = null;
  let undone = false;
  while (queued < count && !undone && !stopped()) {
    const first = queued;
    const end = Math.min(count, readable(queued + group));
    for (; queued < end && !undone && !stopped(); queued++) {
      const waiting = run(queued);
      if (waiting) undone = (await waiting) === false; // only where pictures are still being read, or steps take long
    }
    if (undone) queued--;
    const earlier = reading;
    reading = steps.lastMetrics(queued - first);
    reading.catch(() => {}); // awaited one round later, it must not count as unhandled until then
    if (earlier) await finish(await earlier);
    await turnOfEventLoop();
  }
  if (reading) await finish(await reading);
  return done;
}

/** Goes on at once where nothing is to wait for: a promise would cost each step a turn of the event loop. */
export function whenReady(
  steps: Steps,
  loaded: Uint32Array | Promise<Uint32Array>,
  run: (indices: Uint32Array) => Ran,
): Ran {
  if (loaded instanceof Promise) return loaded.then((indices) => whenReady(steps, indices, run));
  if (steps.inTurns) return steps.inTurns.then(() => whenReady(steps, loaded, run));
  return run(loaded);
}

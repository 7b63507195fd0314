/**
 * A learning rate to begin with: some steps with a rate that rises from very small to too large, and where the loss was least on
 * the way (L. N. Smith, arXiv:1506.01186, section 3.3).
 */
import { NotANumberError, UsageError } from '../errors.js';
import { expectCount, expectFunction, expectObject, objectWith } from '../expect.js';
import { checkNames, preview } from '../options.js';
import type { Loss } from '../nn/losses.js';
import type { Model } from '../nn/model.js';
import type { Batches } from '../nn/training/batches.js';
import type { TrainingEvent } from '../nn/training/events.js';
import type { Optimizer } from '../optim/optimizer.js';
import { exponentialDecay, type Schedule } from '../optim/schedules.js';
import type { Device } from '../tensor/device.js';

export interface FindLearningRateOptions {
  /** The rate of the first step. Default 1e-6. */
  readonly from?: number;
  /** The rate of the last step. Default 1. */
  readonly to?: number;
  /** Default 100. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, steps: number) => void;
}

export interface FoundLearningRate {
  /** A tenth of the rate at which the smoothed loss was least; null where it never fell. */
  readonly suggested: number | null;
  /** Step by step, until the loss was four times the least one, or no number. */
  readonly tried: readonly { readonly learningRate: number; readonly loss: number; readonly smoothed: number }[];
}

/** What is tried: the network is trained on and then has its weights back, without a state of training. */
export interface LearningRateTrial {
  /** Not in a training. */
  readonly model: Model;
  readonly batches: Batches;
  readonly device: Device;
  readonly loss: Loss;
  /** Makes an optimizer with these rates, such as `(learningRate) => adam({ learningRate })`. */
  readonly optimizer: (rates: Schedule) => Optimizer;
}

/** Weight of what came before in the mean of losses that moves along. */
const SMOOTHING = 0.9;
/** So many times the least loss is the end. */
const TOO_LARGE = 4;

const optionNames = { from: true, to: true, steps: true, signal: true, onProgress: true };
const expectTrial = objectWith({
  model: objectWith({ fit: expectFunction }),
  batches: expectObject,
  device: expectObject,
  loss: expectObject,
  optimizer: expectFunction,
});

/** @throws UsageError for rates that do not rise, or fewer than 10 steps; the signal's reason when it stops the trial */
export async function findLearningRate(
  trial: LearningRateTrial,
  options: FindLearningRateOptions = {},
): Promise<FoundLearningRate> {
  expectTrial(trial, 'findLearningRate: trial');
  checkNames('findLearningRate', options, optionNames);
  const { from = 1e-6, to = 1, steps = 100, signal, onProgress } = options;
  expectCount(steps, 'findLearningRate: steps');
  if (steps < 10) throw new UsageError(`findLearningRate: steps expects at least 10, got ${steps}`);
  if (!(from > 0 && from < to && to < Infinity))
    throw new UsageError(
      `findLearningRate: expects rates that rise, 0 < from < to, got ${preview(from)} and ${preview(to)}`,
    );
  const { model, batches, device, loss, optimizer } = trial;
  const rates = exponentialDecay({ initialLearningRate: from, decaySteps: steps - 1, decayRate: to / from });
  const losses = new SmoothedLosses();
  let sum = 0;
  let ended = false;
  const note = (event: TrainingEvent): 'stop' | undefined => {
    if (event.type !== 'step' || ended) return undefined; // steps that were under way at the end are told, too
    const earlier = sum;
    sum = event.loss * event.step; // events tell the epoch's mean so far
    onProgress?.(event.step, steps);
    ended = !losses.add(rates.at(event.step, rates.initial), sum - earlier);
    return ended ? 'stop' : undefined;
  };
  const weights = await model.getWeights();
  try {
    model.compile({ device, optimizer: optimizer(rates), loss });
    await model.fit(batches, { epochs: 1, stepsPerEpoch: steps, callbacks: [note], ...(signal && { signal }) });
    signal?.throwIfAborted();
  } catch (error) {
    if (!(error instanceof NotANumberError)) throw error; // too large a rate: what came before is what was asked for
  } finally {
    model.destroy();
    model.setWeights(weights);
  }
  return losses.found;
}

class SmoothedLosses {
  readonly #tried: { learningRate: number; loss: number; smoothed: number }[] = [];
  #mean = 0;
  #weight = 0;

  /** @returns whether to go on */
  add(learningRate: number, loss: number): boolean {
    this.#mean = SMOOTHING * this.#mean + (1 - SMOOTHING) * loss;
    this.#weight = SMOOTHING * this.#weight + (1 - SMOOTHING);
    const smoothed = this.#mean / this.#weight;
    this.#tried.push({ learningRate, loss, smoothed });
    return smoothed <= TOO_LARGE * this.#least.smoothed;
  }

  get #least(): { learningRate: number; smoothed: number } {
    return this.#tried.reduce((least, each) => (each.smoothed < least.smoothed ? each : least));
  }

  get found(): FoundLearningRate {
    if (this.#tried.length === 0) return { suggested: null, tried: [] };
    const least = this.#least;
    const fell = least.smoothed < 0.98 * this.#tried[0].smoothed;
    return { suggested: fell ? least.learningRate / 10 : null, tried: this.#tried };
  }
}

/** Callbacks for `fit` that many trainings want, with Keras' defaults; each is a function of the training's events. */
import { preview } from '../../options.js';
import { expectObject } from '../../expect.js';
import { UsageError } from '../../errors.js';
import type { NamedWeights } from '../parameters.js';
import type { EpochLog, TrainingCallback } from './events.js';

/** A figure of an epoch: losses are the better the smaller, accuracies the larger. */
export type Monitor = 'loss' | 'accuracy' | 'valLoss' | 'valAccuracy';

export interface KeepBestOptions {
  /** Default 'valLoss'. */
  monitor?: Monitor;
}

export interface EarlyStoppingOptions {
  /** Default 'valLoss'. */
  monitor?: Monitor;
  /** Less than this is no improvement. Default 0. */
  minDelta?: number;
  /** Epochs without improvement after which the training ends. Default 0. */
  patience?: number;
  /** Epochs that are not looked at. Default 0. */
  startFromEpoch?: number;
  /** Whether the model ends with the weights of its best epoch. Default false. */
  restoreBestWeights?: boolean;
}

/** The figure, the smaller the better. @throws UsageError when the training has no such figure */
function figureOf(callback: string, monitor: Monitor, log: EpochLog): number {
  const value = log[monitor];
  if (value === undefined)
    throw new UsageError(`${callback}: watches ${monitor}, which needs validationData in fit(); got none`);
  return monitor === 'accuracy' || monitor === 'valAccuracy' ? -value : value;
}

function checkMonitor(callback: string, monitor: Monitor): void {
  const known = ['loss', 'accuracy', 'valLoss', 'valAccuracy'];
  if (!known.includes(monitor))
    throw new UsageError(`${callback}: monitor expects one of ${known.join(', ')}, got ${preview(monitor)}`);
}

/**
 * Ends the training when a figure no longer improves: Keras' EarlyStopping. Each training needs one of its own; a training that is
 * resumed goes on with the epochs before if they are told to it again (`callback({ ...log, type: 'epoch', … })`).
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): TrainingCallback {
  expectObject(options, 'earlyStopping: options');
  const { monitor = 'valLoss', minDelta = 0, patience = 0, startFromEpoch = 0, restoreBestWeights = false } = options;
  checkMonitor('earlyStopping', monitor);
  for (const [option, value] of Object.entries({ minDelta, patience, startFromEpoch })) {
    if (typeof value !== 'number' || !(value >= 0 && value < Infinity))
      throw new UsageError(`earlyStopping: ${option} expects a number of at least 0, got ${preview(value)}`);
  }
  let best = Infinity;
  let waited = 0;
  let weights: NamedWeights | null = null;
  return async (event) => {
    if (event.type === 'end' && weights) event.model.setWeights(weights);
    if (event.type !== 'epoch' || event.epoch <= startFromEpoch) return undefined;
    const value = figureOf('earlyStopping', monitor, event);
    if (value + minDelta < best) {
      best = value;
      waited = 0;
      if (restoreBestWeights) weights = await event.model.getWeights();
      return undefined;
    }
    return ++waited >= patience ? 'stop' : undefined;
  };
}

/** Has the model end with the weights of its best epoch. */
export function keepBest(options: KeepBestOptions = {}): TrainingCallback {
  expectObject(options, 'keepBest: options');
  const { monitor = 'valLoss' } = options;
  checkMonitor('keepBest', monitor);
  let best = Infinity;
  let weights: NamedWeights | null = null;
  return async (event) => {
    if (event.type === 'epoch') {
      const value = figureOf('keepBest', monitor, event);
      if (value < best) {
        best = value;
        weights = await event.model.getWeights();
      }
    }
    if (event.type === 'end' && weights) event.model.setWeights(weights);
  };
}

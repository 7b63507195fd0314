/** What a training tells while it runs, and how it is stopped: callbacks are plain functions of these events. */
import type { NamedWeights } from '../parameters.js';
import type { SetMetrics } from './figures.js';
import type { TrainingState } from './state.js';

export interface EpochLog extends SetMetrics {
  /** Counted from 1 over the whole training. */
  readonly epoch: number;
  readonly seconds: number;
  readonly valLoss?: number;
  readonly valAccuracy?: number;
}

/** The means are those of the epoch so far. */
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
  /** True when a callback stopped it. */
  readonly stopped: boolean;
}

/** What callbacks may do with the model that is trained. */
export interface TrainedModel {
  getWeights(): Promise<NamedWeights>;
  setWeights(weights: NamedWeights): void;
  trainingState(): Promise<TrainingState>;
}

interface Common {
  readonly model: TrainedModel;
  /** The rate of the step that was last told (of the next one, at the start). */
  readonly learningRate: number;
}

/**
 * `start` before the first step (epochs done before, the last epoch to come), `step` after each step whose figures are known
 * (the device is some steps further), `epoch` after each epoch with its validation, `end` after the last, also of a training that
 * was stopped; not after an error.
 */
export type TrainingEvent = Common &
  (
    | { readonly type: 'start'; readonly initialEpoch: number; readonly epochs: number; readonly steps: number }
    | ({ readonly type: 'step' } & Progress)
    | ({ readonly type: 'epoch' } & EpochLog)
    | ({ readonly type: 'end' } & History)
  );

/**
 * May be asynchronous: the training waits for it. What returns 'stop' ends the training: at `epoch` there, at `step` after those that
 * are under way, as many as the device is further.
 */
export type TrainingCallback = (event: TrainingEvent) => void | 'stop' | undefined | Promise<void | 'stop' | undefined>;

/** Training: what is asked for, and how it stands. */
import type { EpochRecord } from '../../../src/index.js';

export interface Training {
  /** What `start` takes by default. */
  defaults(): Promise<Required<TrainingOptions>>;
  /**
   * Begins a run. It resolves when the first step is about to be made; epochs come as events, and so does the end.
   * @throws DataError for pictures that cannot train: fewer than two classes, a class without pictures
   */
  start(options?: TrainingOptions): Promise<TrainingStatus>;
  /** Stops after the step, and keeps where the training stands. */
  pause(): Promise<TrainingStatus>;
  /** Goes on: to the same bits as if it had never been paused, also after a reload. */
  resume(): Promise<TrainingStatus>;
  /** Ends the training; its best epoch so far is the model. */
  stop(): Promise<TrainingStatus>;
  status(): Promise<TrainingStatus>;
  /** The epochs of the run that is looked at, with their lines. */
  epochs(): Promise<readonly { readonly record: EpochRecord; readonly line: string }[]>;
}

export interface TrainingOptions {
  /** A network that is trained from scratch, or a trained base with a head on it (seconds). Default `darknet-tiny`. */
  readonly network?: 'mission' | 'small' | 'medium' | 'darknet-tiny';
  /** Not of a base. Default 64×64. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Default 25. Epochs and what follows, up to the seed, are not of a base. */
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly augmentation?: Augmentation;
  /** Rare classes count as much as frequent ones. Default false. */
  readonly balanceClasses?: boolean;
  /** Epochs without a better one after which it ends; null (default): it does not. */
  readonly earlyStopping?: number | null;
  /** Default 0. */
  readonly seed?: number;
  /** The same bits on every machine, and as `beltnet train --reproducible`: on the cpu device, slower. Default false. */
  readonly reproducible?: boolean;
  /** Of the run; by default a free one: run-1, run-2, … */
  readonly name?: string;
}

/** As the flags of `beltnet train`: 0 and false leave it out. */
export interface Augmentation {
  readonly horizontalFlip?: boolean;
  readonly verticalFlip?: boolean;
  /** Degrees. */
  readonly rotation?: number;
  /** Fractions of the sides. */
  readonly widthShift?: number;
  readonly heightShift?: number;
  /** Degrees. */
  readonly shear?: number;
  /** From 0 to below 1. */
  readonly zoom?: number;
  /** Factors, from 0 on. */
  readonly brightness?: readonly [number, number] | null;
  /** Levels of 255. */
  readonly channelShift?: number;
}

export interface TrainingStatus {
  readonly phase: 'none' | 'preparing' | 'running' | 'paused' | 'finishing' | 'finished' | 'stopped' | 'failed';
  readonly run: string | null;
  readonly epoch: number;
  readonly epochs: number;
  /** Why it failed, or what should be known of it ("one thread: …"); null else. */
  readonly message: string | null;
  /** The line of the command line that trains the same on the saved project's pictures. */
  readonly command: string | null;
}

/**
 * What the page can ask of its engine: a dedicated worker in which pictures are decoded, networks trained and everything kept. All
 * calls are asynchronous, none blocks the page; what takes long tells its progress by events. Whatever a picture, a training or a
 * figure means is the library's (src/index.ts): here are only questions and answers that can be posted to a worker and back.
 *
 * A call that cannot be done rejects with an `EngineError`, whose message says what was expected, what was received, and the way out.
 */
import type { EpochRecord, Progress } from '../../../src/index.js';
import type { Training, TrainingStatus } from './protocol-training.js';
import type { Pictures, ProjectState, Projects } from './protocol-projects.js';
import type { CheckedOperation, Files, Proof, Trial } from './protocol-models.js';

export type * from './protocol-models.js';
export type * from './protocol-projects.js';
export type * from './protocol-training.js';

/** Rooms of the engine, and its events. `openEngine` of engine.ts makes it. */
export interface Engine {
  readonly machine: Machine;
  readonly projects: Projects;
  readonly pictures: Pictures;
  readonly training: Training;
  readonly trial: Trial;
  readonly proof: Proof;
  readonly files: Files;
  /** Calls the listener at each event of that name. @returns what takes the listener away again */
  on<Name extends keyof EngineEvents>(name: Name, listener: (event: EngineEvents[Name]) => void): () => void;
  /** Ends the worker. What is written stays; a training that runs stands where its last checkpoint was. */
  close(): void;
}

/** What the engine tells without being asked. */
export interface EngineEvents {
  /** Long work: what is being done, and how far it is. `done` equal to `total` ends it. */
  progress: Work;
  /** The pictures of the project have changed, or what is known of them: list them again. */
  pictures: { readonly pictures: number };
  /** The training has begun, paused, gone on, ended or failed. */
  training: TrainingStatus;
  /** After a step, at most ten times a second: the means of the epoch so far. */
  step: Progress;
  /** After an epoch: its figures, and its line as Keras writes it. */
  epoch: { readonly record: EpochRecord; readonly line: string; readonly isBest: boolean };
  /** What a project holds has changed: its runs, its name, the run that is looked at. */
  project: ProjectState;
  /** How much is kept, and how much may be. */
  storage: StorageState;
  /** One check of `proof.gradcheck`. */
  check: CheckedOperation;
  /** Something that the user must know, though nothing was asked: nothing is lost silently. */
  trouble: Trouble;
}

export interface Work {
  readonly work:
    | 'adding'
    | 'audit'
    | 'preparing'
    | 'features'
    | 'judging'
    | 'checking'
    | 'example'
    | 'packing'
    | 'report'
    | 'opening';
  readonly done: number;
  readonly total: number;
}

export interface Trouble {
  /** `storage` is full or gone, the `device` was lost, the `training` failed; `memory`: nothing can be kept at all. */
  readonly kind: 'storage' | 'device' | 'training' | 'memory';
  readonly message: string;
}

/** An error of the library, by the name of its class; `Quota` where there is no room to keep something. */
export interface EngineErrorShape {
  readonly kind:
    | 'UsageError'
    | 'DataError'
    | 'ModelFileError'
    | 'NoDeviceError'
    | 'DeviceLostError'
    | 'OutOfMemoryError'
    | 'NotANumberError'
    | 'Quota'
    | 'Defect';
  readonly message: string;
}

// --- the machine

export interface Machine {
  /** What is computed on, and why: WebGPU on a hardware adapter, else WebAssembly with threads, else one thread. */
  device(): Promise<DeviceState>;
  /** Takes another device from now on; by default `auto`. Refused while a training runs. */
  chooseDevice(name: 'auto' | 'webgpu' | 'cpu'): Promise<DeviceState>;
  storage(): Promise<StorageState>;
  /** Asks the browser to keep the projects even when the disk fills up. @returns the state then */
  persist(): Promise<StorageState>;
}

export interface DeviceState {
  readonly kind: 'webgpu' | 'cpu';
  /** Such as "WebAssembly SIMD, 4 threads". */
  readonly name: string;
  readonly threads: number | null;
  readonly adapter: { readonly name: string; readonly kind: string } | null;
  /** Why this one, in words. */
  readonly reason: string;
  /** Whether the page has shared memory; without it the cpu device computes on one thread. */
  readonly crossOriginIsolated: boolean;
  /** Whether the browser has WebGPU at all. */
  readonly hasWebGpu: boolean;
}

export interface StorageState {
  /** `memory`: the browser keeps nothing (a private window, or storage forbidden): save the project as a file. */
  readonly kind: 'kept' | 'memory';
  /** Whether the browser has promised not to take it away when the disk fills up. */
  readonly persisted: boolean;
  /** Bytes; null where the browser does not say. */
  readonly used: number | null;
  readonly quota: number | null;
  /** What to do, in words; null where all is well. */
  readonly warning: string | null;
}

/**
 * What the page can ask of its engine: a dedicated worker in which pictures are decoded, networks trained and everything kept. All
 * calls are asynchronous, none blocks the page; what takes long tells its progress by events. Whatever a picture, a training or a
 * figure means is the library's (src/index.ts): here are only questions and answers that can be posted to a worker and back.
 *
 * A call that cannot be done rejects with an `EngineError`, whose message says what was expected, what was received, and the way out.
 */
import type {
  AuditReport,
  EpochRecord,
  Evaluation,
  ExportFormat,
  Finding,
  Interval,
  PictureUse,
  Progress,
  ThresholdChoice,
  ThresholdCriterion,
  Verdict,
} from '../../../src/index.js';

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

// --- projects

export interface Projects {
  /** The newest first. */
  list(): Promise<ProjectSummary[]>;
  /** Makes a project and opens it. */
  create(name: string): Promise<ProjectState>;
  /** Opens a project. A training that a closed or reloaded page left is there, paused: `training.resume()` goes on with it. */
  open(id: ProjectId): Promise<ProjectState>;
  /** The open one; null before one is opened. */
  current(): Promise<ProjectState | null>;
  rename(id: ProjectId, name: string): Promise<void>;
  /** Takes a project away with all that is in it. */
  remove(id: ProjectId): Promise<void>;
  /** All of a project as one zip: class folders that the command line trains on, and the run folders. */
  saveFile(id: ProjectId): Promise<NamedBlob>;
  /** A project of such a file, under a new id; it is opened. */
  openFile(file: Blob): Promise<ProjectState>;
  /** Makes the synthetic belt as a project: its pictures are those of `beltnet synth` with the same seed. */
  createExample(options?: { readonly pictures?: number; readonly seed?: number }): Promise<ProjectState>;
  /** How the open project prepares and divides pictures; a new training takes these. */
  configure(settings: Partial<ProjectSettings>): Promise<ProjectState>;
  /** Looks at another run: trial, proof, files and report speak of it then. */
  selectRun(name: string): Promise<ProjectState>;
  removeRun(name: string): Promise<ProjectState>;
}

export type ProjectId = number;

export interface ProjectSummary {
  readonly id: ProjectId;
  readonly name: string;
  readonly pictures: number;
  readonly runs: number;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

export interface ProjectState {
  readonly id: ProjectId;
  readonly name: string;
  readonly settings: ProjectSettings;
  /** Sorted by name, with their numbers of pictures. */
  readonly classes: readonly { readonly name: string; readonly pictures: number }[];
  readonly runs: readonly RunSummary[];
  /** The run that is looked at; null without any. */
  readonly run: string | null;
  readonly training: TrainingStatus;
}

export interface ProjectSettings {
  /** Part of each picture that is looked at, in its own pixels; null for all of it. */
  readonly region: { readonly x: number; readonly y: number; readonly width: number; readonly height: number } | null;
  /** Turn pictures as their EXIF orientation says. */
  readonly exif: boolean;
  /** The class that raises the alarm; null for the second by name. */
  readonly alertClass: string | null;
}

export interface RunSummary {
  readonly name: string;
  readonly started: string;
  /** In words: "mission, 64×64, 10 epochs". */
  readonly what: string;
  readonly epochs: number;
  readonly best: EpochRecord | null;
  /** Whether it came from a file rather than from a training here. */
  readonly imported: boolean;
  readonly hasModel: boolean;
}

// --- pictures

export interface Pictures {
  /**
   * Decodes and keeps files. A file's class is the given one, else the folder that it is in; folders named train, val and test (and
   * training_set, …) above it say its part. Files that cannot be used are refused, each with its reason; the others are kept.
   * Each file that is kept is on the disk when this resolves; where the room ends, the rest is refused by name.
   */
  add(files: readonly GivenFile[], className?: string): Promise<Added>;
  /** As `add`, of files that a server has: each is fetched when it is its turn. */
  addFrom(files: readonly { readonly url: string; readonly path: string }[]): Promise<Added>;
  /** Keeps a frame of the camera as a JPEG (quality 92). The frame is closed. */
  addFrame(frame: ImageData | ImageBitmap | VideoFrame, className: string): Promise<Added>;
  list(): Promise<PictureEntry[]>;
  move(ids: readonly PictureId[], className: string): Promise<void>;
  /** @param part null: by the split's own rule */
  setPart(ids: readonly PictureId[], part: PictureUse | null): Promise<void>;
  renameClass(from: string, to: string): Promise<void>;
  remove(ids: readonly PictureId[]): Promise<void>;
  /** Takes back the last `remove`, as long as the project is open. */
  restore(): Promise<number>;
  /** Small pictures, longest side at most 128, in the order of the ids; null for one that is gone. Ask for what is on the screen. */
  thumbnails(ids: readonly PictureId[]): Promise<(ImageBitmap | null)[]>;
  /** The file as it was given. */
  file(id: PictureId): Promise<NamedBlob>;
  /** What is wrong with the pictures, by the same looks as `beltnet audit`; badges of `list` come from the last one. */
  audit(): Promise<Audited>;
  /** Eight augmented pictures side by side, as the training would see them with these options. */
  preview(options: TrainingOptions): Promise<ImageBitmap>;
}

export type PictureId = number;

export interface GivenFile {
  readonly file: Blob;
  /** With its folders, such as `belt/training_set/gap/1.jpg`. */
  readonly path: string;
}

export interface Added {
  readonly ids: readonly PictureId[];
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

export interface PictureEntry {
  readonly id: PictureId;
  /** `class/name.jpg`: unique in its part of the project. */
  readonly file: string;
  readonly class: string;
  /** What the next training would do with it. */
  readonly part: PictureUse;
  /** Whether the user said so; else it is the split's rule (15 % of a class with 20 pictures or more is held back). */
  readonly partIsGiven: boolean;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  readonly badges: readonly Badge[];
}

export type Badge = Pick<Finding, 'kind' | 'severity' | 'message' | 'advice'>;

export interface Audited extends AuditReport {
  /** The pictures of each finding: groups of ids in place of files. */
  readonly ids: readonly (readonly (readonly PictureId[])[])[];
}

// --- training

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

// --- try

/** A file, a frame, or a picture of the project. */
export type TriedPicture = Blob | ImageData | ImageBitmap | VideoFrame | { readonly picture: PictureId };

export interface Trial {
  /** What the model of the run is; null while there is none. */
  model(): Promise<ModelState | null>;
  /** What the model says about a picture. Frames are closed. */
  classify(picture: TriedPicture): Promise<Judged>;
  /** What speaks for the class that was taken (Grad-CAM), over the picture. */
  heatMap(picture: TriedPicture, className?: string): Promise<Explained>;
  /** What the model says of the pictures that judge it: of a test, else those that were held back, else of all. */
  evaluation(): Promise<Evaluated>;
  /** The threshold of the smallest expected cost, or of another criterion, on pictures that did not train the model; nothing is changed. */
  chooseThreshold(criterion: ThresholdCriterion): Promise<ThresholdChoice>;
  /** Chooses by a criterion, and puts the threshold into the model with its reason, as `beltnet threshold --write` does. */
  decide(criterion: ThresholdCriterion): Promise<ModelState>;
  /** Puts a threshold into the model, with its reason. */
  setThreshold(threshold: number, reason?: string): Promise<ModelState>;
  /** Fits a temperature on the validation pictures, after which probabilities mean what they say. */
  calibrate(): Promise<ModelState>;
}

export interface ModelState {
  readonly run: string;
  readonly classNames: readonly string[];
  readonly size: { readonly width: number; readonly height: number };
  readonly alert: { readonly className: string; readonly threshold: number; readonly reason: string | null };
  readonly calibrated: boolean;
  /** Whether it tells pictures unlike those of its training. */
  readonly tellsUnknown: boolean;
  readonly parameters: number;
  readonly weightsHash: string;
}

export interface Judged extends Verdict {
  readonly milliseconds: number;
}

export interface Explained {
  readonly className: string;
  /** Picture and heat in one, in the size of the picture (longest side at most 512). */
  readonly overlay: ImageBitmap;
  readonly side: number;
  /** [side, side], from 0 to 255: what speaks for the class. */
  readonly heat: Uint8Array;
}

export interface Evaluated {
  readonly use: PictureUse;
  readonly classNames: readonly string[];
  /** [label][taken] */
  readonly confusion: readonly (readonly number[])[];
  readonly figures: Pick<Evaluation, 'accuracy' | 'classes' | 'alert' | 'pictures'>;
  readonly balancedAccuracy: number;
  /** 95 % intervals, where they can be had. */
  readonly intervals: {
    readonly accuracy: Interval | null;
    readonly missRate: Interval | null;
    readonly falseAlarmRate: Interval | null;
  };
  /** Whether so few different pictures say nothing about others. */
  readonly isNoEvidence: boolean;
  readonly unknown: number | null;
  readonly pictures: readonly EvaluatedPicture[];
  readonly unjudged: readonly { readonly file: string; readonly reason: string }[];
}

export interface EvaluatedPicture {
  /** Null for a picture that the project no longer has. */
  readonly id: PictureId | null;
  readonly file: string;
  readonly label: string;
  readonly class: string;
  readonly probability: number;
  /** Of the alert's class. */
  readonly alarm: number;
  readonly alert: boolean;
  readonly unknown: boolean;
}

// --- prove

export interface Proof {
  /** Every operation on this device against float64 and finite differences; each as an event `check`. */
  gradcheck(): Promise<{
    readonly device: string;
    readonly passed: boolean;
    readonly checks: readonly CheckedOperation[];
  }>;
  /**
   * Compares with the predictions.csv of the command line (of `train`, or of `predict --csv`), picture by picture.
   * @param pictures the pictures.jsonl of that run: for tables of older versions, which have no hashes of the pixels
   */
  compare(table: Blob, pictures?: Blob): Promise<Compared>;
  /** Of the model of the run. */
  weightsHash(): Promise<string>;
  /** Trains the run's options again, reproducibly, and forgets the model: its weights' hash is that of the command line's. */
  trainAgain(): Promise<TrainedAgain>;
  stop(): Promise<void>;
}

export interface CheckedOperation {
  readonly name: string;
  readonly passed: boolean;
  /** The largest error, as a part of what is tolerated. */
  readonly error: number;
  readonly tolerance: number;
}

export interface Compared {
  readonly tolerance: number;
  /** Whether no probability differs by more than that, and no pixels differ. */
  readonly passed: boolean;
  readonly worstDifference: number;
  readonly classNames: readonly string[];
  readonly pictures: readonly ComparedPicture[];
  /** Rows of the table without a picture here, and pictures without a row. */
  readonly onlyThere: readonly string[];
  readonly onlyHere: readonly string[];
}

export interface ComparedPicture {
  readonly id: PictureId;
  readonly file: string;
  /** Of each class; NaN where the table does not tell it. */
  readonly here: readonly number[];
  readonly there: readonly number[];
  readonly difference: number;
  /** Hash of the pixels as the model sees them, as in a run's pictures.jsonl; `there` is null where the table has none. */
  readonly pixelsHere: string;
  readonly pixelsThere: string | null;
}

export interface TrainedAgain {
  readonly weightsHash: string;
  /** Whether the run itself was reproducible, and its hash the same; null where it was not reproducible. */
  readonly equal: boolean | null;
  /** The line that gives the same hash on the saved project. */
  readonly command: string;
}

// --- in and out

export interface Files {
  /** The model of the run: `safetensors` is beltnet's own file. */
  exportModel(format: ModelFormat): Promise<NamedBlob>;
  /** A model file of beltnet, Keras (.keras, .h5) or ONNX, as a run of its own. */
  importModel(file: Blob, name: string): Promise<ProjectState>;
  /** The run's folder as a zip, as the command line leaves it. */
  exportRun(): Promise<NamedBlob>;
  /** A run's folder from a zip. */
  importRun(zip: Blob, name?: string): Promise<ProjectState>;
  /** predictions.csv of the run. */
  exportPredictions(): Promise<NamedBlob>;
  /** The report as one HTML file, the same as `beltnet report` writes. */
  report(): Promise<NamedBlob>;
}

export type ModelFormat = 'safetensors' | ExportFormat;

export interface NamedBlob {
  readonly name: string;
  readonly blob: Blob;
}

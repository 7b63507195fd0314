/**
 * A run: what was asked for (config.json, pictures.jsonl, audit.json), how it went (results.csv for people, events.jsonl for
 * programs), the models of its best and of its last epoch, what the best says of its pictures (predictions.csv), and where the training
 * stands, from which it can be gone on with. The same files on a disk and in a page.
 */
import {
  expectArray,
  expectBytes,
  expectFunction,
  expectNumber,
  expectObject,
  expectText,
  objectWith,
  perhaps,
  refuse,
} from '../expect.js';
import { BeltnetError, ModelFileError, UsageError } from '../errors.js';
import { decodeTrainingState, encodeTrainingState } from '../formats/beltnet/training-state.js';
import { sha256Anywhere, type Sha256 } from '../formats/content-hash.js';
import { eventFileStart, scalarEvent } from '../formats/tensorboard.js';
import type { TrainingState } from '../nn/training/state.js';
import type { EpochRecord } from './epoch-record.js';

/** Where a training stands: what the model goes on from, and the epochs that led there. */
export interface Checkpoint {
  readonly state: TrainingState;
  readonly epochs: readonly EpochRecord[];
  /** Whether it ended before its last epoch because nothing improved any more. */
  readonly stoppedEarly: boolean;
}

/** Names of the files. */
export const runFiles = {
  best: 'best.safetensors',
  last: 'last.safetensors',
  state: 'last.state.safetensors',
  previousState: 'previous.state.safetensors',
  config: 'config.json',
  results: 'results.csv',
  events: 'events.jsonl',
  kernels: 'kernels.json',
  pictures: 'pictures.jsonl',
  audit: 'audit.json',
  tensorboard: 'events.out.tfevents.1.beltnet',
  predictions: 'predictions.csv',
} as const;
const names = runFiles;

/** The names of the figures in programs, as in `--json`. */
const columns = [
  'epoch',
  'loss',
  'accuracy',
  'valLoss',
  'valAccuracy',
  'seconds',
  'balancedAccuracy',
  'missedAlerts',
  'learningRate',
  'rocAuc',
  'alertPictures',
] as const satisfies readonly (keyof EpochRecord)[];

const row = (record: EpochRecord): string =>
  columns.map((name) => (name === 'seconds' ? record.seconds.toFixed(3) : (record[name] ?? ''))).join(',');

const expectEpoch = objectWith({ epoch: expectNumber, loss: expectNumber, seconds: expectNumber });
const seconds = (): number => Date.now() / 1000;

/** Tags in the way of TensorBoard's own: what goes into one chart begins alike. */
const tags = {
  loss: 'loss/training',
  valLoss: 'loss/validation',
  accuracy: 'accuracy/training',
  valAccuracy: 'accuracy/validation',
  balancedAccuracy: 'validation/balanced accuracy',
  rocAuc: 'validation/ROC-AUC',
  missedAlerts: 'validation/missed alerts',
  learningRate: 'learning rate',
} as const satisfies Partial<Record<keyof EpochRecord, string>>;

function tensorboardEvent(record: EpochRecord): Uint8Array {
  const scalars = Object.entries(tags).flatMap(([name, tag]) => {
    const value = record[name as keyof typeof tags];
    return value === undefined ? [] : [[tag, value] as const];
  });
  return scalarEvent(seconds(), record.epoch, Object.fromEntries(scalars));
}

const event = (record: EpochRecord): string => JSON.stringify({ event: 'epoch', ...record });

/** @throws UsageError for what JSON cannot hold */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value, null, 2);
  } catch (cause) {
    throw new UsageError(`run: expects what JSON can hold (${(cause as Error).message})`, { cause });
  }
}

/** Pieces one after the other. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Where the files of a run are: in a folder on a disk, or with what a page keeps. What is written is there when it resolves. */
export interface RunFiles {
  /** What messages call it. */
  readonly directory: string;
  /** By default in JavaScript, which runs everywhere. */
  readonly hash?: Sha256;
  /** What messages call one of them. */
  path(file: string): string;
  /** Null where there is none. */
  read(file: string): Promise<Uint8Array | null>;
  /** All of it or nothing. @param previous the name that what was there before gets */
  write(file: string, content: string | Uint8Array, previous?: string): Promise<void>;
  append(file: string, content: string | Uint8Array): Promise<void>;
  /** The same content under another name, too. */
  nameAlso(file: string, other: string): Promise<void>;
  /** Keeps other processes out while the work is done; left out where there are none. */
  hold?<Result>(work: () => Promise<Result>): Promise<Result>;
}

const expectFiles = objectWith({
  directory: expectText,
  hash: perhaps(expectFunction),
  path: expectFunction,
  read: expectFunction,
  write: expectFunction,
  append: expectFunction,
  nameAlso: expectFunction,
});

/** A run that is at work. Each method's file is kept when it resolves. */
export class Run {
  readonly files: RunFiles;

  constructor(files: RunFiles) {
    expectFiles(files, 'Run: files');
    this.files = files;
  }

  get directory(): string {
    return this.files.directory;
  }

  get hash(): Sha256 {
    return this.files.hash ?? sha256Anywhere;
  }

  /** The path of one of its files. */
  path(name: keyof typeof names): string {
    expectText(name, 'path: name');
    if (!Object.hasOwn(names, name)) refuse(name, 'path of a run', `one of ${Object.keys(names).join(', ')}`);
    return this.files.path(names[name]);
  }

  /** What is in one of its files; null where there is none. */
  async read(name: keyof typeof names): Promise<Uint8Array | null> {
    this.path(name);
    return this.files.read(names[name]);
  }

  /** @param config everything that decides the result */
  async writeConfig(config: object): Promise<void> {
    expectObject(config, 'writeConfig: config');
    await this.files.write(names.config, `${jsonOf(config)}\n`);
  }

  /** One line for each picture, by which it is told whether a training goes on with the same. */
  async writePictures(manifest: string): Promise<void> {
    await this.files.write(names.pictures, manifest);
  }

  /** What was found in the pictures before the training. */
  async writeAudit(report: object): Promise<void> {
    expectObject(report, 'writeAudit: report');
    await this.files.write(names.audit, `${jsonOf(report)}\n`);
  }

  /** What the best model says of the run's own pictures: a table, see `predictionsTable`. */
  async writePredictions(table: string): Promise<void> {
    await this.files.write(names.predictions, table);
  }

  /** Which WGSL variants of kernels were chosen, where the device has a choice: `--kernels` takes the file for the same bits. */
  async writeKernels(choices: ReadonlyMap<string, string>): Promise<void> {
    if (!(choices instanceof Map)) refuse(choices, 'writeKernels: choices', 'a Map');
    if (choices.size === 0) return;
    const sorted = [...choices].toSorted(([a], [b]) => (a < b ? -1 : 1));
    await this.files.write(names.kernels, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  }

  /** Has the tables hold these epochs and no others. */
  async writeEpochs(epochs: readonly EpochRecord[]): Promise<void> {
    expectArray(epochs, 'writeEpochs: epochs');
    for (const epoch of epochs) expectEpoch(epoch, 'writeEpochs: an epoch');
    await this.files.write(names.results, [columns.join(','), ...epochs.map(row), ''].join('\n'));
    await this.files.write(names.events, epochs.map((record) => `${event(record)}\n`).join(''));
  }

  async addEpoch(record: EpochRecord): Promise<void> {
    expectEpoch(record, 'addEpoch: record');
    await this.files.append(names.results, `${row(record)}\n`);
    await this.files.append(names.events, `${event(record)}\n`);
  }

  /** TensorBoard's file: begun anew with these epochs … */
  async writeTensorboard(epochs: readonly EpochRecord[]): Promise<void> {
    expectArray(epochs, 'writeTensorboard: epochs');
    for (const [n, record] of epochs.entries()) expectEpoch(record, `writeTensorboard: epochs[${n}]`);
    const events = epochs.map((record) => tensorboardEvent(record));
    await this.files.write(names.tensorboard, joined([eventFileStart(seconds()), ...events]));
  }

  /** … and one more. */
  async addToTensorboard(record: EpochRecord): Promise<void> {
    expectEpoch(record, 'addToTensorboard: record');
    await this.files.append(names.tensorboard, tensorboardEvent(record));
  }

  /** @param model the file's bytes */
  async writeModel(model: Uint8Array, options: { isBest: boolean }): Promise<void> {
    expectBytes(model, 'writeModel: model');
    expectObject(options, 'writeModel: options');
    await this.files.write(names.last, model);
    if (options.isBest) await this.files.nameAlso(names.last, names.best);
  }

  /** Keeps the one before, for the day on which this one cannot be read. */
  async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    objectWith({ state: expectObject, epochs: expectArray })(checkpoint, 'writeCheckpoint: checkpoint');
    const { state, epochs, stoppedEarly } = checkpoint;
    const bytes = encodeTrainingState(state, { hash: this.hash, notes: { epochs, stoppedEarly } });
    await this.files.write(names.state, bytes, names.previousState);
  }
}

/**
 * Where a run's training stands.
 * @param onDamaged is told of a file that cannot be read: the one before takes its place
 * @returns null when it has none yet
 * @throws ModelFileError when none of those that are there can be read
 */
export async function checkpointOf(files: RunFiles, onDamaged: (message: string) => void): Promise<Checkpoint | null> {
  expectFiles(files, 'checkpointOf: files');
  expectFunction(onDamaged, 'checkpointOf: onDamaged');
  let damage: BeltnetError | null = null;
  for (const name of [names.state, names.previousState]) {
    try {
      const bytes = await files.read(name);
      if (bytes === null) continue;
      const path = files.path(name);
      const { notes, ...state } = decodeTrainingState(bytes, path, { hash: files.hash ?? sha256Anywhere });
      if (notes === undefined) throw new ModelFileError(`${path}: expects the state of a run, got one without epochs`);
      if (damage) onDamaged(damage.message);
      return { state, ...(notes as Omit<Checkpoint, 'state'>) }; // as writeCheckpoint wrote it: the checksum is right
    } catch (error) {
      if (!(error instanceof BeltnetError) || damage) throw error;
      damage = error;
    }
  }
  if (damage) throw damage;
  return null;
}

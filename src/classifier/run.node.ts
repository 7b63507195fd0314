/**
 * A run's folder: what was asked for (config.json, pictures.jsonl, audit.json), how it went (results.csv for people, events.jsonl for
 * programs), the models of its best and of its last epoch, what the best says of its pictures (predictions.csv), and where the training
 * stands, from which it can be gone on with.
 */
import {
  expectFunction,
  expectPath,
  expectArray,
  expectBytes,
  expectNumber,
  expectObject,
  objectWith,
  refuse,
  expectText,
} from '../expect.js';
import { existsSync, rmdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { clearTemporaryFolders } from '../data/store/temporary-folder.node.js';
import { BeltnetError, ModelFileError, UsageError } from '../errors.js';
import {
  append,
  appendLine,
  clearRuns,
  createRunDirectory,
  nameAlso,
  readWholeFile,
  takeRunDirectory,
  writeFileAtomically,
} from '../files.node.js';
import { MODEL_FILE } from '../formats/beltnet/model.node.js';
import { decodeTrainingState, encodeTrainingState } from '../formats/beltnet/training-state.js';
import { eventFileStart, scalarEvent } from '../formats/tensorboard.js';
import { sha256Natively } from '../formats/sha256.node.js';
import { leaveFolder } from '../lock.node.js';
import type { TrainingState } from '../nn/training/state.js';
import type { EpochRecord } from './epoch-record.js';

/** Where a training stands: what the model goes on from, and the epochs that led there. */
export interface Checkpoint {
  readonly state: TrainingState;
  readonly epochs: readonly EpochRecord[];
  /** Whether it ended before its last epoch because nothing improved any more. */
  readonly stoppedEarly: boolean;
}

const names = {
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

/** The model of runs before there was a best one. */
const OLD_MODEL = 'model.safetensors';

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

/** @param given a model file, or the folder of a run: its best model */
export function modelFileOf(given: string): string {
  expectPath(given, 'modelFileOf: path');
  if (!statSync(given, { throwIfNoEntry: false })?.isDirectory()) return given;
  const best = join(given, names.best);
  return existsSync(best) ? best : join(given, OLD_MODEL);
}

/** @throws UsageError for what JSON cannot hold */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value, null, 2);
  } catch (cause) {
    throw new UsageError(`run: expects what JSON can hold (${(cause as Error).message})`, { cause });
  }
}

/** The folder of a run that this process has taken. Each method's file is on the disk when it resolves. */
export class Run {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The path of one of its files. */
  path(name: keyof typeof names): string {
    expectText(name, 'path: name');
    if (!Object.hasOwn(names, name)) refuse(name, 'path of a run', `one of ${Object.keys(names).join(', ')}`);
    return join(this.directory, names[name]);
  }

  /** @param config everything that decides the result */
  async writeConfig(config: object): Promise<void> {
    expectObject(config, 'writeConfig: config');
    await writeFileAtomically(this.path('config'), `${jsonOf(config)}\n`);
  }

  /** One line for each picture, by which it is told whether a training goes on with the same. */
  async writePictures(manifest: string): Promise<void> {
    await writeFileAtomically(this.path('pictures'), manifest);
  }

  /** What was found in the pictures before the training. */
  async writeAudit(report: object): Promise<void> {
    expectObject(report, 'writeAudit: report');
    await writeFileAtomically(this.path('audit'), `${jsonOf(report)}\n`);
  }

  /** What the best model says of the run's own pictures: a table, see `predictionsTable`. */
  async writePredictions(table: string): Promise<void> {
    await writeFileAtomically(this.path('predictions'), table);
  }

  /** Which WGSL variants of kernels were chosen, where the device has a choice: `--kernels` takes the file for the same bits. */
  async writeKernels(choices: ReadonlyMap<string, string>): Promise<void> {
    if (!(choices instanceof Map)) refuse(choices, 'writeKernels: choices', 'a Map');
    if (choices.size === 0) return;
    const sorted = [...choices].toSorted(([a], [b]) => (a < b ? -1 : 1));
    await writeFileAtomically(this.path('kernels'), `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  }

  /** Has the tables hold these epochs and no others. */
  async writeEpochs(epochs: readonly EpochRecord[]): Promise<void> {
    expectArray(epochs, 'writeEpochs: epochs');
    for (const epoch of epochs) expectEpoch(epoch, 'writeEpochs: an epoch');
    await writeFileAtomically(this.path('results'), [columns.join(','), ...epochs.map(row), ''].join('\n'));
    await writeFileAtomically(this.path('events'), epochs.map((record) => `${event(record)}\n`).join(''));
  }

  async addEpoch(record: EpochRecord): Promise<void> {
    expectEpoch(record, 'addEpoch: record');
    await appendLine(this.path('results'), row(record));
    await appendLine(this.path('events'), event(record));
  }

  /** TensorBoard's file: begun anew with these epochs … */
  async writeTensorboard(epochs: readonly EpochRecord[]): Promise<void> {
    expectArray(epochs, 'writeTensorboard: epochs');
    for (const [n, record] of epochs.entries()) expectEpoch(record, `writeTensorboard: epochs[${n}]`);
    const events = epochs.map((record) => tensorboardEvent(record));
    await writeFileAtomically(this.path('tensorboard'), Buffer.concat([eventFileStart(seconds()), ...events]));
  }

  /** … and one more. */
  async addToTensorboard(record: EpochRecord): Promise<void> {
    expectEpoch(record, 'addToTensorboard: record');
    await append(this.path('tensorboard'), tensorboardEvent(record));
  }

  /** @param model the file's bytes */
  async writeModel(model: Uint8Array, options: { isBest: boolean }): Promise<void> {
    expectBytes(model, 'writeModel: model');
    expectObject(options, 'writeModel: options');
    await writeFileAtomically(this.path('last'), model);
    if (options.isBest) await nameAlso(this.path('last'), this.path('best'));
  }

  /** Keeps the one before, for the day on which this one cannot be read. */
  async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    objectWith({ state: expectObject, epochs: expectArray })(checkpoint, 'writeCheckpoint: checkpoint');
    const { state, epochs, stoppedEarly } = checkpoint;
    const bytes = encodeTrainingState(state, { hash: sha256Natively, notes: { epochs, stoppedEarly } });
    await writeFileAtomically(this.path('state'), bytes, this.path('previousState'));
  }
}

/**
 * Where a run's training stands.
 * @param onDamaged is told of a file that cannot be read: the one before takes its place
 * @returns null when it has none yet
 * @throws ModelFileError when none of those that are there can be read
 */
export async function readCheckpoint(
  directory: string,
  onDamaged: (message: string) => void,
): Promise<Checkpoint | null> {
  expectPath(directory, 'readCheckpoint: directory');
  const paths = [names.state, names.previousState]
    .map((name) => join(directory, name))
    .filter((path) => existsSync(path));
  for (const [index, path] of paths.entries()) {
    try {
      const { notes, ...state } = decodeTrainingState(await readWholeFile(path, MODEL_FILE), path, {
        hash: sha256Natively,
      });
      if (notes === undefined) throw new ModelFileError(`${path}: expects the state of a run, got one without epochs`);
      return { state, ...(notes as Omit<Checkpoint, 'state'>) }; // as writeCheckpoint wrote it: the checksum is right
    } catch (error) {
      if (!(error instanceof BeltnetError) || index === paths.length - 1) throw error;
      onDamaged(error.message);
    }
  }
  return null;
}

const JSON_FILE = { mostBytes: 2 ** 26, refuse: (message: string) => new UsageError(message) };

/**
 * A run's config.json; null where there is none.
 * @param given the run's folder, or that file
 * @throws UsageError for what is no such file
 */
export async function readConfig(given: string): Promise<Record<string, unknown> | null> {
  expectPath(given, 'readConfig: directory');
  const isFile = statSync(given, { throwIfNoEntry: false })?.isFile() ?? false;
  const path = isFile ? given : join(given, names.config);
  if (!existsSync(path)) return null;
  const bytes = await readWholeFile(path, { what: 'the config.json of a run', ...JSON_FILE });
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${path}: expects the config.json of a run, got ${(error as Error).message}`);
  }
}

/** Whether a folder is that of a run. */
export function isRun(directory: string): boolean {
  expectPath(directory, 'isRun: directory');
  return existsSync(join(directory, names.config));
}

/** The epochs in a run's events.jsonl. */
export async function readEpochs(directory: string): Promise<EpochRecord[]> {
  expectPath(directory, 'readEpochs: directory');
  const kind = { what: 'the events.jsonl of a run', ...JSON_FILE };
  const text = Buffer.from(await readWholeFile(join(directory, names.events), kind)).toString('utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as EpochRecord]));
}

/** A run's pictures.jsonl; null where there is none. */
export async function readPictures(directory: string): Promise<string | null> {
  expectPath(directory, 'readPictures: directory');
  const path = join(directory, names.pictures);
  if (!existsSync(path)) return null;
  const kind = { what: 'the pictures.jsonl of a run', ...JSON_FILE, mostBytes: 2 ** 31 };
  return Buffer.from(await readWholeFile(path, kind)).toString('utf8');
}

/**
 * Makes the folder of a new run. When the process ends, its lock and what is not complete are taken away, and the folder if there
 * is nothing else in it. What processes that were killed left in earlier runs is taken away, too.
 *
 * @param name of the folder; by default one that is free
 * @param onLeftovers takes what other processes have not completed that this one cannot know to be dead
 * @throws DiskError when the folder exists or cannot be made
 */
export async function openRun(
  parent: string,
  name?: string,
  onLeftovers: (paths: readonly string[]) => void = () => {},
): Promise<Run> {
  expectPath(parent, 'openRun: parent');
  expectFunction(onLeftovers, 'openRun: onLeftovers');
  onLeftovers([...clearRuns(parent), ...clearTemporaryFolders()]);
  return leftAtExit(await createRunDirectory(parent, name));
}

/**
 * Takes the folder of an earlier run, to go on with it.
 * @throws DiskError while another process works there; UsageError for a run of a version that kept no state
 */
export function reopenRun(directory: string, onLeftovers: (paths: readonly string[]) => void = () => {}): Run {
  expectPath(directory, 'reopenRun: directory');
  expectFunction(onLeftovers, 'reopenRun: onLeftovers');
  if (existsSync(join(directory, OLD_MODEL)) && !existsSync(join(directory, names.state)))
    throw new UsageError(
      `${directory}: expects a run that can be resumed, got one of an older version, which kept no state; train anew`,
    );
  const others = [...clearRuns(dirname(directory)), ...clearTemporaryFolders()];
  onLeftovers(others.filter((path) => basename(dirname(path)) !== basename(directory)));
  takeRunDirectory(directory);
  return leftAtExit(directory);
}

function leftAtExit(directory: string): Run {
  process.once('exit', () => {
    leaveFolder(directory);
    try {
      rmdirSync(directory); // fails unless it is empty, which is what is wanted
    } catch {
      // there is something in it
    }
  });
  return new Run(directory);
}

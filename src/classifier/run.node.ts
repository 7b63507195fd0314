/** A run's folder on the disk. */
import { expectPath, expectFunction } from '../expect.js';
import { existsSync, rmdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { clearTemporaryFolders } from '../data/store/temporary-folder.node.js';
import { DataError, UsageError } from '../errors.js';
import {
  append,
  clearRuns,
  createRunDirectory,
  nameAlso,
  readWholeFile,
  takeRunDirectory,
  writeFileAtomically,
  type FileKind,
} from '../files.node.js';
import { MODEL_FILE } from '../formats/beltnet/model.node.js';
import { sha256Natively } from '../formats/sha256.node.js';
import { leaveFolder, lockHolder } from '../lock.node.js';
import { epochsIn, type EpochRecord } from './epoch-record.js';
import { checkpointOf, Run, runFiles as names, type Checkpoint, type RunFiles } from './run.js';

/** The model of runs before there was a best one. */
const OLD_MODEL = 'model.safetensors';

/** The files of a run in its folder. */
export function filesIn(directory: string): RunFiles {
  const path = (file: string): string => join(directory, file);
  return {
    directory,
    hash: sha256Natively,
    path,
    read: async (file) => (existsSync(path(file)) ? readWholeFile(path(file), kindOf(file)) : null),
    write: (file, content, previous) =>
      writeFileAtomically(path(file), content, previous === undefined ? undefined : path(previous)),
    append: (file, content) => append(path(file), content),
    nameAlso: (file, other) => nameAlso(path(file), path(other)),
    async hold(work) {
      const { state, owner } = lockHolder(directory);
      if (state === 'running' && owner.pid === process.pid) return work(); // it holds it already
      takeRunDirectory(directory);
      try {
        return await work();
      } finally {
        leaveFolder(directory);
      }
    },
  };
}

const kindOf = (file: string): FileKind =>
  file.endsWith('.safetensors')
    ? MODEL_FILE
    : { what: 'a file of a run', mostBytes: 2 ** 31 - 1, refuse: (message) => new DataError(message) };

/** @param given a model file, or the folder of a run: its best model */
export function modelFileOf(given: string): string {
  expectPath(given, 'modelFileOf: path');
  if (!statSync(given, { throwIfNoEntry: false })?.isDirectory()) return given;
  const best = join(given, names.best);
  return existsSync(best) ? best : join(given, OLD_MODEL);
}

/** Where the training of the run in a folder stands: see `checkpointOf`. @throws ModelFileError */
export async function readCheckpoint(
  directory: string,
  onDamaged: (message: string) => void,
): Promise<Checkpoint | null> {
  expectPath(directory, 'readCheckpoint: directory');
  return checkpointOf(filesIn(directory), onDamaged);
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

/** The epochs in a run's events.jsonl; none where there is no such file, as in the run of a head on a base. A line that a killed process left unfinished is none. */
export async function readEpochs(directory: string): Promise<EpochRecord[]> {
  expectPath(directory, 'readEpochs: directory');
  if (!existsSync(join(directory, names.events))) return [];
  const kind = { what: 'the events.jsonl of a run', ...JSON_FILE };
  const text = Buffer.from(await readWholeFile(join(directory, names.events), kind)).toString('utf8');
  return epochsIn(text);
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

/** Runs of this process; null before the first. */
let taken: Set<string> | null = null;

function leftAtExit(directory: string): Run {
  if (!taken) process.once('exit', () => taken?.forEach(leaveRun));
  taken ??= new Set();
  taken.add(directory);
  return new Run(filesIn(directory));
}

/** Gives up a run before the process ends: another may take it then. Nothing is thrown. */
export function leaveRun(directory: string): void {
  expectPath(directory, 'leaveRun: directory');
  if (!taken?.delete(directory)) return;
  leaveFolder(directory);
  try {
    rmdirSync(directory); // fails unless it is empty, which is what is wanted
  } catch {
    // there is something in it
  }
}

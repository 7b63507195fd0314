/** Keras' files on disk, read under guard. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ModelFileError, UsageError } from '../../errors.js';
import { readWholeFile } from '../../files.node.js';
import { memoryLimit } from '../../memory.node.js';
import { builtWorker } from '../../worker-thread.node.js';
import { MODEL_FILE } from '../beltnet/model.node.js';
import type { Hdf5Answer, Hdf5Job } from './hdf5-process.node.js';
import type { Hdf5WorkerAnswer } from './hdf5-worker.node.js';
import type { Hdf5Group } from './hdf5.js';
import { importKeras, type ImportedKeras, type KerasFile } from './import-keras.js';

/** A file of 100 MB takes three seconds; what takes ten times as long will not end. */
const SECONDS_TO_READ = 10;
const SECONDS_PER_MEGABYTE = 0.3;
/** jsfive makes numbers of 8 bytes of the floats, in lists that are copied; the worker's own code needs the rest. */
const MEGABYTES_OF_MEMORY = 64;
const MEMORY_PER_BYTE = 12;
/** Of the file itself: the archive's entry, the worker's, and the one that jsfive reads. */
const COPIES = 3;

/**
 * A model of Keras 1 to 3 from its files.
 * @param paths of a `.keras` archive or a full-model `.h5`, or of `model.json` and its weights `.h5`
 * @throws ModelFileError naming the file and what was expected; UsageError when the optional package `jsfive` is missing
 */
export async function loadKeras(...paths: readonly string[]): Promise<ImportedKeras> {
  return importKeras(await Promise.all(paths.map(readModelFile)), {
    readHdf5: readUnderGuard,
    mostBytes: Math.min(2 ** 31, Math.floor(memoryLimit() / (MEMORY_PER_BYTE + COPIES))),
  });
}

async function readModelFile(path: string): Promise<KerasFile> {
  return { name: path, bytes: await readWholeFile(path, MODEL_FILE) };
}

/** Reads an HDF5 file in a process of its own with little memory and time. @throws ModelFileError also when it exceeds them */
export async function readUnderGuard(bytes: Uint8Array, name: string): Promise<Hdf5Group> {
  const reader = new Hdf5Reader();
  try {
    return await reader.read(bytes, name);
  } finally {
    reader.close();
  }
}

/** A process that reads HDF5 files, one after the other, each in a thread of its own; one that was too much for it ends it. */
export class Hdf5Reader {
  #process: ChildProcess | null = null;

  /** While no other is read. @throws ModelFileError for a damaged file, and one that takes too much memory or time */
  async read(bytes: Uint8Array, name: string): Promise<Hdf5Group> {
    const answer = await this.#ask(bytes, name).catch((error: unknown) => {
      this.close();
      throw error;
    });
    if ('tree' in answer) return answer.tree;
    throw new (answer.exitCode === 2 ? UsageError : ModelFileError)(answer.error);
  }

  close(): void {
    this.#process?.kill('SIGKILL');
    this.#process = null;
  }

  async #ask(bytes: Uint8Array, name: string): Promise<Hdf5WorkerAnswer> {
    const reader = (this.#process ??= startReader());
    const megabytes = bytes.length / 2 ** 20;
    const seconds = SECONDS_TO_READ + SECONDS_PER_MEGABYTE * megabytes;
    const over = new AbortController();
    const heard = (event: string): Promise<unknown[]> => once(reader, event, { signal: over.signal });
    const damaged = (why: string): ModelFileError =>
      new ModelFileError(`${name}: the HDF5 file is damaged: reading it ${why}`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answered = heard('message').then(([said]) => {
      const answer = said as Hdf5Answer;
      if ('failure' in answer) throw damaged(`fails (${answer.failure})`);
      return answer;
    });
    const ended = heard('exit').then(([code, signal]) => {
      const how =
        signal === 'SIGABRT' ? 'fails (it fills memory beyond its limit)' : `ended with ${String(signal ?? code)}`;
      throw damaged(how);
    });
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(damaged(`does not end (${Math.round(seconds)} s)`)), seconds * 1000);
    });
    const sent = new Promise<never>((_, reject) => {
      const limit = Math.ceil(MEGABYTES_OF_MEMORY + MEMORY_PER_BYTE * megabytes);
      reader.send({ bytes, name, megabytes: limit } satisfies Hdf5Job, (error) => error && reject(error));
    });
    try {
      return await Promise.race([answered, ended, late, sent]);
    } finally {
      clearTimeout(timer);
      over.abort();
    }
  }
}

const startReader = (): ChildProcess =>
  fork(fileURLToPath(builtWorker('formats/keras/hdf5-process.node')), {
    serialization: 'advanced', // typed arrays as they are
    execArgv: [], // flags of this process, like --input-type, would stop it
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });

/** Decodes many files: in worker threads, or right here where starting threads would take longer than the work. */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { DataError, UsageError } from '../errors.js';
import type { DecodeResult, DecodeWorkerData } from './decode-worker.node.js';
import { readPicture } from './read-picture.node.js';
import { checkSize, type Interpolation, type Size } from './resize.js';
import { builtWorker, endOf } from '../worker-thread.node.js';

export interface DecodeAllOptions {
  readonly size: Size;
  /** Default `nearest`. */
  readonly interpolation?: Interpolation;
  /** Worker threads; 0 decodes in this thread. Default: one per processor core, none for fewer than 16 files. */
  readonly workers?: number;
  /** Called after each file. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stop at the first file that cannot be used. Default false. */
  readonly stopOnError?: boolean;
}

export interface DecodedFiles {
  /** [paths.length, height, width, 3]; zeros where there is an error. May lie in shared memory. */
  readonly pictures: Uint8Array;
  /** Why a file cannot be used, or null, [paths.length] */
  readonly errors: readonly (string | null)[];
}

/** What the worker threads run. */
export interface WorkerProgram {
  readonly file: URL;
  readonly resourceLimits?: ResourceLimits;
}

const FEWEST_FILES_FOR_WORKERS = 16;

/**
 * @param program for tests: another program for the worker threads, and less memory
 * @throws UsageError for options out of range; DataError when memory does not suffice, when a worker thread dies, or for
 *   the first file in order that cannot be used if `stopOnError` is set
 */
export async function decodeAll(
  paths: readonly string[],
  options: DecodeAllOptions,
  program: WorkerProgram | null = null,
): Promise<DecodedFiles> {
  checkSize(options.size);
  const fallback = paths.length < FEWEST_FILES_FOR_WORKERS ? 0 : availableParallelism();
  const { workers = fallback } = options;
  if (!Number.isInteger(workers) || workers < 0) {
    throw new UsageError(`workers: expected a whole number from 0, received ${String(workers)}`);
  }
  const errors: (string | null)[] = paths.map((path) => `${path}: was not decoded`);
  let done = 0;
  const note = ({ index, error }: DecodeResult) => {
    errors[index] = error;
    options.onProgress?.(++done, paths.length);
  };
  const pictures =
    workers === 0
      ? await decodeHere(paths, options, note)
      : await decodeInWorkers(
          paths,
          options,
          note,
          Math.min(workers, paths.length),
          program ?? { file: builtWorker('data/decode-worker.node') },
        );
  const firstError = errors.find((error) => error !== null) ?? null;
  if (options.stopOnError && firstError !== null) throw new DataError(firstError);
  return { pictures, errors };
}

type Note = (result: DecodeResult) => void;

async function decodeHere(paths: readonly string[], options: DecodeAllOptions, note: Note): Promise<Uint8Array> {
  const { size, interpolation = 'nearest', stopOnError = false } = options;
  const pictures = new Uint8Array(allocate(ArrayBuffer, paths.length, size));
  for (const [index, path] of paths.entries()) {
    let error: string | null = null;
    try {
      const picture = readPicture(path, size, interpolation);
      pictures.set(picture.data, index * picture.data.length);
    } catch (cause) {
      if (!(cause instanceof DataError)) throw cause;
      error = cause.message;
    }
    note({ index, error });
    if (error !== null && stopOnError) break;
    await setImmediate(); // let Ctrl-C and the progress line through
  }
  return pictures;
}

async function decodeInWorkers(
  paths: readonly string[],
  options: DecodeAllOptions,
  note: Note,
  workerCount: number,
  { file, resourceLimits }: WorkerProgram,
): Promise<Uint8Array> {
  const { size, interpolation = 'nearest', stopOnError = false } = options;
  const pictures = allocate(SharedArrayBuffer, paths.length, size);
  const control = new SharedArrayBuffer(4 * (1 + workerCount));
  const positions = new Int32Array(control).fill(-1, 1); // no worker has a file yet
  const workers: Worker[] = [];
  const ends: Promise<void>[] = [];
  for (let slot = 1; slot <= workerCount; slot++) {
    const workerData: DecodeWorkerData = { paths, size, interpolation, stopOnError, pictures, control, slot };
    const worker = new Worker(file, {
      workerData,
      execArgv: [], // flags of this process, like --input-type, would stop a worker
      ...(resourceLimits && { resourceLimits }),
    });
    workers.push(worker);
    ends.push(
      endOf(
        worker,
        (result) => note(result as DecodeResult),
        (what, cause) => workerFailure(paths[positions[slot]], what, cause),
      ),
    );
  }
  try {
    await Promise.all(ends);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return new Uint8Array(pictures);
}

function workerFailure(file: string | undefined, what: string, cause?: Error): DataError {
  const message =
    file === undefined
      ? `a worker thread ${what} before its first file; try fewer workers, or none`
      : `${file}: the thread that decoded this file ${what}; try fewer workers, or remove the file`;
  return new DataError(message, { cause });
}

function allocate<T>(Memory: new (bytes: number) => T, count: number, { width, height }: Size): T {
  const bytes = count * width * height * 3;
  try {
    return new Memory(bytes);
  } catch {
    const gigabytes = (bytes / 1e9).toFixed(1);
    throw new DataError(
      `${count} pictures of ${width}×${height} pixels need ${gigabytes} GB of memory, more than there is; choose a smaller size`,
    );
  }
}

/** Belt pictures as a folder of JPEG files, in the layout that training reads: training_set/ and test_set/, gap/ and ok/. */
import { expectObject, expectPath } from '../../expect.js';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { DiskError } from '../../errors.js';
import { makeFolders } from '../../files.node.js';
import { describeOwner, lockFolder, lockHolder } from '../../lock.node.js';
import { type BeltLabel, checkWhole } from './synthetic.js';
import { beltFiles, type BeltFile } from './synthetic-set.js';
import type { PictureFile } from './synthetic-file.node.js';
import type { SyntheticWorkerData } from './synthetic-worker.node.js';
import { endOf, startWorker } from '../../worker-thread.node.js';

export interface SynthesizeOptions {
  /** Pictures in all, half of them of each class. Default 800. */
  readonly count?: number;
  /** In pixels. Default 320. */
  readonly width?: number;
  /** In pixels. Default 240. */
  readonly height?: number;
  /** An integer from 0, of at most 53 bits. Default 0. */
  readonly seed?: number;
  /** Share of each class that goes to the test set, above 0 and below 1. Default 0.25. */
  readonly testFraction?: number;
  /** Worker threads; 0 works in this thread. Default: one per processor core, none for fewer than 16 pictures. */
  readonly workers?: number;
  /** Called after each picture. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops the work; what was made so far is taken away again, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface SynthesizeSummary {
  readonly directory: string;
  readonly training: Readonly<Record<BeltLabel, number>>;
  readonly test: Readonly<Record<BeltLabel, number>>;
}

const FEWEST_PICTURES_FOR_WORKERS = 16;
const UNFINISHED = '.unfinished';

/**
 * Makes a set of belt pictures: `directory/training_set/gap/gap_00000.jpg` and so on. The same options give the same bytes
 * (on one version of Node: the standard leaves the last bit of sines open), whatever the number of worker threads. Both sets
 * appear under their names only when they are complete.
 *
 * @throws UsageError for options out of range; DiskError when `directory` has anything in it or cannot be written to
 */
export async function synthesize(directory: string, options: SynthesizeOptions = {}): Promise<SynthesizeSummary> {
  expectPath(directory, 'synthesize: directory');
  expectObject(options, 'synthesize: options');
  const { count = 800, width = 320, height = 240, seed = 0, testFraction = 0.25, onProgress, signal } = options;
  const { workers = count < FEWEST_PICTURES_FOR_WORKERS ? 0 : availableParallelism() } = options;
  checkWhole('workers', workers, 0, 256);

  const files = beltFiles({ count, width, height, seed, testFraction });
  const unfinished = claimDirectory(directory);
  const pictures = files.map((file): PictureFile => ({ ...file, path: join(unfinished, file.path) }));
  const counted = (set: string) => ({ gap: 0, ok: 0, ...tally(files, set) });
  const [training, test] = [counted('training_set'), counted('test_set')];
  let done = 0;
  const note = () => onProgress?.(++done, pictures.length);
  try {
    for (const set of ['training_set', 'test_set']) {
      for (const label of ['gap', 'ok']) makeFolders(join(unfinished, set, label));
    }
    await (workers === 0
      ? writeHere(pictures, note, signal)
      : writeInWorkers(pictures, note, Math.min(workers, count), signal));
    await rename(join(unfinished, 'training_set'), join(directory, 'training_set'));
    await rename(join(unfinished, 'test_set'), join(directory, 'test_set'));
  } catch (error) {
    throw asDiskError(directory, error);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return { directory, training, test };
}

/** Pictures a class in one of the two sets. */
function tally(files: readonly BeltFile[], set: string): Partial<Record<BeltLabel, number>> {
  const counts: Partial<Record<BeltLabel, number>> = {};
  for (const { path, label } of files) if (path.startsWith(`${set}/`)) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/**
 * Makes the folder, or sees that it is empty: nothing that was there is mixed with new pictures.
 *
 * @returns a new folder in it for what is not complete yet, with this process' lock
 */
function claimDirectory(directory: string): string {
  const unfinished = join(directory, UNFINISHED);
  let entries: string[];
  try {
    makeFolders(directory);
    if (lockHolder(unfinished).state === 'dead') rmSync(unfinished, { recursive: true, force: true });
    entries = readdirSync(directory);
    if (entries.length === 0) {
      mkdirSync(unfinished); // fails where another process has come first
      lockFolder(unfinished);
    }
  } catch (error) {
    throw asDiskError(directory, error);
  }
  if (entries.length === 0) return unfinished;
  throw new DiskError(`${directory}: expects a new or an empty folder, it holds ${whatIsThere(directory, entries)}`);
}

function whatIsThere(directory: string, entries: readonly string[]): string {
  const [first] = entries;
  if (first !== UNFINISHED) return `'${first}'; choose another folder, or empty this one`;
  const { state, owner } = lockHolder(join(directory, UNFINISHED));
  return state === 'running'
    ? `'${UNFINISHED}', where ${describeOwner(owner)} is at work; choose another folder`
    : `'${UNFINISHED}' of ${describeOwner(owner)}; delete it if that process is gone, or choose another folder`;
}

/** What the system refused, as an error that says the way out; other errors are not the disk's. */
function asDiskError(directory: string, error: unknown): unknown {
  const isSystemError = error instanceof Error && 'syscall' in error;
  if (!isSystemError) return error;
  return new DiskError(
    `${directory}: pictures cannot be written: ${error.message}; make room or get the right to write there, or choose another folder`,
    { cause: error },
  );
}

async function writeHere(pictures: readonly PictureFile[], note: () => void, signal?: AbortSignal): Promise<void> {
  const { writePicture } = await import('./synthetic-file.node.js'); // the encoder is loaded where it is needed
  for (const picture of pictures) {
    signal?.throwIfAborted();
    await writePicture(picture);
    note();
  }
}

/** Each thread takes every n-th picture: they all cost the same. */
async function writeInWorkers(
  pictures: readonly PictureFile[],
  note: () => void,
  count: number,
  signal?: AbortSignal,
): Promise<void> {
  const stopped = new Promise<never>((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const workers: Worker[] = [];
  try {
    const ends = Array.from({ length: count }, (_, first) => {
      const workerData: SyntheticWorkerData = {
        pictures: pictures.filter((_picture, index) => index % count === first),
      };
      // Flags of this process are not handed on: some, like --input-type, stop a worker.
      const worker = startWorker('data/belt/synthetic-worker.node', { workerData });
      workers.push(worker);
      return endOf(worker, note, workerFailure);
    });
    await Promise.race([Promise.all(ends), stopped]);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** A worker's own error says what happened; a worker that just ended has none. */
const workerFailure = (what: string, cause?: Error): Error =>
  cause ?? new Error(`a thread that makes belt pictures ${what}`);

/**
 * Decodes many files, in their order, without holding more than a few of them: worker threads fill a ring of places, the
 * caller empties it. Where starting threads would take longer than the work, it is done right here.
 */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { ResourceLimits, Worker } from 'node:worker_threads';
import { DataError, UsageError } from '../../errors.js';
import { ExhaustedError } from '../../files.node.js';
import { memoryLimit } from '../../memory.node.js';
import type { DecodeResult, DecodeWorkerData } from './decode-worker.node.js';
import { mostForOnePicture } from './decoding-memory.node.js';
import { DigestIndex } from './digest-index.js';
import { RECORD_LENGTH } from '../audit/picture-facts.js';
import { checkPreparation, type Preparation } from '../pictures/resize.js';
import { builtWorker, endOf, startWorker } from '../../worker-thread.node.js';

export interface DecodeOptions extends Preparation {
  /** Worker threads; 0 decodes in this thread. Default: one per processor core, none for fewer than 16 files. */
  readonly workers?: number;
  /** Called after each file. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Bytes that pictures may take while they are decoded, by all threads together. Default: half of the machine's, or BELTNET_MEMORY. */
  readonly memory?: number;
  /** Stop at the first file that cannot be used. Default false. */
  readonly stopOnError?: boolean;
  /** Digests of files that need not be decoded, since their pictures are at hand. */
  readonly known?: readonly DigestIndex[];
}

/** Some files in a row. What it shows is overwritten when the next batch is asked for. */
export interface DecodedBatch {
  /** Index of the first file. */
  readonly first: number;
  /** What became of each file, [n] */
  readonly results: readonly DecodeResult[];
  /** [n, height, width, 3]; without meaning where there is an error or the picture is known */
  readonly pictures: Uint8Array;
  /** Digest and facts of each file, [n, RECORD_LENGTH]; no facts where the picture is known */
  readonly records: Uint8Array;
}

/** What the worker threads run. */
export interface WorkerProgram {
  readonly file: URL;
  readonly resourceLimits?: ResourceLimits;
}

const FEWEST_FILES_FOR_WORKERS = 16;
/** Files of a batch, and batches in the ring: the caller may take its time with one while three are filled. */
const BATCH = 64;
const BATCHES = 4;
/** Of the ring; large pictures get shorter batches. */
const RING_BYTES = 64 * 2 ** 20;

/**
 * Decodes files in order, batch by batch.
 *
 * @param program for tests: another program for the worker threads, and less memory
 * @throws UsageError for options out of range; DataError when memory does not suffice, when a worker thread dies, or for
 *   the first file in order that cannot be used if `stopOnError` is set
 */
export async function* decodeFiles(
  paths: readonly string[],
  options: DecodeOptions,
  program: WorkerProgram | null = null,
): AsyncGenerator<DecodedBatch, void, undefined> {
  checkPreparation(options);
  const fallback = paths.length < FEWEST_FILES_FOR_WORKERS ? 0 : availableParallelism();
  const { workers = fallback } = options;
  if (!Number.isInteger(workers) || workers < 0) {
    throw new UsageError(`workers: expects a whole number from 0, got ${String(workers)}`);
  }
  const batches =
    workers === 0
      ? decodeHere(paths, options)
      : decodeInWorkers(
          paths,
          options,
          Math.min(workers, paths.length),
          program ?? { file: builtWorker('data/store/decode-worker.node') },
        );
  for await (const batch of batches) {
    const error = batch.results.find((result) => result.error !== null)?.error ?? null;
    if (error !== null && options.stopOnError) throw new DataError(error);
    yield batch;
  }
}

/** Files of one batch. */
function batchLength({ size }: Preparation, count: number): number {
  const fits = Math.floor(RING_BYTES / (BATCHES * size.width * size.height * 3));
  return Math.max(1, Math.min(BATCH, fits, Math.ceil(count / 2)));
}

async function* decodeHere(paths: readonly string[], options: DecodeOptions): AsyncGenerator<DecodedBatch> {
  const { readPicture } = await import('../pictures/read-picture.node.js'); // the decoders are loaded where they are needed
  const { size, stopOnError = false, known = [], onProgress } = options;
  const length = size.width * size.height * 3;
  const batch = batchLength(options, paths.length);
  const pictures = new Uint8Array(allocate(ArrayBuffer, batch, length, options));
  const records = new Uint8Array(batch * RECORD_LENGTH);
  const limits = { maximumMemory: mostForOnePicture(options.memory ?? memoryLimit()) };
  const isKnown = (digest: Uint8Array): boolean => known.some((index) => index.find(digest) >= 0);
  let stopped = false;
  for (let first = 0; first < paths.length && !stopped; first += batch) {
    const results: DecodeResult[] = [];
    for (let index = first; index < Math.min(first + batch, paths.length) && !stopped; index++) {
      const place = index - first;
      const record = records.subarray(place * RECORD_LENGTH, (place + 1) * RECORD_LENGTH);
      try {
        const picture = readPicture(paths[index], options, record, isKnown, limits);
        if (picture) pictures.set(picture.data, place * length);
        results.push({ index, error: null, known: !picture });
      } catch (cause) {
        if (!(cause instanceof DataError) || cause instanceof ExhaustedError) throw cause; // no fault of the file
        results.push({ index, error: cause.message, known: false });
        stopped = stopOnError;
      }
      onProgress?.(index + 1, paths.length);
      await setImmediate(); // let Ctrl-C and the progress line through
    }
    yield { first, results, pictures, records };
  }
}

async function* decodeInWorkers(
  paths: readonly string[],
  options: DecodeOptions,
  workerCount: number,
  { file, resourceLimits }: WorkerProgram,
): AsyncGenerator<DecodedBatch> {
  const { size, interpolation = 'nearest', region, exif = false, stopOnError = false, onProgress } = options;
  const length = size.width * size.height * 3;
  const batch = batchLength(options, paths.length);
  const places = batch * BATCHES;
  const ring = allocate(SharedArrayBuffer, places, length, options);
  const records = new SharedArrayBuffer(places * RECORD_LENGTH);
  const controlBuffer = new SharedArrayBuffer(4 * (2 + workerCount));
  const control = new Int32Array(controlBuffer).fill(-1, 2); // no worker has a file yet
  const lane = new SharedArrayBuffer(4);
  const { memory = memoryLimit() } = options;
  const known = (options.known ?? []).map(({ bytes }) => {
    const shared = new SharedArrayBuffer(bytes.length);
    new Uint8Array(shared).set(bytes);
    return shared;
  });

  const results = new Map<number, DecodeResult>();
  let done = 0;
  /** The consumer's wait for one batch; called when something has come. */
  let wake = (): void => {};
  const note = (result: DecodeResult): void => {
    results.set(result.index, result);
    onProgress?.(++done, paths.length);
    wake();
  };
  const workers: Worker[] = [];
  const ends: Promise<void>[] = [];
  for (let slot = 2; slot < 2 + workerCount; slot++) {
    const workerData: DecodeWorkerData = {
      paths,
      preparation: { size, interpolation, ...(region && { region }), exif },
      stopOnError,
      known,
      pictures: ring,
      records,
      control: controlBuffer,
      slot,
      lane,
      memory,
      threads: workerCount,
    };
    const worker = startWorker(file, { workerData, ...(resourceLimits && { resourceLimits }) });
    workers.push(worker);
    ends.push(
      endOf(
        worker,
        (result) => note(result as DecodeResult),
        (what, cause) => workerFailure(paths[control[slot]], what, cause),
      ),
    );
  }
  const state: { working: boolean; failure: Error | null } = { working: true, failure: null };
  const end = (failure: Error | null): void => {
    Object.assign(state, { working: false, failure });
    wake();
  };
  void Promise.all(ends).then(() => end(null), end);
  try {
    for (let first = 0; first < paths.length; first += batch) {
      const next = Math.min(first + batch, paths.length);
      const isComplete = (): boolean => {
        for (let index = first; index < next; index++) if (!results.has(index)) return false;
        return true;
      };
      while (state.working && !isComplete()) await new Promise<void>((resolve) => (wake = resolve));
      if (state.failure) throw state.failure;
      const place = first % places;
      yield {
        first,
        results: Array.from({ length: next - first }, (_, i) => results.get(first + i) ?? notDecoded(paths, first + i)),
        pictures: new Uint8Array(ring, place * length, batch * length),
        records: new Uint8Array(records, place * RECORD_LENGTH, batch * RECORD_LENGTH),
      };
      for (let index = first; index < next; index++) results.delete(index);
      Atomics.store(control, 1, next);
      Atomics.notify(control, 1);
    }
    while (state.working) await new Promise<void>((resolve) => (wake = resolve));
    if (state.failure) throw state.failure;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** A worker that ends without a word, or the stop at the first error, leaves files behind. */
function notDecoded(paths: readonly string[], index: number): DecodeResult {
  return { index, error: `${paths[index]}: was not decoded`, known: false };
}

function workerFailure(file: string | undefined, what: string, cause?: Error): DataError {
  const message =
    file === undefined
      ? `a worker thread ${what} before its first file; try fewer workers, or none`
      : `${file}: the thread that decoded this file ${what}; try fewer workers, or remove the file`;
  return new DataError(message, { cause });
}

function allocate<T>(Memory: new (bytes: number) => T, count: number, length: number, { size }: Preparation): T {
  try {
    return new Memory(count * length);
  } catch {
    throw new DataError(
      `${count} pictures of ${size.width}×${size.height} pixels need ${((count * length) / 1e9).toFixed(1)} GB of memory, ` +
        'more than there is; choose a smaller size',
    );
  }
}

/**
 * A worker thread that decodes pictures into memory shared with the main thread. Workers take the next file from a
 * common counter until none is left, and note which file they are at, so that a crash can be put down to it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DataError } from '../errors.js';
import { readPicture } from './read-picture.node.js';
import type { Interpolation, Size } from './resize.js';

/** What a worker is started with. */
export interface DecodeWorkerData {
  readonly paths: readonly string[];
  readonly size: Size;
  readonly interpolation: Interpolation;
  readonly stopOnError: boolean;
  /** uint8, [paths.length, height, width, 3] */
  readonly pictures: SharedArrayBuffer;
  /** int32: the next file's index, then for each worker the index of the file it is at. */
  readonly control: SharedArrayBuffer;
  /** This worker's place in `control`. */
  readonly slot: number;
}

/** What a worker reports of each file. */
export interface DecodeResult {
  readonly index: number;
  /** Why the file cannot be used, or null. */
  readonly error: string | null;
}

function work({ paths, size, interpolation, stopOnError, ...data }: DecodeWorkerData): void {
  const pictures = new Uint8Array(data.pictures);
  const control = new Int32Array(data.control);
  for (;;) {
    const index = Atomics.add(control, 0, 1);
    if (index >= paths.length) return;
    Atomics.store(control, data.slot, index);
    let error: string | null = null;
    try {
      const picture = readPicture(paths[index], size, interpolation);
      pictures.set(picture.data, index * picture.data.length);
    } catch (cause) {
      if (!(cause instanceof DataError)) throw cause;
      error = cause.message;
      // Files are taken in order, so all before this one are done or under way: the first bad file is always found.
      if (stopOnError) Atomics.store(control, 0, paths.length);
    }
    parentPort?.postMessage({ index, error } satisfies DecodeResult);
  }
}

work(workerData as DecodeWorkerData);

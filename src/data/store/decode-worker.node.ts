/**
 * A worker thread that decodes pictures into a ring of memory shared with the main thread. Workers take the next file from
 * a common counter until none is left, wait while its place in the ring is not free, and note which file they are at, so
 * that a crash can be put down to it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { ExhaustedError } from '../../files.node.js';
import { DecodingMemory, mostForOnePicture } from './decoding-memory.node.js';
import { DigestIndex } from './digest-index.js';
import { RECORD_LENGTH } from '../audit/picture-facts.js';
import { readPicture } from '../pictures/read-picture.node.js';
import type { Preparation } from '../pictures/resize.js';

/** What a worker is started with. */
export interface DecodeWorkerData {
  readonly paths: readonly string[];
  readonly preparation: Preparation;
  readonly stopOnError: boolean;
  /** Digests of pictures that need not be decoded again, entries of a DigestIndex. */
  readonly known: readonly SharedArrayBuffer[];
  /** uint8, [places, height, width, 3] */
  readonly pictures: SharedArrayBuffer;
  /** uint8, [places, RECORD_LENGTH] */
  readonly records: SharedArrayBuffer;
  /** int32: the next file's index; the number of files whose places are free again; then for each worker where it is. */
  readonly control: SharedArrayBuffer;
  /** int32, [1]: the lane of large pictures, see decoding-memory.node.ts. */
  readonly lane: SharedArrayBuffer;
  /** Bytes that all workers together may take, and how many they are. */
  readonly memory: number;
  readonly threads: number;
  /** This worker's place in `control`. */
  readonly slot: number;
}

/** What a worker reports of each file. */
export interface DecodeResult {
  readonly index: number;
  /** Why the file cannot be used, or null. */
  readonly error: string | null;
  /** Its digest is one of the known ones: there is a record with the digest, but no picture. */
  readonly known: boolean;
}

function work({ paths, preparation, stopOnError, slot, ...data }: DecodeWorkerData): void {
  const pictures = new Uint8Array(data.pictures);
  const records = new Uint8Array(data.records);
  const control = new Int32Array(data.control);
  const places = records.length / RECORD_LENGTH;
  const length = pictures.length / places;
  const known = data.known.map((bytes) => new DigestIndex(new Uint8Array(bytes)));
  const memory = new DecodingMemory(new Int32Array(data.lane), data.memory, data.threads);
  const limits = {
    maximumMemory: mostForOnePicture(data.memory),
    onMemory: (bytes: number) => memory.reserve(bytes),
  };
  const isKnown = (digest: Uint8Array): boolean => known.some((index) => index.find(digest) >= 0);
  for (;;) {
    const index = Atomics.add(control, 0, 1);
    if (index >= paths.length) return;
    for (let free = Atomics.load(control, 1); index >= free + places; free = Atomics.load(control, 1)) {
      Atomics.wait(control, 1, free);
    }
    Atomics.store(control, slot, index);
    const place = index % places;
    let error: string | null = null;
    let picture = null;
    try {
      const record = records.subarray(place * RECORD_LENGTH, (place + 1) * RECORD_LENGTH);
      picture = readPicture(paths[index], preparation, record, isKnown, limits);
      if (picture) pictures.set(picture.data, place * length);
    } catch (cause) {
      if (!(cause instanceof DataError) || cause instanceof ExhaustedError) throw cause; // no fault of the file
      error = cause.message;
      // Files are taken in order, so all before this one are done or under way: the first bad file is always found.
      if (stopOnError) Atomics.store(control, 0, paths.length);
    }
    memory.release();
    parentPort?.postMessage({ index, error, known: error === null && !picture } satisfies DecodeResult);
  }
}

work(workerData as DecodeWorkerData);

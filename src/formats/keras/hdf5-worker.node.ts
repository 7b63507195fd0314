/** A worker thread that reads an HDF5 file: it may be ended when a damaged file keeps it busy, and has little memory to fill. */
import { parentPort, workerData } from 'node:worker_threads';
import { BeltnetError } from '../../errors.js';
import { readHdf5, type Hdf5Group } from './hdf5.js';

/** What a worker is started with. */
export interface Hdf5WorkerData {
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** What it answers. */
export type Hdf5WorkerAnswer = { readonly tree: Hdf5Group } | { readonly error: string; readonly exitCode: number };

const { bytes, name } = workerData as Hdf5WorkerData;
try {
  parentPort?.postMessage({ tree: await readHdf5(bytes, name) } satisfies Hdf5WorkerAnswer);
} catch (error) {
  if (!(error instanceof BeltnetError)) throw error;
  parentPort?.postMessage({ error: error.message, exitCode: error.exitCode } satisfies Hdf5WorkerAnswer);
}

/**
 * A process that reads an HDF5 file. A damaged one can have jsfive fill memory so fast that V8 aborts the process, whatever limits a
 * thread has: then it is this one. The reading itself is done in a thread, so that this process hears when the other one has gone.
 */
import { startWorker } from '../../worker-thread.node.js';
import type { Hdf5WorkerAnswer, Hdf5WorkerData } from './hdf5-worker.node.js';

/** What it is sent. */
export interface Hdf5Job extends Hdf5WorkerData {
  /** Memory that reading may take, in MB. */
  readonly megabytes: number;
}

/** What it answers: the worker's words, or why that failed. */
export type Hdf5Answer = Hdf5WorkerAnswer | { readonly failure: string };

process.once('disconnect', () => process.exit(1));
process.once('message', ({ bytes, name, megabytes }: Hdf5Job) => {
  const answer = (words: Hdf5Answer): void => void process.send?.(words); // and then waits to be ended: none of it is lost
  const worker = startWorker('formats/keras/hdf5-worker.node', {
    workerData: { bytes, name } satisfies Hdf5WorkerData,
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
    stderr: true, // jsfive's remarks
    stdout: true,
  });
  worker.once('message', answer);
  worker.once('error', ({ message }) => answer({ failure: message }));
});

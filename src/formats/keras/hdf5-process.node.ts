/**
 * A process that reads HDF5 files, one after the other. A damaged one can have jsfive fill memory so fast that V8 aborts the process, whatever limits a
 * thread has: then it is this one. Each file is read in a thread of its own, so that this process hears when the other one has gone, and
 * that nothing of one file is left when the next one comes.
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
process.on('message', ({ bytes, name, megabytes }: Hdf5Job) => {
  let isAnswered = false;
  const answer = (words: Hdf5Answer): void => {
    if (!isAnswered) process.send?.(words); // and then waits for the next file, or to be ended: none of it is lost
    isAnswered = true;
  };
  const worker = startWorker('formats/keras/hdf5-worker.node', {
    workerData: { bytes, name } satisfies Hdf5WorkerData,
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
    stderr: true, // jsfive's remarks
    stdout: true,
  });
  worker.once('message', answer);
  worker.once('error', ({ message }) => answer({ failure: message }));
  worker.once('exit', (code) => answer({ failure: `ended with code ${code}` }));
});

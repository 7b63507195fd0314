/** What all kinds of worker threads share. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { UsageError } from './errors.js';

/**
 * The program of a worker, a file of the built package such as 'data/store/decode-worker.node'. Node cannot run TypeScript in a
 * worker thread: when this module is run from its source, the built worker is taken.
 *
 * @throws UsageError when it has not been built
 */
export function builtWorker(name: string): URL {
  if (import.meta.url.endsWith('.js')) return new URL(`./${name}.js`, import.meta.url);
  const file = new URL(`../dist/src/${name}.js`, import.meta.url);
  if (existsSync(file)) return file;
  throw new UsageError(`worker threads need the built package, ${fileURLToPath(file)} is missing; run: npm run build`);
}

/**
 * Starts a worker without the flags of this process, some of which, like --input-type, would stop it.
 * @param program its file, or its name for `builtWorker`
 */
export const startWorker = (program: string | URL, options: WorkerOptions): Worker =>
  new Worker(typeof program === 'string' ? builtWorker(program) : program, { execArgv: [], ...options });

/**
 * Settles when the worker is gone: well, if it came to the end of its work.
 *
 * @param note takes its messages; if it throws, that is the failure
 * @param failure makes the error of a worker that failed: what it did, and why
 */
export function endOf(
  worker: Worker,
  note: (message: unknown) => void,
  failure: (what: string, cause?: Error) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: unknown) => {
      try {
        note(message);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error))); // of the caller's onProgress
      }
    });
    worker.once('error', (error) => reject(failure(`failed: ${error.message}`, error)));
    worker.once('exit', (code) => (code === 0 ? resolve() : reject(failure(`ended with code ${code}`))));
  });
}

/**
 * Ends a process that waits too long for the others. A blocking call keeps this thread, so that another one looks on: it is told by
 * shared memory when a call begins and ends, and kills the process when one has not ended in time. SIGKILL, since a worker's
 * `process.exit` ends the worker only, and no handler can run on a thread that is blocked.
 */
import type { Worker } from 'node:worker_threads';
import { startWorker } from '../worker-thread.node.js';
import { purposes, type Purpose } from './group.js';

/** Words of the shared memory. */
export const WORDS = { calls: 0, purpose: 1, step: 2, values: 3, ended: 4, length: 5 } as const;

export interface WatchdogData {
  readonly words: SharedArrayBuffer;
  readonly rank: number;
  readonly stallSeconds: number;
}

export class Watchdog {
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * WORDS.length));
  readonly #worker: Worker;

  constructor(rank: number, stallSeconds: number) {
    const workerData: WatchdogData = { words: this.#words.buffer, rank, stallSeconds };
    this.#worker = startWorker('distributed/watchdog-worker.node', { workerData });
    this.#worker.unref();
  }

  at(step: number): void {
    this.#words[WORDS.step] = step;
  }

  /** Runs a call that may block. */
  during<Result>(purpose: Purpose, values: number, call: () => Result): Result {
    this.#words[WORDS.purpose] = purposes.indexOf(purpose);
    this.#words[WORDS.values] = values;
    Atomics.add(this.#words, WORDS.calls, 1); // odd: within a call
    try {
      return call();
    } finally {
      Atomics.add(this.#words, WORDS.calls, 1);
    }
  }

  stop(): void {
    Atomics.store(this.#words, WORDS.ended, 1);
    Atomics.notify(this.#words, WORDS.ended);
  }
}

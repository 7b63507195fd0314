/**
 * Is the machine ours? A thread for each core spins for a moment and adds up the time that it did not get: to other
 * programs, or to other guests of a virtual machine's host, which no counter of the system shows.
 */
import { availableParallelism, constants, setPriority } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const MILLISECONDS = 20;
/** A gap as long as this is no interrupt but somebody else's turn. */
const GAP = 0.5;
/** Share of lost time from which a measurement is disturbed. */
const DISTURBED = 0.04;

if (!isMainThread) parentPort?.on('message', () => parentPort.postMessage(lostShare()));

/** @returns the share of the time that this thread did not run */
function lostShare() {
  const start = performance.now();
  let last = start;
  let lost = 0;
  while (last - start < MILLISECONDS) {
    const now = performance.now();
    if (now - last > GAP) lost += now - last;
    last = now;
  }
  return lost / (last - start);
}

export class QuietProbe {
  #workers = Array.from({ length: availableParallelism() }, () => new Worker(new URL(import.meta.url)));

  constructor() {
    for (const worker of this.#workers) worker.unref();
  }

  /** Nobody else's turn on any core just now. Call it while all peers are paused. */
  async isQuiet() {
    const shares = await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.ref();
            worker.once('error', reject);
            worker.once('message', (share) => {
              worker.off('error', reject);
              worker.unref();
              resolve(share);
            });
            worker.postMessage('probe');
          }),
      ),
    );
    return Math.max(...shares) < DISTURBED;
  }
}

/** The peers inherit it: other programs of this machine wait while one is measured. Without the right to it, all stays as it is. */
export function raisePriority() {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // needs an administrator
  }
}

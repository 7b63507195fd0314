/**
 * Is the machine ours? A thread for each core spins for a moment and adds up the time that it did not get: to other
 * programs, or to other guests of a virtual machine's host, which no counter of the system shows.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants, setPriority } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const MILLISECONDS = 20;
/** A gap as long as this is no interrupt but somebody else's turn. */
const GAP = 0.5;
/** Share of lost time from which a measurement is disturbed. */
const DISTURBED = 0.1;

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

class Probe {
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

let probe;

/** Measurements between two moments of quiet; what lies between them counts as undisturbed. */
export class Quiet {
  #end;
  #before = true;

  /** @param patience milliseconds to spend on waiting and on repeating, in all */
  static async begin({ patience }) {
    probe ??= new Probe();
    const quiet = new Quiet();
    quiet.#end = performance.now() + patience;
    await quiet.#wait();
    return quiet;
  }

  /**
   * Runs `work`, which leaves all peers paused or ended; again, while patience lasts, when somebody else had a turn.
   * @returns its result, and whether it was disturbed to the last
   */
  async measure(work) {
    for (;;) {
      const result = await work();
      const disturbed = !(this.#before && (await probe.isQuiet()));
      if (disturbed) await this.#wait();
      if (!disturbed || !this.#patient) return { result, disturbed };
    }
  }

  get #patient() {
    return performance.now() < this.#end;
  }

  async #wait() {
    this.#before = await probe.isQuiet();
    while (!this.#before && this.#patient) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      this.#before = await probe.isQuiet();
    }
  }
}

/** Linux shares the processors among sessions before it does so among processes: the share of this one. */
const AUTOGROUP = '/proc/self/autogroup';

/**
 * While this runs, other programs of the machine wait; the peers inherit it. Without the right to it (it takes an
 * administrator) all stays as it is.
 */
export function raisePriority() {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    const [, before] = /nice (-?\d+)/.exec(readFileSync(AUTOGROUP, 'utf8'));
    writeFileSync(AUTOGROUP, '-20');
    process.once('exit', () => writeFileSync(AUTOGROUP, before));
  } catch {
    // no right, or no Linux
  }
}

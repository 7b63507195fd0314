/** Threads that decode pictures, one for each core: thousands of files are looked at in the time that one takes for hundreds. */
import { DataError } from '../../../src/index.js';
import { prepared, record, type DecodingJob, type Recorded } from './decoding.js';

type Answered = { readonly result: Recorded | Uint8Array } | { readonly error: string; readonly isData: boolean };

interface Waiting {
  readonly job: DecodingJob;
  readonly resolve: (result: Recorded | Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** Beyond that a page's memory has more to bear than its user gains. */
const MOST_THREADS = 8;

export class Decoders {
  readonly #free: Worker[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #size = Math.max(1, Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1));
  #started = 0;
  /** Where workers cannot start others (older Safari), this one decodes. */
  #isAlone = typeof Worker === 'undefined';

  /** Jobs that keep all threads at work. */
  get ahead(): number {
    return 2 * this.#size;
  }

  record(job: Omit<DecodingJob, 'preparation'>): Promise<Recorded> {
    return this.#ask({ ...job, preparation: null }) as Promise<Recorded>;
  }

  prepare(job: DecodingJob): Promise<Uint8Array> {
    return this.#ask(job) as Promise<Uint8Array>;
  }

  async #ask(job: DecodingJob): Promise<Recorded | Uint8Array> {
    if (this.#isAlone) return job.preparation ? prepared(job) : record(job);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#free.pop() ?? (this.#started < this.#size ? this.#start() : null);
    if (!worker) return;
    const { job, resolve, reject } = this.#waiting.shift() as Waiting;
    const done = (): void => {
      worker.onmessage = worker.onerror = null;
      this.#free.push(worker);
      this.#next();
    };
    worker.onmessage = ({ data }: MessageEvent<Answered>) => {
      done();
      if ('result' in data) resolve(data.result);
      else reject(data.isData ? new DataError(data.error) : new Error(data.error));
    };
    worker.onerror = (event) => {
      // It could not start, or has ended: its job is done here.
      event.preventDefault();
      this.#started--;
      this.#isAlone = true;
      resolve(this.#ask(job) as never);
      for (const other of this.#waiting.splice(0)) other.resolve(this.#ask(other.job) as never);
    };
    worker.postMessage(job);
  }

  #start(): Worker {
    this.#started++;
    return new Worker(new URL('./decode-worker.ts', import.meta.url), { type: 'module', name: 'beltnet decoder' });
  }
}

/** Of the page. */
export const decoders = new Decoders();

/** The results of jobs in their order; a few more are at work than are waited for. */
export async function* inOrder<Job, Result>(
  jobs: readonly Job[],
  work: (job: Job) => Promise<Result>,
): AsyncGenerator<Result | Error> {
  const settle = (job: Job): Promise<Result | Error> => work(job).catch((error: unknown) => error as Error);
  const begun: Promise<Result | Error>[] = [];
  for (let n = 0; n < jobs.length; n++) {
    while (begun.length < Math.min(jobs.length, n + decoders.ahead)) begun.push(settle(jobs[begun.length]));
    yield await begun[n];
    begun[n] = Promise.resolve() as never; // its bytes may go
  }
}

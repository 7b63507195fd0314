/**
 * Threads that decode, cut and resize pictures. A large or spoiled one takes its time there, and nothing else waits for it; one that
 * takes too long, or brings its thread down, is refused by name, and the thread is replaced.
 */
import type { Worker } from 'node:worker_threads';
import { DataError, UsageError } from '../../errors.js';
import { startWorker } from '../../worker-thread.node.js';
import type { Limits } from './limits.js';
import type { Cut, PictureAnswer, PictureJob, PictureResult } from './picture-worker.node.js';
import type { Picture } from './picture.js';
import type { Preparation } from './resize.js';

export interface PictureThreadsOptions {
  /** Default 1. */
  readonly threads?: number;
  /** Larger pictures are refused. Default 24 megapixels, and 256 MiB while they are decoded. */
  readonly limits?: Pick<Limits, 'maximumPixels' | 'maximumMemory'>;
  /** Milliseconds that a picture may take. Default 5,000. */
  readonly mostTime?: number;
  /** Pictures that wait for a thread: more are refused. Default 64. */
  readonly mostWaiting?: number;
}

interface Waiting {
  readonly job: PictureJob;
  readonly resolve: (result: PictureResult) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  worker: Worker | null;
  asked: Waiting | null;
  timer: NodeJS.Timeout | null;
}

/** Pictures that are refused since there is no time for them now: no fault of theirs. */
export class BusyError extends DataError {}

export class PictureThreads {
  readonly #threads: readonly Thread[];
  readonly #limits: Limits;
  readonly #mostTime: number;
  readonly #mostWaiting: number;
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  constructor({ threads = 1, limits, mostTime = 5000, mostWaiting = 64 }: PictureThreadsOptions = {}) {
    this.#threads = Array.from({ length: threads }, () => ({ worker: null, asked: null, timer: null }));
    this.#limits = { maximumPixels: 24_000_000, maximumMemory: 2 ** 28, ...limits };
    this.#mostTime = mostTime;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * Decodes, cuts and resizes: [height, width, 3].
   * @param bytes a picture file; they must not change until it is done
   * @throws DataError for what is no picture, is too large or takes too long; BusyError
   */
  async prepare(bytes: Uint8Array, name: string, preparation: Preparation): Promise<Uint8Array> {
    const { exif = false } = preparation;
    const asked = { name, given: bytes, exif, limits: this.#limits, cuts: [{ box: null, preparation }] };
    const [cut] = (await this.#ask({ kind: 'prepare', ...asked, isWhole: false })).cuts;
    if (typeof cut === 'string') throw new DataError(cut);
    return cut;
  }

  /**
   * The whole picture, and what models see of it.
   * @param given a picture file, or pixels: those are handed over, and come back
   * @returns of each cut [height, width, 3], or what is wrong with it alone
   * @throws as `prepare`
   */
  async look(
    given: Uint8Array | Picture,
    name: string,
    { exif, cuts }: { readonly exif: boolean; readonly cuts: readonly Cut[] },
  ): Promise<{ readonly picture: Picture; readonly cuts: readonly (Uint8Array | DataError)[] }> {
    const result = await this.#ask({ kind: 'prepare', name, given, exif, limits: this.#limits, cuts, isWhole: true });
    return {
      picture: result.picture as Picture,
      cuts: result.cuts.map((cut) => (typeof cut === 'string' ? new DataError(cut) : cut)),
    };
  }

  /** A JPEG of the picture, which stays what it is. */
  async encode(picture: Picture, name: string, quality: number): Promise<Uint8Array> {
    return (await this.#ask({ kind: 'encode', name, picture, quality })).file as Uint8Array;
  }

  #ask(job: PictureJob): Promise<PictureResult> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new UsageError(`${job.name}: expects threads that are open, got closed ones`);
      if (this.#waiting.length >= this.#mostWaiting)
        throw new BusyError(`${job.name}: ${this.#waiting.length} pictures are waiting already; ask again later`);
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    for (const thread of this.#threads) {
      if (thread.asked !== null || this.#waiting.length === 0) continue;
      const asked = this.#waiting.shift() as Waiting;
      thread.asked = asked;
      const worker = (thread.worker ??= this.#start(thread));
      worker.ref(); // the process waits for a picture, not for a thread that has none
      thread.timer = setTimeout(() => {
        void worker.terminate();
        this.#lose(thread, new DataError(`${asked.job.name}: takes longer than ${this.#mostTime} ms`));
      }, this.#mostTime);
      const { job } = asked;
      const isHandedOver = job.kind === 'prepare' && !(job.given instanceof Uint8Array);
      worker.postMessage(job, isHandedOver ? [job.given.data.buffer as ArrayBuffer] : []);
    }
  }

  #start(thread: Thread): Worker {
    const worker = startWorker('data/pictures/picture-worker.node', {
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    worker.on('message', (answer: PictureAnswer) => {
      const { asked } = thread;
      this.#free(thread);
      worker.unref();
      if ('message' in answer)
        asked?.reject(answer.isFault ? new DataError(answer.message) : new Error(answer.message));
      else asked?.resolve(answer);
      this.#next();
    });
    const lose = (what: string): void => {
      if (thread.worker === worker)
        this.#lose(thread, new DataError(`${thread.asked?.job.name ?? 'picture'}: the thread that decoded it ${what}`));
    };
    worker.once('error', ({ message }) => lose(`failed: ${message}`));
    worker.once('exit', (code) => lose(`ended with code ${code}`));
    return worker;
  }

  #free(thread: Thread): void {
    if (thread.timer) clearTimeout(thread.timer);
    thread.timer = null;
    thread.asked = null;
  }

  #lose(thread: Thread, error: Error): void {
    const { asked } = thread;
    this.#free(thread);
    thread.worker = null;
    asked?.reject(error);
    this.#next();
  }

  /** Pictures that wait are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject, job } of this.#waiting.splice(0)) reject(new BusyError(`${job.name}: the server is closing`));
    const ends: Promise<unknown>[] = [];
    for (const thread of this.#threads) {
      const { worker, asked } = thread;
      this.#free(thread);
      thread.worker = null;
      asked?.reject(new BusyError(`${asked.job.name}: the server is closing`));
      if (worker) ends.push(worker.terminate());
    }
    await Promise.all(ends);
  }
}

/**
 * What the two devices share: memory pool and scopes, the queue of launches, recording and replaying of steps.
 * A launch is a kernel bound to its buffers. Launches run in the order in which they were queued.
 */
import { firstNotFinite, refuse } from '../expect.js';
import { choiceKey, type ChoiceSubject } from './webgpu/autotune.js';
import { DeviceError, OutOfMemoryError, UsageError } from '../errors.js';
import { PIECE, turns } from '../turns.js';
import { type MemoryPool, SizedPool } from './memory-pool.js';
import type { BufferView, DeviceBuffer, KernelCall } from './kernel.js';

/** A kernel bound to buffers, ready to run any number of times. */
export type Launch = object;

/** Takes values of tensors, each in the device's own precision, and may change them. */
export type Change = (values: readonly (Float32Array | Float64Array)[]) => void | Promise<void>;

/** A place in a recorded step where the host has a look at values, and may change them. */
class HostLaunch {
  readonly views: readonly BufferView[];
  readonly change: Change;

  constructor(views: readonly BufferView[], change: Change) {
    this.views = views;
    this.change = change;
  }
}

/** Launches of a recorded step that run in one go, or a look of the host's. */
type Piece = HostLaunch | { readonly launches: readonly Launch[]; readonly isDivisible: boolean };

/** Facts about a device for people: what `beltnet devices` prints. */
export interface DeviceDescription {
  readonly kind: 'webgpu' | 'cpu' | 'reference';
  readonly name: string;
  /** A GPU; false for the CPU, and for software that stands in for a GPU. */
  readonly hardware: boolean;
}

/** Counters since the device was opened; tests and benchmarks read them. */
export interface DeviceStatistics {
  buffersCreated: number;
  bytesAllocated: number;
  peakBytes: number;
  submits: number;
}

/** Reference-counted memory: a tensor and its reshaped views share one. It goes back to the pool that it came from. */
export interface Storage {
  readonly buffer: DeviceBuffer;
  readonly pool: MemoryPool;
  references: number;
}

/** Something that a scope can release. */
export interface Scoped {
  destroy(): void;
}

/** A recorded step: its launches, and the memory that they use. */
export interface Recording {
  readonly launches: readonly Launch[];
  /** So many of its first launches may have turns of the event loop between them; all when absent. */
  readonly divisible?: number;
}

/** Launches that wait at most before they are submitted: keeps a long eager computation flowing. */
const LONGEST_QUEUE = 256;

export abstract class Device {
  abstract readonly description: DeviceDescription;
  readonly memoryBudget: number;
  readonly statistics: DeviceStatistics = { buffersCreated: 0, bytesAllocated: 0, peakBytes: 0, submits: 0 };
  /** The first failure that the device reported; every later use throws it. */
  protected failure: DeviceError | null = null;

  /** Which variant of a kernel to take, by `choiceKey`: given when the device was opened, or found by `tune`. */
  readonly kernelChoices = new Map<string, string>();

  readonly #eagerPool: MemoryPool = this.createPool();
  /** Where memory comes from now: the eager pool, or a recording's while it is made. */
  #pool = this.#eagerPool;
  #scopes: Set<Scoped>[] = [];
  #queue: Launch[] = [];
  #recording = false;
  /** What recorded launches are, for `tune` and profiles. */
  readonly #calls = new WeakMap<Launch, KernelCall<never>>();
  /** Whether `run` returns only when the work is done: then long steps are replayed in turns. */
  protected readonly runsOnThisThread: boolean = false;
  /** Recordings that took no longer than the event loop may wait. */
  readonly #quick = new WeakSet<Recording>();
  /** Of recordings that are not one piece. */
  readonly #pieces = new WeakMap<Recording, readonly Piece[]>();

  /** @param memoryBudget most bytes of buffers at a time; software adapters do not report their own limit */
  constructor(memoryBudget: number) {
    this.memoryBudget = memoryBudget;
  }

  /** A pool for the memory of recordings that never run at the same time. */
  createPool(): MemoryPool {
    return new SizedPool();
  }

  protected abstract createBuffer(bytes: number): DeviceBuffer;
  protected abstract destroyBuffer(buffer: DeviceBuffer): void;
  protected abstract writeBuffer(view: BufferView, data: ArrayBufferView): void;
  protected abstract clearBuffer(view: BufferView): void;
  protected abstract readBuffer(view: BufferView): Promise<ArrayBuffer>;
  /** Has `change` work on the values of float32 views. */
  protected abstract changeBuffers(views: readonly BufferView[], change: Change): void | Promise<void>;
  /** Binds a kernel to its operands. `scratch` gives memory that only this launch uses while it runs. */
  protected abstract prepare<Attributes>(call: KernelCall<Attributes>, scratch: (bytes: number) => BufferView): Launch;
  /** @param recorded whether they are a recorded step, which will run often */
  protected abstract run(launches: readonly Launch[], recorded: boolean): void;
  /** Resolves when all submitted work is done; rejects with the failure if there was one. */
  abstract finish(): Promise<void>;
  abstract destroy(): void;

  // --- memory

  /** Memory of at least `bytes` bytes, its content undefined. @param scratch whether a launch wants it only while it runs */
  allocate(bytes: number, scratch = false): Storage {
    this.check();
    const size = this.#pool.sizeFor(bytes, scratch);
    return { buffer: this.#pool.take(size) ?? this.#create(size), pool: this.#pool, references: 1 };
  }

  #create(bytes: number): DeviceBuffer {
    const { statistics } = this;
    if (statistics.bytesAllocated + bytes > this.memoryBudget) {
      this.trim();
      if (statistics.bytesAllocated + bytes > this.memoryBudget) {
        throw new OutOfMemoryError(
          `${this.description.kind}: ${megabytes(bytes)} more than the ${megabytes(statistics.bytesAllocated)} in use ` +
            `exceed the memory budget of ${megabytes(this.memoryBudget)}; use a smaller batch or smaller pictures`,
        );
      }
    }
    const buffer = this.createBuffer(bytes);
    statistics.buffersCreated++;
    statistics.bytesAllocated += bytes;
    statistics.peakBytes = Math.max(statistics.peakBytes, statistics.bytesAllocated);
    return buffer;
  }

  /** Gives a reference up; the last one returns the buffer to its pool. */
  release(storage: Storage): void {
    if (--storage.references === 0) storage.pool.give(storage.buffer);
  }

  /** Returns the memory of free buffers to the system; those of recorded steps are not free, even between runs. */
  trim(): void {
    this.flush();
    this.#emptyPool(this.#eagerPool);
  }

  #emptyPool(pool: MemoryPool): void {
    for (const buffer of pool.drain()) {
      this.statistics.bytesAllocated -= buffer.bytes;
      this.destroyBuffer(buffer);
    }
  }

  /** Notes a new tensor in the innermost scope, which will destroy it. */
  track(item: Scoped): void {
    this.#scopes.at(-1)?.add(item);
  }

  /**
   * Runs `body` and destroys every tensor that was made meanwhile, except those that it returns.
   * Synchronous: with an `await` inside, other code's tensors would fall into the scope.
   */
  scope<Result>(body: () => Result): Result {
    const scope = new Set<Scoped>();
    const depth = this.#scopes.push(scope);
    try {
      const result = body();
      if (result instanceof Promise)
        throw new UsageError('scope: the body must be synchronous, got a promise; await outside of it');
      const outer = this.#scopes.at(-2);
      for (const item of Array.isArray(result) ? (result as unknown[]) : [result]) {
        if (scope.delete(item as Scoped)) outer?.add(item as Scoped);
      }
      return result;
    } finally {
      this.#scopes.length = depth - 1;
      for (const item of scope) item.destroy();
    }
  }

  // --- work

  /** Queues a kernel; its results are there for every later launch, write or read. */
  launch<Attributes>(call: KernelCall<Attributes>): void {
    this.check();
    const scratch: Storage[] = [];
    const take = (bytes: number): BufferView => {
      const storage = this.allocate(bytes, true);
      scratch.push(storage);
      return { buffer: storage.buffer, offset: 0, bytes, dtype: 'float32' };
    };
    const launch = this.prepare(call, take);
    if (this.#recording) this.#calls.set(launch, call as KernelCall<never>);
    this.#queue.push(launch);
    // Launches run in order, so the next one may reuse this one's scratch memory.
    for (const storage of scratch) this.release(storage);
    if (!this.#recording && this.#queue.length >= LONGEST_QUEUE) this.flush();
  }

  /** Submits what is queued. */
  flush(): void {
    if (this.#recording || this.#queue.length === 0) return;
    const launches = this.#queue;
    this.#queue = [];
    this.#submit(launches, false);
  }

  #submit(launches: readonly Launch[], recorded: boolean): void {
    this.check();
    this.statistics.submits++;
    this.run(launches, recorded);
  }

  write(view: BufferView, data: ArrayBufferView): void {
    this.#beforeWriting();
    this.writeBuffer(view, data);
  }

  /**
   * Writes float32 numbers that have to be finite.
   * @returns where the first lies that is not: then nothing is to be computed from what was written; −1 for none
   */
  writeFinite(view: BufferView, data: Float32Array): number {
    this.write(view, data);
    return firstNotFinite(data);
  }

  /** Sets all bytes to 0. */
  clear(view: BufferView): void {
    this.#beforeWriting();
    this.clearBuffer(view);
  }

  #beforeWriting(): void {
    this.check();
    if (this.#recording) {
      throw new UsageError(
        'write: data cannot be put on the device while a step is recorded; declare a step input before and write it before each run',
      );
    }
    this.flush(); // queued launches must still see the old content
  }

  async read(view: BufferView): Promise<ArrayBuffer> {
    this.check();
    if (this.#recording)
      throw new UsageError('read: a tensor has no value while a step is recorded; read it after the step has run');
    this.flush();
    return this.readBuffer(view);
  }

  /**
   * In a step that is recorded: the host looks at the values of float32 tensors at this place, each time that the step runs, and may
   * change them. What waits meanwhile is the rest of the step.
   */
  onHost(tensors: readonly { readonly view: BufferView }[], change: Change): void {
    if (!this.#recording) throw new UsageError('onHost: is for steps that are recorded, got a computation that is not');
    const views = tensors.map(({ view }) => view);
    this.#queue.push(new HostLaunch(views, change));
  }

  /**
   * Records the launches of `body`, an ordinary computation on tensors, without running them.
   * Its memory comes from `pool` and stays reserved there; recordings that never run at the same time may share one.
   */
  record(pool: MemoryPool, body: () => void): Recording {
    if (this.#recording) throw new UsageError('record: a step is being recorded already; recordings do not nest');
    this.flush();
    const outerPool = this.#pool;
    this.#pool = pool;
    this.#recording = true;
    try {
      this.scope(body);
      return { launches: this.#queue };
    } finally {
      this.#queue = [];
      this.#recording = false;
      this.#pool = outerPool;
    }
  }

  /** Runs a recorded step: one submit, no allocation. */
  replay(recording: Recording): void {
    this.flush();
    this.#submit(recording.launches, true);
  }

  /** Whether a recorded step may keep the event loop waiting, or waits for the host itself: then it is for `replayInTurns`. */
  mayTakeLong(recording: Recording): boolean {
    if (this.runsOnThisThread && !this.#quick.has(recording)) return true;
    return this.#piecesOf(recording).some((piece) => piece instanceof HostLaunch);
  }

  #piecesOf(recording: Recording): readonly Piece[] {
    let pieces = this.#pieces.get(recording);
    if (!pieces) this.#pieces.set(recording, (pieces = [...inPieces(recording)]));
    return pieces;
  }

  /**
   * Runs a recorded step with turns of the event loop in between, for the same bits. Whoever shares its memory must wait.
   * @param stopped asked after each turn: true leaves the rest undone
   * @returns whether all was done
   */
  async replayInTurns(recording: Recording, stopped: () => boolean): Promise<boolean> {
    this.flush();
    this.statistics.submits++;
    const start = performance.now();
    const turn = turns();
    const takesTurns = this.runsOnThisThread && !this.#quick.has(recording);
    for (const piece of this.#piecesOf(recording)) {
      this.check();
      if (piece instanceof HostLaunch) {
        await this.changeBuffers(piece.views, piece.change);
        continue;
      }
      if (!takesTurns || !piece.isDivisible) {
        this.run(piece.launches, true);
        continue;
      }
      for (const launch of piece.launches) {
        const waiting = turn();
        if (waiting) {
          await waiting;
          if (stopped()) return false;
        }
        this.check();
        this.run([launch], true);
      }
    }
    if (performance.now() - start < PIECE) this.#quick.add(recording);
    return true;
  }

  /** The kernels of a recorded step with their operands, in order. */
  callsOf(recording: Recording): KernelCall<never>[] {
    return recording.launches.flatMap((launch) => this.#calls.get(launch) ?? []);
  }

  /** The chosen variant of a kernel; null where there was no choice. */
  chosenVariant(call: ChoiceSubject): string | null {
    if (this.kernelChoices.size === 0) return null; // every launch asks: spare it the key
    return this.kernelChoices.get(choiceKey(call)) ?? null;
  }

  /** Whether this device has nothing quicker for a kernel, with these shapes and attributes, than its plain TypeScript. */
  runsTwin<Attributes>(_call: Pick<KernelCall<Attributes>, 'kernel' | 'shapes' | 'attributes'>): boolean {
    return false;
  }

  /** Names of the WGSL variants that this device can run a kernel in; empty where it has no choice. */
  variantsOf<Attributes>(_call: Pick<KernelCall<Attributes>, 'kernel' | 'shapes' | 'attributes'>): readonly string[] {
    return [];
  }

  /**
   * Chooses between the variants of a recorded step's kernels, where the device has a choice and none was made.
   * @returns whether a choice was made: the step is to be recorded anew then
   */
  tune(_recording: Recording): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** Runs a recorded step and measures each of its launches: milliseconds, in their order. */
  async profile({ launches }: Recording): Promise<number[]> {
    this.flush();
    await this.finish();
    return this.timeLaunches(launches.filter((launch) => !(launch instanceof HostLaunch)));
  }

  /** One submit for each launch, and the time until it is done. */
  protected async timeLaunches(launches: readonly Launch[]): Promise<number[]> {
    const times: number[] = [];
    const turn = turns();
    for (const launch of launches) {
      const start = performance.now();
      this.#submit([launch], false);
      await this.finish();
      times.push(performance.now() - start);
      await turn();
    }
    return times;
  }

  /** Frees the memory of the recordings made with `pool`; they must not run again. */
  forget(pool: MemoryPool): void {
    this.#emptyPool(pool);
  }

  protected check(): void {
    if (this.failure) throw this.failure;
  }

  /** Remembers the first failure. */
  protected fail(error: DeviceError): void {
    this.failure ??= error;
  }
}

/** The pieces of a recorded step, in order. */
function* inPieces({ launches, divisible = launches.length }: Recording): Generator<Piece> {
  let first = 0;
  for (let index = 0; index <= launches.length; index++) {
    const launch = launches[index];
    if (index < launches.length && index !== divisible && !(launch instanceof HostLaunch)) continue;
    if (index > first) yield { launches: launches.slice(first, index), isDivisible: index <= divisible };
    if (launch instanceof HostLaunch) yield launch;
    first = launch instanceof HostLaunch ? index + 1 : index;
  }
}

/** @throws UsageError unless it is a device */
export function expectDevice(value: unknown, what: string): asserts value is Device {
  if (!(value instanceof Device)) refuse(value, what, 'a device');
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

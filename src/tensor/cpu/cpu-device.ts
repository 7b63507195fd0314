/**
 * The CPU device: buffers are ranges of one WebAssembly memory; a kernel runs in the WebAssembly module where it has
 * functions there, else as its plain-TypeScript twin.
 */
import { DeviceError, OutOfMemoryError, UsageError } from '../../errors.js';
import { firstNotFinite } from '../../expect.js';
import {
  functionNames,
  startWebThread,
  ThreadTeam,
  type NumberedCall,
  type StartThread,
  type Workspace,
} from './cpu-threads.js';
import { alignUp, type RangeBuffer as CpuBuffer, RangePool } from '../memory-pool.js';
import { Device, type Change, type DeviceDescription, type Launch } from '../device.js';
import { FunctionLibrary, type WasmFunction } from './function-library.js';
import type { BufferView, GeneratedFunction, KernelCall, Numbers, WasmCall } from '../kernel.js';
import { wasmBinaries } from './wasm.generated.js';

/** A kernel as calls into the module, or as its twin, which only the opening thread can run. */
type CpuLaunch = { readonly calls: readonly NumberedCall[] } | { readonly twin: () => void };

export interface CpuDeviceOptions {
  memoryBudget?: number;
  /** Threads that work together, this one included; results do not depend on it. Default: one per processor core, at most 8. */
  threads?: number;
  /** How to start another thread; by default a web worker. */
  startThread?: StartThread;
  /** False: no fused multiply-add even where the engine has it, for the same bits as where it has not. Default true. */
  relaxedSimd?: boolean;
}

const PAGE = 65536;
/** The first page belongs to the WebAssembly module; address 0 means "no array" to its functions. */
const LIBRARY = PAGE;
/** A number that a function gives back. */
const COUNT = PAGE + 128;
/** The first words of the second page are where threads find generated functions. */
const HEAP_START = PAGE + 256;
const MAXIMUM_PAGES = 65536; // 4 GiB, what 32-bit WebAssembly can address
/** Vector loads may reach beyond the last buffer; their lanes are thrown away, but the memory must be there. */
const OVERREACH = 256;
/** Threads without being told: the mission's steps are too small for more. */
export const MOST_THREADS = 8;

const address = (view: BufferView): number => (view.buffer as CpuBuffer).address + view.offset;

/** The module, with fused multiply-add where the engine has it and it is not unwanted. */
async function compile(
  shared: boolean,
  relaxedSimd: boolean,
): Promise<{ module: WebAssembly.Module; relaxed: boolean }> {
  const decode = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const fused = relaxedSimd ? decode(await wasmBinaries[shared ? 'sharedRelaxed' : 'unsharedRelaxed']()) : null;
  if (fused && WebAssembly.validate(fused)) return { module: await WebAssembly.compile(fused), relaxed: true };
  const plain = decode(await wasmBinaries[shared ? 'shared' : 'unshared']());
  return { module: await WebAssembly.compile(plain), relaxed: false };
}

/** Processor cores, as far as the engine tells. */
const cores = (): number => (typeof navigator === 'undefined' ? 1 : (navigator.hardwareConcurrency ?? 1));

export class CpuDevice extends Device {
  readonly description: DeviceDescription;
  protected override readonly runsOnThisThread = true;
  readonly #memory: WebAssembly.Memory;
  readonly #relaxed: boolean;
  /** Those of the module, then generated ones in the order of their making. */
  readonly #functions: WasmFunction[];
  readonly #functionIndices: Map<string | GeneratedFunction, number>;
  readonly #library: FunctionLibrary;
  readonly #startTeam: () => ThreadTeam | null;
  readonly #threads: number;
  readonly #useWorkspace: WasmFunction;
  readonly #countNotFinite: WasmFunction;
  /** Of the largest that a kernel has asked for. */
  #workspace: Workspace = { address: 0, bytes: 0 };
  /** Started by the first recorded step: a few single operations are not worth it. */
  #team: ThreadTeam | null | undefined;
  /** What was given back by `destroyBuffer`; the heap itself only grows. */
  readonly #free = new RangePool();
  #heapEnd = HEAP_START;

  private constructor(
    memory: WebAssembly.Memory,
    module: WebAssembly.Module,
    instance: WebAssembly.Instance,
    relaxed: boolean,
    options: CpuDeviceOptions,
  ) {
    super(options?.memoryBudget ?? MAXIMUM_PAGES * PAGE);
    if (!(memory instanceof WebAssembly.Memory))
      throw new UsageError('CpuDevice: expects to be opened by CpuDevice.open() or openDevice(), got new CpuDevice()');
    const { threads = 1, startThread = startWebThread } = options;
    this.#memory = memory;
    this.#relaxed = relaxed;
    const names = functionNames(module);
    this.#functions = names.map((name) => instance.exports[name] as WasmFunction);
    this.#functionIndices = new Map(names.map((name, index) => [name, index]));
    this.#library = new FunctionLibrary(memory, LIBRARY);
    this.#threads = threads;
    this.#useWorkspace = instance.exports['useWorkspace'] as WasmFunction;
    this.#countNotFinite = instance.exports['countNotFinite'] as WasmFunction;
    this.#startTeam = () =>
      threads > 1
        ? new ThreadTeam({ module, memory, library: LIBRARY }, this.#functions, threads - 1, startThread)
        : null;
    const name = `cpu (WebAssembly SIMD${relaxed ? ' with fused multiply-add' : ''}, ${threads} ${threads === 1 ? 'thread' : 'threads'})`;
    this.description = { kind: 'cpu', name, hardware: false };
  }

  /** Compiles the WebAssembly module. @throws DeviceError where WebAssembly or its SIMD is missing */
  static async open(options: CpuDeviceOptions = {}): Promise<CpuDevice> {
    const shared = typeof SharedArrayBuffer !== 'undefined';
    const { threads = Math.min(MOST_THREADS, cores()), relaxedSimd = true } = options;
    if (!Number.isInteger(threads) || threads < 1)
      throw new UsageError(`cpu: threads expects a whole number of at least 1, got ${threads}`);
    try {
      const memory = new WebAssembly.Memory({ initial: 2, maximum: MAXIMUM_PAGES, shared });
      const { module, relaxed } = await compile(shared, relaxedSimd);
      const instance = await WebAssembly.instantiate(module, { env: { memory } });
      return new CpuDevice(memory, module, instance, relaxed, { ...options, threads: shared ? threads : 1 });
    } catch (error) {
      if (error instanceof RangeError)
        throw new OutOfMemoryError(
          `cpu: not enough memory or address space for WebAssembly (${error.message}); raise the limit (ulimit -v), or free some`,
        );
      throw new DeviceError(
        `cpu: this JavaScript engine cannot run the WebAssembly SIMD kernels (${(error as Error).message}); use Node 20 or a current browser`,
      );
    }
  }

  override createPool(): RangePool {
    return new RangePool();
  }

  protected createBuffer(bytes: number): CpuBuffer {
    const free = this.#free.take(bytes);
    if (free) return free;
    const start = this.#heapEnd;
    const missing = Math.ceil((start + bytes + OVERREACH - this.#memory.buffer.byteLength) / PAGE);
    if (missing > 0) {
      try {
        this.#memory.grow(missing);
      } catch {
        throw new OutOfMemoryError(
          `cpu: WebAssembly memory cannot grow by ${missing * PAGE} bytes beyond ${start}; use a smaller batch or smaller pictures`,
        );
      }
    }
    this.#heapEnd = start + alignUp(bytes);
    return { bytes, address: start };
  }

  protected destroyBuffer(buffer: CpuBuffer): void {
    this.#free.give(buffer);
  }

  protected writeBuffer(view: BufferView, data: ArrayBufferView): void {
    // Arrays of one type are copied in half the time that bytes take, where memory is shared.
    if (data instanceof Float32Array && view.dtype === 'float32') (this.#array(view) as Float32Array).set(data);
    else this.#bytes(view).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  /** Vectors of what was just written are looked at in a fifth of the time that numbers of an array take. */
  override writeFinite(view: BufferView, data: Float32Array): number {
    this.write(view, data);
    this.#countNotFinite(0, address(view), COUNT, data.length, data.length);
    return new Int32Array(this.#memory.buffer, COUNT, 1)[0] === 0 ? -1 : firstNotFinite(data);
  }

  protected clearBuffer(view: BufferView): void {
    this.#bytes(view).fill(0);
  }

  protected readBuffer(view: BufferView): Promise<ArrayBuffer> {
    return Promise.resolve(Uint8Array.from(this.#bytes(view)).buffer);
  }

  protected changeBuffers(views: readonly BufferView[], change: Change): void | Promise<void> {
    return change(views.map((view) => this.#array(view) as Float32Array));
  }

  #bytes(view: BufferView): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address(view), view.bytes);
  }

  protected prepare<Attributes>(
    { kernel, inputs, outputs, shapes, attributes }: KernelCall<Attributes>,
    scratch: (bytes: number) => BufferView,
  ): CpuLaunch {
    const plan = kernel.wasm?.(shapes, attributes);
    if (plan) {
      this.#provideWorkspace(plan.workspace ?? 0);
      const calls = plan.steps(
        { inputs: inputs.map(address), outputs: outputs.map(address) },
        (plan.scratch ?? []).map((bytes) => address(scratch(bytes))),
      );
      return { calls: calls.map((call) => this.#numbered(kernel.name, call)) };
    }
    return {
      // Arrays are made at each run: a growing memory replaces its buffer.
      twin: () =>
        kernel.twin({ inputs: inputs.map(this.#array), outputs: outputs.map(this.#array) }, shapes, attributes),
    };
  }

  /** No part is at work now, and launches do not know where it lies: a larger one may take its place. */
  #provideWorkspace(bytes: number): void {
    const { address: start, bytes: before } = this.#workspace;
    if (bytes <= before) return;
    const each = alignUp(bytes);
    const buffer = this.createBuffer(this.#threads * each);
    if (before > 0) this.destroyBuffer({ address: start, bytes: this.#threads * before });
    this.#workspace = { address: buffer.address, bytes: each };
    this.#useWorkspace(buffer.address);
  }

  override runsTwin<Attributes>({
    kernel,
    shapes,
    attributes,
  }: Pick<KernelCall<Attributes>, 'kernel' | 'shapes' | 'attributes'>): boolean {
    return !kernel.wasm?.(shapes, attributes);
  }

  readonly #array = (view: BufferView): Numbers => {
    const TypedArray = view.dtype === 'float32' ? Float32Array : view.dtype === 'uint32' ? Uint32Array : Uint8Array;
    return new TypedArray(this.#memory.buffer, address(view), view.bytes / TypedArray.BYTES_PER_ELEMENT);
  };

  /** WebAssembly takes missing arguments for 0 and leaves surplus ones out, so that they are counted here, once for each launch. */
  #numbered(kernel: string, call: WasmCall): NumberedCall {
    const index = this.#indexOf(kernel, call.function);
    const [expected, got] = [this.#functions[index].length, 1 + call.arguments.length];
    if (expected !== got)
      throw new DeviceError(
        `cpu: ${kernel}: the WebAssembly function '${typeof call.function === 'string' ? call.function : 'run'}' expects ${expected} arguments ` +
          `with the part, got ${got}`,
      );
    return { ...call, function: index };
  }

  #indexOf(kernel: string, name: string | GeneratedFunction): number {
    const known = this.#functionIndices.get(name);
    if (known !== undefined) return known;
    if (typeof name === 'string')
      throw new DeviceError(`cpu: ${kernel} calls '${name}', which the WebAssembly module lacks`);
    const bytes = name.bytes(this.#shared, this.#relaxed);
    this.#library.add(bytes, this.createBuffer(FunctionLibrary.bytesFor(bytes)).address);
    const index = this.#functions.push(...this.#library.learn()) - 1;
    this.#functionIndices.set(name, index);
    return index;
  }

  get #shared(): boolean {
    return !(this.#memory.buffer instanceof ArrayBuffer);
  }

  protected run(launches: readonly Launch[], recorded: boolean): void {
    if (recorded && this.#team === undefined) this.#team = this.#startTeam();
    let calls: NumberedCall[] = [];
    for (const launch of launches as readonly CpuLaunch[]) {
      if ('calls' in launch) {
        for (const call of launch.calls) calls.push(call);
      } else {
        this.#call(calls);
        calls = [];
        launch.twin();
      }
    }
    this.#call(calls);
  }

  #call(calls: readonly NumberedCall[]): void {
    if (this.#team && calls.some(({ parts }) => parts > 1)) {
      this.#team.run(calls, this.#workspace);
      return;
    }
    for (const { function: index, parts, arguments: values } of calls) {
      for (let part = 0; part < parts; part++) this.#functions[index](part, ...values);
    }
  }

  /** Parts of recorded steps that other threads have done: 0 says that they never came. */
  get helpedParts(): number {
    return this.#team?.helped ?? 0;
  }

  finish(): Promise<void> {
    this.flush();
    return Promise.resolve();
  }

  destroy(): void {
    this.#team?.stop();
    this.#team = null;
    this.fail(new DeviceError('cpu: the device was destroyed'));
  }
}

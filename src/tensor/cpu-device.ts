/**
 * The CPU device: buffers are ranges of one WebAssembly memory; a kernel runs in the WebAssembly module where it has
 * functions there, else as its plain-TypeScript twin.
 */
import { DeviceError, OutOfMemoryError } from '../errors.js';
import { alignUp, Device, type DeviceDescription, type Launch } from './device.js';
import type { BufferView, DeviceBuffer, KernelCall, Numbers } from './kernel.js';
import { wasmBinaries } from './wasm.generated.js';

interface CpuBuffer extends DeviceBuffer {
  readonly address: number;
}

interface CpuLaunch extends Launch {
  run(): void;
}

type WasmFunction = (...numbers: number[]) => void;

const PAGE = 65536;
/** The first page belongs to the WebAssembly module; address 0 means "no array" to its functions. */
const HEAP_START = PAGE;
const MAXIMUM_PAGES = 65536; // 4 GiB, what 32-bit WebAssembly can address

const address = (view: BufferView): number => (view.buffer as CpuBuffer).address + view.offset;

export class CpuDevice extends Device {
  readonly description: DeviceDescription = { kind: 'cpu', name: 'cpu (WebAssembly SIMD, 1 thread)', hardware: true };
  readonly #memory: WebAssembly.Memory;
  readonly #functions: Record<string, WasmFunction>;
  /** Ranges that were given back by `destroyBuffer`, by size; the heap itself only grows. */
  readonly #freeRanges = new Map<number, number[]>();
  #heapEnd = HEAP_START;

  private constructor(memory: WebAssembly.Memory, functions: Record<string, WasmFunction>, memoryBudget: number) {
    super(memoryBudget);
    this.#memory = memory;
    this.#functions = functions;
  }

  /** Compiles the WebAssembly module. @throws DeviceError where WebAssembly or its SIMD is missing */
  static async open({ memoryBudget = MAXIMUM_PAGES * PAGE }: { memoryBudget?: number } = {}): Promise<CpuDevice> {
    const shared = typeof SharedArrayBuffer !== 'undefined';
    try {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES, shared });
      const bytes = Uint8Array.from(atob(shared ? wasmBinaries.shared : wasmBinaries.unshared), (letter) =>
        letter.charCodeAt(0),
      );
      const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
      return new CpuDevice(memory, instance.exports as Record<string, WasmFunction>, memoryBudget);
    } catch (error) {
      throw new DeviceError(
        `cpu: this JavaScript engine cannot run the WebAssembly SIMD kernels (${(error as Error).message}); use Node 20 or a current browser`,
      );
    }
  }

  protected createBuffer(bytes: number): CpuBuffer {
    const range = this.#freeRanges.get(bytes)?.pop();
    if (range !== undefined) return { bytes, address: range };
    const start = this.#heapEnd;
    const missing = Math.ceil((start + bytes - this.#memory.buffer.byteLength) / PAGE);
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
    const ranges = this.#freeRanges.get(buffer.bytes);
    if (ranges) ranges.push(buffer.address);
    else this.#freeRanges.set(buffer.bytes, [buffer.address]);
  }

  protected writeBuffer(view: BufferView, data: ArrayBufferView): void {
    this.#bytes(view).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  protected readBuffer(view: BufferView): Promise<ArrayBuffer> {
    return Promise.resolve(Uint8Array.from(this.#bytes(view)).buffer);
  }

  #bytes(view: BufferView): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address(view), view.bytes);
  }

  protected prepare<Attributes>(
    { kernel, inputs, outputs, shapes, attributes }: KernelCall<Attributes>,
    scratch: (bytes: number) => BufferView,
  ): CpuLaunch {
    if (kernel.wasm) {
      const plan = kernel.wasm(shapes, attributes);
      const calls = plan.steps(
        { inputs: inputs.map(address), outputs: outputs.map(address) },
        (plan.scratch ?? []).map((bytes) => address(scratch(bytes))),
      );
      return {
        run: () => {
          for (const call of calls) this.#functions[call.function](...call.arguments);
        },
      };
    }
    return {
      // Arrays are made at each run: a growing memory replaces its buffer.
      run: () =>
        kernel.twin({ inputs: inputs.map(this.#array), outputs: outputs.map(this.#array) }, shapes, attributes),
    };
  }

  readonly #array = (view: BufferView): Numbers => {
    const TypedArray = view.dtype === 'float32' ? Float32Array : view.dtype === 'uint32' ? Uint32Array : Uint8Array;
    return new TypedArray(this.#memory.buffer, address(view), view.bytes / TypedArray.BYTES_PER_ELEMENT);
  };

  protected run(launches: readonly Launch[]): void {
    for (const launch of launches as readonly CpuLaunch[]) launch.run();
  }

  finish(): Promise<void> {
    this.flush();
    return Promise.resolve();
  }

  destroy(): void {
    this.fail(new DeviceError('cpu: the device was destroyed'));
  }
}

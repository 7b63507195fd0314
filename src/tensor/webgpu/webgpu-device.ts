/**
 * The WebGPU device, over any GPU object: the browser's `navigator.gpu`, or Dawn in Node.
 * A recorded step becomes one command encoder, one compute pass and one submit.
 */
import { DeviceError, DeviceLostError, NoDeviceError, OutOfMemoryError, UsageError } from '../../errors.js';
import { describeAdapter, type AdapterDescription, type GpuAdapterObject } from './adapter.js';
import { choiceKey, quickest, trialData, type Contender } from './autotune.js';
import { Device, type Change, type DeviceDescription, type Launch, type Recording } from '../device.js';
import type { BufferView, DeviceBuffer, Dispatch, KernelCall, KernelTarget, OptionalFeature } from '../kernel.js';
import { bytesOf, type TensorType } from '../shape.js';
import { Pipelines } from './pipelines.js';

interface WebGpuBuffer extends DeviceBuffer {
  readonly gpu: GPUBuffer;
}

/** A kernel's dispatches with pipelines and bind groups made. */
interface WebGpuLaunch extends Launch {
  readonly dispatches: readonly {
    pipeline: GPUComputePipeline;
    bindGroup: GPUBindGroup;
    workgroups: readonly [number, number, number];
  }[];
}

export interface WebGpuDeviceOptions {
  memoryBudget?: number;
  /** Variants of kernels that were chosen before, by kernel and shapes: for the same bits as then. */
  kernelChoices?: Readonly<Record<string, string>>;
  /** Whether `tune` tries variants; by default on hardware adapters. */
  autotune?: boolean;
  /** True: kernels may round to half precision where the adapter has it, for speed. Default false. */
  halfPrecision?: boolean;
  /** True: kernels may add across subgroups where the adapter has them. Default false: so far that ran on software adapters only. */
  subgroups?: boolean;
}

/** WebGPU's flag values; Node has no global `GPUBufferUsage` and its kin. */
const USAGE = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, storage: 0x80, queryResolve: 0x200 };
const MAP_READ = 0x1;

/** Share of the expected time that is slept through: of work that nothing follows, and of work with more behind it. */
const NAP = { last: 0.9, followed: 1 };
/** Milliseconds; a wrong guess of the work's length costs no more. */
const LONGEST_NAP = 2000;

/** What kernels may have variants for; asked of every adapter that has it. */
const OPTIONAL_FEATURES: readonly OptionalFeature[] = ['shader-f16', 'subgroups'];

/** Queries of a set, at most. */
const MOST_QUERIES = 4096;

/** Buffers for reading above this size (whole models) are not kept. */
const LARGEST_STAGING = 2 ** 20;

/** Only this module can call the constructor, whatever JavaScript tries. */
const OPENED = Symbol('opened');

const DEFAULT_BUDGET = 4 * 2 ** 30;

export class WebGpuDevice extends Device {
  readonly description: DeviceDescription;
  readonly adapter: AdapterDescription;
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  /** Buffers for reading that are free, by size: a training reads its figures again and again. */
  readonly #staging = new Map<number, GPUBuffer[]>();
  readonly #maximumBinding: number;
  /** Milliseconds that recorded steps take, as far as known; and what was submitted since the last wait: see `#wait`. */
  readonly #milliseconds = new WeakMap<readonly Launch[], number>();
  #submitted: (readonly Launch[])[] = [];
  /** The last wait that began; waits end in the order of their work. */
  #waiting: Promise<unknown> = Promise.resolve();
  readonly #autotune: boolean;
  readonly #target: KernelTarget;

  private constructor(adapter: AdapterDescription, device: GPUDevice, options: WebGpuDeviceOptions, opened: symbol) {
    super(options?.memoryBudget ?? DEFAULT_BUDGET);
    if (opened !== OPENED)
      throw new UsageError(
        'WebGpuDevice: expects to be opened by WebGpuDevice.open() or openDevice(), got new WebGpuDevice()',
      );
    const {
      kernelChoices = {},
      autotune = adapter.kind === 'hardware',
      halfPrecision = false,
      subgroups = false,
    } = options;
    for (const [key, variant] of Object.entries(kernelChoices)) this.kernelChoices.set(key, variant);
    this.#autotune = autotune;
    const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = device.limits;
    const asked: Record<OptionalFeature, boolean> = { 'shader-f16': halfPrecision, subgroups };
    this.#target = {
      features: new Set(OPTIONAL_FEATURES.filter((name) => device.features.has(name) && asked[name])),
      limits: { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize },
    };
    this.adapter = adapter;
    this.#device = device;
    this.#pipelines = new Pipelines(device, (error) => this.fail(error));
    this.#maximumBinding = device.limits.maxStorageBufferBindingSize;
    this.description = {
      kind: 'webgpu',
      name: `webgpu (${adapter.name}, ${adapter.kind})`,
      hardware: adapter.kind === 'hardware',
    };
    device.addEventListener('uncapturederror', this.#onError);
    void device.lost.then(({ reason, message }) => {
      this.fail(
        new DeviceLostError(`webgpu: the device was lost (${reason}: ${message}); start again, or use the cpu device`),
      );
    });
  }

  readonly #onError = ({ error }: GPUUncapturedErrorEvent): void => {
    const failure =
      error.constructor.name === 'GPUOutOfMemoryError'
        ? new OutOfMemoryError(`webgpu: out of memory (${error.message}); use a smaller batch or smaller pictures`)
        : new DeviceError(`webgpu: ${error.message}`);
    // A shader that fails makes its launches fail too; its own report, if one is coming, says more and goes first.
    if (this.#pipelines.reports.size === 0) this.fail(failure);
    else void Promise.all(this.#pipelines.reports).then(() => this.fail(failure));
  };

  /**
   * Opens an adapter's device. Limits beyond WebGPU's defaults are asked for only where large data needs them.
   * @throws NoDeviceError when the adapter gives no device
   */
  static async open(opened: GpuAdapterObject, options: WebGpuDeviceOptions = {}): Promise<WebGpuDevice> {
    const adapter = opened as GPUAdapter;
    const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
    const wanted: GPUFeatureName[] = ['timestamp-query', ...OPTIONAL_FEATURES];
    try {
      const device = await adapter.requestDevice({
        requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
        requiredFeatures: wanted.filter((name) => adapter.features.has(name)),
      });
      return new WebGpuDevice(describeAdapter(adapter), device, options, OPENED);
    } catch (error) {
      throw new NoDeviceError(`webgpu: the adapter gave no device (${(error as Error).message}); use --device cpu`);
    }
  }

  protected createBuffer(bytes: number): DeviceBuffer {
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyDestination;
    if (bytes > this.#maximumBinding) {
      throw new OutOfMemoryError(
        `webgpu: a buffer of ${bytes} bytes exceeds the adapter's largest binding of ${this.#maximumBinding}; use a smaller batch or smaller pictures`,
      );
    }
    const buffer: WebGpuBuffer = { bytes, gpu: this.#device.createBuffer({ size: bytes, usage }) };
    return buffer;
  }

  protected destroyBuffer(buffer: DeviceBuffer): void {
    (buffer as WebGpuBuffer).gpu.destroy();
  }

  protected writeBuffer(view: BufferView, given: ArrayBufferView): void {
    const { gpu } = view.buffer as WebGpuBuffer;
    const isShared = typeof SharedArrayBuffer !== 'undefined' && given.buffer instanceof SharedArrayBuffer;
    // Dawn in Node takes no shared memory, so that is copied.
    const data = isShared ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength).slice() : given;
    // Writes must be a multiple of 4 bytes long; only uint8 data can end between.
    const rest = data.byteLength % 4;
    const whole = data.byteLength - rest;
    if (whole > 0) this.#device.queue.writeBuffer(gpu, view.offset, data.buffer, data.byteOffset, whole);
    if (rest > 0) {
      const last = new Uint8Array(4);
      last.set(new Uint8Array(data.buffer, data.byteOffset + whole, rest));
      this.#device.queue.writeBuffer(gpu, view.offset + whole, last);
    }
  }

  protected clearBuffer(view: BufferView): void {
    const encoder = this.#device.createCommandEncoder();
    encoder.clearBuffer((view.buffer as WebGpuBuffer).gpu, view.offset, Math.ceil(view.bytes / 4) * 4);
    this.#device.queue.submit([encoder.finish()]);
  }

  protected async readBuffer(view: BufferView): Promise<ArrayBuffer> {
    const size = Math.ceil(view.bytes / 4) * 4;
    const usage = USAGE.copyDestination | USAGE.mapRead;
    const staging = this.#staging.get(size)?.pop() ?? this.#device.createBuffer({ size, usage });
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer((view.buffer as WebGpuBuffer).gpu, view.offset, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await this.#wait(() => staging.mapAsync(MAP_READ));
    const bytes = staging.getMappedRange().slice(0, view.bytes);
    staging.unmap();
    if (size > LARGEST_STAGING) staging.destroy();
    else this.#staging.set(size, [...(this.#staging.get(size) ?? []), staging]);
    return bytes;
  }

  protected async changeBuffers(views: readonly BufferView[], change: Change): Promise<void> {
    const values = await Promise.all(views.map(async (view) => new Float32Array(await this.readBuffer(view))));
    await change(values);
    for (const [index, view] of views.entries()) this.writeBuffer(view, values[index]);
  }

  /**
   * Waits for submitted work. Dawn in Node spins the event loop while a promise is pending, which on a software
   * adapter takes the processor from the very work that is waited for; so sleep for the expected time first.
   */
  #wait(pending: () => Promise<unknown>): Promise<void> {
    const wait = this.#waitAfter(this.#waiting, pending);
    this.#waiting = wait.catch(() => {}); // whoever waits hears of it
    return wait;
  }

  async #waitAfter(earlier: Promise<unknown>, pending: () => Promise<unknown>): Promise<void> {
    const submitted = this.#submitted;
    this.#submitted = [];
    await earlier;
    const start = performance.now();
    const expected = submitted.reduce((sum, launches) => sum + (this.#milliseconds.get(launches) ?? 0), 0);
    const nap = Math.min(expected * (this.#submitted.length > 0 ? NAP.followed : NAP.last), LONGEST_NAP);
    if (nap > 2) await new Promise((resolve) => setTimeout(resolve, nap));
    try {
      await pending();
    } catch (error) {
      // The reason arrives with the `lost` promise or the error event, a turn of the event loop later.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw new DeviceError(`webgpu: ${(error as Error).message}`);
    }
    const [first] = submitted;
    // A pipeline that was made since the last wait was compiled by the driver at its first use: the time says nothing then.
    if (first && !this.#pipelines.isFresh && submitted.every((launches) => launches === first))
      this.#milliseconds.set(first, (performance.now() - start) / submitted.length);
    this.#pipelines.isFresh = false;
    await Promise.all(this.#pipelines.reports);
    this.check();
  }

  protected prepare<Attributes>(
    call: KernelCall<Attributes>,
    scratch: (bytes: number) => BufferView,
    variant = this.chosenVariant(call),
  ): Launch {
    const { kernel, inputs, outputs, shapes, attributes } = call;
    if (variant !== null && !this.variantsOf(call).includes(variant)) {
      throw new UsageError(
        `webgpu: kernelChoices: expects one of ${this.variantsOf(call).join(', ') || 'no variants'} for ${choiceKey(call)}, ` +
          `got '${variant}'; give the choices of a run on such an adapter, or none`,
      );
    }
    const plan = kernel.wgsl(shapes, attributes, variant === null ? this.#target : { ...this.#target, variant });
    const steps = plan.steps({ inputs, outputs }, (plan.scratch ?? []).map(scratch));
    return { dispatches: steps.map((dispatch) => this.#bind(kernel.name, dispatch)) } satisfies WebGpuLaunch;
  }

  #bind(label: string, { code, constants = {}, bindings, workgroups }: Dispatch): WebGpuLaunch['dispatches'][number] {
    const { layout, pipeline } = this.#pipelines.of(label, code, constants);
    const bindGroup = this.#device.createBindGroup({
      layout,
      entries: bindings.map((view, binding) => ({
        binding,
        resource: {
          buffer: (view.buffer as WebGpuBuffer).gpu,
          offset: view.offset,
          size: Math.ceil(view.bytes / 4) * 4,
        },
      })),
    });
    return { pipeline, bindGroup, workgroups };
  }

  #encode(pass: GPUComputePassEncoder, { dispatches }: WebGpuLaunch): void {
    for (const { pipeline, bindGroup, workgroups } of dispatches) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...workgroups);
    }
  }

  protected run(launches: readonly Launch[], recorded: boolean): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const launch of launches as readonly WebGpuLaunch[]) this.#encode(pass, launch);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
    if (recorded) this.#submitted.push(launches);
  }

  override variantsOf<Attributes>({
    kernel,
    shapes,
    attributes,
  }: Pick<KernelCall<Attributes>, 'kernel' | 'shapes' | 'attributes'>): readonly string[] {
    return kernel.variants?.(shapes, attributes, this.#target) ?? [];
  }

  override async tune(recording: Recording): Promise<boolean> {
    if (!this.#autotune) return false;
    const before = this.kernelChoices.size;
    for (const call of this.callsOf(recording)) {
      const key = choiceKey(call);
      const variants = this.variantsOf(call);
      if (variants.length > 1 && !this.kernelChoices.has(key))
        this.kernelChoices.set(key, await this.#try(call, variants));
    }
    return this.kernelChoices.size > before;
  }

  /** Lets the variants of a kernel compete, on memory of their own. */
  async #try<Attributes>(call: KernelCall<Attributes>, variants: readonly string[]): Promise<string> {
    const { kernel, shapes, attributes } = call;
    const taken: ReturnType<Device['allocate']>[] = [];
    const take = (type: TensorType): BufferView => {
      const storage = this.allocate(bytesOf(type));
      taken.push(storage);
      return { buffer: storage.buffer, offset: 0, bytes: bytesOf(type), dtype: type.dtype };
    };
    const place = (type: TensorType): BufferView => {
      const view = take(type);
      this.write(view, trialData(type));
      return view;
    };
    try {
      const inputs = call.inputs.map(({ dtype }, i) => place({ shape: shapes.inputs[i], dtype }));
      const outputs = kernel.outputs(shapes.inputs, attributes).map(place);
      const contender = (variant: string): Contender => {
        const scratch = (bytes: number) => take({ shape: [bytes / 4], dtype: 'float32' });
        const launch = this.prepare({ ...call, inputs, outputs }, scratch, variant);
        return {
          variant,
          coarseness: kernel.coarseness?.[variant] ?? 1,
          outputs: async () => {
            this.run([launch], false);
            const read = (view: BufferView) => this.readBuffer(view);
            const bytes = await Promise.all(outputs.map(read));
            return bytes.map((each, i) => new (outputs[i].dtype === 'float32' ? Float32Array : Uint32Array)(each));
          },
          time: async (runs) => {
            const start = performance.now();
            this.run(
              Array.from({ length: runs }, () => launch),
              false,
            );
            await this.finish();
            return performance.now() - start;
          },
        };
      };
      return await quickest(variants.map(contender));
    } catch (error) {
      // The step itself needs no second set of operands.
      if (error instanceof OutOfMemoryError) return variants[0];
      throw error;
    } finally {
      for (const storage of taken) this.release(storage);
    }
  }

  /** With timestamps where the adapter has them: each launch is a pass that begins and ends with one. */
  protected override async timeLaunches(launches: readonly Launch[]): Promise<number[]> {
    const queries = 2 * launches.length;
    if (!this.#device.features.has('timestamp-query') || queries > MOST_QUERIES) return super.timeLaunches(launches);
    const querySet = this.#device.createQuerySet({ type: 'timestamp', count: queries });
    const bytes = 8 * queries;
    const gpu = this.#device.createBuffer({ size: bytes, usage: USAGE.queryResolve | USAGE.copySource });
    try {
      const encoder = this.#device.createCommandEncoder();
      for (const [index, launch] of launches.entries()) {
        const timestampWrites = {
          querySet,
          beginningOfPassWriteIndex: 2 * index,
          endOfPassWriteIndex: 2 * index + 1,
        };
        const pass = encoder.beginComputePass({ timestampWrites });
        this.#encode(pass, launch as WebGpuLaunch);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, queries, gpu, 0);
      this.#device.queue.submit([encoder.finish()]);
      const buffer: WebGpuBuffer = { bytes, gpu };
      const stamps = new BigUint64Array(await this.readBuffer({ buffer, offset: 0, bytes, dtype: 'uint32' }));
      return launches.map((_, index) => Number(stamps[2 * index + 1] - stamps[2 * index]) / 1e6);
    } finally {
      querySet.destroy();
      gpu.destroy();
    }
  }

  async finish(): Promise<void> {
    this.flush();
    await this.#wait(() => this.#device.queue.onSubmittedWorkDone());
  }

  destroy(): void {
    this.fail(new DeviceLostError('webgpu: the device was destroyed'));
    // What Dawn holds for the listener would hold the device, its pipelines and their shaders for ever.
    this.#device.removeEventListener('uncapturederror', this.#onError);
    this.#device.destroy();
  }
}

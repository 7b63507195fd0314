/**
 * The reference device: every kernel's plain-TypeScript twin, in float64. Far too slow to train with, it is what the
 * other devices are checked against, from a single kernel to a whole model with its gradients.
 */
import { Device, type Change, type DeviceDescription, type Launch } from '../device.js';
import type { BufferView, DeviceBuffer, KernelCall, Numbers } from '../kernel.js';
import type { Tensor } from '../tensor.js';

interface ReferenceBuffer extends DeviceBuffer {
  /** Twice `bytes`: an element that takes 4 bytes elsewhere takes 8 here. */
  readonly memory: ArrayBuffer;
}

interface ReferenceLaunch extends Launch {
  run(): void;
}

function arrayOf(view: BufferView): Float64Array | Uint32Array | Uint8Array {
  const { memory } = view.buffer as ReferenceBuffer;
  if (view.dtype === 'float32') return new Float64Array(memory, view.offset * 2, view.bytes / 4);
  if (view.dtype === 'uint32') return new Uint32Array(memory, view.offset * 2, view.bytes / 4);
  return new Uint8Array(memory, view.offset * 2, view.bytes);
}

export class ReferenceDevice extends Device {
  readonly description: DeviceDescription = {
    kind: 'reference',
    name: 'reference (plain TypeScript, float64)',
    hardware: false,
  };
  protected override readonly runsOnThisThread = true;

  constructor() {
    super(Infinity);
  }

  override runsTwin(): boolean {
    return true;
  }

  /** The float64 values of a float32 tensor, which may be changed. */
  values(tensor: Tensor): Float64Array {
    this.flush();
    return arrayOf(tensor.view) as Float64Array;
  }

  protected createBuffer(bytes: number): ReferenceBuffer {
    return { bytes, memory: new ArrayBuffer(bytes * 2) };
  }

  protected destroyBuffer(): void {}

  protected writeBuffer(view: BufferView, data: ArrayBufferView): void {
    arrayOf(view).set(data as Float32Array);
  }

  protected clearBuffer(view: BufferView): void {
    arrayOf(view).fill(0);
  }

  protected readBuffer(view: BufferView): Promise<ArrayBuffer> {
    const values = arrayOf(view);
    return Promise.resolve((view.dtype === 'float32' ? Float32Array.from(values) : values.slice()).buffer);
  }

  protected changeBuffers(views: readonly BufferView[], change: Change): void | Promise<void> {
    return change(views.map((view) => arrayOf(view) as Float64Array));
  }

  protected prepare<Attributes>({
    kernel,
    inputs,
    outputs,
    shapes,
    attributes,
  }: KernelCall<Attributes>): ReferenceLaunch {
    const operands = {
      inputs: inputs.map((view): Numbers => arrayOf(view)),
      outputs: outputs.map((view): Numbers => arrayOf(view)),
    };
    return { run: () => kernel.twin(operands, shapes, attributes) };
  }

  protected run(launches: readonly Launch[]): void {
    for (const launch of launches as readonly ReferenceLaunch[]) launch.run();
  }

  finish(): Promise<void> {
    this.flush();
    return Promise.resolve();
  }

  destroy(): void {}
}

/** Tensors: a shape, an element type and a range of device memory. Operations on them are functions in `kernels/`. */
import { ShapeError, UsageError } from '../errors.js';
import {
  received,
  expectArray,
  expectCount,
  expectObject,
  refuse,
  expectFunction,
  expectText,
  objectWith,
  expectList,
  expectNumber,
  listOf,
} from '../expect.js';
import { expectDevice, type Device, type Storage } from './device.js';
import type { BufferView, Kernel } from './kernel.js';
import {
  bytesOf,
  formatShape,
  sameShape,
  sizeOf,
  type DType,
  type Shape,
  type TensorType,
  expectShape,
} from './shape.js';

export type TensorData = Float32Array | Uint32Array | Uint8Array;

export class Tensor implements TensorType {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly storage: Storage;
  /** Bytes from the start of the storage's buffer; a multiple of 256. */
  readonly offset: number;
  /** True for a parameter, and for what was computed from one while a tape was recording. */
  requiresGradient = false;
  /** Where the tape leaves this tensor's gradient; parameters of a model have a place in its gradient arena. */
  gradient: Tensor | null = null;
  #destroyed = false;

  /** Use `tensor`, `zeros` or an operation; the constructor wraps memory that exists. */
  constructor(device: Device, shape: Shape, dtype: DType, storage: Storage, offset = 0) {
    expectDevice(device, 'Tensor: device');
    expectShape(shape, 'Tensor: shape');
    expectObject(storage, 'Tensor: storage');
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.storage = storage;
    this.offset = offset;
    device.track(this);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get view(): BufferView {
    if (this.#destroyed)
      throw new UsageError(
        `tensor ${formatShape(this.shape)}: used after it was destroyed; return it from its scope to keep it`,
      );
    return { buffer: this.storage.buffer, offset: this.offset, bytes: bytesOf(this), dtype: this.dtype };
  }

  /**
   * The values of a float32 tensor, in row-major order. Reading is the only operation that waits for the device.
   * @throws ShapeError for a tensor of integers: `readIntegers`
   */
  async read(): Promise<Float32Array> {
    if (this.dtype !== 'float32')
      throw new ShapeError(`read: expects a float32 tensor, got ${this.dtype}; use readIntegers()`);
    return new Float32Array(await this.device.read(this.view));
  }

  /** The values of a uint32 or uint8 tensor. @throws ShapeError for a float32 tensor */
  async readIntegers(): Promise<Uint32Array | Uint8Array> {
    if (this.dtype === 'float32')
      throw new ShapeError('readIntegers: expects a uint32 or uint8 tensor, got float32; use read()');
    const bytes = await this.device.read(this.view);
    return this.dtype === 'uint8' ? new Uint8Array(bytes) : new Uint32Array(bytes);
  }

  /** Puts new values into the tensor; every later launch sees them. */
  write(data: TensorData): void {
    const expected = this.dtype === 'float32' ? Float32Array : this.dtype === 'uint32' ? Uint32Array : Uint8Array;
    if (!(data instanceof expected) || data.length !== this.size) {
      throw new ShapeError(
        `write: tensor ${formatShape(this.shape)} expects ${this.size} values as ${expected.name}, got ${
          ArrayBuffer.isView(data) ? `${data.length} as ${data.constructor.name}` : received(data)
        }`,
      );
    }
    this.device.write(this.view, data);
  }

  /** Gives the memory back. Tensors made inside `device.scope` are destroyed by it. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.device.release(this.storage);
  }
}

/** @throws UsageError unless it is a tensor */
export function expectTensor(value: unknown, what: string): asserts value is Tensor {
  if (!(value instanceof Tensor)) refuse(value, what, 'a tensor');
}

/**
 * The same memory under another shape; `offset` counts elements, for parts of an arena. It has no gradient of its own:
 * inside differentiable code use `reshape`.
 */
export function viewOf(source: Tensor, shape: Shape, offset = 0): Tensor {
  expectTensor(source, 'viewOf: source');
  expectShape(shape, 'viewOf: shape');
  expectCount(offset, 'viewOf: offset');
  if (offset + sizeOf(shape) > source.size) {
    throw new ShapeError(
      `view: ${formatShape(shape)} at element ${offset} does not fit in ${formatShape(source.shape)}`,
    );
  }
  source.storage.references++;
  return new Tensor(
    source.device,
    shape,
    source.dtype,
    source.storage,
    source.offset + offset * (source.dtype === 'uint8' ? 1 : 4),
  );
}

/** A tensor of undefined content, for what is written before it is read. */
export function emptyTensor(device: Device, shape: Shape, dtype: DType = 'float32'): Tensor {
  expectDevice(device, 'emptyTensor: device');
  expectShape(shape, 'emptyTensor: shape');
  return new Tensor(device, shape, dtype, device.allocate(bytesOf({ shape, dtype })));
}

/** A tensor with given values in row-major order; uint32 or uint8 when `data` is. */
export function tensor(device: Device, data: TensorData | readonly number[], given?: Shape): Tensor {
  if (Array.isArray(data)) listOf(expectNumber)(data, 'tensor: data');
  else expectList(data, 'tensor: data');
  const values = Array.isArray(data) ? Float32Array.from(data) : (data as TensorData);
  if (!(values instanceof Float32Array || values instanceof Uint32Array || values instanceof Uint8Array))
    throw new UsageError(`tensor: data expects numbers in an array, got ${received(data)}`);
  expectDevice(device, 'tensor: device');
  if (given !== undefined) expectShape(given, 'tensor: shape');
  const shape = given ?? [values.length];
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError(`tensor: shape ${formatShape(shape)} expects ${sizeOf(shape)} values, got ${values.length}`);
  }
  const dtype = values instanceof Float32Array ? 'float32' : values instanceof Uint32Array ? 'uint32' : 'uint8';
  const result = emptyTensor(device, shape, dtype);
  result.write(values);
  return result;
}

export function zeros(device: Device, shape: Shape): Tensor {
  const result = emptyTensor(device, shape);
  device.clear(result.view);
  return result;
}

/**
 * Queues a kernel and gives its outputs.
 *
 * @param into places for the outputs (null: a new tensor); needed by kernels that work in place
 * @throws ShapeError when the inputs do not fit the kernel or are on different devices
 */
export function launch<Attributes>(
  kernel: Kernel<Attributes>,
  inputs: readonly Tensor[],
  attributes: Attributes,
  into: readonly (Tensor | null | undefined)[] = [],
): Tensor[] {
  objectWith({ name: expectText, outputs: expectFunction })(kernel, 'launch: kernel');
  expectArray(inputs, 'launch: inputs');
  for (const input of inputs) expectTensor(input, kernel.name);
  if (inputs.length === 0) throw new ShapeError(`${kernel.name}: expects tensors, got none`);
  const device = inputs[0].device;
  if (inputs.some((input) => input.device !== device)) {
    throw new ShapeError(
      `${kernel.name}: all inputs must be on one device, got ${inputs.map((input) => input.device.description.name).join(', ')}`,
    );
  }
  const inputShapes = inputs.map((input) => input.shape);
  const outputs = kernel.outputs(inputShapes, attributes).map(({ shape, dtype }, index) => {
    const place = into[index];
    if (!place) {
      if (kernel.inPlace) throw new ShapeError(`${kernel.name}: works in place, so output ${index} must be given`);
      return emptyTensor(device, shape, dtype);
    }
    if (!sameShape(place.shape, shape) || place.dtype !== dtype) {
      throw new ShapeError(
        `${kernel.name}: output ${index} is ${dtype} ${formatShape(shape)}, got a place of ${place.dtype} ${formatShape(place.shape)}`,
      );
    }
    return place;
  });
  device.launch({
    kernel,
    inputs: inputs.map((input) => input.view),
    outputs: outputs.map((output) => output.view),
    shapes: { inputs: inputShapes, outputs: outputs.map((output) => output.shape) },
    attributes,
  });
  return outputs;
}

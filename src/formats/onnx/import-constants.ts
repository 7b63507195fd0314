/** Constants of an ONNX graph, and what can be computed of them before there is a picture: shape arithmetic, weights turned round. */
import { ModelFileError } from '../../errors.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { toFloat32 } from '../safetensors.js';
import { floatsOf, type FileTensor } from './import-file.js';

export interface Constant {
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array;
  readonly isInteger: boolean;
}

export const isConstant = (value: object): value is Constant => 'data' in value;

/** By the numbers of TensorProto.DataType: how elements lie in `raw`, of integers. */
const integerTypes: Readonly<
  Record<number, new (buffer: ArrayBuffer) => { readonly length: number; [at: number]: number | bigint }>
> = {
  2: Uint8Array,
  3: Int8Array,
  4: Uint16Array,
  5: Int16Array,
  6: Int32Array,
  7: BigInt64Array,
  9: Uint8Array, // booleans
  12: Uint32Array,
  13: BigUint64Array,
};
const [FLOAT, FLOAT_16, DOUBLE, BFLOAT_16] = [1, 10, 11, 16];

export const isFloatType = (type: number): boolean => [FLOAT, FLOAT_16, DOUBLE, BFLOAT_16].includes(type);
export const isIntegerType = (type: number): boolean => Object.hasOwn(integerTypes, type);

/** A file beside the model, by the name that the model has for it. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** @throws ModelFileError when the tensor does not hold as many elements as its shape says */
export function constantOf(tensor: FileTensor, files: ExternalFiles, name: string): Constant {
  const { shape, type } = tensor;
  const count = sizeOf(shape);
  const place = `${name}: tensor '${tensor.name}'`;
  if (!isFloatType(type) && !isIntegerType(type))
    throw new ModelFileError(`${place}: expects numbers (TensorProto types 1 to 7, 9 to 13, 16), got type ${type}`);
  const raw = tensor.external ? externalBytes(tensor, files, place) : tensor.raw;
  const data = raw ? fromRaw(raw, type) : fromLists(tensor);
  if (data.length !== count)
    throw new ModelFileError(`${place}: expects ${count} elements for ${formatShape(shape)}, got ${data.length}`);
  return { shape, data, isInteger: isIntegerType(type) };
}

function externalBytes({ external }: FileTensor, files: ExternalFiles, place: string): Uint8Array {
  const { location, offset, length } = external!;
  const file = files.get(location);
  if (!file) throw new ModelFileError(`${place}: expects its elements in the file '${location}', which was not given`);
  const end = offset + (length ?? file.length - offset);
  if (end > file.length || offset > file.length)
    throw new ModelFileError(`${place}: expects bytes ${offset} to ${end} of '${location}', which has ${file.length}`);
  return file.subarray(offset, end);
}

function fromRaw(raw: Uint8Array, type: number): Constant['data'] {
  const { buffer } = new Uint8Array(raw); // a copy, aligned; little-endian, as all machines are that run WebAssembly
  if (type === FLOAT) return new Float32Array(buffer, 0, Math.floor(raw.length / 4));
  if (type === DOUBLE) return new Float64Array(buffer, 0, Math.floor(raw.length / 8));
  if (type === FLOAT_16 || type === BFLOAT_16) {
    const halves = new Uint16Array(buffer, 0, Math.floor(raw.length / 2));
    return toFloat32({ dtype: type === FLOAT_16 ? 'F16' : 'BF16', shape: [halves.length], data: halves });
  }
  const Elements = integerTypes[type] as (typeof integerTypes)[number] & { BYTES_PER_ELEMENT: number };
  const whole = raw.length - (raw.length % Elements.BYTES_PER_ELEMENT);
  return Float64Array.from(new Elements(buffer.slice(0, whole)) as ArrayLike<number | bigint>, Number);
}

function fromLists({ type, floats, doubles, integers }: FileTensor): Constant['data'] {
  if (type === FLOAT) return floatsOf(floats);
  if (type === DOUBLE) {
    const joined = new Uint8Array(doubles.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of doubles) {
      joined.set(piece, at);
      at += piece.length;
    }
    return new Float64Array(joined.buffer, 0, Math.floor(joined.length / 8));
  }
  if (type === FLOAT_16 || type === BFLOAT_16) {
    const data = Uint16Array.from(integers);
    return toFloat32({ dtype: type === FLOAT_16 ? 'F16' : 'BF16', shape: [data.length], data });
  }
  return Float64Array.from(integers);
}

export const integers = (values: readonly number[], shape: Shape = [values.length]): Constant => ({
  shape,
  data: Float64Array.from(values),
  isInteger: true,
});

/** Elements that constants may have that are computed of others. */
export class Folding {
  #left: number;

  constructor(elements: number) {
    this.#left = elements;
  }

  /** @throws ModelFileError before a list grows too long */
  take(elements: number): void {
    if (!(elements <= this.#left))
      throw new ModelFileError('expects constants that stay of the size of the weights, got more of them');
    this.#left -= elements;
  }

  /** NumPy's broadcasting. */
  joined(a: Constant, b: Constant, join: (x: number, y: number) => number): Constant {
    const rank = Math.max(a.shape.length, b.shape.length);
    const lengths = [a, b].map(({ shape }) => [...Array<number>(rank - shape.length).fill(1), ...shape]);
    const shape = lengths[0].map((length, axis) => {
      const other = lengths[1][axis];
      if (length !== other && length !== 1 && other !== 1)
        throw new ModelFileError(`expects shapes that fit, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
      return length === 1 ? other : length;
    });
    this.take(sizeOf(shape));
    const isInteger = a.isInteger && b.isInteger;
    const data = new Float64Array(sizeOf(shape));
    const [from, other] = lengths.map((own) => places(own, shape));
    for (const at of data.keys()) data[at] = join(a.data[from(at)], b.data[other(at)]);
    return { shape, data: isInteger ? data.map(Math.trunc) : Float32Array.from(data), isInteger };
  }

  changed(x: Constant, change: (value: number) => number): Constant {
    this.take(x.data.length);
    return { ...x, data: x.data.map(change) };
  }

  transposed({ shape, data, isInteger }: Constant, order: readonly number[]): Constant {
    this.take(data.length);
    const turned = order.map((axis) => shape[axis]);
    const strides = order.map((axis) => sizeOf(shape.slice(axis + 1)));
    const result = data.slice();
    for (const at of result.keys()) {
      let [rest, from] = [at, 0];
      for (let axis = turned.length - 1; axis >= 0; axis--) {
        from += (rest % turned[axis]) * strides[axis];
        rest = Math.floor(rest / turned[axis]);
      }
      result[at] = data[from];
    }
    return { shape: turned, data: result, isInteger };
  }

  /** The elements at `indices` of one axis. */
  gathered({ shape, data, isInteger }: Constant, axis: number, indices: readonly number[], as: Shape): Constant {
    const [outer, length, inner] = [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
    const given = indices.map((index) => (index < 0 ? index + length : index));
    if (!given.every((index) => Number.isInteger(index) && index >= 0 && index < length))
      throw new ModelFileError(`expects indices below ${length}, got ${indices.slice(0, 8).join(',')}`);
    this.take(outer * given.length * inner);
    const result = isInteger
      ? new Float64Array(outer * given.length * inner)
      : new Float32Array(outer * given.length * inner);
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of given) for (let i = 0; i < inner; i++) result[at++] = data[(o * length + index) * inner + i];
    return { shape: [...shape.slice(0, axis), ...as, ...shape.slice(axis + 1)], data: result, isInteger };
  }

  concatenated(parts: readonly Constant[], axis: number): Constant {
    const [first] = parts;
    const fits = ({ shape }: Constant): boolean =>
      shape.length === first.shape.length &&
      shape.every((length, each) => each === axis || length === first.shape[each]);
    if (!parts.every(fits) || !(axis >= 0 && axis < first.shape.length))
      throw new ModelFileError(`expects constants that differ along axis ${axis} only`);
    const outer = sizeOf(first.shape.slice(0, axis));
    const shape = first.shape.map((length, each) =>
      each === axis ? parts.reduce((sum, part) => sum + part.shape[axis], 0) : length,
    );
    this.take(sizeOf(shape));
    const data = first.isInteger ? new Float64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const part of parts) {
        const run = part.data.length / outer;
        data.set(part.data.subarray(o * run, (o + 1) * run), at);
        at += run;
      }
    return { shape, data, isInteger: first.isInteger };
  }
}

/** Of an element in `shape`, the place in an array of lengths `own` that is broadcast to it. */
function places(own: readonly number[], shape: Shape): (at: number) => number {
  const strides = own.map((length, axis) => (length === 1 ? 0 : sizeOf(own.slice(axis + 1))));
  return (at) => {
    let [rest, place] = [at, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return place;
  };
}

/** Pictures that come as numbers in one piece, as practice sets do: IDX (MNIST), CIFAR's binary batches, NumPy arrays. */
import type { Picture } from '../pictures/picture.js';
import { turns } from '../../turns.js';

/** N pictures of one size; none is copied before it is asked for. */
export interface PictureArray {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  picture(index: number): Picture;
}

/** Told how many bytes are about to be taken; throws where that is too much. */
export type Reserve = (bytes: number) => void;

/** A complaint about a file of arrays; whoever has read it adds its name. */
export class ArrayFileError extends Error {}

/** Numbers with a shape, row-major. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** 255 of what counts as white: 255 for bytes, 1 for booleans. */
  readonly kind: 'uint8' | 'bool' | 'integer' | 'float';
}

/** Type codes of an IDX file. Source: Yann LeCun, "The MNIST database of handwritten digits", file formats. */
const idxTypes: Readonly<Record<number, { bytes: number; kind: NumberArray['kind'] }>> = {
  0x08: { bytes: 1, kind: 'uint8' },
  0x09: { bytes: 1, kind: 'integer' },
  0x0b: { bytes: 2, kind: 'integer' },
  0x0c: { bytes: 4, kind: 'integer' },
  0x0d: { bytes: 4, kind: 'float' },
  0x0e: { bytes: 8, kind: 'float' },
};

/**
 * Bytes of a whole IDX file, by its first ones: what is packed need not be unpacked any further.
 *
 * @throws ArrayFileError
 */
export function idxLength(head: Uint8Array): number {
  const { start, shape, count, type } = idxHeader(head);
  const length = start + count * type.bytes;
  if (!Number.isSafeInteger(length)) throw new ArrayFileError(`expects an IDX file, got one of [${shape.join(',')}]`);
  return length;
}

function idxHeader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes.length >= 4 && view.getUint16(0) === 0 ? idxTypes[bytes[2]] : undefined;
  if (!type || bytes[3] === 0) throw new ArrayFileError('expects an IDX file, which starts with the bytes 00 00 08');
  const axes = bytes[3];
  const start = 4 + 4 * axes;
  if (bytes.length < start) throw new ArrayFileError('the file ends within its header');
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, side) => product * side, 1);
  return { view, start, shape, count, type };
}

/** @throws ArrayFileError */
export async function parseIdx(bytes: Uint8Array, reserve: Reserve = () => {}): Promise<NumberArray> {
  const { view, start, shape, count, type } = idxHeader(bytes);
  checkLength(bytes.length - start, count * type.bytes, shape);
  if (type.bytes === 1 && type.kind === 'uint8') return { shape, data: bytes.subarray(start), kind: 'uint8' };
  return {
    shape,
    data: await readNumbers(view, start, count, type, false, bytes[2] !== 0x08, reserve),
    kind: type.kind,
  };
}

/**
 * Reads a .npy file. Source: NumPy, "The NPY format".
 *
 * @throws ArrayFileError
 */
export async function parseNpy(bytes: Uint8Array, reserve: Reserve = () => {}): Promise<NumberArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = '\x93NUMPY';
  if (bytes.length < 10 || Array.from(magic).some((letter, i) => bytes[i] !== letter.charCodeAt(0))) {
    throw new ArrayFileError('expects a .npy file, which starts with the bytes 93 4e 55 4d 50 59');
  }
  const long = bytes[6] >= 2;
  const start = long ? 12 : 10;
  const length = bytes.length < start ? 0 : long ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length === 0 || bytes.length < start + length) throw new ArrayFileError('the file ends within its header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const sides = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  const kinds: Readonly<Record<string, NumberArray['kind']>> = { u: 'integer', i: 'integer', f: 'float', b: 'bool' };
  const kind = descr && kinds[descr[2]];
  const itemBytes = Number(descr?.[3]);
  if (!kind || !order || !sides || ![1, 2, 4, 8].includes(itemBytes) || (kind === 'float' && itemBytes < 4)) {
    const wayOut = descr?.[2] === 'f' ? "; save array.astype('float32')" : '';
    throw new ArrayFileError(`expects an array of numbers, got ${header.trim().slice(0, 120)}${wayOut}`);
  }
  if (order[1] === 'True') throw new ArrayFileError("its order is Fortran's; save numpy.ascontiguousarray(array)");
  const shape = sides[1]
    .split(',')
    .map((side) => side.trim())
    .filter((side) => side !== '')
    .map(Number);
  const count = shape.reduce((product, side) => product * side, 1);
  checkLength(bytes.length - start - length, count * itemBytes, shape);
  if (itemBytes === 1 && descr[2] !== 'i') {
    return { shape, data: bytes.subarray(start + length), kind: kind === 'bool' ? 'bool' : 'uint8' };
  }
  const isSigned = descr[2] !== 'u';
  const type = { bytes: itemBytes, kind };
  return {
    shape,
    data: await readNumbers(view, start + length, count, type, descr[1] !== '>', isSigned, reserve),
    kind,
  };
}

/** Numbers between two turns of the event loop, if it is time for one. */
const PIECE = 2 ** 18;

function checkLength(received: number, expected: number, shape: readonly number[]): void {
  if (!Number.isSafeInteger(expected) || received !== expected) {
    throw new ArrayFileError(`expects ${expected} bytes for [${shape.join(',')}], got ${received}`);
  }
}

async function readNumbers(
  view: DataView,
  start: number,
  count: number,
  { bytes, kind }: { bytes: number; kind: NumberArray['kind'] },
  littleEndian: boolean,
  isSigned: boolean,
  reserve: Reserve,
): Promise<Float32Array | Float64Array> {
  const Numbers = bytes === 8 || (kind === 'integer' && bytes === 4) ? Float64Array : Float32Array;
  reserve(count * Numbers.BYTES_PER_ELEMENT);
  const out = new Numbers(count);
  const read = ((): ((at: number) => number) => {
    if (kind === 'float') {
      return bytes === 4 ? (at) => view.getFloat32(at, littleEndian) : (at) => view.getFloat64(at, littleEndian);
    }
    if (bytes === 1) return (at) => view.getInt8(at);
    if (bytes === 2) return (at) => (isSigned ? view.getInt16(at, littleEndian) : view.getUint16(at, littleEndian));
    if (bytes === 4) return (at) => (isSigned ? view.getInt32(at, littleEndian) : view.getUint32(at, littleEndian));
    return (at) => Number(isSigned ? view.getBigInt64(at, littleEndian) : view.getBigUint64(at, littleEndian));
  })();
  const turn = turns();
  for (let first = 0; first < count; first += PIECE) {
    await turn();
    const end = Math.min(count, first + PIECE);
    for (let index = first; index < end; index++) out[index] = read(start + index * bytes);
  }
  return out;
}

/**
 * Pictures [N,H,W], [N,H,W,C] or [N,C,H,W] with C of 1, 3 or 4 (the fourth, alpha, is dropped). Bytes are taken as they are,
 * booleans are black and white, other numbers are 0 to 255, or floats from 0 to 1 (roundings beyond are cut off).
 *
 * @throws ArrayFileError for another shape, or values out of range
 */
export async function pictureArray({ shape, data, kind }: NumberArray): Promise<PictureArray> {
  const isChannels = (side: number): boolean => [1, 3, 4].includes(side);
  const first = shape.length === 4 && isChannels(shape[1]) && !isChannels(shape[3]);
  const [count, height, width, channels] =
    shape.length === 3 ? [...shape, 1] : first ? [shape[0], shape[2], shape[3], shape[1]] : shape;
  if ((shape.length !== 3 && shape.length !== 4) || !isChannels(channels) || height < 1 || width < 1) {
    throw new ArrayFileError(`expects pictures [N,H,W] or [N,H,W,C] with 1, 3 or 4 channels, got [${shape.join(',')}]`);
  }
  if (count === 0) throw new ArrayFileError(`expects pictures, got none: [${shape.join(',')}]`);
  const scale = await scaleOf(data, kind);
  const pixels = height * width;
  // Where the value of a channel is: neighbours, or planes.
  const [step, plane] = first ? [1, pixels] : [channels, 1];
  const [green, blue] = channels === 1 ? [0, 0] : [plane, 2 * plane];
  return {
    count,
    width,
    height,
    picture(index) {
      const out = new Uint8Array(pixels * 3);
      let from = index * pixels * channels;
      for (let at = 0; at < out.length; at += 3, from += step) {
        out[at] = Math.round(data[from] * scale);
        out[at + 1] = Math.round(data[from + green] * scale);
        out[at + 2] = Math.round(data[from + blue] * scale);
      }
      return { width, height, data: out };
    },
  };
}

/** Beyond an end by less than half a level of 255: a rounding, which makes no difference. */
const ROUNDING = 1 / 512;
/** Floats up to here are no pictures of 0 to 255, which would be black: somebody's 0 to 1 with a few values beyond. */
const SURELY_UNIT = 2;

async function scaleOf(data: ArrayLike<number>, kind: NumberArray['kind']): Promise<number> {
  if (kind === 'uint8') return 1;
  if (kind === 'bool') return 255;
  let least = 0;
  let most = 0;
  const turn = turns();
  for (let first = 0; first < data.length; first += PIECE) {
    await turn();
    const end = Math.min(data.length, first + PIECE);
    for (let index = first; index < end; index++) {
      const value = data[index];
      if (Number.isNaN(value)) throw new ArrayFileError('expects values from 0 to 255, or floats from 0 to 1, got NaN');
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  const isFloat = kind === 'float';
  const slack = isFloat ? ROUNDING : 0;
  if (least < -slack || most > 255 + slack || (isFloat && most > 1 + slack && most <= SURELY_UNIT)) {
    throw new ArrayFileError(
      `expects values from 0 to 255, or floats from 0 to 1, got ${least} to ${most}` +
        (isFloat && most <= SURELY_UNIT ? '; cut them with numpy.clip(array, 0, 1)' : ''),
    );
  }
  return isFloat && most <= 1 + slack ? 255 : 1;
}

const CIFAR_SIDE = 32;
const CIFAR_PIXELS = CIFAR_SIDE * CIFAR_SIDE;

/**
 * A binary batch of CIFAR: records of the label (CIFAR-100: a coarse one, then the fine one) and three planes of 32×32.
 * Source: Alex Krizhevsky, "The CIFAR-10 and CIFAR-100 datasets", binary version.
 *
 * @param labelBytes 1 in CIFAR-10, 2 in CIFAR-100
 * @throws ArrayFileError
 */
export function parseCifar(bytes: Uint8Array, labelBytes: 1 | 2): { pictures: PictureArray; labels: Uint8Array } {
  const length = labelBytes + 3 * CIFAR_PIXELS;
  const count = bytes.length / length;
  if (!Number.isInteger(count) || count === 0) {
    throw new ArrayFileError(`expects records of ${length} bytes, got ${bytes.length} bytes`);
  }
  return {
    labels: Uint8Array.from({ length: count }, (_, index) => bytes[index * length + labelBytes - 1]),
    pictures: {
      count,
      width: CIFAR_SIDE,
      height: CIFAR_SIDE,
      picture(index) {
        const out = new Uint8Array(CIFAR_PIXELS * 3);
        const start = index * length + labelBytes;
        for (let pixel = 0; pixel < CIFAR_PIXELS; pixel++) {
          for (let c = 0; c < 3; c++) out[pixel * 3 + c] = bytes[start + c * CIFAR_PIXELS + pixel];
        }
        return { width: CIFAR_SIDE, height: CIFAR_SIDE, data: out };
      },
    },
  };
}

/** Several arrays of pictures of one size, one after the other. @throws ArrayFileError when the sizes differ */
export function joinArrays(arrays: readonly PictureArray[]): PictureArray {
  const [{ width, height }] = arrays;
  if (arrays.length === 1) return arrays[0];
  if (arrays.some((array) => array.width !== width || array.height !== height)) {
    throw new ArrayFileError('its parts hold pictures of different sizes');
  }
  const starts = arrays.map((_, position) => arrays.slice(0, position).reduce((sum, { count }) => sum + count, 0));
  return {
    width,
    height,
    count: arrays.reduce((sum, { count }) => sum + count, 0),
    picture(index) {
      const position = starts.findLastIndex((start) => start <= index);
      return arrays[position].picture(index - starts[position]);
    },
  };
}

/**
 * The safetensors format: 8 bytes header length (little-endian), a JSON header, the tensors' bytes.
 * Source: github.com/huggingface/safetensors, README "Format". The rules are those of its reference implementation:
 * the tensors fill the data without overlap or hole, and nothing follows them. As the README asks, and the reference does not
 * see, keys are unique. Reading executes nothing and allocates nothing before the sizes are checked.
 */
import { ModelFileError, ShapeError, UsageError } from '../errors.js';
import { expectBytes, expectObject, received as wordsFor, expectText } from '../expect.js';
import { formatShape, type Shape } from '../tensor/shape.js';
import { parseJson, type Refuse } from './json.js';

export interface SafeTensor {
  readonly dtype: DTypeName;
  readonly shape: Shape;
  /** Elements in row-major order; 16-bit floats as their bits. */
  readonly data: TypedArray;
}

type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type DTypeName = keyof typeof ARRAYS;

/** The reference implementation's limit, in bytes. */
const LONGEST_HEADER = 100_000_000;
/** Our own limit, many times what the largest models have: a million empty tensors would take a gigabyte. */
const MOST_TENSORS = 100_000;

/** The key of the header under which the metadata stand: no tensor can have this name. */
const METADATA = '__metadata__';

/** What is written: float32, unless the type is said. */
export type TensorToWrite = SafeTensor | { readonly shape: Shape; readonly data: Float32Array; readonly dtype?: 'F32' };

/**
 * Writes tensors, in the given order. Equal input gives equal bytes.
 * @param metadata texts by name
 * @throws ShapeError when a tensor's data are not of its type, or not as long as its shape says; UsageError for the name
 * `__metadata__`, and for more than the format's readers take
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const refuse = (expected: string, received: string): never => {
    throw new ShapeError(`writeSafetensors: expects ${expected}, got ${received}`);
  };
  expectObject(tensors, 'writeSafetensors: tensors');
  if (!isTexts(metadata)) throw new UsageError(`writeSafetensors: expects texts as metadata, got ${preview(metadata)}`);
  const header: [name: string, description: unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push([METADATA, metadata]);
  if (Object.keys(tensors).length > MOST_TENSORS)
    throw new UsageError(
      `writeSafetensors: expects at most ${MOST_TENSORS} tensors, got ${Object.keys(tensors).length}`,
    );
  let size = 0;
  for (const [name, described] of Object.entries(tensors)) {
    expectObject(described, `writeSafetensors: tensor '${name}'`);
    const { shape, data, dtype = 'F32' } = described;
    if (!ArrayBuffer.isView(data)) refuse(`data of tensor '${name}' in an array of its type`, wordsFor(data));
    if (name === METADATA) throw new UsageError(`a tensor cannot be named '${METADATA}' in safetensors; rename it`);
    const entry = { dtype, shape, data_offsets: [size, size + data.byteLength] };
    checkEntry(name, entry, refuse); // what reading refuses
    if (!(data instanceof ARRAYS[dtype])) refuse(`tensor '${name}' in a ${ARRAYS[dtype].name}`, typeof data);
    header.push([name, entry]);
    size += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  if (json.length > LONGEST_HEADER)
    throw new UsageError(`writeSafetensors: expects a header of at most ${LONGEST_HEADER} bytes, got ${json.length}`);
  const headerLength = Math.ceil(json.length / 8) * 8; // data start aligned, the rest filled with spaces
  const bytes = new Uint8Array(8 + headerLength + size).fill(0x20, 8, 8 + headerLength);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, 8);
  let at = 8 + headerLength;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * @param name of the file, for messages
 * @throws ModelFileError when a rule of the format is broken, naming expected and received
 */
export function readSafetensors(
  bytes: Uint8Array,
  name: string,
): { tensors: Map<string, SafeTensor>; metadata: Record<string, string> } {
  expectBytes(bytes, 'readSafetensors: bytes');
  expectText(name, 'readSafetensors: name');
  const refuse = (expected: string, received: string): never => {
    throw new ModelFileError(`${name}: expects ${expected}, got ${received}`);
  };
  if (bytes.length < 8) refuse('a safetensors file', `only ${bytes.length} bytes`);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (headerLength > LONGEST_HEADER)
    refuse(`a safetensors header of at most ${LONGEST_HEADER} bytes`, `${headerLength}`);
  const start = 8 + Number(headerLength);
  if (start > bytes.length) refuse(`${start} bytes of safetensors header`, `a file of ${bytes.length}`);
  const header = parseHeader(bytes.subarray(8, start), refuse);

  const { [METADATA]: given, ...entries } = header;
  const metadata = given ?? {}; // the reference takes null for none
  if (!isTexts(metadata)) return refuse('texts as metadata', preview(metadata));
  const count = Object.keys(entries).length;
  if (count > MOST_TENSORS) refuse(`at most ${MOST_TENSORS} tensors`, `${count}`);
  const described = Object.entries(entries).map(([key, entry]) => ({ key, ...checkEntry(key, entry, refuse) }));

  // Without overlap and without holes: in the order of their offsets each begins where the last one ended.
  let end = 0;
  for (const { key, from, to } of described.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) refuse(`tensor '${key}' to begin at byte ${end} of the data`, `${from}`);
    end = to;
  }
  if (start + end !== bytes.length) refuse(`${start + end} bytes in all`, `${bytes.length}`);

  const tensors = new Map<string, SafeTensor>();
  for (const { key, dtype, shape, from, to } of described) {
    // A copy is aligned whatever the file's layout, and lets go of the file. (`slice` of Node's Buffer would be no copy.)
    const { buffer } = new Uint8Array(bytes.subarray(start + from, start + to));
    tensors.set(key, { dtype, shape, data: new ARRAYS[dtype](buffer) });
  }
  return { tensors, metadata };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every((each) => typeof each === 'string');
/** Numbers that JSON has no form for come from programs only, not from files. */
const preview = (value: unknown): string =>
  (JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each)) ?? 'nothing').slice(
    0,
    100,
  );

function parseHeader(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  if (bytes[0] !== 0x7b)
    refuse("a safetensors header that begins with '{'", bytes.length === 0 ? 'an empty one' : `byte ${bytes[0]}`);
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    refuse('a safetensors header of JSON in UTF-8', (error as Error).message);
  }
  return parseJson(text, 'a safetensors header', refuse) as Record<string, unknown>;
}

function checkEntry(
  key: string,
  entry: unknown,
  refuse: Refuse,
): { dtype: DTypeName; shape: number[]; from: number; to: number } {
  const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isObject(entry)) return refuse(`tensor '${key}' to be described by an object`, preview(entry));
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(ARRAYS, dtype)) {
    return refuse(`tensor '${key}' of type ${Object.keys(ARRAYS).join(', ')}`, preview(dtype));
  }
  if (!Array.isArray(shape) || !shape.every(isLength))
    return refuse(`tensor '${key}' with a shape of lengths`, preview(shape));
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isLength) || offsets[0] > offsets[1]) {
    return refuse(`tensor '${key}' with two offsets in order`, preview(offsets));
  }
  const [from, to] = offsets as [number, number];
  // the product so far, as the reference checks it: a later 0 doesn't make up for what cannot be counted
  let size = ARRAYS[dtype as DTypeName].BYTES_PER_ELEMENT;
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) return refuse(`tensor '${key}' of a size that fits a file`, formatShape(shape));
  }
  if (size !== to - from)
    return refuse(`tensor '${key}' ${dtype} ${formatShape(shape)} to take ${size} bytes`, `${to - from}`);
  return { dtype: dtype as DTypeName, shape, from, to };
}

/** A tensor's values as float32: exact for F32, F16 and BF16, rounded for F64 and large integers. */
export function toFloat32({ dtype, data }: SafeTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (dtype === 'F16') {
    numbersOfHalves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfToNumber(bits));
    const numbers = new Float32Array(data.length);
    for (let at = 0; at < numbers.length; at++) numbers[at] = numbersOfHalves[(data as Uint16Array)[at]];
    return numbers;
  }
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

const singleBits = new Uint32Array(1);
const single = new Float32Array(singleBits.buffer);

/** Values as half precision, rounded to nearest, ties to even; those beyond 65,504 become infinite. */
export const toFloat16 = (data: Float32Array): Uint16Array =>
  Uint16Array.from(data, (value) => {
    const magnitude = Math.abs(value);
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    if (!(magnitude < 65_520)) return sign | (Number.isNaN(value) ? 0x7e00 : 0x7c00);
    if (magnitude < 2 ** -14) {
      // Units of 2^-24. Added to 2^23 they lose their fraction, by float32's own rounding to even.
      single[0] = magnitude * 2 ** 24 + 2 ** 23;
      return sign | (single[0] - 2 ** 23);
    }
    single[0] = magnitude;
    const [bits] = singleBits;
    return sign | ((bits - (112 << 23) + 0xfff + ((bits >>> 13) & 1)) >>> 13); // another bias, 13 bits less
  });

/** IEEE 754 half precision: sign, 5 bits of exponent, 10 of fraction. */
/** All numbers of half precision by their bits: looked up quicker than computed. */
let numbersOfHalves: Float32Array | null = null;

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Reading protocol buffers: the fields of one message, one after another, without copying. Nothing is descended into unless it is
 * asked for, so that no depth of nesting costs anything. Source: protobuf.dev/programming-guides/encoding.
 */
import { ModelFileError } from '../../errors.js';

/** A number of wire type VARINT, as int64; else the bytes of the value. */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#name = name;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** An int64; beyond 2^53 the nearest double. */
  varint(): number {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.isAtEnd) break;
      const byte = this.#bytes[this.#at++];
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) [low, high] = [low | (bits << 28), bits >>> 4];
      else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) return high * 2 ** 32 + (low >>> 0);
    }
    return this.#refuse('a number of at most ten bytes');
  }

  take(length: number): Uint8Array {
    if (!(length >= 0 && length <= this.#bytes.length - this.#at))
      this.#refuse(`${length} bytes, ${this.#bytes.length - this.#at} are left`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  field(): Field {
    const key = this.varint();
    const [number, type] = [Math.floor(key / 8), key & 7];
    if (type === VARINT) return { number, value: this.varint() };
    if (type === FIXED_64) return { number, value: this.take(8) };
    if (type === LENGTH_DELIMITED) return { number, value: this.take(this.varint()) };
    if (type === FIXED_32) return { number, value: this.take(4) };
    return this.#refuse(`a field of wire type 0, 1, 2 or 5, got ${type}`);
  }

  #refuse(expected: string): never {
    throw new ModelFileError(
      `${this.#name}: expects an ONNX file (a protocol buffer); at byte ${this.#at} ${expected}`,
    );
  }
}

/** @throws ModelFileError for what is no message */
export function* fieldsOf(bytes: Uint8Array, name: string): Generator<Field> {
  const reader = new Reader(bytes, name);
  while (!reader.isAtEnd) yield reader.field();
}

/** The numbers of a repeated field of wire type VARINT, packed or one by one. */
export function varintsOf(value: Field['value'], name: string): number[] {
  if (typeof value === 'number') return [value];
  const reader = new Reader(value, name);
  const numbers: number[] = [];
  while (!reader.isAtEnd) numbers.push(reader.varint());
  return numbers;
}

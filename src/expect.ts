/** Arguments that a program gives, checked where the library is entered: what cannot be meant is told by name. */
import { UsageError } from './errors.js';

/** What a value is, in a word or two, for messages. */
export function received(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? 'a text' : String(value);
  return `a value of type ${Object.prototype.toString.call(value).slice(8, -1)}`;
}

/** @throws UsageError unless it is an object */
export function expectObject(value: unknown, what: string): asserts value is object {
  if (typeof value !== 'object' || value === null)
    throw new UsageError(`${what} expects an object, got ${received(value)}`);
}

/** @throws UsageError unless it is an array, or a typed one */
export function expectList(value: unknown, what: string): asserts value is ArrayLike<unknown> {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && 'length' in value))
    throw new UsageError(`${what} expects an array, got ${received(value)}`);
}

/** @throws UsageError unless they are bytes; those of shared memory are welcome */
export function expectBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new UsageError(`${what} expects a Uint8Array, got ${received(value)}`);
}

/**
 * @throws UsageError unless they are finite float32 numbers: of NaN a network makes a verdict like any other, since relu takes
 * it for 0 on some devices
 */
export function expectFinite(value: unknown, what: string): asserts value is Float32Array {
  if (!(value instanceof Float32Array)) throw new UsageError(`${what} expects a Float32Array, got ${received(value)}`);
  for (let at = 0; at < value.length; at++) {
    if (!Number.isFinite(value[at])) throw new UsageError(`${what} expects finite numbers, got ${value[at]} at ${at}`);
  }
}

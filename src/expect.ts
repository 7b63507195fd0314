/**
 * Arguments that a program gives, checked where the library is entered: what cannot be meant is told by name. A check is a function
 * of the value and of what messages call it; checks of lists and objects are made of those of their parts.
 */
import { UsageError } from './errors.js';

/** @throws UsageError unless the value is what is expected */
export type Check = (value: unknown, what: string) => void;

/** What a value is, in a word or two, for messages. */
export function received(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? 'a text' : String(value);
  return `a value of type ${Object.prototype.toString.call(value).slice(8, -1)}`;
}

/** Whatever else Node takes for a path, such as a number for an open file, nobody means. */
export function expectPath(value: unknown, what: string): asserts value is string {
  if (value === '') throw new UsageError(`${what} expects a path, got an empty text`);
  expectText(value, what);
}

/** @throws UsageError in the words of all of them */
export function refuse(value: unknown, what: string, expected: string): never {
  throw new UsageError(`${what} expects ${expected}, got ${received(value)}`);
}

export function expectObject(value: unknown, what: string): asserts value is object {
  if (typeof value !== 'object' || value === null) refuse(value, what, 'an object');
}

/** An array, or a typed one. */
export function expectList(value: unknown, what: string): asserts value is ArrayLike<unknown> {
  if (Array.isArray(value)) return;
  if (!ArrayBuffer.isView(value) || !('length' in value)) refuse(value, what, 'an array');
  if (value.length === 0 && isDetached(value as Uint8Array))
    throw new UsageError(`${what} expects an array, got one whose memory was given away (transferred)`);
}

/** Such an array says that it is empty; engines of 2023 have no other way to ask. */
function isDetached(value: Uint8Array): boolean {
  try {
    value.at(0);
    return false;
  } catch {
    return true;
  }
}

/** An array that has the methods of arrays. */
export function expectArray(value: unknown, what: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) refuse(value, what, 'an array');
}

export function expectText(value: unknown, what: string): asserts value is string {
  if (typeof value !== 'string') refuse(value, what, 'a text');
}

export function expectFunction(value: unknown, what: string): asserts value is (...given: never[]) => unknown {
  if (typeof value !== 'function') refuse(value, what, 'a function');
}

export function expectNumber(value: unknown, what: string): asserts value is number {
  if (typeof value !== 'number') refuse(value, what, 'a number');
}

/** Where things are counted: a list's or a picture's length, a class. */
export function expectCount(value: unknown, what: string): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) refuse(value, what, 'a whole number from 0');
}

export function expectWhole(value: unknown, what: string, least: number, most: number): asserts value is number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    refuse(value, what, `a whole number from ${least} to ${most}`);
}

/** Bytes; those of shared memory are welcome. */
export function expectBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) refuse(value, what, 'a Uint8Array');
  expectList(value, what);
}

export function expectFloats(value: unknown, what: string): asserts value is Float32Array {
  if (!(value instanceof Float32Array)) refuse(value, what, 'a Float32Array');
}

/** Of NaN a network makes a verdict like any other, since relu takes it for 0 on some devices. */
export function expectFinite(value: unknown, what: string): asserts value is Float32Array {
  expectFloats(value, what);
  const at = firstNotFinite(value);
  if (at >= 0) refuseNotFinite(value, at, what);
}

export function refuseNotFinite(values: Float32Array, at: number, what: string): never {
  throw new UsageError(`${what} expects finite numbers, got ${values[at]} at ${at}`);
}

/** Where the first value lies that is not finite; −1 for none. In float64 only such a value makes a sum that is not: asking each takes three times as long. */
export function firstNotFinite(values: Float32Array): number {
  const whole = values.length - (values.length % 8);
  let sum = 0;
  for (let at = 0; at < whole; at += 8) {
    const low = values[at] + values[at + 1] + (values[at + 2] + values[at + 3]);
    const high = values[at + 4] + values[at + 5] + (values[at + 6] + values[at + 7]);
    sum += low + high;
  }
  for (let at = whole; at < values.length; at++) sum += values[at];
  return Number.isFinite(sum) ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

// --- made of others

/** A list whose elements are all like that. */
export const listOf =
  (each: Check): Check =>
  (value, what) => {
    expectList(value, what);
    const element = `${what}, an element`;
    for (let at = 0; at < value.length; at++) each(value[at], element);
  };

/** An object with these members, and perhaps others. */
export const objectWith =
  (members: Readonly<Record<string, Check>>): Check =>
  (value, what) => {
    expectObject(value, what);
    for (const name in members) members[name]((value as Record<string, unknown>)[name], `${what}, ${name}`);
  };

/** Nothing, or what is like that. */
export const perhaps =
  (check: Check): Check =>
  (value, what) => {
    if (value !== undefined) check(value, what);
  };

/** Null, or what is like that. */
export const orNull =
  (check: Check): Check =>
  (value, what) => {
    if (value !== null) check(value, what);
  };

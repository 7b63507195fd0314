/**
 * Before each test file: arrays of numbers that are the same bytes are equal without a look at each element, for which vitest takes
 * seconds where a model is compared. Those that differ are compared as ever, so that a failure says where.
 */
import { expect } from 'vitest';

const bytesOf = (value: unknown): Uint8Array | null =>
  ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null;

expect.addEqualityTesters([
  (a: unknown, b: unknown): true | undefined => {
    const [first, second] = [bytesOf(a), bytesOf(b)];
    if (!first || !second || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return undefined;
    if (first.length !== second.length) return undefined;
    for (let i = 0; i < first.length; i++) if (first[i] !== second[i]) return undefined;
    return true;
  },
]);

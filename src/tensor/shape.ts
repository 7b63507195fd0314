/** Shapes and element types of tensors. Layouts are NHWC for pictures and activations, HWIO for convolution weights. */
import { refuse } from '../expect.js';

export type Shape = readonly number[];

/** What a tensor's elements are. uint8 holds pictures; WGSL reads it as packed words. */
export type DType = 'float32' | 'uint32' | 'uint8';

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Number of elements; 1 for a scalar `[]`. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

export function bytesOf(type: TensorType): number {
  return sizeOf(type.shape) * (type.dtype === 'uint8' ? 1 : 4);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

/** @throws UsageError unless it is a list of lengths */
export function expectShape(value: unknown, what: string): asserts value is Shape {
  if (!Array.isArray(value) || !value.every((length) => Number.isSafeInteger(length) && length >= 0))
    refuse(value, what, 'lengths of axes, whole numbers in an array');
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

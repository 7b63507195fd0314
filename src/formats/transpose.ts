/** Reordering the axes of weights for other libraries. */
import { sizeOf, type Shape } from '../tensor/shape.js';

/**
 * @param order axis `a` of the result is axis `order[a]` of the data: [3, 2, 0, 1] makes HWIO to OIHW
 * @returns the elements of the transposed array, row-major
 */
export function transpose(data: Float32Array, shape: Shape, order: readonly number[]): Float32Array {
  const strides = order.map((axis) => sizeOf(shape.slice(axis + 1)));
  const lengths = order.map((axis) => shape[axis]);
  const result = new Float32Array(data.length);
  let written = 0;
  const copy = (axis: number, from: number): void => {
    if (axis === order.length) result[written++] = data[from];
    else for (let i = 0; i < lengths[axis]; i++) copy(axis + 1, from + i * strides[axis]);
  };
  copy(0, 0);
  return result;
}

/** Where PyTorch and ONNX want the axes of a convolution kernel [KH,KW,I,O]: [O,I,KH,KW]. */
export const OIHW = [3, 2, 0, 1] as const;

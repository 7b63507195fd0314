/** Sizes of the memory that the functions in `wasm/` ask for, and the sum over slices that several kernels end with. */
import type { WasmCall } from '../../tensor/kernel.js';
import { split } from '../../tensor/cpu/parts.js';
import type { FusedActivation } from './fused-activation.js';

/** Bytes of so many float32 values. */
export const floats = (count: number): number => count * 4;

/** Columns that a packed right matrix takes: panels of 8. */
export const ceil8 = (count: number): number => Math.ceil(count / 8) * 8;

/** A tile of 4×8 values. */
export const TILE_BYTES = 128;
/** Depth of the blocks whose sums an element of a matrix product is the sum of. */
export const BLOCK_DEPTH = 256;
/** The workspace of a matrix product: a tile, a block's offsets and a packed panel of 8 columns (or its list of scaled rows). */
export const PRODUCT_BYTES = TILE_BYTES + 36 * BLOCK_DEPTH;

/** sum[rows, channels] = activation(Σ of `slices` slices of that size, in their order, + bias[channels]) */
export function sumSlicesCall(
  slices: number,
  count: number,
  sum: number,
  rows: number,
  channels: number,
  { bias = 0, activation = 'linear' }: { bias?: number; activation?: FusedActivation } = {},
): WasmCall {
  const { parts, chunk } = split(rows);
  return {
    function: 'sumSlices',
    parts,
    arguments: [slices, sum, count, rows, channels, chunk, bias, Number(activation === 'relu')],
  };
}

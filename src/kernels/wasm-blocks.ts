/** The constants of `wasm/matrix.ts`, which the sizes of scratch memory follow from. */

/** Bytes for one tile at the edge of a product. */
export const EDGE_BYTES = 128;
/** Rows of the left matrix that are packed at a time. */
export const BLOCK_ROWS = 64;
/** Depth that is multiplied at a time. */
export const BLOCK_DEPTH = 256;

/** Columns that a packed right matrix takes: panels of 8. */
export const ceil8 = (count: number): number => Math.ceil(count / 8) * 8;

/** Bytes of so many float32 values. */
export const floats = (count: number): number => count * 4;

// Matrix products in SIMD: C[M,N] = A[M,K] · B[K,N], row-major, float32. AssemblyScript. Each element of C is a sum over blocks of
// BLOCK_DEPTH products, in order, and each block's sum starts from 0: that depends on K alone, so that a row of C is the same bits
// whatever M is and however the work is split. All addresses are bytes, all strides and counts elements, unless the name says bytes.
import { multiplyAdd, partEnd } from './range';
import { addScaledRuns, ENTRY_BYTES } from './runs';
import {
  copyEdge,
  evenOffsets,
  multiplyInto,
  multiplyRows,
  packPanel,
  TILE_BYTES,
  TILE_COLUMNS,
  TILE_ROWS,
} from './tile';
import { workspace } from './workspace';

/** Depth that is multiplied at a time: a panel of it stays in the first-level cache. As in src/kernels/shared/wasm-parts.ts. */
const BLOCK_DEPTH: i32 = 256;
/** In the workspace, behind a tile at the edge of C, the offsets in a row of A; behind them a panel of B. */
const OFFSETS_BYTES: usize = BLOCK_DEPTH << 2;

/** Entries of 32 rows of B, which are added at a time where A has few rows. */
const ROWS_BYTES: usize = 32 * ENTRY_BYTES;

/** C[rows, columns] = A[rows, K] · B[K, columns] for K from `first` to `end`; c points at its first element, a at its first row, b at row 0. */
function multiplyBlock(
  a: usize,
  rowBytes: usize,
  columnBytes: usize,
  b: usize,
  bRowBytes: usize,
  bColumnBytes: usize,
  c: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  if (rows < TILE_ROWS && bColumnBytes == 4 && end - first <= BLOCK_DEPTH) {
    multiplyFewRows(a, rowBytes, columnBytes, b, bRowBytes, c, stride, rows, columns, first, end);
    return;
  }
  const offsets = workspace + TILE_BYTES,
    panel = offsets + OFFSETS_BYTES;
  evenOffsets(offsets, BLOCK_DEPTH, columnBytes);
  for (let k = first; k < end; k += BLOCK_DEPTH) {
    const depth = min(BLOCK_DEPTH, end - k);
    const block = a + <usize>k * columnBytes;
    for (let column = 0; column < columns; column += TILE_COLUMNS) {
      const width = min(TILE_COLUMNS, columns - column);
      packPanel(panel, b + <usize>k * bRowBytes + <usize>column * bColumnBytes, bRowBytes, bColumnBytes, depth, width);
      if (width == TILE_COLUMNS && columnBytes == 4 && k == first) {
        multiplyRows(depth, block, rowBytes, rows, panel, c + ((<usize>column) << 2), stride);
        continue;
      }
      for (let row = 0; row < rows; row += TILE_ROWS) {
        const last = rows - 1; // rows beyond it repeat it; their products are thrown away
        const a0 = block + <usize>row * rowBytes;
        const a1 = block + <usize>min(row + 1, last) * rowBytes;
        const a2 = block + <usize>min(row + 2, last) * rowBytes;
        const a3 = block + <usize>min(row + 3, last) * rowBytes;
        const target = c + <usize>row * stride + ((<usize>column) << 2);
        multiplyInto(
          target,
          stride,
          min(TILE_ROWS, rows - row),
          width,
          depth,
          a0,
          a1,
          a2,
          a3,
          offsets,
          panel,
          k > first,
        );
      }
    }
  }
}

/**
 * The same for one block and less than a tile of rows, where packing B would cost as much as the product: rows of B, scaled and added,
 * some at a time, so that memory is read nearly in its order.
 */
function multiplyFewRows(
  a: usize,
  rowBytes: usize,
  columnBytes: usize,
  b: usize,
  bRowBytes: usize,
  c: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  for (let row = 0; row < rows; row++) {
    memory.fill(c, 0, (<usize>columns) << 2);
    let entry = workspace;
    for (let k = first; k < end; k++) {
      store<f32>(entry, load<f32>(a + <usize>k * columnBytes));
      store<u32>(entry, <u32>(b + <usize>k * bRowBytes), 4);
      entry += ENTRY_BYTES;
    }
    for (let some = workspace; some < entry; some += ROWS_BYTES)
      addScaledRuns(c, some, min(some + ROWS_BYTES, entry), 0, columns);
    a += rowBytes;
    c += stride;
  }
}

/** Rows [r · chunk, …) and columns [q · columnChunk, …) of C = A · B; parts count r first. */
export function productOfTiles(
  part: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  c: usize,
  M: i32,
  N: i32,
  K: i32,
  chunk: i32,
  columnChunk: i32,
): void {
  const rowParts = (M + chunk - 1) / chunk;
  const r = part % rowParts,
    q = part / rowParts;
  const row = r * chunk,
    column = q * columnChunk;
  multiplyBlock(
    a + ((<usize>row * aRow) << 2),
    aRow << 2,
    aColumn << 2,
    b + ((<usize>column * bColumn) << 2),
    bRow << 2,
    bColumn << 2,
    c + ((<usize>row * N + column) << 2),
    (<usize>N) << 2,
    partEnd(r, chunk, M) - row,
    partEnd(q, columnChunk, N) - column,
    0,
    K,
  );
}

/** slices[part, M, N] = A[M, block] · B[block, N] for blocks of BLOCK_DEPTH: for products of few elements and great depth. Then `sumSlices`. */
export function productOfSlice(
  part: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  slices: usize,
  M: i32,
  N: i32,
  K: i32,
): void {
  multiplyBlock(
    a,
    aRow << 2,
    aColumn << 2,
    b,
    bRow << 2,
    bColumn << 2,
    slices + ((<usize>part * M * N) << 2),
    (<usize>N) << 2,
    M,
    N,
    part * BLOCK_DEPTH,
    partEnd(part, BLOCK_DEPTH, K),
  );
}

/** c[2,4] of C = A · Bᵀ: both are read along their rows, and the lanes of each sum are added at the end. */
function multiplyDots(
  depth: i32,
  a0: usize,
  a1: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
  c0: usize,
  c1: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c02 = c00,
    c03 = c00,
    c10 = c00,
    c11 = c00,
    c12 = c00,
    c13 = c00;
  let offset: usize = 0;
  const whole = (<usize>(depth & -4)) << 2;
  for (; offset < whole; offset += 16) {
    const x0 = v128.load(a0 + offset),
      x1 = v128.load(a1 + offset);
    let value = v128.load(b0 + offset);
    c00 = multiplyAdd(c00, x0, value);
    c10 = multiplyAdd(c10, x1, value);
    value = v128.load(b1 + offset);
    c01 = multiplyAdd(c01, x0, value);
    c11 = multiplyAdd(c11, x1, value);
    value = v128.load(b2 + offset);
    c02 = multiplyAdd(c02, x0, value);
    c12 = multiplyAdd(c12, x1, value);
    value = v128.load(b3 + offset);
    c03 = multiplyAdd(c03, x0, value);
    c13 = multiplyAdd(c13, x1, value);
  }
  let row0 = sumLanes(c00, c01, c02, c03),
    row1 = sumLanes(c10, c11, c12, c13);
  for (; offset < (<usize>depth) << 2; offset += 4) {
    let column = f32x4.splat(load<f32>(b0 + offset));
    column = f32x4.replace_lane(column, 1, load<f32>(b1 + offset));
    column = f32x4.replace_lane(column, 2, load<f32>(b2 + offset));
    column = f32x4.replace_lane(column, 3, load<f32>(b3 + offset));
    row0 = multiplyAdd(row0, column, v128.load32_splat(a0 + offset));
    row1 = multiplyAdd(row1, column, v128.load32_splat(a1 + offset));
  }
  v128.store(c0, row0);
  v128.store(c1, row1);
}

/** [Σ lanes of a, of b, of c, of d] */
// @ts-ignore: decorator
@inline
function sumLanes(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(i64x2.shuffle(ab, cd, 0, 2), i64x2.shuffle(ab, cd, 1, 3));
}

/** Columns [part · chunk, …) of C = A[M,K] · B[N,K]ᵀ. */
export function productOfDots(part: i32, a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, chunk: i32): void {
  const rowBytes = (<usize>K) << 2,
    stride = (<usize>N) << 2;
  const end = partEnd(part, chunk, N);
  for (let column = part * chunk; column < end; column += 4) {
    const columns = min(4, end - column);
    const b0 = b + <usize>column * rowBytes;
    const b1 = b + <usize>min(column + 1, end - 1) * rowBytes;
    const b2 = b + <usize>min(column + 2, end - 1) * rowBytes;
    const b3 = b + <usize>min(column + 3, end - 1) * rowBytes;
    for (let row = 0; row < M; row += 2) {
      const a0 = a + <usize>row * rowBytes;
      const target = c + <usize>row * stride + ((<usize>column) << 2);
      if (columns == 4 && row + 2 <= M) {
        multiplyDots(K, a0, a0 + rowBytes, b0, b1, b2, b3, target, target + stride);
      } else {
        multiplyDots(
          K,
          a0,
          row + 1 < M ? a0 + rowBytes : a0,
          b0,
          b1,
          b2,
          b3,
          workspace,
          workspace + (TILE_COLUMNS << 2),
        );
        copyEdge(target, stride, min(2, M - row), columns, false);
      }
    }
  }
}

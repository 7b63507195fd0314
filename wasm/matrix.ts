// Packed matrix product in SIMD: C[M,N] = A[M,K] · B[K,N], row-major, float32. AssemblyScript.
//
// B is packed once into panels of 8 columns, A block by block into panels of 4 rows, so that the inner loop reads both
// in order: per k it loads 8 values of B and 4 of A for 32 multiply-adds. The 4×8 tile of C stays in 8 registers
// (a 6×8 tile spills and is slower). The order of additions depends on the shapes alone.
// All addresses are bytes, all strides and counts are elements.

const TILE_ROWS: i32 = 4;
const TILE_COLUMNS: i32 = 8;
/** Rows of A that are packed at a time: with 256 values of depth, 64 KiB. */
export const BLOCK_ROWS: i32 = 64;
/** Depth that is multiplied at a time; the panel of B (8 KiB) then stays in the first-level cache. */
export const BLOCK_DEPTH: i32 = 256;
/** Bytes at the start of `scratch` for one 4×8 tile at the edge of C. */
export const EDGE_BYTES: usize = 128;

// @ts-ignore: decorator
@inline
function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** c[4,8] = (accumulate ? c : 0) + a[depth,4]ᵀ · b[depth,8]; rows of c lie `stride` bytes apart. */
function multiplyTile(depth: i32, a: usize, b: usize, c: usize, stride: usize, accumulate: bool): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let value = v128.load32_splat(a);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a, 4);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a, 8);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a, 12);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    a += 16;
    b += 32;
  }
  storeRow(c, c00, c01, accumulate);
  storeRow(c + stride, c10, c11, accumulate);
  storeRow(c + 2 * stride, c20, c21, accumulate);
  storeRow(c + 3 * stride, c30, c31, accumulate);
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, low: v128, high: v128, accumulate: bool): void {
  if (accumulate) {
    low = f32x4.add(v128.load(c), low);
    high = f32x4.add(v128.load(c, 16), high);
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}

/** C[rows,columns] (+)= packed A · packed B over one block of depth. `edge` is room for a tile that C does not hold whole. */
export function multiplyBlock(a: usize, b: usize, c: usize, stride: i32, rows: i32, columns: i32, depth: i32, accumulate: bool, edge: usize): void {
  const strideBytes = <usize>stride << 2;
  for (let column = 0; column < columns; column += TILE_COLUMNS) {
    let panel = a;
    for (let row = 0; row < rows; row += TILE_ROWS) {
      const target = c + ((<usize>row * stride + column) << 2);
      if (row + TILE_ROWS <= rows && column + TILE_COLUMNS <= columns) {
        multiplyTile(depth, panel, b, target, strideBytes, accumulate);
      } else {
        multiplyTile(depth, panel, b, edge, TILE_COLUMNS << 2, false);
        copyEdge(target, strideBytes, edge, min(TILE_ROWS, rows - row), min(TILE_COLUMNS, columns - column), accumulate);
      }
      panel += (<usize>depth * TILE_ROWS) << 2;
    }
    b += (<usize>depth * TILE_COLUMNS) << 2;
  }
}

function copyEdge(target: usize, stride: usize, edge: usize, rows: i32, columns: i32, accumulate: bool): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const offset = <usize>column << 2;
      const value = load<f32>(edge + ((row * TILE_COLUMNS) << 2) + offset);
      store<f32>(target + offset, accumulate ? load<f32>(target + offset) + value : value);
    }
    target += stride;
  }
}

/** c = relu?(c + bias) on rows × columns; bias 0 means none. relu keeps NaN, as `x <= 0 ? 0 : x` does. */
export function finishBlock(c: usize, stride: i32, rows: i32, columns: i32, bias: usize, relu: bool): void {
  if (!bias && !relu) return;
  const zero = f32x4.splat(0);
  for (let row = 0; row < rows; row++) {
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      const offset = <usize>column << 2;
      let value = v128.load(c + offset);
      if (bias) value = f32x4.add(value, v128.load(bias + offset));
      if (relu) value = v128.andnot(value, f32x4.le(value, zero));
      v128.store(c + offset, value);
    }
    for (; column < columns; column++) {
      const offset = <usize>column << 2;
      let value = load<f32>(c + offset);
      if (bias) value += load<f32>(bias + offset);
      if (relu && value <= 0) value = 0;
      store<f32>(c + offset, value);
    }
    c += <usize>stride << 2;
  }
}

/**
 * Packs B[K,N], element (k, n) at b + k·rowStride + n·columnStride, for products in blocks of `blockDepth`:
 * block by block, panel by panel, [depth, 8] each, the last panel filled up with zeros. Takes K · ceil8(N) floats.
 */
export function packColumns(packed: usize, b: usize, rowStride: i32, columnStride: i32, K: i32, N: i32, blockDepth: i32): void {
  for (let start = 0; start < K; start += blockDepth) {
    const end = min(start + blockDepth, K);
    for (let column = 0; column < N; column += TILE_COLUMNS) {
      const whole = columnStride == 1 && column + TILE_COLUMNS <= N;
      for (let k = start; k < end; k++) {
        const source = b + ((<usize>k * rowStride + <usize>column * columnStride) << 2);
        if (whole) {
          v128.store(packed, v128.load(source));
          v128.store(packed, v128.load(source, 16), 16);
        } else {
          for (let i = 0; i < TILE_COLUMNS; i++) {
            const value = column + i < N ? load<f32>(source + ((<usize>i * columnStride) << 2)) : 0;
            store<f32>(packed + (<usize>i << 2), value);
          }
        }
        packed += TILE_COLUMNS << 2;
      }
    }
  }
}

/** Writes four rows of four values as columns: packed[k][row]. */
// @ts-ignore: decorator
@inline
export function storeTransposed(packed: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5);
  const high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7);
  const low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
  const high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(packed, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(packed, i64x2.shuffle(low01, low23, 1, 3), 16);
  v128.store(packed, i64x2.shuffle(high01, high23, 0, 2), 32);
  v128.store(packed, i64x2.shuffle(high01, high23, 1, 3), 48);
}

/** Packs rows × depth of A, element (m, k) at a + m·rowStride + k·columnStride, into panels [depth, 4] filled up with zeros. */
function packRows(packed: usize, a: usize, rowStride: i32, columnStride: i32, rows: i32, depth: i32): void {
  const rowBytes = <usize>rowStride << 2, columnBytes = <usize>columnStride << 2;
  for (let row = 0; row < rows; row += TILE_ROWS) {
    let source = a + <usize>row * rowBytes;
    let k = 0;
    if (row + TILE_ROWS <= rows) {
      if (columnStride == 1) {
        for (; k + 4 <= depth; k += 4) {
          storeTransposed(packed, v128.load(source), v128.load(source + rowBytes), v128.load(source + 2 * rowBytes), v128.load(source + 3 * rowBytes));
          source += 16;
          packed += 64;
        }
      } else if (rowStride == 1) {
        for (; k < depth; k++) {
          v128.store(packed, v128.load(source));
          source += columnBytes;
          packed += 16;
        }
      }
    }
    for (; k < depth; k++) {
      for (let i = 0; i < TILE_ROWS; i++) {
        store<f32>(packed + (<usize>i << 2), row + i < rows ? load<f32>(source + <usize>i * rowBytes) : 0);
      }
      source += columnBytes;
      packed += 16;
    }
  }
}

/**
 * C[M,N] = relu?(A[M,K] · B[K,N] + bias[N]), B packed in blocks of BLOCK_DEPTH, A given by strides so that a transposed
 * matrix needs no copy. `scratch` takes EDGE_BYTES + 4 · BLOCK_ROWS · BLOCK_DEPTH bytes.
 */
export function matrixProduct(a: usize, rowStride: i32, columnStride: i32, packedB: usize, c: usize, M: i32, N: i32, K: i32, bias: usize, relu: bool, scratch: usize): void {
  const packedA = scratch + EDGE_BYTES;
  const paddedColumns = (N + TILE_COLUMNS - 1) & -TILE_COLUMNS;
  for (let k = 0; k < K; k += BLOCK_DEPTH) {
    const depth = min(BLOCK_DEPTH, K - k);
    const b = packedB + ((<usize>k * paddedColumns) << 2);
    for (let m = 0; m < M; m += BLOCK_ROWS) {
      const rows = min(BLOCK_ROWS, M - m);
      const target = c + ((<usize>m * N) << 2);
      packRows(packedA, a + ((<usize>m * rowStride + <usize>k * columnStride) << 2), rowStride, columnStride, rows, depth);
      multiplyBlock(packedA, b, target, N, rows, N, depth, k > 0, scratch);
      if (k + depth == K) finishBlock(target, N, rows, N, bias, relu);
    }
  }
}

// The tile that every product is made of: 4 rows × 8 columns, kept in 8 registers while the depth runs. AssemblyScript.
//
// Per step it loads 8 values of the right side and 4 of the left for 32 multiply-adds (a 6×8 tile spills and is slower). The
// right side is packed into panels [depth, 8] and read in order. The left side is read where it lies: four rows begin
// at a0 … a3, and a table of offsets says how many bytes each of their values lies behind the first. So a transposed
// matrix needs no copy, and the windows of a convolution need not be gathered (no im2col).
// All addresses are bytes, all strides and counts elements, unless the name says bytes.
//
// The loop over the depth does four steps a round, since a round costs as much as a step's loads. Between them stands a way out that is never taken,
// for V8's sake (up to Node 22): of a straight piece of code it does all loads before any arithmetic, and what they give spills out of the
// registers, at half the speed. A branch that needs the sums ends the piece. Each asks for a value of its own, else it would be left out as known.
import { activate, storeLanes } from './epilogue';
import { multiplyAdd } from './range';
import { workspace } from './workspace';

export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 8;
/** Bytes of a whole tile: room for one that its target does not hold whole. */
export const TILE_BYTES: usize = 128;

/**
 * c[4,8] = (accumulate ? c : 0) + a[4,depth] · panel[depth,8]; rows of c lie `stride` bytes apart.
 * Not to be inlined: within more loops V8 spills its registers.
 */
export function multiplyTile(
  depth: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  offsets: usize,
  panel: usize,
  c: usize,
  stride: usize,
  accumulate: bool,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00,
    c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00;
  const end = offsets + ((<usize>depth) << 2),
    whole = end - ((<usize>(depth & 3)) << 2);
  while (offsets < whole) {
    let offset = <usize>load<u32>(offsets),
      b0 = v128.load(panel),
      b1 = v128.load(panel, 16);
    let value = v128.load32_splat(a0 + offset);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a1 + offset);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a2 + offset);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a3 + offset);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    if (depth == -1) break;
    offset = <usize>load<u32>(offsets, 4);
    b0 = v128.load(panel, 32);
    b1 = v128.load(panel, 48);
    value = v128.load32_splat(a0 + offset);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a1 + offset);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a2 + offset);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a3 + offset);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    if (depth == -2) break;
    offset = <usize>load<u32>(offsets, 8);
    b0 = v128.load(panel, 64);
    b1 = v128.load(panel, 80);
    value = v128.load32_splat(a0 + offset);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a1 + offset);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a2 + offset);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a3 + offset);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    if (depth == -3) break;
    offset = <usize>load<u32>(offsets, 12);
    b0 = v128.load(panel, 96);
    b1 = v128.load(panel, 112);
    value = v128.load32_splat(a0 + offset);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a1 + offset);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a2 + offset);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a3 + offset);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    offsets += 16;
    panel += 128;
  }
  for (; offsets < end; offsets += 4) {
    let offset = <usize>load<u32>(offsets),
      b0 = v128.load(panel),
      b1 = v128.load(panel, 16);
    let value = v128.load32_splat(a0 + offset);
    c00 = multiplyAdd(c00, value, b0);
    c01 = multiplyAdd(c01, value, b1);
    value = v128.load32_splat(a1 + offset);
    c10 = multiplyAdd(c10, value, b0);
    c11 = multiplyAdd(c11, value, b1);
    value = v128.load32_splat(a2 + offset);
    c20 = multiplyAdd(c20, value, b0);
    c21 = multiplyAdd(c21, value, b1);
    value = v128.load32_splat(a3 + offset);
    c30 = multiplyAdd(c30, value, b0);
    c31 = multiplyAdd(c31, value, b1);
    panel += 32;
  }
  storeRow(c, c00, c01, accumulate);
  storeRow(c + stride, c10, c11, accumulate);
  storeRow(c + 2 * stride, c20, c21, accumulate);
  storeRow(c + 3 * stride, c30, c31, accumulate);
}

/**
 * A line of `count` windows, the first at `start` and `step` bytes apart: their sums, which begin with the bias (0: none) and end in
 * `activate`, to the first `columns` values of rows at `target`, `targetStep` bytes apart. The loop over the line costs a few spilled addresses (some 5 %
 * of a deep sum) and saves a call with all its arguments for every four windows (a fifth of a shallow one).
 */
export function multiplyLine(
  depth: i32,
  start: usize,
  step: usize,
  count: i32,
  offsets: usize,
  panel: usize,
  target: usize,
  targetStep: usize,
  columns: i32,
  bias: usize,
  relu: bool,
): void {
  const last = count - 1; // windows beyond it repeat it
  const end = offsets + ((<usize>depth) << 2),
    whole = end - ((<usize>(depth & 3)) << 2);
  for (let j = 0; j < count; j += 4) {
    const step1 = j < last ? step : 0,
      step2 = j + 1 < last ? step : 0,
      step3 = j + 2 < last ? step : 0;
    const a1 = start + step1,
      a2 = a1 + step2,
      a3 = a2 + step3;
    let c00 = bias ? v128.load(bias) : f32x4.splat(0),
      c01 = bias ? v128.load(bias, 16) : f32x4.splat(0);
    let c10 = c00,
      c11 = c01,
      c20 = c00,
      c21 = c01,
      c30 = c00,
      c31 = c01;
    let values = panel,
      entry = offsets;
    while (entry < whole) {
      let offset = <usize>load<u32>(entry),
        b0 = v128.load(values),
        b1 = v128.load(values, 16);
      let value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -1) break;
      offset = <usize>load<u32>(entry, 4);
      b0 = v128.load(values, 32);
      b1 = v128.load(values, 48);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -2) break;
      offset = <usize>load<u32>(entry, 8);
      b0 = v128.load(values, 64);
      b1 = v128.load(values, 80);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -3) break;
      offset = <usize>load<u32>(entry, 12);
      b0 = v128.load(values, 96);
      b1 = v128.load(values, 112);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      entry += 16;
      values += 128;
    }
    for (; entry < end; entry += 4) {
      let offset = <usize>load<u32>(entry),
        b0 = v128.load(values),
        b1 = v128.load(values, 16);
      let value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      values += 32;
    }
    const c1 = target + (step1 ? targetStep : 0),
      c2 = c1 + (step2 ? targetStep : 0),
      c3 = c2 + (step3 ? targetStep : 0);
    finishRow(target, c00, c01, columns, relu);
    finishRow(c1, c10, c11, columns, relu);
    finishRow(c2, c20, c21, columns, relu);
    finishRow(c3, c30, c31, columns, relu);
    start += 4 * step;
    target += 4 * targetStep;
  }
}

/**
 * c[count, 8] = a[count, depth] · panel[depth, 8], of rows whose values lie side by side: they need no table of offsets. Rows lie `step` and `targetStep` bytes
 * apart; of a last four that is not whole, the last row is done again.
 */
export function multiplyRows(
  depth: i32,
  a: usize,
  step: usize,
  count: i32,
  values: usize,
  c: usize,
  targetStep: usize,
): void {
  const last = count - 1;
  const end = values + ((<usize>depth) << 5),
    whole = end - ((<usize>(depth & 3)) << 5);
  for (let row = 0; row < count; row += 4) {
    const row1 = min(row + 1, last),
      row2 = min(row + 2, last),
      row3 = min(row + 3, last);
    let a0 = a + <usize>row * step,
      a1 = a + <usize>row1 * step,
      a2 = a + <usize>row2 * step,
      a3 = a + <usize>row3 * step;
    let c00 = f32x4.splat(0),
      c01 = c00,
      c10 = c00,
      c11 = c00,
      c20 = c00,
      c21 = c00,
      c30 = c00,
      c31 = c00;
    let panel = values;
    while (panel < whole) {
      let b0 = v128.load(panel),
        b1 = v128.load(panel, 16);
      let value = v128.load32_splat(a0);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -1) break;
      b0 = v128.load(panel, 32);
      b1 = v128.load(panel, 48);
      value = v128.load32_splat(a0, 4);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2, 4);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3, 4);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -2) break;
      b0 = v128.load(panel, 64);
      b1 = v128.load(panel, 80);
      value = v128.load32_splat(a0, 8);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1, 8);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3, 8);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -3) break;
      b0 = v128.load(panel, 96);
      b1 = v128.load(panel, 112);
      value = v128.load32_splat(a0, 12);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1, 12);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2, 12);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      panel += 128;
      a0 += 16;
      a1 += 16;
      a2 += 16;
      a3 += 16;
    }
    for (; panel < end; panel += 32) {
      let b0 = v128.load(panel),
        b1 = v128.load(panel, 16);
      let value = v128.load32_splat(a0);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
    }
    const t0 = c + <usize>row * targetStep,
      t1 = c + <usize>row1 * targetStep,
      t2 = c + <usize>row2 * targetStep,
      t3 = c + <usize>row3 * targetStep;
    v128.store(t0, c00);
    v128.store(t0, c01, 16);
    v128.store(t1, c10);
    v128.store(t1, c11, 16);
    v128.store(t2, c20);
    v128.store(t2, c21, 16);
    v128.store(t3, c30);
    v128.store(t3, c31, 16);
  }
}

/**
 * c[count, 8] = (accumulate ? c : 0) + aᵀ · panel[depth, 8] of a[depth, count], whose rows lie `step` bytes apart, those of c `targetStep`; `count` is a
 * whole number of fours. Four neighbours of a have one address between them.
 */
export function multiplyTransposed(
  depth: i32,
  a: usize,
  step: usize,
  count: i32,
  values: usize,
  c: usize,
  targetStep: usize,
  accumulate: bool,
): void {
  const end = values + ((<usize>depth) << 5),
    whole = end - ((<usize>(depth & 3)) << 5);
  for (let row = 0; row < count; row += 4) {
    let c00 = f32x4.splat(0),
      c01 = c00,
      c10 = c00,
      c11 = c00,
      c20 = c00,
      c21 = c00,
      c30 = c00,
      c31 = c00;
    let from = a,
      panel = values;
    while (panel < whole) {
      let b0 = v128.load(panel),
        b1 = v128.load(panel, 16);
      let value = v128.load32_splat(from);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(from, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(from, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(from, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -1) break;
      from += step;
      b0 = v128.load(panel, 32);
      b1 = v128.load(panel, 48);
      value = v128.load32_splat(from);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(from, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(from, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(from, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -2) break;
      from += step;
      b0 = v128.load(panel, 64);
      b1 = v128.load(panel, 80);
      value = v128.load32_splat(from);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(from, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(from, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(from, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -3) break;
      from += step;
      b0 = v128.load(panel, 96);
      b1 = v128.load(panel, 112);
      value = v128.load32_splat(from);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(from, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(from, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(from, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      from += step;
      panel += 128;
    }
    for (; panel < end; panel += 32) {
      const b0 = v128.load(panel),
        b1 = v128.load(panel, 16);
      let value = v128.load32_splat(from);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(from, 4);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(from, 8);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(from, 12);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      from += step;
    }
    storeRow(c, c00, c01, accumulate);
    storeRow(c + targetStep, c10, c11, accumulate);
    storeRow(c + 2 * targetStep, c20, c21, accumulate);
    storeRow(c + 3 * targetStep, c30, c31, accumulate);
    a += 16;
    c += 4 * targetStep;
  }
}

// @ts-ignore: decorator
@inline
function finishRow(c: usize, low: v128, high: v128, columns: i32, relu: bool): void {
  low = activate(low, relu);
  high = activate(high, relu);
  if (columns == TILE_COLUMNS) {
    v128.store(c, low);
    v128.store(c, high, 16);
  } else {
    storeEight(c, low, high, columns);
  }
}

function storeEight(c: usize, low: v128, high: v128, columns: i32): void {
  storeLanes(c, low, columns);
  storeLanes(c + 16, high, columns - 4);
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

/** Adds to (or sets) the part of a row-major target that a tile at its edge covers, which lies at the beginning of the workspace. */
export function copyEdge(target: usize, stride: usize, rows: i32, columns: i32, accumulate: bool): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const offset = (<usize>column) << 2;
      const value = load<f32>(workspace + ((row * TILE_COLUMNS) << 2) + offset);
      store<f32>(target + offset, accumulate ? load<f32>(target + offset) + value : value);
    }
    target += stride;
  }
}

/** A tile of which `rows` × `columns` belong to C: the others go to the first TILE_BYTES of the workspace. */
export function multiplyInto(
  c: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  offsets: usize,
  panel: usize,
  accumulate: bool,
): void {
  if (rows == TILE_ROWS && columns == TILE_COLUMNS) {
    multiplyTile(depth, a0, a1, a2, a3, offsets, panel, c, stride, accumulate);
  } else {
    multiplyTile(depth, a0, a1, a2, a3, offsets, panel, workspace, TILE_COLUMNS << 2, false);
    copyEdge(c, stride, rows, columns, accumulate);
  }
}

/** panel[depth, 8] = b[depth, columns ≤ 8] filled up with zeros; element (k, n) lies at b + k · rowBytes + n · columnBytes. */
export function packPanel(panel: usize, b: usize, rowBytes: usize, columnBytes: usize, depth: i32, columns: i32): void {
  const end = panel + ((<usize>depth) << 5);
  if (columnBytes != 4) {
    for (; panel < end; panel += 32) {
      for (let n = 0; n < TILE_COLUMNS; n++) {
        store<f32>(panel + ((<usize>n) << 2), n < columns ? load<f32>(b + <usize>n * columnBytes) : 0);
      }
      b += rowBytes;
    }
    return;
  }
  // What is loaded beyond the columns is other memory, and left out.
  const places = i32x4(0, 1, 2, 3),
    low = i32x4.lt_s(places, i32x4.splat(columns)),
    high = i32x4.lt_s(places, i32x4.splat(columns - 4));
  for (; panel < end; panel += 32) {
    v128.store(panel, v128.and(v128.load(b), low));
    v128.store(panel, v128.and(v128.load(b, 16), high), 16);
    b += rowBytes;
  }
}

/** offsets[count] = 0, step, 2 · step, …: values that lie evenly. */
export function evenOffsets(offsets: usize, count: i32, stepBytes: usize): void {
  for (let i = 0; i < count; i++) store<u32>(offsets + ((<usize>i) << 2), <u32>(<usize>i * stepBytes));
}

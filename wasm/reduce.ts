// Sums, maxima and their gradients along the middle of arrays [outer, length, inner] (src/kernels/reduce). AssemblyScript. Addresses are bytes.
import { partEnd } from './range';

/** Values that are summed before their sum joins the total: keeps the rounding error of long sums small. */
const BLOCK: i32 = 64;

/** Σ of `count` neighbouring values (their squares) in sixteen places, block by block. */
function sumRun(x: usize, count: i32, squares: bool): f32 {
  let total = f32x4.splat(0);
  let sum: f32 = 0;
  while (count >= 16) {
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0;
    for (let block = 0; block < BLOCK && count >= 16; block++) {
      const v0 = v128.load(x),
        v1 = v128.load(x, 16),
        v2 = v128.load(x, 32),
        v3 = v128.load(x, 48);
      s0 = f32x4.add(s0, squares ? f32x4.mul(v0, v0) : v0);
      s1 = f32x4.add(s1, squares ? f32x4.mul(v1, v1) : v1);
      s2 = f32x4.add(s2, squares ? f32x4.mul(v2, v2) : v2);
      s3 = f32x4.add(s3, squares ? f32x4.mul(v3, v3) : v3);
      x += 64;
      count -= 16;
    }
    total = f32x4.add(total, f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }
  for (; count > 0; count--) {
    const value = load<f32>(x);
    sum += squares ? value * value : value;
    x += 4;
  }
  const pairs = f32x4.add(total, i32x4.shuffle(total, total, 2, 3, 0, 1));
  return sum + f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/**
 * Part slice · outer + o: sums[slice, o, inner] = scale · Σ over the slice's part of the length of x[o, ·, inner].
 */
export function axisSum(
  part: i32,
  x: usize,
  sums: usize,
  outer: i32,
  length: i32,
  inner: i32,
  lengthOfSlice: i32,
  scale: f32,
): void {
  const o = part % outer,
    first = (part / outer) * lengthOfSlice,
    end = min(first + lengthOfSlice, length);
  x += (<usize>((o * length + first) * inner)) << 2;
  sums += (<usize>(part * inner)) << 2;
  if (inner == 1) {
    store<f32>(sums, scale * sumRun(x, end - first, false));
    return;
  }
  const rowBytes = (<usize>inner) << 2;
  let c: usize = 0;
  for (; c + 16 <= rowBytes; c += 16) {
    let total = f32x4.splat(0);
    let from = x + c;
    for (let k = first; k < end;) {
      let sum = f32x4.splat(0);
      for (const last = min(k + BLOCK, end); k < last; k++) {
        sum = f32x4.add(sum, v128.load(from));
        from += rowBytes;
      }
      total = f32x4.add(total, sum);
    }
    v128.store(sums + c, f32x4.mul(total, f32x4.splat(scale)));
  }
  for (; c < rowBytes; c += 4) {
    let total: f32 = 0;
    let from = x + c;
    for (let k = first; k < end;) {
      let sum: f32 = 0;
      for (const last = min(k + BLOCK, end); k < last; k++) {
        sum += load<f32>(from);
        from += rowBytes;
      }
      total += sum;
    }
    store<f32>(sums + c, scale * total);
  }
}

/** sums[part] = scale · Σ of the squares of the part's values */
export function sumOfSquares(part: i32, x: usize, sums: usize, count: i32, chunk: i32, scale: f32): void {
  const first = part * chunk;
  store<f32>(
    sums + ((<usize>part) << 2),
    scale * sumRun(x + ((<usize>first) << 2), partEnd(part, chunk, count) - first, true),
  );
}

/** Rows [part · chunk, …) of x [outer · length, inner]: scale · sums[outer, inner] */
export function axisBroadcast(
  part: i32,
  sums: usize,
  x: usize,
  rows: i32,
  length: i32,
  inner: i32,
  chunk: i32,
  scale: f32,
): void {
  const rowBytes = (<usize>inner) << 2;
  const all = f32x4.splat(scale);
  const end = partEnd(part, chunk, rows);
  x += <usize>(part * chunk) * rowBytes;
  for (let row = part * chunk; row < end; row++) {
    const from = sums + <usize>(row / length) * rowBytes;
    let c: usize = 0;
    for (; c + 16 <= rowBytes; c += 16) v128.store(x + c, f32x4.mul(all, v128.load(from + c)));
    for (; c < rowBytes; c += 4) store<f32>(x + c, scale * load<f32>(from + c));
    x += rowBytes;
  }
}

/** y[part, inner] = the largest of x[part, ·, inner], places where it was first; NaN counts as the largest. */
export function axisMax(part: i32, x: usize, y: usize, places: usize, length: i32, inner: i32): void {
  const rowBytes = (<usize>inner) << 2;
  x += <usize>part * <usize>length * rowBytes;
  y += <usize>part * rowBytes;
  places += <usize>part * rowBytes;
  let c: usize = 0;
  for (; c + 16 <= rowBytes; c += 16) {
    let best = v128.load(x + c),
      place = i32x4.splat(0);
    let from = x + c;
    for (let k = 1; k < length; k++) {
      from += rowBytes;
      const value = v128.load(from);
      const better = v128.or(f32x4.gt(value, best), f32x4.ne(value, value));
      best = v128.bitselect(value, best, better);
      place = v128.bitselect(i32x4.splat(k), place, better);
    }
    v128.store(y + c, best);
    v128.store(places + c, place);
  }
  for (; c < rowBytes; c += 4) {
    let best = load<f32>(x + c),
      place = 0;
    let from = x + c;
    for (let k = 1; k < length; k++) {
      from += rowBytes;
      const value = load<f32>(from);
      if (value > best || value != value) {
        best = value;
        place = k;
      }
    }
    store<f32>(y + c, best);
    store<i32>(places + c, place);
  }
}

/** dx[part, length, inner] = 0, and dy[part, inner] at its place */
export function axisMaxGradient(part: i32, dy: usize, places: usize, dx: usize, length: i32, inner: i32): void {
  const rowBytes = (<usize>inner) << 2;
  dx += <usize>part * <usize>length * rowBytes;
  dy += <usize>part * rowBytes;
  places += <usize>part * rowBytes;
  memory.fill(dx, 0, <usize>length * rowBytes);
  for (let c: usize = 0; c < rowBytes; c += 4)
    store<f32>(dx + <usize>load<i32>(places + c) * rowBytes + c, load<f32>(dy + c));
}

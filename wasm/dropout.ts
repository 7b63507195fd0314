// Dropout (src/kernels/elementwise/dropout.ts): Philox 4×32-10 as in src/tensor/random.ts, four blocks at a time. AssemblyScript.
import { high } from './philox';
import { partEnd } from './range';

/** y = x · scale where the element's random number is at least `threshold`, else 0; `chunk` is a multiple of 16, the numbers begin with block `first`. */
export function dropout(
  part: i32,
  x: usize,
  step: usize,
  y: usize,
  count: i32,
  chunk: i32,
  threshold: i32,
  scale: f32,
  seedLow: i32,
  seedHigh: i32,
  stream: i32,
  layer: i32,
  first: i32,
): void {
  const end = partEnd(part, chunk, count);
  const m0 = i32x4.splat(<i32>0xd2511f53),
    m1 = i32x4.splat(<i32>0xcd9e8d57),
    least = i32x4.splat(threshold),
    factor = f32x4.splat(scale);
  const moment = load<i32>(step);
  for (let i = part * chunk; i < end; i += 16) {
    let c0 = i32x4.add(i32x4.splat(first + (i >> 2)), i32x4(0, 1, 2, 3));
    let c1 = i32x4.splat(stream),
      c2 = i32x4.splat(moment),
      c3 = i32x4.splat(layer);
    let k0 = seedLow,
      k1 = seedHigh;
    for (let round = 0; round < 10; round++) {
      const high0 = high(m0, c0),
        high1 = high(m1, c2);
      const low0 = i32x4.mul(m0, c0),
        low1 = i32x4.mul(m1, c2);
      c0 = v128.xor(v128.xor(high1, c1), i32x4.splat(k0));
      c1 = low1;
      c2 = v128.xor(v128.xor(high0, c3), i32x4.splat(k1));
      c3 = low0;
      k0 += <i32>0x9e3779b9;
      k1 += <i32>0xbb67ae85;
    }
    // Block b's four words are its elements: a transposition.
    const a0 = i32x4.shuffle(c0, c1, 0, 4, 1, 5),
      a1 = i32x4.shuffle(c0, c1, 2, 6, 3, 7);
    const a2 = i32x4.shuffle(c2, c3, 0, 4, 1, 5),
      a3 = i32x4.shuffle(c2, c3, 2, 6, 3, 7);
    const offset = (<usize>i) << 2;
    const left = end - i;
    keep(x + offset, y + offset, i64x2.shuffle(a0, a2, 0, 2), least, factor, left);
    keep(x + offset + 16, y + offset + 16, i64x2.shuffle(a0, a2, 1, 3), least, factor, left - 4);
    keep(x + offset + 32, y + offset + 32, i64x2.shuffle(a1, a3, 0, 2), least, factor, left - 8);
    keep(x + offset + 48, y + offset + 48, i64x2.shuffle(a1, a3, 1, 3), least, factor, left - 12);
  }
}

/** Four elements, or the `left` that there are. */
// @ts-ignore: decorator
@inline
function keep(x: usize, y: usize, words: v128, least: v128, factor: v128, left: i32): void {
  const value = v128.and(f32x4.mul(v128.load(x), factor), i32x4.ge_s(i32x4.shr_u(words, 8), least));
  if (left >= 4) {
    v128.store(y, value);
    return;
  }
  if (left > 0) v128.store_lane<f32>(y, value, 0);
  if (left > 1) v128.store_lane<f32>(y, value, 1, 4);
  if (left > 2) v128.store_lane<f32>(y, value, 2, 8);
}

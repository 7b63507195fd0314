// The arithmetic of decoding JPEG, 8 or 16 samples at a time. AssemblyScript. What is done and why, say the twins in
// src/data/jpeg: inverse-dct.ts, upsample.ts, colours.ts. Addresses are bytes; a row may be read and written up to 32 bytes
// behind its end.

const FACTOR_BITS: i32 = 13;
const COLUMN_BITS: i32 = 2;
const SCALE_BITS: i32 = 3;

/** A row of blocks: coefficients [blocks, 64], factors [64] and workspace [64] of i16; samples [8, blocks · 8] of u8. */
export function inverseDct(
  coefficients: usize,
  factors: usize,
  workspace: usize,
  blocks: i32,
  samples: usize,
  stride: i32,
): void {
  for (let block = 0; block < blocks; block++) {
    const first = i16x8.mul(v128.load(coefficients), v128.load(factors));
    if (!hasOtherRows(coefficients)) {
      const columns = i16x8.shl(first, COLUMN_BITS);
      if (!v128.any_true(i16x8.replace_lane(first, 0, 0))) {
        const level = bytesOf(
          i16x8.splat(<i16>((<i32>i16x8.extract_lane_s(columns, 0) + 16) >> (COLUMN_BITS + SCALE_BITS))),
        );
        for (let row = 0, to = samples; row < 8; row++, to += stride) v128.store64_lane(to, level, 0);
        coefficients += 128;
        samples += 8;
        continue;
      }
      spread(columns, workspace);
    } else {
      v128.store(workspace, first);
      for (let row: usize = 16; row < 128; row += 16) {
        v128.store(workspace + row, i16x8.mul(v128.load(coefficients + row), v128.load(factors + row)));
      }
      transform(workspace, FACTOR_BITS - COLUMN_BITS);
    }
    transform(workspace, FACTOR_BITS + COLUMN_BITS + SCALE_BITS);
    for (let row: usize = 0, to = samples; row < 128; row += 16, to += stride) {
      v128.store64_lane(to, bytesOf(v128.load(workspace + row)), 0);
    }
    coefficients += 128;
    samples += 8;
  }
}

// @ts-ignore: decorator
@inline
function hasOtherRows(coefficients: usize): bool {
  let any = v128.load(coefficients, 16);
  for (let row: usize = 32; row < 128; row += 16) any = v128.or(any, v128.load(coefficients + row));
  return v128.any_true(any);
}

/** Each number becomes a row of the block. */
// @ts-ignore: decorator
@inline
function spread(numbers: v128, block: usize): void {
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 0)));
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 1)), 16);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 2)), 32);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 3)), 48);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 4)), 64);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 5)), 80);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 6)), 96);
  v128.store(block, i16x8.splat(i16x8.extract_lane_s(numbers, 7)), 112);
}

/** −128…127, what lies beyond cut off, to 0…255. */
// @ts-ignore: decorator
@inline
function bytesOf(samples: v128): v128 {
  return v128.xor(i8x16.narrow_i16x8_s(samples, samples), i8x16.splat(-128));
}

/** Transforms the columns of a block, which become its rows. */
// @ts-ignore: decorator
@inline
function transform(block: usize, shift: i32): void {
  const x0 = v128.load(block),
    x1 = v128.load(block, 16),
    x2 = v128.load(block, 32),
    x3 = v128.load(block, 48);
  const x4 = v128.load(block, 64),
    x5 = v128.load(block, 80),
    x6 = v128.load(block, 96),
    x7 = v128.load(block, 112);
  const half = i32x4.splat(1 << (shift - 1));
  const sum = i16x8.add(x0, x4),
    difference = i16x8.sub(x0, x4);
  const z3 = i16x8.add(x7, x3),
    z4 = i16x8.add(x5, x1);

  // lower four columns, then upper four: pairs of columns side by side, multiplied and added at once
  const x26 = low(x2, x6),
    z34 = low(z3, z4),
    x71 = low(x7, x1),
    x53 = low(x5, x3);
  const even2 = dot(x26, 10703, 4433),
    even6 = dot(x26, 4433, -10704);
  const s = i32x4.add(i32x4.shl(i32x4.extend_low_i16x8_s(sum), FACTOR_BITS), half);
  const d = i32x4.add(i32x4.shl(i32x4.extend_low_i16x8_s(difference), FACTOR_BITS), half);
  const e0 = i32x4.add(s, even2),
    e3 = i32x4.sub(s, even2),
    e1 = i32x4.add(d, even6),
    e2 = i32x4.sub(d, even6);
  const y3 = dot(z34, -6436, 9633),
    y4 = dot(z34, 9633, 6437);
  const o3 = i32x4.add(dot(x71, -4927, -7373), y3),
    o0 = i32x4.add(dot(x71, -7373, 4926), y4);
  const o2 = i32x4.add(dot(x53, -4176, -20995), y4),
    o1 = i32x4.add(dot(x53, -20995, 4177), y3);

  const X26 = high(x2, x6),
    Z34 = high(z3, z4),
    X71 = high(x7, x1),
    X53 = high(x5, x3);
  const EVEN2 = dot(X26, 10703, 4433),
    EVEN6 = dot(X26, 4433, -10704);
  const S = i32x4.add(i32x4.shl(i32x4.extend_high_i16x8_s(sum), FACTOR_BITS), half);
  const D = i32x4.add(i32x4.shl(i32x4.extend_high_i16x8_s(difference), FACTOR_BITS), half);
  const E0 = i32x4.add(S, EVEN2),
    E3 = i32x4.sub(S, EVEN2),
    E1 = i32x4.add(D, EVEN6),
    E2 = i32x4.sub(D, EVEN6);
  const Y3 = dot(Z34, -6436, 9633),
    Y4 = dot(Z34, 9633, 6437);
  const O3 = i32x4.add(dot(X71, -4927, -7373), Y3),
    O0 = i32x4.add(dot(X71, -7373, 4926), Y4);
  const O2 = i32x4.add(dot(X53, -4176, -20995), Y4),
    O1 = i32x4.add(dot(X53, -20995, 4177), Y3);

  const r0 = narrow(i32x4.add(e0, o0), i32x4.add(E0, O0), shift),
    r7 = narrow(i32x4.sub(e0, o0), i32x4.sub(E0, O0), shift);
  const r1 = narrow(i32x4.add(e1, o1), i32x4.add(E1, O1), shift),
    r6 = narrow(i32x4.sub(e1, o1), i32x4.sub(E1, O1), shift);
  const r2 = narrow(i32x4.add(e2, o2), i32x4.add(E2, O2), shift),
    r5 = narrow(i32x4.sub(e2, o2), i32x4.sub(E2, O2), shift);
  const r3 = narrow(i32x4.add(e3, o3), i32x4.add(E3, O3), shift),
    r4 = narrow(i32x4.sub(e3, o3), i32x4.sub(E3, O3), shift);

  // rows become columns
  const a0 = low(r0, r4),
    a1 = high(r0, r4),
    a2 = low(r1, r5),
    a3 = high(r1, r5);
  const a4 = low(r2, r6),
    a5 = high(r2, r6),
    a6 = low(r3, r7),
    a7 = high(r3, r7);
  const b0 = low(a0, a4),
    b1 = high(a0, a4),
    b2 = low(a1, a5),
    b3 = high(a1, a5);
  const b4 = low(a2, a6),
    b5 = high(a2, a6),
    b6 = low(a3, a7),
    b7 = high(a3, a7);
  v128.store(block, low(b0, b4));
  v128.store(block, high(b0, b4), 16);
  v128.store(block, low(b1, b5), 32);
  v128.store(block, high(b1, b5), 48);
  v128.store(block, low(b2, b6), 64);
  v128.store(block, high(b2, b6), 80);
  v128.store(block, low(b3, b7), 96);
  v128.store(block, high(b3, b7), 112);
}

/** a0 b0 a1 b1 a2 b2 a3 b3 */
// @ts-ignore: decorator
@inline
function low(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** a4 b4 a5 b5 a6 b6 a7 b7 */
// @ts-ignore: decorator
@inline
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** a · p + b · q of pairs a b */
// @ts-ignore: decorator
@inline
function dot(pairs: v128, p: i16, q: i16): v128 {
  return i32x4.dot_i16x8_s(pairs, i32x4.splat(((<i32>q) << 16) | (<i32>p & 0xffff)));
}

// @ts-ignore: decorator
@inline
function narrow(a: v128, b: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(i32x4.shr_s(a, shift), i32x4.shr_s(b, shift));
}

/** [width] → [2 · width]; the samples beside the row repeat its ends */
export function doubleColumns(from: usize, width: i32, to: usize): void {
  for (const end = from + width; from < end; from += 8, to += 16) {
    const sample = i16x8.mul(v128.load8x8_u(from), i16x8.splat(3));
    const even = i16x8.add(i16x8.add(sample, v128.load8x8_u(from - 1)), i16x8.splat(1));
    const odd = i16x8.add(i16x8.add(sample, v128.load8x8_u(from + 1)), i16x8.splat(2));
    storeInTurns(to, i16x8.shr_u(even, 2), i16x8.shr_u(odd, 2));
  }
}

/** [width] → [width] */
export function betweenRows(near: usize, far: usize, rounding: i32, width: i32, to: usize): void {
  for (const end = to + width; to < end; near += 8, far += 8, to += 8) {
    const sum = i16x8.add(tripled(near, far), i16x8.splat(<i16>rounding));
    const bytes = i16x8.shr_u(sum, 2);
    v128.store64_lane(to, i8x16.narrow_i16x8_u(bytes, bytes), 0);
  }
}

/** [width] → [2 · width]; the samples beside the rows repeat their ends */
export function doubleColumnsBetweenRows(near: usize, far: usize, width: i32, to: usize): void {
  for (const end = near + width; near < end; near += 8, far += 8, to += 16) {
    const sum = i16x8.mul(tripled(near, far), i16x8.splat(3));
    const even = i16x8.add(i16x8.add(sum, tripled(near - 1, far - 1)), i16x8.splat(8));
    const odd = i16x8.add(i16x8.add(sum, tripled(near + 1, far + 1)), i16x8.splat(7));
    storeInTurns(to, i16x8.shr_u(even, 4), i16x8.shr_u(odd, 4));
  }
}

/** 3 · near + far */
// @ts-ignore: decorator
@inline
function tripled(near: usize, far: usize): v128 {
  return i16x8.add(i16x8.mul(v128.load8x8_u(near), i16x8.splat(3)), v128.load8x8_u(far));
}

// @ts-ignore: decorator
@inline
function storeInTurns(to: usize, even: v128, odd: v128): void {
  v128.store(to, v128.or(even, i16x8.shl(odd, 8)));
}

/** [width] each → [width, 3] */
export function rgbFromYcc(y: usize, cb: usize, cr: usize, width: i32, to: usize): void {
  const centre = i16x8.splat(128);
  for (const end = y + width; y < end; y += 16, cb += 16, cr += 16, to += 48) {
    const y0 = v128.load8x8_u(y),
      b0 = i16x8.sub(v128.load8x8_u(cb), centre),
      r0 = i16x8.sub(v128.load8x8_u(cr), centre);
    const y1 = v128.load8x8_u(y + 8),
      b1 = i16x8.sub(v128.load8x8_u(cb + 8), centre),
      r1 = i16x8.sub(v128.load8x8_u(cr + 8), centre);
    storeRgb(
      to,
      i8x16.narrow_i16x8_u(red(y0, r0), red(y1, r1)),
      i8x16.narrow_i16x8_u(green(y0, b0, r0), green(y1, b1, r1)),
      i8x16.narrow_i16x8_u(blue(y0, b0), blue(y1, b1)),
    );
  }
}

// Factors beyond 16 bits are split: 91881 = 65536 + 26345, −46802 = −65536 + 18734, 116130 = 2 · 65536 − 14942.

// @ts-ignore: decorator
@inline
function red(y: v128, cr: v128): v128 {
  return i16x8.add(i16x8.add(y, cr), fraction(cr, cr, 26345, 0));
}

// @ts-ignore: decorator
@inline
function green(y: v128, cb: v128, cr: v128): v128 {
  return i16x8.add(i16x8.sub(y, cr), fraction(cb, cr, -22554, 18734));
}

// @ts-ignore: decorator
@inline
function blue(y: v128, cb: v128): v128 {
  return i16x8.add(i16x8.add(y, i16x8.shl(cb, 1)), fraction(cb, cb, -14942, 0));
}

/** (a · p + b · q) / 65536, rounded */
// @ts-ignore: decorator
@inline
function fraction(a: v128, b: v128, p: i16, q: i16): v128 {
  const half = i32x4.splat(1 << 15);
  return narrow(i32x4.add(dot(low(a, b), p, q), half), i32x4.add(dot(high(a, b), p, q), half), 16);
}

/** [width] each → [width, 3] */
export function rgbFromPlanes(red: usize, green: usize, blue: usize, width: i32, to: usize): void {
  for (const end = red + width; red < end; red += 16, green += 16, blue += 16, to += 48) {
    storeRgb(to, v128.load(red), v128.load(green), v128.load(blue));
  }
}

/** 16 pixels */
// @ts-ignore: decorator
@inline
function storeRgb(to: usize, r: v128, g: v128, b: v128): void {
  const rg0 = v128.shuffle<u8>(r, g, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  const rg1 = v128.shuffle<u8>(r, g, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
  const rg2 = v128.shuffle<u8>(r, g, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
  v128.store(to, v128.shuffle<u8>(rg0, b, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
  v128.store(to, v128.shuffle<u8>(rg1, b, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15), 16);
  v128.store(to, v128.shuffle<u8>(rg2, b, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31), 32);
}

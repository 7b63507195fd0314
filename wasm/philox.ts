// What Philox 4×32-10 (src/tensor/random.ts) is made of, four blocks at a time, and random numbers by it. AssemblyScript.

/** High halves of the products of four unsigned integers by four. */
// @ts-ignore: decorator
@inline
export function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(
    i64x2.extmul_low_i32x4_u(a, b),
    i64x2.extmul_high_i32x4_u(a, b),
    4,
    5,
    6,
    7,
    12,
    13,
    14,
    15,
    20,
    21,
    22,
    23,
    28,
    29,
    30,
    31,
  );
}

/** low + range · (bits / 2^24) of the upper 24 bits of each word, in float64 as JavaScript computes it, then rounded. */
// @ts-ignore: decorator
@inline
function uniform(words: v128, low: v128, range: v128): v128 {
  const bits = i32x4.shr_u(words, 8),
    unit = f64x2.splat(1.0 / 16777216.0);
  const first = f64x2.add(low, f64x2.mul(range, f64x2.mul(f64x2.convert_low_i32x4_u(bits), unit)));
  const rest = i64x2.shuffle(bits, bits, 1, 1);
  const second = f64x2.add(low, f64x2.mul(range, f64x2.mul(f64x2.convert_low_i32x4_u(rest), unit)));
  return i64x2.shuffle(f32x4.demote_f64x2_zero(first), f32x4.demote_f64x2_zero(second), 0, 2);
}

/** 16 numbers for each of `rounds`, from the blocks that begin with the counter c0, c1, c2, c3 and the key k0, k1. */
export function fillUniform(
  out: usize,
  rounds: i32,
  c0: i32,
  c1: i32,
  c2: i32,
  c3: i32,
  k0: i32,
  k1: i32,
  least: f64,
  width: f64,
): void {
  const m0 = i32x4.splat(<i32>0xd2511f53),
    m1 = i32x4.splat(<i32>0xcd9e8d57),
    low = f64x2.splat(least),
    range = f64x2.splat(width);
  for (let i = 0; i < rounds; i++, c0 += 4, out += 64) {
    let x0 = i32x4.add(i32x4.splat(c0), i32x4(0, 1, 2, 3));
    let x1 = i32x4.splat(c1),
      x2 = i32x4.splat(c2),
      x3 = i32x4.splat(c3);
    let key0 = k0,
      key1 = k1;
    for (let round = 0; round < 10; round++) {
      const high0 = high(m0, x0),
        high1 = high(m1, x2);
      const low0 = i32x4.mul(m0, x0),
        low1 = i32x4.mul(m1, x2);
      x0 = v128.xor(v128.xor(high1, x1), i32x4.splat(key0));
      x1 = low1;
      x2 = v128.xor(v128.xor(high0, x3), i32x4.splat(key1));
      x3 = low0;
      key0 += <i32>0x9e3779b9;
      key1 += <i32>0xbb67ae85;
    }
    // Block b's four words are its numbers: a transposition.
    const a0 = i32x4.shuffle(x0, x1, 0, 4, 1, 5),
      a1 = i32x4.shuffle(x0, x1, 2, 6, 3, 7);
    const a2 = i32x4.shuffle(x2, x3, 0, 4, 1, 5),
      a3 = i32x4.shuffle(x2, x3, 2, 6, 3, 7);
    v128.store(out, uniform(i64x2.shuffle(a0, a2, 0, 2), low, range));
    v128.store(out + 16, uniform(i64x2.shuffle(a0, a2, 1, 3), low, range));
    v128.store(out + 32, uniform(i64x2.shuffle(a1, a3, 0, 2), low, range));
    v128.store(out + 48, uniform(i64x2.shuffle(a1, a3, 1, 3), low, range));
  }
}

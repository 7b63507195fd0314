/**
 * Coefficients to samples: the inverse discrete cosine transform in the integer arithmetic of libjpeg's `jidctint.c`, bit for
 * bit. Source: C. Loeffler, A. Ligtenberg and G. Moschytz, Practical Fast 1-D DCT Algorithms with 11 Multiplications,
 * ICASSP 1989.
 */

/** The transform's factors have this many fractional bits. */
const FACTOR_BITS = 13;
/** Columns leave results of so many fractional bits to the rows. */
const COLUMN_BITS = 2;
/** A transform of 8 × 8 numbers makes them 8 times larger. */
const SCALE_BITS = 3;

/** The block that is being transformed. */
const block = new Int32Array(64);

/**
 * A row of blocks.
 *
 * @param words coefficients [blocks, 64], each block row by row, from `coefficients` on; what they are multiplied by, [64],
 *   from `factors` on
 * @param samples [8, 8 · blocks] from `to` on, rows `stride` apart
 */
export function inverseDct(
  words: Int16Array,
  coefficients: number,
  factors: number,
  blocks: number,
  samples: Uint8ClampedArray,
  to: number,
  stride: number,
): void {
  for (const end = coefficients + 64 * blocks; coefficients < end; coefficients += 64, to += 8) {
    // In 16 bits, as in libjpeg-turbo's vector code, here and below: only broken files need more.
    for (let index = 0; index < 64; index++) block[index] = int16(words[coefficients + index] * words[factors + index]);
    if (words.subarray(coefficients + 8, coefficients + 64).some((number) => number !== 0)) {
      for (let column = 0; column < 8; column++) transform(column, 8, FACTOR_BITS - COLUMN_BITS);
    } else {
      for (let index = 63; index >= 0; index--) block[index] = int16(block[index & 7] << COLUMN_BITS);
    }
    for (let row = 0; row < 64; row += 8) transform(row, 1, FACTOR_BITS + COLUMN_BITS + SCALE_BITS);
    for (let index = 0; index < 64; index++) samples[to + (index >> 3) * stride + (index & 7)] = block[index] + 128;
  }
}

/** Transforms 8 numbers of the block in place, and drops `shift` fractional bits. */
function transform(at: number, step: number, shift: number): void {
  const x0 = block[at];
  const x1 = block[at + step];
  const x2 = block[at + 2 * step];
  const x3 = block[at + 3 * step];
  const x4 = block[at + 4 * step];
  const x5 = block[at + 5 * step];
  const x6 = block[at + 6 * step];
  const x7 = block[at + 7 * step];
  const half = 1 << (shift - 1);

  const sum = (int16(x0 + x4) << FACTOR_BITS) + half;
  const difference = (int16(x0 - x4) << FACTOR_BITS) + half;
  const even2 = 10703 * x2 + 4433 * x6; // 1.306562965, 0.541196100
  const even6 = 4433 * x2 - 10704 * x6; // 0.541196100, 1.306562965
  const e0 = sum + even2;
  const e1 = difference + even6;
  const e2 = difference - even6;
  const e3 = sum - even2;

  const z3 = int16(x3 + x7);
  const z4 = int16(x1 + x5);
  const y3 = 9633 * z4 - 6436 * z3; // 1.175875602, 0.785694958
  const y4 = 9633 * z3 + 6437 * z4; // 1.175875602, 0.785694958
  const o0 = 4926 * x1 - 7373 * x7 + y4; // 0.601344887, 0.899976223
  const o1 = 4177 * x3 - 20995 * x5 + y3; // 0.509795579, 2.562915447
  const o2 = -4176 * x5 - 20995 * x3 + y4; // 0.509795578, 2.562915447
  const o3 = -4927 * x7 - 7373 * x1 + y3; // 0.601344887, 0.899976223

  block[at] = saturate16((e0 + o0) >> shift);
  block[at + step] = saturate16((e1 + o1) >> shift);
  block[at + 2 * step] = saturate16((e2 + o2) >> shift);
  block[at + 3 * step] = saturate16((e3 + o3) >> shift);
  block[at + 4 * step] = saturate16((e3 - o3) >> shift);
  block[at + 5 * step] = saturate16((e2 - o2) >> shift);
  block[at + 6 * step] = saturate16((e1 - o1) >> shift);
  block[at + 7 * step] = saturate16((e0 - o0) >> shift);
}

const int16 = (value: number): number => (value << 16) >> 16;
const saturate16 = (value: number): number => Math.max(-32768, Math.min(32767, value));

/**
 * WGSL functions that the built-in ones are not good enough for. WGSL allows log and exp errors that reach the fourth
 * digit near 1, and gives no meaning to NaN, so that `x != x` may be false for it; these have stated errors and work
 * on bits where NaN matters.
 */

/** true for NaN; comparisons such as `x != x` may be optimised away. */
export const IS_NAN = /* wgsl */ `
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
`;

/** 1.0 for NaN and the infinities, else 0.0. */
export const NOT_FINITE = /* wgsl */ `
fn notFinite(x: f32) -> f32 { return select(0.0, 1.0, (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u); }
`;

/**
 * exp(x) by range reduction, x = n·ln 2 + r with |r| ≤ ln 2 / 2, and the Taylor polynomial of degree 7 in r (truncation
 * below 5e-9 relative): within 2 ulp. The two-part ln 2 keeps r exact (Cody and Waite). Results below 2^-126 are 0,
 * above the largest float infinity; NaN stays NaN.
 */
export const EXP = /* wgsl */ `
fn exponential(x: f32) -> f32 {
  let n = round(clamp(x, -104.0, 89.0) * 1.44269504);
  let r = fma(n, -1.42860677e-6, fma(n, -0.693145752, x));
  var p = fma(r, 1.98412698e-4, 1.38888889e-3);
  p = fma(p, r, 8.33333333e-3);
  p = fma(p, r, 4.16666667e-2);
  p = fma(p, r, 1.66666667e-1);
  p = fma(p, r, 0.5);
  p = fma(p, r * r, r) + 1.0;
  if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return x; }
  if (x > 88.72283) { return x * 3.4e38; } // infinity; WGSL has no literal for it
  if (x < -87.33654) { return 0.0; }
  // 2^n in two factors: n reaches 128, which has no float of its own.
  let half = i32(n) / 2;
  return p * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(i32(n) - half + 127) << 23u);
}
`;

/** sigmoid(x) = 1 / (1 + exp(−x)) without overflow: exp of a number ≤ 0 only. Uses EXP. */
export const SIGMOID = /* wgsl */ `
fn sigmoid(x: f32) -> f32 {
  let e = exponential(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
`;

/**
 * log(1 + u) for 0 ≤ u ≤ 1, as 2·artanh(s) with s = u / (2 + u) ≤ 1/3: odd series to s^15, truncation below 2e-9
 * relative; small u keep all their digits.
 */
export const LOG1P = /* wgsl */ `
fn log1pUnit(u: f32) -> f32 {
  let s = u / (2.0 + u);
  let q = s * s;
  var p = fma(q, 0.0666666667, 0.0769230769);
  p = fma(p, q, 0.0909090909);
  p = fma(p, q, 0.111111111);
  p = fma(p, q, 0.142857143);
  p = fma(p, q, 0.2);
  p = fma(p, q, 0.333333333);
  return 2.0 * fma(p * q, s, s);
}
`;

/**
 * log(x) for positive normal x: x = m·2^k with m in [√½, √2), log x = k·ln 2 + 2·artanh((m − 1)/(m + 1)),
 * series to s^9 with |s| ≤ 0.1716: truncation below 1e-8 relative; within 2 ulp.
 */
export const LOG = /* wgsl */ `
fn logarithm(x: f32) -> f32 {
  let bits = bitcast<i32>(x);
  let k = (bits - 0x3f3504f3) >> 23u; // 0x3f3504f3 is √½
  let m = bitcast<f32>(bits - (k << 23u));
  let s = (m - 1.0) / (m + 1.0);
  let q = s * s;
  var p = fma(q, 0.111111111, 0.142857143);
  p = fma(p, q, 0.2);
  p = fma(p, q, 0.333333333);
  let n = f32(k);
  return fma(n, 0.693145752, fma(n, 1.42860677e-6, 2.0 * fma(p * q, s, s)));
}
`;

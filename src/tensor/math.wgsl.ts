/**
 * WGSL functions that the built-in ones are not good enough for. WGSL allows log and exp errors that reach the fourth
 * digit near 1, and gives no meaning to NaN, so that `x != x` may be false for it; these have stated errors and work
 * on bits where NaN matters.
 */

/** true for NaN, for each component of a vector; comparisons such as `x != x` may be optimised away. */
export const isNanFunction = (type: 'f32' | 'vec4f'): string => {
  const [integers, booleans] = type === 'f32' ? ['u32', 'bool'] : ['vec4u', 'vec4<bool>'];
  return /* wgsl */ `
fn isNan(x: ${type}) -> ${booleans} {
  return (bitcast<${integers}>(x) & ${integers}(0x7fffffffu)) > ${integers}(0x7f800000u);
}
`;
};

/**
 * WGSL expression: x ≤ 0, never true of NaN. On bits: as whole numbers 0 and negative floats are at most 0, and beyond
 * 0xff800000, −∞, lie only NaNs. Drivers may make `select(x, 0.0, x <= 0.0)` a maximum, which loses NaN (NVIDIA's does).
 */
export const notAbove = (x: string, type: 'f32' | 'vec4f' = 'f32'): string => {
  const [signed, unsigned] = type === 'f32' ? ['i32', 'u32'] : ['vec4i', 'vec4u'];
  return `((bitcast<${signed}>(${x}) <= ${signed}(0)) & (bitcast<${unsigned}>(${x}) <= ${unsigned}(0xff800000u)))`;
};

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
 * log(1 + u) for −½ ≤ u ≤ 1, as 2·artanh(s) with s = u / (2 + u), |s| ≤ 1/3: odd series to s^15, truncation below 2e-9
 * relative; small u keep all their digits. Beyond, the logarithm of 1 + u. Uses LOG.
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
fn logarithmOfOnePlus(u: f32) -> f32 {
  if (u >= -0.5 && u <= 1.0) { return log1pUnit(u); }
  return naturalLogarithm(1.0 + u);
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
// For all x: −∞ at 0 and for what devices may take for 0, NaN below; infinity and NaN stay. WGSL has no literals for them.
fn naturalLogarithm(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) < 0x00800000u) { return bitcast<f32>((bits & 0u) | 0xff800000u); }
  if (bits > 0x7f800000u) { return bitcast<f32>(bits | 0x7fc00000u); }
  if (bits == 0x7f800000u) { return x; }
  return logarithm(x);
}
`;

/**
 * tanh(x): an odd polynomial below 0.625, else 1 − 2/(e^2x + 1). Within 2 ulp; NaN stays NaN. Uses EXP.
 * Source of the coefficients: Moshier, Cephes, tanhf.
 */
export const TANH = /* wgsl */ `
fn hyperbolicTangent(x: f32) -> f32 {
  let q = x * x;
  var p = fma(q, -5.70498872745e-3, 2.06390887954e-2);
  p = fma(p, q, -5.37397155531e-2);
  p = fma(p, q, 1.33314422036e-1);
  p = fma(p, q, -3.33332819422e-1);
  let far = 1.0 - 2.0 / (exponential(2.0 * abs(x)) + 1.0);
  return select(select(far, -far, x < 0.0), fma(p * q, x, x), abs(x) < 0.625);
}
`;

/**
 * Φ(x) = ½·erfc(−x/√2), the normal distribution's probability of a value below x. With t = |x|/√2: for t < 1 by a
 * polynomial of erf, beyond by one of e^t²·erfc(t), so that the left tail keeps its digits; NaN stays NaN. Within
 * 3·2^-24 of the largest value, and 40·2^-24 relative in the tail (the rounding of t² in the exponent). Uses EXP.
 * Source of the coefficients: Moshier, Cephes, erff and erfcf.
 */
export const NORMAL = /* wgsl */ `
fn normalProbability(x: f32) -> f32 {
  let t = abs(x) * 0.70710678;
  let q = t * t;
  var e = fma(q, 7.853861353153693e-5, -8.010193625184903e-4);
  e = fma(e, q, 5.188327685732524e-3);
  e = fma(e, q, -2.685381193529856e-2);
  e = fma(e, q, 1.128358514861418e-1);
  e = fma(e, q, -3.761262582423300e-1);
  let half = 0.5 * t * fma(e, q, 1.128379165726710);
  let near = select(0.5 + half, 0.5 - half, x < 0.0);
  let y = 1.0 / max(q, 1.0);
  var m = fma(y, 2.326819970068386e-2, -1.387039388740657e-1);   // 1 ≤ t < 2
  m = fma(m, y, 3.687424674597105e-1);
  m = fma(m, y, -5.824733027278666e-1);
  m = fma(m, y, 6.210004621745983e-1);
  m = fma(m, y, -4.944515323274145e-1);
  m = fma(m, y, 3.404879937665872e-1);
  m = fma(m, y, -2.741127028184656e-1);
  m = fma(m, y, 5.638259427386472e-1);
  var r = fma(y, -1.047766399936249e+1, 1.297719955372516e+1);   // 2 ≤ t
  r = fma(r, y, -7.495518717768503);
  r = fma(r, y, 2.921019019210786);
  r = fma(r, y, -1.015265279202700);
  r = fma(r, y, 4.218463358204948e-1);
  r = fma(r, y, -2.820767439740514e-1);
  r = fma(r, y, 5.641895067754075e-1);
  let tail = 0.5 * exponential(-min(q, 104.0)) / max(t, 1.0) * select(r, m, t < 2.0);
  if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return x; }
  return select(select(1.0 - tail, tail, x < 0.0), near, t < 1.0);
}
`;

/** e^x − 1: Taylor polynomial of degree 8 within ½ of 0, where e^x − 1 would lose digits. Within 4 ulp. Uses EXP. */
export const EXPM1 = /* wgsl */ `
fn exponentialMinusOne(x: f32) -> f32 {
  var p = fma(x, 2.48015873e-5, 1.98412698e-4);
  p = fma(p, x, 1.38888889e-3);
  p = fma(p, x, 8.33333333e-3);
  p = fma(p, x, 4.16666667e-2);
  p = fma(p, x, 1.66666667e-1);
  p = fma(p, x, 0.5);
  return select(exponential(x) - 1.0, fma(p * x, x, x), abs(x) < 0.5);
}
`;

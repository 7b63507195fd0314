// e^x and log x of four values, as in src/tensor/math.wgsl.ts, without fused operations: the same bits in every engine. AssemblyScript.

/** c · x + a */
// @ts-ignore: decorator
@inline
function step(p: v128, x: v128, coefficient: f32): v128 {
  return f32x4.add(f32x4.mul(p, x), f32x4.splat(coefficient));
}

/** 2^n for whole n in −126 … 127: the last bits of n + 1.5·2^23 are n, which go to the exponent's place. */
// @ts-ignore: decorator
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.add(i32x4.shl(f32x4.add(n, f32x4.splat(12582912)), 23), f32x4.splat(1));
}

/** e^x within 2 ulp for x ≤ 0, which is all that softmax asks for; below 2^-126 it is 0. */
export function exp4(x: v128): v128 {
  const n = f32x4.nearest(f32x4.mul(f32x4.pmax(x, f32x4.splat(-104)), f32x4.splat(1.44269504)));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693145752))), f32x4.mul(n, f32x4.splat(1.42860677e-6)));
  let p = f32x4.splat(1.98412698e-4);
  p = step(p, r, 1.38888889e-3);
  p = step(p, r, 8.33333333e-3);
  p = step(p, r, 4.16666667e-2);
  p = step(p, r, 1.66666667e-1);
  p = step(p, r, 0.5);
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  return v128.andnot(f32x4.mul(p, powerOfTwo(n)), f32x4.lt(x, f32x4.splat(-87.33654)));
}

// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** log x within 2 ulp, for normal numbers above 0 */
export function log1(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  const k = (bits - 0x3f3504f3) >> 23; // 0x3f3504f3 is √½
  const m = reinterpret<f32>(bits - (k << 23));
  const s = (m - 1) / (m + 1),
    q = s * s,
    n = <f32>k;
  const p = ((<f32>0.111111111 * q + <f32>0.142857143) * q + <f32>0.2) * q + <f32>0.333333333;
  return n * <f32>0.693145752 + (n * <f32>1.42860677e-6 + 2 * (p * q * s + s));
}

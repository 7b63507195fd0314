// How work is split: a function that takes `part` does the elements [part · chunk, (part + 1) · chunk) of a count. The split
// follows from the sizes alone, so that results do not depend on the number of threads.

// @ts-ignore: decorator
@inline
export function partEnd(part: i32, chunk: i32, count: i32): i32 {
  return min((part + 1) * chunk, count);
}

/** sum + a · b; one rounding instead of two where the engine has relaxed SIMD and the processor fused arithmetic. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum);
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** sum − a · b, rounded as `multiplyAdd`. */
// @ts-ignore: decorator
@inline
export function multiplySubtract(sum: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, sum);
  return f32x4.sub(sum, f32x4.mul(a, b));
}

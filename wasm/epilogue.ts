// What is done to a kernel's sums before they are stored: so far the bias is where a sum begins, and relu may cut it.
// A later activation, or a residual to be added, belongs here. AssemblyScript. Addresses are bytes.

/** relu keeps NaN, as `x <= 0 ? 0 : x` does. */
// @ts-ignore: decorator
@inline
export function activate(value: v128, relu: bool): v128 {
  return relu ? v128.andnot(value, f32x4.le(value, f32x4.splat(0))) : value;
}

/** Stores the first `count` lanes; more than four mean all. */
// @ts-ignore: decorator
@inline
export function storeLanes(to: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, value);
    return;
  }
  if (count > 0) store<f32>(to, f32x4.extract_lane(value, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(value, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(value, 2), 8);
}

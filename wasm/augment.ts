// Warping pictures (src/kernels/augment/augment.ts): uint8 to float32, by an affine transform each. AssemblyScript. Addresses are bytes.

/** As `FillMode` in src/kernels/augment/augment.ts, in this order. */
const NEAREST: i32 = 0,
  CONSTANT: i32 = 1,
  REFLECT: i32 = 2;

/** A coordinate's way back into 0 … last. In mode CONSTANT it may stay outside. */
// @ts-ignore: decorator
@inline
function fold(at: f32, last: f32, mode: i32): f32 {
  if (mode == NEAREST) return min(max(at, 0), last);
  if (mode == CONSTANT) return at;
  if (mode == REFLECT) {
    const period: f32 = 2 * (last + 1);
    const shifted = at + 0.5 - period * Mathf.floor((at + 0.5) / period);
    return min(max(min(shifted, period - shifted) - 0.5, 0), last);
  }
  if (last == 0) return 0;
  if (at < 0) return at + last * (Mathf.floor(-at / last) + 1);
  return at > last ? at - last * Mathf.floor(at / last) : at;
}

/** Four neighbouring bytes as float32: up to four channels of a pixel. */
// @ts-ignore: decorator
@inline
function pixel(address: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(address))));
}

/** Stores up to four channels; `whole` where the lanes behind them may be written, since the next pixel will be. */
// @ts-ignore: decorator
@inline
function storePixel(to: usize, value: v128, channels: i32, whole: bool): void {
  if (whole || channels == 4) {
    v128.store(to, value);
    return;
  }
  store<f32>(to, f32x4.extract_lane(value, 0));
  if (channels > 1) store<f32>(to, f32x4.extract_lane(value, 1), 4);
  if (channels > 2) store<f32>(to, f32x4.extract_lane(value, 2), 8);
}

/** Sample `part` of batch[B, H, W, C]: the picture that its index names, warped and multiplied by `rescale`. */
export function warp(
  part: i32,
  pictures: usize,
  indices: usize,
  transforms: usize,
  batch: usize,
  height: i32,
  width: i32,
  channels: i32,
  transformSize: i32,
  bilinear: bool,
  fillMode: i32,
  fillValue: f32,
  rescale: f32,
): void {
  const picture = pictures + <usize>load<u32>(indices + ((<usize>part) << 2)) * height * width * channels;
  const m = transforms + ((<usize>(part * transformSize)) << 2);
  const m0 = load<f32>(m),
    m1 = load<f32>(m, 4),
    m2 = load<f32>(m, 8),
    m3 = load<f32>(m, 12),
    m4 = load<f32>(m, 16),
    m5 = load<f32>(m, 20);
  const lastRow = <f32>(height - 1),
    lastColumn = <f32>(width - 1);
  const scale = f32x4.splat(rescale),
    fill = f32x4.splat(fillValue * rescale);
  let to = batch + ((<usize>(part * height * width * channels)) << 2);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      let row = fold(m0 * <f32>i + m1 * <f32>j + m2, lastRow, fillMode);
      let column = fold(m3 * <f32>i + m4 * <f32>j + m5, lastColumn, fillMode);
      const outside = fillMode == CONSTANT && (row < 0 || row > lastRow || column < 0 || column > lastColumn);
      row = outside ? 0 : row;
      column = outside ? 0 : column;
      const top = <i32>(bilinear ? row : row + 0.5),
        left = <i32>(bilinear ? column : column + 0.5);
      const upper = picture + <usize>((top * width + left) * channels);
      const lower = bilinear && top + 1 < height ? upper + <usize>(width * channels) : upper;
      const next = bilinear && left + 1 < width ? <usize>channels : 0;
      const down = f32x4.splat(row - <f32>top),
        along = f32x4.splat(column - <f32>left);
      const one = f32x4.splat(1);
      for (let c = 0; c < channels; c += 4) {
        let value = pixel(upper + c);
        if (bilinear) {
          const above = f32x4.add(f32x4.mul(value, f32x4.sub(one, along)), f32x4.mul(pixel(upper + next + c), along));
          const below = f32x4.add(
            f32x4.mul(pixel(lower + c), f32x4.sub(one, along)),
            f32x4.mul(pixel(lower + next + c), along),
          );
          value = f32x4.add(f32x4.mul(above, f32x4.sub(one, down)), f32x4.mul(below, down));
        }
        value = outside ? fill : f32x4.mul(value, scale);
        const last = i == height - 1 && j == width - 1 && c + 4 > channels;
        storePixel(to + ((<usize>c) << 2), value, min(4, channels - c), !last);
      }
      to += (<usize>channels) << 2;
    }
  }
}

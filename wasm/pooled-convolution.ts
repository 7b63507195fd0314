// Convolution with 2×2 max pooling: the four windows of a tile are the four pixels of a pooling window. AssemblyScript.
// Pictures are NHWC; windows must lie inside them: `pad` makes a copy with a border of zeros where a convolution needs one.
// Each function does one part of the work (see range.ts); a "line" is one row of output pixels, counted over the whole batch.
//
// A window has `depth` = kernelHeight · kernelWidth · C values; `offsets` says how many bytes each lies behind the first.
import { activate, storeLanes } from './epilogue';
import { multiplyAdd, partEnd } from './range';
import { packPanel } from './tile';

const CHANNELS: i32 = 8;

/**
 * Picture `part` of target[N, targetHeight, targetWidth, C] = zeros with source[N, H, W, C] laid into it: pixel (y, x) goes to
 * (top + y · stretchHeight, left + x · stretchWidth). Stretching (transposed stride) is what input gradients need.
 */
export function pad(
  part: i32,
  target: usize,
  source: usize,
  height: i32,
  width: i32,
  channels: i32,
  targetHeight: i32,
  targetWidth: i32,
  top: i32,
  left: i32,
  stretchHeight: i32,
  stretchWidth: i32,
): void {
  const pixelBytes = (<usize>channels) << 2;
  const pictureBytes = <usize>(targetHeight * targetWidth) * pixelBytes;
  target += <usize>part * pictureBytes;
  source += <usize>(part * height * width) * pixelBytes;
  memory.fill(target, 0, pictureBytes);
  for (let y = 0; y < height; y++) {
    let to = target + <usize>((top + y * stretchHeight) * targetWidth + left) * pixelBytes;
    if (stretchWidth == 1) {
      memory.copy(to, source, <usize>width * pixelBytes);
      source += <usize>width * pixelBytes;
      continue;
    }
    for (let x = 0; x < width; x++) {
      memory.copy(to, source, pixelBytes);
      source += pixelBytes;
      to += <usize>stretchWidth * pixelBytes;
    }
  }
}

/** offsets[depth], counted over [kernelHeight, kernelWidth, C]. */
export function pooledOffsets(
  part: i32,
  offsets: usize,
  width: i32,
  channels: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  dilationHeight: i32,
  dilationWidth: i32,
): void {
  for (let row = 0; row < kernelHeight; row++) {
    for (let column = 0; column < kernelWidth; column++) {
      for (let c = 0; c < channels; c++) {
        store<i32>(offsets, ((row * dilationHeight * width + column * dilationWidth) * channels + c) << 2);
        offsets += 4;
      }
    }
  }
}

/** packed[ceil(K / 8), R, 8] = w[R, K], the last panel filled up with zeros; part: a panel. */
export function packWeights(part: i32, packed: usize, weights: usize, R: i32, K: i32): void {
  const column = part * CHANNELS;
  packPanel(
    packed + ((<usize>column * R) << 2),
    weights + ((<usize>column) << 2),
    K << 2,
    4,
    R,
    min(CHANNELS, K - column),
  );
}

/**
 * y[lines, PW, K] = relu?(max over 2×2 of windows · w + bias) and places (0: none), 2p + q of the maximum or 4 where relu cuts it, for lines
 * [part · chunk, …): the four windows of a tile are the four pixels of a pooling window.
 */
export function convolveAndPool(
  part: i32,
  x: usize,
  height: i32,
  width: i32,
  channels: i32,
  packedWeights: usize,
  y: usize,
  places: usize,
  lines: i32,
  pooledHeight: i32,
  pooledWidth: i32,
  outputChannels: i32,
  offsets: usize,
  depth: i32,
  strideHeight: i32,
  strideWidth: i32,
  bias: usize,
  relu: bool,
  chunk: i32,
): void {
  const right = (<usize>strideWidth * channels) << 2,
    down = (<usize>strideHeight * width * channels) << 2;
  const panelBytes = (<usize>depth * CHANNELS) << 2;
  const pixelBytes = (<usize>outputChannels) << 2;
  const end = partEnd(part, chunk, lines);
  for (let line = part * chunk; line < end; line++) {
    const n = line / pooledHeight,
      i = line % pooledHeight;
    const start = x + ((<usize>(n * height + 2 * i * strideHeight) * width * channels) << 2);
    const target = <usize>(line * pooledWidth) * pixelBytes;
    for (let k = 0; k < outputChannels; k += CHANNELS) {
      const panel = packedWeights + <usize>(k / CHANNELS) * panelBytes;
      const columns = min(CHANNELS, outputChannels - k);
      const channelBytes = (<usize>k) << 2;
      const to = target + channelBytes;
      const panelBias = bias ? bias + channelBytes : 0,
        placesTo = places ? places + to : 0;
      multiplyAndPool(
        depth,
        start,
        right,
        down,
        pooledWidth,
        offsets,
        panel,
        panelBias,
        relu,
        y + to,
        placesTo,
        pixelBytes,
        columns,
      );
    }
  }
}

/**
 * A line of `count` pixels of y and places for 8 channels, of which the first `columns` are stored: the sums of four windows, `right` and `down` bytes
 * apart, their maximum, relu. All in registers: see tile.ts.
 */
function multiplyAndPool(
  depth: i32,
  start: usize,
  right: usize,
  down: usize,
  count: i32,
  offsets: usize,
  panel: usize,
  bias: usize,
  relu: bool,
  y: usize,
  places: usize,
  pixelBytes: usize,
  columns: i32,
): void {
  const end = offsets + ((<usize>depth) << 2),
    whole = end - ((<usize>(depth & 3)) << 2);
  for (; count > 0; count--) {
    const a1 = start + right,
      a2 = start + down,
      a3 = a2 + right;
    // Of channels beyond the last, what lies behind the bias does no harm: they are not stored.
    let c00 = bias ? v128.load(bias) : f32x4.splat(0),
      c01 = bias ? v128.load(bias, 16) : f32x4.splat(0);
    let c10 = c00,
      c11 = c01,
      c20 = c00,
      c21 = c01,
      c30 = c00,
      c31 = c01;
    let values = panel,
      entry = offsets;
    while (entry < whole) {
      let offset = <usize>load<u32>(entry),
        b0 = v128.load(values),
        b1 = v128.load(values, 16);
      let value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -1) break;
      offset = <usize>load<u32>(entry, 4);
      b0 = v128.load(values, 32);
      b1 = v128.load(values, 48);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -2) break;
      offset = <usize>load<u32>(entry, 8);
      b0 = v128.load(values, 64);
      b1 = v128.load(values, 80);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      if (depth == -3) break;
      offset = <usize>load<u32>(entry, 12);
      b0 = v128.load(values, 96);
      b1 = v128.load(values, 112);
      value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      entry += 16;
      values += 128;
    }
    for (; entry < end; entry += 4) {
      let offset = <usize>load<u32>(entry),
        b0 = v128.load(values),
        b1 = v128.load(values, 16);
      let value = v128.load32_splat(start + offset);
      c00 = multiplyAdd(c00, value, b0);
      c01 = multiplyAdd(c01, value, b1);
      value = v128.load32_splat(a1 + offset);
      c10 = multiplyAdd(c10, value, b0);
      c11 = multiplyAdd(c11, value, b1);
      value = v128.load32_splat(a2 + offset);
      c20 = multiplyAdd(c20, value, b0);
      c21 = multiplyAdd(c21, value, b1);
      value = v128.load32_splat(a3 + offset);
      c30 = multiplyAdd(c30, value, b0);
      c31 = multiplyAdd(c31, value, b1);
      values += 32;
    }
    poolFour(c00, c10, c20, c30, relu, y, places, columns);
    if (columns > 4) poolFour(c01, c11, c21, c31, relu, y + 16, places ? places + 16 : 0, columns - 4);
    start += 2 * right;
    y += pixelBytes;
    if (places) places += pixelBytes;
  }
}

/**
 * NaN where one is NaN. x86 has no such instruction, f32x4.max is eight there: this is one that keeps NaN of its first value only, both ways round.
 * Of 0 and −0 it may be −0.
 */
// @ts-ignore: decorator
@inline
export function larger(a: v128, b: v128): v128 {
  return v128.or(f32x4.pmax(a, b), f32x4.pmax(b, a));
}

/** NaN where one is NaN. */
// @ts-ignore: decorator
@inline
export function maximumOf(v0: v128, v1: v128, v2: v128, v3: v128): v128 {
  return larger(larger(v0, v1), larger(v2, v3));
}

/**
 * The first maximum of four values and, if there is where to, its place, 0 … 3, or 4 where relu cuts it, of `count` channels; NaN counts as
 * the maximum.
 */
// @ts-ignore: decorator
@inline
export function poolFour(
  v0: v128,
  v1: v128,
  v2: v128,
  v3: v128,
  relu: bool,
  y: usize,
  places: usize,
  count: i32,
): void {
  if (!places) {
    storeLanes(y, activate(maximumOf(v0, v1, v2, v3), relu), count);
    return;
  }
  let better = v128.or(f32x4.gt(v1, v0), f32x4.ne(v1, v1));
  let best = v128.bitselect(v1, v0, better);
  let place = v128.and(better, i32x4.splat(1));
  better = v128.or(f32x4.gt(v2, best), f32x4.ne(v2, v2));
  best = v128.bitselect(v2, best, better);
  place = v128.bitselect(i32x4.splat(2), place, better);
  better = v128.or(f32x4.gt(v3, best), f32x4.ne(v3, v3));
  best = v128.bitselect(v3, best, better);
  place = v128.bitselect(i32x4.splat(3), place, better);
  if (relu) {
    const cut = f32x4.le(best, f32x4.splat(0));
    best = v128.andnot(best, cut);
    place = v128.bitselect(i32x4.splat(4), place, cut);
  }
  storeLanes(y, best, count);
  storeLanes(places, place, count);
}

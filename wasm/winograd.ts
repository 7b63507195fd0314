// 3×3 convolution with 2×2 max pooling in 16 products where the direct way takes 36: Winograd's F(2×2, 3×3), Lavin and Gray,
// arXiv:1509.09308. For a patch d of 4×4 pixels and a kernel g the four outputs of a pooling window are
//
//   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//
//   Bᵀ = | 1  0 −1  0 |   G = |  1   0   0 |   Aᵀ = | 1  1  1  0 |
//        | 0  1  1  0 |       | 1/2 1/2 1/2|        | 0  1 −1 −1 |
//        | 0 −1  1  0 |       | 1/2−1/2 1/2|
//        | 0  1  0 −1 |       |  0   0   1 |
//
// and the products ⊙, summed over the channels, are 16 matrix products of patches and weights. Where the picture is the
// same along rows or columns, all that differs between the outputs is multiplied by an exact 0: equal maxima stay equal, so
// that the first of them is found as by the direct way. AssemblyScript. Addresses and strides are bytes.
import { poolFour } from './pooled-convolution';
import { partEnd } from './range';
import { multiplyRows } from './tile';
import { workspace } from './workspace';

/** Patches that are worked on at a time: with 32 channels their transforms fill half a first-level cache. */
const PATCHES: i32 = 8;

/** transformed[16, K / 8, C, 8] = G g Gᵀ of g = w[3, 3, C, K]; part: an input channel. K is a multiple of 8. */
export function winogradWeights(
  part: i32,
  weights: usize,
  transformed: usize,
  channels: i32,
  outputChannels: i32,
): void {
  const tap = (<usize>(channels * outputChannels)) << 2;
  const half = f32x4.splat(0.5);
  for (let k = 0; k < outputChannels; k += 4) {
    const g = weights + ((<usize>(part * outputChannels + k)) << 2);
    const to = transformed + ((<usize>(((k >> 3) * channels + part) * 8 + (k & 4))) << 2);
    const a0 = v128.load(g),
      b0 = v128.load(g + tap),
      c0 = v128.load(g + 2 * tap);
    const a1 = v128.load(g + 3 * tap),
      b1 = v128.load(g + 4 * tap),
      c1 = v128.load(g + 5 * tap);
    const a2 = v128.load(g + 6 * tap),
      b2 = v128.load(g + 7 * tap),
      c2 = v128.load(g + 8 * tap);
    const a = f32x4.mul(half, f32x4.add(a0, a2)),
      b = f32x4.mul(half, f32x4.add(b0, b2)),
      c = f32x4.mul(half, f32x4.add(c0, c2));
    const ah = f32x4.mul(half, a1),
      bh = f32x4.mul(half, b1),
      ch = f32x4.mul(half, c1);
    storeWeights(a0, b0, c0, to, tap);
    storeWeights(f32x4.add(a, ah), f32x4.add(b, bh), f32x4.add(c, ch), to + 4 * tap, tap);
    storeWeights(f32x4.sub(a, ah), f32x4.sub(b, bh), f32x4.sub(c, ch), to + 8 * tap, tap);
    storeWeights(a2, b2, c2, to + 12 * tap, tap);
  }
}

/** A row of G g times Gᵀ: four values, `stride` apart. */
// @ts-ignore: decorator
@inline
function storeWeights(a: v128, b: v128, c: v128, to: usize, stride: usize): void {
  const half = f32x4.splat(0.5);
  const outer = f32x4.mul(half, f32x4.add(a, c)),
    middle = f32x4.mul(half, b);
  v128.store(to, a);
  v128.store(to + stride, f32x4.add(outer, middle));
  v128.store(to + 2 * stride, f32x4.sub(outer, middle));
  v128.store(to + 3 * stride, c);
}

/** Bᵀ d B of the patch at `d`, for all channels; the 16 results lie `stride` apart. */
function transformPatch(d: usize, rowBytes: usize, pixelBytes: usize, to: usize, stride: usize): void {
  for (const end = d + pixelBytes; d < end; d += 16) {
    const d1 = d + pixelBytes,
      d2 = d1 + pixelBytes,
      d3 = d2 + pixelBytes;
    transformColumn(d, d2, false, rowBytes, to, stride);
    transformColumn(d1, d2, true, rowBytes, to + stride, stride);
    transformColumn(d2, d1, false, rowBytes, to + 2 * stride, stride);
    transformColumn(d1, d3, false, rowBytes, to + 3 * stride, stride);
    to += 16;
  }
}

/** Bᵀ times one column of d B, which is the difference (or sum) of two columns of d. */
// @ts-ignore: decorator
@inline
function transformColumn(a: usize, b: usize, sum: bool, rowBytes: usize, to: usize, stride: usize): void {
  const c = 2 * rowBytes,
    d = 3 * rowBytes;
  const e0 = combine(v128.load(a), v128.load(b), sum),
    e1 = combine(v128.load(a + rowBytes), v128.load(b + rowBytes), sum);
  const e2 = combine(v128.load(a + c), v128.load(b + c), sum),
    e3 = combine(v128.load(a + d), v128.load(b + d), sum);
  v128.store(to, f32x4.sub(e0, e2));
  v128.store(to + 4 * stride, f32x4.add(e1, e2));
  v128.store(to + 8 * stride, f32x4.sub(e2, e1));
  v128.store(to + 12 * stride, f32x4.sub(e1, e3));
}

// @ts-ignore: decorator
@inline
function combine(a: v128, b: v128, sum: bool): v128 {
  return sum ? f32x4.add(a, b) : f32x4.sub(a, b);
}

/** Two values of Aᵀ times a column of the 16 products: rows `row` bytes apart. */
// @ts-ignore: decorator
@inline
function upper(m: usize, row: usize): v128 {
  return f32x4.add(f32x4.add(v128.load(m), v128.load(m + row)), v128.load(m + 2 * row));
}

// @ts-ignore: decorator
@inline
function lower(m: usize, row: usize): v128 {
  return f32x4.sub(f32x4.sub(v128.load(m + row), v128.load(m + 2 * row)), v128.load(m + 3 * row));
}

/**
 * As `convolveAndPool`, for 3×3 windows without strides or dilation, C a multiple of 4 and K of 8. `transformed` is that of
 * `winogradWeights`. Workspace: 16 · PATCHES · (C + K) floats.
 */
export function winogradAndPool(
  part: i32,
  x: usize,
  height: i32,
  width: i32,
  channels: i32,
  transformed: usize,
  y: usize,
  places: usize,
  lines: i32,
  pooledHeight: i32,
  pooledWidth: i32,
  outputChannels: i32,
  bias: usize,
  relu: bool,
  chunk: i32,
): void {
  const pixelBytes = (<usize>channels) << 2,
    rowBytes = <usize>width * pixelBytes;
  const sumBytes = (<usize>outputChannels) << 2;
  const patchStride = PATCHES * pixelBytes,
    sumStride = PATCHES * sumBytes;
  const patches = workspace;
  const sums = patches + 16 * patchStride;
  const weightBytes = pixelBytes * outputChannels;
  const end = partEnd(part, chunk, lines) * pooledWidth;
  for (let first = part * chunk * pooledWidth; first < end; first += PATCHES) {
    const count = min(PATCHES, end - first);
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / pooledWidth,
        j = (first + patch) % pooledWidth;
      const n = line / pooledHeight,
        i = line % pooledHeight;
      const start = x + <usize>(n * height + 2 * i) * rowBytes + <usize>(2 * j) * pixelBytes;
      transformPatch(start, rowBytes, pixelBytes, patches + <usize>patch * pixelBytes, patchStride);
    }
    for (let product: usize = 0; product < 16; product++) {
      for (let k = 0; k < outputChannels; k += 8) {
        const panel = transformed + product * weightBytes + <usize>k * pixelBytes;
        const a = patches + product * patchStride,
          c = sums + product * sumStride + ((<usize>k) << 2);
        multiplyRows(channels, a, pixelBytes, count, panel, c, sumBytes);
      }
    }
    let to = <usize>first * sumBytes;
    for (let patch = 0; patch < count; patch++) {
      let m = sums + <usize>patch * sumBytes;
      const row = 4 * sumStride;
      for (let k: usize = 0; k < sumBytes; k += 16) {
        const b = bias ? v128.load(bias + k) : f32x4.splat(0);
        const u1 = upper(m + sumStride, row),
          u2 = upper(m + 2 * sumStride, row);
        const l1 = lower(m + sumStride, row),
          l2 = lower(m + 2 * sumStride, row);
        const v0 = f32x4.add(f32x4.add(upper(m, row), u1), u2);
        const v1 = f32x4.sub(f32x4.sub(u1, u2), upper(m + 3 * sumStride, row));
        const v2 = f32x4.add(f32x4.add(lower(m, row), l1), l2);
        const v3 = f32x4.sub(f32x4.sub(l1, l2), lower(m + 3 * sumStride, row));
        poolFour(
          f32x4.add(v0, b),
          f32x4.add(v1, b),
          f32x4.add(v2, b),
          f32x4.add(v3, b),
          relu,
          y + to + k,
          places + to + k,
          4,
        );
        m += 16;
      }
      to += sumBytes;
    }
  }
}

// 3×3 convolution in 36 products for 4×4 outputs where the direct way takes 144: Winograd's F(4×4, 3×3), Lavin and Gray,
// arXiv:1509.09308. For a patch d of 6×6 pixels and a kernel g the outputs are
//
//   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//
// with the products ⊙ summed over the channels: 36 matrix products of patches and weights. The matrices follow from the
// points 0, ±a, ±b, ∞ (Toom and Cook): row p of A is 1, p, p², p³; row p of G is 1, p, p² over Π (p − others); row p of Bᵀ
// holds the coefficients of Π (x − others). a = 3/4 and b = 3/2 round far less than the usual 1 and 2: errors stay within three
// times those of plain sums. Rows of ±p share their even and odd parts.
// AssemblyScript. Pictures are NHWC, addresses and strides bytes.
import { activate, storeLanes } from './epilogue';
import { clearFloats, copyFloats } from './move';
import { maximumOf } from './pooled-convolution';
import { multiplyAdd, multiplySubtract, partEnd } from './range';
import { multiplyRows } from './tile';
import { workspace } from './workspace';

export const A: f32 = 0.75,
  A2: f32 = 0.5625;
export const B: f32 = 1.5,
  B2: f32 = 2.25;
/** 1 / Π (p − others) for p = 0, ±a and ±b. */
export const OF_0: f32 = 1 / (A2 * B2),
  OF_A: f32 = 1 / (2 * A2 * (A2 - B2)),
  OF_B: f32 = 1 / (2 * B2 * (B2 - A2));

/** Constants as `load32_splat` reads them: as immediates they would be put together anew at every use. */
export const CONSTANT_BYTES: usize = 64;
export const PLUS_A: usize = 0,
  PLUS_B: usize = 4,
  PLUS_A2: usize = 8,
  PLUS_B2: usize = 12;

export function storeConstants(to: usize, a: f32, b: f32): void {
  store<f32>(to + PLUS_A, a);
  store<f32>(to + PLUS_B, b);
  store<f32>(to + PLUS_A2, a * a);
  store<f32>(to + PLUS_B2, b * b);
}

// @ts-ignore: decorator
@inline
export function constant(constants: usize, which: usize): v128 {
  return v128.load32_splat(constants + which);
}

/**
 * Bᵀ times six values, `step` apart; the results lie `toStep` apart. As Π (x − others) = (x² − b²)(x² − a²) where the points are 0 and ∞, and (x ± a)(x² − b²)
 * or (x ± b)(x² − a²) at ±a and ±b, differences d − a²·d and d − b²·d serve several of them.
 */
// @ts-ignore: decorator
@inline
function transformSix(d: usize, step: usize, to: usize, toStep: usize, a: v128, b: v128, a2: v128, b2: v128): void {
  const d0 = v128.load(d),
    d1 = v128.load(d + step),
    d2 = v128.load(d + 2 * step),
    d3 = v128.load(d + 3 * step),
    d4 = v128.load(d + 4 * step),
    d5 = v128.load(d + 5 * step);
  const oddB = multiplySubtract(d3, a2, d1),
    evenB = multiplySubtract(d4, a2, d2);
  v128.store(to, multiplySubtract(evenB, b2, multiplySubtract(d2, a2, d0)));
  v128.store(to + 5 * toStep, multiplySubtract(multiplySubtract(d5, a2, d3), b2, oddB));
  v128.store(to + 3 * toStep, multiplyAdd(evenB, b, oddB));
  v128.store(to + 4 * toStep, multiplySubtract(evenB, b, oddB));
  const oddA = multiplySubtract(d3, b2, d1),
    evenA = multiplySubtract(d4, b2, d2);
  v128.store(to + toStep, multiplyAdd(evenA, a, oddA));
  v128.store(to + 2 * toStep, multiplySubtract(evenA, a, oddA));
}

/** Bᵀ d B of the patch at `d` for all channels, four at a time; `between` takes 36 vectors. */
export function transformPatch(
  d: usize,
  rowBytes: usize,
  pixelBytes: usize,
  to: usize,
  stride: usize,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  for (const end = d + pixelBytes; d < end; d += 16) {
    for (let row: usize = 0; row < 6; row++)
      transformSix(d + row * rowBytes, pixelBytes, between + row * 96, 16, a, b, a2, b2);
    for (let column: usize = 0; column < 6; column++)
      transformSix(between + column * 16, 96, to + column * stride, 6 * stride, a, b, a2, b2);
    to += 16;
  }
}

/** patch[size, size, C] = the pixels from (row, column) on, 0 outside of the picture. */
export function copyPatch(
  patch: usize,
  size: i32,
  picture: usize,
  height: i32,
  width: i32,
  pixelBytes: usize,
  row: i32,
  column: i32,
): void {
  const lineBytes = <usize>size * pixelBytes;
  const firstColumn = min(size, max(0, -column)),
    endColumn = max(firstColumn, min(size, width - column));
  const beforeBytes = <usize>firstColumn * pixelBytes,
    endBytes = <usize>endColumn * pixelBytes;
  for (let y = row; y < row + size; y++) {
    if (y < 0 || y >= height) {
      clearFloats(patch, lineBytes);
    } else {
      const from = picture + <usize>(y * width + column + firstColumn) * pixelBytes;
      clearFloats(patch, beforeBytes);
      copyFloats(patch + beforeBytes, from, endBytes - beforeBytes);
      clearFloats(patch + endBytes, lineBytes - endBytes);
    }
    patch += lineBytes;
  }
}

/** Aᵀ times six values, `step` apart, to four that lie `toStep` apart. */
// @ts-ignore: decorator
@inline
function combineSix(m: usize, step: usize, to: usize, toStep: usize, a: v128, b: v128, a2: v128, b2: v128): void {
  const m1 = v128.load(m + step),
    m2 = v128.load(m + 2 * step),
    m3 = v128.load(m + 3 * step),
    m4 = v128.load(m + 4 * step);
  const sumA = f32x4.add(m1, m2),
    sumB = f32x4.add(m3, m4),
    oddA = f32x4.mul(f32x4.sub(m1, m2), a),
    oddB = f32x4.mul(f32x4.sub(m3, m4), b);
  v128.store(to, f32x4.add(v128.load(m), f32x4.add(sumA, sumB)));
  v128.store(to + toStep, f32x4.add(oddA, oddB));
  v128.store(to + 2 * toStep, multiplyAdd(f32x4.mul(sumA, a2), sumB, b2));
  v128.store(to + 3 * toStep, multiplyAdd(multiplyAdd(v128.load(m + 5 * step), oddA, a2), oddB, b2));
}

/** Aᵀ M A of one patch for all channels, finished and stored: `rows` × `columns` pixels of it lie in the picture. */
function combinePatch(
  m: usize,
  stride: usize,
  y: usize,
  lineBytes: usize,
  channels: i32,
  rows: i32,
  columns: i32,
  bias: usize,
  relu: bool,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  const pixelBytes = (<usize>channels) << 2;
  for (let k = 0; k < channels; k += 4) {
    for (let column: usize = 0; column < 6; column++)
      combineSix(m + column * stride, 6 * stride, between + column * 16, 96, a, b, a2, b2);
    const first = bias ? v128.load(bias + ((<usize>k) << 2)) : f32x4.splat(0);
    for (let row = 0; row < rows; row++) {
      const line = between + <usize>row * 96;
      combineSix(line, 16, line, 16, a, b, a2, b2);
      let to = y + <usize>row * lineBytes + ((<usize>k) << 2);
      for (let column = 0; column < columns; column++) {
        storeLanes(to, activate(f32x4.add(v128.load(line + ((<usize>column) << 4)), first), relu), channels - k);
        to += pixelBytes;
      }
    }
    m += 16;
  }
}

/** The same with 2×2 max pooling: `rows` × `columns` maxima of its pixels lie in the pooled picture. The bias may follow the maximum: rounding is monotonic. */
function combineAndPoolPatch(
  m: usize,
  stride: usize,
  y: usize,
  lineBytes: usize,
  channels: i32,
  rows: i32,
  columns: i32,
  bias: usize,
  relu: bool,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  const pixelBytes = (<usize>channels) << 2;
  for (let k = 0; k < channels; k += 4) {
    for (let column: usize = 0; column < 6; column++)
      combineSix(m + column * stride, 6 * stride, between + column * 16, 96, a, b, a2, b2);
    const first = bias ? v128.load(bias + ((<usize>k) << 2)) : f32x4.splat(0);
    for (let row = 0; row < rows; row++) {
      let upper = between + <usize>row * 192;
      combineSix(upper, 16, upper, 16, a, b, a2, b2);
      combineSix(upper + 96, 16, upper + 96, 16, a, b, a2, b2);
      let to = y + <usize>row * lineBytes + ((<usize>k) << 2);
      for (let column = 0; column < columns; column++) {
        const best = maximumOf(v128.load(upper), v128.load(upper, 16), v128.load(upper, 96), v128.load(upper, 112));
        storeLanes(to, activate(f32x4.add(best, first), relu), channels - k);
        to += pixelBytes;
        upper += 32;
      }
    }
    m += 16;
  }
}

/**
 * transformed[36, ceil(K / 8), C, 8] = G g Gᵀ for the kernels g that lie at weights + tap · tapStride + input · inputStride + output ·
 * outputStride (floats); part: some input channels, which for one panel of outputs fill whole lines of the cache. Positions lie `stride`
 * bytes apart.
 */
export function winogradFourWeights(
  part: i32,
  weights: usize,
  transformed: usize,
  inputs: i32,
  outputs: i32,
  tapStride: i32,
  inputStride: i32,
  outputStride: i32,
  stride: usize,
  chunk: i32,
): void {
  const tap = (<usize>tapStride) << 2,
    outputBytes = (<usize>outputStride) << 2;
  const end = partEnd(part, chunk, inputs);
  const between = workspace;
  for (let panel = 0; panel < outputs; panel += 8) {
    for (let input = part * chunk; input < end; input++) {
      for (let k = panel; k < min(panel + 8, outputs); k += 4) {
        const g = weights + ((<usize>(input * inputStride + k * outputStride)) << 2);
        const to = transformed + ((<usize>(panel * inputs + input * 8 + (k & 4))) << 2);
        const lanes = min(4, outputs - k);
        for (let column: usize = 0; column < 3; column++) {
          const top = g + column * tap;
          kernelSix(
            gather(top, outputBytes, lanes),
            gather(top + 3 * tap, outputBytes, lanes),
            gather(top + 6 * tap, outputBytes, lanes),
            between + column * 16,
            48,
          );
        }
        for (let row: usize = 0; row < 6; row++) {
          const line = between + row * 48;
          kernelSix(v128.load(line), v128.load(line, 16), v128.load(line, 32), to + 6 * row * stride, stride);
        }
      }
    }
  }
}

/** Up to four floats, `step` bytes apart; 0 beyond them. */
// @ts-ignore: decorator
@inline
export function gather(from: usize, step: usize, count: i32): v128 {
  if (count == 4 && step == 4) return v128.load(from);
  let value = v128.load32_zero(from);
  if (count > 1) value = f32x4.replace_lane(value, 1, load<f32>(from + step));
  if (count > 2) value = f32x4.replace_lane(value, 2, load<f32>(from + 2 * step));
  if (count > 3) value = f32x4.replace_lane(value, 3, load<f32>(from + 3 * step));
  return value;
}

/** G times three values. */
// @ts-ignore: decorator
@inline
function kernelSix(g0: v128, g1: v128, g2: v128, to: usize, stride: usize): void {
  v128.store(to, f32x4.mul(g0, f32x4.splat(OF_0)));
  const evenA = f32x4.mul(f32x4.add(g0, f32x4.mul(g2, f32x4.splat(A2))), f32x4.splat(OF_A)),
    oddA = f32x4.mul(g1, f32x4.splat(A * OF_A));
  v128.store(to + stride, f32x4.add(evenA, oddA));
  v128.store(to + 2 * stride, f32x4.sub(evenA, oddA));
  const evenB = f32x4.mul(f32x4.add(g0, f32x4.mul(g2, f32x4.splat(B2))), f32x4.splat(OF_B)),
    oddB = f32x4.mul(g1, f32x4.splat(B * OF_B));
  v128.store(to + 3 * stride, f32x4.add(evenB, oddB));
  v128.store(to + 4 * stride, f32x4.sub(evenB, oddB));
  v128.store(to + 5 * stride, g2);
}

/**
 * Patches [part · chunk, …) of y[N, OH, OW, K] = activate(3×3 windows of x[N, H, W, C] · w + bias), the first window `top` rows and `left` columns outside
 * of the picture. `patchesOfBlock` at a time (a multiple of 4), so that their transforms stay in a second-level cache. Workspace: CONSTANT_BYTES, 36
 * vectors, a patch of 36 · C floats, then 36 · (patchesOfBlock · C4 + 16) and 36 · (patchesOfBlock · K8 + 16) floats, C4 and K8 being whole fours and
 * eights. With `pooled`, y[N, OH / 2, OW / 2, K] are the maxima of 2×2 of those outputs; OH and OW are even then.
 */
export function winogradFour(
  part: i32,
  x: usize,
  transformed: usize,
  bias: usize,
  y: usize,
  height: i32,
  width: i32,
  channels: i32,
  outputHeight: i32,
  outputWidth: i32,
  outputChannels: i32,
  top: i32,
  left: i32,
  patches: i32,
  relu: bool,
  pooled: bool,
  chunk: i32,
  patchesOfBlock: i32,
): void {
  const pixelBytes = (<usize>channels) << 2,
    rowBytes = <usize>width * pixelBytes,
    targetBytes = (<usize>outputChannels) << 2;
  const valueBytes = (<usize>((channels + 3) & -4)) << 2,
    sumBytes = (<usize>((outputChannels + 7) & -8)) << 2;
  // 64 bytes more than a whole number of patches: neighbouring positions would fall on the same lines of a cache.
  const valueStride = <usize>patchesOfBlock * valueBytes + 64,
    sumStride = <usize>patchesOfBlock * sumBytes + 64;
  const constants = workspace,
    between = constants + CONSTANT_BYTES;
  const copied = between + 576,
    values = copied + 36 * pixelBytes,
    sums = values + 36 * valueStride;
  const across = (outputWidth + 3) >> 2,
    down = (outputHeight + 3) >> 2;
  const weightStride = sumBytes * channels + 64;
  storeConstants(constants, A, B);
  const end = partEnd(part, chunk, patches);
  for (let first = part * chunk; first < end; first += patchesOfBlock) {
    const count = min(patchesOfBlock, end - first);
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across,
        j = (first + patch) % across;
      const picture = x + <usize>((line / down) * height) * rowBytes;
      const row = 4 * (line % down) - top,
        column = 4 * j - left;
      const to = values + <usize>patch * valueBytes;
      if (row >= 0 && column >= 0 && row + 6 <= height && column + 6 <= width) {
        transformPatch(
          picture + <usize>row * rowBytes + <usize>column * pixelBytes,
          rowBytes,
          pixelBytes,
          to,
          valueStride,
          between,
          constants,
        );
      } else {
        copyPatch(copied, 6, picture, height, width, pixelBytes, row, column);
        transformPatch(copied, 6 * pixelBytes, pixelBytes, to, valueStride, between, constants);
      }
    }
    for (let position: usize = 0; position < 36; position++) {
      for (let k: usize = 0; k < sumBytes; k += 32) {
        const panel = transformed + position * weightStride + k * channels;
        const a = values + position * valueStride,
          c = sums + position * sumStride + k;
        multiplyRows(channels, a, valueBytes, count, panel, c, sumBytes);
      }
    }
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across,
        j = (first + patch) % across;
      const n = line / down,
        i = 4 * (line % down);
      const m = sums + <usize>patch * sumBytes;
      const rows = min(4, outputHeight - i),
        columns = min(4, outputWidth - 4 * j);
      if (pooled) {
        const to = y + <usize>(((n * outputHeight + i) / 2) * (outputWidth / 2) + 2 * j) * targetBytes;
        combineAndPoolPatch(
          m,
          sumStride,
          to,
          <usize>(outputWidth / 2) * targetBytes,
          outputChannels,
          rows / 2,
          columns / 2,
          bias,
          relu,
          between,
          constants,
        );
      } else {
        const to = y + <usize>((n * outputHeight + i) * outputWidth + 4 * j) * targetBytes;
        combinePatch(
          m,
          sumStride,
          to,
          <usize>outputWidth * targetBytes,
          outputChannels,
          rows,
          columns,
          bias,
          relu,
          between,
          constants,
        );
      }
    }
  }
}

// Weight gradient of a 3×3 convolution in Winograd's way, with the matrices of winograd-four.ts, or of winograd-strided-axis.ts. The forward pass being
// linear in g,
//
//   dg = Gᵀ [ Σ over patches of (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
//
// so that 36 products of depth `patches` (with strides some of four times as many) are summed, and Gᵀ … G is applied once, at the end.
// AssemblyScript. Addresses and strides are bytes.
import { storeLanes } from './epilogue';
import { multiplyAdd, multiplySubtract, partEnd } from './range';
import { multiplyTransposed } from './tile';
import {
  A,
  A2,
  B,
  B2,
  CONSTANT_BYTES,
  constant,
  copyPatch,
  OF_0,
  OF_A,
  OF_B,
  PLUS_A,
  PLUS_A2,
  PLUS_B,
  PLUS_B2,
  storeConstants,
  transformPatch,
} from './winograd-four';
import { GAP, LAST_MATRIX, PRODUCTS, SINGLE_PRODUCTS, transformStridedPatch } from './winograd-strided';
import { gatherSix as gatherStridedSix, storeStridedConstants } from './winograd-strided-axis';
import { workspace } from './workspace';

const MATRICES: i32 = 36;

/** The rows ±a and ±b of A times four values, `toStep` apart. */
// @ts-ignore: decorator
@inline
function spreadPoints(
  y0: v128,
  y1: v128,
  y2: v128,
  y3: v128,
  to: usize,
  toStep: usize,
  a: v128,
  b: v128,
  a2: v128,
  b2: v128,
): void {
  const evenA = multiplyAdd(y0, y2, a2),
    oddA = multiplyAdd(y1, y3, a2);
  v128.store(to, multiplyAdd(evenA, a, oddA));
  v128.store(to + toStep, multiplySubtract(evenA, a, oddA));
  const evenB = multiplyAdd(y0, y2, b2),
    oddB = multiplyAdd(y1, y3, b2);
  v128.store(to + 2 * toStep, multiplyAdd(evenB, b, oddB));
  v128.store(to + 3 * toStep, multiplySubtract(evenB, b, oddB));
}

/** A times four values, `step` apart; the six results lie `toStep` apart. */
// @ts-ignore: decorator
@inline
function spreadFour(y: usize, step: usize, to: usize, toStep: usize, a: v128, b: v128, a2: v128, b2: v128): void {
  const y0 = v128.load(y),
    y3 = v128.load(y + 3 * step);
  v128.store(to, y0);
  spreadPoints(y0, v128.load(y + step), v128.load(y + 2 * step), y3, to + toStep, toStep, a, b, a2, b2);
  v128.store(to + 5 * toStep, y3);
}

/** With strides: A times four values, `step` apart, the five results `toStep` apart, and the four as they are, `oneStep` apart. */
// @ts-ignore: decorator
@inline
function spreadStridedFour(
  y: usize,
  step: usize,
  to: usize,
  toStep: usize,
  toOne: usize,
  oneStep: usize,
  a: v128,
  b: v128,
  a2: v128,
  b2: v128,
): void {
  const y0 = v128.load(y),
    y1 = v128.load(y + step),
    y2 = v128.load(y + 2 * step),
    y3 = v128.load(y + 3 * step);
  spreadPoints(y0, y1, y2, y3, to, toStep, a, b, a2, b2);
  v128.store(to + 4 * toStep, y3);
  v128.store(toOne, y0);
  v128.store(toOne + oneStep, y1);
  v128.store(toOne + 2 * oneStep, y2);
  v128.store(toOne + 3 * oneStep, y3);
}

/** A dY Aᵀ of 4×4 pixels at y, for `channels` channels: vectors at to + position · stride, two of them, then the next panel. */
function spreadPatch(
  y: usize,
  lineBytes: usize,
  pixelBytes: usize,
  channels: i32,
  to: usize,
  stride: usize,
  panelBytes: usize,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  for (let k = 0; k < channels; k += 4) {
    for (let column: usize = 0; column < 4; column++)
      spreadFour(y + column * pixelBytes, lineBytes, between + column * 16, 64, a, b, a2, b2);
    for (let row: usize = 0; row < 6; row++)
      spreadFour(between + row * 64, 16, to + 6 * row * stride, stride, a, b, a2, b2);
    y += 16;
    to += k & 4 ? panelBytes - 16 : 16;
  }
}

/** The same with strides, in the order of `transformStridedPatch`: products lie `single` or `four` bytes apart, positions of one product `panelBytes`. */
function spreadStridedPatch(
  y: usize,
  lineBytes: usize,
  pixelBytes: usize,
  channels: i32,
  to: usize,
  single: usize,
  four: usize,
  panelBytes: usize,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  let oneColumns = to + 25 * single,
    oneRows = oneColumns + 5 * four,
    ones = oneRows + 5 * four;
  for (let k = 0; k < channels; k += 4) {
    for (let row: usize = 0; row < 4; row++) {
      const line = between + row * 144;
      spreadStridedFour(y + row * lineBytes, pixelBytes, line, 16, line + 80, 16, a, b, a2, b2);
    }
    for (let column: usize = 0; column < 5; column++)
      spreadStridedFour(
        between + column * 16,
        144,
        to + column * single,
        5 * single,
        oneRows + column * four,
        panelBytes,
        a,
        b,
        a2,
        b2,
      );
    for (let column: usize = 0; column < 4; column++)
      spreadStridedFour(
        between + 80 + column * 16,
        144,
        oneColumns + column * panelBytes,
        four,
        ones + column * panelBytes,
        four,
        a,
        b,
        a2,
        b2,
      );
    y += 16;
    to += k & 4 ? panelBytes - 16 : 16;
    const step = k & 4 ? 4 * panelBytes - 16 : 16;
    oneColumns += step;
    oneRows += step;
    ones += step;
  }
}

/**
 * slices[slice, 36, C4, K8] = the products of patches [slice · chunk, …) of x[N, H, W, C] and dz[N, OH, OW, K], the first window `top` rows and `left` columns outside of
 * the picture, windows one pixel apart or (`strided`) two; C4 and K8 being whole fours and eights; then `finishWinogradGradient`. Parts count slices first,
 * then blocks of `channelChunk` output channels (whole eights). Workspace: CONSTANT_BYTES, `positions` vectors (36, with strides 81),
 * `positions` · C and 16 · K + 8 floats, then `positions` · patchesOfBlock · (C4 + channelChunk) + 2 · 39 · 16 floats.
 */
export function winogradGradient(
  part: i32,
  x: usize,
  dz: usize,
  slices: usize,
  height: i32,
  width: i32,
  channels: i32,
  outputHeight: i32,
  outputWidth: i32,
  outputChannels: i32,
  top: i32,
  left: i32,
  strided: bool,
  patches: i32,
  chunk: i32,
  sliceCount: i32,
  channelChunk: i32,
  patchesOfBlock: i32,
): void {
  const slice = part % sliceCount,
    firstChannel = (part / sliceCount) * channelChunk;
  const ownChannels = min(channelChunk, outputChannels - firstChannel);
  const stride = strided ? 2 : 1,
    size = strided ? 9 : 6,
    positions = <usize>(size * size);
  const products = strided ? PRODUCTS : MATRICES,
    singleProducts = strided ? SINGLE_PRODUCTS : MATRICES;
  const pixelBytes = (<usize>channels) << 2,
    rowBytes = <usize>width * pixelBytes;
  const targetBytes = (<usize>outputChannels) << 2,
    lineBytes = <usize>outputWidth * targetBytes;
  const rows = (channels + 3) & -4,
    valueBytes = (<usize>rows) << 2,
    sumBytes = (<usize>((outputChannels + 7) & -8)) << 2;
  const constants = workspace,
    between = constants + CONSTANT_BYTES;
  const copied = between + positions * 16,
    copiedGradients = copied + positions * pixelBytes;
  const values = copiedGradients + 16 * targetBytes + 32,
    gradients = values + positions * <usize>patchesOfBlock * valueBytes + <usize>products * GAP;
  const matrixBytes = <usize>rows * sumBytes + GAP;
  const sums = slices + <usize>(slice * MATRICES) * matrixBytes + ((<usize>firstChannel) << 2);
  const across = (outputWidth + 3) >> 2,
    down = (outputHeight + 3) >> 2;
  if (strided) storeStridedConstants(constants);
  else storeConstants(constants, A, B);
  const start = slice * chunk,
    end = partEnd(slice, chunk, patches);
  for (let first = start; first < end; first += patchesOfBlock) {
    const count = min(patchesOfBlock, end - first);
    const valueStride = <usize>count * valueBytes,
      panelBytes = (<usize>count) << 5,
      gradientStride = ((<usize>(count * channelChunk)) << 2) + GAP;
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across,
        n = line / down;
      const i = 4 * (line % down),
        j = 4 * ((first + patch) % across);
      const row = stride * i - top,
        column = stride * j - left;
      const picture = x + <usize>(n * height) * rowBytes,
        picturesGradient = dz + <usize>(n * outputHeight) * lineBytes;
      let d = picture + <usize>row * rowBytes + <usize>column * pixelBytes,
        dStep = rowBytes;
      if (row < 0 || column < 0 || row + size > height || column + size > width) {
        copyPatch(copied, size, picture, height, width, pixelBytes, row, column);
        d = copied;
        dStep = <usize>size * pixelBytes;
      }
      let y = picturesGradient + <usize>i * lineBytes + <usize>j * targetBytes,
        yStep = lineBytes;
      if (i + 4 > outputHeight || j + 4 > outputWidth) {
        copyPatch(copiedGradients, 4, picturesGradient, outputHeight, outputWidth, targetBytes, i, j);
        y = copiedGradients;
        yStep = 4 * targetBytes;
      }
      y += (<usize>firstChannel) << 2;
      const to = values + <usize>patch * valueBytes,
        toGradient = gradients + ((<usize>patch) << 5);
      if (strided) {
        transformStridedPatch(d, dStep, pixelBytes, 9, 2, 1, 1, to, valueStride, between, constants);
        spreadStridedPatch(
          y,
          yStep,
          targetBytes,
          ownChannels,
          toGradient,
          gradientStride,
          4 * gradientStride - 3 * GAP,
          panelBytes,
          between,
          constants,
        );
      } else {
        transformPatch(d, dStep, pixelBytes, to, valueStride + GAP, between, constants);
        spreadPatch(y, yStep, targetBytes, ownChannels, toGradient, gradientStride, panelBytes, between, constants);
      }
    }
    let value = values,
      gradient = gradients;
    for (let product = 0; product < products; product++) {
      const together = product < singleProducts ? 1 : 4;
      const matrix = min(product, LAST_MATRIX);
      const accumulate = first > start || product > matrix;
      const target = sums + <usize>matrix * matrixBytes;
      for (let k = 0; k < ownChannels; k += 8)
        multiplyTransposed(
          together * count,
          value,
          valueBytes,
          rows,
          gradient + <usize>((k >> 3) * together) * panelBytes,
          target + ((<usize>k) << 2),
          sumBytes,
          accumulate,
        );
      value += together * valueStride + GAP;
      gradient += together * (gradientStride - GAP) + GAP;
    }
  }
}

/** Gᵀ times six values, `step` apart, to three that lie `toStep` apart. */
// @ts-ignore: decorator
@inline
function gatherSix(m: usize, step: usize, to: usize, toStep: usize): void {
  const m1 = v128.load(m + step),
    m2 = v128.load(m + 2 * step),
    m3 = v128.load(m + 3 * step),
    m4 = v128.load(m + 4 * step);
  const sumA = f32x4.mul(f32x4.add(m1, m2), f32x4.splat(OF_A)),
    differenceA = f32x4.mul(f32x4.sub(m1, m2), f32x4.splat(A * OF_A));
  const sumB = f32x4.mul(f32x4.add(m3, m4), f32x4.splat(OF_B)),
    differenceB = f32x4.mul(f32x4.sub(m3, m4), f32x4.splat(B * OF_B));
  v128.store(to, f32x4.add(f32x4.mul(v128.load(m), f32x4.splat(OF_0)), f32x4.add(sumA, sumB)));
  v128.store(to + toStep, f32x4.add(differenceA, differenceB));
  v128.store(
    to + 2 * toStep,
    f32x4.add(v128.load(m + 5 * step), f32x4.add(f32x4.mul(sumA, f32x4.splat(A2)), f32x4.mul(sumB, f32x4.splat(B2)))),
  );
}

/** dw[3, 3, C, K] = Gᵀ (Σ over slices, in their order) G; part: an input channel. Workspace: 54 vectors. */
export function finishWinogradGradient(
  part: i32,
  slices: usize,
  dw: usize,
  count: i32,
  channels: i32,
  outputChannels: i32,
  strided: bool,
): void {
  const sumBytes = (<usize>((outputChannels + 7) & -8)) << 2,
    stride = <usize>((channels + 3) & -4) * sumBytes + GAP;
  const between = workspace,
    lines = between + 576;
  const tap = (<usize>(channels * outputChannels)) << 2;
  for (let k = 0; k < outputChannels; k += 4) {
    const at = slices + <usize>part * sumBytes + ((<usize>k) << 2);
    for (let position: usize = 0; position < 36; position++) {
      let sum = v128.load(at + position * stride);
      for (let slice: usize = 1; slice < <usize>count; slice++)
        sum = f32x4.add(sum, v128.load(at + (slice * 36 + position) * stride));
      v128.store(between + position * 16, sum);
    }
    const to = dw + ((<usize>(part * outputChannels + k)) << 2);
    for (let column: usize = 0; column < 6; column++) {
      const line = lines + column * 16;
      if (!strided) gatherSix(between + column * 16, 96, line, 96);
      else if (column < 5) gatherStridedSix(between + column * 16, 80, between + (30 + column) * 16, line, 96);
      else gatherStridedSix(between + 400, 16, between + 560, line, 96);
    }
    for (let row: usize = 0; row < 3; row++) {
      const line = lines + row * 96;
      if (strided) gatherStridedSix(line, 16, line + 80, between, 16);
      else gatherSix(line, 16, between, 16);
      for (let column: usize = 0; column < 3; column++)
        storeLanes(to + (3 * row + column) * tap, v128.load(between + column * 16), outputChannels - k);
    }
  }
}

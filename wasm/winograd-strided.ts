// 3×3 convolution with strides of 2, and its input gradient, in Winograd's way: winograd-strided-axis.ts has what is done along one axis. With two axes
// a kernel has 6×6 values, which meet 9×9 of a patch: 25 of them one position, ten four and the last one sixteen, so that there are 25 matrix products of
// one position of each patch and 14 of four. AssemblyScript. Pictures are NHWC, addresses and strides bytes.
import { activate, storeLanes } from './epilogue';
import { partEnd } from './range';
import { multiplyRows } from './tile';
import { constant, CONSTANT_BYTES, copyPatch, gather, PLUS_A, PLUS_A2, PLUS_B, PLUS_B2 } from './winograd-four';
import { combineFive, kernelSix, storeStridedConstants, transformNine } from './winograd-strided-axis';
import { workspace } from './workspace';

export const POSITIONS: usize = 81;
/** Products of one position of each patch; those after them are of four. */
export const SINGLE_PRODUCTS: i32 = 25;
export const PRODUCTS: i32 = 39;
/** The last matrix: that of the last four products. */
export const LAST_MATRIX: i32 = 35;
/** Bytes between the products' operands beyond a whole number of patches: neighbours would fall on the same lines of a cache. */
export const GAP: usize = 64;

/**
 * T d Tᵀ of the patch at `d`, of `lines` rows and columns, for all channels, four at a time: sums in both axes [5, 5], of rows in single columns [5, 4], of
 * columns in single rows [columns 5, rows 4], single rows and columns [4, 4]. Sums are of every `each`-th row and column; the single ones begin at
 * (oneRow, oneColumn). Positions of one product lie `stride` apart. `between` takes 81 vectors.
 */
export function transformStridedPatch(
  d: usize,
  rowBytes: usize,
  pixelBytes: usize,
  lines: usize,
  each: usize,
  oneRow: usize,
  oneColumn: usize,
  to: usize,
  stride: usize,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  const single = stride + GAP,
    four = 4 * stride + GAP;
  const oneColumns = to + 25 * single,
    oneRows = oneColumns + 5 * four,
    ones = oneRows + 5 * four;
  const columnStep = each * pixelBytes,
    rowStep = each * 144;
  oneColumn *= pixelBytes;
  for (let channel: usize = 0; channel < pixelBytes; channel += 16) {
    let from = d + channel;
    for (let line = between; line < between + lines * 144; line += 144) {
      transformNine(from, from + oneColumn, columnStep, line, 16, line + 80, 16, a, b, a2, b2);
      from += rowBytes;
    }
    const one = between + oneRow * 144;
    for (let column: usize = 0; column < 5; column++)
      transformNine(
        between + column * 16,
        one + column * 16,
        rowStep,
        to + channel + column * single,
        5 * single,
        oneRows + channel + column * four,
        stride,
        a,
        b,
        a2,
        b2,
      );
    for (let column: usize = 0; column < 4; column++)
      transformNine(
        between + 80 + column * 16,
        one + 80 + column * 16,
        rowStep,
        oneColumns + channel + column * stride,
        four,
        ones + channel + column * stride,
        four,
        a,
        b,
        a2,
        b2,
      );
  }
}

/** The outputs of one patch for all channels, finished and stored: `rows` × `columns` pixels of it lie in the picture. */
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
  const single = stride + GAP,
    four = 4 * stride + GAP;
  for (let k = 0; k < channels; k += 4) {
    const oneColumns = m + 25 * single,
      oneRows = oneColumns + 5 * four,
      ones = oneRows + 5 * four;
    for (let row: usize = 0; row < 5; row++)
      combineMore(m + row * 5 * single, single, oneColumns + row * four, stride, between + row * 64, 16, a, b, a2, b2);
    for (let row: usize = 0; row < 4; row++)
      combineMore(oneRows + row * stride, four, ones + row * four, stride, between + 320 + row * 64, 16, a, b, a2, b2);
    const first = bias ? v128.load(bias + ((<usize>k) << 2)) : f32x4.splat(0);
    for (let column = 0; column < columns; column++) {
      const line = between + ((<usize>column) << 4);
      combineMore(line, 64, line + 320, 64, line, 64, a, b, a2, b2);
      let to = y + <usize>column * pixelBytes + ((<usize>k) << 2);
      for (let row = 0; row < rows; row++) {
        storeLanes(to, activate(f32x4.add(v128.load(line + ((<usize>row) << 6)), first), relu), channels - k);
        to += lineBytes;
      }
    }
    m += 16;
  }
}

/** A times five values, and four more, `moreStep` apart. */
// @ts-ignore: decorator
@inline
function combineMore(
  m: usize,
  step: usize,
  more: usize,
  moreStep: usize,
  to: usize,
  toStep: usize,
  a: v128,
  b: v128,
  a2: v128,
  b2: v128,
): void {
  combineFive(
    m,
    step,
    v128.load(more),
    v128.load(more + moreStep),
    v128.load(more + 2 * moreStep),
    v128.load(more + 3 * moreStep),
    to,
    toStep,
    a,
    b,
    a2,
    b2,
  );
}

/** A times five values alone. */
// @ts-ignore: decorator
@inline
function combineAlone(m: usize, step: usize, to: usize, toStep: usize, a: v128, b: v128, a2: v128, b2: v128): void {
  const zero = f32x4.splat(0);
  combineFive(m, step, zero, zero, zero, zero, to, toStep, a, b, a2, b2);
}

/** The same for an input gradient: 8×8 pixels, of which those from (oneRow, oneColumn) on, two apart, were seen through one tap in that axis. */
function combineTurnedPatch(
  m: usize,
  stride: usize,
  y: usize,
  lineBytes: usize,
  channels: i32,
  rows: i32,
  columns: i32,
  oneRow: usize,
  oneColumn: usize,
  between: usize,
  constants: usize,
): void {
  const a = constant(constants, PLUS_A),
    b = constant(constants, PLUS_B),
    a2 = constant(constants, PLUS_A2),
    b2 = constant(constants, PLUS_B2);
  const pixelBytes = (<usize>channels) << 2;
  const single = stride + GAP,
    four = 4 * stride + GAP;
  // `between` holds the 8×8 pixels, then 5×4 vectors on the way there.
  const half = between + 1024;
  const summedRows = between + (1 - oneRow) * 128,
    oneRowsAt = between + oneRow * 128;
  const summedColumn = (1 - oneColumn) * 16;
  oneColumn *= 16;
  for (let k = 0; k < channels; k += 4) {
    const oneColumns = m + 25 * single,
      oneRows = oneColumns + 5 * four,
      ones = oneRows + 5 * four;
    for (let row: usize = 0; row < 5; row++)
      combineAlone(m + row * 5 * single, single, half + row * 64, 16, a, b, a2, b2);
    for (let column: usize = 0; column < 4; column++) {
      combineAlone(half + column * 16, 64, summedRows + summedColumn + column * 32, 256, a, b, a2, b2);
      combineAlone(oneColumns + column * stride, four, summedRows + oneColumn + column * 32, 256, a, b, a2, b2);
    }
    for (let row: usize = 0; row < 4; row++) {
      const line = oneRowsAt + row * 256;
      combineAlone(oneRows + row * stride, four, line + summedColumn, 32, a, b, a2, b2);
      const from = ones + row * four;
      v128.store(line + oneColumn, v128.load(from));
      v128.store(line + oneColumn, v128.load(from + stride), 32);
      v128.store(line + oneColumn, v128.load(from + 2 * stride), 64);
      v128.store(line + oneColumn, v128.load(from + 3 * stride), 96);
    }
    for (let row = 0; row < rows; row++) {
      let to = y + <usize>row * lineBytes + ((<usize>k) << 2);
      let from = between + ((<usize>row) << 7);
      for (let column = 0; column < columns; column++) {
        storeLanes(to, v128.load(from), channels - k);
        to += pixelBytes;
        from += 16;
      }
    }
    m += 16;
  }
}

/**
 * transformed[36, ceil(K / 8), C, 8]: the kernels, which lie as `winogradFourWeights` takes them, as 6×6 values in the order in which `winogradStrided`
 * takes them; part: some input channels. Matrices lie `stride` bytes apart. Workspace: 18 vectors.
 */
export function winogradStridedWeights(
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
        for (let row: usize = 0; row < 3; row++) {
          const from = g + 3 * row * tap,
            line = between + row * 96;
          kernelSix(
            gather(from, outputBytes, lanes),
            gather(from + tap, outputBytes, lanes),
            gather(from + 2 * tap, outputBytes, lanes),
            line,
            16,
            line + 80,
          );
        }
        for (let column: usize = 0; column < 6; column++) {
          const line = between + column * 16;
          kernelSix(
            v128.load(line),
            v128.load(line, 96),
            v128.load(line, 192),
            to + (column < 5 ? column : 25) * stride,
            (column < 5 ? 5 : 1) * stride,
            to + (30 + column) * stride,
          );
        }
      }
    }
  }
}

/**
 * Patches [part · chunk, …) of y[N, OH, OW, K] = activate(3×3 windows of x[N, H, W, C], two apart, · w + bias), 4×4 of it each, the first one's 9×9 values of x
 * beginning `top` rows and `left` columns outside of the picture. `turned`: x is dz, y the input gradient, 8×8 of it each, that begin 5×5 values of dz; of both the
 * single ones begin at (oneRow, oneColumn), which is (1, 1) else. `patchesOfBlock` at a time, so that their transforms stay in a second-level cache. Workspace:
 * CONSTANT_BYTES, 84 vectors, a patch of 81 · C floats, then 81 · patchesOfBlock · (C4 + K8) + 2 · 39 · 16 floats, C4 and K8 being whole fours and
 * eights.
 */
export function winogradStrided(
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
  oneRow: i32,
  oneColumn: i32,
  patches: i32,
  turned: bool,
  relu: bool,
  chunk: i32,
  patchesOfBlock: i32,
): void {
  const lines = turned ? 5 : 9,
    each = turned ? 1 : 2,
    size = turned ? 8 : 4;
  const step = 4 * each;
  const pixelBytes = (<usize>channels) << 2,
    rowBytes = <usize>width * pixelBytes,
    targetBytes = (<usize>outputChannels) << 2;
  const valueBytes = (<usize>((channels + 3) & -4)) << 2,
    sumBytes = (<usize>((outputChannels + 7) & -8)) << 2;
  const constants = workspace,
    between = constants + CONSTANT_BYTES;
  const copied = between + 1344,
    values = copied + POSITIONS * pixelBytes,
    sums = values + POSITIONS * <usize>patchesOfBlock * valueBytes + <usize>PRODUCTS * GAP;
  const across = (outputWidth + size - 1) / size,
    down = (outputHeight + size - 1) / size;
  const weightStride = sumBytes * channels + GAP;
  storeStridedConstants(constants);
  const end = partEnd(part, chunk, patches);
  for (let first = part * chunk; first < end; first += patchesOfBlock) {
    const count = min(patchesOfBlock, end - first);
    const valueStride = <usize>count * valueBytes,
      sumStride = <usize>count * sumBytes;
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across;
      const picture = x + <usize>((line / down) * height) * rowBytes;
      const row = step * (line % down) - top,
        column = step * ((first + patch) % across) - left;
      let d = picture + <usize>row * rowBytes + <usize>column * pixelBytes,
        lineBytes = rowBytes;
      if (row < 0 || column < 0 || row + lines > height || column + lines > width) {
        copyPatch(copied, lines, picture, height, width, pixelBytes, row, column);
        d = copied;
        lineBytes = <usize>lines * pixelBytes;
      }
      transformStridedPatch(
        d,
        lineBytes,
        pixelBytes,
        lines,
        each,
        oneRow,
        oneColumn,
        values + <usize>patch * valueBytes,
        valueStride,
        between,
        constants,
      );
    }
    let a = values,
      c = sums;
    for (let product = 0; product < PRODUCTS; product++) {
      const positions = product < SINGLE_PRODUCTS ? 1 : 4;
      const panel = transformed + <usize>min(product, LAST_MATRIX) * weightStride;
      for (let k: usize = 0; k < sumBytes; k += 32)
        multiplyRows(channels, a, valueBytes, positions * count, panel + k * channels, c + k, sumBytes);
      a += positions * valueStride + GAP;
      c += positions * sumStride + GAP;
    }
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across,
        j = size * ((first + patch) % across);
      const i = size * (line % down);
      const m = sums + <usize>patch * sumBytes,
        to = y + <usize>(((line / down) * outputHeight + i) * outputWidth + j) * targetBytes,
        lineBytes = <usize>outputWidth * targetBytes;
      const rows = min(size, outputHeight - i),
        columns = min(size, outputWidth - j);
      if (turned)
        combineTurnedPatch(
          m,
          sumStride,
          to,
          lineBytes,
          outputChannels,
          rows,
          columns,
          oneRow,
          oneColumn,
          between,
          constants,
        );
      else combinePatch(m, sumStride, to, lineBytes, outputChannels, rows, columns, bias, relu, between, constants);
    }
  }
}

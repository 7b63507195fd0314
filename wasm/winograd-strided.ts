// 3×3 convolution with strides of 2 in 81 products for 4×4 outputs where the direct way takes 144. Along one axis, output i sees the inputs
// 2i, 2i + 1 and 2i + 2: two taps of the even ones, which Winograd's F(4, 2) does in five products for four outputs where four times two would be, and one tap
// of the odd ones. So nine inputs become T d: five sums of the even ones and the four odd ones as they are, a kernel of three becomes six, since the odd tap is the
// same for all four, and the outputs are
//
//   y = A [ G(g0, g2) ⊙ B (d0, d2, d4, d6, d8) ] + g1 · (d1, d3, d5, d7)
//
// With two axes the kernel has 6×6 values, which meet 9×9 of the picture: 36 matrix products, of which those with an odd tap take the patches of four
// positions at once, that with two of sixteen. The matrices follow from the points ±a, ±b, ∞ as in winograd-four.ts; a = 1/2 and b = 3/2 make errors
// smaller than those of plain sums, which are longer (3×3×64 products: 0.62 of their root mean square).
// AssemblyScript. Pictures are NHWC, addresses and strides bytes.
import { activate, storeLanes } from './epilogue';
import { multiplyAdd, partEnd } from './range';
import { multiplyRows } from './tile';
import { CONSTANT_BYTES, constant, copyPatch, gather } from './winograd-four';

/**
 * Positions of T d Tᵀ: even sums in both axes [5, 5], those of rows in odd columns [5, 4], those of columns in odd rows [columns 5, rows 4], odd rows and
 * columns [4, 4].
 */
const POSITIONS: usize = 81;
/** Bytes between the products' operands beyond a whole number of patches: neighbours would fall on the same lines of a cache. */
const GAP: usize = 64;
const MATRICES: usize = 36;

const A: f32 = 0.5,
  B: f32 = 1.5;
const MINUS_A2: usize = 0,
  MINUS_B2: usize = 4,
  PLUS_A: usize = 8,
  MINUS_A: usize = 12,
  PLUS_B: usize = 16,
  MINUS_B: usize = 20,
  SUM: usize = 24,
  PRODUCT: usize = 28,
  PLUS_A2: usize = 32,
  PLUS_B2: usize = 36,
  PLUS_A3: usize = 40,
  PLUS_B3: usize = 44;

function storeConstants(to: usize): void {
  store<f32>(to + MINUS_A2, -A * A);
  store<f32>(to + MINUS_B2, -B * B);
  store<f32>(to + PLUS_A, A);
  store<f32>(to + MINUS_A, -A);
  store<f32>(to + PLUS_B, B);
  store<f32>(to + MINUS_B, -B);
  store<f32>(to + SUM, -A * A - B * B);
  store<f32>(to + PRODUCT, A * A * B * B);
  store<f32>(to + PLUS_A2, A * A);
  store<f32>(to + PLUS_B2, B * B);
  store<f32>(to + PLUS_A3, A * A * A);
  store<f32>(to + PLUS_B3, B * B * B);
}

/** T times nine values, `step` apart: the five sums of the even ones lie `evenStep` apart, the four odd ones `oddStep`. */
// @ts-ignore: decorator
@inline
function transformNine(
  d: usize,
  step: usize,
  even: usize,
  evenStep: usize,
  odd: usize,
  oddStep: usize,
  k: usize,
): void {
  const d0 = v128.load(d),
    d2 = v128.load(d + 2 * step),
    d4 = v128.load(d + 4 * step),
    d6 = v128.load(d + 6 * step);
  const evenA = multiplyAdd(d6, d2, constant(k, MINUS_B2)),
    oddA = multiplyAdd(d4, d0, constant(k, MINUS_B2));
  v128.store(even, multiplyAdd(evenA, oddA, constant(k, PLUS_A)));
  v128.store((even += evenStep), multiplyAdd(evenA, oddA, constant(k, MINUS_A)));
  const evenB = multiplyAdd(d6, d2, constant(k, MINUS_A2)),
    oddB = multiplyAdd(d4, d0, constant(k, MINUS_A2));
  v128.store((even += evenStep), multiplyAdd(evenB, oddB, constant(k, PLUS_B)));
  v128.store((even += evenStep), multiplyAdd(evenB, oddB, constant(k, MINUS_B)));
  v128.store(
    even + evenStep,
    multiplyAdd(multiplyAdd(v128.load(d + 8 * step), d4, constant(k, SUM)), d0, constant(k, PRODUCT)),
  );
  v128.store(odd, v128.load((d += step)));
  v128.store((odd += oddStep), v128.load((d += 2 * step)));
  v128.store((odd += oddStep), v128.load((d += 2 * step)));
  v128.store(odd + oddStep, v128.load(d + 2 * step));
}

/**
 * T d Tᵀ of the patch at `d` for all channels, four at a time. Neighbouring positions lie `stride` apart, and GAP more where their kernels differ.
 * `between` takes 81 vectors.
 */
function transformPatch(
  d: usize,
  rowBytes: usize,
  pixelBytes: usize,
  to: usize,
  stride: usize,
  between: usize,
  constants: usize,
): void {
  const single = stride + GAP,
    four = 4 * stride + GAP;
  const oddRows = to + 25 * single + 5 * four,
    odd = oddRows + 5 * four;
  for (let channel: usize = 0; channel < pixelBytes; channel += 16) {
    for (let row: usize = 0; row < 9; row++) {
      const line = between + row * 144;
      transformNine(d + channel + row * rowBytes, pixelBytes, line, 16, line + 80, 16, constants);
    }
    for (let column: usize = 0; column < 5; column++)
      transformNine(
        between + column * 16,
        144,
        to + channel + column * single,
        5 * single,
        oddRows + channel + column * four,
        stride,
        constants,
      );
    for (let column: usize = 0; column < 4; column++)
      transformNine(
        between + 80 + column * 16,
        144,
        to + channel + 25 * single + column * stride,
        four,
        odd + channel + column * stride,
        4 * stride,
        constants,
      );
  }
}

/** A times five values, `step` apart, and four more, `extraStep` apart, added to them; the four results lie `toStep` apart. */
// @ts-ignore: decorator
@inline
function combineNine(m: usize, step: usize, extra: usize, extraStep: usize, to: usize, toStep: usize, k: usize): void {
  const m0 = v128.load(m),
    m1 = v128.load((m += step)),
    m2 = v128.load((m += step)),
    m3 = v128.load((m += step));
  const sumA = f32x4.add(m0, m1),
    differenceA = f32x4.sub(m0, m1),
    sumB = f32x4.add(m2, m3),
    differenceB = f32x4.sub(m2, m3);
  v128.store(to, f32x4.add(f32x4.add(sumA, sumB), v128.load(extra)));
  v128.store(
    (to += toStep),
    multiplyAdd(
      multiplyAdd(v128.load((extra += extraStep)), differenceA, constant(k, PLUS_A)),
      differenceB,
      constant(k, PLUS_B),
    ),
  );
  v128.store(
    (to += toStep),
    multiplyAdd(multiplyAdd(v128.load((extra += extraStep)), sumA, constant(k, PLUS_A2)), sumB, constant(k, PLUS_B2)),
  );
  v128.store(
    to + toStep,
    multiplyAdd(
      multiplyAdd(f32x4.add(v128.load(m + step), v128.load(extra + extraStep)), differenceA, constant(k, PLUS_A3)),
      differenceB,
      constant(k, PLUS_B3),
    ),
  );
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
  const pixelBytes = (<usize>channels) << 2;
  const single = stride + GAP,
    four = 4 * stride + GAP;
  for (let k = 0; k < channels; k += 4) {
    const oddColumns = m + 25 * single,
      oddRows = oddColumns + 5 * four,
      odd = oddRows + 5 * four;
    for (let row: usize = 0; row < 5; row++)
      combineNine(m + row * 5 * single, single, oddColumns + row * four, stride, between + row * 64, 16, constants);
    for (let row: usize = 0; row < 4; row++)
      combineNine(
        oddRows + row * stride,
        four,
        odd + row * 4 * stride,
        stride,
        between + 320 + row * 64,
        16,
        constants,
      );
    const first = bias ? v128.load(bias + ((<usize>k) << 2)) : f32x4.splat(0);
    for (let column = 0; column < columns; column++) {
      const line = between + ((<usize>column) << 4);
      combineNine(line, 64, line + 320, 64, line, 64, constants);
      let to = y + <usize>column * pixelBytes + ((<usize>k) << 2);
      for (let row = 0; row < rows; row++) {
        storeLanes(to, activate(f32x4.add(v128.load(line + ((<usize>row) << 6)), first), relu), channels - k);
        to += lineBytes;
      }
    }
    m += 16;
  }
}

/**
 * transformed[36, ceil(K / 8), C, 8]: the kernels g = w[3, 3, C, K] as 6×6 values, in the order in which `winogradStrided` takes them; part: some input
 * channels. Matrices lie `stride` bytes apart. `between` takes 18 vectors a part.
 */
export function winogradStridedWeights(
  part: i32,
  weights: usize,
  transformed: usize,
  inputs: i32,
  outputs: i32,
  stride: usize,
  between: usize,
  chunk: i32,
): void {
  const tap = (<usize>(inputs * outputs)) << 2;
  const end = partEnd(part, chunk, inputs);
  between += <usize>part * 288;
  for (let panel = 0; panel < outputs; panel += 8) {
    for (let input = part * chunk; input < end; input++) {
      for (let k = panel; k < min(panel + 8, outputs); k += 4) {
        const g = weights + ((<usize>(input * outputs + k)) << 2);
        const to = transformed + ((<usize>(panel * inputs + input * 8 + (k & 4))) << 2);
        const lanes = min(4, outputs - k);
        for (let row: usize = 0; row < 3; row++) {
          const from = g + 3 * row * tap,
            line = between + row * 96;
          kernelSix(
            gather(from, 4, lanes),
            gather(from + tap, 4, lanes),
            gather(from + 2 * tap, 4, lanes),
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

/** G (g0, g2), `evenStep` apart, and g1. */
// @ts-ignore: decorator
@inline
function kernelSix(g0: v128, g1: v128, g2: v128, even: usize, evenStep: usize, odd: usize): void {
  const OF_A: f32 = 1 / (2 * A * (B * B - A * A)),
    OF_B: f32 = 1 / (2 * B * (B * B - A * A));
  const firstA = f32x4.mul(g0, f32x4.splat(OF_A)),
    secondA = f32x4.mul(g2, f32x4.splat(-A * OF_A));
  v128.store(even, f32x4.sub(secondA, firstA));
  v128.store((even += evenStep), f32x4.add(secondA, firstA));
  const firstB = f32x4.mul(g0, f32x4.splat(OF_B)),
    secondB = f32x4.mul(g2, f32x4.splat(B * OF_B));
  v128.store((even += evenStep), f32x4.add(secondB, firstB));
  v128.store((even += evenStep), f32x4.sub(secondB, firstB));
  v128.store(even + evenStep, g2);
  v128.store(odd, g1);
}

/**
 * Patches [part · chunk, …) of y[N, OH, OW, K] = activate(3×3 windows of x[N, H, W, C], two apart, · w + bias), the first window `top` rows and `left` columns
 * outside of the picture; `patchesOfBlock` at a time, so that their transforms stay in a second-level cache. Scratch memory a part: CONSTANT_BYTES, 81 vectors,
 * a patch of 81 · C floats, then 81 · patchesOfBlock · (C4 + K8) + 2 · 36 · 16 floats, C4 and K8 being whole fours and eights.
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
  patches: i32,
  relu: bool,
  chunk: i32,
  patchesOfBlock: i32,
  scratch: usize,
  scratchBytes: usize,
): void {
  const pixelBytes = (<usize>channels) << 2,
    rowBytes = <usize>width * pixelBytes,
    targetBytes = (<usize>outputChannels) << 2;
  const valueBytes = (<usize>((channels + 3) & -4)) << 2,
    sumBytes = (<usize>((outputChannels + 7) & -8)) << 2;
  const constants = scratch + <usize>part * scratchBytes,
    between = constants + CONSTANT_BYTES;
  const copied = between + POSITIONS * 16,
    values = copied + POSITIONS * pixelBytes,
    sums = values + POSITIONS * <usize>patchesOfBlock * valueBytes + MATRICES * GAP;
  const across = (outputWidth + 3) >> 2,
    down = (outputHeight + 3) >> 2;
  const weightStride = sumBytes * channels + GAP;
  storeConstants(constants);
  const end = partEnd(part, chunk, patches);
  for (let first = part * chunk; first < end; first += patchesOfBlock) {
    const count = min(patchesOfBlock, end - first);
    const valueStride = <usize>count * valueBytes,
      sumStride = <usize>count * sumBytes;
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across;
      const picture = x + <usize>((line / down) * height) * rowBytes;
      const row = 8 * (line % down) - top,
        column = 8 * ((first + patch) % across) - left;
      let d = picture + <usize>row * rowBytes + <usize>column * pixelBytes,
        lineBytes = rowBytes;
      if (row < 0 || column < 0 || row + 9 > height || column + 9 > width) {
        copyPatch(copied, 9, picture, height, width, pixelBytes, row, column);
        d = copied;
        lineBytes = 9 * pixelBytes;
      }
      transformPatch(d, lineBytes, pixelBytes, values + <usize>patch * valueBytes, valueStride, between, constants);
    }
    let a = values,
      c = sums,
      panel = transformed;
    for (let matrix = 0; matrix < <i32>MATRICES; matrix++) {
      const positions = matrix < 25 ? 1 : matrix < 35 ? 4 : 16;
      for (let k: usize = 0; k < sumBytes; k += 32)
        multiplyRows(channels, a, valueBytes, positions * count, panel + k * channels, c + k, sumBytes);
      a += positions * valueStride + GAP;
      c += positions * sumStride + GAP;
      panel += weightStride;
    }
    for (let patch = 0; patch < count; patch++) {
      const line = (first + patch) / across,
        j = 4 * ((first + patch) % across);
      const i = 4 * (line % down);
      combinePatch(
        sums + <usize>patch * sumBytes,
        sumStride,
        y + <usize>(((line / down) * outputHeight + i) * outputWidth + j) * targetBytes,
        <usize>outputWidth * targetBytes,
        outputChannels,
        min(4, outputHeight - i),
        min(4, outputWidth - j),
        bias,
        relu,
        between,
        constants,
      );
    }
  }
}

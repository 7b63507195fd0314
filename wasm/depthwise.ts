// Depthwise convolution: every channel by itself, four (or eight) at a time, four outputs in registers. AssemblyScript.
// Pictures are NHWC, addresses bytes; see window.ts for axes and bands. With a depth multiplier each input channel is
// repeated in the band, and an input gradient's channels are summed at the end: between, there is one input to one output.
import { activate, storeLanes } from './epilogue';
import { multiplyAdd, partEnd } from './range';
import { Axis, copyBand, firstInput, firstTap, highestInput, lowestInput, tapStep } from './window';
import { workspace } from './workspace';

/** Bytes of an entry of the list of taps: where the tap's input lies behind the window's first, and its weights. */
const ENTRY_BYTES: usize = 8;

/**
 * Four outputs × 8 channels, inputs `step` and outputs `targetStep` bytes apart: c = relu?(bias + Σ over the entries of input · weight). Not to
 * be inlined: see tile.ts.
 */
function eightChannels(
  entries: usize,
  end: usize,
  a: usize,
  step: usize,
  weights: usize,
  bias: usize,
  relu: bool,
  c: usize,
  targetStep: usize,
): void {
  let s00 = bias ? v128.load(bias) : f32x4.splat(0),
    s01 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  let s10 = s00,
    s11 = s01,
    s20 = s00,
    s21 = s01,
    s30 = s00,
    s31 = s01;
  for (; entries < end; entries += ENTRY_BYTES) {
    const weight = weights + <usize>load<u32>(entries, 4);
    const w0 = v128.load(weight),
      w1 = v128.load(weight, 16);
    let input = a + <usize>load<u32>(entries);
    s00 = multiplyAdd(s00, v128.load(input), w0);
    s01 = multiplyAdd(s01, v128.load(input, 16), w1);
    input += step;
    s10 = multiplyAdd(s10, v128.load(input), w0);
    s11 = multiplyAdd(s11, v128.load(input, 16), w1);
    input += step;
    s20 = multiplyAdd(s20, v128.load(input), w0);
    s21 = multiplyAdd(s21, v128.load(input, 16), w1);
    input += step;
    s30 = multiplyAdd(s30, v128.load(input), w0);
    s31 = multiplyAdd(s31, v128.load(input, 16), w1);
  }
  v128.store(c, activate(s00, relu));
  v128.store(c, activate(s01, relu), 16);
  c += targetStep;
  v128.store(c, activate(s10, relu));
  v128.store(c, activate(s11, relu), 16);
  c += targetStep;
  v128.store(c, activate(s20, relu));
  v128.store(c, activate(s21, relu), 16);
  c += targetStep;
  v128.store(c, activate(s30, relu));
  v128.store(c, activate(s31, relu), 16);
}

/** The same for up to 4 channels. */
function fourChannels(
  entries: usize,
  end: usize,
  a: usize,
  step: usize,
  weights: usize,
  bias: usize,
  relu: bool,
  c: usize,
  targetStep: usize,
  channels: i32,
): void {
  let s0 = bias ? v128.load(bias) : f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (; entries < end; entries += ENTRY_BYTES) {
    const weight = v128.load(weights + <usize>load<u32>(entries, 4));
    let input = a + <usize>load<u32>(entries);
    s0 = multiplyAdd(s0, v128.load(input), weight);
    input += step;
    s1 = multiplyAdd(s1, v128.load(input), weight);
    input += step;
    s2 = multiplyAdd(s2, v128.load(input), weight);
    input += step;
    s3 = multiplyAdd(s3, v128.load(input), weight);
  }
  storeLanes(c, activate(s0, relu), channels);
  storeLanes(c + targetStep, activate(s1, relu), channels);
  storeLanes(c + 2 * targetStep, activate(s2, relu), channels);
  storeLanes(c + 3 * targetStep, activate(s3, relu), channels);
}

/**
 * Lines [part · chunk, …) of y[N, rows.outputs, columns.outputs, K / sumOf] for x[N, rows.inputs, columns.inputs, K / repeat] and
 * w[taps, K]; `sumOf` neighbouring channels are summed. Workspace: 8 bytes a tap, `bandLines` lines' band, a line of K channels.
 */
export function depthwise(
  part: i32,
  x: usize,
  weights: usize,
  bias: usize,
  y: usize,
  rowAxis: usize,
  columnAxis: usize,
  lines: i32,
  channels: i32,
  repeat: i32,
  sumOf: i32,
  relu: bool,
  chunk: i32,
  bandLines: i32,
): void {
  const rows = changetype<Axis>(rowAxis),
    columns = changetype<Axis>(columnAxis);
  const height = rows.inputs,
    width = columns.inputs,
    outputHeight = rows.outputs,
    outputWidth = columns.outputs;
  const pixelBytes = (<usize>channels) << 2;
  const sourceChannels = channels / repeat;
  const pictureBytes = (<usize>(height * width * sourceChannels)) << 2;
  const targetChannels = channels / sumOf;
  const targetLineBytes = (<usize>(outputWidth * targetChannels)) << 2;
  const copied = columns.before > 0 || columns.after > 0 || repeat > 1;
  const rowBytes = <usize>(columns.before + width + columns.after) * pixelBytes;
  const entries = workspace;
  const longLine = entries + <usize>(rows.taps * columns.taps) * ENTRY_BYTES;
  const band = longLine + (sumOf > 1 ? <usize>outputWidth * pixelBytes + 32 : 0);
  const end = partEnd(part, chunk, lines);
  for (let first = part * chunk; first < end;) {
    const n = first / outputHeight,
      top = first % outputHeight;
    const count = min(min(bandLines, end - first), outputHeight - top);
    const picture = x + <usize>n * pictureBytes;
    let origin = picture; // where row 0 of the picture would lie, column 0 of the border
    if (copied) {
      const lowest = max(0, lowestInput(rows, top)),
        highest = min(height - 1, highestInput(rows, top + count - 1));
      copyBand(
        band,
        picture,
        height,
        width,
        sourceChannels,
        lowest,
        highest + 1 - lowest,
        columns.before,
        columns.after,
        repeat,
      );
      origin = band - <usize>lowest * rowBytes;
    }
    for (let i = top; i < top + count; i++) {
      const target = y + <usize>(n * outputHeight + i) * targetLineBytes;
      const line = sumOf > 1 ? longLine : target;
      for (let phase = 0; phase < min(columns.divisor, outputWidth); phase++) {
        const listEnd = listTaps(entries, rows, columns, i, phase, rowBytes, pixelBytes);
        const start = origin + <usize>(firstInput(columns, phase) + columns.before) * pixelBytes;
        depthwiseLine(
          entries,
          listEnd,
          start,
          <usize>columns.stride * pixelBytes,
          weights,
          bias,
          relu,
          line + <usize>phase * pixelBytes,
          <usize>columns.divisor * pixelBytes,
          (outputWidth - phase - 1) / columns.divisor + 1,
          channels,
        );
      }
      if (sumOf > 1) sumNeighbours(target, longLine, outputWidth * targetChannels, sumOf);
    }
    first += count;
  }
}

/** The taps that output line i sees in a phase of its columns: offsets from the first column's place in row 0. Returns the list's end. */
function listTaps(
  entries: usize,
  rows: Axis,
  columns: Axis,
  i: i32,
  phase: i32,
  rowBytes: usize,
  pixelBytes: usize,
): usize {
  const columnStep = tapStep(columns),
    firstColumn = firstTap(columns, phase);
  const columnOffset = <usize>((columnStep * columns.dilation) / columns.divisor) * pixelBytes;
  for (let p = 0; p < rows.taps; p++) {
    const place = i * rows.stride + p * rows.dilation + rows.shift;
    if (place % rows.divisor != 0 || place < 0 || place >= rows.inputs * rows.divisor) continue;
    let offset = <usize>(place / rows.divisor) * rowBytes;
    for (let q = firstColumn; q < columns.taps; q += columnStep) {
      store<u32>(entries, <u32>offset);
      store<u32>(entries, <u32>(<usize>(p * columns.taps + q) * pixelBytes), 4);
      entries += ENTRY_BYTES;
      offset += columnOffset;
    }
  }
  return entries;
}

/** `count` outputs, `targetStep` bytes apart. */
function depthwiseLine(
  entries: usize,
  end: usize,
  start: usize,
  step: usize,
  weights: usize,
  bias: usize,
  relu: bool,
  target: usize,
  targetStep: usize,
  count: i32,
  channels: i32,
): void {
  if (count < 4) {
    // one by one, each of them four times
    for (let j = 0; j < count; j++) {
      depthwiseFour(
        entries,
        end,
        start + <usize>j * step,
        0,
        weights,
        bias,
        relu,
        target + <usize>j * targetStep,
        0,
        channels,
      );
    }
    return;
  }
  for (let j = 0; j < count; j += 4) {
    const first = <usize>min(j, count - 4); // the last four may overlap those before
    depthwiseFour(
      entries,
      end,
      start + first * step,
      step,
      weights,
      bias,
      relu,
      target + first * targetStep,
      targetStep,
      channels,
    );
  }
}

function depthwiseFour(
  entries: usize,
  end: usize,
  start: usize,
  step: usize,
  weights: usize,
  bias: usize,
  relu: bool,
  target: usize,
  targetStep: usize,
  channels: i32,
): void {
  let c: i32 = 0;
  for (; c + 8 <= channels; c += 8) {
    const at = (<usize>c) << 2;
    eightChannels(entries, end, start + at, step, weights + at, bias ? bias + at : 0, relu, target + at, targetStep);
  }
  for (; c < channels; c += 4) {
    const at = (<usize>c) << 2;
    fourChannels(
      entries,
      end,
      start + at,
      step,
      weights + at,
      bias ? bias + at : 0,
      relu,
      target + at,
      targetStep,
      channels - c,
    );
  }
}

/** to[count] = Σ of `size` neighbours each. */
function sumNeighbours(to: usize, values: usize, count: i32, size: i32): void {
  for (let i = 0; i < count; i++) {
    let sum = load<f32>(values);
    for (let r = 1; r < size; r++) sum += load<f32>(values + ((<usize>r) << 2));
    store<f32>(to, sum);
    values += (<usize>size) << 2;
    to += 4;
  }
}

/**
 * Nine sums, of a block of 3×3 taps × 4 channels, over `count` pixels of a line. Rows of x and of the sums are `row1` and `row2` (or
 * s1 and s2) away from the first, columns `column1` and `column2`; a tap that the window lacks repeats another, whose sum it then is.
 */
function addNineTaps(
  x: usize,
  row1: usize,
  row2: usize,
  column1: usize,
  column2: usize,
  step: usize,
  dz: usize,
  dzStep: usize,
  count: i32,
  s0: usize,
  s1: usize,
  s2: usize,
  sum1: usize,
  sum2: usize,
): void {
  let t00 = v128.load(s0),
    t01 = v128.load(s0 + sum1),
    t02 = v128.load(s0 + sum2);
  let t10 = v128.load(s1),
    t11 = v128.load(s1 + sum1),
    t12 = v128.load(s1 + sum2);
  let t20 = v128.load(s2),
    t21 = v128.load(s2 + sum1),
    t22 = v128.load(s2 + sum2);
  for (; count > 0; count--) {
    const gradient = v128.load(dz),
      x1 = x + row1,
      x2 = x + row2;
    t00 = multiplyAdd(t00, v128.load(x), gradient);
    t01 = multiplyAdd(t01, v128.load(x + column1), gradient);
    t02 = multiplyAdd(t02, v128.load(x + column2), gradient);
    t10 = multiplyAdd(t10, v128.load(x1), gradient);
    t11 = multiplyAdd(t11, v128.load(x1 + column1), gradient);
    t12 = multiplyAdd(t12, v128.load(x1 + column2), gradient);
    t20 = multiplyAdd(t20, v128.load(x2), gradient);
    t21 = multiplyAdd(t21, v128.load(x2 + column1), gradient);
    t22 = multiplyAdd(t22, v128.load(x2 + column2), gradient);
    x += step;
    dz += dzStep;
  }
  v128.store(s0, t00);
  v128.store(s0 + sum1, t01);
  v128.store(s0 + sum2, t02);
  v128.store(s1, t10);
  v128.store(s1 + sum1, t11);
  v128.store(s1 + sum2, t12);
  v128.store(s2, t20);
  v128.store(s2 + sum1, t21);
  v128.store(s2 + sum2, t22);
}

/** slices[part, taps, ceil4(K)] = the weight gradient of lines [part · chunk, …), for x and dz as in `depthwise`; then `finishDepthwiseWeightGradient`. */
export function depthwiseWeightGradient(
  part: i32,
  x: usize,
  dz: usize,
  slices: usize,
  rowAxis: usize,
  columnAxis: usize,
  lines: i32,
  channels: i32,
  repeat: i32,
  chunk: i32,
  bandLines: i32,
): void {
  const rows = changetype<Axis>(rowAxis),
    columns = changetype<Axis>(columnAxis);
  const height = rows.inputs,
    width = columns.inputs,
    outputHeight = rows.outputs,
    outputWidth = columns.outputs;
  const pixelBytes = (<usize>channels) << 2,
    lineBytes = <usize>outputWidth * pixelBytes;
  const pictureBytes = (<usize>(height * width * (channels / repeat))) << 2;
  const rowBytes = <usize>(columns.before + width + columns.after) * pixelBytes;
  const rowStep = <usize>rows.dilation * rowBytes,
    columnStep = <usize>columns.dilation * pixelBytes,
    step = <usize>columns.stride * pixelBytes;
  const tapBytes = (<usize>((channels + 3) & -4)) << 2;
  const sums = slices + <usize>(part * rows.taps * columns.taps) * tapBytes;
  const band = workspace;
  memory.fill(sums, 0, <usize>(rows.taps * columns.taps) * tapBytes);
  const end = partEnd(part, chunk, lines);
  for (let first = part * chunk; first < end;) {
    const n = first / outputHeight,
      top = first % outputHeight;
    const count = min(min(bandLines, end - first), outputHeight - top);
    const picture = x + <usize>n * pictureBytes;
    const lowest = lowestInput(rows, top),
      highest = highestInput(rows, top + count - 1);
    let start = picture + <usize>lowest * rowBytes;
    if (columns.before > 0 || columns.after > 0 || repeat > 1 || lowest < 0 || highest >= height) {
      copyBand(
        band,
        picture,
        height,
        width,
        channels / repeat,
        lowest,
        highest + 1 - lowest,
        columns.before,
        columns.after,
        repeat,
      );
      start = band;
    }
    start += <usize>(columns.shift + columns.before) * pixelBytes;
    for (let i = 0; i < count; i++) {
      const gradients = dz + <usize>(first + i) * lineBytes;
      for (let p = 0; p < rows.taps; p += 3) {
        const p1 = <usize>(min(p + 1, rows.taps - 1) - p),
          p2 = <usize>(min(p + 2, rows.taps - 1) - p);
        for (let q = 0; q < columns.taps; q += 3) {
          const q1 = <usize>(min(q + 1, columns.taps - 1) - q),
            q2 = <usize>(min(q + 2, columns.taps - 1) - q);
          const source = start + <usize>(i * rows.stride) * rowBytes + <usize>p * rowStep + <usize>q * columnStep;
          const sum = sums + <usize>(p * columns.taps + q) * tapBytes,
            sumRow = <usize>columns.taps * tapBytes;
          for (let at: usize = 0; at < pixelBytes; at += 16) {
            addNineTaps(
              source + at,
              p1 * rowStep,
              p2 * rowStep,
              q1 * columnStep,
              q2 * columnStep,
              step,
              gradients + at,
              pixelBytes,
              outputWidth,
              sum + at,
              sum + at + p1 * sumRow,
              sum + at + p2 * sumRow,
              q1 * tapBytes,
              q2 * tapBytes,
            );
          }
        }
      }
    }
    first += count;
  }
}

/** dw[taps, K] = Σ over slices[count, taps, ceil4(K)], in their order; part: a tap. */
export function finishDepthwiseWeightGradient(
  part: i32,
  slices: usize,
  dw: usize,
  count: i32,
  taps: i32,
  channels: i32,
): void {
  const tapBytes = (<usize>((channels + 3) & -4)) << 2,
    sliceBytes = <usize>taps * tapBytes;
  slices += <usize>part * tapBytes;
  dw += (<usize>(part * channels)) << 2;
  for (let c = 0; c < channels; c += 4) {
    const at = (<usize>c) << 2;
    let sum = v128.load(slices + at);
    for (let slice = 1; slice < count; slice++)
      sum = f32x4.add(sum, v128.load(slices + at + <usize>slice * sliceBytes));
    storeLanes(dw + at, sum, channels - c);
  }
}

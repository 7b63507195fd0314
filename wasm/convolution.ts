// Convolution and its gradients without copies of the windows (no im2col): four windows × 8 output channels at a time, the values
// read where they lie. AssemblyScript. Pictures are NHWC, addresses bytes; see window.ts for axes, phases and bands. The channels
// may be divided into groups. Each function does one part of the work (see range.ts); a "line" is one row of output pixels,
// counted over the whole batch.
import { partEnd } from './range';
import { evenOffsets, multiplyInto, multiplyLine, packPanel, TILE_BYTES } from './tile';
import {
  Axis,
  copyBand,
  firstInput,
  firstTap,
  highestInput,
  inputStep,
  lowestInput,
  mostTaps,
  tapCount,
  tapsBefore,
  tapStep,
} from './window';
import { workspace } from './workspace';

const CHANNELS: i32 = 8;

/**
 * offsets[phases of columns, most taps of rows, taps of columns, inputs]: how far each value of a window lies behind its first, in a band
 * of `channels` channels.
 */
export function windowOffsets(
  part: i32,
  offsets: usize,
  rowAxis: usize,
  columnAxis: usize,
  channels: i32,
  inputs: i32,
): void {
  const rows = changetype<Axis>(rowAxis),
    columns = changetype<Axis>(columnAxis);
  const width = columns.before + columns.inputs + columns.after;
  for (let phase = 0; phase < columns.divisor; phase++) {
    for (let p = 0; p < mostTaps(rows); p++) {
      for (let q = 0; q < tapCount(columns, phase); q++) {
        const pixel = p * inputStep(rows) * width + q * inputStep(columns);
        for (let c = 0; c < inputs; c++) {
          store<i32>(offsets, (pixel * channels + c) << 2);
          offsets += 4;
        }
      }
    }
  }
}

/**
 * packed[phases of rows, phases of columns, groups, ceil(outputs / 8), taps of the phase, inputs, 8]: weights as `convolve` reads them, the
 * last panel of a group filled up with zeros. The weight of a tap, a group, an input and an output is the float tap · inputs · outputs · groups
 * + group · groupStride + input · inputStride + output · outputStride; part: a panel of a group.
 */
export function packWindows(
  part: i32,
  packed: usize,
  weights: usize,
  rowAxis: usize,
  columnAxis: usize,
  groups: i32,
  inputs: i32,
  outputs: i32,
  inputStride: i32,
  outputStride: i32,
  groupStride: i32,
): void {
  const rows = changetype<Axis>(rowAxis),
    columns = changetype<Axis>(columnAxis);
  const panels = (outputs + CHANNELS - 1) / CHANNELS;
  const first = (part % panels) * CHANNELS;
  const source = weights + ((<usize>((part / panels) * groupStride + first * outputStride)) << 2);
  const tapBytes = (<usize>(inputs * outputs * groups)) << 2,
    panelTapBytes = (<usize>(inputs * CHANNELS)) << 2;
  let block = packed;
  for (let a = 0; a < rows.divisor; a++) {
    for (let b = 0; b < columns.divisor; b++) {
      const taps = tapCount(rows, a) * tapCount(columns, b);
      let to = block + <usize>(part * taps) * panelTapBytes;
      for (let p = firstTap(rows, a); p < rows.taps; p += tapStep(rows)) {
        for (let q = firstTap(columns, b); q < columns.taps; q += tapStep(columns)) {
          packPanel(
            to,
            source + <usize>(p * columns.taps + q) * tapBytes,
            inputStride << 2,
            outputStride << 2,
            inputs,
            min(CHANNELS, outputs - first),
          );
          to += panelTapBytes;
        }
      }
      block += <usize>(groups * panels * taps) * panelTapBytes;
    }
  }
}

/**
 * Lines [part · chunk, …) of y[N, rows.outputs, columns.outputs, groups · outputs] = activate(windows of x[N, rows.inputs, columns.inputs, groups · inputs]
 * · w + bias). `packed` and `offsets` are those of `packWindows` and `windowOffsets`; workspace: the band of `bandLines` lines.
 */
export function convolve(
  part: i32,
  x: usize,
  packed: usize,
  bias: usize,
  y: usize,
  rowAxis: usize,
  columnAxis: usize,
  offsets: usize,
  lines: i32,
  groups: i32,
  inputs: i32,
  outputs: i32,
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
  const channels = groups * inputs,
    pixelBytes = (<usize>channels) << 2;
  const pictureBytes = <usize>(height * width) * pixelBytes;
  const targetBytes = (<usize>(groups * outputs)) << 2;
  const copied = columns.before > 0 || columns.after > 0;
  const rowBytes = <usize>(columns.before + width + columns.after) * pixelBytes;
  const band = workspace;
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
      copyBand(band, picture, height, width, channels, lowest, highest + 1 - lowest, columns.before, columns.after, 1);
      origin = band - <usize>lowest * rowBytes;
    }
    const target = y + <usize>(n * outputHeight * outputWidth) * targetBytes;
    for (let phase = 0; phase < min(columns.divisor, outputWidth); phase++) {
      convolveBand(
        origin,
        rowBytes,
        pixelBytes,
        packed,
        bias,
        target,
        rows,
        columns,
        phase,
        offsets,
        groups,
        inputs,
        outputs,
        relu,
        top,
        top + count,
      );
    }
    first += count;
  }
}

/** Lines from `top` to `end` of a picture at `target`, in one phase of its columns. */
function convolveBand(
  origin: usize,
  rowBytes: usize,
  pixelBytes: usize,
  packed: usize,
  bias: usize,
  target: usize,
  rows: Axis,
  columns: Axis,
  phase: i32,
  offsets: usize,
  groups: i32,
  inputs: i32,
  outputs: i32,
  relu: bool,
  top: i32,
  end: i32,
): void {
  const columnTaps = tapCount(columns, phase),
    earlierTaps = tapsBefore(columns, phase);
  const step = <usize>columns.stride * pixelBytes;
  const targetBytes = (<usize>(groups * outputs)) << 2,
    targetStep = <usize>columns.divisor * targetBytes;
  const last = (columns.outputs - phase - 1) / columns.divisor; // the phase's last output: those beyond it repeat it
  const table = offsets + ((<usize>(mostTaps(rows) * earlierTaps * inputs)) << 2);
  const panels = (outputs + CHANNELS - 1) / CHANNELS;
  const rowStep = inputStep(rows);
  origin += <usize>(firstInput(columns, phase) + columns.before) * pixelBytes;
  target += <usize>phase * targetBytes;
  for (let panel = 0; panel < groups * panels; panel++) {
    const group = panel / panels,
      channel = group * outputs + (panel % panels) * CHANNELS;
    const columnsOfTile = min(CHANNELS, (group + 1) * outputs - channel);
    const panelBias = bias ? bias + ((<usize>channel) << 2) : 0;
    for (let i = top; i < end; i++) {
      const rowPhase = i % rows.divisor,
        rowTaps = tapCount(rows, rowPhase);
      const row = firstInput(rows, rowPhase) + (i / rows.divisor) * rows.stride;
      let lower = 0,
        upper = rowTaps; // taps of rows outside of the picture are left out
      while (lower < upper && (row + lower * rowStep < 0 || row + lower * rowStep >= rows.inputs)) lower++;
      while (lower < upper && (row + (upper - 1) * rowStep < 0 || row + (upper - 1) * rowStep >= rows.inputs)) upper--;
      const skipped = lower * columnTaps * inputs,
        depth = (upper - lower) * columnTaps * inputs;
      const before = tapsBefore(rows, rowPhase) * columns.taps + rowTaps * earlierTaps;
      const weights =
        packed + ((<usize>((before * groups * panels + panel * rowTaps * columnTaps) * inputs + skipped)) << 5);
      const start = origin + <usize>row * rowBytes + ((<usize>(group * inputs)) << 2);
      const line = target + <usize>(i * columns.outputs) * targetBytes + ((<usize>channel) << 2);
      multiplyLine(
        depth,
        start,
        step,
        last + 1,
        table + ((<usize>skipped) << 2),
        weights,
        line,
        targetStep,
        columnsOfTile,
        panelBias,
        relu,
      );
    }
  }
}

/**
 * slices[slice, taps · inputs, K] = windows(x)ᵀ · dz over the lines [slice · chunk, …): the weight gradient of those lines; then `sumSlices`. Parts
 * count slices first, then blocks of `panelChunk` panels of 8 channels. Workspace: TILE_BYTES, 36 bytes a pixel of `bandLines`
 * lines, and their band.
 */
export function convolutionWeightGradient(
  part: i32,
  x: usize,
  dz: usize,
  slices: usize,
  rowAxis: usize,
  columnAxis: usize,
  offsets: usize,
  lines: i32,
  groups: i32,
  inputs: i32,
  outputs: i32,
  chunk: i32,
  sliceCount: i32,
  panelChunk: i32,
  bandLines: i32,
): void {
  const rows = changetype<Axis>(rowAxis),
    columns = changetype<Axis>(columnAxis);
  const height = rows.inputs,
    width = columns.inputs,
    outputHeight = rows.outputs,
    outputWidth = columns.outputs;
  const channels = groups * inputs,
    pixelBytes = (<usize>channels) << 2;
  const pictureBytes = <usize>(height * width) * pixelBytes,
    targetBytes = (<usize>(groups * outputs)) << 2;
  const rowBytes = <usize>(columns.before + width + columns.after) * pixelBytes;
  const depth = rows.taps * columns.taps * inputs;
  const panels = (outputs + CHANNELS - 1) / CHANNELS;
  const slice = part % sliceCount,
    firstPanel = (part / sliceCount) * panelChunk;
  const endPanel = min(firstPanel + panelChunk, groups * panels);
  const sums = slices + <usize>(slice * depth) * targetBytes;
  const steps = workspace + TILE_BYTES; // behind a tile at the edge of the sums
  const packed = steps + ((<usize>(bandLines * outputWidth)) << 2),
    band = packed + ((<usize>(bandLines * outputWidth * CHANNELS)) << 2);
  const start = slice * chunk,
    end = partEnd(slice, chunk, lines);
  for (let i = 0; i < bandLines; i++) {
    for (let j = 0; j < outputWidth; j++) {
      store<u32>(
        steps + ((<usize>(i * outputWidth + j)) << 2),
        <u32>(<usize>(i * rows.stride) * rowBytes + <usize>(j * columns.stride) * pixelBytes),
      );
    }
  }
  for (let first = start; first < end;) {
    const n = first / outputHeight,
      top = first % outputHeight;
    const count = min(min(bandLines, end - first), outputHeight - top);
    const picture = x + <usize>n * pictureBytes;
    const lowest = lowestInput(rows, top),
      highest = highestInput(rows, top + count - 1);
    let origin = picture + <usize>lowest * rowBytes;
    if (columns.before > 0 || columns.after > 0 || lowest < 0 || highest >= height) {
      copyBand(band, picture, height, width, channels, lowest, highest + 1 - lowest, columns.before, columns.after, 1);
      origin = band;
    }
    origin += <usize>(columns.shift + columns.before) * pixelBytes;
    for (let panel = firstPanel; panel < endPanel; panel++) {
      const group = panel / panels,
        channel = group * outputs + (panel % panels) * CHANNELS;
      const columnsOfTile = min(CHANNELS, (group + 1) * outputs - channel);
      packPanel(
        packed,
        dz + <usize>(first * outputWidth) * targetBytes + ((<usize>channel) << 2),
        <i32>targetBytes,
        4,
        count * outputWidth,
        columnsOfTile,
      );
      const base = origin + ((<usize>(group * inputs)) << 2);
      for (let r = 0; r < depth; r += 4) {
        const last = depth - 1; // values beyond it repeat it; their products are thrown away
        const a0 = base + <usize>load<u32>(offsets + ((<usize>r) << 2));
        const a1 = base + <usize>load<u32>(offsets + ((<usize>min(r + 1, last)) << 2));
        const a2 = base + <usize>load<u32>(offsets + ((<usize>min(r + 2, last)) << 2));
        const a3 = base + <usize>load<u32>(offsets + ((<usize>min(r + 3, last)) << 2));
        const target = sums + <usize>r * targetBytes + ((<usize>channel) << 2);
        multiplyInto(
          target,
          targetBytes,
          min(4, depth - r),
          columnsOfTile,
          count * outputWidth,
          a0,
          a1,
          a2,
          a3,
          steps,
          packed,
          first > start,
        );
      }
    }
    first += count;
  }
}

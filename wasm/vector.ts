// Element by element: what is bound by memory, four values at a time. AssemblyScript. Addresses are bytes; each function
// does one part of the elements (see range.ts). Chunks are whole fours.
import { partEnd } from './range';
import { workspace } from './workspace';

/** A row of so many values, written several times behind each other. */
export function repeatRow(part: i32, from: usize, to: usize, count: i32, times: i32): void {
  const bytes = (<usize>count) << 2;
  for (let time = 0; time < times; time++) memory.copy(to + <usize>time * bytes, from, bytes);
}

/** Rows that are summed before their sum joins the total: keeps the rounding error of long columns small. */
const ROWS_OF_BLOCK: i32 = 128;

/**
 * sums[part, channels] = Σ over the part's rows of x[rows, channels], block by block; as many rows at a time as are whole vectors. Workspace: four rows.
 */
export function columnSums(part: i32, x: usize, sums: usize, rows: i32, channels: i32, chunk: i32): void {
  const rowBytes = (<usize>channels) << 2;
  const together = channels & 1 ? 4 : channels & 2 ? 2 : 1;
  const last = partEnd(part, chunk, rows);
  x += <usize>(part * chunk) * rowBytes;
  sums += <usize>part * rowBytes;
  const block = workspace;
  memory.fill(sums, 0, rowBytes);
  for (let first = part * chunk; first < last; first += ROWS_OF_BLOCK) {
    const end = min(first + ROWS_OF_BLOCK, last);
    memory.fill(block, 0, <usize>together * rowBytes);
    let row = first;
    for (; row + together <= end; row += together) {
      addTo(block, x, together * channels);
      x += <usize>together * rowBytes;
    }
    for (; row < end; row++) {
      addTo(block, x, channels);
      x += rowBytes;
    }
    for (let other = 1; other < together; other++) addTo(block, block + <usize>other * rowBytes, channels);
    addTo(sums, block, channels);
  }
}

/** target += source */
export function addTo(target: usize, source: usize, count: i32): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const offset = (<usize>i) << 2;
    v128.store(target + offset, f32x4.add(v128.load(target + offset), v128.load(source + offset)));
  }
  for (; i < count; i++) {
    const offset = (<usize>i) << 2;
    store<f32>(target + offset, load<f32>(target + offset) + load<f32>(source + offset));
  }
}

/** sum[i] = relu?(Σ_s slices[s, i] + bias[i mod channels]), the slices in their order; each part does `chunk` whole rows. */
export function sumSlices(
  part: i32,
  slices: usize,
  sum: usize,
  count: i32,
  rows: i32,
  channels: i32,
  chunk: i32,
  bias: usize,
  relu: bool,
): void {
  const sliceBytes = (<usize>(rows * channels)) << 2;
  const zero = f32x4.splat(0);
  const last = partEnd(part, chunk, rows);
  for (let row = part * chunk; row < last; row++) {
    const at = (<usize>(row * channels)) << 2;
    let column = 0;
    for (; column + 4 <= channels; column += 4) {
      const offset = (<usize>column) << 2;
      let source = slices + at + offset;
      let total = v128.load(source);
      for (let slice = 1; slice < count; slice++) {
        source += sliceBytes;
        total = f32x4.add(total, v128.load(source));
      }
      if (bias) total = f32x4.add(total, v128.load(bias + offset));
      if (relu) total = v128.andnot(total, f32x4.le(total, zero));
      v128.store(sum + at + offset, total);
    }
    for (; column < channels; column++) {
      const offset = (<usize>column) << 2;
      let source = slices + at + offset;
      let total = load<f32>(source);
      for (let slice = 1; slice < count; slice++) {
        source += sliceBytes;
        total += load<f32>(source);
      }
      if (bias) total += load<f32>(bias + offset);
      if (relu && total <= 0) total = 0;
      store<f32>(sum + at + offset, total);
    }
  }
}

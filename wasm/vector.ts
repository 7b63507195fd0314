// Element by element: what is bound by memory, four values at a time. AssemblyScript. Addresses are bytes; each function
// does one part of the elements (see range.ts). Chunks are whole fours.
import { partEnd } from './range';

/** y = x <= 0 ? 0 : x, which keeps NaN. */
export function relu(part: i32, x: usize, y: usize, count: i32, chunk: i32): void {
  const zero = f32x4.splat(0);
  const end = partEnd(part, chunk, count);
  let i = part * chunk;
  x += <usize>i << 2;
  y += <usize>i << 2;
  for (; i + 4 <= end; i += 4) {
    const value = v128.load(x);
    v128.store(y, v128.andnot(value, f32x4.le(value, zero)));
    x += 16;
    y += 16;
  }
  for (; i < end; i++) {
    const value = load<f32>(x);
    store<f32>(y, value <= 0 ? 0 : value);
    x += 4;
    y += 4;
  }
}

/** dx = y <= 0 ? 0 : dy */
export function reluGradient(part: i32, dy: usize, y: usize, dx: usize, count: i32, chunk: i32): void {
  const zero = f32x4.splat(0);
  const end = partEnd(part, chunk, count);
  let i = part * chunk;
  const start = <usize>i << 2;
  dy += start;
  y += start;
  dx += start;
  for (; i + 4 <= end; i += 4) {
    v128.store(dx, v128.andnot(v128.load(dy), f32x4.le(v128.load(y), zero)));
    dy += 16;
    y += 16;
    dx += 16;
  }
  for (; i < end; i++) {
    store<f32>(dx, load<f32>(y) <= 0 ? 0 : load<f32>(dy));
    dy += 4;
    y += 4;
    dx += 4;
  }
}

/** Rows that are summed before their sum joins the total: keeps the rounding error of long columns small. */
const ROWS_OF_BLOCK: i32 = 128;

/** sums[part, channels] = Σ over the part's rows of x[rows, channels], block by block. `blocks` is room for one row a part. */
export function columnSums(part: i32, x: usize, sums: usize, rows: i32, channels: i32, chunk: i32, blocks: usize): void {
  const rowBytes = <usize>channels << 2;
  const last = partEnd(part, chunk, rows);
  x += <usize>(part * chunk) * rowBytes;
  sums += <usize>part * rowBytes;
  const block = blocks + <usize>part * rowBytes;
  memory.fill(sums, 0, rowBytes);
  for (let first = part * chunk; first < last; first += ROWS_OF_BLOCK) {
    const end = min(first + ROWS_OF_BLOCK, last);
    memory.fill(block, 0, rowBytes);
    for (let row = first; row < end; row++) {
      addTo(block, x, channels);
      x += rowBytes;
    }
    addTo(sums, block, channels);
  }
}

/** target += source */
export function addTo(target: usize, source: usize, count: i32): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const offset = <usize>i << 2;
    v128.store(target + offset, f32x4.add(v128.load(target + offset), v128.load(source + offset)));
  }
  for (; i < count; i++) {
    const offset = <usize>i << 2;
    store<f32>(target + offset, load<f32>(target + offset) + load<f32>(source + offset));
  }
}

/** sum[i] = relu?(Σ_s slices[s, i] + bias[i mod channels]), the slices in their order; each part does `chunk` whole rows. */
export function sumSlices(
  part: i32, slices: usize, sum: usize, count: i32, rows: i32, channels: i32, chunk: i32, bias: usize, relu: bool,
): void {
  const sliceBytes = <usize>(rows * channels) << 2;
  const zero = f32x4.splat(0);
  const last = partEnd(part, chunk, rows);
  for (let row = part * chunk; row < last; row++) {
    const at = <usize>(row * channels) << 2;
    let column = 0;
    for (; column + 4 <= channels; column += 4) {
      const offset = <usize>column << 2;
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
      const offset = <usize>column << 2;
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

/** Adam in one pass; `step` holds α and s (see src/kernels/adam.ts). Works on whole fours: buffers are padded to 256 bytes. */
export function adam(
  part: i32, gradients: usize, step: usize, parameters: usize, means: usize, squares: usize, count: i32, chunk: i32,
  beta1: f32, beta2: f32, rest1: f32, rest2: f32, epsilon: f32,
): void {
  const alpha = f32x4.splat(load<f32>(step)), scale = f32x4.splat(load<f32>(step, 4)), small = f32x4.splat(epsilon);
  const b1 = f32x4.splat(beta1), b2 = f32x4.splat(beta2), r1 = f32x4.splat(rest1), r2 = f32x4.splat(rest2);
  const end = partEnd(part, chunk, count);
  for (let i = part * chunk; i < end; i += 4) {
    const offset = <usize>i << 2;
    const g = v128.load(gradients + offset);
    const m = f32x4.add(f32x4.mul(b1, v128.load(means + offset)), f32x4.mul(r1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(squares + offset)), f32x4.mul(f32x4.mul(r2, g), g));
    v128.store(means + offset, m);
    v128.store(squares + offset, v);
    const change = f32x4.div(f32x4.mul(alpha, m), f32x4.add(f32x4.mul(f32x4.sqrt(v), scale), small));
    v128.store(parameters + offset, f32x4.sub(v128.load(parameters + offset), change));
  }
}

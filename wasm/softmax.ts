// Softmax and its losses (src/kernels/activation/softmax.ts, src/kernels/loss). AssemblyScript. Addresses are bytes; arrays are
// [outer, length, inner], a line is what lies along the length. Lines are short: values are taken one by one.
import { exp1, exp4, log1 } from './math';
import { partEnd } from './range';

/** The largest of a line; NaN if one is. */
function largestOf(x: usize, length: i32, stride: usize): f32 {
  let largest = load<f32>(x);
  for (let k = 1; k < length; k++) {
    x += stride;
    largest = max(largest, load<f32>(x));
  }
  return largest;
}

/** to[k] = e^(x[k] − largest); gives their sum. `to` may be 0: nothing is kept then. */
function powers(x: usize, to: usize, length: i32, stride: usize, largest: f32): f32 {
  let sum: f32 = 0;
  let k = 0;
  if (stride == 4) {
    const m = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    for (; k + 4 <= length; k += 4) {
      const power = exp4(f32x4.sub(v128.load(x), m));
      if (to) {
        v128.store(to, power);
        to += 16;
      }
      sums = f32x4.add(sums, power);
      x += 16;
    }
    sum =
      f32x4.extract_lane(sums, 0) +
      f32x4.extract_lane(sums, 1) +
      f32x4.extract_lane(sums, 2) +
      f32x4.extract_lane(sums, 3);
  }
  for (; k < length; k++) {
    const power = exp1(load<f32>(x) - largest);
    if (to) {
      store<f32>(to, power);
      to += stride;
    }
    sum += power;
    x += stride;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function startOf(line: i32, length: i32, inner: i32): usize {
  return (<usize>((line / inner) * length * inner + (line % inner))) << 2;
}

/** Lines [part · chunk, …) of y: e^(x − max) / Σ e^(x − max) */
export function softmax(part: i32, x: usize, y: usize, lines: i32, length: i32, inner: i32, chunk: i32): void {
  const stride = (<usize>inner) << 2;
  const end = partEnd(part, chunk, lines);
  for (let line = part * chunk; line < end; line++) {
    const at = startOf(line, length, inner);
    const sum = powers(x + at, y + at, length, stride, largestOf(x + at, length, stride));
    let to = y + at;
    for (let k = 0; k < length; k++) {
      store<f32>(to, load<f32>(to) / sum);
      to += stride;
    }
  }
}

/** Lines of dx: y · (dy − Σ dy·y) */
export function softmaxGradient(
  part: i32,
  dy: usize,
  y: usize,
  dx: usize,
  lines: i32,
  length: i32,
  inner: i32,
  chunk: i32,
): void {
  const stride = (<usize>inner) << 2;
  const end = partEnd(part, chunk, lines);
  for (let line = part * chunk; line < end; line++) {
    const start = startOf(line, length, inner),
      last = start + <usize>length * stride;
    let sum: f32 = 0;
    for (let at = start; at < last; at += stride) sum += load<f32>(dy + at) * load<f32>(y + at);
    for (let at = start; at < last; at += stride) store<f32>(dx + at, load<f32>(y + at) * (load<f32>(dy + at) - sum));
  }
}

/** Samples' losses Σ_k t_k · (log Σ e^(z − m) + m − z_k) */
export function softmaxCrossEntropy(
  part: i32,
  z: usize,
  targets: usize,
  loss: usize,
  samples: i32,
  classes: i32,
  chunk: i32,
): void {
  const row = (<usize>classes) << 2;
  const end = partEnd(part, chunk, samples);
  for (let n = part * chunk; n < end; n++) {
    const scores = z + <usize>n * row,
      shares = targets + <usize>n * row;
    const largest = largestOf(scores, classes, 4);
    const sum = powers(scores, 0, classes, 4, largest);
    const whole = log1(sum);
    let total: f32 = sum != sum ? sum : 0; // the logarithm would hide it
    for (let at: usize = 0; at < row; at += 4) {
      const share = load<f32>(shares + at);
      if (share != 0) total += share * (whole + (largest - load<f32>(scores + at)));
    }
    store<f32>(loss + ((<usize>n) << 2), total);
  }
}

/** dz = dLoss · (softmax(z) · Σ t − t) */
export function softmaxCrossEntropyGradient(
  part: i32,
  dLoss: usize,
  z: usize,
  targets: usize,
  dz: usize,
  samples: i32,
  classes: i32,
  chunk: i32,
): void {
  const row = (<usize>classes) << 2;
  const end = partEnd(part, chunk, samples);
  for (let n = part * chunk; n < end; n++) {
    const scores = z + <usize>n * row,
      shares = targets + <usize>n * row,
      to = dz + <usize>n * row;
    const sum = powers(scores, to, classes, 4, largestOf(scores, classes, 4));
    const upstream = load<f32>(dLoss + ((<usize>n) << 2));
    let whole: f32 = 0;
    for (let at: usize = 0; at < row; at += 4) whole += load<f32>(shares + at);
    for (let at: usize = 0; at < row; at += 4) {
      store<f32>(to + at, upstream * ((load<f32>(to + at) / sum) * whole - load<f32>(shares + at)));
    }
  }
}

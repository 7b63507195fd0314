// Sums down channels (src/kernels/norm/batch-norm.ts). AssemblyScript. Addresses are bytes.
//
// x [rows, channels] is read as lines of `width` values, the smallest multiple of 16 that is one of the channels' number too, so
// that lines hold whole rows and whole vectors. Sums are kept for each place of a line and joined for each channel at the end.
import { partEnd } from './range';

/** Values of a block: what is read twice stays in the nearest caches. */
const BLOCK: i32 = 8192;

/** target[width] = Σ over the lines of a block of its values; the last line may be incomplete. */
function blockSums(x: usize, values: i32, width: i32, target: usize): void {
  const lines = values / width,
    rest = values % width;
  const stride = (<usize>width) << 2;
  for (let at: usize = 0; at < stride; at += 64) {
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0;
    let from = x + at;
    for (let line = 0; line < lines; line++) {
      s0 = f32x4.add(s0, v128.load(from));
      s1 = f32x4.add(s1, v128.load(from, 16));
      s2 = f32x4.add(s2, v128.load(from, 32));
      s3 = f32x4.add(s3, v128.load(from, 48));
      from += stride;
    }
    v128.store(target + at, s0);
    v128.store(target + at, s1, 16);
    v128.store(target + at, s2, 32);
    v128.store(target + at, s3, 48);
  }
  const from = x + <usize>lines * stride;
  for (let i: usize = 0; i < (<usize>rest) << 2; i += 4)
    store<f32>(target + i, load<f32>(target + i) + load<f32>(from + i));
}

/** target[width] = Σ over the lines of a block of (x − mean)² */
function blockSquares(x: usize, values: i32, width: i32, mean: usize, target: usize): void {
  const lines = values / width,
    rest = values % width;
  const stride = (<usize>width) << 2;
  for (let at: usize = 0; at < stride; at += 64) {
    const m0 = v128.load(mean + at),
      m1 = v128.load(mean + at, 16),
      m2 = v128.load(mean + at, 32),
      m3 = v128.load(mean + at, 48);
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0;
    let from = x + at;
    for (let line = 0; line < lines; line++) {
      const d0 = f32x4.sub(v128.load(from), m0),
        d1 = f32x4.sub(v128.load(from, 16), m1);
      const d2 = f32x4.sub(v128.load(from, 32), m2),
        d3 = f32x4.sub(v128.load(from, 48), m3);
      s0 = f32x4.add(s0, f32x4.mul(d0, d0));
      s1 = f32x4.add(s1, f32x4.mul(d1, d1));
      s2 = f32x4.add(s2, f32x4.mul(d2, d2));
      s3 = f32x4.add(s3, f32x4.mul(d3, d3));
      from += stride;
    }
    v128.store(target + at, s0);
    v128.store(target + at, s1, 16);
    v128.store(target + at, s2, 32);
    v128.store(target + at, s3, 48);
  }
  const from = x + <usize>lines * stride;
  for (let i: usize = 0; i < (<usize>rest) << 2; i += 4) {
    const difference = load<f32>(from + i) - load<f32>(mean + i);
    store<f32>(target + i, load<f32>(target + i) + difference * difference);
  }
}

/** The channels' sums of a line's places, left at the front of the line, times `scale`. */
function joinPlaces(line: usize, width: i32, channels: i32, scale: f32): void {
  for (let c = 0; c < channels; c++) {
    let sum: f32 = 0;
    for (let i = c; i < width; i += channels) sum += load<f32>(line + ((<usize>i) << 2));
    store<f32>(line + ((<usize>c) << 2), sum * scale);
  }
}

/** The front of a line, repeated through it. */
function repeatPlaces(line: usize, width: i32, channels: i32): void {
  for (let i = channels; i < width; i++)
    store<f32>(line + ((<usize>i) << 2), load<f32>(line + ((<usize>(i - channels)) << 2)));
}

/**
 * Mean and sum of squared differences of n values joined to those of `count` others.
 * Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1982).
 */
function joinMoments(
  means: usize,
  squares: usize,
  count: i32,
  otherMeans: usize,
  otherSquares: usize,
  n: i32,
  channels: i32,
): void {
  const share = <f32>n / <f32>(count + n);
  const both = <f32>count * share;
  for (let c: usize = 0; c < (<usize>channels) << 2; c += 4) {
    const mean = load<f32>(means + c),
      difference = load<f32>(otherMeans + c) - mean;
    store<f32>(means + c, mean + difference * share);
    // In this order none to join to (both = 0) adds 0, also where the difference's square would be infinite.
    store<f32>(squares + c, load<f32>(squares + c) + load<f32>(otherSquares + c) + difference * both * difference);
  }
}

/**
 * Part's mean and Σ (x − mean)² of each channel → moments[part, 2, width]; block by block, each read once from memory. `lines`
 * is room for two lines a part.
 */
export function batchMoments(
  part: i32,
  x: usize,
  moments: usize,
  rows: i32,
  channels: i32,
  width: i32,
  chunk: i32,
  lines: usize,
): void {
  const bytes = (<usize>width) << 2;
  const means = moments + <usize>(2 * part) * bytes,
    squares = means + bytes;
  const blockMeans = lines + <usize>(2 * part) * bytes,
    blockSquared = blockMeans + bytes;
  const rowsOfBlock = max(width, (BLOCK / width) * width) / channels;
  const end = partEnd(part, chunk, rows);
  memory.fill(means, 0, 2 * bytes);
  let count = 0;
  for (let row = part * chunk; row < end; row += rowsOfBlock) {
    const n = min(rowsOfBlock, end - row);
    const block = x + ((<usize>(row * channels)) << 2);
    blockSums(block, n * channels, width, blockMeans);
    joinPlaces(blockMeans, width, channels, 1 / <f32>n);
    repeatPlaces(blockMeans, width, channels);
    blockSquares(block, n * channels, width, blockMeans, blockSquared);
    joinPlaces(blockSquared, width, channels, 1);
    joinMoments(means, squares, count, blockMeans, blockSquared, n, channels);
    count += n;
  }
}

/** The parts' moments joined in their order → mean, variance [channels] */
export function finishMoments(
  part: i32,
  moments: usize,
  parts: i32,
  rows: i32,
  channels: i32,
  width: i32,
  chunk: i32,
  mean: usize,
  variance: usize,
): void {
  const bytes = (<usize>width) << 2;
  const size = (<usize>channels) << 2;
  memory.copy(mean, moments, size);
  memory.copy(variance, moments + bytes, size);
  for (let other = 1; other < parts; other++) {
    const from = moments + <usize>(2 * other) * bytes;
    joinMoments(mean, variance, other * chunk, from, from + bytes, min(chunk, rows - other * chunk), channels);
  }
  for (let c: usize = 0; c < size; c += 4) store<f32>(variance + c, load<f32>(variance + c) / <f32>rows);
}

/**
 * Part's Σ dz·(x − mean) and Σ dz of each channel → sums[part, 2, width]; dz is dy, with a relu 0 where the normalized value is not
 * positive. `lines` is room for three lines a part.
 */
export function batchNormSums(
  part: i32,
  dy: usize,
  x: usize,
  gamma: usize,
  beta: usize,
  mean: usize,
  variance: usize,
  epsilon: f32,
  relu: bool,
  sums: usize,
  rows: i32,
  channels: i32,
  width: i32,
  chunk: i32,
  lines: usize,
): void {
  const bytes = (<usize>width) << 2;
  const products = sums + <usize>(2 * part) * bytes,
    plain = products + bytes;
  const means = lines + <usize>(3 * part) * bytes,
    scales = means + bytes,
    shifts = scales + bytes;
  memory.copy(means, mean, (<usize>channels) << 2);
  memory.copy(shifts, beta, (<usize>channels) << 2);
  for (let c: usize = 0; c < (<usize>channels) << 2; c += 4) {
    store<f32>(scales + c, load<f32>(gamma + c) / sqrt(load<f32>(variance + c) + epsilon));
  }
  repeatPlaces(means, width, channels);
  repeatPlaces(scales, width, channels);
  repeatPlaces(shifts, width, channels);
  memory.fill(products, 0, 2 * bytes);
  const rowsOfBlock = max(width, (BLOCK / width) * width) / channels;
  const end = partEnd(part, chunk, rows);
  for (let row = part * chunk; row < end; row += rowsOfBlock) {
    const from = (<usize>(row * channels)) << 2;
    const values = min(rowsOfBlock, end - row) * channels;
    addProducts(dy + from, x + from, values, width, means, products, relu);
  }
  joinPlaces(products, width, channels, 1);
  joinPlaces(plain, width, channels, 1);
}

/** dz of four values: 0 where the normalized value is at most 0. */
// @ts-ignore: decorator
@inline
function maskedGradient(dy: v128, centred: v128, scale: v128, shift: v128): v128 {
  return v128.andnot(dy, f32x4.le(f32x4.add(f32x4.mul(centred, scale), shift), f32x4.splat(0)));
}

/** products[width] += Σ over the lines of a block of dz·(x − mean), plain (behind it) += Σ dz. Behind the means lie scales and shifts. */
function addProducts(dy: usize, x: usize, values: i32, width: i32, mean: usize, products: usize, relu: bool): void {
  const lines = values / width,
    rest = values % width;
  const stride = (<usize>width) << 2;
  const scale = mean + stride,
    shift = scale + stride,
    plain = products + stride;
  for (let at: usize = 0; at < stride; at += 32) {
    const m0 = v128.load(mean + at),
      m1 = v128.load(mean + at, 16);
    const a0 = v128.load(scale + at),
      a1 = v128.load(scale + at, 16),
      b0 = v128.load(shift + at),
      b1 = v128.load(shift + at, 16);
    let p0 = f32x4.splat(0),
      p1 = p0,
      s0 = p0,
      s1 = p0;
    let offset = at;
    for (let line = 0; line < lines; line++) {
      let g0 = v128.load(dy + offset),
        g1 = v128.load(dy + offset, 16);
      const d0 = f32x4.sub(v128.load(x + offset), m0),
        d1 = f32x4.sub(v128.load(x + offset, 16), m1);
      if (relu) {
        g0 = maskedGradient(g0, d0, a0, b0);
        g1 = maskedGradient(g1, d1, a1, b1);
      }
      p0 = f32x4.add(p0, f32x4.mul(g0, d0));
      p1 = f32x4.add(p1, f32x4.mul(g1, d1));
      s0 = f32x4.add(s0, g0);
      s1 = f32x4.add(s1, g1);
      offset += stride;
    }
    v128.store(products + at, f32x4.add(v128.load(products + at), p0));
    v128.store(products + at, f32x4.add(v128.load(products + at, 16), p1), 16);
    v128.store(plain + at, f32x4.add(v128.load(plain + at), s0));
    v128.store(plain + at, f32x4.add(v128.load(plain + at, 16), s1), 16);
  }
  const offset = <usize>lines * stride;
  for (let i: usize = 0; i < (<usize>rest) << 2; i += 4) {
    const centred = load<f32>(x + offset + i) - load<f32>(mean + i);
    const isCut = relu && centred * load<f32>(scale + i) + load<f32>(shift + i) <= 0;
    const g = isCut ? <f32>0 : load<f32>(dy + offset + i);
    store<f32>(products + i, load<f32>(products + i) + g * centred);
    store<f32>(plain + i, load<f32>(plain + i) + g);
  }
}

/** dγ = Σ over the parts of the products, divided by the deviation; dβ = Σ of the plain sums */
export function finishBatchNormSums(
  part: i32,
  sums: usize,
  parts: i32,
  channels: i32,
  width: i32,
  variance: usize,
  epsilon: f32,
  dGamma: usize,
  dBeta: usize,
): void {
  const bytes = (<usize>width) << 2;
  for (let c: usize = 0; c < (<usize>channels) << 2; c += 4) {
    let product: f32 = 0,
      plain: f32 = 0;
    let from = sums + c;
    for (let other = 0; other < parts; other++) {
      product += load<f32>(from);
      plain += load<f32>(from + bytes);
      from += 2 * bytes;
    }
    store<f32>(dGamma + c, product / sqrt(load<f32>(variance + c) + epsilon));
    store<f32>(dBeta + c, plain);
  }
}

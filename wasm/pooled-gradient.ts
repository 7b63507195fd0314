// Gradients of convolution with 2×2 max pooling (src/kernels/conv2d/conv2d-max-pool2d.ts). AssemblyScript.
//
// Of each four elements of dz at most one is not zero, so dz is never made: its elements are written into lists of entries
// (value, address), and a gradient is a sum of scaled runs of memory,
//
//   dw: for each channel k the entries of a piece of the picture; each adds value · window of x to dw[:, k]
//   dx: for each place of a pooling window the channels that chose it; each adds value · weights of k to dx's window
//
// in which 32 values of the target stay in registers while the list runs. The order of a list is that of the pixels (or the
// channels), so that sums do not depend on the split. Layout of both: [K, kernelHeight, runs, run], see convolution.ts.
import { multiplyAdd, partEnd } from './range';
import { addScaledRuns, ENTRY_BYTES } from './runs';
import { addTo } from './vector';
import { workspace } from './workspace';

/** Places of a pooling window, and one for the entries that relu cut off. */
const PLACES: usize = 5;

/** The same for three runs of 9 values, 12 floats apart in the target (3×3 windows of a colour picture): all in registers. */
function addScaledColourWindows(target: usize, entries: usize, end: usize, rowBytes: usize): void {
  let s0 = v128.load(target),
    s1 = v128.load(target, 16),
    s2 = v128.load(target, 32);
  let s3 = v128.load(target, 48),
    s4 = v128.load(target, 64),
    s5 = v128.load(target, 80);
  let s6 = v128.load(target, 96),
    s7 = v128.load(target, 112),
    s8 = v128.load(target, 128);
  for (let entry = entries; entry < end; entry += ENTRY_BYTES) {
    const value = v128.load32_splat(entry);
    let run = <usize>load<u32>(entry, 4);
    s0 = multiplyAdd(s0, value, v128.load(run));
    s1 = multiplyAdd(s1, value, v128.load(run, 16));
    s2 = multiplyAdd(s2, value, v128.load(run, 32));
    run += rowBytes;
    s3 = multiplyAdd(s3, value, v128.load(run));
    s4 = multiplyAdd(s4, value, v128.load(run, 16));
    s5 = multiplyAdd(s5, value, v128.load(run, 32));
    run += rowBytes;
    s6 = multiplyAdd(s6, value, v128.load(run));
    s7 = multiplyAdd(s7, value, v128.load(run, 16));
    s8 = multiplyAdd(s8, value, v128.load(run, 32));
  }
  v128.store(target, s0);
  v128.store(target, s1, 16);
  v128.store(target, s2, 32);
  v128.store(target, s3, 48);
  v128.store(target, s4, 64);
  v128.store(target, s5, 80);
  v128.store(target, s6, 96);
  v128.store(target, s7, 112);
  v128.store(target, s8, 128);
}

/** Appends one entry to the list that ends at `ends[list]`, and moves that end if the entry `counts`. */
// @ts-ignore: decorator
@inline
function append(ends: usize, list: usize, value: f32, address: usize, counts: bool): void {
  const at = ends + (list << 2);
  const end = <usize>load<u32>(at);
  store<f32>(end, value);
  store<u32>(end, <u32>address, 4);
  store<u32>(at, <u32>(end + (counts ? ENTRY_BYTES : 0)));
}

/** Floats that one kernel row of a weight gradient takes in a slice: whole fours, whose last lanes may hold anything. */
// @ts-ignore: decorator
@inline
function paddedRun(run: i32): i32 {
  return (run + 3) & -4;
}

/**
 * slices[part] = [K, kernelHeight, runs, paddedRun] of dw and [K] of db over the pictures [part · chunk, …). Pieces of
 * `linesOfPiece` pooled lines at a time. Workspace: PLACES + K words, then K lists of linesOfPiece · pooledWidth + 1 entries.
 */
export function pooledWeightGradient(
  part: i32,
  x: usize,
  height: i32,
  width: i32,
  channels: i32,
  dy: usize,
  places: usize,
  slices: usize,
  batch: i32,
  pooledHeight: i32,
  pooledWidth: i32,
  outputChannels: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  dilationHeight: i32,
  dilationWidth: i32,
  chunk: i32,
  linesOfPiece: i32,
): void {
  const runs = dilationWidth == 1 ? 1 : kernelWidth;
  const run = dilationWidth == 1 ? kernelWidth * channels : channels;
  const rowBytes = (<usize>dilationHeight * width * channels) << 2,
    runBytes = (<usize>dilationWidth * channels) << 2;
  const right = (<usize>strideWidth * channels) << 2,
    down = (<usize>strideHeight * width * channels) << 2;
  const colour = kernelHeight == 3 && runs == 1 && run == 9;
  const kernelBytes = (<usize>(kernelHeight * runs * paddedRun(run))) << 2;
  const sliceBytes = <usize>outputChannels * (kernelBytes + 4);
  const listBytes = <usize>(linesOfPiece * pooledWidth + 1) * ENTRY_BYTES;
  const shifts = workspace;
  const ends = shifts + (PLACES << 2);
  const lists = ends + ((<usize>outputChannels) << 2);
  const dw = slices + <usize>part * sliceBytes;
  const db = dw + <usize>outputChannels * kernelBytes;
  store<u32>(shifts, 0);
  store<u32>(shifts, <u32>right, 4);
  store<u32>(shifts, <u32>down, 8);
  store<u32>(shifts, <u32>(down + right), 12);
  store<u32>(shifts, 0, 16);
  memory.fill(dw, 0, sliceBytes);
  for (let n = part * chunk; n < partEnd(part, chunk, batch); n++) {
    for (let first = 0; first < pooledHeight; first += linesOfPiece) {
      for (let k = 0; k < outputChannels; k++)
        store<u32>(ends + ((<usize>k) << 2), <u32>(lists + <usize>k * listBytes));
      for (let i = first; i < min(first + linesOfPiece, pooledHeight); i++) {
        let start = x + ((<usize>(n * height + 2 * i * strideHeight) * width * channels) << 2);
        let at = (<usize>((n * pooledHeight + i) * pooledWidth * outputChannels)) << 2;
        for (let j = 0; j < pooledWidth; j++) {
          for (let k = 0; k < outputChannels; k++) {
            const place = load<u32>(places + at);
            append(ends, k, load<f32>(dy + at), start + <usize>load<u32>(shifts + ((<usize>place) << 2)), place < 4);
            at += 4;
          }
          start += 2 * right;
        }
      }
      for (let k = 0; k < outputChannels; k++) {
        const entries = lists + <usize>k * listBytes,
          end = <usize>load<u32>(ends + ((<usize>k) << 2));
        let target = dw + <usize>k * kernelBytes;
        if (colour) {
          addScaledColourWindows(target, entries, end, rowBytes);
        } else {
          for (let kernelRow = 0; kernelRow < kernelHeight; kernelRow++) {
            for (let index = 0; index < runs; index++) {
              addScaledRuns(
                target,
                entries,
                end,
                <usize>kernelRow * rowBytes + <usize>index * runBytes,
                paddedRun(run),
              );
              target += (<usize>paddedRun(run)) << 2;
            }
          }
        }
        let sum: f32 = 0;
        for (let entry = entries; entry < end; entry += ENTRY_BYTES) sum += load<f32>(entry);
        store<f32>(db + ((<usize>k) << 2), load<f32>(db + ((<usize>k) << 2)) + sum);
      }
    }
  }
}

/** Σ over slices of `pooledWeightGradient`, as dw [kernelHeight · kernelWidth · C, K] and db [K]; part: a channel k. */
export function finishPooledWeightGradient(
  part: i32,
  slices: usize,
  count: i32,
  dw: usize,
  db: usize,
  channels: i32,
  outputChannels: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  dilationWidth: i32,
): void {
  const rows = dilationWidth == 1 ? kernelHeight : kernelHeight * kernelWidth;
  const run = dilationWidth == 1 ? kernelWidth * channels : channels;
  const kernel = rows * paddedRun(run);
  const sliceBytes = (<usize>(outputChannels * (kernel + 1))) << 2;
  const first = slices + ((<usize>(part * kernel)) << 2);
  for (let slice = 1; slice < count; slice++) addTo(first, first + <usize>slice * sliceBytes, kernel);
  let to = dw + ((<usize>part) << 2);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < run; i++) {
      store<f32>(to, load<f32>(first + ((<usize>(row * paddedRun(run) + i)) << 2)));
      to += (<usize>outputChannels) << 2;
    }
  }
  let sum: f32 = 0;
  for (let slice = 0; slice < count; slice++) {
    sum += load<f32>(slices + <usize>slice * sliceBytes + ((<usize>(outputChannels * kernel + part)) << 2));
  }
  store<f32>(db + ((<usize>part) << 2), sum);
}

/** exchanged[K, R] = w[R, K]; part: a channel k. */
export function exchangeWeights(part: i32, exchanged: usize, weights: usize, R: i32, K: i32): void {
  let to = exchanged + ((<usize>(part * R)) << 2);
  let source = weights + ((<usize>part) << 2);
  for (let r = 0; r < R; r++) {
    store<f32>(to, load<f32>(source));
    source += (<usize>K) << 2;
    to += 4;
  }
}

/**
 * Picture `part` of dx [N, height, width, C], the picture with its border. `weights` are exchanged, [K, R].
 * Workspace: PLACES words, then PLACES lists of K + 1 entries.
 */
export function pooledInputGradient(
  part: i32,
  dy: usize,
  places: usize,
  weights: usize,
  dx: usize,
  height: i32,
  width: i32,
  channels: i32,
  pooledHeight: i32,
  pooledWidth: i32,
  outputChannels: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  dilationHeight: i32,
  dilationWidth: i32,
): void {
  const runs = dilationWidth == 1 ? 1 : kernelWidth;
  const run = dilationWidth == 1 ? kernelWidth * channels : channels;
  const rowBytes = (<usize>dilationHeight * width * channels) << 2,
    runBytes = (<usize>dilationWidth * channels) << 2;
  const right = (<usize>strideWidth * channels) << 2,
    down = (<usize>strideHeight * width * channels) << 2;
  const kernelBytes = (<usize>(kernelHeight * kernelWidth * channels)) << 2;
  const listBytes = <usize>(outputChannels + 1) * ENTRY_BYTES;
  const ends = workspace;
  const lists = ends + (PLACES << 2);
  const pictureBytes = (<usize>(height * width * channels)) << 2;
  const picture = dx + <usize>part * pictureBytes;
  memory.fill(picture, 0, pictureBytes);
  let at = (<usize>(part * pooledHeight * pooledWidth * outputChannels)) << 2;
  for (let i = 0; i < pooledHeight; i++) {
    for (let j = 0; j < pooledWidth; j++) {
      for (let place: usize = 0; place < PLACES; place++)
        store<u32>(ends + (place << 2), <u32>(lists + place * listBytes));
      let kernel = weights;
      for (let k = 0; k < outputChannels; k++) {
        append(ends, load<u32>(places + at), load<f32>(dy + at), kernel, true);
        kernel += kernelBytes;
        at += 4;
      }
      for (let place: usize = 0; place < 4; place++) {
        const entries = lists + place * listBytes,
          end = <usize>load<u32>(ends + (place << 2));
        if (entries == end) continue;
        const start = picture + (2 * <usize>i + (place >> 1)) * down + (2 * <usize>j + (place & 1)) * right;
        let offset: usize = 0;
        for (let kernelRow = 0; kernelRow < kernelHeight; kernelRow++) {
          for (let index = 0; index < runs; index++) {
            addScaledRuns(start + <usize>kernelRow * rowBytes + <usize>index * runBytes, entries, end, offset, run);
            offset += (<usize>run) << 2;
          }
        }
      }
    }
  }
}

/** Picture `part` of dx [N, height, width, C], cut out of the one with a border. */
export function crop(
  part: i32,
  source: usize,
  target: usize,
  height: i32,
  width: i32,
  channels: i32,
  sourceHeight: i32,
  sourceWidth: i32,
  top: i32,
  left: i32,
): void {
  const pixelBytes = (<usize>channels) << 2;
  source += <usize>((part * sourceHeight + top) * sourceWidth + left) * pixelBytes;
  target += <usize>(part * height * width) * pixelBytes;
  for (let y = 0; y < height; y++) {
    memory.copy(target, source, <usize>width * pixelBytes);
    source += <usize>sourceWidth * pixelBytes;
    target += <usize>width * pixelBytes;
  }
}

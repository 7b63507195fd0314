// Maximum over windows, four channels at a time. AssemblyScript. Pictures are NHWC, addresses are bytes.
import { larger } from './pooled-convolution';
import { partEnd } from './range';
import { workspace } from './workspace';

/** Sets y[channels] to the maximum of a window of `rows` × `columns` pixels, the first at `x`. */
function maximumOfWindow(
  x: usize,
  rowBytes: usize,
  pixelBytes: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  y: usize,
): void {
  const end = <usize>columns * pixelBytes;
  let c = 0;
  for (; c + 4 <= channels; c += 4) {
    let best = v128.load(x);
    let row = x;
    for (let i = 0; i < rows; i++) {
      for (let at = row; at < row + end; at += pixelBytes) best = larger(best, v128.load(at));
      row += rowBytes;
    }
    v128.store(y, best);
    x += 16;
    y += 16;
  }
  for (; c < channels; c++) {
    let best = load<f32>(x);
    let row = x;
    for (let i = 0; i < rows; i++) {
      for (let at = row; at < row + end; at += pixelBytes) best = max(best, load<f32>(at));
      row += rowBytes;
    }
    store<f32>(y, best);
    x += 4;
    y += 4;
  }
}

/**
 * Lines [part · chunk, …) of y and, unless it is 0, of indices [lines, OW, C]: the maximum of each window and its place, row · width + column; NaN
 * counts as the maximum.
 */
export function maxPool(
  part: i32,
  x: usize,
  y: usize,
  indices: usize,
  lines: i32,
  height: i32,
  width: i32,
  channels: i32,
  outputHeight: i32,
  outputWidth: i32,
  windowHeight: i32,
  windowWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  top: i32,
  left: i32,
  chunk: i32,
): void {
  const pixelBytes = (<usize>channels) << 2;
  const end = partEnd(part, chunk, lines);
  const skipped = <usize>(part * chunk * outputWidth) * pixelBytes;
  const places = indices != 0;
  y += skipped;
  indices += skipped;
  for (let line = part * chunk; line < end; line++) {
    const i = line % outputHeight;
    const picture = x + <usize>((line / outputHeight) * height * width) * pixelBytes;
    const firstRow = max(0, i * strideHeight - top),
      endRow = min(height, i * strideHeight - top + windowHeight);
    for (let j = 0; j < outputWidth; j++) {
      const firstColumn = max(0, j * strideWidth - left),
        endColumn = min(width, j * strideWidth - left + windowWidth);
      const first = firstRow * width + firstColumn;
      if (!places) {
        maximumOfWindow(
          picture + <usize>first * pixelBytes,
          <usize>width * pixelBytes,
          pixelBytes,
          endRow - firstRow,
          endColumn - firstColumn,
          channels,
          y,
        );
        y += pixelBytes;
        continue;
      }
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        const offset = (<usize>c) << 2;
        let best = v128.load(picture + <usize>first * pixelBytes + offset);
        let place = i32x4.splat(first);
        for (let row = firstRow; row < endRow; row++) {
          for (let column = firstColumn; column < endColumn; column++) {
            const at = row * width + column;
            const value = v128.load(picture + <usize>at * pixelBytes + offset);
            const better = v128.or(f32x4.gt(value, best), f32x4.ne(value, value));
            best = v128.bitselect(value, best, better);
            place = v128.bitselect(i32x4.splat(at), place, better);
          }
        }
        v128.store(y + offset, best);
        v128.store(indices + offset, place);
      }
      for (; c < channels; c++) {
        const offset = (<usize>c) << 2;
        let best = load<f32>(picture + <usize>first * pixelBytes + offset);
        let place = first;
        for (let row = firstRow; row < endRow; row++) {
          for (let column = firstColumn; column < endColumn; column++) {
            const at = row * width + column;
            const value = load<f32>(picture + <usize>at * pixelBytes + offset);
            if (value > best || value != value) {
              best = value;
              place = at;
            }
          }
        }
        store<f32>(y + offset, best);
        store<i32>(indices + offset, place);
      }
      y += pixelBytes;
      indices += pixelBytes;
    }
  }
}

/** Picture `part` of dx: zeros, to which each window's gradient is added at the place of its maximum. */
export function maxPoolGradient(
  part: i32,
  dy: usize,
  indices: usize,
  dx: usize,
  picturePixels: i32,
  outputPixels: i32,
  channels: i32,
): void {
  const pixelBytes = (<usize>channels) << 2;
  const picture = dx + <usize>(part * picturePixels) * pixelBytes;
  dy += <usize>(part * outputPixels) * pixelBytes;
  indices += <usize>(part * outputPixels) * pixelBytes;
  memory.fill(picture, 0, <usize>picturePixels * pixelBytes);
  for (let pixel = 0; pixel < outputPixels; pixel++) {
    for (let c = 0; c < channels; c++) {
      const to = picture + <usize>load<i32>(indices) * pixelBytes + ((<usize>c) << 2);
      store<f32>(to, load<f32>(to) + load<f32>(dy));
      dy += 4;
      indices += 4;
    }
  }
}

/** target[bytes] += source · factor */
function addScaled(target: usize, source: usize, factor: f32, bytes: usize): void {
  const scale = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16)
    v128.store(target + i, f32x4.add(v128.load(target + i), f32x4.mul(v128.load(source + i), scale)));
  for (; i < bytes; i += 4) store<f32>(target + i, load<f32>(target + i) + load<f32>(source + i) * factor);
}

/** to[bytes] = the sum of `count` rows that lie `step` bytes apart, times `factor`. */
// @ts-ignore: decorator
@inline
function sumOfRows(to: usize, from: usize, step: usize, count: i32, bytes: usize, factor: f32): void {
  const scale = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    let sum = v128.load(from + i);
    for (let row = 1, at = from + i + step; row < count; row++, at += step) sum = f32x4.add(sum, v128.load(at));
    v128.store(to + i, f32x4.mul(sum, scale));
  }
  for (; i < bytes; i += 4) {
    let sum = load<f32>(from + i);
    for (let row = 1, at = from + i + step; row < count; row++, at += step) sum += load<f32>(at);
    store<f32>(to + i, sum * factor);
  }
}

/**
 * Lines [part · chunk, …) of y: the average of what of each window lies inside the picture, by sums down the columns, which neighbouring
 * windows share. Workspace: a line of x.
 */
export function averagePool(
  part: i32,
  x: usize,
  y: usize,
  lines: i32,
  height: i32,
  width: i32,
  channels: i32,
  outputHeight: i32,
  outputWidth: i32,
  windowHeight: i32,
  windowWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  top: i32,
  left: i32,
  chunk: i32,
): void {
  const pixelBytes = (<usize>channels) << 2,
    lineBytes = <usize>width * pixelBytes;
  const sums = workspace;
  const end = partEnd(part, chunk, lines);
  y += <usize>(part * chunk * outputWidth) * pixelBytes;
  for (let line = part * chunk; line < end; line++) {
    const i = line % outputHeight;
    const picture = x + <usize>((line / outputHeight) * height) * lineBytes;
    const firstRow = max(0, i * strideHeight - top),
      endRow = min(height, i * strideHeight - top + windowHeight);
    sumOfRows(sums, picture + <usize>firstRow * lineBytes, lineBytes, endRow - firstRow, lineBytes, 1);
    for (let j = 0; j < outputWidth; j++) {
      const firstColumn = max(0, j * strideWidth - left),
        endColumn = min(width, j * strideWidth - left + windowWidth);
      const factor = <f32>1 / <f32>((endRow - firstRow) * (endColumn - firstColumn));
      sumOfRows(y, sums + <usize>firstColumn * pixelBytes, pixelBytes, endColumn - firstColumn, pixelBytes, factor);
      y += pixelBytes;
    }
  }
}

/** Places of window i that lie inside the picture. */
// @ts-ignore: decorator
@inline
function placesOf(i: i32, window: i32, stride: i32, before: i32, length: i32): i32 {
  return min(length, i * stride - before + window) - max(0, i * stride - before);
}

/**
 * Lines [part · chunk, …) of dx [lines, W, C]: to each pixel the gradient of every window that covers it, divided by the window's pixels. What several rows of windows give is
 * summed first, for all columns. Workspace: a line of dy.
 */
export function averagePoolGradient(
  part: i32,
  dy: usize,
  dx: usize,
  lines: i32,
  height: i32,
  width: i32,
  channels: i32,
  outputHeight: i32,
  outputWidth: i32,
  windowHeight: i32,
  windowWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  top: i32,
  left: i32,
  chunk: i32,
): void {
  const pixelBytes = (<usize>channels) << 2,
    lineBytes = <usize>outputWidth * pixelBytes;
  const sums = workspace;
  const end = partEnd(part, chunk, lines);
  dx += <usize>(part * chunk * width) * pixelBytes;
  for (let line = part * chunk; line < end; line++) {
    memory.fill(dx, 0, <usize>width * pixelBytes);
    const row = line % height;
    // Windows i with i · stride − top ≤ row < i · stride − top + size
    const firstRow = row + top < windowHeight ? 0 : (row + top - windowHeight) / strideHeight + 1,
      endRow = min(outputHeight, (row + top) / strideHeight + 1);
    if (firstRow < endRow) {
      let from = dy + <usize>((line / height) * outputHeight + firstRow) * lineBytes,
        rows = placesOf(firstRow, windowHeight, strideHeight, top, height);
      if (firstRow + 1 < endRow) {
        memory.fill(sums, 0, lineBytes);
        for (let i = firstRow; i < endRow; i++) {
          addScaled(sums, from, 1 / <f32>placesOf(i, windowHeight, strideHeight, top, height), lineBytes);
          from += lineBytes;
        }
        from = sums;
        rows = 1;
      }
      for (let j = 0; j < outputWidth; j++) {
        const firstColumn = max(0, j * strideWidth - left),
          endColumn = min(width, j * strideWidth - left + windowWidth);
        const factor: f32 = 1 / <f32>(rows * (endColumn - firstColumn));
        for (let column = firstColumn; column < endColumn; column++)
          addScaled(dx + <usize>column * pixelBytes, from, factor, pixelBytes);
        from += pixelBytes;
      }
    }
    dx += <usize>width * pixelBytes;
  }
}

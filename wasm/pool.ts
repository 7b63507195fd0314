// Maximum over windows, four channels at a time. AssemblyScript. Pictures are NHWC, addresses are bytes.
import { partEnd } from './range';

/**
 * Lines [part · chunk, …) of y and indices [lines, OW, C]: the maximum of each window and its place, row · width + column; NaN
 * counts as the maximum.
 */
export function maxPool(
  part: i32, x: usize, y: usize, indices: usize, lines: i32, height: i32, width: i32, channels: i32, outputHeight: i32, outputWidth: i32,
  windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32, chunk: i32,
): void {
  const pixelBytes = <usize>channels << 2;
  const end = partEnd(part, chunk, lines);
  y += <usize>(part * chunk * outputWidth) * pixelBytes;
  indices += <usize>(part * chunk * outputWidth) * pixelBytes;
  for (let line = part * chunk; line < end; line++) {
    const i = line % outputHeight;
    const picture = x + <usize>(line / outputHeight * height * width) * pixelBytes;
    const firstRow = max(0, i * strideHeight - top), endRow = min(height, i * strideHeight - top + windowHeight);
    for (let j = 0; j < outputWidth; j++) {
      const firstColumn = max(0, j * strideWidth - left), endColumn = min(width, j * strideWidth - left + windowWidth);
      const first = firstRow * width + firstColumn;
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        const offset = <usize>c << 2;
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
        const offset = <usize>c << 2;
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
export function maxPoolGradient(part: i32, dy: usize, indices: usize, dx: usize, picturePixels: i32, outputPixels: i32, channels: i32): void {
  const pixelBytes = <usize>channels << 2;
  const picture = dx + <usize>(part * picturePixels) * pixelBytes;
  dy += <usize>(part * outputPixels) * pixelBytes;
  indices += <usize>(part * outputPixels) * pixelBytes;
  memory.fill(picture, 0, <usize>picturePixels * pixelBytes);
  for (let pixel = 0; pixel < outputPixels; pixel++) {
    for (let c = 0; c < channels; c++) {
      const to = picture + <usize>load<i32>(indices) * pixelBytes + (<usize>c << 2);
      store<f32>(to, load<f32>(to) + load<f32>(dy));
      dy += 4;
      indices += 4;
    }
  }
}

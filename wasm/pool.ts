// Maximum over windows, four channels at a time. AssemblyScript. Pictures are NHWC, addresses are bytes.

/** y and indices [N, OH, OW, C]: the maximum of each window and its place, row · width + column; NaN counts as the maximum. */
export function maxPool(
  x: usize, y: usize, indices: usize, batch: i32, height: i32, width: i32, channels: i32, outputHeight: i32, outputWidth: i32,
  windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
): void {
  const pixelBytes = <usize>channels << 2;
  for (let n = 0; n < batch; n++) {
    const picture = x + <usize>(n * height * width) * pixelBytes;
    for (let i = 0; i < outputHeight; i++) {
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
}

/** dx = 0, then each window's gradient is added at the place of its maximum. */
export function maxPoolGradient(dy: usize, indices: usize, dx: usize, batch: i32, picturePixels: i32, outputPixels: i32, channels: i32): void {
  const pixelBytes = <usize>channels << 2;
  memory.fill(dx, 0, <usize>(batch * picturePixels) * pixelBytes);
  for (let n = 0; n < batch; n++) {
    const picture = dx + <usize>(n * picturePixels) * pixelBytes;
    for (let pixel = 0; pixel < outputPixels; pixel++) {
      for (let c = 0; c < channels; c++) {
        const to = picture + <usize>load<i32>(indices) * pixelBytes + (<usize>c << 2);
        store<f32>(to, load<f32>(to) + load<f32>(dy));
        dy += 4;
        indices += 4;
      }
    }
  }
}

// Products over the sliding windows of a picture, as matrix products whose left matrix (im2col) is packed straight
// from the picture and never stored. AssemblyScript. Pictures are NHWC; windows must lie inside them: `pad` makes a
// copy with a border of zeros where a convolution needs one.

import { BLOCK_DEPTH, BLOCK_ROWS, EDGE_BYTES, finishBlock, multiplyBlock, packColumns, storeTransposed } from './matrix';

/**
 * target[N, targetHeight, targetWidth, C] = zeros with source[N, H, W, C] laid into it: pixel (y, x) goes to
 * (top + y · stretchHeight, left + x · stretchWidth). Stretching (transposed stride) is what input gradients need.
 */
export function pad(
  target: usize, source: usize, batch: i32, height: i32, width: i32, channels: i32,
  targetHeight: i32, targetWidth: i32, top: i32, left: i32, stretchHeight: i32, stretchWidth: i32,
): void {
  const pixelBytes = <usize>channels << 2;
  memory.fill(target, 0, <usize>batch * targetHeight * targetWidth * pixelBytes);
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < height; y++) {
      let to = target + <usize>((n * targetHeight + top + y * stretchHeight) * targetWidth + left) * pixelBytes;
      const from = source + <usize>((n * height + y) * width) * pixelBytes;
      if (stretchWidth == 1) {
        memory.copy(to, from, <usize>width * pixelBytes);
      } else {
        for (let x = 0; x < width; x++) {
          memory.copy(to, from + <usize>x * pixelBytes, pixelBytes);
          to += <usize>stretchWidth * pixelBytes;
        }
      }
    }
  }
}

/** Address of the first value of output pixel `index`'s window; `index` counts over [N, outputHeight, outputWidth]. */
// @ts-ignore: decorator
@inline
function windowStart(x: usize, index: i32, height: i32, width: i32, channels: i32, outputHeight: i32, outputWidth: i32, strideHeight: i32, strideWidth: i32): usize {
  const column = index % outputWidth;
  const rows = index / outputWidth;
  const row = rows % outputHeight;
  const n = rows / outputHeight;
  return x + ((<usize>((n * height + row * strideHeight) * width + column * strideWidth) * channels) << 2);
}

/**
 * y[P,K] = relu?(windows(x)[P,R] · w[R,K] + bias[K]): P = N · outputHeight · outputWidth, R = kernelHeight · kernelWidth · C.
 * w is packed with its whole depth R as one block. `scratch` takes EDGE_BYTES + 4 · BLOCK_ROWS · R bytes.
 */
export function windowProduct(
  x: usize, height: i32, width: i32, channels: i32, packedWeights: usize, y: usize, batch: i32, outputHeight: i32, outputWidth: i32, outputChannels: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, dilationHeight: i32, dilationWidth: i32, bias: usize, relu: bool, scratch: usize,
): void {
  const pixels = batch * outputHeight * outputWidth;
  const depth = kernelHeight * kernelWidth * channels;
  // With undilated columns a window's row is one run of memory; otherwise each pixel of it is.
  const run = dilationWidth == 1 ? kernelWidth * channels : channels;
  const runs = dilationWidth == 1 ? 1 : kernelWidth;
  const rowBytes = (<usize>dilationHeight * width * channels) << 2;
  const runBytes = (<usize>dilationWidth * channels) << 2;
  const packed = scratch + EDGE_BYTES;
  for (let start = 0; start < pixels; start += BLOCK_ROWS) {
    const rows = min(BLOCK_ROWS, pixels - start);
    let to = packed;
    for (let row = 0; row < rows; row += 4) {
      const last = pixels - 1; // rows beyond it repeat it; their products are thrown away
      const p0 = windowStart(x, start + row, height, width, channels, outputHeight, outputWidth, strideHeight, strideWidth);
      const p1 = windowStart(x, min(start + row + 1, last), height, width, channels, outputHeight, outputWidth, strideHeight, strideWidth);
      const p2 = windowStart(x, min(start + row + 2, last), height, width, channels, outputHeight, outputWidth, strideHeight, strideWidth);
      const p3 = windowStart(x, min(start + row + 3, last), height, width, channels, outputHeight, outputWidth, strideHeight, strideWidth);
      for (let kernelRow = 0; kernelRow < kernelHeight; kernelRow++) {
        for (let part = 0; part < runs; part++) {
          let offset = <usize>kernelRow * rowBytes + <usize>part * runBytes;
          let i = 0;
          for (; i + 4 <= run; i += 4) {
            storeTransposed(to, v128.load(p0 + offset), v128.load(p1 + offset), v128.load(p2 + offset), v128.load(p3 + offset));
            offset += 16;
            to += 64;
          }
          for (; i < run; i++) {
            store<f32>(to, load<f32>(p0 + offset));
            store<f32>(to, load<f32>(p1 + offset), 4);
            store<f32>(to, load<f32>(p2 + offset), 8);
            store<f32>(to, load<f32>(p3 + offset), 12);
            offset += 4;
            to += 16;
          }
        }
      }
    }
    const target = y + ((<usize>start * outputChannels) << 2);
    multiplyBlock(packed, packedWeights, target, outputChannels, rows, outputChannels, depth, false, scratch);
    finishBlock(target, outputChannels, rows, outputChannels, bias, relu);
  }
}

/**
 * dw[R,K] = windows(x)[P,R]ᵀ · dy[P,K], summed over blocks of BLOCK_DEPTH output pixels in their order.
 * `scratch` takes EDGE_BYTES + 4 · BLOCK_DEPTH · (1 + BLOCK_ROWS + ceil8(K)) bytes.
 */
export function windowGradient(
  x: usize, height: i32, width: i32, channels: i32, dy: usize, dw: usize, batch: i32, outputHeight: i32, outputWidth: i32, outputChannels: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, dilationHeight: i32, dilationWidth: i32, scratch: usize,
): void {
  const pixels = batch * outputHeight * outputWidth;
  const taps = kernelHeight * kernelWidth * channels;
  const run = dilationWidth == 1 ? kernelWidth * channels : channels;
  const starts = scratch + EDGE_BYTES; // addresses of the block's windows
  const packedX = starts + (BLOCK_DEPTH << 2);
  const packedDy = packedX + ((BLOCK_DEPTH * BLOCK_ROWS) << 2);
  for (let first = 0; first < pixels; first += BLOCK_DEPTH) {
    const depth = min(BLOCK_DEPTH, pixels - first);
    for (let p = 0; p < depth; p++) {
      store<u32>(starts + (<usize>p << 2), <u32>windowStart(x, first + p, height, width, channels, outputHeight, outputWidth, strideHeight, strideWidth));
    }
    packColumns(packedDy, dy + ((<usize>first * outputChannels) << 2), outputChannels, 1, depth, outputChannels, BLOCK_DEPTH);
    for (let tap = 0; tap < taps; tap += BLOCK_ROWS) {
      const rows = min(BLOCK_ROWS, taps - tap);
      let to = packedX;
      for (let row = 0; row < rows; row += 4) {
        const t = tap + row;
        const o0 = tapOffset(t, width, channels, kernelWidth, dilationHeight, dilationWidth);
        if (t + 4 <= taps && (t % run) + 4 <= run) {
          for (let p = 0; p < depth; p++) {
            v128.store(to, v128.load(<usize>load<u32>(starts + (<usize>p << 2)) + o0));
            to += 16;
          }
        } else {
          const last = taps - 1; // taps beyond it repeat it; their products are thrown away
          const o1 = tapOffset(min(t + 1, last), width, channels, kernelWidth, dilationHeight, dilationWidth);
          const o2 = tapOffset(min(t + 2, last), width, channels, kernelWidth, dilationHeight, dilationWidth);
          const o3 = tapOffset(min(t + 3, last), width, channels, kernelWidth, dilationHeight, dilationWidth);
          for (let p = 0; p < depth; p++) {
            const start = <usize>load<u32>(starts + (<usize>p << 2));
            store<f32>(to, load<f32>(start + o0));
            store<f32>(to, load<f32>(start + o1), 4);
            store<f32>(to, load<f32>(start + o2), 8);
            store<f32>(to, load<f32>(start + o3), 12);
            to += 16;
          }
        }
      }
      multiplyBlock(packedX, packedDy, dw + ((<usize>tap * outputChannels) << 2), outputChannels, rows, outputChannels, depth, first > 0, scratch);
    }
  }
}

/** Bytes from a window's start to tap `tap`, which counts over [kernelHeight, kernelWidth, C]. */
// @ts-ignore: decorator
@inline
function tapOffset(tap: i32, width: i32, channels: i32, kernelWidth: i32, dilationHeight: i32, dilationWidth: i32): usize {
  const channel = tap % channels;
  const pixel = tap / channels;
  const column = pixel % kernelWidth;
  const row = pixel / kernelWidth;
  return <usize>((row * dilationHeight * width + column * dilationWidth) * channels + channel) << 2;
}

/** turned[taps, K, C]: w[taps, C, K] with its taps in reverse order (180° for a rectangle) and its channels exchanged. */
export function turnWeight(turned: usize, weight: usize, taps: i32, inputChannels: i32, outputChannels: i32): void {
  const size = inputChannels * outputChannels;
  for (let tap = 0; tap < taps; tap++) {
    const from = weight + ((<usize>(taps - 1 - tap) * size) << 2);
    for (let k = 0; k < outputChannels; k++) {
      for (let c = 0; c < inputChannels; c++) {
        store<f32>(turned, load<f32>(from + ((<usize>c * outputChannels + k) << 2)));
        turned += 4;
      }
    }
  }
}

/** Convolution on the CPU device: direct, over the windows of a picture with its border (`wasm/convolution.ts`). */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { split } from '../../tensor/cpu/parts.js';
import { ceil8, TILE_BYTES, floats, sumSlicesCall } from '../shared/wasm-parts.js';
import type { WindowAttributes } from '../shared/window.js';
import type { ConvolutionShape } from './convolution-shape.js';

/** A picture with a border (and gaps between its pixels), in which every window lies inside. */
export interface PaddedPicture {
  readonly height: number;
  readonly width: number;
  readonly needed: boolean;
  /** Bytes of scratch memory for the whole batch; 0 if the picture will do as it is. */
  readonly bytes: number;
}

export function paddedPicture(shape: ConvolutionShape): PaddedPicture {
  const { batch, inputChannels, height, width, outputHeight, outputWidth, top, left, window } = shape;
  const reach = (axis: 0 | 1, count: number): number =>
    (count - 1) * window.strides[axis] + (window.size[axis] - 1) * window.dilation[axis] + 1;
  const paddedHeight = Math.max(height + top, reach(0, outputHeight));
  const paddedWidth = Math.max(width + left, reach(1, outputWidth));
  const needed = paddedHeight > height || paddedWidth > width;
  const bytes = needed ? floats(batch * paddedHeight * paddedWidth * inputChannels) : 0;
  return { height: paddedHeight, width: paddedWidth, needed, bytes };
}

/** Lays x into its border, if it needs one. */
export function padCalls(shape: ConvolutionShape, padded: PaddedPicture, x: number, paddedX: number): WasmCall[] {
  if (!padded.needed) return [];
  const { batch, height, width, inputChannels, top, left } = shape;
  const sizes = [height, width, inputChannels, padded.height, padded.width, top, left, 1, 1];
  return [{ function: 'pad', parts: batch, arguments: [paddedX, x, ...sizes] }];
}

export const packWeightsCall = (packed: number, weight: number, depth: number, channels: number): WasmCall => ({
  function: 'packWeights',
  parts: ceil8(channels) / 8,
  arguments: [packed, weight, depth, channels],
});

/** Values of a window: the depth of the convolution's products. */
export const windowDepth = ({ window: { size }, inputChannels }: ConvolutionShape): number =>
  size[0] * size[1] * inputChannels;

/** Where each value of a window lies in a picture `width` pixels wide; to scratch memory of `floats(depth)` bytes. */
export const windowOffsetsCall = (
  offsets: number,
  width: number,
  channels: number,
  { size, dilation }: WindowAttributes,
): WasmCall => ({
  function: 'windowOffsets',
  parts: 1,
  arguments: [offsets, width, channels, ...size, ...dilation],
});

/** x, w, b? → y: pad if needed, pack the weights, multiply. */
export function forwardCalls(shape: ConvolutionShape, activation: FusedActivation): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels, outputHeight, outputWidth, window } = shape;
  const depth = windowDepth(shape);
  const padded = paddedPicture(shape);
  const lines = batch * outputHeight;
  const { parts, chunk } = split(lines);
  return {
    scratch: [floats(depth * ceil8(outputChannels)), floats(depth), parts * TILE_BYTES, padded.bytes],
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y] }, [packedWeight, offsets, scratch, paddedX]) => [
      windowOffsetsCall(offsets, padded.width, inputChannels, window),
      packWeightsCall(packedWeight, weight, depth, outputChannels),
      ...padCalls(shape, padded, x, paddedX),
      {
        function: 'convolve',
        parts,
        arguments: [
          ...[padded.needed ? paddedX : x, padded.height, padded.width, inputChannels, packedWeight, y],
          ...[lines, outputHeight, outputWidth, outputChannels],
          ...[offsets, depth, ...window.strides],
          ...[bias, Number(activation === 'relu'), chunk, scratch],
        ],
      },
    ],
  };
}

/**
 * dz, w → dx: a convolution with stride 1 of dz, its pixels set `strides` apart in a border of zeros, with the weights
 * turned by 180° and their channels exchanged.
 */
export function inputGradientCalls(shape: ConvolutionShape): Plan<number, WasmCall> {
  const { batch, height, width, inputChannels, outputChannels, outputHeight, outputWidth, top, left, window } = shape;
  const { size, strides, dilation } = window;
  const taps = size[0] * size[1];
  const depth = taps * outputChannels;
  const paddedHeight = height + (size[0] - 1) * dilation[0];
  const paddedWidth = width + (size[1] - 1) * dilation[1];
  const border = [(size[0] - 1) * dilation[0] - top, (size[1] - 1) * dilation[1] - left];
  const lines = batch * height;
  const { parts, chunk } = split(lines);
  return {
    scratch: [
      floats(depth * inputChannels),
      floats(depth * ceil8(inputChannels)),
      floats(depth),
      parts * TILE_BYTES,
      floats(batch * paddedHeight * paddedWidth * outputChannels),
    ],
    steps: ({ inputs: [dz, weight], outputs: [dx] }, [turned, packedWeight, offsets, scratch, paddedDz]) => [
      windowOffsetsCall(offsets, paddedWidth, outputChannels, window),
      {
        function: 'turnWeights',
        parts: taps,
        arguments: [turned, weight, taps, inputChannels, outputChannels],
      },
      packWeightsCall(packedWeight, turned, depth, inputChannels),
      {
        function: 'pad',
        parts: batch,
        arguments: [
          ...[paddedDz, dz, outputHeight, outputWidth, outputChannels, paddedHeight, paddedWidth],
          ...[...border, ...strides],
        ],
      },
      {
        function: 'convolve',
        parts,
        arguments: [
          ...[paddedDz, paddedHeight, paddedWidth, outputChannels, packedWeight, dx],
          ...[lines, height, width, inputChannels],
          ...[offsets, depth, 1, 1],
          ...[0, 0, chunk, scratch],
        ],
      },
    ],
  };
}

/** x, dz → dw: pad if needed, products by slices of the lines, their sum. */
export function weightGradientCalls(shape: ConvolutionShape): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels, outputHeight, outputWidth, window } = shape;
  const depth = windowDepth(shape);
  const padded = paddedPicture(shape);
  const lines = batch * outputHeight;
  const { parts, chunk } = split(lines);
  return {
    scratch: [
      floats(depth),
      floats(parts * depth * outputChannels),
      parts * (TILE_BYTES + floats(9 * outputWidth)),
      padded.bytes,
    ],
    steps: ({ inputs: [x, dz], outputs: [dw] }, [offsets, slices, scratch, paddedX]) => [
      windowOffsetsCall(offsets, padded.width, inputChannels, window),
      ...padCalls(shape, padded, x, paddedX),
      {
        function: 'convolutionWeightGradient',
        parts,
        arguments: [
          ...[padded.needed ? paddedX : x, padded.height, padded.width, inputChannels, dz, slices],
          ...[lines, outputHeight, outputWidth, outputChannels],
          ...[offsets, depth, ...window.strides, chunk, scratch],
        ],
      },
      sumSlicesCall(slices, parts, dw, depth, outputChannels),
    ],
  };
}

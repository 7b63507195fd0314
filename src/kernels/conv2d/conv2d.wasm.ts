/** Convolution on the CPU device: matrix products over windows (`wasm/window.ts`). */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import type { FusedActivation } from '../partial-sums.js';
import { BLOCK_DEPTH, BLOCK_ROWS, ceil8, EDGE_BYTES, floats } from '../wasm-blocks.js';
import type { ConvolutionShape } from './convolution-shape.js';

/** A picture with a border (and gaps between its pixels), in which every window lies inside. */
interface PaddedPicture {
  readonly height: number;
  readonly width: number;
  readonly needed: boolean;
}

function paddedPicture(shape: ConvolutionShape): PaddedPicture {
  const { height, width, outputHeight, outputWidth, top, left, window } = shape;
  const reach = (axis: 0 | 1, count: number): number =>
    (count - 1) * window.strides[axis] + (window.size[axis] - 1) * window.dilation[axis] + 1;
  const paddedHeight = Math.max(height + top, reach(0, outputHeight));
  const paddedWidth = Math.max(width + left, reach(1, outputWidth));
  return { height: paddedHeight, width: paddedWidth, needed: paddedHeight > height || paddedWidth > width };
}

function padCall(shape: ConvolutionShape, padded: PaddedPicture, from: number, to: number): WasmCall {
  const { batch, height, width, inputChannels, top, left } = shape;
  return {
    function: 'pad',
    arguments: [to, from, batch, height, width, inputChannels, padded.height, padded.width, top, left, 1, 1],
  };
}

/** x, w, b? → y: pad if needed, pack the weights, multiply. */
export function forwardCalls(shape: ConvolutionShape, activation: FusedActivation): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels, outputHeight, outputWidth, window } = shape;
  const depth = window.size[0] * window.size[1] * inputChannels;
  const padded = paddedPicture(shape);
  return {
    scratch: [
      floats(depth * ceil8(outputChannels)),
      EDGE_BYTES + floats(BLOCK_ROWS * depth),
      padded.needed ? floats(batch * padded.height * padded.width * inputChannels) : 0,
    ],
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y] }, [packedWeight, scratch, paddedX]) => [
      { function: 'packColumns', arguments: [packedWeight, weight, outputChannels, 1, depth, outputChannels, depth] },
      ...(padded.needed ? [padCall(shape, padded, x, paddedX)] : []),
      {
        function: 'windowProduct',
        arguments: [
          ...[padded.needed ? paddedX : x, padded.height, padded.width, inputChannels, packedWeight, y],
          ...[batch, outputHeight, outputWidth, outputChannels],
          ...[...window.size, ...window.strides, ...window.dilation],
          ...[bias, Number(activation === 'relu'), scratch],
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
  return {
    scratch: [
      floats(depth * inputChannels),
      floats(depth * ceil8(inputChannels)),
      EDGE_BYTES + floats(BLOCK_ROWS * depth),
      floats(batch * paddedHeight * paddedWidth * outputChannels),
    ],
    steps: ({ inputs: [dz, weight], outputs: [dx] }, [turned, packedWeight, scratch, paddedDz]) => [
      { function: 'turnWeight', arguments: [turned, weight, taps, inputChannels, outputChannels] },
      { function: 'packColumns', arguments: [packedWeight, turned, inputChannels, 1, depth, inputChannels, depth] },
      {
        function: 'pad',
        arguments: [
          paddedDz,
          dz,
          batch,
          outputHeight,
          outputWidth,
          outputChannels,
          paddedHeight,
          paddedWidth,
          border[0],
          border[1],
          ...strides,
        ],
      },
      {
        function: 'windowProduct',
        arguments: [
          ...[paddedDz, paddedHeight, paddedWidth, outputChannels, packedWeight, dx],
          ...[batch, height, width, inputChannels],
          ...[...size, 1, 1, ...dilation],
          ...[0, 0, scratch],
        ],
      },
    ],
  };
}

/** x, dz → dw: pad if needed, then one product with the windows as its transposed left matrix. */
export function weightGradientCalls(shape: ConvolutionShape): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels, outputHeight, outputWidth, window } = shape;
  const padded = paddedPicture(shape);
  return {
    scratch: [
      EDGE_BYTES + floats(BLOCK_DEPTH * (1 + BLOCK_ROWS + ceil8(outputChannels))),
      padded.needed ? floats(batch * padded.height * padded.width * inputChannels) : 0,
    ],
    steps: ({ inputs: [x, dz], outputs: [dw] }, [scratch, paddedX]) => [
      ...(padded.needed ? [padCall(shape, padded, x, paddedX)] : []),
      {
        function: 'windowGradient',
        arguments: [
          ...[padded.needed ? paddedX : x, padded.height, padded.width, inputChannels, dz, dw],
          ...[batch, outputHeight, outputWidth, outputChannels],
          ...[...window.size, ...window.strides, ...window.dilation],
          scratch,
        ],
      },
    ],
  };
}

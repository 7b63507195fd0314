/** Convolution with 2×2 max pooling on the CPU device: `wasm/convolution.ts` forward, `wasm/pooled-gradient.ts` backward. */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { split } from '../../tensor/cpu/parts.js';
import { ceil8, floats } from '../shared/wasm-parts.js';
import type { WindowAttributes } from '../shared/window.js';
import { ungrouped, type ConvolutionShape } from './convolution-shape.js';
import { forwardSum } from './conv2d.wasm.js';
import { takesWinograd, winogradCalls } from './winograd.wasm.js';

/** A picture with a border (and gaps between its pixels), in which every window lies inside. */
interface PaddedPicture {
  readonly height: number;
  readonly width: number;
  readonly needed: boolean;
  /** Bytes of scratch memory for the whole batch; 0 if the picture will do as it is. */
  readonly bytes: number;
}

function paddedPicture(shape: ConvolutionShape): PaddedPicture {
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
function padCalls(shape: ConvolutionShape, padded: PaddedPicture, x: number, paddedX: number): WasmCall[] {
  if (!padded.needed) return [];
  const { batch, height, width, inputChannels, top, left } = shape;
  const sizes = [height, width, inputChannels, padded.height, padded.width, top, left, 1, 1];
  return [{ function: 'pad', parts: batch, arguments: [paddedX, x, ...sizes] }];
}

const packWeightsCall = (packed: number, weight: number, depth: number, channels: number): WasmCall => ({
  function: 'packWeights',
  parts: ceil8(channels) / 8,
  arguments: [packed, weight, depth, channels],
});

/** Values of a window: the depth of the convolution's products. */
const windowDepth = ({ window: { size }, inputChannels }: ConvolutionShape): number =>
  size[0] * size[1] * inputChannels;

/** Where each value of a window lies in a picture `width` pixels wide; to scratch memory of `floats(depth)` bytes. */
const windowOffsetsCall = (
  offsets: number,
  width: number,
  channels: number,
  { size, dilation }: WindowAttributes,
): WasmCall => ({
  function: 'pooledOffsets',
  parts: 1,
  arguments: [offsets, width, channels, ...size, ...dilation],
});

/** Pixels of y whose gradients are sorted into lists at a time: they fit into a second-level cache. */
const PIECE = 32;
/** Slices of a batch whose weight gradients are summed on their own. */
const MOST_SLICES = 16;
/** Words of an entry of a list, and places of a pooling window with the one for what relu cut off. */
const ENTRY = 2;
const PLACES = 5;

/** The window as the functions in `wasm/pooled-gradient.ts` take it. */
const windowArguments = ({ size, strides, dilation }: WindowAttributes): number[] => [...size, ...strides, ...dilation];

const pooledSize = ({ outputHeight, outputWidth }: ConvolutionShape): [number, number] => [
  Math.floor(outputHeight / 2),
  Math.floor(outputWidth / 2),
];

/** Patches that `winogradAndPool` transforms at a time. */
const PATCHES = 8;
/** Below so many input channels Winograd's transforms cost more than they save. */
const WINOGRAD_CHANNELS = 16;

function takesPlacedWinograd({
  window: { size, strides, dilation },
  inputChannels,
  outputChannels,
}: ConvolutionShape): boolean {
  const is = ([height, width]: readonly [number, number], value: number): boolean =>
    height === value && width === value;
  const fits = inputChannels % 4 === 0 && inputChannels >= WINOGRAD_CHANNELS && outputChannels % 8 === 0;
  return fits && is(size, 3) && is(strides, 1) && is(dilation, 1);
}

/** x, w, b? → y, places, by `wasm/winograd.ts` */
function placedWinogradCalls(shape: ConvolutionShape, activation: FusedActivation): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels } = shape;
  const padded = paddedPicture(shape);
  const [pooledHeight, pooledWidth] = pooledSize(shape);
  const lines = batch * pooledHeight;
  const { parts, chunk } = split(lines);
  return {
    scratch: [floats(16 * inputChannels * outputChannels), padded.bytes],
    workspace: floats(16 * PATCHES * (inputChannels + outputChannels)),
    steps: ({ inputs: [x, weight, bias = 0], outputs }, [transformed, paddedX]) => [
      {
        function: 'winogradWeights',
        parts: inputChannels,
        arguments: [weight, transformed, inputChannels, outputChannels],
      },
      ...padCalls(shape, padded, x, paddedX),
      {
        function: 'winogradAndPool',
        parts,
        arguments: [
          padded.needed ? paddedX : x,
          padded.height,
          padded.width,
          inputChannels,
          transformed,
          ...outputs,
          lines,
          pooledHeight,
          pooledWidth,
          outputChannels,
          bias,
          Number(activation === 'relu'),
          chunk,
        ],
      },
    ],
  };
}

/** x, w, b? → y, places? With places, equal values must come out equal, as they do of F(2×2). */
export function pooledForwardCalls(
  shape: ConvolutionShape,
  { activation, withPlaces }: { readonly activation: FusedActivation; readonly withPlaces: boolean },
): Plan<number, WasmCall> {
  if (withPlaces && takesPlacedWinograd(shape)) return placedWinogradCalls(shape, activation);
  const sum = forwardSum(ungrouped(shape), activation);
  if (!withPlaces && takesWinograd(sum)) return winogradCalls(sum, { pooled: true });
  const { batch, inputChannels, outputChannels, window } = shape;
  const depth = windowDepth(shape);
  const padded = paddedPicture(shape);
  const [pooledHeight, pooledWidth] = pooledSize(shape);
  const lines = batch * pooledHeight;
  const { parts, chunk } = split(lines);
  return {
    scratch: [floats(depth * ceil8(outputChannels)), floats(depth), padded.bytes],
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y, places = 0] }, [packedWeight, offsets, paddedX]) => [
      windowOffsetsCall(offsets, padded.width, inputChannels, window),
      packWeightsCall(packedWeight, weight, depth, outputChannels),
      ...padCalls(shape, padded, x, paddedX),
      {
        function: 'convolveAndPool',
        parts,
        arguments: [
          padded.needed ? paddedX : x,
          padded.height,
          padded.width,
          inputChannels,
          packedWeight,
          y,
          places,
          lines,
          pooledHeight,
          pooledWidth,
          outputChannels,
          offsets,
          depth,
          ...window.strides,
          bias,
          Number(activation === 'relu'),
          chunk,
        ],
      },
    ],
  };
}

/** dy, places, w → dx */
export function pooledInputGradientCalls(shape: ConvolutionShape): Plan<number, WasmCall> {
  const { batch, height, width, inputChannels, outputChannels, top, left, window } = shape;
  const depth = windowDepth(shape);
  const padded = paddedPicture(shape);
  return {
    scratch: [floats(depth * outputChannels), padded.bytes],
    workspace: floats(PLACES * (1 + ENTRY * (outputChannels + 1))),
    steps: ({ inputs: [dy, places, weight], outputs: [dx] }, [exchanged, paddedDx]) => [
      { function: 'exchangeWeights', parts: outputChannels, arguments: [exchanged, weight, depth, outputChannels] },
      {
        function: 'pooledInputGradient',
        parts: batch,
        arguments: [
          dy,
          places,
          exchanged,
          padded.needed ? paddedDx : dx,
          padded.height,
          padded.width,
          inputChannels,
          ...pooledSize(shape),
          outputChannels,
          ...windowArguments(window),
        ],
      },
      ...(padded.needed
        ? [
            {
              function: 'crop',
              parts: batch,
              arguments: [paddedDx, dx, height, width, inputChannels, padded.height, padded.width, top, left],
            },
          ]
        : []),
    ],
  };
}

/** x, dy, places → dw, db */
export function pooledWeightGradientCalls(shape: ConvolutionShape): Plan<number, WasmCall> {
  const { batch, inputChannels, outputChannels, window } = shape;
  const [height, width] = window.size;
  const padded = paddedPicture(shape);
  const [pooledHeight, pooledWidth] = pooledSize(shape);
  const linesOfPiece = Math.min(pooledHeight, Math.max(1, Math.floor(PIECE / pooledWidth)));
  const chunk = Math.ceil(batch / MOST_SLICES);
  const parts = Math.ceil(batch / chunk);
  const ceil4 = (count: number): number => Math.ceil(count / 4) * 4;
  const kernel =
    window.dilation[1] === 1 ? height * ceil4(width * inputChannels) : height * width * ceil4(inputChannels);
  return {
    scratch: [floats(parts * outputChannels * (kernel + 1)), padded.bytes],
    workspace: floats(PLACES + outputChannels * (1 + ENTRY * (linesOfPiece * pooledWidth + 1))),
    steps: ({ inputs: [x, dy, places], outputs: [dw, db] }, [slices, paddedX]) => [
      ...padCalls(shape, padded, x, paddedX),
      {
        function: 'pooledWeightGradient',
        parts,
        arguments: [
          padded.needed ? paddedX : x,
          padded.height,
          padded.width,
          inputChannels,
          dy,
          places,
          slices,
          batch,
          pooledHeight,
          pooledWidth,
          outputChannels,
          ...windowArguments(window),
          chunk,
          linesOfPiece,
        ],
      },
      {
        function: 'finishPooledWeightGradient',
        parts: outputChannels,
        arguments: [slices, parts, dw, db, inputChannels, outputChannels, height, width, window.dilation[1]],
      },
    ],
  };
}

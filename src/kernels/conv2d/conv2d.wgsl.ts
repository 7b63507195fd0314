/** Convolution and its gradients on the WebGPU device: which shader does which, and the weights turned for the input gradient. */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY, type Plan } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { convolutionLoop } from './convolution-loop.wgsl.js';
import type { ConvolutionShape } from './convolution-shape.js';
import { convolutionTiles, fitsTile, tileNamed, tilesFor } from './convolution-tile.wgsl.js';

/** x, w, b? → y */
export function forwardDispatches(
  shape: ConvolutionShape,
  activation: FusedActivation,
  bias: boolean,
  variant?: string,
): Plan<BufferView, Dispatch> {
  const tile = tileNamed(tilesFor(shape), variant);
  return {
    steps: ({ inputs, outputs }) => [
      fitsTile(shape)
        ? convolutionTiles(shape, [...inputs, ...outputs], { tile, bias, activation })
        : convolutionLoop(shape, [...inputs, ...outputs], { bias, activation }),
    ],
  };
}

/** turned[taps, K, C] = weight[taps, C, K], the taps in reverse order: 180° for a rectangle. */
const TURN_WEIGHT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> turned: array<f32>;
override TAPS: u32;
override INPUT_CHANNELS: u32;
override OUTPUT_CHANNELS: u32;
${ENTRY}
  let c = index % INPUT_CHANNELS;
  let k = index / INPUT_CHANNELS % OUTPUT_CHANNELS;
  let tap = TAPS - 1u - index / INPUT_CHANNELS / OUTPUT_CHANNELS;
  turned[index] = weight[(tap * INPUT_CHANNELS + c) * OUTPUT_CHANNELS + k];
}`;

/** The convolution of stride 1 over dz, its pixels set `strides` apart, that gives dx. */
const backwardShape = (shape: ConvolutionShape): ConvolutionShape => ({
  batch: shape.batch,
  height: shape.outputHeight,
  width: shape.outputWidth,
  inputChannels: shape.outputChannels,
  outputHeight: shape.height,
  outputWidth: shape.width,
  outputChannels: shape.inputChannels,
  top: (shape.window.size[0] - 1) * shape.window.dilation[0] - shape.top,
  left: (shape.window.size[1] - 1) * shape.window.dilation[1] - shape.left,
  window: { ...shape.window, strides: [1, 1] },
});

/** Whether `inputGradientDispatches` can take dy and places instead of dz. */
export const takesPooledGradient = (shape: ConvolutionShape): boolean =>
  fitsTile(shape) && shape.window.strides.every((stride) => stride === 1);

/** Names of the variants of the forward convolution, and of its input gradient. */
export const forwardVariants = (shape: ConvolutionShape, options: { toPooled?: boolean } = {}): string[] =>
  fitsTile(shape) ? [...tilesFor(shape, options).keys()] : [];
export const inputGradientVariants = (shape: ConvolutionShape): string[] =>
  takesPooledGradient(shape) ? [...tilesFor(backwardShape(shape)).keys()] : [];

/**
 * dz, w → dx; or before max pooling dy, places, w → dx: a convolution with the weights turned by 180° and their channels
 * exchanged.
 */
export function inputGradientDispatches(
  shape: ConvolutionShape,
  { pooled = false, variant }: { pooled?: boolean; variant?: string | undefined } = {},
): Plan<BufferView, Dispatch> {
  const { window, inputChannels, outputChannels } = shape;
  const weights = window.size[0] * window.size[1] * inputChannels * outputChannels;
  const backward = backwardShape(shape);
  const tile = tileNamed(tilesFor(backward), variant);
  return {
    scratch: [weights * 4],
    steps({ inputs, outputs }, [turned]) {
      const [weight] = inputs.slice(-1) as [BufferView];
      const bindings = [...inputs.slice(0, -1), turned, ...outputs];
      return [
        dispatchThreads(TURN_WEIGHT, weights, [weight, turned], {
          TAPS: window.size[0] * window.size[1],
          INPUT_CHANNELS: inputChannels,
          OUTPUT_CHANNELS: outputChannels,
        }),
        takesPooledGradient(shape)
          ? convolutionTiles(backward, bindings, { tile, fromPooled: pooled })
          : convolutionLoop(backward, bindings, { stretch: window.strides }),
      ];
    },
  };
}

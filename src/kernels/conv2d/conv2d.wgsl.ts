/** Convolution and its gradients on the WebGPU device: which shader does which, and the weights turned for the input gradient. */
import {
  type BufferView,
  type Dispatch,
  dispatchThreads,
  ENTRY,
  type KernelTarget,
  type Plan,
} from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import type { Pair } from '../shared/window.js';
import { convolutionLoop } from './convolution-loop.wgsl.js';
import { convolutionRows, fitsRows, gradientAxes } from './convolution-rows.wgsl.js';
import type { ConvolutionShape } from './convolution-shape.js';
import { convolutionTiles, fitsTile, tileNamed, tilesFor } from './convolution-tile.wgsl.js';

/** The variants that are no tiles of `convolution-tile.wgsl.ts`. */
const [ROWS, LOOP] = ['rows', 'loop'];

interface ForwardOptions {
  readonly bias: boolean;
  readonly activation: FusedActivation;
  /** Max pooling follows: outputs y, places. */
  readonly toPooled?: boolean;
}

/**
 * Names of the variants of the forward convolution; the first suits software adapters. None: large windows. Half precision is
 * for the forward pass alone: gradients lie below its range.
 */
export const forwardVariants = (shape: ConvolutionShape, features?: KernelTarget['features']): string[] => [
  ...(fitsRows(shape) ? [ROWS] : []),
  ...(fitsTile(shape) ? tilesFor(shape, { half: features?.has('shader-f16') }).keys() : []),
];

/** Whether maxima can be taken of a convolution's sums before they are written. */
export const fitsPooling = (shape: ConvolutionShape): boolean => forwardVariants(shape).length > 0;

/** x, w, b? → y (and places) */
export function forwardDispatches(
  shape: ConvolutionShape,
  options: ForwardOptions,
  variant = forwardVariants(shape)[0] ?? LOOP,
): Plan<BufferView, Dispatch> {
  return {
    steps({ inputs, outputs }) {
      const bindings = [...inputs, ...outputs];
      if (variant === LOOP) return [convolutionLoop(shape, bindings, options)];
      if (variant === ROWS) return [convolutionRows(shape, bindings, options)];
      return [
        convolutionTiles(shape, bindings, { tile: tileNamed(tilesFor(shape, { half: true }), variant), ...options }),
      ];
    },
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

/** Names of the variants of the input gradient, of dz or of dy and places; the first suits software adapters. None: large windows. */
export function inputGradientVariants(shape: ConvolutionShape, { fromPooled = false } = {}): string[] {
  const tiles = takesPooledGradient(shape) ? [...tilesFor(backwardShape(shape), { fromPooled }).keys()] : [];
  if (fromPooled && tiles.length > 0) return tiles;
  return [...(fitsRows(shape) ? [ROWS] : []), ...tiles];
}

/**
 * dz, w → dx; or before max pooling dy, places, w → dx: a convolution with the weights turned by 180° and their channels
 * exchanged.
 */
export function inputGradientDispatches(
  shape: ConvolutionShape,
  { fromPooled = false, variant }: { fromPooled?: boolean; variant?: string | undefined } = {},
): Plan<BufferView, Dispatch> {
  const { window, inputChannels, outputChannels } = shape;
  const weights = window.size[0] * window.size[1] * inputChannels * outputChannels;
  const backward = backwardShape(shape);
  const chosen = variant ?? inputGradientVariants(shape, { fromPooled })[0] ?? LOOP;
  const convolve = (bindings: readonly BufferView[]): Dispatch[] => {
    if (chosen === LOOP) return [convolutionLoop(backward, bindings, { stretch: window.strides })];
    if (chosen === ROWS) return phases(shape, bindings);
    const tile = tileNamed(tilesFor(backward, { fromPooled }), chosen);
    return [convolutionTiles(backward, bindings, { tile, fromPooled })];
  };
  return {
    scratch: [weights * 4],
    steps({ inputs, outputs }, [turned]) {
      const [weight] = inputs.slice(-1) as [BufferView];
      return [
        turnWeight(window.size[0] * window.size[1], [inputChannels, outputChannels], [weight, turned]),
        ...convolve([...inputs.slice(0, -1), turned, ...outputs]),
      ];
    },
  };
}

/** Input gradient of a convolution of each channel by itself: dz, w → dx. */
export function depthwiseInputGradientDispatches(shape: ConvolutionShape): Plan<BufferView, Dispatch> {
  const taps = shape.window.size[0] * shape.window.size[1];
  return {
    scratch: [taps * shape.inputChannels * 4],
    steps: ({ inputs: [dz, weight], outputs: [dx] }, [turned]) => [
      turnWeight(taps, [1, shape.inputChannels], [weight, turned]),
      ...phases(shape, [dz, turned, dx], true),
    ],
  };
}

const turnWeight = (taps: number, [inputs, outputs]: Pair, bindings: readonly BufferView[]): Dispatch =>
  dispatchThreads(TURN_WEIGHT, taps * inputs * outputs, bindings, {
    TAPS: taps,
    INPUT_CHANNELS: inputs,
    OUTPUT_CHANNELS: outputs,
  });

/** @param bindings dz, turned weight, dx */
const phases = (shape: ConvolutionShape, bindings: readonly BufferView[], isDepthwise = false): Dispatch[] =>
  gradientAxes(shape, 0).flatMap((down) =>
    gradientAxes(shape, 1).map((across) =>
      convolutionRows(backwardShape(shape), bindings, { axes: [down, across], isDepthwise }),
    ),
  );

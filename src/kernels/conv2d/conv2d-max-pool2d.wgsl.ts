/**
 * Convolution with 2 × 2 max pooling on the WebGPU device. Where the shape allows it, the maxima are taken of a tile's
 * sums before anything is written, and the gradients dz before the pooling are made of dy and places while they are
 * read. Other shapes go through a scratch copy of z or dz, and so may large GPUs, which have bandwidth to spare.
 */
import {
  type BufferView,
  type Dispatch,
  dispatchThreads,
  ENTRY,
  type KernelTarget,
  type Plan,
} from '../../tensor/kernel.js';
import { isNanFunction, notAbove } from '../../tensor/math.wgsl.js';
import { activate, type FusedActivation } from '../shared/fused-activation.js';
import {
  fitsPooling,
  forwardDispatches,
  forwardVariants,
  inputGradientDispatches,
  inputGradientVariants,
  takesPooledGradient,
} from './conv2d.wgsl.js';
import { sliceVariants } from '../shared/partial-sums.js';
import { weightGradientDispatches } from './weight-gradient.wgsl.js';
import { pooledLength, type ConvolutionShape } from './convolution-shape.js';

const SIZES = /* wgsl */ `
override HEIGHT: u32;          // of z, and so on
override WIDTH: u32;
override POOLED_HEIGHT: u32;
override POOLED_WIDTH: u32;
override CHANNELS: u32;
`;

function sizes({ outputHeight, outputWidth, outputChannels }: ConvolutionShape): Record<string, number> {
  return {
    HEIGHT: outputHeight,
    WIDTH: outputWidth,
    POOLED_HEIGHT: pooledLength(outputHeight),
    POOLED_WIDTH: pooledLength(outputWidth),
    CHANNELS: outputChannels,
  };
}

/** y, places of a z that is there. */
const poolShader = (activation: FusedActivation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> places: array<u32>;
${SIZES}
${isNanFunction('f32')}
${ENTRY}
  let k = index % CHANNELS;
  let j = index / CHANNELS % POOLED_WIDTH;
  let i = index / CHANNELS / POOLED_WIDTH % POOLED_HEIGHT;
  let n = index / CHANNELS / POOLED_WIDTH / POOLED_HEIGHT;
  let start = ((n * HEIGHT + 2u * i) * WIDTH + 2u * j) * CHANNELS + k;
  var best = z[start];
  var place = 0u;
  for (var other = 1u; other < 4u; other++) {
    let value = z[start + ((other >> 1u) * WIDTH + (other & 1u)) * CHANNELS];
    if (value > best || isNan(value)) {
      best = value;
      place = other;
    }
  }
  y[index] = ${activate(activation, 'best')};
  places[index] = ${activation === 'relu' ? `select(place, 4u, ${notAbove('best')})` : 'place'};
}`;

/** dz of dy and places. */
const EXPAND = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> dz: array<f32>;
${SIZES}
${ENTRY}
  let k = index % CHANNELS;
  let column = index / CHANNELS % WIDTH;
  let row = index / CHANNELS / WIDTH % HEIGHT;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  let i = row / 2u;
  let j = column / 2u;
  let at = ((n * POOLED_HEIGHT + min(i, POOLED_HEIGHT - 1u)) * POOLED_WIDTH + min(j, POOLED_WIDTH - 1u)) * CHANNELS + k;
  let won = i < POOLED_HEIGHT && j < POOLED_WIDTH && places[at] == (row & 1u) * 2u + (column & 1u);
  dz[index] = select(0.0, dy[at], won);
}`;

/** Variants that go through a copy of z or dz, and then do as the kernels without pooling: in these of their variants. */
const APART = 'apart, ';
/** Bytes of a copy, at most: a binding of so many is within every adapter's limits. */
const MOST_BYTES = 2 ** 27;
const apart = (shape: ConvolutionShape, variants: readonly string[]): string[] =>
  convolved(shape) * 4 <= MOST_BYTES ? variants.map((variant) => APART + variant) : [];
/** The variant of the kernel without pooling; undefined: pooling is done in the pass itself. */
const withoutPooling = (variant = ''): string | undefined =>
  variant.startsWith(APART) ? variant.slice(APART.length) : undefined;

/** Names of the variants of the three kernels; the first suits software adapters. */
export const pooledForwardVariants = (shape: ConvolutionShape, features?: KernelTarget['features']): string[] => [
  ...forwardVariants(shape, features),
  ...apart(shape, forwardVariants(shape)),
];
export const pooledInputGradientVariants = (shape: ConvolutionShape): string[] =>
  takesPooledGradient(shape)
    ? [...inputGradientVariants(shape, { fromPooled: true }), ...apart(shape, inputGradientVariants(shape))]
    : inputGradientVariants(shape);
export const pooledWeightGradientVariants = (shape: ConvolutionShape): string[] => [
  ...sliceVariants,
  ...apart(shape, sliceVariants.slice(1)),
];

const convolved = ({ batch, outputHeight, outputWidth, outputChannels }: ConvolutionShape): number =>
  batch * outputHeight * outputWidth * outputChannels;

interface PooledForwardOptions {
  readonly activation: FusedActivation;
  readonly bias: boolean;
  /** False: places go to scratch memory. */
  readonly withPlaces: boolean;
  readonly variant?: string | undefined;
}

/** x, w, b? → y, places? */
export function pooledForwardDispatches(
  shape: ConvolutionShape,
  { withPlaces, ...options }: PooledForwardOptions,
): Plan<BufferView, Dispatch> {
  const plan = placedForwardDispatches(shape, options);
  if (withPlaces) return plan;
  return {
    scratch: [pooledSize(shape) * 4, ...(plan.scratch ?? [])],
    steps: ({ inputs, outputs }, [places, ...scratch]) =>
      plan.steps({ inputs, outputs: [...outputs, places] }, scratch),
  };
}

const pooledSize = (shape: ConvolutionShape): number => {
  const { POOLED_HEIGHT, POOLED_WIDTH, CHANNELS } = sizes(shape);
  return shape.batch * POOLED_HEIGHT * POOLED_WIDTH * CHANNELS;
};

function placedForwardDispatches(
  shape: ConvolutionShape,
  { activation, bias, variant }: Omit<PooledForwardOptions, 'withPlaces'>,
): Plan<BufferView, Dispatch> {
  const inner = withoutPooling(variant);
  if (fitsPooling(shape) && inner === undefined)
    return forwardDispatches(shape, { bias, activation, toPooled: true }, variant);
  const convolution = forwardDispatches(shape, { bias, activation: 'linear' }, inner);
  return {
    scratch: [convolved(shape) * 4],
    steps: ({ inputs, outputs }, [z]) => [
      ...convolution.steps({ inputs, outputs: [z] }, []),
      dispatchThreads(poolShader(activation), pooledSize(shape), [z, ...outputs], sizes(shape)),
    ],
  };
}

/** dy, places, w → dx */
export function pooledInputGradientDispatches(shape: ConvolutionShape, variant?: string): Plan<BufferView, Dispatch> {
  const inner = withoutPooling(variant);
  if (takesPooledGradient(shape) && inner === undefined)
    return inputGradientDispatches(shape, { fromPooled: true, variant });
  const gradient = inputGradientDispatches(shape, { variant: inner ?? variant });
  return {
    scratch: [convolved(shape) * 4, ...(gradient.scratch ?? [])],
    steps: ({ inputs: [dy, places, weight], outputs }, [dz, ...scratch]) => [
      dispatchThreads(EXPAND, convolved(shape), [dy, places, dz], sizes(shape)),
      ...gradient.steps({ inputs: [dz, weight], outputs }, scratch),
    ],
  };
}

/** x, dy, places → dw, db */
export function pooledWeightGradientDispatches(shape: ConvolutionShape, variant?: string): Plan<BufferView, Dispatch> {
  const inner = withoutPooling(variant);
  if (inner === undefined) return weightGradientDispatches(shape, { pooled: true, variant });
  const gradient = weightGradientDispatches(shape, { withBias: true, variant: inner });
  return {
    scratch: [convolved(shape) * 4, ...(gradient.scratch ?? [])],
    steps: ({ inputs: [x, dy, places], outputs }, [dz, ...scratch]) => [
      dispatchThreads(EXPAND, convolved(shape), [dy, places, dz], sizes(shape)),
      ...gradient.steps({ inputs: [x, dz], outputs }, scratch),
    ],
  };
}

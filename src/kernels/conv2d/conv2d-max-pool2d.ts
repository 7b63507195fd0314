/**
 * Convolution, bias, relu and 2×2 max pooling in one pass: what `maxPool2d(conv2d(x, w))` computes, without ever
 * writing the convolution's output.
 *
 *   z[n,i,j,k] = conv2d(x, w)[n,i,j,k] + b[k]
 *   y[n,i,j,k] = activation(max over p, q in {0, 1} of z[n, 2i+p, 2j+q, k]),   places[n,i,j,k] = 2p + q of the first maximum
 *
 * relu is monotonic, so that it may follow the maximum; where it cuts, no gradient passes and the place is NO_PLACE. Only
 * one of four elements of dz is not zero, which is why the gradients are kernels of their own:
 *
 *   dz[n, 2i+p, 2j+q, k] = dy[n,i,j,k] where places[n,i,j,k] = 2p + q, else 0;   dx, dw and db then as in conv2d.ts
 *
 * An odd last row or column of z is never pooled, hence never computed. Layouts: x [N,H,W,C], w [KH,KW,C,K], b [K],
 * y and places [N,PH,PW,K].
 */
import { defineOp, isRecording } from '../../tensor/autograd.js';
import { defineKernel, type Kernel, type OperandShapes } from '../../tensor/kernel.js';
import { type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { windowGeometry, type Padding, type Pair, type WindowAttributes } from '../shared/window.js';
import { conv2dForward, conv2dInputGradient, conv2dWeightGradient, type Conv2dAttributes } from './conv2d.js';
import { pooledForwardCalls, pooledInputGradientCalls, pooledWeightGradientCalls } from './conv2d-max-pool2d.wasm.js';
import {
  pooledForwardDispatches,
  pooledForwardVariants,
  pooledInputGradientDispatches,
  pooledInputGradientVariants,
  pooledWeightGradientDispatches,
  pooledWeightGradientVariants,
} from './conv2d-max-pool2d.wgsl.js';
import { halfCoarseness } from './convolution-tile.wgsl.js';
import { convolutionShape, pooledOperations, type ConvolutionShape } from './convolution-shape.js';

/** The place of an output whose maximum relu cut off. */
export const NO_PLACE = 4;

const POOL: WindowAttributes = { size: [2, 2], strides: [2, 2], dilation: [1, 1], padding: 'valid' };

/** Offset in z of place 0 of the element `at` of y, for [N,PH,PW,K] = `pooled`. */
function windowStart(at: number, [, pooledHeight, pooledWidth, channels]: Shape, z: Shape): number {
  const k = at % channels;
  const j = Math.floor(at / channels) % pooledWidth;
  const i = Math.floor(at / channels / pooledWidth) % pooledHeight;
  const n = Math.floor(at / channels / pooledWidth / pooledHeight);
  return ((n * z[1] + 2 * i) * z[2] + 2 * j) * channels + k;
}

const convolvedShape = ({ batch, outputHeight, outputWidth, outputChannels }: ConvolutionShape): Shape => [
  batch,
  outputHeight,
  outputWidth,
  outputChannels,
];

/** dz [N,OH,OW,K] in float64. */
function expand(dy: ArrayLike<number>, places: ArrayLike<number>, pooled: Shape, z: Shape): Float64Array {
  const dz = new Float64Array(z.reduce((size, length) => size * length, 1));
  for (let at = 0; at < dy.length; at++) {
    const place = places[at];
    if (place === NO_PLACE) continue;
    dz[windowStart(at, pooled, z) + ((place >> 1) * z[2] + (place & 1)) * z[3]] = dy[at];
  }
  return dz;
}

/** @param withPlaces whether the places of the maxima are an output, too: gradients need them */
const pooledForward = (name: string, withPlaces: boolean): Kernel<Conv2dAttributes> =>
  defineKernel({
    name,
    outputs(inputs, attributes) {
      const [{ shape: z }] = conv2dForward.outputs(inputs, attributes);
      const { outputHeight, outputWidth } = windowGeometry('maxPool2d', z, POOL);
      const shape = [z[0], outputHeight, outputWidth, z[3]];
      return [{ shape, dtype: 'float32' }, ...(withPlaces ? [{ shape, dtype: 'uint32' } as const] : [])];
    },
    twin({ inputs, outputs: [y, places] }, { inputs: shapes, outputs: [pooled] }, { window, activation }) {
      const shape = convolvedShape(convolutionShape(shapes[0], shapes[1], window));
      const z = new Float64Array(shape.reduce((size, length) => size * length, 1));
      conv2dForward.twin(
        { inputs, outputs: [z] },
        { inputs: shapes, outputs: [shape] },
        { window, activation: 'linear' },
      );
      for (let at = 0; at < y.length; at++) {
        const start = windowStart(at, pooled, shape);
        let best = z[start];
        let place = 0;
        for (let other = 1; other < 4; other++) {
          const value = z[start + ((other >> 1) * shape[2] + (other & 1)) * shape[3]];
          if (value > best || Number.isNaN(value)) {
            best = value;
            place = other;
          }
        }
        const cut = activation === 'relu' && best <= 0;
        y[at] = cut ? 0 : best;
        if (withPlaces) places[at] = cut ? NO_PLACE : place;
      }
    },
    wgsl({ inputs: [x, weight, bias] }, { window, activation }, { variant }) {
      const shape = convolutionShape(x, weight, window);
      return pooledForwardDispatches(shape, { activation, bias: bias !== undefined, withPlaces, variant });
    },
    // Half precision would move places.
    variants: ({ inputs: [x, weight] }, { window }, { features }) =>
      pooledForwardVariants(convolutionShape(x, weight, window), withPlaces ? undefined : features),
    coarseness: halfCoarseness,
    operations: ({ inputs: [x, weight] }, { window }) => pooledOperations(convolutionShape(x, weight, window)),
    wasm: ({ inputs: [x, weight] }, { window, activation }) =>
      pooledForwardCalls(convolutionShape(x, weight, window), { activation, withPlaces }),
  });

/** x, w, optional b → y, places (uint32) */
export const conv2dMaxPool2dForward = pooledForward('conv2dMaxPool2d', true);

/**
 * x, w, optional b → y: in predictions. Where no places are wanted, ties need not be found, and coarser arithmetic than theirs will do
 * (F(4×4) instead of F(2×2) on the CPU device).
 */
export const conv2dMaxPool2dValues = pooledForward('conv2dMaxPool2dValues', false);

export interface PooledInputGradientAttributes {
  readonly window: WindowAttributes;
  readonly xShape: Shape;
}

/** dy, places, w → dx */
export const conv2dMaxPool2dInputGradient = defineKernel<PooledInputGradientAttributes>({
  name: 'conv2dMaxPool2dInputGradient',
  outputs: (_, { xShape }) => [{ shape: xShape, dtype: 'float32' }],
  twin({ inputs: [dy, places, weight], outputs }, { inputs: [pooled, , weightShape], outputs: shapes }, attributes) {
    const z = convolvedShape(convolutionShape(attributes.xShape, weightShape, attributes.window));
    const inputs = [expand(dy, places, pooled, z), weight];
    conv2dInputGradient.twin({ inputs, outputs }, { inputs: [z, weightShape], outputs: shapes }, attributes);
  },
  wgsl: ({ inputs: [, , weight] }, { window, xShape }, { variant }) =>
    pooledInputGradientDispatches(convolutionShape(xShape, weight, window), variant),
  variants: ({ inputs: [, , weight] }, { window, xShape }) =>
    pooledInputGradientVariants(convolutionShape(xShape, weight, window)),
  operations: ({ inputs: [, , weight] }, { window, xShape }) =>
    pooledOperations(convolutionShape(xShape, weight, window)) / 4,
  wasm: ({ inputs: [, , weight] }, { window, xShape }) =>
    pooledInputGradientCalls(convolutionShape(xShape, weight, window)),
});

export interface PooledWeightGradientAttributes {
  readonly window: WindowAttributes;
}

const weightGradientShape = (
  { inputs: [x], outputs: [dw] }: OperandShapes,
  { window }: PooledWeightGradientAttributes,
): ConvolutionShape => convolutionShape(x, dw, window);

/** x, dy, places → dw, db */
export const conv2dMaxPool2dWeightGradient = defineKernel<PooledWeightGradientAttributes>({
  name: 'conv2dMaxPool2dWeightGradient',
  outputs: ([x, dy], { window }) => [
    { shape: [...window.size, x[3], dy[3]], dtype: 'float32' },
    { shape: [dy[3]], dtype: 'float32' },
  ],
  twin({ inputs: [x, dy, places], outputs: [dw, db] }, shapes, attributes) {
    const [xShape, pooled] = shapes.inputs;
    const z = convolvedShape(weightGradientShape(shapes, attributes));
    const dz = expand(dy, places, pooled, z);
    const inputs = [x, dz];
    conv2dWeightGradient.twin({ inputs, outputs: [dw] }, { inputs: [xShape, z], outputs: shapes.outputs }, attributes);
    db.fill(0);
    for (let at = 0; at < dz.length; at++) db[at % db.length] += dz[at];
  },
  wgsl: (shapes, attributes, { variant }) =>
    pooledWeightGradientDispatches(weightGradientShape(shapes, attributes), variant),
  variants: ({ inputs: [x, dy] }, { window }) =>
    pooledWeightGradientVariants(convolutionShape(x, [...window.size, x[3], dy[3]], window)),
  operations: (shapes, attributes) => pooledOperations(weightGradientShape(shapes, attributes)) / 4,
  wasm: (shapes, attributes) => pooledWeightGradientCalls(weightGradientShape(shapes, attributes)),
});

export const conv2dMaxPool2dOp = defineOp<Conv2dAttributes>({
  name: 'conv2dMaxPool2d',
  forward: (inputs, attributes) =>
    launch(isRecording() ? conv2dMaxPool2dForward : conv2dMaxPool2dValues, inputs, attributes),
  backward({ dy, inputs: [x, weight], outputs: [, places], attributes: { window }, needs, into }) {
    const [dw, db] =
      needs[1] || needs[2]
        ? launch(conv2dMaxPool2dWeightGradient, [x, dy, places], { window }, [into[1], into[2]])
        : [null, null];
    return [
      needs[0] && launch(conv2dMaxPool2dInputGradient, [dy, places, weight], { window, xShape: x.shape }, [into[0]])[0],
      dw,
      db,
    ];
  },
});

/**
 * Convolution of x [N,H,W,C] with weight [KH,KW,C,K], then 2×2 max pooling: [N, floor(OH/2), floor(OW/2), K].
 * Gives the same values and gradients as `maxPool2d(conv2d(x, weight, options))`.
 *
 * @throws ShapeError when channels, bias or window do not fit
 */
export function conv2dMaxPool2d(
  x: Tensor,
  weight: Tensor,
  {
    bias,
    strides = [1, 1],
    padding = 'valid',
    dilation = [1, 1],
    activation = 'linear',
  }: { bias?: Tensor; strides?: Pair; padding?: Padding; dilation?: Pair; activation?: FusedActivation } = {},
): Tensor {
  const window: WindowAttributes = { size: [weight.shape[0], weight.shape[1]], strides, dilation, padding };
  return conv2dMaxPool2dOp.apply(bias ? [x, weight, bias] : [x, weight], { window, activation });
}

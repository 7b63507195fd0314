/**
 * Every kernel, with inputs to try it on: what the tests walk through, so that a kernel without a twin, WGSL or a
 * sample cannot exist. Sizes are odd on purpose (channels not a multiple of 4, one picture, uneven strides).
 */
import { copyKernel, addKernel, onesLikeKernel } from '../tensor/elementwise.js';
import type { Kernel } from '../tensor/kernel.js';
import type { Random } from '../tensor/random.js';
import { sizeOf, type DType, type Shape } from '../tensor/shape.js';
import { adamUpdate } from './adam.js';
import { augmentKernel } from './augment.js';
import { batchMetrics, METRIC_ROWS, METRICS } from './batch-metrics.js';
import { biasForward, columnSumsKernel } from './bias.js';
import { clippedForms, logitsForward, logitsGradient } from './binary-cross-entropy.js';
import {
  conv2dMaxPool2dForward,
  conv2dMaxPool2dInputGradient,
  conv2dMaxPool2dWeightGradient,
  NO_PLACE,
} from './conv2d/conv2d-max-pool2d.js';
import { conv2dForward, conv2dInputGradient, conv2dWeightGradient } from './conv2d/conv2d.js';
import { matrixProduct } from './matrix-product.js';
import { maxPool2dForward, maxPool2dGradient } from './max-pool2d.js';
import { broadcastScaled, scaledSum } from './reduce.js';
import { reluForward, reluGradientKernel } from './relu.js';
import { sgdUpdate } from './sgd.js';
import { sigmoidForward, sigmoidGradient } from './sigmoid.js';
import { windowGeometry, type WindowAttributes } from './window.js';

export interface SampleTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly values: Float32Array | Uint32Array | Uint8Array;
}

export interface Sample {
  readonly inputs: readonly SampleTensor[];
  readonly attributes: unknown;
  /** Content of outputs that the kernel updates in place. */
  readonly inPlace?: readonly SampleTensor[];
}

export interface RegisteredKernel {
  readonly kernel: Kernel<never>;
  /** One input to try; other random numbers give other shapes. */
  sample(random: Random): Sample;
  /**
   * Error that one output may have, in units of float32 rounding (2^-24) of its largest value: the number of rounded
   * additions and multiplications that lead to it, or fewer where they do not add up.
   */
  readonly roundings: number;
}

const floats = (random: Random, shape: Shape, low = -1, high = 1): SampleTensor => ({
  shape,
  dtype: 'float32',
  values: Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(low, high)),
});

const integers = (random: Random, shape: Shape, limit: number): SampleTensor => ({
  shape,
  dtype: 'uint32',
  values: Uint32Array.from({ length: sizeOf(shape) }, () => random.integer(limit)),
});

const between = (random: Random, low: number, high: number): number => low + random.integer(high - low + 1);
const labels = (random: Random, count: number): SampleTensor => ({
  shape: [count],
  dtype: 'float32',
  values: Float32Array.from({ length: count }, () => random.integer(2)),
});

function randomWindow(random: Random, dilated: boolean): WindowAttributes {
  const pair = (high: number): [number, number] => [between(random, 1, high), between(random, 1, high)];
  return {
    size: pair(4),
    strides: pair(3),
    dilation: dilated ? pair(2) : [1, 1],
    padding: random.integer(2) ? 'same' : 'valid',
  };
}

/** Channel counts that take the vector paths as often as the others. */
const channels = (random: Random): number => (random.integer(2) ? 4 * between(random, 1, 3) : between(random, 1, 7));

function convolutionSample(random: Random) {
  const window = randomWindow(random, true);
  const x: Shape = [between(random, 1, 3), between(random, 8, 12), between(random, 8, 21), channels(random)];
  const { outputHeight, outputWidth } = windowGeometry('sample', x, window);
  const weight: Shape = [...window.size, x[3], channels(random)];
  return { window, x, weight, y: [x[0], outputHeight, outputWidth, weight[3]] };
}

function pooledConvolutionSample(random: Random) {
  const { window, x, weight, y } = convolutionSample(random);
  // A large window may leave a single row; the next random numbers give another.
  if (y[1] < 2 || y[2] < 2) return pooledConvolutionSample(random);
  return { window, x, weight, pooled: [y[0], Math.floor(y[1] / 2), Math.floor(y[2] / 2), y[3]] };
}

const wholeNumbers = (random: Random, shape: Shape): SampleTensor => ({
  shape,
  dtype: 'float32',
  values: Float32Array.from({ length: sizeOf(shape) }, () => random.integer(7) - 3),
});

const elementwise = (
  kernel: Kernel<null>,
  inputs: number,
  roundings: number,
  low = -4,
  high = 4,
): RegisteredKernel => ({
  kernel,
  roundings,
  sample(random) {
    const shape = [between(random, 1, 300)];
    return { inputs: Array.from({ length: inputs }, () => floats(random, shape, low, high)), attributes: null };
  },
});

/** Losses: scores of every size, and labels. */
const loss = (
  kernel: Kernel<null>,
  withUpstream: boolean,
  roundings: number,
  low: number,
  high: number,
): RegisteredKernel => ({
  kernel,
  roundings,
  sample(random) {
    const count = between(random, 1, 80);
    const scores = floats(random, [count], low, high);
    return {
      inputs: [...(withUpstream ? [floats(random, [count])] : []), scores, labels(random, count)],
      attributes: null,
    };
  },
});

export const kernels: readonly RegisteredKernel[] = [
  elementwise(copyKernel, 1, 0),
  elementwise(onesLikeKernel, 1, 0),
  elementwise(addKernel, 2, 1),
  elementwise(reluForward, 1, 0),
  elementwise(reluGradientKernel, 2, 0),
  elementwise(sigmoidForward, 1, 4, -30, 30),
  elementwise(sigmoidGradient, 2, 4, 0, 1),
  loss(logitsForward, false, 8, -30, 30),
  loss(logitsGradient, true, 8, -30, 30),
  // Between 0.001 and 0.999: nearer to the ends 1 − q loses digits in float32 by nature; the golden cases cover them.
  loss(clippedForms.keras3.forward, false, 8, 0.001, 0.999),
  loss(clippedForms.keras2.forward, false, 8, 0.001, 0.999),
  loss(clippedForms.keras3.gradient, true, 8, 0.001, 0.999),
  loss(clippedForms.keras2.gradient, true, 8, 0.001, 0.999),
  {
    kernel: conv2dForward,
    roundings: 64,
    sample(random) {
      const { window, x, weight } = convolutionSample(random);
      const bias = random.integer(2) ? [floats(random, [weight[3]])] : [];
      return {
        inputs: [floats(random, x), floats(random, weight), ...bias],
        attributes: { window, activation: random.integer(2) ? 'relu' : 'linear' },
      };
    },
  },
  {
    kernel: conv2dInputGradient,
    roundings: 64,
    sample(random) {
      const { window, x, weight, y } = convolutionSample(random);
      return { inputs: [floats(random, y), floats(random, weight)], attributes: { window, xShape: x } };
    },
  },
  {
    kernel: conv2dWeightGradient,
    roundings: 128,
    sample(random) {
      const { window, x, y } = convolutionSample(random);
      return { inputs: [floats(random, x), floats(random, y)], attributes: { window } };
    },
  },
  {
    // Small integers: sums are exact, so that ties are, and no rounding moves a maximum to another place.
    kernel: conv2dMaxPool2dForward,
    roundings: 0,
    sample(random) {
      const { window, x, weight } = pooledConvolutionSample(random);
      const bias = random.integer(2) ? [wholeNumbers(random, [weight[3]])] : [];
      return {
        inputs: [wholeNumbers(random, x), wholeNumbers(random, weight), ...bias],
        attributes: { window, activation: random.integer(2) ? 'relu' : 'linear' },
      };
    },
  },
  {
    kernel: conv2dMaxPool2dInputGradient,
    roundings: 64,
    sample(random) {
      const { window, x, weight, pooled } = pooledConvolutionSample(random);
      return {
        inputs: [floats(random, pooled), integers(random, pooled, NO_PLACE + 1), floats(random, weight)],
        attributes: { window, xShape: x },
      };
    },
  },
  {
    kernel: conv2dMaxPool2dWeightGradient,
    roundings: 128,
    sample(random) {
      const { window, x, pooled } = pooledConvolutionSample(random);
      return {
        inputs: [floats(random, x), floats(random, pooled), integers(random, pooled, NO_PLACE + 1)],
        attributes: { window },
      };
    },
  },
  {
    kernel: matrixProduct,
    roundings: 64,
    sample(random) {
      const M = between(random, 1, 70);
      const K = between(random, 1, 300);
      const N = channels(random) * between(random, 1, 3);
      const transposeA = random.integer(2) === 1;
      const transposeB = random.integer(2) === 1;
      const bias = random.integer(2) ? [floats(random, [N])] : [];
      return {
        inputs: [floats(random, transposeA ? [K, M] : [M, K]), floats(random, transposeB ? [N, K] : [K, N]), ...bias],
        attributes: { transposeA, transposeB, activation: random.integer(2) ? 'relu' : 'linear' },
      };
    },
  },
  {
    kernel: biasForward,
    roundings: 1,
    sample(random) {
      const count = between(random, 1, 9);
      return { inputs: [floats(random, [between(random, 1, 40), count]), floats(random, [count])], attributes: null };
    },
  },
  {
    kernel: columnSumsKernel,
    roundings: 64,
    sample: (random) => ({
      inputs: [floats(random, [between(random, 1, 20), between(random, 1, 30), between(random, 1, 9)])],
      attributes: null,
    }),
  },
  {
    kernel: maxPool2dForward,
    roundings: 0,
    sample(random) {
      const { window, x } = poolSample(random);
      // Few different values, so that ties are common.
      const values = Float32Array.from({ length: sizeOf(x) }, () => random.integer(5) - 3);
      return { inputs: [{ shape: x, dtype: 'float32', values }], attributes: { window } };
    },
  },
  {
    kernel: maxPool2dGradient,
    roundings: 16,
    sample(random) {
      const { window, x, indices } = poolSample(random);
      return { inputs: [floats(random, indices.shape), indices], attributes: { window, xShape: x } };
    },
  },
  {
    kernel: scaledSum,
    roundings: 64,
    sample: (random) => ({
      inputs: [floats(random, [between(random, 1, 5000)])],
      attributes: { scale: random.uniform(0.1, 2) },
    }),
  },
  {
    kernel: broadcastScaled,
    roundings: 2,
    sample: (random) => ({
      inputs: [floats(random, [])],
      attributes: { scale: random.uniform(0.1, 2), shape: [between(random, 1, 90), 3] },
    }),
  },
  {
    kernel: adamUpdate,
    roundings: 8,
    sample(random) {
      const shape = [between(random, 1, 300)];
      return {
        inputs: [
          floats(random, shape),
          { shape: [2], dtype: 'float32', values: Float32Array.of(0.003, random.uniform(1, 30)) },
        ],
        attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
        inPlace: [floats(random, shape), floats(random, shape), floats(random, shape, 0, 1)],
      };
    },
  },
  {
    kernel: sgdUpdate,
    roundings: 4,
    sample(random) {
      const shape = [between(random, 1, 300)];
      return {
        inputs: [floats(random, shape), floats(random, [1], 0.001, 0.1)],
        attributes: { momentum: random.uniform(0, 0.99), nesterov: random.integer(2) === 1 },
        inPlace: [floats(random, shape), floats(random, shape)],
      };
    },
  },
  {
    kernel: augmentKernel,
    // The coordinate is rounded at about 2^-20 pixels, and neighbouring pixels may be a whole range apart.
    roundings: 64,
    sample(random) {
      const shape = [between(random, 1, 4), between(random, 3, 9), between(random, 3, 9), between(random, 1, 4)];
      const batch = between(random, 1, 5);
      const transforms = Float32Array.from(
        { length: batch * 8 },
        (_, i) => [1, 0, 0.37, 0, 1, -0.21, 0, 0][i % 8] + random.uniform(-0.1, 0.1),
      );
      return {
        inputs: [
          { shape, dtype: 'uint8', values: Uint8Array.from({ length: sizeOf(shape) }, () => random.integer(256)) },
          integers(random, [batch], shape[0]),
          { shape: [batch, 8], dtype: 'float32', values: transforms },
        ],
        attributes: { interpolation: 'bilinear', rescale: 1 / 255 },
      };
    },
  },
  {
    kernel: batchMetrics,
    roundings: 0,
    sample(random) {
      const count = between(random, 1, 40);
      return {
        inputs: [
          floats(random, []),
          floats(random, [count], -2, 2),
          labels(random, count),
          integers(random, [1], METRIC_ROWS),
        ],
        attributes: { threshold: 0 },
        inPlace: [floats(random, [METRIC_ROWS, METRICS])],
      };
    },
  },
];

function poolSample(random: Random) {
  const window = randomWindow(random, false);
  const x: Shape = [between(random, 1, 3), between(random, 4, 9), between(random, 4, 9), between(random, 1, 5)];
  const { outputHeight, outputWidth, top, left } = windowGeometry('sample', x, window);
  const shape = [x[0], outputHeight, outputWidth, x[3]];
  // Any pixel inside the window may be the maximum.
  const values = Uint32Array.from({ length: sizeOf(shape) }, (_, at) => {
    const i = Math.floor(at / shape[3] / outputWidth) % outputHeight;
    const j = Math.floor(at / shape[3]) % outputWidth;
    const row = Math.min(Math.max(i * window.strides[0] - top + random.integer(window.size[0]), 0), x[1] - 1);
    const column = Math.min(Math.max(j * window.strides[1] - left + random.integer(window.size[1]), 0), x[2] - 1);
    return row * x[2] + column;
  });
  return { window, x, indices: { shape, dtype: 'uint32', values } satisfies SampleTensor };
}

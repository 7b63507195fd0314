/**
 * Every kernel and every op, with inputs to try it on: what the checks walk through, so that one without a twin, WGSL, a
 * gradient rule or a sample cannot exist. Sizes are odd on purpose (channels not a multiple of 4, one picture, uneven
 * strides). The entries of simple ops stand in their files.
 */
import { addKernel, copyKernel, onesLikeKernel, zerosLikeKernel } from '../tensor/elementwise.js';
import type { Kernel } from '../tensor/kernel.js';
import type { Random } from '../tensor/random.js';
import { sizeOf, type Shape } from '../tensor/shape.js';
import { adamUpdate } from './update/adam.js';
import { arithmeticKernels, arithmeticOps } from './elementwise/arithmetic.js';
import { DEFECTS_SIZE, TRANSFORM_SIZE } from './augment/attributes.js';
import { augmentKernel } from './augment/augment.js';
import { averagePool2dKernels, averagePool2dOps } from './pool/average-pool2d.js';
import { batchMetrics, METRIC_ROWS, METRICS } from './loss/batch-metrics.js';
import { batchNormKernels, batchNormOps } from './norm/batch-norm.js';
import { addBiasOp, biasForward, columnSumsKernel } from './dense/bias.js';
import { clippedForms, logitsForward, logitsGradient, logitsOp } from './loss/binary-cross-entropy.js';
import { concatKernels, concatOps } from './move/concat.js';
import {
  conv2dMaxPool2dForward,
  conv2dMaxPool2dInputGradient,
  conv2dMaxPool2dOp,
  conv2dMaxPool2dWeightGradient,
  NO_PLACE,
} from './conv2d/conv2d-max-pool2d.js';
import { conv2dForward, conv2dInputGradient, conv2dOp, conv2dWeightGradient } from './conv2d/conv2d.js';
import { groupedConv2dKernels, groupedConv2dOps } from './conv2d/grouped-conv2d.js';
import { denseOp, denseWeightGradient } from './dense/dense.js';
import { dropoutKernels, dropoutOps } from './elementwise/dropout.js';
import { eluKernels, eluOps } from './activation/elu.js';
import { reshapeOp } from './move/reshape.js';
import { geluKernels, geluOps } from './activation/gelu.js';
import { labelKernels, labelOps } from './loss/labels.js';
import { leakyReluKernels, leakyReluOps } from './activation/leaky-relu.js';
import { matrixProduct } from './dense/matrix-product.js';
import { maxPool2dForward, maxPool2dGradient, maxPool2dOp } from './pool/max-pool2d.js';
import { multiplyAddChainKernels } from './shared/multiply-add-chain.js';
import { padKernels, padOps } from './move/pad.js';
import { reduceMaxKernels, reduceMaxOps } from './reduce/reduce-max.js';
import { reduceKernels, reduceOps } from './reduce/reduce.js';
import { reluForward, reluGradientKernel, reluOp } from './activation/relu.js';
import { rmspropKernels } from './update/rmsprop.js';
import {
  allDifferent,
  anyShape,
  apartFromZero,
  between,
  channels,
  elementwise,
  floats,
  integers,
  labels,
  randomWindow,
  unary,
  wholeNumbers,
} from './shared/samples.js';
import type { RegisteredKernel, RegisteredOp, SampleTensor } from './shared/samples.js';
import { scaleInPlaceKernels } from './update/scale-in-place.js';
import { sgdUpdate } from './update/sgd.js';
import { sigmoidForward, sigmoidGradient, sigmoidOp } from './activation/sigmoid.js';
import { softmaxCrossEntropyKernels, softmaxCrossEntropyOps } from './loss/softmax-cross-entropy.js';
import { softmaxKernels, softmaxOps } from './activation/softmax.js';
import { sumOfSquaresKernels, sumOfSquaresOps } from './reduce/sum-of-squares.js';
import { swishKernels, swishOps } from './activation/swish.js';
import { tanhKernels, tanhOps } from './activation/tanh.js';
import { windowGeometry, type WindowAttributes } from './shared/window.js';

const choice = <Value>(random: Random, values: readonly Value[]): Value => values[random.integer(values.length)];

/** Noise, blur, a lost lane and blobs, each in half of the pictures. */
function defectsSample(random: Random, batch: number, [, height, width]: Shape): SampleTensor {
  const values = new Float32Array(batch * DEFECTS_SIZE);
  const sometimes = (value: number): number => (random.integer(2) === 1 ? value : 0);
  for (let d = 0; d < values.length; d += DEFECTS_SIZE) {
    const first = random.integer(height - 1);
    const end = first === 0 ? height - 1 : height - random.integer(2);
    const lane = sometimes(1);
    values.set([sometimes(20), random.integer(2 ** 24), sometimes(1 + random.integer(2)), first * lane, end * lane], d);
    for (let blob = d + 5; blob < d + 17; blob += 4) {
      const place = [random.uniform(0, height), random.uniform(0, width)];
      values.set([...place, sometimes(random.uniform(0.5, 3)), random.uniform(0, 255)], blob);
    }
  }
  return { shape: [batch, DEFECTS_SIZE], dtype: 'float32', values };
}

/** Now and then a window that is too large for the kernels which write out every position. */
function convolutionSample(random: Random) {
  const window: WindowAttributes =
    random.integer(8) === 0
      ? { ...randomWindow(random, false), size: [between(random, 5, 7), between(random, 6, 8)] }
      : randomWindow(random, true);
  const x: Shape = [between(random, 1, 3), between(random, 8, 12), between(random, 8, 21), channels(random)];
  const { outputHeight, outputWidth } = windowGeometry('sample', x, window);
  const weight: Shape = [...window.size, x[3], channels(random)];
  return { window, x, weight, y: [x[0], outputHeight, outputWidth, weight[3]] };
}

/** 3×3 without strides or dilation, on many channels. */
function plainConvolutionSample(random: Random) {
  const padding = random.integer(2) ? 'same' : 'valid';
  const window: WindowAttributes = { size: [3, 3], strides: [1, 1], dilation: [1, 1], padding };
  const x: Shape = [between(random, 1, 3), between(random, 4, 9), between(random, 4, 13), 4 * between(random, 4, 6)];
  const weight: Shape = [3, 3, x[3], 8 * between(random, 1, 3)];
  return { window, x, weight };
}

function pooledConvolutionSample(random: Random) {
  const { window, x, weight, y } = convolutionSample(random);
  // A large window may leave a single row; the next random numbers give another.
  if (y[1] < 2 || y[2] < 2) return pooledConvolutionSample(random);
  return { window, x, weight, pooled: [y[0], Math.floor(y[1] / 2), Math.floor(y[2] / 2), y[3]] };
}

/** Losses: scores of every size, and labels. */
const loss = (
  kernel: Kernel<null>,
  withUpstream: boolean,
  because: string,
  low: number,
  high: number,
): RegisteredKernel => ({
  kernel,
  roundings: 8,
  because,
  sample(random) {
    const count = between(random, 1, 80);
    const scores = floats(random, [count], low, high);
    return {
      inputs: [...(withUpstream ? [floats(random, [count])] : []), scores, labels(random, count)],
      attributes: null,
    };
  },
});

const copied = { roundings: 0, because: 'values are copied' };

export const kernels: readonly RegisteredKernel[] = [
  elementwise(copyKernel, 1, copied),
  elementwise(onesLikeKernel, 1, copied),
  elementwise(zerosLikeKernel, 1, copied),
  elementwise(addKernel, 2, { roundings: 1, because: 'one operation' }),
  elementwise(reluForward, 1, copied),
  elementwise(reluGradientKernel, 2, copied),
  elementwise(sigmoidForward, 1, { roundings: 4, because: 'own e^x, a sum, a quotient' }, { low: -30, high: 30 }),
  elementwise(sigmoidGradient, 2, { roundings: 4, because: 'three operations' }, { low: 0, high: 1 }),
  loss(logitsForward, false, 'own e^x and log(1 + x), four operations', -30, 30),
  loss(logitsGradient, true, 'own e^x, four operations', -30, 30),
  // Between 0.001 and 0.999: nearer to the ends 1 − q loses digits in float32 by nature; the golden cases cover them.
  loss(clippedForms.keras3.forward, false, 'own log twice, five operations', 0.001, 0.999),
  loss(clippedForms.keras2.forward, false, 'own log twice, seven operations', 0.001, 0.999),
  loss(clippedForms.keras3.gradient, true, 'two quotients, four operations', 0.001, 0.999),
  loss(clippedForms.keras2.gradient, true, 'two quotients, six operations', 0.001, 0.999),
  {
    kernel: conv2dForward,
    roundings: 64,
    because: 'up to 192 products of both signs (16 taps, 12 channels)',
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
    because: 'up to 192 products of both signs (16 taps, 12 channels)',
    sample(random) {
      const { window, x, weight, y } = convolutionSample(random);
      return { inputs: [floats(random, y), floats(random, weight)], attributes: { window, xShape: x } };
    },
  },
  {
    kernel: conv2dWeightGradient,
    roundings: 128,
    because: 'up to 756 products of both signs (3 pictures of 12×21)',
    sample(random) {
      const { window, x, y } = convolutionSample(random);
      return { inputs: [floats(random, x), floats(random, y)], attributes: { window } };
    },
  },
  {
    // Small integers: sums are exact, so that ties are, and no rounding moves a maximum to another place.
    kernel: conv2dMaxPool2dForward,
    roundings: 0,
    because: 'sums of small whole numbers are exact',
    sample(random) {
      // Now and then what the CPU device computes in Winograd's way.
      const isPlain = random.integer(4) === 0;
      const { window, x, weight } = isPlain ? plainConvolutionSample(random) : pooledConvolutionSample(random);
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
    because: 'up to 192 products of both signs',
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
    because: 'up to 180 products of both signs',
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
    because: 'up to 300 products of both signs',
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
    kernel: denseWeightGradient,
    roundings: 64,
    because: 'up to 300 products of both signs',
    sample(random) {
      const batch = random.integer(6) === 0 ? 300 : between(random, 1, 40); // 300 is split into slices
      const outputs = channels(random) * between(random, 1, 3);
      return {
        inputs: [floats(random, [batch, between(random, 1, 90)]), floats(random, [batch, outputs])],
        attributes: null,
      };
    },
  },
  {
    kernel: biasForward,
    roundings: 1,
    because: 'one operation',
    sample(random) {
      const count = between(random, 1, 9);
      return { inputs: [floats(random, [between(random, 1, 40), count]), floats(random, [count])], attributes: null };
    },
  },
  {
    kernel: columnSumsKernel,
    roundings: 64,
    because: 'up to 600 values of both signs',
    sample: (random) => ({
      inputs: [floats(random, [between(random, 1, 20), between(random, 1, 30), between(random, 1, 9)])],
      attributes: null,
    }),
  },
  {
    kernel: maxPool2dForward,
    roundings: 0,
    because: 'values are copied',
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
    because: 'up to 16 values added',
    sample(random) {
      const { window, x, indices } = poolSample(random);
      return { inputs: [floats(random, indices.shape), indices], attributes: { window, xShape: x } };
    },
  },
  {
    kernel: adamUpdate,
    roundings: 8,
    because: 'a root, a quotient, ten other operations',
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
    because: 'five operations',
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
    roundings: 256,
    because:
      'a coordinate is rounded near 2^-20 pixels, neighbouring pixels may be a whole range apart, and deviations below 1 divide',
    sample(random) {
      const shape = [between(random, 1, 4), between(random, 3, 9), between(random, 3, 9), between(random, 1, 4)];
      const batch = between(random, 1, 5);
      const fillMode = choice(random, ['nearest', 'constant', 'reflect', 'wrap'] as const);
      const reach = fillMode === 'constant' ? 1 : 20; // a picture that is all fill has no deviation to divide by
      const warpsOnly = random.integer(2) === 1; // which WebAssembly does
      const brightness = warpsOnly ? 'none' : choice(random, ['none', 'plain', 'stretched'] as const);
      const sometimes = (): boolean => !warpsOnly && random.integer(2) === 1;
      const interpolation = choice(random, ['bilinear', 'nearest'] as const);
      // Where a value loses its fraction or the nearest pixel is taken, coordinates must be exact in float32.
      const exactValues = brightness !== 'none';
      const isExact = exactValues || interpolation === 'nearest';
      const transforms = Float32Array.from({ length: batch * TRANSFORM_SIZE }, (_, i) => {
        const part = i % TRANSFORM_SIZE;
        const base = [1, 0, 0.375, 0, 1, -0.25, 20, -31, 5, 1, 0, 0][part];
        if (part === 2 || part === 5) return base + random.integer(2 * reach + 1) - reach;
        if (part >= 6) return part < 9 ? base : 0.5 + random.integer(8) / 4;
        return isExact ? base : base + random.uniform(-0.1, 0.1);
      });
      const perChannel = (low: number, high: number) =>
        Array.from({ length: shape[3] }, () => random.uniform(low, high));
      return {
        inputs: [
          { shape, dtype: 'uint8', values: Uint8Array.from({ length: sizeOf(shape) }, () => random.integer(256)) },
          integers(random, [batch], shape[0]),
          { shape: [batch, TRANSFORM_SIZE], dtype: 'float32', values: transforms },
          ...(!exactValues && sometimes() ? [defectsSample(random, batch, shape)] : []),
        ],
        attributes: {
          ...{ interpolation, brightness, rescale: 1 / 255, fillValue: 77 },
          fillMode,
          // A stretch after a shift divides by what is not exact.
          channelShift: brightness !== 'stretched' && sometimes(),
          samplewiseCenter: sometimes(),
          samplewiseStdNormalization: sometimes(),
          featurewiseMean: sometimes() ? perChannel(-0.5, 0.5) : null,
          featurewiseStd: sometimes() ? perChannel(0.5, 2) : null,
        },
      };
    },
  },
  {
    kernel: batchMetrics,
    roundings: 64,
    because: 'the mean of up to 160 losses; counts are whole',
    sample(random) {
      const count = between(random, 1, 40);
      const units = between(random, 1, 4);
      return {
        inputs: [
          floats(random, random.integer(2) ? [] : [4 * count]),
          floats(random, [count, units], -2, 2),
          labels(random, count, Math.max(2, units)),
          integers(random, [1], METRIC_ROWS),
        ],
        attributes: { threshold: 0 },
        inPlace: [floats(random, [METRIC_ROWS, METRICS])],
      };
    },
  },
  ...groupedConv2dKernels,
  ...tanhKernels,
  ...leakyReluKernels,
  ...eluKernels,
  ...geluKernels,
  ...swishKernels,
  ...softmaxKernels,
  ...averagePool2dKernels,
  ...batchNormKernels,
  ...dropoutKernels,
  ...arithmeticKernels,
  ...concatKernels,
  ...multiplyAddChainKernels,
  ...padKernels,
  ...reduceKernels,
  ...reduceMaxKernels,
  ...softmaxCrossEntropyKernels,
  ...sumOfSquaresKernels,
  ...labelKernels,
  ...rmspropKernels,
  ...scaleInPlaceKernels,
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

/** Probabilities and labels; not so near to 0 and 1 that a difference would lose its digits. */
const clippedOp = (form: 'keras2' | 'keras3'): RegisteredOp => ({
  op: clippedForms[form].op,
  roundings: 16,
  because: 'own log twice, ten operations',
  constants: [1],
  sample: (random) => ({ inputs: [floats(random, [12], 0.05, 0.95), labels(random, 12)], attributes: null }),
});

const products = { roundings: 64, because: 'up to 192 products of both signs' };

/** Every op, with inputs to try it on. */
export const ops: readonly RegisteredOp[] = [
  {
    ...{ op: conv2dOp, ...products, roundings: 128 },
    sample(random) {
      const { window, x, weight } = convolutionSample(random);
      // Whole numbers and a bias of ½: no sum is at the kink of a fused relu.
      const bias = { ...wholeNumbers(random, [weight[3]]), values: new Float32Array(weight[3]).fill(0.5) };
      return {
        inputs: [wholeNumbers(random, x), wholeNumbers(random, weight), bias],
        attributes: { window, activation: random.integer(2) ? 'relu' : 'linear' },
      };
    },
  },
  {
    ...{ op: conv2dMaxPool2dOp, ...products },
    sample(random) {
      const { window, x, weight } = pooledConvolutionSample(random);
      return { inputs: [floats(random, x), floats(random, weight)], attributes: { window, activation: 'linear' } };
    },
  },
  {
    ...{ op: denseOp, ...products },
    sample(random) {
      const [rows, inner, columns] = [between(random, 1, 9), between(random, 1, 90), channels(random)];
      const inputs = [floats(random, [rows, inner]), floats(random, [inner, columns]), floats(random, [columns])];
      return { inputs, attributes: { activation: 'linear' } };
    },
  },
  {
    ...{ op: addBiasOp, roundings: 16, because: 'one operation; up to 125 values added for the bias' },
    sample(random) {
      const shape = anyShape(random);
      return { inputs: [floats(random, shape), floats(random, [shape.at(-1)!])], attributes: null };
    },
  },
  {
    ...{ op: maxPool2dOp, roundings: 16, because: 'values are copied; up to 16 added in the gradient' },
    sample(random) {
      const { window, x } = poolSample(random);
      return { inputs: [allDifferent(random, x)], attributes: { window } };
    },
  },
  unary(reluOp, copied, { values: apartFromZero }),
  unary(sigmoidOp, { roundings: 8, because: 'own e^x, then y·(1 − y) of a rounded y' }),
  unary(reshapeOp, copied, { attributes: (_, shape) => ({ shape: [sizeOf(shape)] }) }),
  {
    ...{ op: logitsOp, roundings: 16, because: 'own e^x and log(1 + x), eight operations', constants: [1] },
    sample: (random) => ({ inputs: [floats(random, [12], -5, 5), labels(random, 12)], attributes: null }),
  },
  clippedOp('keras2'),
  clippedOp('keras3'),
  ...groupedConv2dOps,
  ...tanhOps,
  ...leakyReluOps,
  ...eluOps,
  ...geluOps,
  ...swishOps,
  ...softmaxOps,
  ...averagePool2dOps,
  ...batchNormOps,
  ...dropoutOps,
  ...arithmeticOps,
  ...concatOps,
  ...padOps,
  ...reduceOps,
  ...reduceMaxOps,
  ...softmaxCrossEntropyOps,
  ...sumOfSquaresOps,
  ...labelOps,
];

/** Inputs to try convolutions on, with max pooling and without. */
import type { Random } from '../../tensor/random.js';
import type { Shape } from '../../tensor/shape.js';
import {
  between,
  channels,
  floats,
  integers,
  randomWindow,
  wholeNumbers,
  type RegistryEntry,
} from '../shared/samples.js';
import { windowGeometry, type WindowAttributes } from '../shared/window.js';
import {
  conv2dMaxPool2dForward,
  conv2dMaxPool2dInputGradient,
  conv2dMaxPool2dOp,
  conv2dMaxPool2dValues,
  conv2dMaxPool2dWeightGradient,
  NO_PLACE,
} from './conv2d-max-pool2d.js';
import { conv2dForward, conv2dInputGradient, conv2dOp, conv2dWeightGradient } from './conv2d.js';

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

/** 3×3, or now and then 1×1, without strides or dilation, on many channels: what the CPU device has ways of its own for. */
function plainConvolutionSample(random: Random, [inputs, outputs]: readonly [number, number]) {
  const padding = random.integer(2) ? 'same' : 'valid';
  const length = random.integer(6) === 0 ? 1 : 3;
  const window: WindowAttributes = { size: [length, length], strides: [1, 1], dilation: [1, 1], padding };
  const x: Shape = [between(random, 1, 3), between(random, 4, 9), between(random, 4, 13), inputs];
  const { outputHeight, outputWidth } = windowGeometry('sample', x, window);
  return { window, x, weight: [length, length, inputs, outputs], y: [x[0], outputHeight, outputWidth, outputs] };
}

/** 3×3 with strides of 2, on many channels: that has a way of its own, too, where 4×4 outputs at a time leave little over. */
function stridedConvolutionSample(random: Random) {
  const window: WindowAttributes = {
    size: [3, 3],
    strides: [2, 2],
    dilation: [1, 1],
    padding: random.integer(2) ? 'same' : 'valid',
  };
  const length = (): number => [16, 17, 23, 24][random.integer(4)];
  const x: Shape = [between(random, 1, 2), length(), length(), between(random, 12, 21)];
  const { outputHeight, outputWidth } = windowGeometry('sample', x, window);
  const weight: Shape = [3, 3, x[3], between(random, 12, 21)];
  return { window, x, weight, y: [x[0], outputHeight, outputWidth, weight[3]] };
}

function anyConvolutionSample(random: Random) {
  const kind = random.integer(6);
  if (kind === 0) return stridedConvolutionSample(random);
  return kind <= 2
    ? plainConvolutionSample(random, [between(random, 12, 21), between(random, 12, 21)])
    : convolutionSample(random);
}

function pooledConvolutionSample(random: Random) {
  const { window, x, weight, y } = convolutionSample(random);
  // A large window may leave a single row; the next random numbers give another.
  if (y[1] < 2 || y[2] < 2) return pooledConvolutionSample(random);
  return { window, x, weight, pooled: [y[0], Math.floor(y[1] / 2), Math.floor(y[2] / 2), y[3]] };
}

const products = 'up to 192 products of both signs';

export const conv2dEntry: RegistryEntry = {
  kernels: [
    {
      kernel: conv2dForward,
      roundings: 64,
      because: 'up to 192 products of both signs (16 taps of 12 channels or 9 of 21)',
      sample(random) {
        const { window, x, weight } = anyConvolutionSample(random);
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
      because: 'up to 192 products of both signs (16 taps of 12 channels or 9 of 21)',
      sample(random) {
        const { window, x, weight, y } = anyConvolutionSample(random);
        return { inputs: [floats(random, y), floats(random, weight)], attributes: { window, xShape: x } };
      },
    },
    {
      kernel: conv2dWeightGradient,
      roundings: 128,
      because: 'up to 756 products of both signs (3 pictures of 12×21)',
      sample(random) {
        const { window, x, y } = anyConvolutionSample(random);
        return { inputs: [floats(random, x), floats(random, y)], attributes: { window } };
      },
    },
  ],
  ops: [
    {
      op: conv2dOp,
      roundings: 128,
      because: products,
      sample(random) {
        const { window, x, weight } = anyConvolutionSample(random);
        // Whole numbers and a bias of ½: no sum is at the kink of a fused relu.
        const bias = { ...wholeNumbers(random, [weight[3]]), values: new Float32Array(weight[3]).fill(0.5) };
        return {
          inputs: [wholeNumbers(random, x), wholeNumbers(random, weight), bias],
          attributes: { window, activation: random.integer(2) ? 'relu' : 'linear' },
        };
      },
    },
  ],
};

export const conv2dMaxPool2dEntry: RegistryEntry = {
  kernels: [
    {
      // Small integers: sums are exact, so that ties are, and no rounding moves a maximum to another place.
      kernel: conv2dMaxPool2dForward,
      roundings: 0,
      because: 'sums of small whole numbers are exact',
      sample(random) {
        // Now and then what the CPU device computes in Winograd's way.
        const isPlain = random.integer(4) === 0;
        const { window, x, weight } = isPlain
          ? plainConvolutionSample(random, [4 * between(random, 4, 6), 8 * between(random, 1, 3)])
          : pooledConvolutionSample(random);
        const bias = random.integer(2) ? [wholeNumbers(random, [weight[3]])] : [];
        return {
          inputs: [wholeNumbers(random, x), wholeNumbers(random, weight), ...bias],
          attributes: { window, activation: random.integer(2) ? 'relu' : 'linear' },
        };
      },
    },
    {
      kernel: conv2dMaxPool2dValues,
      roundings: 64,
      because: products,
      sample(random) {
        const isPlain = random.integer(3) === 0;
        const { window, x, weight } = isPlain
          ? plainConvolutionSample(random, [between(random, 12, 21), between(random, 12, 21)])
          : pooledConvolutionSample(random);
        const bias = random.integer(2) ? [floats(random, [weight[3]])] : [];
        return {
          inputs: [floats(random, x), floats(random, weight), ...bias],
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
  ],
  ops: [
    {
      op: conv2dMaxPool2dOp,
      roundings: 64,
      because: products,
      sample(random) {
        const { window, x, weight } = pooledConvolutionSample(random);
        return { inputs: [floats(random, x), floats(random, weight)], attributes: { window, activation: 'linear' } };
      },
    },
  ],
};

/** What the checks try batch normalization on. */
import type { Random } from '../../tensor/random.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import {
  between,
  channels as randomChannels,
  floats,
  type RegistryEntry,
  type SampleTensor,
} from '../shared/samples.js';
import {
  batchMoments,
  batchNormalize,
  batchNormInferenceOp,
  batchNormInputGradient,
  batchNormParameterGradients,
  batchNormScale,
  batchNormSlopes,
  batchNormTrainingOp,
  movingStatistics,
} from './batch-norm.js';
import { foldedWeightOp } from './fold-batch-norm.js';

const epsilon = 1e-3;
const shapeOf = (random: Random): Shape => [between(random, 1, 9), between(random, 2, 40), randomChannels(random)];
/** Now and then rows enough for many slices. */
const summedShapeOf = (random: Random): Shape =>
  random.integer(3) ? shapeOf(random) : [9, between(random, 60, 80), randomChannels(random)];
const vector = (random: Random, x: Shape, low = -1, high = 1): SampleTensor => floats(random, [x.at(-1)!], low, high);
const activation = (random: Random) => (random.integer(2) ? 'relu' : 'linear');
/** β so that all of a channel is well above the kink of a relu or well below it: finite differences must not cross it. */
function shift(random: Random, x: Shape): SampleTensor {
  const beta = vector(random, x, 12, 13);
  return { ...beta, values: beta.values.map((value) => (random.integer(3) ? value : -value)) };
}
const sums = { roundings: 64, because: 'two passes of up to 720 values in slices; a root, a quotient' };
const few = { roundings: 16, because: 'a root, two quotients, five other operations' };
export const batchNormEntry: RegistryEntry = {
  kernels: [
    {
      kernel: batchMoments,
      ...sums,
      sample: (random) => ({ inputs: [floats(random, summedShapeOf(random), 2, 4)], attributes: null }),
    },
    {
      kernel: batchNormalize,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return {
          inputs: [floats(random, x), vector(random, x), vector(random, x), ...statistics],
          attributes: { epsilon, activation: activation(random) },
        };
      },
    },
    {
      kernel: batchNormParameterGradients,
      ...sums,
      sample(random) {
        const x = summedShapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return {
          inputs: [floats(random, x), floats(random, x), vector(random, x), vector(random, x), ...statistics],
          attributes: { epsilon, activation: activation(random) },
        };
      },
    },
    {
      kernel: batchNormSlopes,
      ...few,
      sample(random) {
        const channel = [between(random, 1, 40)];
        return {
          inputs: [floats(random, channel), floats(random, channel, 0.1, 2), floats(random, channel, -9, 9)],
          attributes: { epsilon, rows: between(random, 1, 90) },
        };
      },
    },
    {
      kernel: batchNormInputGradient,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        const vectors = [vector(random, x), vector(random, x), vector(random, x, -9, 9)];
        const slopes = [vector(random, x, 0.1, 2), vector(random, x)];
        return {
          inputs: [floats(random, x), floats(random, x), ...vectors, ...slopes],
          attributes: { activation: activation(random), rows: sizeOf(x) / x.at(-1)! },
        };
      },
    },
    {
      kernel: batchNormScale,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        return { inputs: [floats(random, x), vector(random, x), vector(random, x, 0.1, 2)], attributes: { epsilon } };
      },
    },
    {
      kernel: movingStatistics,
      roundings: 4,
      because: 'two products, a sum',
      sample(random) {
        const shape = [between(random, 1, 90)];
        return {
          inputs: [floats(random, shape), floats(random, shape, 0, 1)],
          attributes: { momentum: 0.99, correction: random.uniform(1, 2) },
          inPlace: [floats(random, shape), floats(random, shape, 0, 1)],
        };
      },
    },
  ],
  ops: [
    {
      op: batchNormTrainingOp,
      roundings: 256,
      because: 'forward and sums; dx is a difference that nearly cancels',
      sample(random) {
        const x = shapeOf(random);
        return {
          inputs: [floats(random, x), vector(random, x, 0.5, 2), shift(random, x)],
          attributes: { epsilon, activation: activation(random), moving: null, share: null },
        };
      },
    },
    {
      op: batchNormInferenceOp,
      ...sums,
      constants: [3, 4],
      sample(random) {
        const x = shapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return {
          inputs: [floats(random, x), vector(random, x), shift(random, x), ...statistics],
          attributes: { epsilon, activation: activation(random) },
        };
      },
    },
    {
      op: foldedWeightOp,
      roundings: 64,
      because: 'a root, two quotients; up to 27 products in slices',
      constants: [2],
      sample(random) {
        const inputs = 1 + random.integer(3);
        const outputs = 1 + random.integer(20);
        return {
          inputs: [
            floats(random, [3, 3, inputs, outputs]),
            floats(random, [outputs]),
            floats(random, [outputs], 0.1, 2),
          ],
          attributes: { epsilon: 1e-3 },
        };
      },
    },
  ],
};

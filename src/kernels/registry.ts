/**
 * Every kernel and every op, with inputs to try it on: what the checks walk through, so that one without a twin, WGSL, a
 * gradient rule or a sample cannot exist. Each op's entry stands in its file, or in `samples.ts` of its folder. Sizes are
 * odd on purpose (channels not a multiple of 4, one picture, uneven strides).
 */
import { addKernel, copyKernel, onesLikeKernel, zerosLikeKernel } from '../tensor/elementwise.js';
import { boundedReluEntry } from './activation/bounded-relu.js';
import { eluEntry } from './activation/elu.js';
import { geluEntry } from './activation/gelu.js';
import { hardSigmoidEntry } from './activation/hard-sigmoid.js';
import { leakyReluEntry } from './activation/leaky-relu.js';
import { reluEntry } from './activation/relu.js';
import { sigmoidEntry } from './activation/sigmoid.js';
import { softmaxEntry } from './activation/softmax.js';
import { swishEntry } from './activation/swish.js';
import { tanhEntry } from './activation/tanh.js';
import { augmentEntry } from './augment/samples.js';
import { groupedConv2dEntry } from './conv2d/grouped-conv2d.js';
import { conv2dEntry, conv2dMaxPool2dEntry } from './conv2d/samples.js';
import { biasEntry } from './dense/bias.js';
import { denseEntry } from './dense/dense.js';
import { matrixProductEntry } from './dense/matrix-product.js';
import { arithmeticEntry } from './elementwise/arithmetic.js';
import { dropoutEntry } from './elementwise/dropout.js';
import { functionsEntry } from './elementwise/functions.js';
import { batchMetricsEntry } from './loss/batch-metrics.js';
import { binaryCrossEntropyEntry } from './loss/binary-cross-entropy.js';
import { labelEntry } from './loss/labels.js';
import { softmaxCrossEntropyEntry } from './loss/softmax-cross-entropy.js';
import { concatEntry } from './move/concat.js';
import { permuteEntry } from './move/permute.js';
import { padEntry } from './move/pad.js';
import { reshapeEntry } from './move/reshape.js';
import { batchNormEntry } from './norm/samples.js';
import { averagePool2dEntry } from './pool/average-pool2d.js';
import { maxPool2dEntry } from './pool/max-pool2d.js';
import { broadcastEntry } from './reduce/broadcast.js';
import { countNotFiniteEntry } from './reduce/count-not-finite.js';
import { reduceEntry } from './reduce/reduce.js';
import { reduceMaxEntry } from './reduce/reduce-max.js';
import { sumOfSquaresEntry } from './reduce/sum-of-squares.js';
import { multiplyAddChainEntry } from './shared/multiply-add-chain.js';
import { adamEntry } from './update/adam.js';
import { rmspropEntry } from './update/rmsprop.js';
import { scaleInPlaceEntry } from './update/scale-in-place.js';
import { sgdEntry } from './update/sgd.js';
import { weightedSumEntry } from './update/weighted-sum.js';
import { elementwise, type RegistryEntry } from './shared/samples.js';

const copied = { roundings: 0, because: 'values are copied' };
/** Kernels of `src/tensor`, which knows nothing of samples. */
const tensorEntry: RegistryEntry = {
  kernels: [
    elementwise(copyKernel, 1, copied),
    elementwise(onesLikeKernel, 1, copied),
    elementwise(zerosLikeKernel, 1, copied),
    elementwise(addKernel, 2, { roundings: 1, because: 'one operation' }),
  ],
  ops: [],
};

const registry: readonly RegistryEntry[] = [
  tensorEntry,
  conv2dEntry,
  conv2dMaxPool2dEntry,
  groupedConv2dEntry,
  matrixProductEntry,
  denseEntry,
  biasEntry,
  maxPool2dEntry,
  averagePool2dEntry,
  batchNormEntry,
  reluEntry,
  boundedReluEntry,
  hardSigmoidEntry,
  leakyReluEntry,
  eluEntry,
  geluEntry,
  sigmoidEntry,
  swishEntry,
  tanhEntry,
  softmaxEntry,
  arithmeticEntry,
  functionsEntry,
  dropoutEntry,
  reshapeEntry,
  concatEntry,
  permuteEntry,
  padEntry,
  reduceEntry,
  broadcastEntry,
  reduceMaxEntry,
  sumOfSquaresEntry,
  binaryCrossEntropyEntry,
  softmaxCrossEntropyEntry,
  labelEntry,
  batchMetricsEntry,
  countNotFiniteEntry,
  adamEntry,
  sgdEntry,
  rmspropEntry,
  scaleInPlaceEntry,
  weightedSumEntry,
  augmentEntry,
  multiplyAddChainEntry,
];

export const kernels = registry.flatMap((entry) => entry.kernels);
export const ops = registry.flatMap((entry) => entry.ops);

// What the CPU device calls. Arguments are addresses (bytes), counts and strides (elements); `part` comes first.
export { productOfTiles, productOfSlice, productOfDots } from './matrix';
export { windowOffsets, packWindows, convolve, convolutionWeightGradient } from './convolution';
export { pad, pooledOffsets, packWeights, convolveAndPool } from './pooled-convolution';
export {
  pooledWeightGradient,
  finishPooledWeightGradient,
  exchangeWeights,
  pooledInputGradient,
  crop,
} from './pooled-gradient';
export { windowAxis } from './window';
export { depthwise, depthwiseWeightGradient, finishDepthwiseWeightGradient } from './depthwise';
export { warp } from './augment';
export { maxPool, maxPoolGradient } from './pool';
export { multiplyAddChain } from './peak';
export { winogradGradient, finishWinogradGradient } from './winograd-gradient';
export { winogradFour, winogradFourWeights } from './winograd-four';
export { winogradStrided, winogradStridedWeights } from './winograd-strided';
export { repeatRow, columnSums, sumSlices } from './vector';
export { winogradWeights, winogradAndPool } from './winograd';
export { batchMoments, finishMoments, batchNormSums, finishBatchNormSums } from './batch-norm';
export { averagePool, averagePoolGradient } from './pool';
export { fillValues, copyRuns } from './move';
export { axisSum, sumOfSquares, axisBroadcast, axisMax, axisMaxGradient } from './reduce';
export { softmax, softmaxGradient, softmaxCrossEntropy, softmaxCrossEntropyGradient } from './softmax';
export { oneHot, classWeights, batchMetrics, countNotFinite, addCounts } from './labels';
export { dropout } from './dropout';
export { useWorkspace } from './workspace';

// What the CPU device calls. Arguments are addresses (bytes), counts and strides (elements); `part` comes first.
export { productOfTiles, productOfSlice, productOfDots } from './matrix';
export { windowOffsets, packWindows, convolve, convolutionWeightGradient } from './convolution';
export { pad, pooledOffsets, packWeights, convolveAndPool } from './pooled-convolution';
export { pooledWeightGradient, finishPooledWeightGradient, exchangeWeights, pooledInputGradient, crop } from './pooled-gradient';
export { windowAxis } from './window';
export { depthwise, depthwiseWeightGradient, finishDepthwiseWeightGradient } from './depthwise';
export { warp } from './augment';
export { maxPool, maxPoolGradient } from './pool';
export { multiplyAddChain } from './peak';
export { relu, reluGradient, columnSums, sumSlices, adam } from './vector';
export { winogradGradient, finishWinogradGradient } from './winograd-gradient';
export { winogradFour, winogradFourWeights } from './winograd-four';
export { winogradWeights, winogradAndPool } from './winograd';

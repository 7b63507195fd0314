// What the CPU device calls. Arguments are addresses (bytes), counts and strides (elements); `part` comes first.
export { productOfRows, productOfSlice, productOfDots } from './matrix';
export { pad, windowOffsets, packWeights, turnWeights, convolve, convolveAndPool, convolutionWeightGradient } from './convolution';
export { pooledWeightGradient, finishPooledWeightGradient, exchangeWeights, pooledInputGradient, crop } from './pooled-gradient';
export { warp } from './augment';
export { maxPool, maxPoolGradient } from './pool';
export { multiplyAddChain } from './peak';
export { relu, reluGradient, columnSums, sumSlices, adam } from './vector';
export { winogradWeights, winogradAndPool } from './winograd';

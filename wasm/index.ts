// What the CPU device calls. Arguments are addresses (bytes), counts and strides (elements).
export { packColumns, matrixProduct } from './matrix';
export { pad, windowProduct, windowGradient, turnWeight } from './window';
export { maxPool, maxPoolGradient } from './pool';
export { relu, reluGradient, columnSums, adam } from './vector';

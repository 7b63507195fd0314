/** The optimizers that have a name: a new one is a line here. */
import { adam, adamW } from './adam.js';
import { rmsprop } from './rmsprop.js';
import { sgd } from './sgd.js';

export const optimizers = { adam, adamW, rmsprop, sgd };
export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

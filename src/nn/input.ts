/** Where a graph of layers begins. */
import { UsageError } from '../errors.js';
import { formatShape, type Shape } from '../tensor/shape.js';
import { SymbolicTensor } from './layers/layer.js';

/**
 * The input of a graph: Keras' `Input(shape=…)`, without the batch axis.
 * @throws UsageError unless all lengths are positive integers
 */
export function input({ shape }: { shape: Shape }): SymbolicTensor {
  if (!shape.every((length) => Number.isInteger(length) && length >= 1))
    throw new UsageError(`input: shape expects integers of at least 1, got ${formatShape(shape)}`);
  return new SymbolicTensor(shape);
}

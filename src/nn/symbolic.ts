/** Tensors of a graph that is being built: shapes and where they come from, no values. */
import { UsageError } from '../errors.js';
import { formatShape, type Shape } from '../tensor/shape.js';
import type { Layer } from './layers/layer.js';

let made = 0;

export class SymbolicTensor {
  /** Without the batch axis. */
  readonly shape: Shape;
  /** The layer that gives it; null for a model's input. */
  readonly layer: Layer | null;
  readonly inputs: readonly SymbolicTensor[];
  /** Counts up, so that inputs always come before what is made of them. */
  readonly number = made++;

  constructor(shape: Shape, layer: Layer | null = null, inputs: readonly SymbolicTensor[] = []) {
    this.shape = shape;
    this.layer = layer;
    this.inputs = inputs;
  }
}

/**
 * The input of a graph: Keras' `Input(shape=…)`, without the batch axis.
 * @throws UsageError unless all lengths are positive integers
 */
export function input({ shape }: { shape: Shape }): SymbolicTensor {
  if (!shape.every((length) => Number.isInteger(length) && length >= 1))
    throw new UsageError(`input: shape expects integers of at least 1, got ${formatShape(shape)}`);
  return new SymbolicTensor(shape);
}

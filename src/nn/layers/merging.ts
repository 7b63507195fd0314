/** Several inputs joined, with Keras' names and defaults. */
import { ShapeError, UsageError } from '../../errors.js';
import { add, multiply } from '../../kernels/elementwise/arithmetic.js';
import { concat } from '../../kernels/move/concat.js';
import { formatShape, sameShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Layer, type LayerConfig, type LayerOptions } from './layer.js';

/** Several inputs of one shape, joined element by element. */
abstract class Merging extends Layer {
  override readonly merges = true;

  constructor(options: LayerOptions = {}) {
    super(options);
  }

  outputShape(first: Shape, ...others: Shape[]): Shape {
    const odd = others.find((shape) => !sameShape(shape, first));
    if (odd)
      throw new ShapeError(
        `${this.name || this.kind}: expects inputs of one shape, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    return first;
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name };
  }
}

/** The sum of its inputs: the end of a residual block. */
export class Add extends Merging {
  readonly kind = 'Add';

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(add);
  }
}

/** The product of its inputs. */
export class Multiply extends Merging {
  readonly kind = 'Multiply';

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(multiply);
  }
}

/** Its inputs behind each other along an axis. */
export class Concatenate extends Layer {
  readonly kind = 'Concatenate';
  override readonly merges = true;
  readonly axis: number;

  /** @param options.axis counted with the batch axis, as in Keras; default −1, the last */
  constructor({ axis = -1, ...options }: LayerOptions & { axis?: number } = {}) {
    super(options);
    if (!Number.isInteger(axis) || axis === 0)
      throw new UsageError(`Concatenate: axis expects an integer other than 0, the batch, got ${axis}`);
    this.axis = axis;
  }

  outputShape(first: Shape, ...others: Shape[]): Shape {
    const name = this.name || this.kind;
    const axis = this.axis < 0 ? first.length + this.axis : this.axis - 1;
    if (axis < 0 || axis >= first.length)
      throw new ShapeError(`${name}: axis ${this.axis} expects an input with such an axis, got ${formatShape(first)}`);
    const alike = (shape: Shape): boolean =>
      shape.length === first.length && shape.every((length, each) => each === axis || length === first[each]);
    const odd = others.find((shape) => !alike(shape));
    if (odd)
      throw new ShapeError(
        `${name}: expects shapes that differ along axis ${this.axis} only, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    const total = others.reduce((sum, shape) => sum + shape[axis], first[axis]);
    return first.map((length, each) => (each === axis ? total : length));
  }

  call(inputs: readonly Tensor[]): Tensor {
    return concat(inputs, { axis: this.axis });
  }

  config(): LayerConfig {
    return { kind: this.kind, name: this.name, axis: this.axis };
  }
}

/** Several inputs joined, with Keras' names and defaults. */
import { ShapeError } from '../../errors.js';
import { add, addRelu, multiply } from '../../kernels/elementwise/arithmetic.js';
import { concat } from '../../kernels/move/concat.js';
import { number, optional } from '../../options.js';
import { formatShape, sameShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { followingActivation } from './activation.js';
import { Layer, type Follower, type Fused, type LayerTensors } from './layer.js';

const noOptions = {};

/** Several inputs joined element by element; an axis of length 1 counts as long as the others'. */
abstract class Merging extends Layer<typeof noOptions> {
  override readonly merges = true;

  outputShape(first: Shape, ...others: Shape[]): Shape {
    return others.reduce((joined, shape) => {
      const fits =
        shape.length === joined.length &&
        shape.every((length, axis) => length === joined[axis] || length === 1 || joined[axis] === 1);
      if (!fits)
        throw new ShapeError(
          `${this.name || this.kind}: expects inputs of one shape, or 1 along an axis, got ${formatShape(joined)} and ${formatShape(shape)}`,
        );
      return shape.map((length, axis) => Math.max(length, joined[axis]));
    }, first);
  }
}

/** The sum of its inputs: the end of a residual block. */
export class Add extends Merging {
  static readonly kind = 'Add';
  static readonly schema = noOptions;

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(add);
  }

  /** A residual block's end: the last sum and the relu behind it. */
  override callFused(inputs: readonly Tensor[], _: LayerTensors, followers: readonly Follower[]): Fused | null {
    const { taken } = followingActivation(followers);
    const sameShapes = inputs.every(({ shape }) => sameShape(shape, inputs[0].shape));
    if (taken === 0 || inputs.length < 2 || !sameShapes) return null;
    return { value: addRelu(inputs.slice(0, -1).reduce(add), inputs.at(-1)!), taken };
  }
}

/** The product of its inputs: with [1,1,C], squeeze-and-excite's weights of channels. */
export class Multiply extends Merging {
  static readonly kind = 'Multiply';
  static readonly schema = noOptions;

  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce(multiply);
  }
}

const concatenateSchema = {
  /** Counted with the batch axis, as in Keras; by default the last. */
  axis: optional(
    number('an integer other than 0, the batch', (axis) => Number.isInteger(axis) && axis !== 0),
    -1,
  ),
};

/** Its inputs behind each other along an axis. */
export class Concatenate extends Layer<typeof concatenateSchema> {
  static readonly kind = 'Concatenate';
  static readonly schema = concatenateSchema;
  override readonly merges = true;

  outputShape(first: Shape, ...others: Shape[]): Shape {
    const name = this.name || this.kind;
    const { axis: given } = this.options;
    const axis = given < 0 ? first.length + given : given - 1;
    if (axis < 0 || axis >= first.length)
      throw new ShapeError(`${name}: axis ${given} expects an input with such an axis, got ${formatShape(first)}`);
    const alike = (shape: Shape): boolean =>
      shape.length === first.length && shape.every((length, each) => each === axis || length === first[each]);
    const odd = others.find((shape) => !alike(shape));
    if (odd)
      throw new ShapeError(
        `${name}: expects shapes that differ along axis ${given} only, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    const total = others.reduce((sum, shape) => sum + shape[axis], first[axis]);
    return first.map((length, each) => (each === axis ? total : length));
  }

  call(inputs: readonly Tensor[]): Tensor {
    return concat(inputs, this.options);
  }
}

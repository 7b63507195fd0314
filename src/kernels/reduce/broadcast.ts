/** Repeating a tensor along axes of length 1, as NumPy broadcasts; the gradient is summed along them. */
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { formatShape, sameShape, type Shape, expectShape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { reshape } from '../move/reshape.js';
import { anyShape, floats, type RegistryEntry } from '../shared/samples.js';
import { alongAxes, type AxisRange } from './axes.js';
import { axisBroadcast, axisSum, randomAxes } from './reduce.js';

interface BroadcastAttributes extends AxisRange {
  /** The output's shape. */
  readonly shape: Shape;
}

/** x [outer, inner] → [outer, length, inner] of a given shape */
export const broadcastOp = defineOp<BroadcastAttributes>({
  name: 'broadcast',
  forward: (inputs, attributes) => launch(axisBroadcast, inputs, { ...attributes, scale: 1 }),
  backward({ dy, inputs: [x], attributes: { first, count } }) {
    const [sums] = launch(axisSum, [dy], { first, count, scale: 1 });
    return [reshape(sums, x.shape)];
  },
});

/**
 * x repeated to a shape: aligned at the last axes, each axis of x is as long as the shape's, or 1.
 * @throws ShapeError where it is neither
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  expectTensor(x, 'broadcastTo');
  expectShape(shape, 'broadcastTo: shape');
  const before = shape.length - x.shape.length;
  const from = shape.map((_, axis) => x.shape[axis - before] ?? 1);
  if (before < 0 || from.some((length, axis) => length !== 1 && length !== shape[axis]))
    throw new ShapeError(
      `broadcastTo: expects axes of length 1 or those of ${formatShape(shape)}, got ${formatShape(x.shape)}`,
    );
  let value = before === 0 ? x : reshape(x, from);
  // Neighbouring axes at once.
  for (let first = 0; first < shape.length; first++) {
    let count = 0;
    while (first + count < shape.length && value.shape[first + count] !== shape[first + count]) count++;
    if (count === 0) continue;
    const target = value.shape.map((length, axis) => (axis >= first && axis < first + count ? shape[axis] : length));
    value = broadcastOp.apply([value], { first, count, shape: target });
    first += count;
  }
  return sameShape(value.shape, shape) ? value : reshape(value, shape);
}

// --- samples

const tolerance = {
  roundings: 64,
  because: 'values are copied; up to 625 values of both signs summed in the gradient',
};
export const broadcastEntry: RegistryEntry = {
  kernels: [],
  ops: [
    {
      op: broadcastOp,
      ...tolerance,
      sample(random) {
        const shape = anyShape(random);
        const axes = randomAxes(random, shape);
        const { outer, inner } = alongAxes(shape, axes);
        return { inputs: [floats(random, [outer, inner])], attributes: { ...axes, shape } };
      },
    },
  ],
};

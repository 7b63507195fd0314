/** Reshape without moving data: [N,H,W,C] → [N,H·W·C] in NHWC order. The gradient is reshaped back. */
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { formatShape, sizeOf, type Shape, expectShape } from '../../tensor/shape.js';
import { viewOf, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { unary, type RegistryEntry } from '../shared/samples.js';

export const reshapeOp = defineOp<{ shape: Shape }>({
  name: 'reshape',
  forward: ([x], { shape }) => [viewOf(x, shape)],
  backward: ({ dy, inputs: [x] }) => [viewOf(dy, x.shape)],
});

/** The same elements under another shape. @throws ShapeError when the number of elements differs */
export function reshape(x: Tensor, shape: Shape): Tensor {
  expectTensor(x, 'reshape');
  expectShape(shape, 'reshape: shape');
  if (sizeOf(shape) !== x.size)
    throw new ShapeError(
      `reshape: ${formatShape(x.shape)} has ${x.size} elements, ${formatShape(shape)} expects ${sizeOf(shape)}`,
    );
  return reshapeOp.apply([x], { shape });
}

/** [N, …] → [N, product of the rest]. */
export function flatten(x: Tensor): Tensor {
  expectTensor(x, 'flatten');
  if (x.shape.length === 0) throw new ShapeError('flatten: x expects [N, …], got []');
  return reshape(x, [x.shape[0], x.size / x.shape[0]]);
}

// --- samples

export const reshapeEntry: RegistryEntry = {
  kernels: [],
  ops: [
    unary(
      reshapeOp,
      { roundings: 0, because: 'values are copied' },
      { attributes: (_, shape) => ({ shape: [sizeOf(shape)] }) },
    ),
  ],
};

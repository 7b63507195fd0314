/** Sum, product and squared difference of two tensors of one shape, element by element. */
import { defineOp } from '../../tensor/autograd.js';
import { addKernel, elementwiseKernel } from '../../tensor/elementwise.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { anyShape, elementwise, floats, type RegisteredOp, type RegistryEntry } from '../shared/samples.js';

export const multiplyKernel = elementwiseKernel({ name: 'multiply', inputs: 2, wgsl: 'a * b', twin: (a, b) => a * b });

export const squaredDifferenceKernel = elementwiseKernel({
  name: 'squaredDifference',
  inputs: 2,
  wgsl: '(a - b) * (a - b)',
  twin: (a, b) => (a - b) ** 2,
});

/** dy, a, b → da; exchanged, a and b give db */
export const squaredDifferenceGradient = elementwiseKernel({
  name: 'squaredDifferenceGradient',
  inputs: 3,
  wgsl: '2.0 * a * (b - c)',
  twin: (dy, a, b) => 2 * dy * (a - b),
});

export const addOp = defineOp<null>({
  name: 'add',
  forward: (inputs) => launch(addKernel, inputs, null),
  backward: ({ dy }) => [dy, dy],
});

export const multiplyOp = defineOp<null>({
  name: 'multiply',
  forward: (inputs) => launch(multiplyKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(multiplyKernel, [dy, b], null)[0],
    needs[1] && launch(multiplyKernel, [dy, a], null)[0],
  ],
});

export const squaredDifferenceOp = defineOp<null>({
  name: 'squaredDifference',
  forward: (inputs) => launch(squaredDifferenceKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(squaredDifferenceGradient, [dy, a, b], null)[0],
    needs[1] && launch(squaredDifferenceGradient, [dy, b, a], null)[0],
  ],
});

/** a + b, of one shape: what joins a residual block. @throws ShapeError when the shapes differ */
export const add = (a: Tensor, b: Tensor): Tensor => addOp.apply([a, b], null);

/** a · b, of one shape. @throws ShapeError when the shapes differ */
export const multiply = (a: Tensor, b: Tensor): Tensor => multiplyOp.apply([a, b], null);

/** (a − b)², of one shape. @throws ShapeError when the shapes differ */
export const squaredDifference = (a: Tensor, b: Tensor): Tensor => squaredDifferenceOp.apply([a, b], null);

// --- samples

const oneOperation = { roundings: 1, because: 'one operation' };
const three = { roundings: 4, because: 'a difference, two products' };
const sample: RegisteredOp['sample'] = (random) => {
  const shape = anyShape(random);
  return { inputs: [floats(random, shape), floats(random, shape)], attributes: null };
};
export const arithmeticEntry: RegistryEntry = {
  kernels: [
    elementwise(multiplyKernel, 2, oneOperation),
    elementwise(squaredDifferenceKernel, 2, three),
    elementwise(squaredDifferenceGradient, 3, three),
  ],
  ops: [
    { op: addOp, ...oneOperation, sample },
    { op: multiplyOp, ...oneOperation, sample },
    { op: squaredDifferenceOp, ...three, sample },
  ],
};

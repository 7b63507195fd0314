/**
 * Arithmetic of two tensors, element by element. Shapes are broadcast as NumPy does: aligned at their last axes, an axis of
 * length 1 (or none) counts as long as the other's. Where one operand is a number, it is a constant of the recorded step.
 */
import { ShapeError } from '../../errors.js';
import { defineOp, type DefinedOp } from '../../tensor/autograd.js';
import { addKernel, elementwiseKernel } from '../../tensor/elementwise.js';
import { formatShape, sameShape, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { reluGradient } from '../activation/relu.js';
import { broadcastTo } from '../reduce/broadcast.js';
import {
  anyShape,
  apartFromZero,
  elementwise,
  floats,
  wholeNumbers,
  type RegisteredOp,
  type RegistryEntry,
} from '../shared/samples.js';
import { affine, clip, pow } from './functions.js';

export const subtractKernel = elementwiseKernel({ name: 'subtract', inputs: 2, formula: ([a, b]) => a.subtract(b) });
export const negateKernel = elementwiseKernel({ name: 'negate', inputs: 1, formula: ([a]) => a.negate() });
export const multiplyKernel = elementwiseKernel({ name: 'multiply', inputs: 2, formula: ([a, b]) => a.multiply(b) });
export const divideKernel = elementwiseKernel({ name: 'divide', inputs: 2, formula: ([a, b]) => a.divide(b) });
export const minimumKernel = elementwiseKernel({ name: 'minimum', inputs: 2, formula: ([a, b]) => a.minimum(b) });
export const maximumKernel = elementwiseKernel({ name: 'maximum', inputs: 2, formula: ([a, b]) => a.maximum(b) });

/** dy, a, b → db of a / b */
export const divisorGradient = elementwiseKernel({
  name: 'divisorGradient',
  inputs: 3,
  formula: ([dy, a, b]) => dy.multiply(a).divide(b).divide(b).negate(),
});

/** dy, a, b → dy where a ≤ b, else 0: what the smaller gets */
export const whereAtMost = elementwiseKernel({
  name: 'whereAtMost',
  inputs: 3,
  formula: ([dy, a, b]) => a.atMost(b).select(dy, 0),
});

/** dy, a, b → dy where a < b, else 0 */
export const whereBelow = elementwiseKernel({
  name: 'whereBelow',
  inputs: 3,
  formula: ([dy, a, b]) => a.below(b).select(dy, 0),
});

export const squaredDifferenceKernel = elementwiseKernel({
  name: 'squaredDifference',
  inputs: 2,
  formula: ([a, b]) => a.subtract(b).square(),
});

/** dy, a, b → da; exchanged, a and b give db */
export const squaredDifferenceGradient = elementwiseKernel({
  name: 'squaredDifferenceGradient',
  inputs: 3,
  formula: ([dy, a, b]) => dy.multiply(2).multiply(a.subtract(b)),
});

export const addOp = defineOp<null>({
  name: 'add',
  forward: (inputs) => launch(addKernel, inputs, null),
  backward: ({ dy }) => [dy, dy],
});

/** a + b, then relu: the end of a residual block in one pass. */
export const addReluKernel = elementwiseKernel({
  name: 'addRelu',
  inputs: 2,
  formula([a, b]) {
    const sum = a.add(b);
    return sum.atMost(0).select(0, sum);
  },
});

export const addReluOp = defineOp<null>({
  name: 'addRelu',
  forward: (inputs) => launch(addReluKernel, inputs, null),
  backward({ dy, outputs: [y] }) {
    const dz = reluGradient(dy, y);
    return [dz, dz];
  },
});

/** max(a + b, 0) of two tensors of one shape. */
export const addRelu = (a: Tensor, b: Tensor): Tensor => addReluOp.apply([a, b], null);

export const subtractOp = defineOp<null>({
  name: 'subtract',
  forward: (inputs) => launch(subtractKernel, inputs, null),
  backward: ({ dy, needs }) => [dy, needs[1] && launch(negateKernel, [dy], null)[0]],
});

export const multiplyOp = defineOp<null>({
  name: 'multiply',
  forward: (inputs) => launch(multiplyKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(multiplyKernel, [dy, b], null)[0],
    needs[1] && launch(multiplyKernel, [dy, a], null)[0],
  ],
});

export const divideOp = defineOp<null>({
  name: 'divide',
  forward: (inputs) => launch(divideKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(divideKernel, [dy, b], null)[0],
    needs[1] && launch(divisorGradient, [dy, a, b], null)[0],
  ],
});

/** Where both are equal, the first gets the gradient. */
export const minimumOp = defineOp<null>({
  name: 'minimum',
  forward: (inputs) => launch(minimumKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(whereAtMost, [dy, a, b], null)[0],
    needs[1] && launch(whereBelow, [dy, b, a], null)[0],
  ],
});

export const maximumOp = defineOp<null>({
  name: 'maximum',
  forward: (inputs) => launch(maximumKernel, inputs, null),
  backward: ({ dy, inputs: [a, b], needs }) => [
    needs[0] && launch(whereAtMost, [dy, b, a], null)[0],
    needs[1] && launch(whereBelow, [dy, a, b], null)[0],
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

/** The shape that both are broadcast to. @throws ShapeError when an axis has two lengths and neither is 1 */
function commonShape(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError(
        `${op}: expects shapes that are equal along each axis or 1 there, got ${formatShape(a)} and ${formatShape(b)}`,
      );
    return m === 1 ? n : m;
  });
}

function apply(op: DefinedOp<null>, a: Tensor, b: Tensor): Tensor {
  expectTensor(a, op.name);
  expectTensor(b, op.name);
  if (sameShape(a.shape, b.shape)) return op.apply([a, b], null);
  const shape = commonShape(op.name, a.shape, b.shape);
  return op.apply([broadcastTo(a, shape), broadcastTo(b, shape)], null);
}

/** a + b. @throws ShapeError for shapes that cannot be broadcast */
export const add = (a: Tensor, b: Tensor | number): Tensor =>
  typeof b === 'number' ? affine(a, { offset: b }) : apply(addOp, a, b);

/** a − b. @throws ShapeError for shapes that cannot be broadcast */
export function subtract(a: Tensor, b: Tensor | number): Tensor;
export function subtract(a: number, b: Tensor): Tensor;
export function subtract(a: Tensor | number, b: Tensor | number): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, { offset: -b });
  return typeof a === 'number' ? affine(b, { scale: -1, offset: a }) : apply(subtractOp, a, b);
}

/** a · b. @throws ShapeError for shapes that cannot be broadcast */
export const multiply = (a: Tensor, b: Tensor | number): Tensor =>
  typeof b === 'number' ? affine(a, { scale: b }) : apply(multiplyOp, a, b);

/** a / b; a number b is rounded to the float32 of 1 / b. @throws ShapeError for shapes that cannot be broadcast */
export function divide(a: Tensor, b: Tensor | number): Tensor;
export function divide(a: number, b: Tensor): Tensor;
export function divide(a: Tensor | number, b: Tensor | number): Tensor {
  if (typeof b === 'number') return affine(a as Tensor, { scale: 1 / b });
  return typeof a === 'number' ? affine(pow(b, -1), { scale: a }) : apply(divideOp, a, b);
}

/** The smaller of a and b; ties give their gradient to a. @throws ShapeError for shapes that cannot be broadcast */
export const minimum = (a: Tensor, b: Tensor | number): Tensor =>
  typeof b === 'number' ? clip(a, -LARGEST, b) : apply(minimumOp, a, b);

/** The larger of a and b; ties give their gradient to a. @throws ShapeError for shapes that cannot be broadcast */
export const maximum = (a: Tensor, b: Tensor | number): Tensor =>
  typeof b === 'number' ? clip(a, b, LARGEST) : apply(maximumOp, a, b);

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** (a − b)². @throws ShapeError for shapes that cannot be broadcast */
export const squaredDifference = (a: Tensor, b: Tensor): Tensor => apply(squaredDifferenceOp, a, b);

// --- samples

const oneOperation = { roundings: 1, because: 'one operation' };
const copied = { roundings: 0, because: 'values are copied' };
const three = { roundings: 4, because: 'three operations' };
const sample: RegisteredOp['sample'] = (random) => {
  const shape = anyShape(random);
  return { inputs: [floats(random, shape), floats(random, shape)], attributes: null };
};
/** Divisors apart from 0. */
const quotient: RegisteredOp['sample'] = (random) => {
  const shape = anyShape(random);
  return { inputs: [floats(random, shape), floats(random, shape, 0.5, 3)], attributes: null };
};
const divisors = { low: 0.5, high: 4 };
export const arithmeticEntry: RegistryEntry = {
  kernels: [
    elementwise(addReluKernel, 2, oneOperation),
    elementwise(subtractKernel, 2, oneOperation),
    elementwise(negateKernel, 1, copied),
    elementwise(multiplyKernel, 2, oneOperation),
    elementwise(divideKernel, 2, { roundings: 3, because: 'one quotient, 2.5 ulp in WGSL' }, divisors),
    elementwise(
      divisorGradient,
      3,
      { roundings: 8, because: 'two quotients of 2.5 ulp in WGSL, one product' },
      divisors,
    ),
    elementwise(minimumKernel, 2, copied),
    elementwise(maximumKernel, 2, copied),
    elementwise(whereAtMost, 3, copied),
    elementwise(whereBelow, 3, copied),
    elementwise(squaredDifferenceKernel, 2, three),
    elementwise(squaredDifferenceGradient, 3, three),
  ],
  ops: [
    { op: addOp, ...oneOperation, sample },
    {
      op: addReluOp,
      ...oneOperation,
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [wholeNumbers(random, shape), apartFromZero(random, shape)], attributes: null };
      },
    },
    { op: subtractOp, ...oneOperation, sample },
    { op: multiplyOp, ...oneOperation, sample },
    { op: divideOp, roundings: 8, because: 'two quotients of 2.5 ulp in WGSL, one product', sample: quotient },
    { op: minimumOp, ...copied, sample },
    { op: maximumOp, ...copied, sample },
    { op: squaredDifferenceOp, ...three, sample },
  ],
};

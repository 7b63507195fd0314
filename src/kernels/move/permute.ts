/**
 * Axes in another order: y[i₀, i₁, …] = x with index iₐ at axis order[a], so that y has the lengths of x in that order. Gradient: the
 * same with the reverse order.
 */
import { ShapeError } from '../../errors.js';
import { expectArray, expectNumber, listOf } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel } from '../../tensor/kernel.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { copyBox, copyBoxCalls, copyBoxDispatch, stepsOf, type Corner } from './box.js';
import { anyShape, floats, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';

export interface PermuteAttributes {
  /** Axis a of the result is axis order[a] of x. */
  readonly order: readonly number[];
}

const turned = (x: Shape, order: readonly number[]): number[] => order.map((axis) => x[axis]);
const origin = (shape: Shape): number[] => shape.map(() => 0);

/** x, walked in the order of y. */
const source = (x: Shape, order: readonly number[]): Corner => ({
  shape: turned(x, order),
  start: origin(x),
  steps: order.map((axis) => stepsOf(x)[axis]),
});

/** x → y */
export const permuteKernel = defineKernel<PermuteAttributes>({
  name: 'permute',
  outputs([x], { order }) {
    if (order.length !== x.length || order.toSorted((a, b) => a - b).some((axis, at) => axis !== at))
      throw new ShapeError(`permute: order expects each axis of ${formatShape(x)} once, got ${formatShape(order)}`);
    return [{ shape: turned(x, order), dtype: 'float32' }];
  },
  twin({ inputs: [x], outputs: [y] }, { inputs: [from], outputs: [to] }, { order }) {
    copyBox(x, source(from, order), y, { shape: to, start: origin(to) }, to);
  },
  wgsl: ({ inputs: [from], outputs: [to] }, { order }) => ({
    steps: ({ inputs: [x], outputs: [y] }) => [
      copyBoxDispatch(x, source(from, order), y, { shape: to, start: origin(to) }, to),
    ],
  }),
  wasm: ({ inputs: [from], outputs: [to] }, { order }) => ({
    steps: ({ inputs: [x], outputs: [y] }) =>
      copyBoxCalls(x, source(from, order), y, { shape: to, start: origin(to) }, to),
  }),
});

export const permuteOp = defineOp<PermuteAttributes>({
  name: 'permute',
  forward: (inputs, attributes) => launch(permuteKernel, inputs, attributes),
  backward: ({ dy, attributes: { order }, into }) =>
    launch(permuteKernel, [dy], { order: order.map((_, axis) => order.indexOf(axis)) }, [into[0]]),
});

/**
 * x with its axes in another order: NumPy's `transpose`.
 * @param order axis a of the result is axis order[a] of x
 * @throws ShapeError unless every axis is there once
 */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  expectArray(order, 'permute: order');
  listOf(expectNumber)(order, 'permute: order');
  return permuteOp.apply([x], { order });
}

// --- samples

const sample: RegisteredKernel['sample'] = (random) => {
  const shape = anyShape(random);
  return { inputs: [floats(random, shape)], attributes: { order: [...random.permutation(shape.length)] } };
};
const copied = { roundings: 0, because: 'values are copied' };
export const permuteEntry: RegistryEntry = {
  kernels: [{ kernel: permuteKernel, ...copied, sample }],
  ops: [{ op: permuteOp, ...copied, sample }],
};

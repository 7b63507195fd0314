/** Tensors behind each other along one axis. Gradient: each input gets its part of dy. */
import { expectArray, expectObject } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel } from '../../tensor/kernel.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { resolveAxis } from '../reduce/axes.js';
import { copyBox, copyBoxCalls, copyBoxDispatch } from './box.js';
import { cropKernel } from './pad.js';
import { anyShape, between, floats, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';

export interface ConcatAttributes {
  readonly axis: number;
}

/** Where along the axis each input begins. */
function positions(inputs: readonly Shape[], axis: number): number[] {
  let position = 0;
  return inputs.map((shape) => (position += shape[axis]) - shape[axis]);
}

const startAt = (shape: Shape, axis: number, position: number): number[] =>
  shape.map((_, each) => (each === axis ? position : 0));

/** any number of inputs, alike but along `axis` → y */
export const concatKernel = defineKernel<ConcatAttributes>({
  name: 'concat',
  outputs(inputs, { axis }) {
    const [first] = inputs;
    const odd = inputs.find(
      (shape) => shape.length !== first.length || shape.some((length, each) => each !== axis && length !== first[each]),
    );
    if (odd)
      throw new ShapeError(
        `concat: expects shapes that differ along axis ${axis} only, got ${formatShape(first)} and ${formatShape(odd)}`,
      );
    const length = inputs.reduce((total, shape) => total + shape[axis], 0);
    return [{ shape: first.map((other, each) => (each === axis ? length : other)), dtype: 'float32' }];
  },
  twin({ inputs, outputs: [y] }, { inputs: shapes, outputs: [to] }, { axis }) {
    const at = positions(shapes, axis);
    for (const [index, x] of inputs.entries()) {
      const shape = shapes[index];
      const source = { shape, start: startAt(shape, axis, 0) };
      copyBox(x, source, y, { shape: to, start: startAt(to, axis, at[index]) }, shape);
    }
  },
  wgsl({ inputs: shapes, outputs: [to] }, { axis }) {
    const at = positions(shapes, axis);
    return {
      steps: ({ inputs, outputs: [y] }) =>
        inputs.map((x, index) => {
          const shape = shapes[index];
          const source = { shape, start: startAt(shape, axis, 0) };
          return copyBoxDispatch(x, source, y, { shape: to, start: startAt(to, axis, at[index]) }, shape);
        }),
    };
  },
  wasm({ inputs: shapes, outputs: [to] }, { axis }) {
    const at = positions(shapes, axis);
    return {
      steps: ({ inputs, outputs: [y] }) =>
        inputs.flatMap((x, index) => {
          const shape = shapes[index];
          const source = { shape, start: startAt(shape, axis, 0) };
          return copyBoxCalls(x, source, y, { shape: to, start: startAt(to, axis, at[index]) }, shape);
        }),
    };
  },
});

export const concatOp = defineOp<ConcatAttributes>({
  name: 'concat',
  forward: (inputs, attributes) => launch(concatKernel, inputs, attributes),
  backward({ dy, inputs, attributes: { axis }, needs, into }) {
    const shapes = inputs.map(({ shape }) => shape);
    const at = positions(shapes, axis);
    return inputs.map((x, index) => {
      if (!needs[index]) return false;
      const after = dy.shape[axis] - at[index] - x.shape[axis];
      const paddings = x.shape.map((_, each) => (each === axis ? ([at[index], after] as const) : ([0, 0] as const)));
      return launch(cropKernel, [dy], { paddings }, [into[index]])[0];
    });
  },
});

/** @throws ShapeError for no tensors, and for shapes that differ along another axis (default: the last) */
export function concat(inputs: readonly Tensor[], options: { axis?: number } = {}): Tensor {
  expectArray(inputs, 'concat: inputs');
  expectObject(options, 'concat: options');
  const { axis = -1 } = options;
  if (inputs.length === 0) throw new ShapeError('concat: expects at least one tensor, got none');
  for (const input of inputs) expectTensor(input, 'concat');
  return concatOp.apply(inputs, { axis: resolveAxis('concat', inputs[0].shape, axis) });
}

// --- samples

const because = 'values are copied';
const sample: RegisteredKernel['sample'] = (random) => {
  const shape = anyShape(random);
  const axis = random.integer(shape.length);
  const inputs = Array.from({ length: between(random, 1, 10) }, () =>
    floats(
      random,
      shape.map((length, each) => (each === axis ? between(random, 1, 4) : length)),
    ),
  );
  return { inputs, attributes: { axis } };
};
export const concatEntry: RegistryEntry = {
  kernels: [{ kernel: concatKernel, roundings: 0, because, sample }],
  ops: [{ op: concatOp, roundings: 0, because, sample }],
};

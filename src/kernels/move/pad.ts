/** Padding with a constant, and its reverse, cropping: each is the other's gradient. */
import { expectArray, expectNumber, expectObject, listOf } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { splitElements } from '../../tensor/cpu/parts.js';
import { copyBox, copyBoxCalls, copyBoxDispatch } from './box.js';
import { anyShape, between, floats, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';
import type { Pair } from '../shared/window.js';

/** Elements before and after the data, axis by axis. */
export type Paddings = readonly Pair[];

export interface PadAttributes {
  readonly paddings: Paddings;
  readonly value: number;
}

const FILL = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
override VALUE: f32;
${ENTRY}
  y[index] = VALUE;
}`;

const starts = (paddings: Paddings): number[] => paddings.map(([before]) => before);
const origin = (shape: Shape): number[] => shape.map(() => 0);

/** Every axis longer by its paddings, or shorter. @throws ShapeError for paddings that do not fit */
function resized(op: string, x: Shape, paddings: Paddings, sign: 1 | -1): number[] {
  listOf(expectArray)(paddings, `${op}: paddings`);
  const given = `got ${paddings.map(formatShape).join(' ')} (x ${formatShape(x)})`;
  if (paddings.length !== x.length) throw new ShapeError(`${op}: expects a pair for each axis, ${given}`);
  if (!paddings.every((pair) => pair.every((count) => Number.isInteger(count) && count >= 0)))
    throw new ShapeError(`${op}: expects integers of at least 0, ${given}`);
  const shape = x.map((length, axis) => length + sign * (paddings[axis][0] + paddings[axis][1]));
  if (shape.some((length) => length < 1)) throw new ShapeError(`${op}: expects something to be left, ${given}`);
  return shape;
}

/** x → y */
export const padKernel = defineKernel<PadAttributes>({
  name: 'pad',
  outputs: ([x], { paddings }) => [{ shape: resized('pad', x, paddings, 1), dtype: 'float32' }],
  twin({ inputs: [x], outputs: [y] }, { inputs: [from], outputs: [to] }, { paddings, value }) {
    y.fill(value);
    copyBox(x, { shape: from, start: origin(from) }, y, { shape: to, start: starts(paddings) }, from);
  },
  wgsl: ({ inputs: [from], outputs: [to] }, { paddings, value }) => ({
    steps: ({ inputs: [x], outputs: [y] }) => [
      dispatchThreads(FILL, sizeOf(to), [y], { VALUE: value }),
      copyBoxDispatch(x, { shape: from, start: origin(from) }, y, { shape: to, start: starts(paddings) }, from),
    ],
  }),
  wasm({ inputs: [from], outputs: [to] }, { paddings, value }) {
    const { parts, chunk } = splitElements(sizeOf(to));
    return {
      steps: ({ inputs: [x], outputs: [y] }) => [
        { function: 'fillValues', parts, arguments: [y, sizeOf(to), chunk, value] },
        ...copyBoxCalls(x, { shape: from, start: origin(from) }, y, { shape: to, start: starts(paddings) }, from),
      ],
    };
  },
});

/** y → x */
export const cropKernel = defineKernel<{ readonly paddings: Paddings }>({
  name: 'crop',
  outputs: ([y], { paddings }) => [{ shape: resized('crop', y, paddings, -1), dtype: 'float32' }],
  twin({ inputs: [y], outputs: [x] }, { inputs: [from], outputs: [to] }, { paddings }) {
    copyBox(y, { shape: from, start: starts(paddings) }, x, { shape: to, start: origin(to) }, to);
  },
  wgsl: ({ inputs: [from], outputs: [to] }, { paddings }) => ({
    steps: ({ inputs: [y], outputs: [x] }) => [
      copyBoxDispatch(y, { shape: from, start: starts(paddings) }, x, { shape: to, start: origin(to) }, to),
    ],
  }),
  wasm: ({ inputs: [from], outputs: [to] }, { paddings }) => ({
    steps: ({ inputs: [y], outputs: [x] }) =>
      copyBoxCalls(y, { shape: from, start: starts(paddings) }, x, { shape: to, start: origin(to) }, to),
  }),
});

export const padOp = defineOp<PadAttributes>({
  name: 'pad',
  forward: (inputs, attributes) => launch(padKernel, inputs, attributes),
  backward: ({ dy, attributes: { paddings }, into }) => launch(cropKernel, [dy], { paddings }, [into[0]]),
});

export const cropOp = defineOp<{ readonly paddings: Paddings }>({
  name: 'crop',
  forward: (inputs, attributes) => launch(cropKernel, inputs, attributes),
  backward: ({ dy, attributes: { paddings }, into }) => launch(padKernel, [dy], { paddings, value: 0 }, [into[0]]),
});

/**
 * x within a frame of `value`.
 * @param paddings [before, after] for each axis
 * @throws ShapeError when there is not a pair for each axis
 */
export function pad(x: Tensor, paddings: Paddings, options: { value?: number } = {}): Tensor {
  expectObject(options, 'pad: options');
  const { value = 0 } = options;
  expectNumber(value, 'pad: value');
  expectArray(paddings, 'pad: paddings');
  return padOp.apply([x], { paddings, value });
}

/** x without so many elements at both ends of each axis. @throws ShapeError when nothing would be left */
export function crop(x: Tensor, paddings: Paddings): Tensor {
  expectArray(paddings, 'crop: paddings');
  return cropOp.apply([x], { paddings });
}

// --- samples

const because = 'values are copied';
const randomPaddings = (random: { integer(limit: number): number }, shape: Shape): Paddings =>
  shape.map(() => [random.integer(3), random.integer(3)]);
const sample: RegisteredKernel['sample'] = (random) => {
  const shape = anyShape(random);
  return {
    inputs: [floats(random, shape)],
    attributes: { paddings: randomPaddings(random, shape), value: between(random, -1, 1) },
  };
};
const cropSample: RegisteredKernel['sample'] = (random) => {
  const paddings = randomPaddings(random, anyShape(random));
  const shape = paddings.map(([before, after]) => before + after + between(random, 1, 4));
  return { inputs: [floats(random, shape)], attributes: { paddings } };
};
export const padEntry: RegistryEntry = {
  kernels: [
    { kernel: padKernel, roundings: 0, because, sample },
    { kernel: cropKernel, roundings: 0, because, sample: cropSample },
  ],
  ops: [
    { op: padOp, roundings: 0, because, sample },
    { op: cropOp, roundings: 0, because, sample: cropSample },
  ],
};

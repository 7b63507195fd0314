/**
 * Maximum along axes. A tensor is taken as [outer, length, inner]; the gradient goes to the first maximum, whose place
 * in its line forward keeps. NaN counts as the maximum, so that it is not lost here.
 */
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, ENTRY, planThreads, type Plan, type WasmCall } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { alongAxes, type AxisRange } from './axes.js';
import { isNanFunction } from '../../tensor/math.wgsl.js';
import { randomAxes, reduceAxes, type ReduceOptions } from './reduce.js';
import { allDifferent, anyShape, floats, integers, wholeNumbers, type RegistryEntry } from '../shared/samples.js';

const FORWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> places: array<u32>;
override LENGTH: u32;
override INNER: u32;
${isNanFunction('f32')}
${ENTRY}
  let start = index / INNER * LENGTH * INNER + index % INNER;
  var best = x[start];
  var place = 0u;
  for (var k = 1u; k < LENGTH; k++) {
    let value = x[start + k * INNER];
    if (value > best || isNan(value)) {
      best = value;
      place = k;
    }
  }
  y[index] = best;
  places[index] = place;
}`;

/** A part for each of the outer places. */
function lineCalls(name: string, shape: Shape, axes: AxisRange): Plan<number, WasmCall> {
  const { outer, length, inner } = alongAxes(shape, axes);
  return {
    steps: ({ inputs, outputs }) => [
      { function: name, parts: outer, arguments: [...inputs, ...outputs, length, inner] },
    ],
  };
}

/** x [outer, length, inner] → y, places (uint32), both [outer, inner] */
export const axisMax = defineKernel<AxisRange>({
  name: 'axisMax',
  outputs([x], { first, count }) {
    const shape = [...x.slice(0, first), ...x.slice(first + count)];
    return [
      { shape, dtype: 'float32' },
      { shape, dtype: 'uint32' },
    ];
  },
  twin({ inputs: [x], outputs: [y, places] }, { inputs: [shape] }, axes) {
    const { length, inner } = alongAxes(shape, axes);
    for (let line = 0; line < y.length; line++) {
      const start = Math.floor(line / inner) * length * inner + (line % inner);
      let place = 0;
      for (let k = 1; k < length; k++) {
        const value = x[start + k * inner];
        if (value > x[start + place * inner] || Number.isNaN(value)) place = k;
      }
      y[line] = x[start + place * inner];
      places[line] = place;
    }
  },
  wgsl({ inputs: [x] }, axes) {
    const { outer, length, inner } = alongAxes(x, axes);
    return planThreads(FORWARD, outer * inner, { LENGTH: length, INNER: inner });
  },
  wasm: ({ inputs: [x] }, axes) => lineCalls('axisMax', x, axes),
});

const BACKWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
override LENGTH: u32;
override INNER: u32;
${ENTRY}
  let line = index / INNER / LENGTH * INNER + index % INNER;
  dx[index] = select(0.0, dy[line], places[line] == index / INNER % LENGTH);
}`;

/** dy, places → dx */
export const axisMaxGradient = defineKernel<AxisRange & { readonly shape: Shape }>({
  name: 'axisMaxGradient',
  outputs: (_, { shape }) => [{ shape, dtype: 'float32' }],
  twin({ inputs: [dy, places], outputs: [dx] }, _, { shape, ...axes }) {
    const { length, inner } = alongAxes(shape, axes);
    dx.fill(0);
    for (let line = 0; line < dy.length; line++) {
      const start = Math.floor(line / inner) * length * inner + (line % inner);
      dx[start + places[line] * inner] = dy[line];
    }
  },
  wgsl(_, { shape, ...axes }) {
    const { length, inner } = alongAxes(shape, axes);
    return planThreads(BACKWARD, sizeOf(shape), { LENGTH: length, INNER: inner });
  },
  wasm: (_, { shape, ...axes }) => lineCalls('axisMaxGradient', shape, axes),
});

export const maxOp = defineOp<AxisRange>({
  name: 'max',
  forward: (inputs, attributes) => launch(axisMax, inputs, attributes),
  backward: ({ dy, inputs: [x], outputs: [, places], attributes, into }) =>
    launch(axisMaxGradient, [dy, places], { ...attributes, shape: x.shape }, [into[0]]),
});

/** The largest x along axes; ties give their gradient to the first. @throws ShapeError for an axis that x does not have */
export const max = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  reduceAxes('max', x, options, (value, axes) => maxOp.apply([value], axes));

/** Maximum over each picture: x [N,H,W,C] → [N,C]. */
export const globalMaxPool2d = (x: Tensor): Tensor => max(x, { axis: [1, 2] });

// --- samples

const because = 'values are copied';
export const reduceMaxEntry: RegistryEntry = {
  kernels: [
    {
      kernel: axisMax,
      roundings: 0,
      because,
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [wholeNumbers(random, shape)], attributes: randomAxes(random, shape) };
      },
    },
    {
      kernel: axisMaxGradient,
      roundings: 0,
      because,
      sample(random) {
        const shape = anyShape(random);
        const axes = randomAxes(random, shape);
        const { outer, length, inner } = alongAxes(shape, axes);
        const lines = [outer, inner];
        return { inputs: [floats(random, lines), integers(random, lines, length)], attributes: { ...axes, shape } };
      },
    },
  ],
  ops: [
    {
      op: maxOp,
      roundings: 0,
      because,
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [allDifferent(random, shape)], attributes: randomAxes(random, shape) };
      },
    },
  ],
};

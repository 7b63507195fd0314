/**
 * Sum and mean along axes. A tensor is taken as [outer, length, inner] and summed over its middle, times `scale`.
 * Gradient: every element gets its sum's gradient, times `scale`.
 */
import { expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, dispatchThreads, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { split } from '../../tensor/cpu/parts.js';
import { alongAxes, axisRanges, type AxisRange } from './axes.js';
import { floats as floatBytes, sumSlicesCall } from '../shared/wasm-parts.js';
import { reshape } from '../move/reshape.js';
import { busyThreads, partialSums, sumVariants } from '../shared/partial-sums.js';
import { anyShape, between, floats, type RegistryEntry } from '../shared/samples.js';

export interface SumAttributes extends AxisRange {
  readonly scale: number;
}

/** Each thread: scale · the sum of one slice of one line. */
const SLICE_SUMS = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
override LENGTH: u32;
override INNER: u32;
override LINES: u32;
override LENGTH_OF_SLICE: u32;
override SCALE: f32;
${ENTRY}
  let line = index % LINES;
  let slice = index / LINES;
  let start = line / INNER * LENGTH * INNER + line % INNER;
  var sum = 0.0;
  for (var k = slice * LENGTH_OF_SLICE; k < min((slice + 1u) * LENGTH_OF_SLICE, LENGTH); k++) {
    sum += x[start + k * INNER];
  }
  sums[index] = SCALE * sum;
}`;

function slicesOf(x: Shape, axes: AxisRange, variant?: string) {
  const { outer, length, inner } = alongAxes(x, axes);
  const mostSlices = busyThreads(variant) / 64;
  const lines = outer * inner;
  const lengthOfSlice = Math.max(
    64,
    Math.ceil(length / mostSlices),
    Math.ceil((length * lines) / busyThreads(variant)),
  );
  return { length, inner, lines, lengthOfSlice, slices: Math.max(1, Math.ceil(length / lengthOfSlice)) };
}

/** x [outer, length, inner] → sums [outer, inner] */
export const axisSum = defineKernel<SumAttributes>({
  name: 'axisSum',
  outputs: ([x], { first, count }) => [{ shape: [...x.slice(0, first), ...x.slice(first + count)], dtype: 'float32' }],
  twin({ inputs: [x], outputs: [sums] }, { inputs: [shape] }, { scale, ...axes }) {
    const { length, inner } = alongAxes(shape, axes);
    for (let line = 0; line < sums.length; line++) {
      const start = Math.floor(line / inner) * length * inner + (line % inner);
      let total = 0;
      for (let k = 0; k < length; k++) total += x[start + k * inner];
      sums[line] = scale * total;
    }
  },
  variants({ inputs: [x] }, axes, target) {
    const { lines, slices } = slicesOf(x, axes);
    return sumVariants(target, lines, slices);
  },
  wgsl({ inputs: [x] }, { scale, ...axes }, { variant }) {
    const { length, inner, lines, lengthOfSlice, slices } = slicesOf(x, axes, variant);
    return {
      scratch: slices > 1 ? [slices * lines * 4] : [],
      steps: ({ inputs, outputs: [sums] }, [partials]) => [
        dispatchThreads(SLICE_SUMS, slices * lines, [...inputs, partials ?? sums], {
          LENGTH: length,
          INNER: inner,
          LINES: lines,
          LENGTH_OF_SLICE: lengthOfSlice,
          SCALE: scale,
        }),
        ...(partials ? [partialSums(partials, sums, lines, slices, { variant })] : []),
      ],
    };
  },
  wasm({ inputs: [x] }, { scale, ...axes }) {
    const { outer, length, inner } = alongAxes(x, axes);
    // Long lines are cut into slices, for the threads: also where there are many, since a picture's bits do not depend on its batch.
    const lengthOfSlice = Math.ceil(split(length * inner, 4096).chunk / inner);
    const slices = Math.ceil(length / lengthOfSlice);
    return {
      scratch: slices > 1 ? [floatBytes(slices * outer * inner)] : [],
      steps: ({ inputs: [from], outputs: [sums] }, [partials]) => [
        {
          function: 'axisSum',
          parts: slices * outer,
          arguments: [from, partials ?? sums, outer, length, inner, lengthOfSlice, scale],
        },
        ...(partials ? [sumSlicesCall(partials, slices, sums, outer, inner)] : []),
      ],
    };
  },
});

const BROADCAST = /* wgsl */ `
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
override LENGTH: u32;
override INNER: u32;
override SCALE: f32;
${ENTRY}
  x[index] = SCALE * sums[index / INNER / LENGTH * INNER + index % INNER];
}`;

/** sums [outer, inner] → x [outer, length, inner] of a given shape, every element scale · its sum */
export const axisBroadcast = defineKernel<SumAttributes & { readonly shape: Shape }>({
  name: 'axisBroadcast',
  outputs: (_, { shape }) => [{ shape, dtype: 'float32' }],
  twin({ inputs: [sums], outputs: [x] }, _, { scale, shape, ...axes }) {
    const { length, inner } = alongAxes(shape, axes);
    for (let i = 0; i < x.length; i++) x[i] = scale * sums[Math.floor(i / inner / length) * inner + (i % inner)];
  },
  wgsl(_, { scale, shape, ...axes }) {
    const { length, inner } = alongAxes(shape, axes);
    return planThreads(BROADCAST, sizeOf(shape), { LENGTH: length, INNER: inner, SCALE: scale });
  },
  wasm(_, { scale, shape, ...axes }) {
    const { outer, length, inner } = alongAxes(shape, axes);
    const { parts, chunk } = split(outer * length, Math.ceil(4096 / inner));
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'axisBroadcast',
          parts,
          arguments: [...inputs, ...outputs, outer * length, length, inner, chunk, scale],
        },
      ],
    };
  },
});

export const sumOp = defineOp<SumAttributes>({
  name: 'sum',
  forward: (inputs, attributes) => launch(axisSum, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes, into }) =>
    launch(axisBroadcast, [dy], { ...attributes, shape: x.shape }, [into[0]]),
});

export interface ReduceOptions {
  /** Which axes go; negative ones count from the end. Default: all, giving a scalar. */
  axis?: number | readonly number[];
  /** Keeps them with length 1. */
  keepDims?: boolean;
}

/** Applies a reduction of neighbouring axes to all ranges, last first, and restores kept axes. */
export function reduceAxes(
  op: string,
  x: Tensor,
  options: ReduceOptions,
  reduce: (x: Tensor, axes: AxisRange) => Tensor,
): Tensor {
  expectTensor(x, op);
  expectObject(options, `${op}: options`);
  const { axis, keepDims = false } = options;
  const ranges = axisRanges(op, x.shape, axis);
  const reduced = ranges.reduce(reduce, x);
  if (!keepDims) return reduced;
  const gone = new Set(ranges.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)));
  return reshape(
    reduced,
    x.shape.map((length, position) => (gone.has(position) ? 1 : length)),
  );
}

/** Σ x along axes. @throws ShapeError for an axis that x does not have */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  reduceAxes('sum', x, options, (value, axes) => sumOp.apply([value], { ...axes, scale: 1 }));

/** Σ x / count along axes. @throws ShapeError for an axis that x does not have */
export const mean = (x: Tensor, options: ReduceOptions = {}): Tensor =>
  reduceAxes('mean', x, options, (value, axes) =>
    sumOp.apply([value], { ...axes, scale: 1 / alongAxes(value.shape, axes).length }),
  );

/** Mean over each picture: x [N,H,W,C] → [N,C]. */
export const globalAveragePool2d = (x: Tensor): Tensor => mean(x, { axis: [1, 2] });

// --- samples

export function randomAxes(random: { integer(limit: number): number }, shape: Shape): AxisRange {
  const first = random.integer(shape.length);
  return { first, count: 1 + random.integer(shape.length - first) };
}

export const reduceEntry: RegistryEntry = {
  kernels: [
    {
      kernel: axisSum,
      roundings: 64,
      because: 'up to 2,000 values of both signs in slices, one product',
      sample(random) {
        const shape = random.integer(2) ? [between(random, 1, 2000), between(random, 1, 3)] : anyShape(random);
        return { inputs: [floats(random, shape)], attributes: { ...randomAxes(random, shape), scale: 0.7 } };
      },
    },
    {
      kernel: axisBroadcast,
      roundings: 2,
      because: 'the scale is rounded, then one product',
      sample(random) {
        const shape = anyShape(random);
        const axes = randomAxes(random, shape);
        const { outer, inner } = alongAxes(shape, axes);
        return { inputs: [floats(random, [outer, inner])], attributes: { ...axes, scale: 0.7, shape } };
      },
    },
  ],
  ops: [
    {
      op: sumOp,
      roundings: 64,
      because: 'up to 625 values of both signs, one product',
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [floats(random, shape)], attributes: { ...randomAxes(random, shape), scale: 0.7 } };
      },
    },
  ],
};

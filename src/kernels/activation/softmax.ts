/**
 * Softmax over one axis: y_k = e^(x_k − m) / Σ_j e^(x_j − m) with m = max x, so that nothing overflows.
 * Gradient: dx_k = y_k·(dy_k − Σ_j dy_j·y_j). Tensors are taken as [outer, length, inner]; a thread does one line.
 */
import { expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { split } from '../../tensor/cpu/parts.js';
import { exp } from '../../tensor/exact-math.js';
import { defineKernel, ENTRY, planThreads, type Plan, type WasmCall } from '../../tensor/kernel.js';
import type { Shape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { alongAxes, resolveAxis, type AxisRange } from '../reduce/axes.js';
import { EXP } from '../../tensor/math.wgsl.js';
import { anyShape, floats, type RegistryEntry } from '../shared/samples.js';

const HEAD = /* wgsl */ `
override LENGTH: u32;
override INNER: u32;
`;

const FORWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
${HEAD}
${EXP}
${ENTRY}
  let start = index / INNER * LENGTH * INNER + index % INNER;
  var largest = x[start];
  for (var k = 1u; k < LENGTH; k++) { largest = max(largest, x[start + k * INNER]); }
  var sum = 0.0;
  for (var k = 0u; k < LENGTH; k++) {
    let power = exponential(x[start + k * INNER] - largest);
    y[start + k * INNER] = power;
    sum += power;
  }
  for (var k = 0u; k < LENGTH; k++) { y[start + k * INNER] /= sum; }
}`;

const BACKWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
${HEAD}
${ENTRY}
  let start = index / INNER * LENGTH * INNER + index % INNER;
  var sum = 0.0;
  for (var k = 0u; k < LENGTH; k++) { sum = fma(dy[start + k * INNER], y[start + k * INNER], sum); }
  for (var k = 0u; k < LENGTH; k++) {
    let at = start + k * INNER;
    dx[at] = y[at] * (dy[at] - sum);
  }
}`;

const plan = (code: string, shape: Shape, axes: AxisRange) => {
  const { outer, length, inner } = alongAxes(shape, axes);
  return planThreads(code, outer * inner, { LENGTH: length, INNER: inner });
};

function calls(name: string, shape: Shape, axes: AxisRange): Plan<number, WasmCall> {
  const { outer, length, inner } = alongAxes(shape, axes);
  const lines = outer * inner;
  const { parts, chunk } = split(lines, Math.ceil(1024 / length));
  return {
    steps: ({ inputs, outputs }) => [
      { function: name, parts, arguments: [...inputs, ...outputs, lines, length, inner, chunk] },
    ],
  };
}

/** x → y */
export const softmaxForward = defineKernel<AxisRange>({
  name: 'softmax',
  outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
  twin({ inputs: [x], outputs: [y] }, { inputs: [shape] }, axes) {
    const { outer, length, inner } = alongAxes(shape, axes);
    for (let line = 0; line < outer * inner; line++) {
      const start = Math.floor(line / inner) * length * inner + (line % inner);
      let largest = -Infinity;
      for (let k = 0; k < length; k++) largest = Math.max(largest, x[start + k * inner]);
      let sum = 0;
      for (let k = 0; k < length; k++) sum += exp(x[start + k * inner] - largest);
      for (let k = 0; k < length; k++) y[start + k * inner] = exp(x[start + k * inner] - largest) / sum;
    }
  },
  wgsl: ({ inputs: [x] }, axes) => plan(FORWARD, x, axes),
  wasm: ({ inputs: [x] }, axes) => calls('softmax', x, axes),
});

/** dy, y → dx */
export const softmaxGradient = defineKernel<AxisRange>({
  name: 'softmaxGradient',
  outputs: ([dy]) => [{ shape: dy, dtype: 'float32' }],
  twin({ inputs: [dy, y], outputs: [dx] }, { inputs: [shape] }, axes) {
    const { outer, length, inner } = alongAxes(shape, axes);
    for (let line = 0; line < outer * inner; line++) {
      const start = Math.floor(line / inner) * length * inner + (line % inner);
      let sum = 0;
      for (let k = 0; k < length; k++) sum += dy[start + k * inner] * y[start + k * inner];
      for (let k = 0; k < length; k++) {
        const at = start + k * inner;
        dx[at] = y[at] * (dy[at] - sum);
      }
    }
  },
  wgsl: ({ inputs: [dy] }, axes) => plan(BACKWARD, dy, axes),
  wasm: ({ inputs: [dy] }, axes) => calls('softmaxGradient', dy, axes),
});

export const softmaxOp = defineOp<AxisRange>({
  name: 'softmax',
  forward: (inputs, attributes) => launch(softmaxForward, inputs, attributes),
  backward: ({ dy, outputs: [y], attributes }) => launch(softmaxGradient, [dy, y], attributes),
});

/** e^x, divided by its sum along `axis` (default: the last; negative axes count from the end). */
export function softmax(x: Tensor, options: { axis?: number } = {}): Tensor {
  expectTensor(x, 'softmax');
  expectObject(options, 'softmax: options');
  const { axis = -1 } = options;
  const first = resolveAxis('softmax', x.shape, axis);
  return softmaxOp.apply([x], { first, count: 1 });
}

// --- samples

const because = 'own e^x, a sum of up to 5, a quotient';
const oneAxis = (random: { integer(limit: number): number }, shape: Shape): AxisRange => ({
  first: random.integer(shape.length),
  count: 1,
});
export const softmaxEntry: RegistryEntry = {
  kernels: [
    {
      kernel: softmaxForward,
      roundings: 8,
      because,
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [floats(random, shape, -20, 20)], attributes: oneAxis(random, shape) };
      },
    },
    {
      kernel: softmaxGradient,
      roundings: 12,
      because: 'a sum of up to 5 products, two operations',
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [floats(random, shape), floats(random, shape, 0, 1)], attributes: oneAxis(random, shape) };
      },
    },
  ],
  ops: [
    {
      op: softmaxOp,
      roundings: 16,
      because: 'forward, then a sum of up to 5 products that nearly cancels',
      sample(random) {
        const shape = [...anyShape(random), 3]; // along an axis of length 1 the gradient is 0, and any rounding is all of it
        return { inputs: [floats(random, shape)], attributes: { first: shape.length - 1, count: 1 } };
      },
    },
  ],
};

/**
 * Bias: y[m,c] = x[m,c] + b[c], m counting over all axes but the last. dx = dy, db[c] = Σ_m dy[m,c].
 * Convolution and dense layers add their bias in the same pass; their bias gradient is `columnSums` too.
 */
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { partialSums, rowSlices, sumVariants } from '../shared/partial-sums.js';
import { split } from '../../tensor/cpu/parts.js';
import { floats, sumSlicesCall } from '../shared/wasm-parts.js';
import { anyShape, between, floats as randomFloats, type RegistryEntry } from '../shared/samples.js';

/** x, b → y */
export const biasForward = elementwiseKernel({
  name: 'addBias',
  inputs: { x: 'element', bias: 'channel' },
  formula: ([x, bias]) => x.add(bias),
});

/** Each thread: the sum of one column over one slice of rows. */
const COLUMN_SUMS = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
override ROWS: u32;
override CHANNELS: u32;
override ROWS_OF_SLICE: u32;
${ENTRY}
  let channel = index % CHANNELS;
  let slice = index / CHANNELS;
  var sum = 0.0;
  for (var row = slice * ROWS_OF_SLICE; row < min((slice + 1u) * ROWS_OF_SLICE, ROWS); row++) {
    sum += x[row * CHANNELS + channel];
  }
  sums[index] = sum;
}`;

/** x [..., C] → sums [C] */
export const columnSumsKernel = defineKernel<null>({
  name: 'columnSums',
  outputs: ([x]) => [{ shape: [x.at(-1)!], dtype: 'float32' }],
  twin({ inputs: [x], outputs: [sums] }) {
    const channels = sums.length;
    const totals = new Float64Array(channels);
    for (let start = 0; start < x.length; start += channels) {
      for (let channel = 0; channel < channels; channel++) totals[channel] += x[start + channel];
    }
    for (let channel = 0; channel < channels; channel++) sums[channel] = totals[channel]!;
  },
  variants({ inputs: [x] }, _, target) {
    const { channels, slices } = rowSlices(x);
    return sumVariants(target, channels, slices);
  },
  wgsl({ inputs: [x] }, _, { variant }) {
    const { channels, rows, rowsOfSlice, slices } = rowSlices(x, variant);
    const threads = slices * channels;
    return {
      scratch: slices > 1 ? [threads * 4] : [],
      steps: ({ inputs, outputs: [sums] }, [partials]) => [
        dispatchThreads(COLUMN_SUMS, threads, [...inputs, partials ?? sums], {
          ROWS: rows,
          CHANNELS: channels,
          ROWS_OF_SLICE: rowsOfSlice,
        }),
        ...(partials ? [partialSums(partials, sums, channels, slices, { variant })] : []),
      ],
    };
  },
  wasm({ inputs: [x] }) {
    const channels = x.at(-1)!;
    const rows = sizeOf(x) / channels;
    const { parts, chunk } = split(rows, 1024);
    return {
      scratch: [floats(parts * channels)],
      workspace: floats(4 * channels),
      steps: ({ inputs: [from], outputs: [sums] }, [slices]) => [
        { function: 'columnSums', parts, arguments: [from, slices, rows, channels, chunk] },
        sumSlicesCall(slices, parts, sums, 1, channels),
      ],
    };
  },
});

/** Sums over all axes but the last: the gradient of a bias. */
export function columnSums(x: Tensor, into?: Tensor | null): Tensor {
  return launch(columnSumsKernel, [x], null, [into])[0];
}

export const addBiasOp = defineOp<null>({
  name: 'addBias',
  forward: (inputs) => launch(biasForward, inputs, null),
  backward: ({ dy, needs, into }) => [dy, needs[1] && columnSums(dy, into[1])],
});

/** x [..., C] + bias [C]. @throws ShapeError when the bias is not as long as the last axis */
export const addBias = (x: Tensor, bias: Tensor): Tensor => addBiasOp.apply([x, bias], null);

// --- samples

export const biasEntry: RegistryEntry = {
  kernels: [
    {
      kernel: biasForward,
      roundings: 1,
      because: 'one operation',
      sample(random) {
        const count = between(random, 1, 9);
        return {
          inputs: [randomFloats(random, [between(random, 1, 40), count]), randomFloats(random, [count])],
          attributes: null,
        };
      },
    },
    {
      kernel: columnSumsKernel,
      roundings: 64,
      because: 'up to 3,200 values of both signs',
      sample: (random) => ({
        inputs: [randomFloats(random, [between(random, 1, 40), between(random, 1, 80), between(random, 1, 9)])],
        attributes: null,
      }),
    },
  ],
  ops: [
    {
      op: addBiasOp,
      roundings: 16,
      because: 'one operation; up to 125 values added for the bias',
      sample(random) {
        const shape = anyShape(random);
        return { inputs: [randomFloats(random, shape), randomFloats(random, [shape.at(-1)!])], attributes: null };
      },
    },
  ],
};

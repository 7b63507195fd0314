/**
 * How many of many values are NaN or infinite, added to a row of the table of figures: a look at all parameters that needs no
 * read of its own. By bits, since WGSL promises nothing for NaN.
 */
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { splitElements } from '../../tensor/cpu/parts.js';
import { sizeOf } from '../../tensor/shape.js';
import { METRIC_ROWS, METRICS, PARAMETERS_COLUMN } from '../loss/batch-metrics.js';
import { NOT_FINITE } from '../../tensor/math.wgsl.js';
import { between, floats, integers, type RegistryEntry } from '../shared/samples.js';

/** Each thread: one slice. */
const SLICES = /* wgsl */ `
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<f32>;
override SIZE: u32;
override SIZE_OF_SLICE: u32;
${NOT_FINITE}
${ENTRY}
  var count = 0.0;
  for (var i = index * SIZE_OF_SLICE; i < min((index + 1u) * SIZE_OF_SLICE, SIZE); i++) { count += notFinite(values[i]); }
  counts[index] = count;
}`;

const ADD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> counts: array<f32>;
@group(0) @binding(1) var<storage, read> row: array<u32>;
@group(0) @binding(2) var<storage, read_write> table: array<f32>;
override SLICES: u32;
${ENTRY}
  var count = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) { count += counts[slice]; }
  table[row[0] * ${METRICS}u + ${PARAMETERS_COLUMN}u] += count;
}`;

/** values [n], row [1] uint32 → table [rows,5], one cell in place */
export const countNotFinite = defineKernel<null>({
  name: 'countNotFinite',
  inPlace: true,
  outputs: () => [{ shape: [METRIC_ROWS, METRICS], dtype: 'float32' }],
  twin({ inputs: [values, row], outputs: [table] }) {
    let count = 0;
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) count++;
    table[row[0] * METRICS + PARAMETERS_COLUMN] += count;
  },
  wgsl({ inputs: [values] }) {
    const size = sizeOf(values);
    const sizeOfSlice = Math.max(64, Math.ceil(size / 1024));
    const slices = Math.ceil(size / sizeOfSlice);
    return {
      scratch: [slices * 4],
      steps: ({ inputs: [all, row], outputs: [table] }, [counts]) => [
        dispatchThreads(SLICES, slices, [all, counts], { SIZE: size, SIZE_OF_SLICE: sizeOfSlice }),
        dispatchThreads(ADD, 1, [counts, row, table], { SLICES: slices }),
      ],
    };
  },
  wasm({ inputs: [values] }) {
    const { parts, chunk } = splitElements(sizeOf(values));
    return {
      scratch: [parts * 4],
      steps: ({ inputs: [all, row], outputs: [table] }, [counts]) => [
        { function: 'countNotFinite', parts, arguments: [all, counts, sizeOf(values), chunk] },
        { function: 'addCounts', parts: 1, arguments: [counts, parts, row, table] },
      ],
    };
  },
});

// --- samples

export const countNotFiniteEntry: RegistryEntry = {
  kernels: [
    {
      kernel: countNotFinite,
      roundings: 1,
      because: 'whole numbers, added to what is there',
      sample(random) {
        const values = floats(random, [between(random, 1, 5000)]);
        for (const bad of [Number.NaN, Infinity, -Infinity]) values.values[random.integer(values.values.length)] = bad;
        return {
          inputs: [values, integers(random, [1], METRIC_ROWS)],
          attributes: null,
          inPlace: [floats(random, [METRIC_ROWS, METRICS])],
        };
      },
    },
  ],
  ops: [],
};

/**
 * Figures of one batch, left on the device in a row of a table that is read every so often:
 * [mean loss, correct answers, samples, values that are not finite, parameters that are not finite].
 *
 * The last is 0 until `countNotFinite` has looked.
 *
 * With one score a sample an answer is correct when (score > threshold) equals (label > ½): a tie goes to class 0, as
 * Keras' rounding does. With one a class, when the label is the place of the (first) largest.
 */
import { defineKernel, WORKGROUP } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { NOT_FINITE } from '../../tensor/math.wgsl.js';
import { between, floats, integers, labels as randomLabels, type RegistryEntry } from '../shared/samples.js';

/** Numbers in a row … */
export const METRICS = 5;
/** … and the place of the last. */
export const PARAMETERS_COLUMN = 4;
/** Rows of the table: so many steps may run between two reads. */
export const METRIC_ROWS = 64;

export interface BatchMetricsAttributes {
  /** 0 for logits, ½ for probabilities. */
  readonly threshold: number;
}

/** Losses that are added up at a time. */
const PIECE = 64;

// One workgroup: a batch is small. Thread t adds the t-th piece of the losses, the first thread the pieces, in their order.
const BATCH_METRICS = /* wgsl */ `
@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read> row: array<u32>;
@group(0) @binding(4) var<storage, read_write> table: array<f32>;
override SAMPLES: u32;
override LOSSES: u32;
override UNITS: u32;
override THRESHOLD: f32;
var<workgroup> figures: array<vec3f, ${WORKGROUP}>; // sum of losses, correct answers, numbers that are not finite
${NOT_FINITE}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(local_invocation_index) thread: u32) {
  // In pieces, which rounds less than one long sum.
  var total = 0.0;
  for (var first = thread * ${PIECE}u; first < LOSSES; first += ${PIECE * WORKGROUP}u) {
    var sum = 0.0;
    for (var i = first; i < min(first + ${PIECE}u, LOSSES); i++) { sum += loss[i]; }
    total += sum;
  }
  var correct = 0.0;
  var bad = 0.0;
  for (var i = thread; i < SAMPLES; i += ${WORKGROUP}u) {
    var best = 0u;
    for (var unit = 0u; unit < UNITS; unit++) {
      bad += notFinite(scores[i * UNITS + unit]);
      if (scores[i * UNITS + unit] > scores[i * UNITS + best]) { best = unit; }
    }
    if (UNITS == 1u) { best = select(0u, 1u, scores[i] > THRESHOLD); }
    correct += select(0.0, 1.0, best == u32(labels[i] + 0.5));
  }
  figures[thread] = vec3f(total, correct, bad);
  workgroupBarrier();
  if (thread > 0u) { return; }
  var all = figures[0];
  for (var i = 1u; i < ${WORKGROUP}u; i++) { all += figures[i]; }
  let start = row[0] * ${METRICS}u;
  table[start] = all.x / f32(LOSSES);
  table[start + 1u] = all.y;
  table[start + 2u] = f32(SAMPLES);
  table[start + 3u] = all.z + notFinite(all.x);
  table[start + ${PARAMETERS_COLUMN}u] = 0.0;
}`;

/** loss [n] or [] (their mean), scores [n] or [n,units], labels [n], row [1] uint32 → table [rows,5], of which one row is written */
export const batchMetrics = defineKernel<BatchMetricsAttributes>({
  name: 'batchMetrics',
  inPlace: true,
  outputs: () => [{ shape: [METRIC_ROWS, METRICS], dtype: 'float32' }],
  twin({ inputs: [loss, scores, labels, row], outputs: [table] }, _, { threshold }) {
    let correct = 0;
    let total = 0;
    for (let i = 0; i < loss.length; i++) total += loss[i];
    let bad = Number.isFinite(total) ? 0 : 1;
    const units = scores.length / labels.length;
    for (let i = 0; i < scores.length; i++) if (!Number.isFinite(scores[i])) bad++;
    for (let i = 0; i < labels.length; i++) {
      let best = 0;
      for (let unit = 1; unit < units; unit++) if (scores[i * units + unit] > scores[i * units + best]) best = unit;
      if (units === 1) best = scores[i] > threshold ? 1 : 0;
      if (best === Math.floor(labels[i] + 0.5)) correct++;
    }
    [total / loss.length, correct, labels.length, bad, 0].forEach(
      (value, column) => (table[row[0] * METRICS + column] = value),
    );
  },
  wgsl({ inputs: [loss, scores, labels] }, { threshold }) {
    const [SAMPLES] = labels;
    const constants = { SAMPLES, LOSSES: sizeOf(loss), UNITS: sizeOf(scores) / SAMPLES, THRESHOLD: threshold };
    return {
      steps: ({ inputs, outputs }) => [
        { code: BATCH_METRICS, constants, bindings: [...inputs, ...outputs], workgroups: [1, 1, 1] },
      ],
    };
  },
  wasm({ inputs: [loss, scores, [samples]] }, { threshold }) {
    const sizes = [sizeOf(loss), samples, sizeOf(scores) / samples, threshold];
    return {
      steps: ({ inputs, outputs }) => [
        { function: 'batchMetrics', parts: 1, arguments: [...inputs, ...outputs, ...sizes] },
      ],
    };
  },
});

// --- samples

export const batchMetricsEntry: RegistryEntry = {
  kernels: [
    {
      kernel: batchMetrics,
      roundings: 64,
      because: 'the mean of up to 160 losses; counts are whole',
      sample(random) {
        const count = between(random, 1, 40);
        const units = between(random, 1, 4);
        return {
          inputs: [
            floats(random, random.integer(2) ? [] : [4 * count]),
            floats(random, [count, units], -2, 2),
            randomLabels(random, count, Math.max(2, units)),
            integers(random, [1], METRIC_ROWS),
          ],
          attributes: { threshold: 0 },
          inPlace: [floats(random, [METRIC_ROWS, METRICS])],
        };
      },
    },
  ],
  ops: [],
};

/**
 * Categorical cross-entropy per sample on logits z [N,K] and a target distribution t [N,K]:
 *
 *   loss[n] = Σ_k t_k·(log Σ_j e^(z_j − m) + (m − z_k)),  m = max_j z_j;   dz_k = dLoss·(softmax(z)_k·Σ_j t_j − t_k)
 *
 * Finite for all finite z. A thread does one sample.
 */
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { split } from '../../tensor/cpu/parts.js';
import { exp, log } from '../../tensor/exact-math.js';
import { defineKernel, ENTRY, planThreads, type Plan, type WasmCall } from '../../tensor/kernel.js';
import { formatShape, sameShape, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { EXP, isNanFunction, LOG } from '../../tensor/math.wgsl.js';
import { between, floats, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';

const LARGEST_AND_SUM = /* wgsl */ `
  let start = index * CLASSES;
  var largest = z[start];
  for (var k = 1u; k < CLASSES; k++) { largest = max(largest, z[start + k]); }
  var sum = 0.0;
  for (var k = 0u; k < CLASSES; k++) { sum += exponential(z[start + k] - largest); }
`;

const FORWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
override CLASSES: u32;
${EXP}
${LOG}
${isNanFunction('f32')}
${ENTRY}
  ${LARGEST_AND_SUM}
  var total = 0.0;
  for (var k = 0u; k < CLASSES; k++) {
    let share = targets[start + k];
    if (share != 0.0) { total = fma(share, logarithm(sum) + (largest - z[start + k]), total); }
  }
  loss[index] = select(total, sum, isNan(sum)); // the logarithm would hide it
}`;

const BACKWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> d_loss: array<f32>;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;
override CLASSES: u32;
${EXP}
${ENTRY}
  ${LARGEST_AND_SUM}
  var whole = 0.0;
  for (var k = 0u; k < CLASSES; k++) { whole += targets[start + k]; }
  for (var k = 0u; k < CLASSES; k++) {
    dz[start + k] = d_loss[index] * (exponential(z[start + k] - largest) / sum * whole - targets[start + k]);
  }
}`;

/** max z, and Σ e^(z − max), of the sample at `start`. */
function largestAndSum(z: ArrayLike<number>, start: number, classes: number): [number, number] {
  let largest = -Infinity;
  for (let k = 0; k < classes; k++) largest = Math.max(largest, z[start + k]);
  let sum = 0;
  for (let k = 0; k < classes; k++) sum += exp(z[start + k] - largest);
  return [largest, sum];
}

function calls(name: string, [samples, classes]: Shape): Plan<number, WasmCall> {
  const { parts, chunk } = split(samples, Math.ceil(1024 / classes));
  return {
    steps: ({ inputs, outputs }) => [
      { function: name, parts, arguments: [...inputs, ...outputs, samples, classes, chunk] },
    ],
  };
}

/** z [N,K], targets [N,K] → loss [N] */
export const softmaxCrossEntropyForward = defineKernel<null>({
  name: 'softmaxCrossEntropy',
  outputs([z, targets]) {
    if (z.length !== 2 || !sameShape(z, targets))
      throw new ShapeError(
        `softmaxCrossEntropy: expects logits and targets [N,K], got ${formatShape(z)} and ${formatShape(targets)}`,
      );
    return [{ shape: [z[0]], dtype: 'float32' }];
  },
  twin({ inputs: [z, targets], outputs: [loss] }, { inputs: [[, classes]] }) {
    for (let n = 0; n < loss.length; n++) {
      const start = n * classes;
      const [largest, sum] = largestAndSum(z, start, classes);
      let total = Number.isNaN(sum) ? sum : 0;
      for (let k = 0; k < classes; k++) {
        const share = targets[start + k];
        if (share !== 0) total += share * (log(sum) + (largest - z[start + k]));
      }
      loss[n] = total;
    }
  },
  wgsl: ({ inputs: [[samples, classes]] }) => planThreads(FORWARD, samples, { CLASSES: classes }),
  wasm: ({ inputs: [z] }) => calls('softmaxCrossEntropy', z),
});

/** dLoss [N], z [N,K], targets [N,K] → dz */
export const softmaxCrossEntropyGradient = defineKernel<null>({
  name: 'softmaxCrossEntropyGradient',
  outputs: ([, z]) => [{ shape: z, dtype: 'float32' }],
  twin({ inputs: [dLoss, z, targets], outputs: [dz] }, { inputs: [, [, classes]] }) {
    for (let n = 0; n < dLoss.length; n++) {
      const start = n * classes;
      const [largest, sum] = largestAndSum(z, start, classes);
      let whole = 0;
      for (let k = 0; k < classes; k++) whole += targets[start + k];
      for (let k = 0; k < classes; k++) {
        dz[start + k] = dLoss[n] * ((exp(z[start + k] - largest) / sum) * whole - targets[start + k]);
      }
    }
  },
  wgsl: ({ inputs: [, [samples, classes]] }) => planThreads(BACKWARD, samples, { CLASSES: classes }),
  wasm: ({ inputs: [, z] }) => calls('softmaxCrossEntropyGradient', z),
});

export const softmaxCrossEntropyOp = defineOp<null>({
  name: 'softmaxCrossEntropy',
  forward: (inputs) => launch(softmaxCrossEntropyForward, inputs, null),
  backward: ({ dy, inputs: [z, targets] }) => [launch(softmaxCrossEntropyGradient, [dy, z, targets], null)[0], null],
});

/**
 * Loss of each sample [N] from logits z [N,K] and target distributions [N,K] (`oneHot` makes them of labels), which get
 * no gradient.
 * @throws ShapeError when the shapes differ
 */
export const softmaxCrossEntropy = (z: Tensor, targets: Tensor): Tensor =>
  softmaxCrossEntropyOp.apply([z, targets], null);

// --- samples

const because = 'own e^x and log, sums of up to 9';
const shapeOf = (random: { integer(limit: number): number }): Shape => [1 + random.integer(30), 1 + random.integer(9)];
const sample: RegisteredKernel['sample'] = (random) => {
  const shape = shapeOf(random);
  return { inputs: [floats(random, shape, -20, 20), floats(random, shape, 0, 1)], attributes: null };
};
export const softmaxCrossEntropyEntry: RegistryEntry = {
  kernels: [
    { kernel: softmaxCrossEntropyForward, roundings: 16, because, sample },
    {
      kernel: softmaxCrossEntropyGradient,
      roundings: 24,
      because,
      sample(random) {
        const { inputs } = sample(random);
        return { inputs: [floats(random, [inputs[0].shape[0]]), ...inputs], attributes: null };
      },
    },
  ],
  ops: [
    {
      op: softmaxCrossEntropyOp,
      roundings: 32,
      because,
      constants: [1],
      sample(random) {
        const shape = [between(random, 1, 9), between(random, 2, 9)]; // one class alone has no gradient but roundings
        return { inputs: [floats(random, shape, -3, 3), floats(random, shape, 0, 1)], attributes: null };
      },
    },
  ],
};

/** From class indices to what losses take: one-hot rows (smoothed, if wanted), and a weight for each sample. No gradients. */
import { expectCount, expectNumber, expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { between, elementwise, floats, labels, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';

export interface OneHotAttributes {
  readonly classes: number;
  readonly smoothing: number;
}

const ONE_HOT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> labels: array<f32>;
@group(0) @binding(1) var<storage, read_write> targets: array<f32>;
override CLASSES: u32;
override HIT: f32;
override MISS: f32;
${ENTRY}
  targets[index] = select(MISS, HIT, u32(labels[index / CLASSES]) == index % CLASSES);
}`;

/** The two values of a smoothed row: (1 − s) + s/K and s/K. */
const hitAndMiss = ({ classes, smoothing }: OneHotAttributes) => ({
  hit: 1 - smoothing + smoothing / classes,
  miss: smoothing / classes,
});

/** labels [N] → targets [N,K] */
export const oneHotKernel = defineKernel<OneHotAttributes>({
  name: 'oneHot',
  outputs: ([[samples]], { classes }) => [{ shape: [samples, classes], dtype: 'float32' }],
  twin({ inputs: [given], outputs: [targets] }, _, attributes) {
    const { hit, miss } = hitAndMiss(attributes);
    for (let i = 0; i < targets.length; i++)
      targets[i] = given[Math.floor(i / attributes.classes)] === i % attributes.classes ? hit : miss;
  },
  wgsl({ inputs: [[samples]] }, attributes) {
    const { hit, miss } = hitAndMiss(attributes);
    const { classes } = attributes;
    return planThreads(ONE_HOT, samples * classes, { CLASSES: classes, HIT: hit, MISS: miss });
  },
  wasm({ inputs: [[samples]] }, attributes) {
    const { hit, miss } = hitAndMiss(attributes);
    const sizes = [samples, attributes.classes, hit, miss];
    return {
      steps: ({ inputs, outputs }) => [{ function: 'oneHot', parts: 1, arguments: [...inputs, ...outputs, ...sizes] }],
    };
  },
});

/** labels y → y·(1 − s) + s/2 */
export const smoothLabelsKernel = elementwiseKernel<{ readonly smoothing: number }>({
  name: 'smoothLabels',
  inputs: 1,
  formula: ([y], { smoothing }) => y.multiply(1 - smoothing).add(0.5 * smoothing),
});

const CLASS_WEIGHTS = /* wgsl */ `
@group(0) @binding(0) var<storage, read> labels: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
${ENTRY}
  output[index] = weights[u32(labels[index])];
}`;

/** labels [N], weights [K] → weight of each sample [N] */
export const classWeightsKernel = defineKernel<null>({
  name: 'classWeights',
  outputs: ([given]) => [{ shape: given, dtype: 'float32' }],
  twin({ inputs: [given, weights], outputs: [output] }) {
    for (let n = 0; n < output.length; n++) output[n] = weights[given[n]];
  },
  wgsl: ({ inputs: [[samples]] }) => planThreads(CLASS_WEIGHTS, samples),
  wasm: ({ inputs: [[samples]] }) => ({
    steps: ({ inputs, outputs }) => [
      { function: 'classWeights', parts: 1, arguments: [...inputs, ...outputs, samples] },
    ],
  }),
});

export const oneHotOp = defineOp<OneHotAttributes>({
  name: 'oneHot',
  forward: (inputs, attributes) => launch(oneHotKernel, inputs, attributes),
  backward: null,
});

export const smoothLabelsOp = defineOp<{ readonly smoothing: number }>({
  name: 'smoothLabels',
  forward: (inputs, attributes) => launch(smoothLabelsKernel, inputs, attributes),
  backward: null,
});

export const classWeightsOp = defineOp<null>({
  name: 'classWeights',
  forward: (inputs) => launch(classWeightsKernel, inputs, null),
  backward: null,
});

/** Class indices [N] → rows [N, classes] with 1 at the class; with smoothing s, 1 − s + s/K there and s/K elsewhere. */
export function oneHot(given: Tensor, options: { classes: number; smoothing?: number }): Tensor {
  expectObject(options, 'oneHot: options');
  const { classes, smoothing = 0 } = options;
  expectCount(classes, 'oneHot: classes');
  expectNumber(smoothing, 'oneHot: smoothing');
  return oneHotOp.apply([given], { classes, smoothing });
}

/** Labels 0 or 1 → s/2 or 1 − s/2. */
export function smoothLabels(given: Tensor, options: { smoothing: number }): Tensor {
  expectObject(options, 'smoothLabels: options');
  const { smoothing } = options;
  expectNumber(smoothing, 'smoothLabels: smoothing');
  return smoothLabelsOp.apply([given], { smoothing });
}

/** Class indices [N] and weights of the classes [K] → the weight of each sample [N]. */
export const classWeights = (given: Tensor, weights: Tensor): Tensor => classWeightsOp.apply([given, weights], null);

// --- samples

const exact = { roundings: 1, because: 'values are copied' };
const oneHotSample: RegisteredKernel['sample'] = (random) => {
  const classes = between(random, 1, 9);
  return {
    inputs: [labels(random, between(random, 1, 40), classes)],
    attributes: { classes, smoothing: random.uniform(0, 0.5) },
  };
};
const weightsSample: RegisteredKernel['sample'] = (random) => {
  const classes = between(random, 1, 9);
  return { inputs: [labels(random, between(random, 1, 40), classes), floats(random, [classes])], attributes: null };
};
const smoothing = () => ({ smoothing: 0.1 });
const smooth = { roundings: 2, because: 'two operations' };
export const labelEntry: RegistryEntry = {
  kernels: [
    { kernel: oneHotKernel, ...exact, sample: oneHotSample },
    { kernel: classWeightsKernel, ...exact, roundings: 0, sample: weightsSample },
    elementwise(smoothLabelsKernel, 1, smooth, { low: 0, high: 1, attributes: smoothing }),
  ],
  ops: [
    { op: oneHotOp, ...exact, sample: oneHotSample },
    { op: classWeightsOp, ...exact, roundings: 0, sample: weightsSample },
    {
      op: smoothLabelsOp,
      ...smooth,
      sample: (random) => ({ inputs: [labels(random, 30)], attributes: smoothing() }),
    },
  ],
};

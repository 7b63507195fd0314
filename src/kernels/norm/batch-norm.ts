/**
 * Batch normalization over all axes but the last (Ioffe and Szegedy, arXiv:1502.03167), rows m = 1 … M, channels c:
 *
 *   μ[c] = Σ_m x[m,c] / M,  σ²[c] = Σ_m (x[m,c] − μ[c])² / M   (biased; two passes, so that a large μ costs no digits)
 *   x̂ = (x − μ) / √(σ² + ε),  y = γ·x̂ + β
 *
 * Training uses the batch's μ and σ², and moves the running ones: r ← momentum·r + (1 − momentum)·batch. Its gradients:
 *
 *   dβ = Σ_m dy,  dγ = Σ_m dy·x̂,  dx = γ / √(σ² + ε) · (dy − dβ/M − x̂·dγ/M)
 *
 * Inference uses the running statistics as constants: dx = γ / √(σ² + ε) · dy, dβ and dγ as above.
 */
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, dispatchThreads, ENTRY, planThreads } from '../../tensor/kernel.js';
import type { BufferView, Dispatch, Numbers } from '../../tensor/kernel.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { BUSY_THREADS, partialSums } from '../shared/partial-sums.js';
import { between, channels as randomChannels, floats, type RegistryEntry } from '../shared/samples.js';
import type { SampleTensor } from '../shared/samples.js';
import type { Random } from '../../tensor/random.js';

export interface BatchNormAttributes {
  readonly epsilon: number;
}

const sizes = (x: Shape) => ({ rows: sizeOf(x) / x.at(-1)!, channels: x.at(-1)! });

/** @throws ShapeError unless each of `vectors` is [C] */
function checkVectors(x: Shape, vectors: Readonly<Record<string, Shape>>): void {
  for (const [name, shape] of Object.entries(vectors)) {
    if (shape.length !== 1 || shape[0] !== x.at(-1))
      throw new ShapeError(`batchNorm: ${name} expects [${x.at(-1)}], got ${formatShape(shape)} (x ${formatShape(x)})`);
  }
}

/** Each thread: SCALE · the sum of an expression down one channel, over one slice of rows. */
const columnShader = (inputs: readonly string[], expression: string): string => /* wgsl */ `
${inputs.map((name, binding) => `@group(0) @binding(${binding}) var<storage, read> ${name}: array<f32>;`).join('\n')}
@group(0) @binding(${inputs.length}) var<storage, read_write> sums: array<f32>;
override ROWS: u32;
override CHANNELS: u32;
override ROWS_OF_SLICE: u32;
override SCALE: f32;
override EPSILON: f32;
${ENTRY}
  let c = index % CHANNELS;
  let slice = index / CHANNELS;
  var sum = 0.0;
  for (var row = slice * ROWS_OF_SLICE; row < min((slice + 1u) * ROWS_OF_SLICE, ROWS); row++) {
    let at = row * CHANNELS + c;
    sum += ${expression};
  }
  sums[index] = SCALE * sum;
}`;

const SUMS = {
  mean: columnShader(['x'], 'x[at]'),
  variance: columnShader(['x', 'mean'], '(x[at] - mean[c]) * (x[at] - mean[c])'),
  beta: columnShader(['dy'], 'dy[at]'),
  gamma: columnShader(['dy', 'x', 'mean', 'variance'], 'dy[at] * ((x[at] - mean[c]) / sqrt(variance[c] + EPSILON))'),
};

/** How the rows are divided: scratch for the slices' sums, and the dispatches of one sum. */
function columnSums(x: Shape, epsilon: number) {
  const { rows, channels } = sizes(x);
  const rowsOfSlice = Math.max(32, Math.ceil((rows * channels) / BUSY_THREADS));
  const slices = Math.max(1, Math.ceil(rows / rowsOfSlice));
  return {
    scratch: slices > 1 ? [slices * channels * 4] : [],
    sum: (
      code: string,
      inputs: readonly BufferView[],
      output: BufferView,
      [partials]: readonly BufferView[],
      scale = 1,
    ): Dispatch[] => [
      dispatchThreads(code, slices * channels, [...inputs, partials ?? output], {
        ROWS: rows,
        CHANNELS: channels,
        ROWS_OF_SLICE: rowsOfSlice,
        SCALE: scale,
        EPSILON: epsilon,
      }),
      ...(partials ? [partialSums(partials, output, channels, slices)] : []),
    ],
  };
}

/** Calls `visit` for every element with its channel. */
function forEachElement(x: Numbers, channels: number, visit: (at: number, channel: number) => void): void {
  for (let at = 0, c = 0; at < x.length; at++) {
    visit(at, c);
    if (++c === channels) c = 0;
  }
}

/** x [..., C] → mean [C], biased variance [C] */
export const batchMoments = defineKernel<null>({
  name: 'batchMoments',
  outputs: ([x]) => [0, 1].map(() => ({ shape: [x.at(-1)!], dtype: 'float32' })),
  twin({ inputs: [x], outputs: [mean, variance] }, { inputs: [shape] }) {
    const { rows, channels } = sizes(shape);
    const totals = new Float64Array(channels);
    forEachElement(x, channels, (at, c) => (totals[c] += x[at]));
    totals.forEach((total, c) => (mean[c] = total / rows));
    totals.fill(0);
    forEachElement(x, channels, (at, c) => (totals[c] += (x[at] - mean[c]) ** 2));
    totals.forEach((total, c) => (variance[c] = total / rows));
  },
  wgsl({ inputs: [shape] }) {
    const { scratch, sum } = columnSums(shape, 0);
    const { rows } = sizes(shape);
    return {
      scratch,
      steps: ({ inputs: [x], outputs: [mean, variance] }, partials) => [
        ...sum(SUMS.mean, [x], mean, partials, 1 / rows),
        ...sum(SUMS.variance, [x, mean], variance, partials, 1 / rows),
      ],
    };
  },
});

const NORMALIZE = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
override CHANNELS: u32;
override EPSILON: f32;
${ENTRY}
  let c = index % CHANNELS;
  y[index] = (x[index] - mean[c]) / sqrt(variance[c] + EPSILON) * gamma[c] + beta[c];
}`;

/** x [..., C], γ [C], β [C], mean [C], variance [C] → y */
export const batchNormalize = defineKernel<BatchNormAttributes>({
  name: 'batchNormalize',
  outputs([x, gamma, beta, mean, variance]) {
    checkVectors(x, { gamma, beta, mean, variance });
    return [{ shape: x, dtype: 'float32' }];
  },
  twin({ inputs: [x, gamma, beta, mean, variance], outputs: [y] }, _, { epsilon }) {
    forEachElement(x, gamma.length, (at, c) => {
      y[at] = ((x[at] - mean[c]) / Math.sqrt(variance[c] + epsilon)) * gamma[c] + beta[c];
    });
  },
  wgsl: ({ inputs: [x, gamma] }, { epsilon }) =>
    planThreads(NORMALIZE, sizeOf(x), { CHANNELS: gamma[0], EPSILON: epsilon }),
});

/** dy, x [..., C], mean [C], variance [C] → dγ [C], dβ [C] */
export const batchNormParameterGradients = defineKernel<BatchNormAttributes>({
  name: 'batchNormParameterGradients',
  outputs: ([x]) => [0, 1].map(() => ({ shape: [x.at(-1)!], dtype: 'float32' })),
  twin({ inputs: [dy, x, mean, variance], outputs: [dGamma, dBeta] }, _, { epsilon }) {
    const channels = mean.length;
    const gammas = new Float64Array(channels);
    const betas = new Float64Array(channels);
    forEachElement(x, channels, (at, c) => {
      gammas[c] += (dy[at] * (x[at] - mean[c])) / Math.sqrt(variance[c] + epsilon);
      betas[c] += dy[at];
    });
    for (let c = 0; c < channels; c++) {
      dGamma[c] = gammas[c];
      dBeta[c] = betas[c];
    }
  },
  wgsl({ inputs: [shape] }, { epsilon }) {
    const { scratch, sum } = columnSums(shape, epsilon);
    return {
      scratch,
      steps: ({ inputs: [dy, x, mean, variance], outputs: [dGamma, dBeta] }, partials) => [
        ...sum(SUMS.gamma, [dy, x, mean, variance], dGamma, partials),
        ...sum(SUMS.beta, [dy], dBeta, partials),
      ],
    };
  },
});

const INPUT_GRADIENT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read> d_gamma: array<f32>;
@group(0) @binding(6) var<storage, read> d_beta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
override CHANNELS: u32;
override EPSILON: f32;
override ROWS: f32;
${ENTRY}
  let c = index % CHANNELS;
  let deviation = sqrt(variance[c] + EPSILON);
  let normalized = (x[index] - mean[c]) / deviation;
  dx[index] = gamma[c] / deviation * (dy[index] - d_beta[c] / ROWS - normalized * (d_gamma[c] / ROWS));
}`;

/** dy, x [..., C], γ, mean, variance, dγ, dβ [C] → dx, through the batch's own statistics */
export const batchNormInputGradient = defineKernel<BatchNormAttributes>({
  name: 'batchNormInputGradient',
  outputs: ([dy]) => [{ shape: dy, dtype: 'float32' }],
  twin({ inputs: [dy, x, gamma, mean, variance, dGamma, dBeta], outputs: [dx] }, { inputs: [shape] }, { epsilon }) {
    const { rows, channels } = sizes(shape);
    forEachElement(x, channels, (at, c) => {
      const deviation = Math.sqrt(variance[c] + epsilon);
      const normalized = (x[at] - mean[c]) / deviation;
      dx[at] = (gamma[c] / deviation) * (dy[at] - dBeta[c] / rows - (normalized * dGamma[c]) / rows);
    });
  },
  wgsl({ inputs: [x] }, { epsilon }) {
    const { rows, channels } = sizes(x);
    return planThreads(INPUT_GRADIENT, sizeOf(x), { CHANNELS: channels, EPSILON: epsilon, ROWS: rows });
  },
});

const INFERENCE_GRADIENT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
override CHANNELS: u32;
override EPSILON: f32;
${ENTRY}
  let c = index % CHANNELS;
  dx[index] = dy[index] * (gamma[c] / sqrt(variance[c] + EPSILON));
}`;

/** dy [..., C], γ [C], variance [C] → dx, the statistics being constants */
export const batchNormInferenceGradient = defineKernel<BatchNormAttributes>({
  name: 'batchNormInferenceGradient',
  outputs: ([dy]) => [{ shape: dy, dtype: 'float32' }],
  twin({ inputs: [dy, gamma, variance], outputs: [dx] }, _, { epsilon }) {
    forEachElement(dy, gamma.length, (at, c) => (dx[at] = (dy[at] * gamma[c]) / Math.sqrt(variance[c] + epsilon)));
  },
  wgsl: ({ inputs: [dy, gamma] }, { epsilon }) =>
    planThreads(INFERENCE_GRADIENT, sizeOf(dy), { CHANNELS: gamma[0], EPSILON: epsilon }),
});

const MOVING_AVERAGE = /* wgsl */ `
@group(0) @binding(0) var<storage, read> mean: array<f32>;
@group(0) @binding(1) var<storage, read> variance: array<f32>;
@group(0) @binding(2) var<storage, read_write> moving_mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> moving_variance: array<f32>;
override MOMENTUM: f32;
override REST: f32;              // 1 − momentum, rounded once
override REST_OF_VARIANCE: f32;  // the same, times n / (n − 1) for the unbiased variance
${ENTRY}
  moving_mean[index] = MOMENTUM * moving_mean[index] + REST * mean[index];
  moving_variance[index] = MOMENTUM * moving_variance[index] + REST_OF_VARIANCE * variance[index];
}`;

export interface MovingAttributes {
  readonly momentum: number;
  /** n / (n − 1) where the running variance is to be the unbiased one, else 1. */
  readonly correction: number;
}

/** mean [C], variance [C] → moving mean [C], moving variance [C], both in place */
export const movingStatistics = defineKernel<MovingAttributes>({
  name: 'movingStatistics',
  inPlace: true,
  outputs: ([mean]) => [0, 1].map(() => ({ shape: mean, dtype: 'float32' })),
  twin({ inputs: [mean, variance], outputs: [movingMean, movingVariance] }, _, { momentum, correction }) {
    for (let c = 0; c < mean.length; c++) {
      movingMean[c] = momentum * movingMean[c] + (1 - momentum) * mean[c];
      movingVariance[c] = momentum * movingVariance[c] + (1 - momentum) * correction * variance[c];
    }
  },
  wgsl: ({ inputs: [mean] }, { momentum, correction }) =>
    planThreads(MOVING_AVERAGE, sizeOf(mean), {
      MOMENTUM: momentum,
      REST: 1 - momentum,
      REST_OF_VARIANCE: (1 - momentum) * correction,
    }),
});

/** Running statistics that training moves along; no part of what is differentiated. */
export interface MovingStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly momentum: number;
  readonly unbiased: boolean;
}

export interface BatchNormTrainingAttributes extends BatchNormAttributes {
  readonly moving: MovingStatistics | null;
}

export const batchNormTrainingOp = defineOp<BatchNormTrainingAttributes>({
  name: 'batchNormTraining',
  forward([x, gamma, beta], { epsilon, moving }) {
    const [mean, variance] = launch(batchMoments, [x], null);
    if (moving) {
      const { rows } = sizes(x.shape);
      const correction = moving.unbiased && rows > 1 ? rows / (rows - 1) : 1;
      const places = [moving.mean, moving.variance];
      launch(movingStatistics, [mean, variance], { momentum: moving.momentum, correction }, places);
    }
    const [y] = launch(batchNormalize, [x, gamma, beta, mean, variance], { epsilon });
    return [y, mean, variance];
  },
  backward({ dy, inputs: [x, gamma], outputs: [, mean, variance], attributes: { epsilon }, needs, into }) {
    const statistics = [mean, variance];
    const [dGamma, dBeta] = launch(batchNormParameterGradients, [dy, x, ...statistics], { epsilon }, [
      into[1],
      into[2],
    ]);
    const inputs = [dy, x, gamma, ...statistics, dGamma, dBeta];
    return [needs[0] && launch(batchNormInputGradient, inputs, { epsilon }, [into[0]])[0], dGamma, dBeta];
  },
});

export const batchNormInferenceOp = defineOp<BatchNormAttributes>({
  name: 'batchNormInference',
  forward: (inputs, attributes) => launch(batchNormalize, inputs, attributes),
  backward({ dy, inputs: [x, gamma, , mean, variance], attributes, needs, into }) {
    const [dGamma, dBeta] =
      needs[1] || needs[2]
        ? launch(batchNormParameterGradients, [dy, x, mean, variance], attributes, [into[1], into[2]])
        : [];
    return [
      needs[0] && launch(batchNormInferenceGradient, [dy, gamma, variance], attributes, [into[0]])[0],
      ...[dGamma, dBeta].map((gradient) => gradient ?? null),
      null,
      null, // constants: a gradient of theirs would be silently wrong, so it is refused
    ];
  },
});

/**
 * Batch normalization as in training: x [..., C] by its own mean and variance, then γ and β [C].
 *
 * @param options.epsilon default 1e-3, Keras'
 * @param options.moving running statistics, moved in place
 * @throws ShapeError when γ or β is not [C]
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { epsilon = 1e-3, moving = null }: { epsilon?: number; moving?: MovingStatistics | null } = {},
): Tensor {
  return batchNormTrainingOp.apply([x, gamma, beta], { epsilon, moving });
}

/**
 * Batch normalization by given statistics, as in inference. Mean and variance have no gradient.
 * @throws ShapeError when a vector is not [C]
 */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  mean: Tensor,
  variance: Tensor,
  { epsilon = 1e-3 }: { epsilon?: number } = {},
): Tensor {
  return batchNormInferenceOp.apply([x, gamma, beta, mean, variance], { epsilon });
}

// --- samples

const epsilon = 1e-3;
const shapeOf = (random: Random): Shape => [between(random, 1, 9), between(random, 2, 40), randomChannels(random)];
const vector = (random: Random, x: Shape, low = -1, high = 1): SampleTensor => floats(random, [x.at(-1)!], low, high);
const sums = { roundings: 64, because: 'two passes of up to 360 values in slices; a root, a quotient' };
const few = { roundings: 16, because: 'a root, two quotients, five other operations' };
export const batchNormEntry: RegistryEntry = {
  kernels: [
    {
      kernel: batchMoments,
      ...sums,
      sample: (random) => ({ inputs: [floats(random, shapeOf(random), 2, 4)], attributes: null }),
    },
    {
      kernel: batchNormalize,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return {
          inputs: [floats(random, x), vector(random, x), vector(random, x), ...statistics],
          attributes: { epsilon },
        };
      },
    },
    {
      kernel: batchNormParameterGradients,
      ...sums,
      sample(random) {
        const x = shapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return { inputs: [floats(random, x), floats(random, x), ...statistics], attributes: { epsilon } };
      },
    },
    {
      kernel: batchNormInputGradient,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        const vectors = [vector(random, x), vector(random, x), vector(random, x, 0.1, 2)];
        const gradients = [vector(random, x, -9, 9), vector(random, x, -9, 9)];
        return { inputs: [floats(random, x), floats(random, x), ...vectors, ...gradients], attributes: { epsilon } };
      },
    },
    {
      kernel: batchNormInferenceGradient,
      ...few,
      sample(random) {
        const x = shapeOf(random);
        return { inputs: [floats(random, x), vector(random, x), vector(random, x, 0.1, 2)], attributes: { epsilon } };
      },
    },
    {
      kernel: movingStatistics,
      roundings: 4,
      because: 'two products, a sum',
      sample(random) {
        const shape = [between(random, 1, 90)];
        return {
          inputs: [floats(random, shape), floats(random, shape, 0, 1)],
          attributes: { momentum: 0.99, correction: random.uniform(1, 2) },
          inPlace: [floats(random, shape), floats(random, shape, 0, 1)],
        };
      },
    },
  ],
  ops: [
    {
      op: batchNormTrainingOp,
      roundings: 256,
      because: 'forward and sums; dx is a difference that nearly cancels',
      sample(random) {
        const x = shapeOf(random);
        return {
          inputs: [floats(random, x), vector(random, x, 0.5, 2), vector(random, x)],
          attributes: { epsilon, moving: null },
        };
      },
    },
    {
      op: batchNormInferenceOp,
      ...sums,
      constants: [3, 4],
      sample(random) {
        const x = shapeOf(random);
        const statistics = [vector(random, x), vector(random, x, 0.1, 2)];
        return {
          inputs: [floats(random, x), vector(random, x), vector(random, x), ...statistics],
          attributes: { epsilon },
        };
      },
    },
  ],
};

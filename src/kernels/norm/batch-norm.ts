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
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import type { BufferView, Dispatch, Numbers } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { split } from '../../tensor/cpu/parts.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { floats as floatBytes } from '../shared/wasm-parts.js';
import { BUSY_THREADS, partialSums } from '../shared/partial-sums.js';
import { between, channels as randomChannels, floats, type RegistryEntry } from '../shared/samples.js';
import type { SampleTensor } from '../shared/samples.js';
import type { Random } from '../../tensor/random.js';

export interface BatchNormAttributes {
  readonly epsilon: number;
}

const sizes = (x: Shape) => ({ rows: sizeOf(x) / x.at(-1)!, channels: x.at(-1)! });

/** How WebAssembly divides the rows: lines of `width` values hold whole rows and whole vectors (see wasm/batch-norm.ts). */
function linesOf(x: Shape) {
  const { rows, channels } = sizes(x);
  let width = channels;
  while (width % 16 !== 0) width *= 2;
  const rowsOfLine = width / channels;
  const { parts, chunk } = split(rows, Math.ceil(4096 / width) * rowsOfLine, rowsOfLine);
  return { rows, channels, width, parts, chunk };
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
  wasm({ inputs: [shape] }) {
    const { rows, channels, width, parts, chunk } = linesOf(shape);
    return {
      scratch: [floatBytes(2 * parts * width), floatBytes(2 * parts * width)],
      steps: ({ inputs: [x], outputs }, [moments, lines]) => [
        { function: 'batchMoments', parts, arguments: [x, moments, rows, channels, width, chunk, lines] },
        { function: 'finishMoments', parts: 1, arguments: [moments, parts, rows, channels, width, chunk, ...outputs] },
      ],
    };
  },
});

/** x [..., C], γ [C], β [C], mean [C], variance [C] → y */
export const batchNormalize = elementwiseKernel<BatchNormAttributes>({
  name: 'batchNormalize',
  inputs: { x: 'element', gamma: 'channel', beta: 'channel', mean: 'channel', variance: 'channel' },
  formula: ([x, gamma, beta, mean, variance], { epsilon }) =>
    x
      .subtract(mean)
      .multiply(gamma.divide(variance.add(epsilon).sqrt()))
      .add(beta),
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
  wasm({ inputs: [shape] }, { epsilon }) {
    const { rows, channels, width, parts, chunk } = linesOf(shape);
    return {
      scratch: [floatBytes(2 * parts * width), floatBytes(parts * width)],
      steps: ({ inputs: [dy, x, mean, variance], outputs }, [sums, lines]) => [
        { function: 'batchNormSums', parts, arguments: [dy, x, mean, sums, rows, channels, width, chunk, lines] },
        {
          function: 'finishBatchNormSums',
          parts: 1,
          arguments: [sums, parts, channels, width, variance, epsilon, ...outputs],
        },
      ],
    };
  },
});

/** dy, x [..., C], γ, mean, variance, dγ, dβ [C] → dx, through the batch's own statistics */
export const batchNormInputGradient = elementwiseKernel<BatchNormAttributes & { readonly rows: number }>({
  name: 'batchNormInputGradient',
  inputs: {
    dy: 'element',
    x: 'element',
    gamma: 'channel',
    mean: 'channel',
    variance: 'channel',
    dGamma: 'channel',
    dBeta: 'channel',
  },
  formula([dy, x, gamma, mean, variance, dGamma, dBeta], { epsilon, rows }) {
    const deviation = variance.add(epsilon).sqrt();
    const slope = dGamma.divide(rows).divide(deviation);
    const centred = dy.subtract(dBeta.divide(rows)).subtract(x.subtract(mean).multiply(slope));
    return centred.multiply(gamma.divide(deviation));
  },
});

/** dy [..., C], γ [C], variance [C] → dx, the statistics being constants */
export const batchNormInferenceGradient = elementwiseKernel<BatchNormAttributes>({
  name: 'batchNormInferenceGradient',
  inputs: { dy: 'element', gamma: 'channel', variance: 'channel' },
  formula: ([dy, gamma, variance], { epsilon }) => dy.multiply(gamma.divide(variance.add(epsilon).sqrt())),
});

export interface MovingAttributes {
  readonly momentum: number;
  /** n / (n − 1) where the running variance is to be the unbiased one, else 1. */
  readonly correction: number;
}

/** mean [C], variance [C] → moving mean [C], moving variance [C], both in place */
export const movingStatistics = elementwiseKernel<MovingAttributes>({
  name: 'movingStatistics',
  inputs: 2,
  inPlace: 2,
  formula: ([mean, variance], { momentum, correction }, [movingMean, movingVariance]) => [
    movingMean.multiply(momentum).add(mean.multiply(1 - momentum)),
    movingVariance.multiply(momentum).add(variance.multiply((1 - momentum) * correction)),
  ],
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
    const { rows } = sizes(x.shape);
    return [needs[0] && launch(batchNormInputGradient, inputs, { epsilon, rows }, [into[0]])[0], dGamma, dBeta];
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
        const { rows } = sizes(x);
        return {
          inputs: [floats(random, x), floats(random, x), ...vectors, ...gradients],
          attributes: { epsilon, rows },
        };
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

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
 * Inference uses the running statistics as constants: dx = γ / √(σ² + ε) · dy, dβ and dγ as above. A relu that follows is done in
 * the same passes: dy is then 0 where y ≤ 0, and y is computed from x again rather than read.
 */
import { expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { batchShare, type BatchShare } from '../../tensor/batch-share.js';
import { copyKernel, elementwiseKernel } from '../../tensor/elementwise.js';
import { square } from '../../tensor/exact-math.js';
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import type { BufferView, Dispatch, Numbers } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { split } from '../../tensor/cpu/parts.js';
import { notAbove } from '../../tensor/math.wgsl.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { reluGradient } from '../activation/relu.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { floats as floatBytes } from '../shared/wasm-parts.js';
import { partialSums, rowSlices, sumVariants } from '../shared/partial-sums.js';

export interface BatchNormAttributes {
  readonly epsilon: number;
}

/** With an activation of y that is computed in the same pass; its gradient needs no more than x either. */
export interface ActivatedAttributes extends BatchNormAttributes {
  readonly activation: FusedActivation;
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

/** Sums down the channels, by threads that each take one channel of a slice of rows. */
interface ColumnSums {
  readonly inputs: readonly string[];
  /** What depends on the channel `c` alone. */
  readonly channel?: string;
  /** Declares the values of element `at`. */
  readonly element?: string;
  /** What is summed, and what becomes of each slice's `sum`. */
  readonly values: readonly string[];
  readonly results: readonly ((sum: string) => string)[];
}

const columnShader = ({ inputs, channel = '', element = '', values, results }: ColumnSums): string => /* wgsl */ `
${inputs.map((name, binding) => `@group(0) @binding(${binding}) var<storage, read> ${name}: array<f32>;`).join('\n')}
@group(0) @binding(${inputs.length}) var<storage, read_write> sums: array<f32>;
override ROWS: u32;
override CHANNELS: u32;
override ROWS_OF_SLICE: u32;
override EPSILON: f32;
${ENTRY}
  let c = index % CHANNELS;
  let slice = index / CHANNELS;
  ${channel}
  ${values.map((_, k) => `var sum_${k} = 0.0;`).join('\n  ')}
  for (var row = slice * ROWS_OF_SLICE; row < min((slice + 1u) * ROWS_OF_SLICE, ROWS); row++) {
    let at = row * CHANNELS + c;
    ${element}
    ${values.map((value, k) => `sum_${k} += ${value};`).join('\n    ')}
  }
  ${results.map((result, k) => `sums[slice * ${results.length}u * CHANNELS + ${k}u * CHANNELS + c] = ${result(`sum_${k}`)};`).join('\n  ')}
}`;

const asItIs = (sum: string): string => sum;
const overRows = (sum: string): string => `${sum} / f32(ROWS)`;
const CENTRED = 'let centred = x[at] - centre;';
const SUMS = {
  mean: columnShader({ inputs: ['x'], values: ['x[at]'], results: [overRows] }),
  variance: columnShader({
    inputs: ['x', 'mean'],
    channel: 'let centre = mean[c];',
    element: CENTRED,
    values: ['centred * centred'],
    results: [overRows],
  }),
  gradients: {
    linear: columnShader({
      inputs: ['dy', 'x', 'mean', 'variance'],
      channel: 'let centre = mean[c];',
      element: `let dz = dy[at];
    ${CENTRED}`,
      values: ['dz * centred', 'dz'],
      results: [(sum) => `${sum} / sqrt(variance[c] + EPSILON)`, asItIs],
    }),
    relu: columnShader({
      inputs: ['dy', 'x', 'gamma', 'beta', 'mean', 'variance'],
      channel: `let centre = mean[c];
  let deviation = sqrt(variance[c] + EPSILON);
  let scale = gamma[c] / deviation;
  let shift = beta[c];`,
      element: `${CENTRED}
    let dz = select(dy[at], 0.0, ${notAbove('(centred * scale + shift)')});`,
      values: ['dz * centred', 'dz'],
      results: [(sum) => `${sum} / deviation`, asItIs],
    }),
  },
};

/** The dispatches of a sum or two over x, and the scratch that their slices take. */
function columnSums(x: Shape, epsilon: number, variant?: string) {
  const { rows, channels, rowsOfSlice, slices } = rowSlices(x, variant);
  return {
    scratch: (sums: number): number[] => [slices * sums * channels * 4],
    sum: (
      code: string,
      inputs: readonly BufferView[],
      [output, rest]: readonly [BufferView, BufferView?],
      [partials]: readonly BufferView[],
    ): Dispatch[] => [
      dispatchThreads(code, slices * channels, [...inputs, partials], {
        ROWS: rows,
        CHANNELS: channels,
        ROWS_OF_SLICE: rowsOfSlice,
        EPSILON: epsilon,
      }),
      partialSums(partials, output, channels, slices, { variant, ...(rest && { rest, restSize: channels }) }),
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
    forEachElement(x, channels, (at, c) => (totals[c] += square(x[at] - mean[c])));
    totals.forEach((total, c) => (variance[c] = total / rows));
  },
  variants({ inputs: [shape] }, _, target) {
    const { channels, slices } = rowSlices(shape);
    return sumVariants(target, channels, slices);
  },
  wgsl({ inputs: [shape] }, _, { variant }) {
    const { scratch, sum } = columnSums(shape, 0, variant);
    return {
      scratch: scratch(1),
      steps: ({ inputs: [x], outputs: [mean, variance] }, partials) => [
        ...sum(SUMS.mean, [x], [mean], partials),
        ...sum(SUMS.variance, [x, mean], [variance], partials),
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
export const batchNormalize = elementwiseKernel<ActivatedAttributes>({
  name: 'batchNormalize',
  inputs: { x: 'element', gamma: 'channel', beta: 'channel', mean: 'channel', variance: 'channel' },
  formula([x, gamma, beta, mean, variance], { epsilon, activation }) {
    const y = x
      .subtract(mean)
      .multiply(gamma.divide(variance.add(epsilon).sqrt()))
      .add(beta);
    return activation === 'relu' ? y.atMost(0).select(0, y) : y;
  },
});

/** dy, x [..., C], γ [C], β [C], mean [C], variance [C] → dγ [C], dβ [C] */
export const batchNormParameterGradients = defineKernel<ActivatedAttributes>({
  name: 'batchNormParameterGradients',
  outputs: ([x]) => [0, 1].map(() => ({ shape: [x.at(-1)!], dtype: 'float32' })),
  twin({ inputs: [dy, x, gamma, beta, mean, variance], outputs: [dGamma, dBeta] }, _, { epsilon, activation }) {
    const channels = mean.length;
    const gammas = new Float64Array(channels);
    const betas = new Float64Array(channels);
    forEachElement(x, channels, (at, c) => {
      const deviation = Math.sqrt(variance[c] + epsilon);
      if (activation === 'relu' && (x[at] - mean[c]) * (gamma[c] / deviation) + beta[c] <= 0) return;
      gammas[c] += (dy[at] * (x[at] - mean[c])) / deviation;
      betas[c] += dy[at];
    });
    for (let c = 0; c < channels; c++) {
      dGamma[c] = gammas[c];
      dBeta[c] = betas[c];
    }
  },
  variants({ inputs: [shape] }, _, target) {
    const { channels, slices } = rowSlices(shape);
    return sumVariants(target, 2 * channels, slices);
  },
  wgsl({ inputs: [shape] }, { epsilon, activation }, { variant }) {
    const { scratch, sum } = columnSums(shape, epsilon, variant);
    return {
      scratch: scratch(2),
      steps({ inputs, outputs: [dGamma, dBeta] }, partials) {
        const [dy, x, , , mean, variance] = inputs;
        const read = activation === 'linear' ? [dy, x, mean, variance] : inputs;
        return sum(SUMS.gradients[activation], read, [dGamma, dBeta], partials);
      },
    };
  },
  wasm({ inputs: [shape] }, { epsilon, activation }) {
    const { rows, channels, width, parts, chunk } = linesOf(shape);
    return {
      scratch: [floatBytes(2 * parts * width), floatBytes(3 * parts * width)],
      steps: ({ inputs: [dy, x, gamma, beta, mean, variance], outputs }, [sums, lines]) => [
        {
          function: 'batchNormSums',
          parts,
          arguments: [
            dy,
            x,
            gamma,
            beta,
            mean,
            variance,
            epsilon,
            Number(activation === 'relu'),
            sums,
            rows,
            channels,
            width,
            chunk,
            lines,
          ],
        },
        {
          function: 'finishBatchNormSums',
          parts: 1,
          arguments: [sums, parts, channels, width, variance, epsilon, ...outputs],
        },
      ],
    };
  },
});

/** γ, variance, dγ [C] → γ / √(σ² + ε), dγ / (M·√(σ² + ε)): ahead, since a shader has 8 arrays at most */
export const batchNormSlopes = elementwiseKernel<BatchNormAttributes & { readonly rows: number }>({
  name: 'batchNormSlopes',
  inputs: 3,
  formula([gamma, variance, dGamma], { epsilon, rows }) {
    const deviation = variance.add(epsilon).sqrt();
    return [gamma.divide(deviation), dGamma.divide(rows).divide(deviation)];
  },
});

/** dy, x [..., C], mean, β, dβ and the two of batchNormSlopes [C] → dx, through the batch's own statistics */
export const batchNormInputGradient = elementwiseKernel<{
  readonly activation: FusedActivation;
  readonly rows: number;
}>({
  name: 'batchNormInputGradient',
  inputs: {
    dy: 'element',
    x: 'element',
    mean: 'channel',
    beta: 'channel',
    dBeta: 'channel',
    scale: 'channel',
    slope: 'channel',
  },
  formula([dy, x, mean, beta, dBeta, scale, slope], { activation, rows }) {
    const centred = x.subtract(mean);
    const y = centred.multiply(scale).add(beta);
    const dz = activation === 'relu' ? y.atMost(0).select(0, dy) : dy;
    return dz.subtract(dBeta.divide(rows)).subtract(centred.multiply(slope)).multiply(scale);
  },
});

/** x [..., C], γ [C], variance [C] → γ / √(σ² + ε) · x: the gradient, the statistics being constants, and what scales the weights of sums before */
export const batchNormScale = elementwiseKernel<BatchNormAttributes>({
  name: 'batchNormScale',
  inputs: { x: 'element', gamma: 'channel', variance: 'channel' },
  formula: ([x, gamma, variance], { epsilon }) => x.multiply(gamma.divide(variance.add(epsilon).sqrt())),
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

export interface BatchNormTrainingAttributes extends ActivatedAttributes {
  readonly moving: MovingStatistics | null;
  /** Where x is a share of a batch whose statistics are wanted. */
  readonly share: BatchShare | null;
}

/** Rows of the whole batch that x is of. */
const rowsOfBatch = (x: Shape, share: BatchShare | null): number => {
  const { rows } = sizes(x);
  return share?.sum ? (rows / x[0]) * share.samples : rows;
};

/**
 * Mean and variance of a share become those of the whole batch, by Σ x and Σ x² over all shares. In float64: what cancels in
 * Σ x² / M − μ² is below what float32 keeps of x itself.
 */
function momentsOfBatch(x: Tensor, mean: Tensor, variance: Tensor, share: BatchShare): void {
  const channels = mean.size;
  const rows = share.counts ? sizes(x.shape).rows : 0;
  const rowsOfAll = rowsOfBatch(x.shape, share);
  const sums = new Float64Array(2 * channels);
  x.device.onHost([mean, variance], async ([means, variances]) => {
    for (let c = 0; c < channels; c++) {
      sums[c] = rows === 0 ? 0 : rows * means[c];
      sums[channels + c] = rows === 0 ? 0 : rows * (variances[c] + square(means[c]));
    }
    await share.sum?.(sums);
    for (let c = 0; c < channels; c++) {
      means[c] = sums[c] / rowsOfAll;
      variances[c] = Math.max(0, sums[channels + c] / rowsOfAll - square(sums[c] / rowsOfAll));
    }
  });
}

/** Sums over a share become those over the whole batch. The gradients of γ and β stay the share's: those are summed with all others. */
function sumsOfBatch(given: readonly Tensor[], share: BatchShare): Tensor[] {
  const sums = given.map((each) => launch(copyKernel, [each], null)[0]);
  const all = new Float64Array(sums.reduce((length, { size }) => length + size, 0));
  const visit = (
    arrays: readonly (Float32Array | Float64Array)[],
    each: (array: Float32Array | Float64Array, at: number) => void,
  ) => arrays.reduce((at, array) => (each(array, at), at + array.length), 0);
  sums[0].device.onHost(sums, async (arrays) => {
    if (share.counts) visit(arrays, (array, at) => all.set(array, at));
    else all.fill(0);
    await share.sum?.(all);
    visit(arrays, (array, at) => array.set(all.subarray(at, at + array.length)));
  });
  return sums;
}

export const batchNormTrainingOp = defineOp<BatchNormTrainingAttributes>({
  name: 'batchNormTraining',
  forward([x, gamma, beta], { epsilon, activation, moving, share }) {
    const [mean, variance] = launch(batchMoments, [x], null);
    if (share?.sum) momentsOfBatch(x, mean, variance, share);
    if (moving) {
      const rows = rowsOfBatch(x.shape, share);
      const correction = moving.unbiased && rows > 1 ? rows / (rows - 1) : 1;
      const places = [moving.mean, moving.variance];
      launch(movingStatistics, [mean, variance], { momentum: moving.momentum, correction }, places);
    }
    const [y] = launch(batchNormalize, [x, gamma, beta, mean, variance], { epsilon, activation });
    return [y, mean, variance];
  },
  backward({ dy, inputs: [x, gamma, beta], outputs: [, mean, variance], attributes, needs, into }) {
    const { epsilon, activation, share } = attributes;
    const inputs = [dy, x, gamma, beta, mean, variance];
    const [dGamma, dBeta] = launch(batchNormParameterGradients, inputs, { epsilon, activation }, [into[1], into[2]]);
    const rows = rowsOfBatch(x.shape, share);
    const dx = (): Tensor => {
      const [sumGamma, sumBeta] = share?.sum ? sumsOfBatch([dGamma, dBeta], share) : [dGamma, dBeta];
      const slopes = launch(batchNormSlopes, [gamma, variance, sumGamma], { epsilon, rows });
      const operands = [dy, x, mean, beta, sumBeta, ...slopes];
      return launch(batchNormInputGradient, operands, { activation, rows }, [into[0]])[0];
    };
    return [needs[0] && dx(), dGamma, dBeta];
  },
});

export const batchNormInferenceOp = defineOp<ActivatedAttributes>({
  name: 'batchNormInference',
  forward: (inputs, attributes) => launch(batchNormalize, inputs, attributes),
  backward({ dy, inputs: [x, gamma, beta, mean, variance], outputs: [y], attributes, needs, into }) {
    const [dGamma, dBeta] =
      needs[1] || needs[2]
        ? launch(batchNormParameterGradients, [dy, x, gamma, beta, mean, variance], attributes, [into[1], into[2]])
        : [];
    const dz = (): Tensor => (attributes.activation === 'relu' ? reluGradient(dy, y) : dy);
    return [
      needs[0] && launch(batchNormScale, [dz(), gamma, variance], attributes, [into[0]])[0],
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
 * @param options.activation applied to the result in the same pass
 * @throws ShapeError when γ or β is not [C]
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: { epsilon?: number; moving?: MovingStatistics | null; activation?: FusedActivation } = {},
): Tensor {
  expectObject(options, 'batchNorm: options');
  const { epsilon = 1e-3, moving = null, activation = 'linear' } = options;
  return batchNormTrainingOp.apply([x, gamma, beta], { epsilon, activation, moving, share: batchShare() });
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
  options: { epsilon?: number; activation?: FusedActivation } = {},
): Tensor {
  expectObject(options, 'batchNormInference: options');
  const { epsilon = 1e-3, activation = 'linear' } = options;
  return batchNormInferenceOp.apply([x, gamma, beta, mean, variance], { epsilon, activation });
}

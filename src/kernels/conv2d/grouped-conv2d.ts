/**
 * Convolution in groups: the channels of x and of y are divided into G groups, and each group of y sees its group of x
 * only. With as many groups as channels it is the depthwise convolution of MobileNets (Howard et al., arXiv:1704.04861).
 *
 *   y[n,i,j,k] = activation(b[k] + Σ_{p,q,c} x[n, i·s + p·d − top, j·s + q·d − left, g·C/G + c] · w[p,q,c,k]),
 *   g = ⌊k / (K/G)⌋, c = 0 … C/G − 1
 *
 * Gradients as in conv2d.ts, sums over channels being those over a group. With a filter for each
 * channel the shaders are those of ungrouped convolutions; for other groups they are plain: a thread for each element, and for
 * the weights one for each slice of the picture lines.
 *
 * Layouts: x [N,H,W,C], w [KH,KW,C/G,K], b [K], y [N,OH,OW,K].
 */
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, dispatchThreads, ENTRY, planThreads, type Numbers } from '../../tensor/kernel.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { launch } from '../../tensor/tensor.js';
import { columnSums } from '../dense/bias.js';
import { activate, type FusedActivation } from '../shared/fused-activation.js';
import { busyThreads, partialSums } from '../shared/partial-sums.js';
import { reluGradient } from '../activation/relu.js';
import { between, floats, randomWindow, wholeNumbers, type RegistryEntry } from '../shared/samples.js';
import type { Random } from '../../tensor/random.js';
import { windowGeometry, type WindowAttributes } from '../shared/window.js';
import { depthwiseInputGradientDispatches } from './conv2d.wgsl.js';
import { convolutionRows, fitsRows } from './convolution-rows.wgsl.js';
import { convolutionOperations, convolutionShape, type GroupedShape } from './convolution-shape.js';
import { groupedForwardCalls, groupedInputGradientCalls, groupedWeightGradientCalls } from './grouped-conv2d.wasm.js';
import { weightGradientDispatches } from './weight-gradient.wgsl.js';

export interface GroupedAttributes {
  readonly window: WindowAttributes;
  readonly groups: number;
  readonly activation: FusedActivation;
}

/** @throws ShapeError when channels do not divide into the groups, or weight or window do not fit */
function groupedShape(x: Shape, weight: Shape, window: WindowAttributes, groups: number): GroupedShape {
  const given = `(x ${formatShape(x)}, w ${formatShape(weight)})`;
  if (weight.length !== 4) throw new ShapeError(`conv2d: weight expects [KH,KW,C/G,K], got ${formatShape(weight)}`);
  const shape = convolutionShape(x, weight, window);
  const { inputChannels, outputChannels } = shape;
  if (!Number.isInteger(groups) || groups < 1 || inputChannels % groups !== 0 || outputChannels % groups !== 0)
    throw new ShapeError(
      `conv2d: groups expects a divisor of ${inputChannels} input and ${outputChannels} output channels, got ${groups} ${given}`,
    );
  if (weight[2] !== inputChannels / groups)
    throw new ShapeError(
      `conv2d: weight expects ${weight[2]} input channels a group, got ${inputChannels / groups} in ${groups} groups ${given}`,
    );
  return { ...shape, groups, inputs: inputChannels / groups, outputs: outputChannels / groups };
}

/** A filter for each channel: the shaders of ungrouped convolutions do that as well, as far as their windows reach. */
const isDepthwise = (shape: GroupedShape): boolean => shape.inputs === 1 && shape.outputs === 1 && fitsRows(shape);

const operationsOf = (shape: GroupedShape): number => convolutionOperations(shape) / shape.groups;

/** Calls `visit` for every product of the sum: offsets of the elements of x, w and y that it is made of. */
function forEachProduct(shape: GroupedShape, visit: (x: number, weight: number, y: number) => void): void {
  const { batch, height, width, inputChannels, outputChannels, outputHeight, outputWidth, top, left } = shape;
  const { size, strides, dilation } = shape.window;
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < outputHeight; i++) {
      for (let j = 0; j < outputWidth; j++) {
        const y = ((n * outputHeight + i) * outputWidth + j) * outputChannels;
        for (let p = 0; p < size[0]; p++) {
          const row = i * strides[0] + p * dilation[0] - top;
          if (row < 0 || row >= height) continue;
          for (let q = 0; q < size[1]; q++) {
            const column = j * strides[1] + q * dilation[1] - left;
            if (column < 0 || column >= width) continue;
            const pixel = ((n * height + row) * width + column) * inputChannels;
            const tap = (p * size[1] + q) * shape.inputs * outputChannels;
            for (let k = 0; k < outputChannels; k++) {
              const from = pixel + Math.floor(k / shape.outputs) * shape.inputs;
              for (let c = 0; c < shape.inputs; c++) visit(from + c, tap + c * outputChannels + k, y + k);
            }
          }
        }
      }
    }
  }
}

const SIZES = [
  'HEIGHT',
  'WIDTH',
  'CHANNELS',
  'OUTPUT_HEIGHT',
  'OUTPUT_WIDTH',
  'OUTPUT_CHANNELS',
  'INPUTS',
  'OUTPUTS',
  'KERNEL_HEIGHT',
  'KERNEL_WIDTH',
  'STRIDE_HEIGHT',
  'STRIDE_WIDTH',
  'DILATION_HEIGHT',
  'DILATION_WIDTH',
  'TOP',
  'LEFT',
]
  .map((name) => `override ${name}: u32;`)
  .join('\n');

function constants(shape: GroupedShape): Record<string, number> {
  const { size, strides, dilation } = shape.window;
  return {
    HEIGHT: shape.height,
    WIDTH: shape.width,
    CHANNELS: shape.inputChannels,
    OUTPUT_HEIGHT: shape.outputHeight,
    OUTPUT_WIDTH: shape.outputWidth,
    OUTPUT_CHANNELS: shape.outputChannels,
    INPUTS: shape.inputs,
    OUTPUTS: shape.outputs,
    KERNEL_HEIGHT: size[0],
    KERNEL_WIDTH: size[1],
    STRIDE_HEIGHT: strides[0],
    STRIDE_WIDTH: strides[1],
    DILATION_HEIGHT: dilation[0],
    DILATION_WIDTH: dilation[1],
    TOP: shape.top,
    LEFT: shape.left,
  };
}

const forwardShader = (bias: boolean, activation: FusedActivation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
${bias ? '@group(0) @binding(2) var<storage, read> bias: array<f32>;' : ''}
@group(0) @binding(${bias ? 3 : 2}) var<storage, read_write> y: array<f32>;
${SIZES}
${ENTRY}
  let k = index % OUTPUT_CHANNELS;
  let j = index / OUTPUT_CHANNELS % OUTPUT_WIDTH;
  let i = index / OUTPUT_CHANNELS / OUTPUT_WIDTH % OUTPUT_HEIGHT;
  let n = index / OUTPUT_CHANNELS / OUTPUT_WIDTH / OUTPUT_HEIGHT;
  var sum = ${bias ? 'bias[k]' : '0.0'};
  for (var p = 0u; p < KERNEL_HEIGHT; p++) {
    let row = i * STRIDE_HEIGHT + p * DILATION_HEIGHT - TOP;   // wraps in the padding
    if (row >= HEIGHT) { continue; }
    for (var q = 0u; q < KERNEL_WIDTH; q++) {
      let column = j * STRIDE_WIDTH + q * DILATION_WIDTH - LEFT;
      if (column >= WIDTH) { continue; }
      let pixel = ((n * HEIGHT + row) * WIDTH + column) * CHANNELS + k / OUTPUTS * INPUTS;
      let tap = (p * KERNEL_WIDTH + q) * INPUTS * OUTPUT_CHANNELS + k;
      for (var c = 0u; c < INPUTS; c++) { sum = fma(x[pixel + c], weight[tap + c * OUTPUT_CHANNELS], sum); }
    }
  }
  y[index] = ${activate(activation, 'sum')};
}`;

/** Each thread: one element of dx, over the taps that lie on it. */
const INPUT_GRADIENT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dz: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
${SIZES}
${ENTRY}
  let channel = index % CHANNELS;
  let column = index / CHANNELS % WIDTH;
  let row = index / CHANNELS / WIDTH % HEIGHT;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  let c = channel % INPUTS;
  let first = channel / INPUTS * OUTPUTS;   // of the group's output channels
  var sum = 0.0;
  for (var p = 0u; p < KERNEL_HEIGHT; p++) {
    let down = row + TOP - p * DILATION_HEIGHT;   // wraps below 0, and is beyond all outputs then
    if (row + TOP < p * DILATION_HEIGHT || down % STRIDE_HEIGHT != 0u || down / STRIDE_HEIGHT >= OUTPUT_HEIGHT) { continue; }
    for (var q = 0u; q < KERNEL_WIDTH; q++) {
      let along = column + LEFT - q * DILATION_WIDTH;
      if (column + LEFT < q * DILATION_WIDTH || along % STRIDE_WIDTH != 0u || along / STRIDE_WIDTH >= OUTPUT_WIDTH) { continue; }
      let pixel = ((n * OUTPUT_HEIGHT + down / STRIDE_HEIGHT) * OUTPUT_WIDTH + along / STRIDE_WIDTH) * OUTPUT_CHANNELS + first;
      let tap = ((p * KERNEL_WIDTH + q) * INPUTS + c) * OUTPUT_CHANNELS + first;
      for (var k = 0u; k < OUTPUTS; k++) { sum = fma(dz[pixel + k], weight[tap + k], sum); }
    }
  }
  dx[index] = sum;
}`;

/** Each thread: one element of dw over one slice of the output lines of all pictures. */
const WEIGHT_GRADIENT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dz: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
${SIZES}
override WEIGHTS: u32;
override LINES: u32;
override LINES_OF_SLICE: u32;
${ENTRY}
  let at = index % WEIGHTS;
  let slice = index / WEIGHTS;
  let k = at % OUTPUT_CHANNELS;
  let c = at / OUTPUT_CHANNELS % INPUTS + k / OUTPUTS * INPUTS;
  let q = at / OUTPUT_CHANNELS / INPUTS % KERNEL_WIDTH;
  let p = at / OUTPUT_CHANNELS / INPUTS / KERNEL_WIDTH;
  var sum = 0.0;
  for (var line = slice * LINES_OF_SLICE; line < min((slice + 1u) * LINES_OF_SLICE, LINES); line++) {
    let row = line % OUTPUT_HEIGHT * STRIDE_HEIGHT + p * DILATION_HEIGHT - TOP;   // wraps in the padding
    if (row >= HEIGHT) { continue; }
    let picture_row = (line / OUTPUT_HEIGHT * HEIGHT + row) * WIDTH;
    for (var j = 0u; j < OUTPUT_WIDTH; j++) {
      let column = j * STRIDE_WIDTH + q * DILATION_WIDTH - LEFT;
      if (column >= WIDTH) { continue; }
      sum = fma(x[(picture_row + column) * CHANNELS + c], dz[(line * OUTPUT_WIDTH + j) * OUTPUT_CHANNELS + k], sum);
    }
  }
  sums[index] = sum;
}`;

/** x, w, optional b → y */
export const groupedConv2dForward = defineKernel<GroupedAttributes>({
  name: 'groupedConv2d',
  outputs([x, weight, bias], { window, groups }) {
    const { outputHeight, outputWidth, outputChannels } = groupedShape(x, weight, window, groups);
    if (bias && (bias.length !== 1 || bias[0] !== outputChannels))
      throw new ShapeError(`conv2d: bias expects [${outputChannels}], got ${formatShape(bias)}`);
    return [{ shape: [x[0], outputHeight, outputWidth, outputChannels], dtype: 'float32' }];
  },
  twin({ inputs: [x, weight, bias], outputs: [y] }, { inputs }, { window, groups, activation }) {
    const shape = groupedShape(inputs[0], inputs[1], window, groups);
    for (let i = 0; i < y.length; i++) y[i] = bias ? bias[i % shape.outputChannels] : 0;
    forEachProduct(shape, (from, tap, to) => (y[to] += x[from] * weight[tap]));
    if (activation === 'relu') for (let i = 0; i < y.length; i++) if (y[i] <= 0) y[i] = 0;
  },
  wgsl({ inputs, outputs: [y] }, { window, groups, activation }) {
    const shape = groupedShape(inputs[0], inputs[1], window, groups);
    const bias = inputs.length === 3;
    if (!isDepthwise(shape)) return planThreads(forwardShader(bias, activation), sizeOf(y), constants(shape));
    const options = { bias, activation, isDepthwise: true };
    return { steps: (given) => [convolutionRows(shape, [...given.inputs, ...given.outputs], options)] };
  },
  operations: ({ inputs: [x, weight] }, { window, groups }) => operationsOf(groupedShape(x, weight, window, groups)),
  wasm: ({ inputs: [x, weight] }, { window, groups, activation }) =>
    groupedForwardCalls(groupedShape(x, weight, window, groups), activation),
});

export interface GroupedGradientAttributes {
  readonly window: WindowAttributes;
  readonly groups: number;
  readonly xShape: Shape;
}

/** dz, w → dx */
export const groupedConv2dInputGradient = defineKernel<GroupedGradientAttributes>({
  name: 'groupedConv2dInputGradient',
  outputs: (_, { xShape }) => [{ shape: xShape, dtype: 'float32' }],
  twin({ inputs: [dz, weight], outputs: [dx] }, { inputs }, { window, groups, xShape }) {
    dx.fill(0);
    forEachProduct(groupedShape(xShape, inputs[1], window, groups), (to, tap, from) => {
      dx[to] += dz[from] * weight[tap];
    });
  },
  wgsl({ inputs: [, weight] }, { window, groups, xShape }) {
    const shape = groupedShape(xShape, weight, window, groups);
    return isDepthwise(shape)
      ? depthwiseInputGradientDispatches(shape)
      : planThreads(INPUT_GRADIENT, sizeOf(xShape), constants(shape));
  },
  operations: ({ inputs: [, weight] }, { window, groups, xShape }) =>
    operationsOf(groupedShape(xShape, weight, window, groups)),
  wasm: ({ inputs: [, weight] }, { window, groups, xShape }) =>
    groupedInputGradientCalls(groupedShape(xShape, weight, window, groups)),
});

/** x, dz → dw */
export const groupedConv2dWeightGradient = defineKernel<Omit<GroupedGradientAttributes, 'xShape'>>({
  name: 'groupedConv2dWeightGradient',
  outputs: ([x, dz], { window, groups }) => [{ shape: [...window.size, x[3] / groups, dz[3]], dtype: 'float32' }],
  twin(
    { inputs: [x, dz], outputs: [dw] }: { inputs: readonly Numbers[]; outputs: readonly Numbers[] },
    { inputs: [xShape], outputs: [weight] },
    { window, groups },
  ) {
    dw.fill(0);
    forEachProduct(groupedShape(xShape, weight, window, groups), (from, to, pixel) => (dw[to] += x[from] * dz[pixel]));
  },
  wgsl({ inputs: [xShape], outputs: [weight] }, { window, groups }) {
    const shape = groupedShape(xShape, weight, window, groups);
    if (isDepthwise(shape)) return weightGradientDispatches(shape, { isDepthwise: true });
    const weights = sizeOf(weight);
    const lines = shape.batch * shape.outputHeight;
    const linesOfSlice = Math.max(1, Math.ceil((lines * weights) / busyThreads()));
    const slices = Math.ceil(lines / linesOfSlice);
    return {
      scratch: slices > 1 ? [slices * weights * 4] : [],
      steps: ({ inputs: [x, dz], outputs: [dw] }, [partials]) => [
        dispatchThreads(WEIGHT_GRADIENT, slices * weights, [x, dz, partials ?? dw], {
          ...constants(shape),
          WEIGHTS: weights,
          LINES: lines,
          LINES_OF_SLICE: linesOfSlice,
        }),
        ...(partials ? [partialSums(partials, dw, weights, slices)] : []),
      ],
    };
  },
  operations: ({ inputs: [x], outputs: [weight] }, { window, groups }) =>
    operationsOf(groupedShape(x, weight, window, groups)),
  wasm: ({ inputs: [x], outputs: [weight] }, { window, groups }) =>
    groupedWeightGradientCalls(groupedShape(x, weight, window, groups)),
});

export const groupedConv2dOp = defineOp<GroupedAttributes>({
  name: 'groupedConv2d',
  forward: (inputs, attributes) => launch(groupedConv2dForward, inputs, attributes),
  backward({ dy, inputs: [x, weight], outputs: [y], attributes: { window, groups, activation }, needs, into }) {
    const dz = activation === 'relu' ? reluGradient(dy, y) : dy;
    return [
      needs[0] && launch(groupedConv2dInputGradient, [dz, weight], { window, groups, xShape: x.shape }, [into[0]])[0],
      needs[1] && launch(groupedConv2dWeightGradient, [x, dz], { window, groups }, [into[1]])[0],
      (needs[2] ?? false) && columnSums(dz, into[2]),
    ];
  },
});

// --- samples

function groupedSample(random: Random) {
  const window = randomWindow(random, true);
  // Now and then depthwise on so many channels that whole vectors follow one another.
  const byChannel = random.integer(2) === 0;
  const groups = byChannel ? between(random, 12, 21) : between(random, 1, 5);
  const inputs = byChannel ? 1 : between(random, 1, 3);
  const outputs = byChannel ? (random.integer(3) ? 1 : 2) : between(random, 1, 3);
  const x: Shape = [between(random, 1, 3), between(random, 8, 12), between(random, 8, 13), groups * inputs];
  const { outputHeight, outputWidth } = windowGeometry('sample', x, window);
  const weight: Shape = [...window.size, inputs, groups * outputs];
  return { window, groups, x, weight, y: [x[0], outputHeight, outputWidth, groups * outputs] as Shape };
}
const products = { roundings: 32, because: 'up to 48 products of both signs' };
const moreProducts = { roundings: 128, because: 'up to 468 products of both signs (3 pictures of 12×13)' };
export const groupedConv2dEntry: RegistryEntry = {
  kernels: [
    {
      kernel: groupedConv2dForward,
      ...products,
      sample(random) {
        const { window, groups, x, weight } = groupedSample(random);
        const bias = random.integer(2) ? [floats(random, [weight[3]])] : [];
        return {
          inputs: [floats(random, x), floats(random, weight), ...bias],
          attributes: { window, groups, activation: random.integer(2) ? 'relu' : 'linear' },
        };
      },
    },
    {
      kernel: groupedConv2dInputGradient,
      ...products,
      sample(random) {
        const { window, groups, x, weight, y } = groupedSample(random);
        return { inputs: [floats(random, y), floats(random, weight)], attributes: { window, groups, xShape: x } };
      },
    },
    {
      kernel: groupedConv2dWeightGradient,
      ...moreProducts,
      sample(random) {
        const { window, groups, x, y } = groupedSample(random);
        return { inputs: [floats(random, x), floats(random, y)], attributes: { window, groups } };
      },
    },
  ],
  ops: [
    {
      op: groupedConv2dOp,
      ...moreProducts,
      sample(random) {
        const { window, groups, x, weight } = groupedSample(random);
        // Whole numbers and a bias of ½: no sum is at the kink of a fused relu.
        const bias = { ...wholeNumbers(random, [weight[3]]), values: new Float32Array(weight[3]).fill(0.5) };
        return {
          inputs: [wholeNumbers(random, x), wholeNumbers(random, weight), bias],
          attributes: { window, groups, activation: random.integer(2) ? 'relu' : 'linear' },
        };
      },
    },
  ],
};

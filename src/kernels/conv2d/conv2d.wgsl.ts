/**
 * Convolution on the WebGPU device.
 *
 * Forward and input gradient are one shader: a thread computes 8 neighbouring output pixels of one row for 4 channels,
 * so that each weight that it loads serves 8 pixels and each x serves 4 channels. Channels are read as vec4 where
 * their number is a multiple of 4. The weight gradient gives each thread a block of w and a slice of the picture
 * lines; the slices are added up afterwards.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY, type Plan } from '../../tensor/kernel.js';
import { activate, BUSY_THREADS, partialSums, type FusedActivation } from '../partial-sums.js';
import type { ConvolutionShape } from './convolution-shape.js';

type VectorWidth = 1 | 4;

const widthOf = (channels: number): VectorWidth => (channels % 4 === 0 ? 4 : 1);
const typeOf = (width: VectorWidth): string => (width === 4 ? 'vec4f' : 'f32');
/** WGSL of component `i` of a value that is a vec4f or a scalar. */
const component = (name: string, width: VectorWidth, i: number): string =>
  width === 4 ? `${name}.${'xyzw'[i]}` : name;
const unroll = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

/** Neighbouring output pixels of a thread. */
const PIXELS = 8;

const SIZES = /* wgsl */ `
override HEIGHT: u32;
override WIDTH: u32;
override INPUT_GROUPS: u32;   // channels of x, in vectors
override OUTPUT_HEIGHT: u32;
override OUTPUT_WIDTH: u32;
override OUTPUT_GROUPS: u32;  // channels of y, in vectors
override KERNEL_HEIGHT: u32;
override KERNEL_WIDTH: u32;
override STRIDE_HEIGHT: u32;
override STRIDE_WIDTH: u32;
override DILATION_HEIGHT: u32;
override DILATION_WIDTH: u32;
override TOP: u32;
override LEFT: u32;
`;

/** y = activation(conv(x, weight) + bias), where the pixels of x lie STRETCH apart (1 for a forward convolution). */
const forwardShader = (
  input: VectorWidth,
  output: VectorWidth,
  bias: boolean,
  activation: FusedActivation,
): string => /* wgsl */ `
alias Output = ${typeOf(output)};
@group(0) @binding(0) var<storage, read> x: array<${typeOf(input)}>;
@group(0) @binding(1) var<storage, read> weight: array<Output>;
@group(0) @binding(2) var<storage, read_write> y: array<Output>;
${bias ? '@group(0) @binding(3) var<storage, read> bias: array<Output>;' : ''}
${SIZES}
override STRETCH_HEIGHT: u32;
override STRETCH_WIDTH: u32;
override TILES: u32;          // tiles of ${PIXELS} pixels in an output row

struct Position { inside: bool, at: u32 }

// Where tap position t (counted from the start of the padding) falls on a picture of the given length.
fn place(t: u32, padding: u32, stretch: u32, length: u32) -> Position {
  let at = t - padding;       // wraps far beyond the length when it lies in the padding
  return Position(t >= padding && at % stretch == 0u && at / stretch < length, min(at / stretch, length - 1u));
}
${ENTRY}
  let group = index % OUTPUT_GROUPS;
  let tile = index / OUTPUT_GROUPS;
  let first = (tile % TILES) * ${PIXELS}u;
  let line = tile / TILES;
  let n = line / OUTPUT_HEIGHT;
  let i = line % OUTPUT_HEIGHT;
  ${unroll(PIXELS, (p) => `var sum${p} = ${bias ? 'bias[group]' : 'Output(0.0)'};`)}
  for (var p = 0u; p < KERNEL_HEIGHT; p++) {
    let row = place(i * STRIDE_HEIGHT + p * DILATION_HEIGHT, TOP, STRETCH_HEIGHT, HEIGHT);
    if (!row.inside) { continue; }
    let lineStart = (n * HEIGHT + row.at) * WIDTH;
    for (var q = 0u; q < KERNEL_WIDTH; q++) {
      ${unroll(
        PIXELS,
        (p) => `let column${p} = place((first + ${p}u) * STRIDE_WIDTH + q * DILATION_WIDTH, LEFT, STRETCH_WIDTH, WIDTH);
      let pixel${p} = (lineStart + column${p}.at) * INPUT_GROUPS;`,
      )}
      let tap = (p * KERNEL_WIDTH + q) * INPUT_GROUPS * ${input}u * OUTPUT_GROUPS + group;
      for (var c = 0u; c < INPUT_GROUPS; c++) {
        ${unroll(PIXELS, (p) => `let x${p} = select(${typeOf(input)}(0.0), x[pixel${p} + c], column${p}.inside);`)}
        ${unroll(
          input,
          (v) => `let w${v} = weight[tap + (c * ${input}u + ${v}u) * OUTPUT_GROUPS];
        ${unroll(PIXELS, (p) => `sum${p} = fma(Output(${component(`x${p}`, input, v)}), w${v}, sum${p});`)}`,
        )}
      }
    }
  }
  let start = (line * OUTPUT_WIDTH + first) * OUTPUT_GROUPS + group;
  ${unroll(
    PIXELS,
    (p) =>
      `if (first + ${p}u < OUTPUT_WIDTH) { y[start + ${p}u * OUTPUT_GROUPS] = ${activate(activation, `sum${p}`, output === 4 ? 'vec4f' : 'f32')}; }`,
  )}
}`;

function sizes(shape: ConvolutionShape, inputWidth: VectorWidth, outputWidth: VectorWidth): Record<string, number> {
  const { window } = shape;
  return {
    HEIGHT: shape.height,
    WIDTH: shape.width,
    INPUT_GROUPS: shape.inputChannels / inputWidth,
    OUTPUT_HEIGHT: shape.outputHeight,
    OUTPUT_WIDTH: shape.outputWidth,
    OUTPUT_GROUPS: shape.outputChannels / outputWidth,
    KERNEL_HEIGHT: window.size[0],
    KERNEL_WIDTH: window.size[1],
    STRIDE_HEIGHT: window.strides[0],
    STRIDE_WIDTH: window.strides[1],
    DILATION_HEIGHT: window.dilation[0],
    DILATION_WIDTH: window.dilation[1],
    TOP: shape.top,
    LEFT: shape.left,
  };
}

function convolve(
  shape: ConvolutionShape,
  stretch: readonly [number, number],
  activation: FusedActivation,
  bindings: readonly BufferView[],
): Dispatch {
  const input = widthOf(shape.inputChannels);
  const output = widthOf(shape.outputChannels);
  const tiles = Math.ceil(shape.outputWidth / PIXELS);
  const threads = shape.batch * shape.outputHeight * tiles * (shape.outputChannels / output);
  return dispatchThreads(forwardShader(input, output, bindings.length === 4, activation), threads, bindings, {
    ...sizes(shape, input, output),
    STRETCH_HEIGHT: stretch[0],
    STRETCH_WIDTH: stretch[1],
    TILES: tiles,
  });
}

export function forwardDispatches(
  shape: ConvolutionShape,
  activation: FusedActivation,
  bias: boolean,
): Plan<BufferView, Dispatch> {
  return {
    steps: ({ inputs: [x, weight, biasView], outputs: [y] }) => [
      convolve(shape, [1, 1], activation, bias ? [x, weight, y, biasView] : [x, weight, y]),
    ],
  };
}

/** turned[taps, K, C] = weight[taps, C, K], the taps in reverse order: 180° for a rectangle. */
const TURN_WEIGHT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> turned: array<f32>;
override TAPS: u32;
override INPUT_CHANNELS: u32;
override OUTPUT_CHANNELS: u32;
${ENTRY}
  let c = index % INPUT_CHANNELS;
  let k = index / INPUT_CHANNELS % OUTPUT_CHANNELS;
  let tap = TAPS - 1u - index / INPUT_CHANNELS / OUTPUT_CHANNELS;
  turned[index] = weight[(tap * INPUT_CHANNELS + c) * OUTPUT_CHANNELS + k];
}`;

/**
 * dz, w → dx: a convolution of stride 1 over dz, its pixels set `strides` apart, with the weights turned by 180° and
 * their channels exchanged.
 */
export function inputGradientDispatches(shape: ConvolutionShape): Plan<BufferView, Dispatch> {
  const { window, inputChannels, outputChannels } = shape;
  const weights = window.size[0] * window.size[1] * inputChannels * outputChannels;
  const backward: ConvolutionShape = {
    batch: shape.batch,
    height: shape.outputHeight,
    width: shape.outputWidth,
    inputChannels: outputChannels,
    outputHeight: shape.height,
    outputWidth: shape.width,
    outputChannels: inputChannels,
    top: (window.size[0] - 1) * window.dilation[0] - shape.top,
    left: (window.size[1] - 1) * window.dilation[1] - shape.left,
    window: { ...window, strides: [1, 1] },
  };
  return {
    scratch: [weights * 4],
    steps: ({ inputs: [dz, weight], outputs: [dx] }, [turned]) => [
      dispatchThreads(TURN_WEIGHT, weights, [weight, turned], {
        TAPS: window.size[0] * window.size[1],
        INPUT_CHANNELS: inputChannels,
        OUTPUT_CHANNELS: outputChannels,
      }),
      convolve(backward, window.strides, 'linear', [dz, turned, dx]),
    ],
  };
}

/** Each thread: a block of up to 4 × 4 weights of one tap, summed over the output pixels of one slice of lines. */
const weightGradientShader = (input: VectorWidth, output: VectorWidth): string => /* wgsl */ `
alias Output = ${typeOf(output)};
@group(0) @binding(0) var<storage, read> x: array<${typeOf(input)}>;
@group(0) @binding(1) var<storage, read> dz: array<Output>;
@group(0) @binding(2) var<storage, read_write> dw: array<Output>;
${SIZES}
override LINES: u32;            // output lines of the whole batch
override LINES_OF_SLICE: u32;
${ENTRY}
  let group = index % OUTPUT_GROUPS;
  let c = index / OUTPUT_GROUPS % INPUT_GROUPS;
  let tap = index / OUTPUT_GROUPS / INPUT_GROUPS % (KERNEL_HEIGHT * KERNEL_WIDTH);
  let slice = index / OUTPUT_GROUPS / INPUT_GROUPS / (KERNEL_HEIGHT * KERNEL_WIDTH);
  let p = tap / KERNEL_WIDTH;
  let q = tap % KERNEL_WIDTH;
  ${unroll(input, (v) => `var sum${v} = Output(0.0);`)}
  for (var line = slice * LINES_OF_SLICE; line < min((slice + 1u) * LINES_OF_SLICE, LINES); line++) {
    let row = line % OUTPUT_HEIGHT * STRIDE_HEIGHT + p * DILATION_HEIGHT - TOP;  // wraps in the padding
    if (row >= HEIGHT) { continue; }
    let lineStart = (line / OUTPUT_HEIGHT * HEIGHT + row) * WIDTH;
    for (var j = 0u; j < OUTPUT_WIDTH; j++) {
      let column = j * STRIDE_WIDTH + q * DILATION_WIDTH - LEFT;
      if (column >= WIDTH) { continue; }
      let value = x[(lineStart + column) * INPUT_GROUPS + c];
      let gradient = dz[(line * OUTPUT_WIDTH + j) * OUTPUT_GROUPS + group];
      ${unroll(input, (v) => `sum${v} = fma(Output(${component('value', input, v)}), gradient, sum${v});`)}
    }
  }
  let start = ((slice * KERNEL_HEIGHT * KERNEL_WIDTH + tap) * INPUT_GROUPS + c) * ${input}u * OUTPUT_GROUPS + group;
  ${unroll(input, (v) => `dw[start + ${v}u * OUTPUT_GROUPS] = sum${v};`)}
}`;

/** x, dz → dw. */
export function weightGradientDispatches(shape: ConvolutionShape): Plan<BufferView, Dispatch> {
  const { window, inputChannels, outputChannels } = shape;
  const input = widthOf(inputChannels);
  const output = widthOf(outputChannels);
  const weights = window.size[0] * window.size[1] * inputChannels * outputChannels;
  const lines = shape.batch * shape.outputHeight;
  const linesOfSlice = Math.ceil(lines / Math.min(lines, Math.ceil((BUSY_THREADS * input * output) / weights)));
  const slices = Math.ceil(lines / linesOfSlice);
  const threads = (slices * weights) / (input * output);
  return {
    scratch: slices > 1 ? [slices * weights * 4] : [],
    steps: ({ inputs: [x, dz], outputs: [dw] }, [partials]) => [
      dispatchThreads(weightGradientShader(input, output), threads, [x, dz, partials ?? dw], {
        ...sizes(shape, input, output),
        LINES: lines,
        LINES_OF_SLICE: linesOfSlice,
      }),
      ...(partials ? [partialSums(partials, dw, weights, slices)] : []),
    ],
  };
}

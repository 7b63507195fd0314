/**
 * The shader of convolutions that `convolution-tile.wgsl.ts` does not fit: large windows, and gradients of strided
 * convolutions. A thread computes 8 neighbouring output pixels of one row for one vector of channels, in plain loops.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { activate, type FusedActivation } from '../shared/fused-activation.js';
import { component, typeOf, unroll, widthOf, type VectorWidth } from '../shared/wgsl-text.js';
import type { Pair } from '../shared/window.js';
import type { ConvolutionShape } from './convolution-shape.js';

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
const loopShader = (
  input: VectorWidth,
  output: VectorWidth,
  bias: boolean,
  activation: FusedActivation,
): string => /* wgsl */ `
alias Output = ${typeOf(output)};
@group(0) @binding(0) var<storage, read> x: array<${typeOf(input)}>;
@group(0) @binding(1) var<storage, read> weight: array<Output>;
${bias ? '@group(0) @binding(2) var<storage, read> bias: array<Output>;' : ''}
@group(0) @binding(${bias ? 3 : 2}) var<storage, read_write> y: array<Output>;
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
      `if (first + ${p}u < OUTPUT_WIDTH) { y[start + ${p}u * OUTPUT_GROUPS] = ${activate(activation, `sum${p}`, typeOf(output))}; }`,
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

export interface LoopOptions {
  /** Pixels of x lie so many apart, with zeros between: the strides of the convolution whose input gradient this is. */
  readonly stretch?: Pair;
  readonly bias?: boolean;
  readonly activation?: FusedActivation;
}

/** @param bindings x, weight, bias if there is one, y */
export function convolutionLoop(
  shape: ConvolutionShape,
  bindings: readonly BufferView[],
  { stretch = [1, 1], bias = false, activation = 'linear' }: LoopOptions = {},
): Dispatch {
  const input = widthOf(shape.inputChannels);
  const output = widthOf(shape.outputChannels);
  const tiles = Math.ceil(shape.outputWidth / PIXELS);
  const threads = shape.batch * shape.outputHeight * tiles * (shape.outputChannels / output);
  return dispatchThreads(loopShader(input, output, bias, activation), threads, bindings, {
    ...sizes(shape, input, output),
    STRETCH_HEIGHT: stretch[0],
    STRETCH_WIDTH: stretch[1],
    TILES: tiles,
  });
}

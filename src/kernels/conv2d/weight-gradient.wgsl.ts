/**
 * The weight gradient of a convolution: dw[p,q,c,k] = Σ x[…, c] · dz[…, k] over all output pixels, and db[k] = Σ dz[…, k].
 *
 * A thread sums, for one input channel and up to 8 output channels, the window positions that share their loads: all of
 * a 3 × 3 window. Where the window has few positions, it sums several input channels. It goes along the picture's lines; of the columns of x under the window only the new ones are loaded,
 * the others move on. Each thread has a slice of the lines; the slices are added up afterwards, in their order.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY, type Plan } from '../../tensor/kernel.js';
import { busyThreads, partialSums } from '../shared/partial-sums.js';
import { each, integersOf, range, typeOf, unroll, widthOf, type VectorWidth } from '../shared/wgsl-text.js';
import type { Pair } from '../shared/window.js';
import { isPadded, pooledLength, touchedPixels, type ConvolutionShape } from './convolution-shape.js';

/** Window positions, or those times input channels, that a thread sums at most. */
const MOST_TAPS = 9;

const SIZES = [
  'HEIGHT',
  'WIDTH',
  'INPUT_CHANNELS',
  'OUTPUT_GROUPS',
  'THREAD_GROUPS',
  'KERNEL_HEIGHT',
  'KERNEL_WIDTH',
  'TOP',
  'LEFT',
  'LINES',
  'LINES_OF_SLICE',
  'LINES_OF_PICTURE',
  'STEPS',
  'ROWS_OF_SLICE',
] as const;

interface Blocks {
  /** Rows and columns of the window that a thread sums. */
  readonly taps: Pair;
  /** Input channels that it sums. */
  readonly inputs: number;
  /** Vectors of output channels that it sums. */
  readonly vectors: number;
  readonly width: VectorWidth;
  /** Each channel was convolved by itself: dw [KH,KW,1,C]. */
  readonly isDepthwise: boolean;
}

function blocksOf({ window: { size }, inputChannels, outputChannels }: ConvolutionShape, isDepthwise: boolean): Blocks {
  const width = isDepthwise ? 1 : widthOf(outputChannels);
  const taps: Pair = [size[0] * size[1] <= MOST_TAPS ? size[0] : 1, size[1] <= MOST_TAPS ? size[1] : 1];
  const inputs = [8, 4, 2].find((many) => inputChannels % many === 0 && many * taps[0] * taps[1] <= MOST_TAPS);
  return {
    taps,
    inputs: isDepthwise ? 1 : (inputs ?? 1),
    vectors: !isDepthwise && (outputChannels / width) % 2 === 0 ? 2 : 1,
    width,
    isDepthwise,
  };
}

/** Gradients dz that a thread takes in one step along a line: a pixel, or the 2 × 2 pixels of a pooling window. */
interface Source {
  readonly buffers: readonly string[];
  readonly step: Pair;
  /** Declares `dz_ROW_COLUMN_VECTOR` for step `s` of line `line`. */
  readonly load: string;
}

function pixelSource({ vectors, width }: Blocks): Source {
  return {
    buffers: [`read> dz: array<${typeOf(width)}>`],
    step: [1, 1],
    load: unroll(vectors, (v) => `let dz_0_0_${v} = dz[(line * STEPS + s) * OUTPUT_GROUPS + group + ${v}u];`),
  };
}

/** dz is dy at the place of the maximum and 0 elsewhere. */
function pooledSource({ vectors, width }: Blocks): Source {
  const [type, integers] = [typeOf(width), integersOf(width)];
  return {
    buffers: [`read> dy: array<${type}>`, `read> places: array<${integers}>`],
    step: [2, 2],
    load: unroll(
      vectors,
      (v) => `
      let dy_${v} = dy[(line * STEPS + s) * OUTPUT_GROUPS + group + ${v}u];
      let place_${v} = places[(line * STEPS + s) * OUTPUT_GROUPS + group + ${v}u];
      ${unroll(4, (at) => `let dz_${at >> 1}_${at & 1}_${v} = select(${type}(0.0), dy_${v}, place_${v} == ${integers}(${at}u));`)}`,
    ),
  };
}

function weightGradientShader(shape: ConvolutionShape, blocks: Blocks, source: Source): string {
  const { strides, dilation } = shape.window;
  const { taps, inputs, vectors, width, isDepthwise } = blocks;
  const inputBlocks = isDepthwise ? '1u' : `(INPUT_CHANNELS / ${inputs}u)`;
  const padded = isPadded(shape);
  const rows = touchedPixels(source.step[0], taps[0], strides[0], dilation[0]);
  const columns = touchedPixels(source.step[1], taps[1], strides[1], dilation[1]);
  /** Columns of x between one step and the next; a column that was loaded so much further right is there already. */
  const advance = source.step[1] * strides[1];
  const kept = columns.filter((column) => columns.includes(column + advance));
  const load = (row: number, column: number, c: number, step: string): string => {
    const place = `${step} * ${advance}u + firstColumn + ${column}u`;
    return padded
      ? `select(0.0, x[line${row} + min(${place}, WIDTH - 1u) * INPUT_CHANNELS + ${c}u], inside${row} & (${place} < WIDTH))`
      : `x[line${row} + (${place}) * INPUT_CHANNELS + ${c}u]`;
  };
  const cells = range(taps[0]).flatMap((p) =>
    range(taps[1]).flatMap((q) =>
      range(inputs).flatMap((c) => range(vectors).map((v) => ({ p, q, c, v, sum: `sum_${p}_${q}_${c}_${v}` }))),
    ),
  );
  const buffers = ['read> x: array<f32>', ...source.buffers, 'read_write> dw: array<Output>'];
  return /* wgsl */ `
alias Output = ${typeOf(width)};
${buffers.map((buffer, binding) => `@group(0) @binding(${binding}) var<storage, ${buffer};`).join('\n')}
${each(SIZES, (name) => `override ${name}: u32;`)}
${ENTRY}
  let group = index % THREAD_GROUPS * ${vectors}u;
  let c = ${isDepthwise ? 'group' : `index / THREAD_GROUPS % ${inputBlocks} * ${inputs}u`};
  let block = index / THREAD_GROUPS / ${inputBlocks};
  let across = KERNEL_WIDTH / ${taps[1]}u;
  let down = KERNEL_HEIGHT / ${taps[0]}u;
  let q = block % across * ${taps[1]}u;
  let p = block / across % down * ${taps[0]}u;
  let slice = block / across / down;
  ${each(cells, ({ sum }) => `var ${sum} = Output(0.0);`)}
  ${unroll(vectors, (v) => `var bias_${v} = Output(0.0);`)}
  let firstColumn = q * ${dilation[1]}u - LEFT; // wraps in the padding, as rows do
  for (var line = slice * LINES_OF_SLICE; line < min((slice + 1u) * LINES_OF_SLICE, LINES); line++) {
    let n = line / LINES_OF_PICTURE;
    let firstRow = line % LINES_OF_PICTURE * ${source.step[0] * strides[0]}u + p * ${dilation[0]}u - TOP;
    ${each(
      rows,
      (r) => `let inside${r} = firstRow + ${r}u < HEIGHT;
    let line${r} = (n * HEIGHT + min(firstRow + ${r}u, HEIGHT - 1u)) * WIDTH * INPUT_CHANNELS + c;
    ${each(kept, (column) => unroll(inputs, (c) => `var x_${r}_${column}_${c} = ${load(r, column, c, '0u')};`))}`,
    )}
    for (var s = 0u; s < STEPS; s++) {
      ${source.load}
      ${each(rows, (r) =>
        each(
          columns.filter((column) => !kept.includes(column)),
          (column) => unroll(inputs, (c) => `let x_${r}_${column}_${c} = ${load(r, column, c, 's')};`),
        ),
      )}
      ${unroll(source.step[0], (a) =>
        unroll(source.step[1], (b) =>
          each(cells, ({ p, q, c, v, sum }) => {
            const value = `x_${a * strides[0] + p * dilation[0]}_${b * strides[1] + q * dilation[1]}_${c}`;
            return `${sum} = fma(Output(${value}), dz_${a}_${b}_${v}, ${sum});`;
          }),
        ),
      )}
      ${unroll(vectors, (v) => `bias_${v} += ${each(range(source.step[0] * source.step[1]), (at) => `dz_${at >> 1}_${at & 1}_${v}`).replaceAll('\n', ' + ')};`)}
      ${each(rows, (r) => each(kept, (column) => unroll(inputs, (c) => `x_${r}_${column}_${c} = x_${r}_${column + advance}_${c};`)))}
    }
  }
  let start = slice * ROWS_OF_SLICE;
  ${each(
    cells,
    (cell) =>
      `dw[(start + ((p + ${cell.p}u) * KERNEL_WIDTH + q + ${cell.q}u)${isDepthwise ? '' : ` * INPUT_CHANNELS + c + ${cell.c}u`}) * OUTPUT_GROUPS + group + ${cell.v}u] = ${cell.sum};`,
  )}
  let taps = KERNEL_HEIGHT * KERNEL_WIDTH * INPUT_CHANNELS;
  if (ROWS_OF_SLICE > taps && c == 0u && p == 0u && q == 0u) {
    ${unroll(vectors, (v) => `dw[(start + taps) * OUTPUT_GROUPS + group + ${v}u] = bias_${v};`)}
  }
}`;
}

/** x, dz → dw; or with the bias' gradient x, dz → dw, db, or before max pooling x, dy, places → dw, db */
export function weightGradientDispatches(
  shape: ConvolutionShape,
  {
    pooled = false,
    withBias = pooled,
    isDepthwise = false,
    variant = '',
  }: { pooled?: boolean; withBias?: boolean; isDepthwise?: boolean; variant?: string | undefined } = {},
): Plan<BufferView, Dispatch> {
  const { batch, window, inputChannels, outputChannels } = shape;
  const { size } = window;
  const blocks = blocksOf(shape, isDepthwise);
  const inputs = isDepthwise ? 1 : inputChannels;
  const source = (pooled ? pooledSource : pixelSource)(blocks);
  const [linesOfPicture, steps] = pooled
    ? [pooledLength(shape.outputHeight), pooledLength(shape.outputWidth)]
    : [shape.outputHeight, shape.outputWidth];
  const lines = batch * linesOfPicture;
  const groups = outputChannels / blocks.width;
  const threadGroups = groups / blocks.vectors;
  const threadsOfSlice =
    (threadGroups * inputs * size[0] * size[1]) / (blocks.inputs * blocks.taps[0] * blocks.taps[1]);
  const linesOfSlice = Math.ceil(lines / Math.min(lines, Math.ceil(busyThreads(variant) / threadsOfSlice)));
  const slices = Math.ceil(lines / linesOfSlice);
  const weights = size[0] * size[1] * inputs * outputChannels;
  const rowsOfSlice = size[0] * size[1] * inputs + (withBias ? 1 : 0); // the last one is db
  const values: Record<(typeof SIZES)[number], number> = {
    HEIGHT: shape.height,
    WIDTH: shape.width,
    INPUT_CHANNELS: inputChannels,
    OUTPUT_GROUPS: groups,
    THREAD_GROUPS: threadGroups,
    KERNEL_HEIGHT: size[0],
    KERNEL_WIDTH: size[1],
    TOP: shape.top,
    LEFT: shape.left,
    LINES: lines,
    LINES_OF_SLICE: linesOfSlice,
    LINES_OF_PICTURE: linesOfPicture,
    STEPS: steps,
    ROWS_OF_SLICE: rowsOfSlice,
  };
  const code = weightGradientShader(shape, blocks, source);
  return {
    scratch: slices > 1 || withBias ? [slices * rowsOfSlice * outputChannels * 4] : [],
    steps: ({ inputs: given, outputs: [dw, db] }, [partials]) => [
      dispatchThreads(code, slices * threadsOfSlice, [...given, partials ?? dw], values),
      ...(partials
        ? [partialSums(partials, dw, weights, slices, { variant, ...(db && { rest: db, restSize: outputChannels }) })]
        : []),
    ],
  };
}

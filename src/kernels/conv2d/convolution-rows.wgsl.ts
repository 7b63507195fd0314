/**
 * The shader of convolutions, and of their input gradients, that software adapters are quickest with. There a load costs
 * as much as dozens of multiplications, and a long shader takes seconds to compile; so a thread computes a tile of output pixels
 * for a vector of channels or two, and goes down the window's rows in a loop: of the rows of x that lie under it only those are
 * loaded that were not under the row before, the others move on. A 4 × 4 tile of a 3 × 3 window loads 36 values and 36
 * weights for 576 multiplications. What is added to one sum stands together, so that the sum need not leave a register.
 *
 * The input gradient of a strided convolution is taken in phases: pixels of dx that see the same taps are a picture of
 * their own, and it is the convolution of dz with those taps.
 */
import { type BufferView, type Dispatch, dispatchThreads } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { each, range, unroll, widthOf, type VectorWidth } from '../shared/wgsl-text.js';
import type { Pair } from '../shared/window.js';
import { pooledLength, touchedPixels, type ConvolutionShape } from './convolution-shape.js';
import { maximumSink, pixelSink, summingShader, type Sink, type SummedTile } from './summed-tile.wgsl.js';

/** Windows with more columns are walked in a loop instead (`convolution-loop.wgsl.ts`). */
const MOST_COLUMNS = 11;

export const fitsRows = ({ window: { size } }: ConvolutionShape): boolean => size[1] <= MOST_COLUMNS;

/** One axis of a convolution: output o sees, for each of its taps t, the input at o · stride + t · dilation − start. */
export interface Axis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly start: number;
  /** Outputs that are computed; they lie at phase + o · step. */
  readonly outputs: number;
  readonly phase: number;
  readonly step: number;
  /** Where in the window, as it is stored, the taps lie: firstTap + t · tapStep. */
  readonly firstTap: number;
  readonly tapStep: number;
}

/** All outputs of a convolution along an axis. */
export const forwardAxis = ({ window, outputHeight, outputWidth, top, left }: ConvolutionShape, axis: 0 | 1): Axis => ({
  taps: window.size[axis],
  stride: window.strides[axis],
  dilation: window.dilation[axis],
  start: [top, left][axis],
  outputs: [outputHeight, outputWidth][axis],
  phase: 0,
  step: 1,
  firstTap: 0,
  tapStep: 1,
});

/**
 * The phases of an input gradient along an axis, over dz and the turned weights. Pixel u of dx is under tap p of output
 * i = (u + start − p · dilation) / stride, where that is whole: so pixels that are a stride apart see the same taps.
 */
export function gradientAxes({ window, height, width, top, left }: ConvolutionShape, axis: 0 | 1): Axis[] {
  const [size, stride, dilation] = [window.size[axis], window.strides[axis], window.dilation[axis]];
  const start = [top, left][axis];
  const pixels = [height, width][axis];
  return range(Math.min(stride, pixels)).map((phase) => {
    const taps = range(size).filter((p) => (phase + start - p * dilation) % stride === 0);
    const [last, before] = taps.toReversed() as [number?, number?];
    const apart = last === undefined || before === undefined ? stride : last - before;
    return {
      taps: taps.length,
      stride: 1,
      dilation: (apart * dilation) / stride,
      start: last === undefined ? 0 : (last * dilation - phase - start) / stride,
      outputs: Math.ceil((pixels - phase) / stride),
      phase,
      step: stride,
      firstTap: last === undefined ? 0 : size - 1 - last,
      tapStep: apart,
    };
  });
}

const SIZES = [
  'HEIGHT',
  'WIDTH',
  'INPUT_CHANNELS',
  'OUTPUT_HEIGHT',
  'OUTPUT_WIDTH',
  'OUTPUT_GROUPS',
  'POOLED_HEIGHT',
  'POOLED_WIDTH',
  'THREAD_GROUPS',
  'TILES_DOWN',
  'TILES_ACROSS',
  'TOP',
  'LEFT',
  'TAP_ROWS',
  'FIRST_TAP',
  'TAP_ROW',
  'TAP_COLUMN',
  'WEIGHTS_OF_TAP',
  'PHASE_ROW',
  'PHASE_COLUMN',
] as const;

/** Rows that a row of x moves on when the window's next row comes; 0: none lies under both. */
const movedRows = ({ stride, dilation }: Axis): number => (dilation % stride === 0 ? dilation / stride : 0);

function rowsShader(
  [down, across]: readonly [Axis, Axis],
  tile: SummedTile,
  width: VectorWidth,
  sink: Sink,
  { bias = false, isDepthwise = false }: RowsOptions,
): string {
  const rows = range(tile.rows);
  const columns = touchedPixels(tile.columns, across.taps, across.stride, across.dilation);
  const move = movedRows(down);
  const kept = move > 0 ? rows.filter((r) => r + move < tile.rows) : [];
  const load = (r: number, tap: string) => `{
      let row = i * ${down.stride}u + ${r * down.stride}u + ${tap} - TOP; // wraps in the padding, as columns do
      let inside = row < HEIGHT;
      let line = (n * HEIGHT + min(row, HEIGHT - 1u)) * WIDTH * INPUT_CHANNELS + c;
      ${each(columns, (q) => `x_${r}_${q} = select(0.0, x[line + at${q}], inside & inside${q});`)}
    }`;
  const before = each(
    columns,
    (q) => `let column${q} = j * ${across.stride}u + ${q}u - LEFT;
  let inside${q} = column${q} < WIDTH;
  let at${q} = min(column${q}, WIDTH - 1u) * INPUT_CHANNELS;`,
  );
  const add = /* wgsl */ `${isDepthwise ? '{ let c = group;' : 'for (var c = 0u; c < INPUT_CHANNELS; c++) {'}
    ${each(rows, (r) => each(columns, (q) => `var x_${r}_${q} = 0.0;`))}
    ${each(kept, (r) => load(r, '0u'))}
    for (var p = 0u; p < TAP_ROWS; p++) {
      ${each(
        rows.filter((r) => !kept.includes(r)),
        (r) => load(r, `p * ${down.dilation}u`),
      )}
      let first = (FIRST_TAP + p * TAP_ROW) * WEIGHTS_OF_TAP + ${isDepthwise ? '' : 'c * OUTPUT_GROUPS + '}group;
      ${unroll(
        tile.vectors,
        (v) => `{
        ${unroll(across.taps, (q) => `let w_${q} = weight[first + ${q}u * TAP_COLUMN * WEIGHTS_OF_TAP + ${v}u * THREAD_GROUPS];`)}
        ${each(rows, (r) =>
          unroll(tile.columns, (column) =>
            unroll(across.taps, (q) => {
              const sum = `sum_${r}_${column}_${v}`;
              return `${sum} = fma(Output(x_${r}_${column * across.stride + q * across.dilation}), w_${q}, ${sum});`;
            }),
          ),
        )}
      }`,
      )}
      ${each(kept, (r) => each(columns, (q) => `x_${r}_${q} = x_${r + move}_${q};`))}
    }
  }`;
  return summingShader({ tile, width, sizes: SIZES, inputs: ['read> x: array<f32>'], bias, sink, before, add });
}

/**
 * By how much the taps share, which says how long the shader gets: 4 × 4 where rows move on; where they do not, fewer pixels
 * for twice the channels; few pixels for a phase, whose taps are few and whose shader is compiled for each phase.
 */
function tileFor(
  [down, across]: readonly [Axis, Axis],
  outputs: Pair,
  groups: number,
  isDepthwise: boolean,
): SummedTile {
  const isPhase = down.step * across.step > 1;
  const movesOn = down.taps > 1 && movedRows(down) > 0;
  const [most, vectors]: [Pair, number] = isPhase ? [[2, 2], 1] : movesOn || isDepthwise ? [[4, 4], 1] : [[2, 4], 2];
  const [rows, columns] = most.map((side, axis) => (outputs[axis] > 2 ? side : Math.min(side, outputs[axis])));
  return { rows, columns, vectors: groups % vectors === 0 ? vectors : 1 };
}

export interface RowsOptions {
  /** Of x, and how its windows lie; by default those of the forward convolution. */
  readonly axes?: readonly [Axis, Axis];
  /** Max pooling follows: bindings y, places instead of y. */
  readonly toPooled?: boolean;
  readonly bias?: boolean;
  /** Each channel is convolved by itself: weight [KH,KW,1,C]. */
  readonly isDepthwise?: boolean;
  readonly activation?: FusedActivation;
}

/**
 * @param shape sizes of x, y and the window as it is stored
 * @param bindings x, weight, bias if there is one, y (and places)
 */
export function convolutionRows(
  shape: ConvolutionShape,
  bindings: readonly BufferView[],
  options: RowsOptions = {},
): Dispatch {
  const { axes, toPooled = false, activation = 'linear', isDepthwise = false } = options;
  const [down, across] = axes ?? [forwardAxis(shape, 0), forwardAxis(shape, 1)];
  const width = isDepthwise ? 1 : widthOf(shape.outputChannels);
  const groups = shape.outputChannels / width;
  const pooled: Pair = [pooledLength(shape.outputHeight), pooledLength(shape.outputWidth)];
  const [outputRows, outputColumns] = toPooled ? [2 * pooled[0], 2 * pooled[1]] : [down.outputs, across.outputs];
  const tile = tileFor([down, across], [outputRows, outputColumns], groups, isDepthwise);
  const sink = toPooled
    ? maximumSink(tile, width, activation)
    : pixelSink(
        tile,
        width,
        activation,
        (axis, output) => `${[down, across][axis].step}u * ${output} + ${axis === 0 ? 'PHASE_ROW' : 'PHASE_COLUMN'}`,
      );
  const tilesDown = Math.ceil(outputRows / tile.rows);
  const tilesAcross = Math.ceil(outputColumns / tile.columns);
  const values: Record<(typeof SIZES)[number], number> = {
    HEIGHT: shape.height,
    WIDTH: shape.width,
    INPUT_CHANNELS: shape.inputChannels,
    OUTPUT_HEIGHT: shape.outputHeight,
    OUTPUT_WIDTH: shape.outputWidth,
    OUTPUT_GROUPS: groups,
    POOLED_HEIGHT: pooled[0],
    POOLED_WIDTH: pooled[1],
    THREAD_GROUPS: groups / tile.vectors,
    TILES_DOWN: tilesDown,
    TILES_ACROSS: tilesAcross,
    TOP: down.start >>> 0, // below 0 where the first output lies beyond the first input: wraps as in the shader
    LEFT: across.start >>> 0,
    TAP_ROWS: across.taps > 0 ? down.taps : 0,
    FIRST_TAP: down.firstTap * shape.window.size[1] + across.firstTap,
    TAP_ROW: down.tapStep * shape.window.size[1],
    TAP_COLUMN: across.tapStep,
    WEIGHTS_OF_TAP: isDepthwise ? groups : shape.inputChannels * groups,
    PHASE_ROW: down.phase,
    PHASE_COLUMN: across.phase,
  };
  return dispatchThreads(
    rowsShader([down, across], tile, width, sink, options),
    shape.batch * tilesDown * tilesAcross * values.THREAD_GROUPS,
    bindings,
    values,
  );
}

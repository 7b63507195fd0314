/**
 * The shader of convolutions with small windows, and of their input gradients. A thread computes a tile of neighbouring
 * output pixels for one or more vectors of channels. For each input channel it loads the tile's weights once and each
 * input value once, one row after the other; every window position is written out, so that a value serves all outputs
 * under it. Loads are what costs time, on software adapters too: a 4 × 4 tile of a 3 × 3 window loads 36 values and 36
 * weights for 576 multiplications.
 *
 * What the values are and what becomes of the sums is exchangeable: pictures or gradients before max pooling, pixels or
 * their maxima.
 */
import { type BufferView, type Dispatch, dispatchThreads } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import {
  component,
  each,
  halfOf,
  integersOf,
  range,
  typeOf,
  unroll,
  widthOf,
  type VectorWidth,
} from '../shared/wgsl-text.js';
import type { Pair } from '../shared/window.js';
import { isPadded, pooledLength, touchedPixels, type ConvolutionShape } from './convolution-shape.js';
import { maximumSink, pixelSink, summingShader, type Sink, type SummedTile } from './summed-tile.wgsl.js';

/** What a thread computes. */
export interface Tile extends SummedTile {
  /** Input channels that are loaded at a time; as a vector if more than 1. */
  readonly depth: VectorWidth;
  /** The sums of a window over those channels are in half precision; they are added in single precision. */
  readonly half?: boolean;
}

/** The tile whose sums are partly in half precision, and how many times as much its errors may be: it rounds to 11 binary digits where single precision has 24. */
export const HALF_PRECISION = 'half precision';
export const halfCoarseness = { [HALF_PRECISION]: 2 ** 10 } as const;

/** Windows of more taps are walked in a loop instead (`convolution-loop.wgsl.ts`). */
const MOST_TAPS = 25;

export const fitsTile = ({ window: { size } }: ConvolutionShape): boolean => size[0] * size[1] <= MOST_TAPS;

/**
 * The tiles that a convolution may be computed by, under their names; hardware chooses by trying. Of pooled gradients the
 * first one suits software adapters: it keeps the unrolled shader short, since drivers take milliseconds for each load and
 * store to compile. For pictures those have a shader of their own (`convolution-rows.wgsl.ts`).
 */
export function tilesFor(
  { window: { size }, inputChannels }: ConvolutionShape,
  { fromPooled = false, half = false } = {},
): ReadonlyMap<string, Tile> {
  const taps = size[0] * size[1];
  const depth = widthOf(inputChannels);
  const tiles: Tile[] = [
    ...(fromPooled ? [{ rows: 2, columns: taps <= 16 ? 4 : 2, vectors: 1, depth: 1 } as const] : []),
    { rows: 2, columns: 2, vectors: 1, depth },
    ...(taps <= 9 ? [{ rows: 2, columns: 4, vectors: 1, depth }] : []),
  ];
  const named = new Map(tiles.map((tile) => [`${tile.rows}x${tile.columns} by ${tile.depth}`, tile]));
  if (half) named.set(HALF_PRECISION, { ...tiles[tiles.length - 1], half });
  return named;
}

/** The tile of that name, or else the first. */
export function tileNamed(tiles: ReadonlyMap<string, Tile>, name: string | undefined): Tile {
  const [first] = tiles.values();
  return (name === undefined ? undefined : tiles.get(name)) ?? first;
}

/** Where the tile's input values come from. */
interface Source {
  /** Declarations of the buffers, without binding numbers. */
  readonly buffers: readonly string[];
  /** Positions of the tile's pixels: comes before the loop over channels. */
  readonly positions: string;
  /** Declares the values `x_ROW_COLUMN` of one input row. */
  row(row: number): string;
}

/** Input values are pixels of x [N,H,W,C], 0 outside of it if the windows reach there. */
function pictureSource(
  shape: ConvolutionShape,
  rows: readonly number[],
  columns: readonly number[],
  tile: Tile,
): Source {
  const { strides } = shape.window;
  const padded = isPadded(shape);
  const type = typeOf(tile.depth);
  return {
    buffers: [`read> x: array<${type}>`],
    // Rows and columns wrap in the padding before the picture. Tiles may reach beyond the last output as well.
    positions: `
${each(
  rows,
  (r) => `let row${r} = i * ${strides[0]}u + ${r}u - TOP;
  let line${r} = (n * HEIGHT + min(row${r}, HEIGHT - 1u)) * WIDTH * INPUT_GROUPS;`,
)}
${each(
  columns,
  (q) => `let column${q} = j * ${strides[1]}u + ${q}u - LEFT;
  let at${q} = min(column${q}, WIDTH - 1u) * INPUT_GROUPS;`,
)}`,
    row: (r) =>
      each(columns, (q) => {
        const value = `x[line${r} + at${q} + c]`;
        return `let x_${r}_${q} = ${padded ? `select(${type}(0.0), ${value}, (row${r} < HEIGHT) & (column${q} < WIDTH))` : value};`;
      }),
  };
}

/** Half of a position, rounded down, and what is left. */
const halve = (position: number): [number, 0 | 1] => [Math.floor(position / 2), (position & 1) as 0 | 1];

/**
 * Input values are the gradients dz before 2 × 2 max pooling, made of dy and places [N,PH,PW,K] on the way: dz is dy at
 * the place of the maximum and 0 elsewhere. Each pair of dy and place serves the four pixels of its window.
 */
function pooledSource(
  shape: ConvolutionShape,
  rows: readonly number[],
  columns: readonly number[],
  tile: Tile,
): Source {
  const type = typeOf(tile.depth);
  const places = integersOf(tile.depth);
  const rowOf = (r: number) => halve(r - shape.top);
  const columnOf = (q: number) => halve(q - shape.left);
  const windowRows = [...new Set(rows.map((r) => rowOf(r)[0]))];
  const windowColumns = [...new Set(columns.map((q) => columnOf(q)[0]))];
  const name = (at: number) => (at < 0 ? `m${-at}` : `${at}`);
  return {
    buffers: [`read> dy: array<${type}>`, `read> places: array<${places}>`],
    // Tiles begin at even pixels, so that it is known here where in its window a pixel lies.
    positions: `
${each(
  windowRows,
  (r) => `let row_${name(r)} = i / 2u + ${r >>> 0}u;
  let line_${name(r)} = (n * POOLED_HEIGHT + min(row_${name(r)}, POOLED_HEIGHT - 1u)) * POOLED_WIDTH;`,
)}
${each(windowColumns, (q) => `let column_${name(q)} = j / 2u + ${q >>> 0}u;`)}
${each(windowRows, (r) =>
  each(
    windowColumns,
    (q) => `let at_${name(r)}_${name(q)} = (line_${name(r)} + min(column_${name(q)}, POOLED_WIDTH - 1u)) * INPUT_GROUPS;
  let nowhere_${name(r)}_${name(q)} = select(0u, 8u, (row_${name(r)} >= POOLED_HEIGHT) | (column_${name(q)} >= POOLED_WIDTH));`,
  ),
)}`,
    row(row) {
      const [r, down] = rowOf(row);
      const first = rows.find((other) => rowOf(other)[0] === r) === row;
      const load = (q: number) => {
        const window = `${name(r)}_${name(q)}`;
        return `let dy_${window} = dy[at_${window} + c];
      let place_${window} = places[at_${window} + c] + nowhere_${window};`;
      };
      return `
${first ? each(windowColumns, load) : ''}
${each(columns, (column) => {
  const [q, along] = columnOf(column);
  const window = `${name(r)}_${name(q)}`;
  return `let x_${row}_${column} = select(${type}(0.0), dy_${window}, place_${window} == ${places}(${2 * down + along}u));`;
})}`;
    },
  };
}

const SIZES = [
  'HEIGHT',
  'WIDTH',
  'INPUT_GROUPS',
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
] as const;

function tileShader(
  { window: { size, strides, dilation } }: ConvolutionShape,
  rows: readonly number[],
  tile: Tile,
  width: VectorWidth,
  source: Source,
  sink: Sink,
  bias: boolean,
): string {
  const taps = range(size[0]).flatMap((p) => range(size[1]).map((q): Pair => [p, q]));
  const perChannel = (line: (channel: number, vector: number) => string): string =>
    unroll(tile.depth, (d) => unroll(tile.vectors, (v) => line(d, v)));
  /** Output rows that input row `r` lies under, with the window's row there. */
  const outputsOf = (r: number): Pair[] =>
    range(tile.rows).flatMap((output) =>
      range(size[0])
        .filter((p) => output * strides[0] + p * dilation[0] === r)
        .map((p): Pair => [output, p]),
    );
  const half = (value: string, vector: VectorWidth): string => (tile.half ? `${halfOf(vector)}(${value})` : value);
  const sum = tile.half ? 'part' : 'sum';
  const sums = range(tile.rows).flatMap((r) =>
    range(tile.columns).flatMap((q) => range(tile.vectors).map((v) => `${r}_${q}_${v}`)),
  );
  const add = /* wgsl */ `for (var c = 0u; c < INPUT_GROUPS; c++) {
    ${tile.half ? each(sums, (cell) => `var part_${cell} = ${halfOf(width)}(0.0);`) : ''}
    let first = c * ${tile.depth}u * OUTPUT_GROUPS + group;
    ${each(taps, ([p, q]) =>
      perChannel(
        (d, v) =>
          `let w_${p}_${q}_${d}_${v} = ${half(`weight[first + (${(p * size[1] + q) * tile.depth}u * INPUT_GROUPS + ${d}u) * OUTPUT_GROUPS + ${v}u * THREAD_GROUPS]`, width)};`,
      ),
    )}
    ${each(
      rows,
      (r) => `
    ${source.row(r)}
    ${each(outputsOf(r), ([output, p]) =>
      each(range(size[1]), (q) =>
        perChannel((d, v) =>
          unroll(tile.columns, (column) => {
            const cell = `${sum}_${output}_${column}_${v}`;
            const value = component(`x_${r}_${column * strides[1] + q * dilation[1]}`, tile.depth, d);
            const factor = tile.half ? `${halfOf(width)}(f16(${value}))` : `Output(${value})`;
            return `${cell} = fma(${factor}, w_${p}_${q}_${d}_${v}, ${cell});`;
          }),
        ),
      ),
    )}`,
    )}
    ${tile.half ? each(sums, (cell) => `sum_${cell} += Output(part_${cell});`) : ''}
  }`;
  return summingShader({
    enable: tile.half ? 'enable f16;' : '',
    tile,
    width,
    sizes: SIZES,
    inputs: source.buffers,
    bias,
    sink,
    before: source.positions,
    add,
  });
}

export interface TileOptions {
  readonly tile: Tile;
  /** Input values are gradients before max pooling: bindings dy, places instead of x; `shape.height` and `width` are dz's. */
  readonly fromPooled?: boolean;
  /** Max pooling follows: bindings y, places instead of y. */
  readonly toPooled?: boolean;
  readonly bias?: boolean;
  readonly activation?: FusedActivation;
}

/** @param bindings x (or dy, places), weight, bias if there is one, y (and places) */
export function convolutionTiles(
  shape: ConvolutionShape,
  bindings: readonly BufferView[],
  { tile, fromPooled = false, toPooled = false, bias = false, activation = 'linear' }: TileOptions,
): Dispatch {
  const { size, strides, dilation } = shape.window;
  const width = widthOf(shape.outputChannels);
  const groups = shape.outputChannels / width;
  const rows = touchedPixels(tile.rows, size[0], strides[0], dilation[0]);
  const columns = touchedPixels(tile.columns, size[1], strides[1], dilation[1]);
  const source = (fromPooled ? pooledSource : pictureSource)(shape, rows, columns, tile);
  const sink = (toPooled ? maximumSink : pixelSink)(tile, width, activation);
  const pooled = fromPooled
    ? [pooledLength(shape.height), pooledLength(shape.width)]
    : [pooledLength(shape.outputHeight), pooledLength(shape.outputWidth)];
  const [outputHeight, outputWidth] = toPooled
    ? [2 * pooled[0], 2 * pooled[1]]
    : [shape.outputHeight, shape.outputWidth];
  const tilesDown = Math.ceil(outputHeight / tile.rows);
  const tilesAcross = Math.ceil(outputWidth / tile.columns);
  const values: Record<(typeof SIZES)[number], number> = {
    HEIGHT: shape.height,
    WIDTH: shape.width,
    INPUT_GROUPS: shape.inputChannels / tile.depth,
    OUTPUT_HEIGHT: shape.outputHeight,
    OUTPUT_WIDTH: shape.outputWidth,
    OUTPUT_GROUPS: groups,
    POOLED_HEIGHT: pooled[0],
    POOLED_WIDTH: pooled[1],
    THREAD_GROUPS: groups / tile.vectors,
    TILES_DOWN: tilesDown,
    TILES_ACROSS: tilesAcross,
    TOP: shape.top,
    LEFT: shape.left,
  };
  return dispatchThreads(
    tileShader(shape, rows, tile, width, source, sink, bias),
    shape.batch * tilesDown * tilesAcross * values.THREAD_GROUPS,
    bindings,
    values,
  );
}

/** What all shaders have that sum tiles of output pixels: the frame, and what becomes of the sums: pixels, or the maxima of 2 × 2 pixels. */
import { ENTRY } from '../../tensor/kernel.js';
import { isNanFunction, notAbove } from '../../tensor/math.wgsl.js';
import { activate, type FusedActivation } from '../shared/fused-activation.js';
import { each, integersOf, range, typeOf, unroll, type VectorWidth } from '../shared/wgsl-text.js';

/** Rows × columns of output pixels that a thread sums, for so many vectors of output channels. */
export interface SummedTile {
  readonly rows: number;
  readonly columns: number;
  readonly vectors: number;
}

/** What becomes of the tile's sums `sum_ROW_COLUMN_VECTOR`. */
export interface Sink {
  readonly buffers: readonly string[];
  readonly functions?: string;
  readonly write: string;
}

interface Summing {
  /** Language features that the shader needs. */
  readonly enable?: string;
  readonly tile: SummedTile;
  /** Of an output. */
  readonly width: VectorWidth;
  /** Names of the numbers that the shader takes. */
  readonly sizes: readonly string[];
  /** Declarations of the buffers before the weights. */
  readonly inputs: readonly string[];
  readonly bias: boolean;
  readonly sink: Sink;
  /** What comes before the sums, which begin as the bias … */
  readonly before: string;
  /** … and what adds to them. */
  readonly add: string;
}

/** A thread sums the tile at row i, column j of picture n, for the vectors of channels from `group` on. */
export function summingShader({ enable = '', tile, width, sizes, inputs, bias, sink, before, add }: Summing): string {
  const buffers = [
    ...inputs,
    'read> weight: array<Output>',
    ...(bias ? ['read> bias: array<Output>'] : []),
    ...sink.buffers,
  ];
  const beginning = (v: number) => (bias ? `bias[group + ${v}u * THREAD_GROUPS]` : 'Output(0.0)');
  return /* wgsl */ `${enable}
alias Output = ${typeOf(width)};
${buffers.map((buffer, binding) => `@group(0) @binding(${binding}) var<storage, ${buffer};`).join('\n')}
${each(sizes, (name) => `override ${name}: u32;`)}
${sink.functions ?? ''}
${ENTRY}
  let group = index % THREAD_GROUPS;
  let tile = index / THREAD_GROUPS;
  let j = tile % TILES_ACROSS * ${tile.columns}u;
  let i = tile / TILES_ACROSS % TILES_DOWN * ${tile.rows}u;
  let n = tile / TILES_ACROSS / TILES_DOWN;
  ${before}
  ${each(range(tile.rows), (r) => each(range(tile.columns), (q) => unroll(tile.vectors, (v) => `var sum_${r}_${q}_${v} = ${beginning(v)};`)))}
  ${add}
  ${sink.write}
}`;
}

/**
 * y[pixel] = activation(sum)
 *
 * @param place row or column of y that an output of the tile is
 */
export function pixelSink(
  tile: SummedTile,
  width: VectorWidth,
  activation: FusedActivation,
  place: (axis: 0 | 1, output: string) => string = (_, output) => output,
): Sink {
  const type = typeOf(width);
  return {
    buffers: [`read_write> y: array<${type}>`],
    write: each(range(tile.rows), (r) =>
      each(
        range(tile.columns),
        (q) => `{
    let row = ${place(0, `(i + ${r}u)`)};
    let column = ${place(1, `(j + ${q}u)`)};
    if ((row < OUTPUT_HEIGHT) & (column < OUTPUT_WIDTH)) {
    let at = ((n * OUTPUT_HEIGHT + row) * OUTPUT_WIDTH + column) * OUTPUT_GROUPS + group;
    ${unroll(tile.vectors, (v) => `y[at + ${v}u * THREAD_GROUPS] = ${activate(activation, `sum_${r}_${q}_${v}`, type)};`)}
    }
  }`,
      ),
    ),
  };
}

/** y, places = activation(maximum over 2 × 2 sums), and which of the four it was */
export function maximumSink(tile: SummedTile, width: VectorWidth, activation: FusedActivation): Sink {
  const [type, integers] = [typeOf(width), integersOf(width)];
  return {
    buffers: [`read_write> y: array<${type}>`, `read_write> places: array<${integers}>`],
    functions: isNanFunction(type),
    write: each(range(tile.rows / 2), (r) =>
      each(
        range(tile.columns / 2),
        (q) => `if ((i / 2u + ${r}u < POOLED_HEIGHT) & (j / 2u + ${q}u < POOLED_WIDTH)) {
    let at = ((n * POOLED_HEIGHT + i / 2u + ${r}u) * POOLED_WIDTH + j / 2u + ${q}u) * OUTPUT_GROUPS + group;
    ${unroll(
      tile.vectors,
      (v) => `{
      var best = sum_${2 * r}_${2 * q}_${v};
      var place = ${integers}(0u);
      ${each([1, 2, 3], (other) => {
        const sum = `sum_${2 * r + (other >> 1)}_${2 * q + (other & 1)}_${v}`;
        return `{ let better = (${sum} > best) | isNan(${sum}); best = select(best, ${sum}, better); place = select(place, ${integers}(${other}u), better); }`;
      })}
      y[at + ${v}u * THREAD_GROUPS] = ${activate(activation, 'best', type)};
      places[at + ${v}u * THREAD_GROUPS] = ${activation === 'relu' ? `select(place, ${integers}(4u), ${notAbove('best', type)})` : 'place'};
    }`,
    )}
  }`,
      ),
    ),
  };
}

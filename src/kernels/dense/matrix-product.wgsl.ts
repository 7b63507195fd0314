/**
 * The matrix product on the WebGPU device. A thread computes a tile of C, up to 8 rows by one or two vectors of
 * columns, over one slice of K; each loaded value of A serves the tile's columns, each of B its rows. Matrices are read
 * as vectors along their rows where the lengths are multiples of 4. Small products with a long K are split into slices,
 * which are added up afterwards.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY, type Plan } from '../../tensor/kernel.js';
import { activate, type FusedActivation } from '../shared/fused-activation.js';
import { busyThreads, partialSums, sliceVariants } from '../shared/partial-sums.js';
import { component, each, range, typeOf, unroll, widthOf, type VectorWidth } from '../shared/wgsl-text.js';

export interface ProductShape {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** A is given as [K,M]. */
  readonly transposeA: boolean;
  /** B is given as [N,K]. */
  readonly transposeB: boolean;
}

export interface ProductOptions {
  readonly bias?: boolean;
  readonly activation?: FusedActivation;
  /** A second output, after C: Σ_k B[k,n]. With x and dz it is a dense layer's bias gradient. */
  readonly columnSums?: boolean;
}

/** What a thread computes. */
interface Tile {
  readonly rows: number;
  /** Vectors of columns. */
  readonly vectors: number;
  readonly width: VectorWidth;
  /** Steps of k that are written out: 4 where a matrix is read along k. */
  readonly depth: VectorWidth;
}

function tileFor({ M, N, K, transposeA, transposeB }: ProductShape): Tile {
  const width = widthOf(N);
  return {
    rows: Math.min(8, transposeA && M % 4 === 0 ? Math.ceil(M / 4) * 4 : M),
    vectors: transposeA && !transposeB && (N / width) % 2 === 0 ? 2 : 1,
    width,
    depth: transposeA && !transposeB ? 1 : widthOf(K),
  };
}

const SIZES = ['M', 'N', 'K', 'K_OF_SLICE', 'THREAD_GROUPS', 'ROW_TILES', 'ROWS_OF_SLICE'] as const;

/** Loads of one matrix: how it is bound, the loads of `depth` steps from k on, and the value of a line at step d. */
interface Loads {
  readonly type: VectorWidth;
  readonly text: string;
  value(line: number, d: number): string;
}

/**
 * Rows of op(A), or columns of op(B), are lines; they lie along k, or across.
 *
 * @param matrix a or b
 * @param first WGSL of the first line
 * @param lines lines of the tile
 * @param count how many lines there are, in WGSL
 */
function loads(
  matrix: 'a' | 'b',
  { alongK, type, depth }: { alongK: boolean; type: VectorWidth; depth: number },
  first: string,
  lines: number,
  count: 'M' | 'N',
): Loads {
  if (alongK) {
    const line = (i: number) => `min(${first} + ${i}u, ${count} - 1u)`;
    return {
      type,
      text: unroll(lines, (i) =>
        unroll(depth / type, (d) => `let ${matrix}_${i}_${d} = ${matrix}[(${line(i)} * K + k) / ${type}u + ${d}u];`),
      ),
      value: (i, d) => component(`${matrix}_${i}_${Math.floor(d / type)}`, type, d % type),
    };
  }
  const last = `${count} / ${type}u - 1u`;
  return {
    type,
    text: unroll(depth, (d) =>
      unroll(
        Math.ceil(lines / type),
        (i) =>
          `let ${matrix}_${i}_${d} = ${matrix}[(k + ${d}u) * (${count} / ${type}u) + min(${first} / ${type}u + ${i}u, ${last})];`,
      ),
    ),
    value: (i, d) => component(`${matrix}_${Math.floor(i / type)}_${d}`, type, i % type),
  };
}

function productShader(
  shape: ProductShape,
  { rows, vectors, width, depth }: Tile,
  { bias = false, activation = 'linear', columnSums = false, slices }: ProductOptions & { slices: number },
): string {
  const { M, N, transposeA, transposeB } = shape;
  const columns = vectors * width;
  const a = loads('a', { alongK: !transposeA, type: transposeA ? widthOf(M) : depth, depth }, 'row', rows, 'M');
  const b = loads('b', { alongK: transposeB, type: transposeB ? depth : widthOf(N), depth }, 'column', columns, 'N');
  /** A vector of columns of op(B) at step d. */
  const vector = (v: number, d: number): string =>
    width === b.type && !transposeB
      ? `b_${v}_${d}`
      : `Columns(${range(width)
          .map((i) => b.value(v * width + i, d))
          .join(', ')})`;
  const sums = range(rows).flatMap((r) => range(vectors).map((v) => ({ r, v, sum: `sum_${r}_${v}` })));
  return /* wgsl */ `
alias Columns = ${typeOf(width)};
@group(0) @binding(0) var<storage, read> a: array<${typeOf(a.type)}>;
@group(0) @binding(1) var<storage, read> b: array<${typeOf(b.type)}>;
@group(0) @binding(2) var<storage, read_write> c: array<Columns>;
${bias ? '@group(0) @binding(3) var<storage, read> bias: array<Columns>;' : ''}
${columnSums && slices === 1 ? '@group(0) @binding(3) var<storage, read_write> totals: array<Columns>;' : ''}
${each(SIZES, (name) => `override ${name}: u32;`)}
${ENTRY}
  let column = index % THREAD_GROUPS * ${columns}u;
  let row = index / THREAD_GROUPS % ROW_TILES * ${rows}u;
  let slice = index / THREAD_GROUPS / ROW_TILES;
  ${each(sums, ({ sum }) => `var ${sum} = Columns(0.0);`)}
  ${columnSums ? unroll(vectors, (v) => `var total_${v} = Columns(0.0);`) : ''}
  for (var k = slice * K_OF_SLICE; k < min((slice + 1u) * K_OF_SLICE, K); k += ${depth}u) {
    ${a.text}
    ${b.text}
    ${unroll(depth, (d) =>
      unroll(
        vectors,
        (v) => `{
      let value = ${vector(v, d)};
      ${unroll(rows, (r) => `sum_${r}_${v} = fma(Columns(${a.value(r, d)}), value, sum_${r}_${v});`)}
      ${columnSums ? `total_${v} += value;` : ''}
    }`,
      ),
    )}
  }
  let start = slice * ROWS_OF_SLICE;
  ${unroll(
    rows,
    (r) => `if (row + ${r}u < M) {
    let at = ((start + row + ${r}u) * N + column) / ${width}u;
    ${unroll(vectors, (v) => {
      const sum = `sum_${r}_${v}${bias ? ` + bias[column / ${width}u + ${v}u]` : ''}`;
      return `{ let sum = ${sum}; c[at + ${v}u] = ${activate(activation, 'sum', typeOf(width))}; }`;
    })}
  }`,
  )}
  ${
    columnSums
      ? `if (row == 0u) {
    ${unroll(vectors, (v) =>
      slices === 1
        ? `totals[column / ${width}u + ${v}u] = total_${v};`
        : `c[((start + M) * N + column) / ${width}u + ${v}u] = total_${v};`,
    )}
  }`
      : ''
  }
}`;
}

/** Side of the square of C that a workgroup of `workgroupShader` computes, and how much of K it holds at a time. */
const SQUARE = 32;
const STRIP = 16;

/**
 * The variant with workgroup memory: 64 threads load a strip of A and one of B together, and each computes 4 × 4 values
 * of a square of C. Every element is read from the buffers once for 32 rows or columns, along whichever way it lies.
 */
function workgroupShader(
  { transposeA, transposeB }: ProductShape,
  { bias = false, activation = 'linear', columnSums = false, slices }: ProductOptions & { slices: number },
): string {
  const cells = range(4).flatMap((r) => range(4).map((q) => ({ r, q })));
  // Neighbouring threads load neighbouring elements.
  const load = (matrix: 'a' | 'b', alongK: boolean, line: string, count: 'M' | 'N'): string =>
    unroll((SQUARE * STRIP) / 64, (i) => {
      const [lineAt, kAt] = alongK
        ? [`(local + ${64 * i}u) / ${STRIP}u`, `(local + ${64 * i}u) % ${STRIP}u`]
        : [`(local + ${64 * i}u) % ${SQUARE}u`, `(local + ${64 * i}u) / ${SQUARE}u`];
      const at = alongK ? `min(${line} + ${lineAt}, ${count} - 1u) * K` : `min(${line} + ${lineAt}, ${count} - 1u)`;
      const step = `min(k + ${kAt}, K - 1u)${alongK ? '' : ` * ${count}`}`;
      return `${matrix}_strip[${kAt}][${lineAt}] = select(0.0, ${matrix}[${at} + ${step}], k + ${kAt} < last);`;
    });
  return /* wgsl */ `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
${bias ? '@group(0) @binding(3) var<storage, read> bias: array<f32>;' : ''}
${columnSums && slices === 1 ? '@group(0) @binding(3) var<storage, read_write> totals: array<f32>;' : ''}
${each(SIZES, (name) => `override ${name}: u32;`)}
var<workgroup> a_strip: array<array<f32, ${SQUARE}>, ${STRIP}>;
var<workgroup> b_strip: array<array<f32, ${SQUARE}>, ${STRIP}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let column = group.x * ${SQUARE}u;
  let row = group.y * ${SQUARE}u;
  let slice = group.z;
  let down = local / 8u * 4u;
  let along = local % 8u * 4u;
  ${each(cells, ({ r, q }) => `var sum_${r}_${q} = 0.0;`)}
  ${columnSums ? unroll(4, (q) => `var total_${q} = 0.0;`) : ''}
  let last = min((slice + 1u) * K_OF_SLICE, K);
  for (var k = slice * K_OF_SLICE; k < last; k += ${STRIP}u) {
    ${load('a', !transposeA, 'row', 'M')}
    ${load('b', transposeB, 'column', 'N')}
    workgroupBarrier();
    for (var step = 0u; step < ${STRIP}u; step++) {
      ${unroll(4, (r) => `let a_${r} = a_strip[step][down + ${r}u];`)}
      ${unroll(4, (q) => `let b_${q} = b_strip[step][along + ${q}u];`)}
      ${each(cells, ({ r, q }) => `sum_${r}_${q} = fma(a_${r}, b_${q}, sum_${r}_${q});`)}
      ${columnSums ? unroll(4, (q) => `total_${q} += b_${q};`) : ''}
    }
    workgroupBarrier();
  }
  let start = slice * ROWS_OF_SLICE;
  ${unroll(4, (q) => {
    const at = `column + along + ${q}u`;
    return `if (${at} < N) {
    ${unroll(
      4,
      (r) => `if (row + down + ${r}u < M) {
      let sum = sum_${r}_${q}${bias ? ` + bias[${at}]` : ''};
      c[(start + row + down + ${r}u) * N + ${at}] = ${activate(activation, 'sum')};
    }`,
    )}
    ${
      columnSums
        ? `if (row + down == 0u) { ${slices === 1 ? `totals[${at}]` : `c[(start + M) * N + ${at}]`} = total_${q}; }`
        : ''
    }
  }`;
  })}
}`;
}

/** Names of the variants; the first suits software adapters, where barriers cost more than they save. */
export const productVariants: readonly string[] = ['registers', 'workgroup memory'];

/** a, b, bias? → c (and the column sums) */
export function productDispatches(
  shape: ProductShape,
  options: ProductOptions = {},
  variant?: string,
): Plan<BufferView, Dispatch> {
  const { M, N, K } = shape;
  const together = variant === productVariants[1];
  const { activation = 'linear', columnSums = false } = options;
  const tile = tileFor(shape);
  const threadGroups = N / tile.width / tile.vectors;
  const rowTiles = Math.ceil(M / tile.rows);
  const tiles = rowTiles * threadGroups;
  const division = sliceVariants[together ? 1 : 0];
  const threads = together ? Math.ceil(N / SQUARE) * Math.ceil(M / SQUARE) * 64 : tiles;
  const mostSlices = Math.max(1, Math.min(Math.floor(K / 64), Math.ceil(busyThreads(division) / threads)));
  const kStep = together ? STRIP : tile.depth;
  // Below 256 a second dispatch costs more than the loop.
  const kOfSlice = Math.ceil(K / (K < 256 ? 1 : mostSlices) / kStep) * kStep;
  const slices = Math.ceil(K / kOfSlice);
  const rowsOfSlice = M + (columnSums ? 1 : 0); // the last one is the column sums
  const values: Record<(typeof SIZES)[number], number> = {
    M,
    N,
    K,
    K_OF_SLICE: kOfSlice,
    THREAD_GROUPS: threadGroups,
    ROW_TILES: rowTiles,
    ROWS_OF_SLICE: rowsOfSlice,
  };
  // Bias and activation come after the last addition.
  const here = { ...(slices > 1 ? { columnSums } : options), slices };
  const product = (bindings: readonly BufferView[]): Dispatch => {
    if (!together) return dispatchThreads(productShader(shape, tile, here), tiles * slices, bindings, values);
    const workgroups = [Math.ceil(N / SQUARE), Math.ceil(M / SQUARE), slices] as const;
    return { code: workgroupShader(shape, here), constants: values, bindings, workgroups };
  };
  return {
    scratch: slices > 1 ? [slices * rowsOfSlice * N * 4] : [],
    steps({ inputs: [a, b, ...biases], outputs: [c, ...sums] }, [partials]) {
      if (!partials) return [product([a, b, c, ...biases, ...sums])];
      const rest = sums[0] && { rest: sums[0], restSize: N };
      const last = { bias: biases[0], channels: N, activation, variant: division, ...rest };
      return [product([a, b, partials]), partialSums(partials, c, M * N, slices, last)];
    },
  };
}

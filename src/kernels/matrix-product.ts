/**
 * Matrix product C[M,N] = activation(op(A)[M,K] · op(B)[K,N] + bias[N]), op being the transpose or nothing: what a
 * dense layer and its gradients are made of.
 */
import { ShapeError } from '../errors.js';
import { defineKernel, dispatchThreads, ENTRY, type OperandShapes } from '../tensor/kernel.js';
import { formatShape } from '../tensor/shape.js';
import { activate, BUSY_THREADS, partialSums, type FusedActivation } from './partial-sums.js';
import { split } from '../tensor/parts.js';
import { floats, PRODUCT_BYTES, sumSlicesCall } from './wasm-parts.js';

export interface MatrixProductAttributes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly activation?: FusedActivation;
}

/** Sizes, and the distances (in elements) between rows and columns of op(A) and op(B). */
function productShape(
  { inputs: [a, b] }: { inputs: OperandShapes['inputs'] },
  { transposeA = false, transposeB = false }: MatrixProductAttributes,
) {
  const [M, K] = transposeA ? [a[1], a[0]] : [a[0], a[1]];
  const [depth, N] = transposeB ? [b[1], b[0]] : [b[0], b[1]];
  return {
    M,
    K,
    N,
    depth,
    aRow: transposeA ? 1 : K,
    aColumn: transposeA ? M : 1,
    bRow: transposeB ? 1 : N,
    bColumn: transposeB ? K : 1,
  };
}

/** Rows of C that a thread computes: each loaded value of B serves them all. */
const ROWS = 4;

/** A thread: ROWS rows × 4 neighbouring columns (or 1) of C over one slice of K. */
const productShader = (vector: boolean): string => /* wgsl */ `
alias Columns = ${vector ? 'vec4f' : 'f32'};
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Columns>;
@group(0) @binding(2) var<storage, read_write> c: array<Columns>;
override M: u32;
override GROUPS: u32;       // columns of C, in vectors
override K: u32;
override K_OF_SLICE: u32;
override A_ROW: u32;
override A_COLUMN: u32;
override B_ROW: u32;        // in vectors
override B_COLUMN: u32;
${ENTRY}
  let group = index % GROUPS;
  let tiles = (M + ${ROWS - 1}u) / ${ROWS}u;
  let row = index / GROUPS % tiles * ${ROWS}u;
  let slice = index / GROUPS / tiles;
  ${Array.from({ length: ROWS }, (_, r) => `let a${r} = min(row + ${r}u, M - 1u) * A_ROW; var sum${r} = Columns(0.0);`).join('\n  ')}
  for (var k = slice * K_OF_SLICE; k < min((slice + 1u) * K_OF_SLICE, K); k++) {
    let value = b[k * B_ROW + group * B_COLUMN];
    ${Array.from({ length: ROWS }, (_, r) => `sum${r} = fma(Columns(a[a${r} + k * A_COLUMN]), value, sum${r});`).join('\n    ')}
  }
  ${Array.from({ length: ROWS }, (_, r) => `if (row + ${r}u < M) { c[(slice * M + row + ${r}u) * GROUPS + group] = sum${r}; }`).join('\n  ')}
}`;

/** c = activation(c + bias), for products of a single slice. */
const FINISH = (bias: boolean, activation: FusedActivation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> c: array<f32>;
${bias ? '@group(0) @binding(1) var<storage, read> bias: array<f32>;' : ''}
override CHANNELS: u32;
${ENTRY}
  let sum = c[index] ${bias ? '+ bias[index % CHANNELS]' : ''};
  c[index] = ${activate(activation, 'sum')};
}`;

/** a, b, optional bias → c */
export const matrixProduct = defineKernel<MatrixProductAttributes>({
  name: 'matrixProduct',
  outputs(inputs, attributes) {
    const [a, b, bias] = inputs;
    if (a.length !== 2 || b.length !== 2)
      throw new ShapeError(`matrixProduct: expects two matrices, got ${formatShape(a)} and ${formatShape(b)}`);
    const { M, N, K, depth } = productShape({ inputs }, attributes);
    if (K !== depth)
      throw new ShapeError(
        `matrixProduct: inner lengths expect to agree, got ${K} and ${depth} (a ${formatShape(a)}, b ${formatShape(b)})`,
      );
    if (bias && (bias.length !== 1 || bias[0] !== N))
      throw new ShapeError(`matrixProduct: bias expects [${N}], got ${formatShape(bias)}`);
    return [{ shape: [M, N], dtype: 'float32' }];
  },
  twin({ inputs: [a, b, bias], outputs: [c] }, shapes, attributes) {
    const { M, N, K, aRow, aColumn, bRow, bColumn } = productShape(shapes, attributes);
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += a[m * aRow + k * aColumn] * b[k * bRow + n * bColumn];
        if (bias) sum += bias[n];
        c[m * N + n] = attributes.activation === 'relu' && sum <= 0 ? 0 : sum;
      }
    }
  },
  wgsl(shapes, attributes) {
    const { M, N, K, aRow, aColumn, bRow, bColumn } = productShape(shapes, attributes);
    const { activation = 'linear' } = attributes;
    const bias = shapes.inputs.length === 3;
    const vector = N % 4 === 0 && !attributes.transposeB;
    const width = vector ? 4 : 1;
    const tiles = Math.ceil(M / ROWS) * (N / width);
    const slices = Math.min(Math.ceil(K / 32), Math.ceil(BUSY_THREADS / tiles));
    const kOfSlice = Math.ceil(K / slices);
    const used = Math.ceil(K / kOfSlice);
    const finish = bias || activation !== 'linear';
    return {
      scratch: used > 1 ? [used * M * N * 4] : [],
      steps: ({ inputs: [a, b, biasView], outputs: [c] }, [partials]) => [
        dispatchThreads(productShader(vector), tiles * used, [a, b, partials ?? c], {
          ...{ M, GROUPS: N / width, K, K_OF_SLICE: kOfSlice },
          ...{ A_ROW: aRow, A_COLUMN: aColumn, B_ROW: bRow / width, B_COLUMN: bColumn },
        }),
        ...(partials ? [partialSums(partials, c, M * N, used, { bias: biasView, channels: N, activation })] : []),
        ...(!partials && finish
          ? [dispatchThreads(FINISH(bias, activation), M * N, bias ? [c, biasView] : [c], { CHANNELS: N })]
          : []),
      ],
    };
  },
  wasm(shapes, attributes) {
    const { M, N, K, aRow, aColumn, bRow, bColumn } = productShape(shapes, attributes);
    const { transposeA, transposeB, activation = 'linear' } = attributes;
    const dots = transposeB && !transposeA; // rows with rows: neither need be packed
    // Few elements of great depth, as a dense layer's output, are split by depth, others by rows (or columns).
    const byDepth = !dots && M * N < 8 * K;
    const { parts, chunk } = dots ? split(N, 16, 4) : byDepth ? split(K, 64, 64) : split(M, 16, 4);
    const scratch = parts * PRODUCT_BYTES;
    const strides = (a: number, b: number): number[] => [a, aRow, aColumn, b, bRow, bColumn];
    if (byDepth) {
      return {
        scratch: [scratch, floats(parts * M * N)],
        steps: ({ inputs: [a, b, bias = 0], outputs: [c] }, [edges, slices]) => [
          { function: 'productOfSlice', parts, arguments: [...strides(a, b), slices, M, N, K, chunk, edges] },
          sumSlicesCall(slices, parts, c, M, N, { bias, activation }),
        ],
      };
    }
    return {
      scratch: [scratch],
      steps: ({ inputs: [a, b, bias = 0], outputs: [c] }, [edges]) => [
        dots
          ? { function: 'productOfDots', parts, arguments: [a, b, c, M, N, K, chunk, edges] }
          : { function: 'productOfRows', parts, arguments: [...strides(a, b), c, M, N, K, chunk, edges] },
        ...(bias || activation !== 'linear' ? [sumSlicesCall(c, 1, c, M, N, { bias, activation })] : []),
      ],
    };
  },
});

/**
 * Matrix product C[M,N] = activation(op(A)[M,K] · op(B)[K,N] + bias[N]), op being the transpose or nothing: what a
 * dense layer and its gradients are made of.
 */
import { ShapeError } from '../../errors.js';
import { defineKernel, type OperandShapes } from '../../tensor/kernel.js';
import { formatShape } from '../../tensor/shape.js';
import { productDispatches, productVariants } from './matrix-product.wgsl.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { split } from '../../tensor/cpu/parts.js';
import { BLOCK_DEPTH, floats, PRODUCT_BYTES, sumSlicesCall } from '../shared/wasm-parts.js';
import { between, channels, floats as randomFloats, type RegistryEntry } from '../shared/samples.js';

export interface MatrixProductAttributes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly activation?: FusedActivation;
}

/** Rows of C that are not split: its columns are. */
const FEW_ROWS = 64;
/** Most elements of the slices that a product is split into by depth. */
const MOST_SLICED = 2 ** 21;

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
  wgsl(shapes, attributes, { variant }) {
    const { transposeA = false, transposeB = false, activation = 'linear' } = attributes;
    const { M, N, K } = productShape(shapes, attributes);
    const bias = shapes.inputs.length === 3;
    return productDispatches({ M, N, K, transposeA, transposeB }, { bias, activation }, variant);
  },
  variants: () => productVariants,
  operations(shapes, attributes) {
    const { M, N, K } = productShape(shapes, attributes);
    return 2 * M * N * K;
  },
  wasm(shapes, attributes) {
    const { M, N, K, aRow, aColumn, bRow, bColumn } = productShape(shapes, attributes);
    const { transposeA, transposeB, activation = 'linear' } = attributes;
    const dots = transposeB && !transposeA; // rows with rows: neither need be packed
    // Few elements of great depth, as a dense layer's output, are split by depth, others by rows or columns; never by what would
    // change a row's bits with their number.
    const slices = Math.ceil(K / BLOCK_DEPTH);
    const byDepth = !dots && slices > 1 && slices * M * N <= MOST_SLICED;
    const rows = split(M, M > FEW_ROWS ? 16 : M, 4);
    const columns = M > FEW_ROWS ? { parts: 1, chunk: N } : split(N, 32, 8);
    const { parts, chunk } = dots
      ? split(N, 16, 4)
      : { parts: byDepth ? slices : rows.parts * columns.parts, chunk: rows.chunk };
    const strides = (a: number, b: number): number[] => [a, aRow, aColumn, b, bRow, bColumn];
    if (byDepth) {
      return {
        scratch: [floats(parts * M * N)],
        workspace: PRODUCT_BYTES,
        steps: ({ inputs: [a, b, bias = 0], outputs: [c] }, [sums]) => [
          { function: 'productOfSlice', parts, arguments: [...strides(a, b), sums, M, N, K] },
          sumSlicesCall(sums, parts, c, M, N, { bias, activation }),
        ],
      };
    }
    return {
      workspace: PRODUCT_BYTES,
      steps: ({ inputs: [a, b, bias = 0], outputs: [c] }) => [
        dots
          ? { function: 'productOfDots', parts, arguments: [a, b, c, M, N, K, chunk] }
          : {
              function: 'productOfTiles',
              parts,
              arguments: [...strides(a, b), c, M, N, K, chunk, columns.chunk],
            },
        ...(bias || activation !== 'linear' ? [sumSlicesCall(c, 1, c, M, N, { bias, activation })] : []),
      ],
    };
  },
});

// --- samples

export const matrixProductEntry: RegistryEntry = {
  kernels: [
    {
      kernel: matrixProduct,
      roundings: 64,
      because: 'up to 300 products of both signs',
      sample(random) {
        const M = between(random, 1, 70);
        const K = between(random, 1, 300);
        const N = channels(random) * between(random, 1, 3);
        const transposeA = random.integer(2) === 1;
        const transposeB = random.integer(2) === 1;
        const bias = random.integer(2) ? [randomFloats(random, [N])] : [];
        return {
          inputs: [
            randomFloats(random, transposeA ? [K, M] : [M, K]),
            randomFloats(random, transposeB ? [N, K] : [K, N]),
            ...bias,
          ],
          attributes: { transposeA, transposeB, activation: random.integer(2) ? 'relu' : 'linear' },
        };
      },
    },
  ],
  ops: [],
};

/** Inputs to try kernels and ops on, made from random numbers: what entries of the registry are written with. */
import { expectFunction, objectWith } from '../../expect.js';
import type { DefinedOp } from '../../tensor/autograd.js';
import type { Kernel } from '../../tensor/kernel.js';
import type { Random } from '../../tensor/random.js';
import { sizeOf, type DType, type Shape, expectShape } from '../../tensor/shape.js';
import { windowGeometry, type WindowAttributes } from './window.js';

export interface SampleTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly values: Float32Array | Uint32Array | Uint8Array;
}

export interface Sample {
  readonly inputs: readonly SampleTensor[];
  readonly attributes: unknown;
  /** Content of outputs that the kernel updates in place. */
  readonly inPlace?: readonly SampleTensor[];
}

/** Error that an output may have, in units of float32 rounding (2^-24) of its largest value, and why so many. */
export interface Tolerance {
  /** The rounded additions and multiplications that lead to one output, or fewer where they do not add up. */
  readonly roundings: number;
  /** What is rounded, for docs/numerics.md. */
  readonly because: string;
}

export interface RegisteredKernel extends Tolerance {
  readonly kernel: Kernel<never>;
  /** One input to try; other random numbers give other shapes. */
  readonly sample: (random: Random) => Sample;
}

export interface RegisteredOp extends Tolerance {
  readonly op: DefinedOp<never>;
  /** One input to try, where finite differences have a meaning: away from kinks and ties. */
  readonly sample: (random: Random) => Sample;
  /** Positions of the inputs that have no gradient: labels, and what is no float. */
  readonly constants?: readonly number[];
}

/** What the file of an op gives to the registry. */
export interface RegistryEntry {
  readonly kernels: readonly RegisteredKernel[];
  readonly ops: readonly RegisteredOp[];
}

export const between = (random: Random, low: number, high: number): number => low + random.integer(high - low + 1);

export function floats(random: Random, shape: Shape, low = -1, high = 1): SampleTensor {
  objectWith({ uniform: expectFunction })(random, 'floats: random');
  expectShape(shape, 'floats: shape');
  return {
    shape,
    dtype: 'float32',
    values: Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(low, high)),
  };
}

export const integers = (random: Random, shape: Shape, limit: number): SampleTensor => ({
  shape,
  dtype: 'uint32',
  values: Uint32Array.from({ length: sizeOf(shape) }, () => random.integer(limit)),
});

/** Class indices 0 … classes − 1, as floats: what labels are. */
export const labels = (random: Random, count: number, classes = 2): SampleTensor => ({
  shape: [count],
  dtype: 'float32',
  values: Float32Array.from({ length: count }, () => random.integer(classes)),
});

/** −3 … 3: sums and products of them are exact in float32, and ties are common. */
export const wholeNumbers = (random: Random, shape: Shape): SampleTensor => ({
  shape,
  dtype: 'float32',
  values: Float32Array.from({ length: sizeOf(shape) }, () => random.integer(7) - 3),
});

/** Odd multiples of 1/16, so never within 1/16 of a kink at 0. */
export const apartFromZero = (random: Random, shape: Shape): SampleTensor => ({
  shape,
  dtype: 'float32',
  values: Float32Array.from({ length: sizeOf(shape) }, () => (random.integer(64) - 32) / 8 + 1 / 16),
});

/** All different, 1/16 apart: no small step makes another one the maximum. */
export const allDifferent = (random: Random, shape: Shape): SampleTensor => ({
  shape,
  dtype: 'float32',
  values: Float32Array.from(random.permutation(sizeOf(shape)), (rank) => rank / 16 - 2),
});

export function randomWindow(random: Random, dilated: boolean): WindowAttributes {
  const pair = (high: number): [number, number] => [between(random, 1, high), between(random, 1, high)];
  return {
    size: pair(4),
    strides: pair(3),
    dilation: dilated ? pair(2) : [1, 1],
    padding: random.integer(2) ? 'same' : 'valid',
  };
}

/** Channel counts that take the vector paths as often as the others. */
export const channels = (random: Random): number =>
  random.integer(2) ? 4 * between(random, 1, 3) : between(random, 1, 7);

/** A window for pooling, a picture that it fits into, and the output's shape. */
export function pooledPicture(random: Random) {
  const window = randomWindow(random, false);
  const x: Shape = [between(random, 1, 3), between(random, 4, 9), between(random, 4, 9), between(random, 1, 5)];
  const geometry = windowGeometry('sample', x, window);
  return { window, x, y: [x[0], geometry.outputHeight, geometry.outputWidth, x[3]] as Shape, ...geometry };
}

/** 1 to 4 axes, lengths 1 to 5. */
export const anyShape = (random: Random): Shape =>
  Array.from({ length: between(random, 1, 4) }, () => between(random, 1, 5));

/** Entry of a kernel that treats every element alike. */
export function elementwise<Attributes = null>(
  kernel: Kernel<Attributes>,
  inputs: number,
  tolerance: Tolerance,
  {
    low = -4,
    high = 4,
    attributes = () => null,
  }: { low?: number; high?: number; attributes?: (random: Random) => unknown } = {},
): RegisteredKernel {
  return {
    kernel,
    ...tolerance,
    sample(random) {
      const shape = [between(random, 1, 300)];
      return {
        inputs: Array.from({ length: inputs }, () => floats(random, shape, low, high)),
        attributes: attributes(random),
      };
    },
  };
}

/** Entry of an op of one tensor of any shape. */
export function unary(
  op: DefinedOp<never>,
  tolerance: Tolerance,
  {
    values = (random, shape) => floats(random, shape, -3, 3),
    attributes = () => null,
  }: {
    values?: (random: Random, shape: Shape) => SampleTensor;
    attributes?: (random: Random, shape: Shape) => unknown;
  } = {},
): RegisteredOp {
  return {
    op,
    ...tolerance,
    sample(random) {
      const shape = [...anyShape(random), 16]; // where y is near 0 by cancellation, the error is set against its neighbours
      return { inputs: [values(random, shape)], attributes: attributes(random, shape) };
    },
  };
}

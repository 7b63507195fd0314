/** scale · Σ x²: the penalty of L2 regularization, and the square of a norm. Gradient: dx = 2·scale·dy·x. */
import { expectNumber, expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { splitElements } from '../../tensor/cpu/parts.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { floats as floatBytes, sumSlicesCall } from '../shared/wasm-parts.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { busyThreads, partialSums, sumVariants } from '../shared/partial-sums.js';
import { anyShape, between, floats, type RegistryEntry } from '../shared/samples.js';

export interface ScaleAttributes {
  readonly scale: number;
}

const SLICES = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
override SIZE: u32;
override SIZE_OF_SLICE: u32;
override SCALE: f32;
${ENTRY}
  var sum = 0.0;
  for (var i = index * SIZE_OF_SLICE; i < min((index + 1u) * SIZE_OF_SLICE, SIZE); i++) { sum = fma(x[i], x[i], sum); }
  sums[index] = SCALE * sum;
}`;

function slicesOf(x: Shape, variant?: string) {
  const size = sizeOf(x);
  const sizeOfSlice = Math.max(64, Math.ceil((size * 16) / busyThreads(variant)));
  return { size, sizeOfSlice, slices: Math.ceil(size / sizeOfSlice) };
}

/** x → scale · Σ x², a scalar */
export const sumOfSquaresKernel = defineKernel<ScaleAttributes>({
  name: 'sumOfSquares',
  outputs: () => [{ shape: [], dtype: 'float32' }],
  twin({ inputs: [x], outputs: [sum] }, _, { scale }) {
    let total = 0;
    for (let i = 0; i < x.length; i++) total += x[i] * x[i];
    sum[0] = scale * total;
  },
  variants: ({ inputs: [x] }, _, target) => sumVariants(target, 1, slicesOf(x).slices),
  wgsl({ inputs: [x] }, { scale }, { variant }) {
    const { size, sizeOfSlice, slices } = slicesOf(x, variant);
    return {
      scratch: slices > 1 ? [slices * 4] : [],
      steps: ({ inputs, outputs: [sum] }, [partials]) => [
        dispatchThreads(SLICES, slices, [...inputs, partials ?? sum], {
          SIZE: size,
          SIZE_OF_SLICE: sizeOfSlice,
          SCALE: scale,
        }),
        ...(partials ? [partialSums(partials, sum, 1, slices, { variant })] : []),
      ],
    };
  },
  wasm({ inputs: [x] }, { scale }) {
    const { parts, chunk } = splitElements(sizeOf(x));
    return {
      scratch: [floatBytes(parts)],
      steps: ({ inputs: [from], outputs: [sum] }, [partials]) => [
        { function: 'sumOfSquares', parts, arguments: [from, partials, sizeOf(x), chunk, scale] },
        sumSlicesCall(partials, parts, sum, 1, 1),
      ],
    };
  },
});

/** dy, a scalar, and x → dx */
export const sumOfSquaresGradient = elementwiseKernel<ScaleAttributes>({
  name: 'sumOfSquaresGradient',
  inputs: { dy: 'number', x: 'element' },
  formula: ([dy, x], { scale }) => dy.multiply(2 * scale).multiply(x),
});

export const sumOfSquaresOp = defineOp<ScaleAttributes>({
  name: 'sumOfSquares',
  forward: (inputs, attributes) => launch(sumOfSquaresKernel, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes, into }) => launch(sumOfSquaresGradient, [dy, x], attributes, [into[0]]),
});

/** scale · Σ x² over all elements, as a scalar. */
export function sumOfSquares(x: Tensor, options: { scale?: number } = {}): Tensor {
  expectObject(options, 'sumOfSquares: options');
  const { scale = 1 } = options;
  expectNumber(scale, 'sumOfSquares: scale');
  return sumOfSquaresOp.apply([x], { scale });
}

// --- samples

const attributes = { scale: 0.3 };
const tolerance = { roundings: 16, because: 'squares in slices of 64 and more: all positive, roundings average out' };
export const sumOfSquaresEntry: RegistryEntry = {
  kernels: [
    {
      kernel: sumOfSquaresKernel,
      ...tolerance,
      sample: (random) => ({ inputs: [floats(random, [between(random, 1, 5000)])], attributes }),
    },
    {
      kernel: sumOfSquaresGradient,
      roundings: 4,
      because: 'three products, a rounded scale',
      sample: (random) => ({ inputs: [floats(random, []), floats(random, anyShape(random))], attributes }),
    },
  ],
  ops: [
    {
      op: sumOfSquaresOp,
      ...tolerance,
      sample: (random) => ({ inputs: [floats(random, anyShape(random))], attributes }),
    },
  ],
};

/** Sum and mean of all elements, to a scalar. Gradient: every element gets the scalar's gradient (divided by the count for the mean). */
import { defineOp } from '../tensor/autograd.js';
import { defineKernel, dispatchThreads, ENTRY, planThreads } from '../tensor/kernel.js';
import { sizeOf, type Shape } from '../tensor/shape.js';
import { launch, type Tensor } from '../tensor/tensor.js';
import { partialSums } from './partial-sums.js';

/** Each thread: scale · the sum of one slice. */
const SLICE_SUMS = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
override SIZE: u32;
override SIZE_OF_SLICE: u32;
override SCALE: f32;
${ENTRY}
  var sum = 0.0;
  for (var i = index * SIZE_OF_SLICE; i < min((index + 1u) * SIZE_OF_SLICE, SIZE); i++) { sum += x[i]; }
  sums[index] = SCALE * sum;
}`;

interface Scaled {
  readonly scale: number;
}

/** x → scale · Σ x, a scalar */
export const scaledSum = defineKernel<Scaled>({
  name: 'scaledSum',
  outputs: () => [{ shape: [], dtype: 'float32' }],
  twin({ inputs: [x], outputs: [sum] }, _, { scale }) {
    let total = 0;
    for (let i = 0; i < x.length; i++) total += x[i];
    sum[0] = scale * total;
  },
  wgsl({ inputs: [x] }, { scale }) {
    const size = sizeOf(x);
    const sizeOfSlice = Math.max(64, Math.ceil(size / 256));
    const slices = Math.ceil(size / sizeOfSlice);
    return {
      scratch: slices > 1 ? [slices * 4] : [],
      steps: ({ inputs, outputs: [sum] }, [partials]) => [
        dispatchThreads(SLICE_SUMS, slices, [...inputs, partials ?? sum], {
          SIZE: size,
          SIZE_OF_SLICE: sizeOfSlice,
          SCALE: scale,
        }),
        ...(partials ? [partialSums(partials, sum, 1, slices)] : []),
      ],
    };
  },
});

const BROADCAST = /* wgsl */ `
@group(0) @binding(0) var<storage, read> scalar: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
override SCALE: f32;
${ENTRY}
  output[index] = SCALE * scalar[0];
}`;

/** scalar → output of a given shape, every element scale · scalar */
export const broadcastScaled = defineKernel<Scaled & { readonly shape: Shape }>({
  name: 'broadcastScaled',
  outputs: (_, { shape }) => [{ shape, dtype: 'float32' }],
  twin({ inputs: [scalar], outputs: [output] }, _, { scale }) {
    output.fill(scale * scalar[0]);
  },
  wgsl: (_, { scale, shape }) => planThreads(BROADCAST, sizeOf(shape), { SCALE: scale }),
});

const sumOp = defineOp<Scaled>({
  name: 'sum',
  forward: (inputs, attributes) => launch(scaledSum, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes: { scale }, into }) =>
    launch(broadcastScaled, [dy], { scale, shape: x.shape }, [into[0]]),
});

/** Σ x over all elements, as a scalar. */
export const sum = (x: Tensor): Tensor => sumOp.apply([x], { scale: 1 });

/** Σ x / count over all elements, as a scalar. */
export const mean = (x: Tensor): Tensor => sumOp.apply([x], { scale: 1 / x.size });

/**
 * Multiplying an arena by a number that is known only on the device, or changes with each step: decoupled weight decay
 * θ ← θ·f (Loshchilov and Hutter, arXiv:1711.05101), and clipping by the global norm g ← g·min(1, c / √Σg²)
 * (Pascanu, Mikolov, Bengio, arXiv:1211.5063).
 */
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

const shader = (factor: string): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> scalar: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
override LIMIT: f32 = 0.0;
${ENTRY}
  values[index] *= ${factor};
}`;
const SCALE = shader('scalar[0]');
// A norm that is NaN must not become a factor of 1: the select is false for it.
const CLIP = shader('select(LIMIT / sqrt(scalar[0]), 1.0, scalar[0] <= LIMIT * LIMIT)');

export interface InPlaceAttributes {
  readonly size: number;
}

/** factor, a scalar → values [size], in place */
export const scaleInPlace = defineKernel<InPlaceAttributes>({
  name: 'scaleInPlace',
  inPlace: true,
  outputs: (_, { size }) => [{ shape: [size], dtype: 'float32' }],
  twin({ inputs: [factor], outputs: [values] }) {
    for (let i = 0; i < values.length; i++) values[i] *= factor[0];
  },
  wgsl: ({ outputs: [values] }) => planThreads(SCALE, sizeOf(values)),
});

/** Σ g², a scalar → g [size], in place, its norm at most `limit` */
export const clipInPlace = defineKernel<InPlaceAttributes & { readonly limit: number }>({
  name: 'clipInPlace',
  inPlace: true,
  outputs: (_, { size }) => [{ shape: [size], dtype: 'float32' }],
  twin({ inputs: [squares], outputs: [values] }, _, { limit }) {
    const factor = squares[0] <= limit * limit ? 1 : limit / Math.sqrt(squares[0]);
    for (let i = 0; i < values.length; i++) values[i] *= factor;
  },
  wgsl: ({ outputs: [values] }, { limit }) => planThreads(CLIP, sizeOf(values), { LIMIT: limit }),
});

// --- samples

export const scaleInPlaceEntry: RegistryEntry = {
  kernels: [
    {
      kernel: scaleInPlace,
      roundings: 1,
      because: 'one product',
      sample(random) {
        const size = between(random, 1, 300);
        return { inputs: [floats(random, [])], attributes: { size }, inPlace: [floats(random, [size])] };
      },
    },
    {
      kernel: clipInPlace,
      roundings: 4,
      because: 'a root, a quotient, one product',
      sample(random) {
        const size = between(random, 1, 300);
        return {
          inputs: [floats(random, [], 0.01, 4)],
          attributes: { size, limit: 1 },
          inPlace: [floats(random, [size])],
        };
      },
    },
  ],
  ops: [],
};

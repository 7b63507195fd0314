/**
 * v ← v · 3/4 + 1/4, many times over: y = 1 + (x − 1) · (3/4)^rounds. Nothing but multiplications and additions on values
 * that never leave the registers, so that its time says how many of them the device does at most (see nn/training/profile.ts).
 * A thread has 32 independent chains, which is enough to hide the latency of each step.
 */
import { defineKernel, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { split } from '../../tensor/cpu/parts.js';
import { sizeOf } from '../../tensor/shape.js';
import { between, floats, type RegistryEntry } from './samples.js';

/** Values of a thread: 8 vectors of four. */
export const CHAINS = 32;

export interface ChainAttributes {
  readonly rounds: number;
}

const VECTORS = Array.from({ length: CHAINS / 4 }, (_, i) => i);
const WGSL = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
override ROUNDS: u32;
${ENTRY}
  let first = index * ${VECTORS.length}u;
  let factor = vec4f(0.75);
  let term = vec4f(0.25);
${VECTORS.map((i) => `  var v${i} = x[first + ${i}u];`).join('\n')}
  for (var round = 0u; round < ROUNDS; round++) {
${VECTORS.map((i) => `    v${i} = fma(v${i}, factor, term);`).join('\n')}
  }
${VECTORS.map((i) => `  y[first + ${i}u] = v${i};`).join('\n')}
}`;

/** x [n] → y [n]; n is a multiple of 32 */
export const multiplyAddChain = defineKernel<ChainAttributes>({
  name: 'multiplyAddChain',
  outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
  twin({ inputs: [x], outputs: [y] }, _, { rounds }) {
    for (let i = 0; i < y.length; i++) {
      let value = x[i];
      for (let round = 0; round < rounds; round++) value = value * 0.75 + 0.25;
      y[i] = value;
    }
  },
  wgsl: ({ inputs: [x] }, { rounds }) => ({
    steps: ({ inputs, outputs }) => [
      dispatchThreads(WGSL, sizeOf(x) / CHAINS, [...inputs, ...outputs], { ROUNDS: rounds }),
    ],
  }),
  operations: ({ inputs: [x] }, { rounds }) => 2 * rounds * sizeOf(x),
  wasm({ inputs: [x] }, { rounds }) {
    const { parts, chunk } = split(sizeOf(x) / CHAINS);
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'multiplyAddChain',
          parts,
          arguments: [inputs[0], outputs[0], sizeOf(x), chunk * CHAINS, rounds],
        },
      ],
    };
  },
});

// --- samples

export const multiplyAddChainEntry: RegistryEntry = {
  kernels: [
    {
      kernel: multiplyAddChain,
      roundings: 8,
      because: 'each round shrinks the error of those before it to 3/4',
      sample: (random) => ({
        inputs: [floats(random, [CHAINS * between(random, 1, 40)])],
        attributes: { rounds: between(random, 0, 20) },
      }),
    },
  ],
  ops: [],
};

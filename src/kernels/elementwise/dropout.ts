/**
 * Dropout: y[i] = x[i] / (1 − rate) where the i-th random number is at least `rate`, else 0, so that the mean stays.
 * The numbers are those of `Random(seed, RandomStream.dropout, step, layer)`, the same in WGSL and TypeScript; the mask is
 * drawn again for the gradient (dx = dropout of dy) rather than kept. Where several processes share a batch, each draws those of its
 * samples' places in the whole.
 * Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014).
 */
import { expectCount, expectObject, received } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { batchShare } from '../../tensor/batch-share.js';
import { splitRows } from '../../tensor/cpu/parts.js';
import { defineKernel, ENTRY, planThreads } from '../../tensor/kernel.js';
import { Random, RandomStream } from '../../tensor/random.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { PHILOX } from '../shared/philox.js';
import { anyShape, between, floats, integers, type RegisteredKernel, type RegistryEntry } from '../shared/samples.js';

export interface DropoutAttributes {
  readonly rate: number;
  readonly seed: number;
  /** Tells the layers of a model apart. */
  readonly layer: number;
  /** Of a share of a batch, whose first axis are samples: sample n has the numbers of sample first + n · every. Default: 0 and 1. */
  readonly first?: number;
  readonly every?: number;
}

/** Where the numbers of x are: whole batches are one sample. */
const placesOf = (x: Shape, { first = 0, every = 1 }: DropoutAttributes) => ({
  first,
  every,
  length: first === 0 && every === 1 ? sizeOf(x) : sizeOf(x) / x[0],
});

/** A number is kept when its upper 24 bits reach this: the exact form of uniform ≥ rate. */
const thresholdOf = (rate: number): number => Math.ceil(rate * 2 ** 24);

/** Each thread: four elements, in a whole batch those of one Philox block. */
const DROPOUT = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
override SIZE: u32;
override THRESHOLD: u32;
override SCALE: f32;
override SEED_LOW: u32;
override SEED_HIGH: u32;
override LAYER: u32;
override FIRST: u32;
override EVERY: u32;
override LENGTH: u32;
${PHILOX}
fn placeOf(at: u32) -> u32 {
  if (LENGTH == SIZE) { return FIRST * LENGTH + at; }
  return (FIRST + at / LENGTH * EVERY) * LENGTH + at % LENGTH;
}
fn block(number: u32) -> vec4u {
  return philox4x32(vec4u(number, ${RandomStream.dropout}u, step[0], LAYER), vec2u(SEED_LOW, SEED_HIGH));
}
${ENTRY}
  var number = placeOf(index * 4u) / 4u;
  var words = block(number);
  for (var i = 0u; i < 4u; i++) {
    let at = index * 4u + i;
    let place = placeOf(at);
    if (place / 4u != number) {
      number = place / 4u;
      words = block(number);
    }
    if (at < SIZE) { y[at] = select(0.0, SCALE * x[at], (words[place % 4u] >> 8u) >= THRESHOLD); }
  }
}`;

/** x, step [1] uint32 → y */
export const dropoutKernel = defineKernel<DropoutAttributes>({
  name: 'dropout',
  outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
  twin({ inputs: [x, step], outputs: [y] }, { inputs: [shape] }, attributes) {
    const { rate, seed, layer } = attributes;
    const { first, every, length } = placesOf(shape, attributes);
    const threshold = thresholdOf(rate);
    const scale = 1 / (1 - rate);
    for (let start = 0; start < y.length; start += length) {
      const random = new Random(seed, RandomStream.dropout, step[0], layer);
      random.skip(first * length + start * every);
      for (let i = start; i < start + length; i++) y[i] = random.bits() >>> 8 >= threshold ? scale * x[i] : 0;
    }
  },
  wgsl({ inputs: [x] }, attributes) {
    const { rate, seed, layer } = attributes;
    const { first, every, length } = placesOf(x, attributes);
    return planThreads(DROPOUT, Math.ceil(sizeOf(x) / 4), {
      SIZE: sizeOf(x),
      THRESHOLD: thresholdOf(rate),
      SCALE: 1 / (1 - rate),
      LAYER: layer,
      FIRST: first,
      EVERY: every,
      LENGTH: length,
      SEED_LOW: seed >>> 0,
      SEED_HIGH: Math.floor(seed / 2 ** 32) >>> 0,
    });
  },
  wasm({ inputs: [shape] }, attributes) {
    const { rate, seed, layer } = attributes;
    const { first, every, length } = placesOf(shape, attributes);
    const isApart = (samples: number): boolean => (samples * length) % 4 !== 0;
    if (isApart(first) || (length < sizeOf(shape) && isApart(every))) return null; // samples begin within blocks
    const { parts, chunk } = splitRows(length, 16);
    const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, RandomStream.dropout, layer];
    const numbers = [length, chunk, thresholdOf(rate), 1 / (1 - rate), ...key];
    const starts = Array.from({ length: sizeOf(shape) / length }, (_, sample) => sample * length);
    return {
      steps: ({ inputs: [x, step], outputs: [y] }) =>
        starts.map((start) => ({
          function: 'dropout',
          parts,
          arguments: [x + 4 * start, step, y + 4 * start, ...numbers, (first * length + start * every) / 4],
        })),
    };
  },
});

export const dropoutOp = defineOp<DropoutAttributes>({
  name: 'dropout',
  forward: (inputs, attributes) => launch(dropoutKernel, inputs, attributes),
  backward: ({ dy, inputs: [, step], attributes, into }) => [
    launch(dropoutKernel, [dy, step], attributes, [into[0]])[0],
    null,
  ],
});

/**
 * x with a part `rate` of its elements set to 0, the others scaled up.
 *
 * @param step [1] uint32: each number gives another mask
 * @throws UsageError for a rate outside of [0, 1)
 */
export function dropout(x: Tensor, step: Tensor, options: { rate: number; seed?: number; layer?: number }): Tensor {
  expectObject(options, 'dropout: options');
  const { rate, seed = 0, layer = 0 } = options;
  if (typeof rate !== 'number' || !(rate >= 0 && rate < 1))
    throw new UsageError(`dropout: rate expects a number from 0 up to 1, got ${received(rate)}`);
  expectCount(seed, 'dropout: seed');
  expectCount(layer, 'dropout: layer');
  const share = batchShare();
  const place = share && { first: share.first, every: share.every };
  return dropoutOp.apply([x, step], { rate, seed, layer, ...place });
}

// --- samples

const tolerance = { roundings: 2, because: 'the scale is rounded, then one product' };
const sample: RegisteredKernel['sample'] = (random) => ({
  inputs: [floats(random, anyShape(random)), integers(random, [1], 2 ** 32)],
  attributes: {
    rate: random.uniform(0, 0.9),
    seed: random.integer(2 ** 32) * 5,
    layer: between(random, 0, 9),
    ...(random.integer(2) === 1 && { first: random.integer(3), every: between(random, 2, 4) }),
  },
});
export const dropoutEntry: RegistryEntry = {
  kernels: [{ kernel: dropoutKernel, ...tolerance, sample }],
  ops: [{ op: dropoutOp, ...tolerance, sample, constants: [1] }],
};

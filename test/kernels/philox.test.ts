/** Philox in WGSL, bit for bit that of TypeScript, which test/tensor/random.test.ts checks against published vectors. */
import { expect, test } from 'vitest';
import { PHILOX } from '../../src/kernels/shared/philox.js';
import { defineKernel, ENTRY, planThreads } from '../../src/tensor/kernel.js';
import { philox4x32, Random, RandomStream } from '../../src/tensor/random.js';
import { launch, tensor } from '../../src/tensor/tensor.js';
import { openTestDevice } from '../support/open-devices.js';

const blocks = defineKernel<null>({
  name: 'philox',
  outputs: ([counters]) => [{ shape: counters, dtype: 'uint32' }],
  twin() {
    throw new Error('for WebGPU only');
  },
  wgsl: ({ inputs: [[count]] }) =>
    planThreads(
      /* wgsl */ `
@group(0) @binding(0) var<storage, read> counters: array<vec4u>;
@group(0) @binding(1) var<storage, read> keys: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> words: array<vec4u>;
${PHILOX}
${ENTRY}
  words[index] = philox4x32(counters[index], keys[index]);
}`,
      count,
    ),
});

test('Philox in WGSL gives the words of TypeScript', async () => {
  const device = await openTestDevice('webgpu');
  const count = 4096;
  const random = new Random(11, RandomStream.synthetic);
  const counters = Uint32Array.from({ length: count * 4 }, () => random.bits());
  const keys = Uint32Array.from({ length: count * 2 }, () => random.bits());
  counters.set([0, 0, 0, 0, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]);
  keys.set([0, 0, 0xffffffff, 0xffffffff]);
  const [words] = launch(blocks, [tensor(device, counters, [count, 4]), tensor(device, keys, [count, 2])], null);
  const expected = Uint32Array.from({ length: count * 4 });
  for (let n = 0; n < count; n++) {
    const block = philox4x32(counters.subarray(n * 4, n * 4 + 4), keys.subarray(n * 2, n * 2 + 2));
    expected.set(block, n * 4);
  }
  expect(await words.readIntegers()).toEqual(expected);
  device.destroy();
});

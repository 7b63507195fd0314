/**
 * Sums of slices, in every way that the adapter has: of small whole numbers, whose sums are exact in whichever order, so that
 * one slice left out, or added twice, shows.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { columnSumsKernel } from '../../src/kernels/dense/bias.js';
import { axisSum } from '../../src/kernels/reduce/reduce.js';
import { sumOfSquaresKernel } from '../../src/kernels/reduce/sum-of-squares.js';
import type { Kernel } from '../../src/tensor/kernel.js';
import { launch, tensor } from '../../src/tensor/tensor.js';
import { choiceKey } from '../../src/tensor/webgpu/autotune.js';
import { WebGpuDevice } from '../../src/tensor/webgpu/webgpu-device.js';
import { getAdapter } from '../support/gpu.js';

let device: WebGpuDevice;
let adapterHasThem: boolean;
beforeAll(async () => {
  const adapter = await getAdapter();
  adapterHasThem = adapter.features.has('subgroups');
  device = await WebGpuDevice.open(adapter, { subgroups: true });
});
afterAll(() => device.destroy());

const cases: [string, Kernel<never>, number[], object | null][] = [
  ['all of it', axisSum, [1, 100_003], { first: 1, count: 1, scale: 1 }],
  ['17 slices, the last one short', axisSum, [3, 1025, 5], { first: 1, count: 1, scale: 1 }],
  ['more outputs than one workgroup has threads', axisSum, [1600, 701], { first: 0, count: 1, scale: 1 }],
  ['columns', columnSumsKernel, [2, 900, 33], null],
  ['squares', sumOfSquaresKernel, [4099], { scale: 1 }],
];

test.each(cases)('%s: %o', async (_, kernel, shape, attributes) => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (__, i) => ((i * 7919) % 15) - 7);
  const call = { kernel, shapes: { inputs: [shape], outputs: [] }, attributes: attributes as never };
  const variants = device.variantsOf(call);
  expect(variants).toEqual(['few slices', 'many slices', ...(adapterHasThem ? ['subgroups'] : [])]);
  const [{ shape: outputShape }] = kernel.outputs([shape], attributes as never);
  const expected = new Float32Array(outputShape.reduce((a, b) => a * b, 1));
  kernel.twin(
    { inputs: [values], outputs: [expected] },
    { inputs: [shape], outputs: [outputShape] },
    attributes as never,
  );
  for (const variant of variants) {
    device.kernelChoices.set(choiceKey(call), variant);
    const [sums] = [launch(kernel, [tensor(device, values, shape)], attributes as never)].flat();
    expect({ variant, sums: await sums.read() }).toEqual({ variant, sums: expected });
  }
});

test('subgroups are not used unless they are asked for', async () => {
  const plain = await WebGpuDevice.open(await getAdapter());
  const call = { kernel: sumOfSquaresKernel, shapes: { inputs: [[4099]], outputs: [] }, attributes: { scale: 1 } };
  expect(plain.variantsOf(call)).toEqual(['few slices', 'many slices']);
  plain.destroy();
});

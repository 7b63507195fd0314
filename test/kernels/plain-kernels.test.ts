/** What runs as plain TypeScript is told, and is nothing that a training waits for. */
import { expect, test } from 'vitest';
import { plainKernels } from '../../src/checks/plain-kernels.js';
import { kernels } from '../../src/kernels/registry.js';
import { defineKernel, planThreads } from '../../src/tensor/kernel.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { openTestCpu } from '../support/open-devices.js';

test('every kernel has a quick form on the cpu device; augmentation for most settings, dropout unless ranks share samples that begin within its blocks', async () => {
  const device = await openTestCpu();
  expect(plainKernels(device)).toEqual({ always: [], sometimes: ['dropout', 'augment'] });
  device.destroy();
});

test('kernels without WebAssembly are found', async () => {
  const device = await openTestCpu();
  const slow = defineKernel<null>({
    name: 'slow',
    outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
    twin: ({ inputs: [x], outputs: [y] }) => void y.fill(x[0]),
    wgsl: () => planThreads('', 1),
  });
  expect(device.runsTwin({ kernel: slow, shapes: { inputs: [[1]], outputs: [[1]] }, attributes: null })).toBe(true);
  device.destroy();
  expect(plainKernels(new ReferenceDevice()).always).toHaveLength(kernels.length);
});

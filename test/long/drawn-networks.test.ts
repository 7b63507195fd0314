/** Many networks that seeds draw: on the cpu device, with and without fused operations, on WebGPU, and as ONNX files in onnxruntime. */
import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { encodeOnnx, type ModelInfo } from '../../src/index.js';
import { drawNetwork } from '../support/drawn-network.js';
import { differencesOf } from '../support/drawn-steps.js';
import { openTestCpu, openTestDevice } from '../support/open-devices.js';

const FIRST = 1000;

test.each([
  ['cpu', 400, () => openTestDevice('cpu')],
  ['cpu without fused operations', 100, () => openTestCpu({ relaxedSimd: false })],
  ['webgpu', 60, () => openTestDevice('webgpu')],
] as const)('on %s, %i of them', { timeout: 1_800_000 }, async (_, count, open) => {
  const device = await open();
  for (let seed = FIRST; seed < FIRST + count; seed++) expect(await differencesOf(seed, device)).toBe('');
  device.destroy();
});

test('400 of them in onnxruntime', { timeout: 1_800_000 }, async () => {
  ort.env.wasm.numThreads = 1;
  const device = await openTestDevice('cpu');
  for (let seed = FIRST; seed < FIRST + 400; seed++) {
    const { model, classes, x, count, text } = await drawNetwork(seed);
    const classNames = Array.from({ length: Math.max(2, classes) }, (__, index) => `class ${index}`);
    const info: ModelInfo = {
      classNames,
      preprocessing: { interpolation: 'nearest', rescale: 1 },
      alert: { className: classNames[1], threshold: 0.5 },
    };
    const session = await ort.InferenceSession.create(await encodeOnnx(model, info));
    const given = new ort.Tensor('float32', x, [count, ...model.inputShape]);
    const results = await session.run({ [session.inputNames[0]]: given });
    await session.release();
    const theirs = results[session.outputNames[0]].data as Float32Array;
    const ours = await model.compile({ device }).predictOnBatch(x);
    const difference = ours.reduce((most, value, at) => Math.max(most, Math.abs(value - theirs[at])), 0);
    expect(difference, `network ${seed}\n${text}`).toBeLessThan(1e-5);
    model.destroy();
  }
  device.destroy();
});

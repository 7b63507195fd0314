/** The profile of a training step, and the choice of kernels that `fit` makes where a device has one. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { imageDataGenerator } from '../../src/data/image-data-generator.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import { Sequential } from '../../src/nn/sequential.js';
import type { Device } from '../../src/tensor/device.js';
import { describeAdapter } from '../../src/tensor/webgpu/adapter.js';
import { WebGpuDevice, type WebGpuDeviceOptions } from '../../src/tensor/webgpu/webgpu-device.js';
import { getAdapter } from '../support/gpu.js';
import { openTestDevice } from '../support/open-devices.js';

const SIDE = 14;
const BATCH = 4;

const dataset = {
  name: 'squares',
  pictures: Uint8Array.from({ length: 2 * BATCH * SIDE * SIDE * 3 }, (_, i) => (i * 7919) % 251),
  labels: Uint8Array.from({ length: 2 * BATCH }, (_, i) => i % 2),
  classNames: ['no', 'yes'],
  pictureShape: [SIDE, SIDE, 3] as const,
  files: Array.from({ length: 2 * BATCH }, (_, i) => String(i)),
  skipped: [],
};
const flow = (batchSize = BATCH) =>
  imageDataGenerator({ rescale: 1 / 255 }).flow(dataset, { batchSize, shuffle: false });

function network(device: Device): Sequential {
  const model = new Sequential(
    [
      new Conv2D(8, 3, { inputShape: [SIDE, SIDE, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: 3 },
  );
  return model.compile({ device });
}

describe('the profile of a training step', () => {
  test.each(['webgpu', 'cpu'] as const)('%s: every kernel with its time, operations and bytes', async (kind) => {
    const device = await openTestDevice(kind);
    const { kernels, peak } = await network(device).profile(flow());
    const named = new Map(kernels.map((each) => [each.kernel, each]));
    // 12×12 windows of 27 values for each of 8 filters, a product and an addition each; all are pooled.
    expect(named.get('conv2dMaxPool2d')?.operations).toBe(2 * BATCH * 12 * 12 * 27 * 8);
    expect(named.get('adam')?.bytes).toBeGreaterThanOrEqual(4 * 4 * (27 * 8 + 8 + 6 * 6 * 8 + 1));
    for (const { milliseconds } of kernels) expect(milliseconds).toBeGreaterThanOrEqual(0);
    const times = kernels.map(({ milliseconds }) => milliseconds);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(Math.max(...times)).toBeGreaterThan(0);
    expect(kernels.filter(({ isTwin }) => isTwin)).toEqual([]);
    expect(peak.operationsPerSecond).toBeGreaterThan(0);
    expect(peak.bytesPerSecond).toBeGreaterThan(0);
    device.destroy();
  });
});

describe('fit and the choice of kernels', () => {
  // One device for all that try, since compiling takes most of the time: a test begins without choices.
  let trying: WebGpuDevice;
  beforeAll(async () => {
    trying = await WebGpuDevice.open(await getAdapter(), { autotune: true });
  });
  beforeEach(() => trying.kernelChoices.clear());
  afterAll(() => trying.destroy());

  const trainedOn = async (device: WebGpuDevice) => {
    const model = network(device);
    await model.fit(flow(), { epochs: 2 });
    return { weights: await model.getWeights(), choices: Object.fromEntries(device.kernelChoices) };
  };
  const trained = async (options: WebGpuDeviceOptions) => {
    const device = await WebGpuDevice.open(await getAdapter(), options);
    const result = await trainedOn(device);
    device.destroy();
    return result;
  };

  test('a device that tries variants chooses one for each kernel that has several; the choice gives the same bits again', async () => {
    const first = await trainedOn(trying);
    expect(Object.keys(first.choices).map((key) => key.split(' ')[0])).toEqual(
      expect.arrayContaining(['conv2dMaxPool2d', 'conv2dMaxPool2dWeightGradient']),
    );
    const again = await trained({ kernelChoices: first.choices });
    expect(again.choices).toEqual(first.choices);
    expect(again.weights).toEqual(first.weights);
  });

  test('evaluating and predicting steps are tuned where that is asked for, and not in the midst of a training', async () => {
    const model = network(trying);
    const kernels = (): string[] => [...trying.kernelChoices.keys()].map((key) => key.split(' ')[0]);
    const plain = await model.predict(flow());
    expect(kernels()).toEqual([]);
    const tuned = await model.predict(flow(), { tune: true });
    const chosen = kernels();
    expect(chosen.some((name) => name.startsWith('conv2d'))).toBe(true);
    expect(chosen.filter((name) => name.endsWith('Gradient'))).toEqual([]); // the forward pass alone
    for (const [i, score] of plain.entries()) expect(tuned[i]).toBeCloseTo(score, 5);
    await model.evaluate(flow(), { tune: true });
    expect(kernels()).toEqual(chosen); // the same kernels on the same shapes: the choices stand

    await expect(
      model.fit(flow(), {
        callbacks: [async ({ type }) => void (type === 'epoch' && (await model.predict(flow(), { tune: true })))],
      }),
    ).rejects.toThrow(/predict: expects a model that is not busy, got one in fit\(\)/);
  });

  test('fit tunes the steps over validation pictures too', async () => {
    const validationData = flow(3);
    await network(trying).fit(flow(), { validationData });
    const shapes = [...trying.kernelChoices.keys()]
      .filter((key) => key.startsWith('conv2d'))
      .map((key) => key.split(' ')[1]);
    expect(shapes.some((shape) => shape.startsWith('[3,'))).toBe(true);
  });

  test('hardware tries variants by itself, software adapters try nothing', async () => {
    const { kind } = describeAdapter(await getAdapter());
    expect(Object.keys((await trained({})).choices).length > 0).toBe(kind === 'hardware');
    expect((await trained({ autotune: false })).choices).toEqual({});
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawTransform } from '../../src/data/augmentation.js';
import { DataFlow } from '../../src/data/batches.js';
import { imageDataGenerator, type ImageDataGeneratorOptions } from '../../src/data/image-data-generator.js';
import { UsageError } from '../../src/errors.js';
import type { Batches } from '../../src/nn/training/batches.js';
import { smallDataset } from './small-dataset.js';

/** The indices of one pass, batch after batch. */
function passIndices(flow: DataFlow, pass: number): number[] {
  const steps = Array.from({ length: flow.stepsPerPass }, (_, step) => pass * flow.stepsPerPass + step);
  return steps.flatMap((step) => Array.from(flow.batch(step).indices));
}

test('every pass holds each sample once, in batches of the size asked for and a smaller last one', () => {
  const sizes = fc.integer({ min: 1, max: 30 });
  fc.assert(
    fc.property(sizes, sizes, sizes, fc.boolean(), fc.nat(5), (first, second, batchSize, shuffle, pass) => {
      const flow = new DataFlow(smallDataset([first, second]), { batchSize, shuffle });
      const count = first + second;
      expect(flow.stepsPerPass).toBe(Math.ceil(count / batchSize));
      expect(passIndices(flow, pass).toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      for (let step = 0; step < flow.stepsPerPass; step++) {
        const expected = step < flow.stepsPerPass - 1 ? batchSize : count - batchSize * (flow.stepsPerPass - 1);
        const { indices, transforms } = flow.batch(pass * flow.stepsPerPass + step);
        expect(indices.length).toBe(expected);
        expect(transforms.length).toBe(12 * expected);
      }
    }),
  );
});

test('a batch is a function of its step number, in whatever order steps are asked for', () => {
  const options = { batchSize: 4, seed: 3, augmentation: { shearRange: 5, zoomRange: 0.2, horizontalFlip: true } };
  const inOrder = new DataFlow(smallDataset([5, 6]), options);
  const batches = Array.from({ length: 12 }, (_, step) => inOrder.batch(step));
  const jumping = new DataFlow(smallDataset([5, 6]), options);
  for (const step of [7, 0, 11, 3, 3, 10, 1]) expect(jumping.batch(step)).toEqual(batches[step]);
});

test('each pass and each seed has its own order; without shuffling it is that of the files', () => {
  const flow = new DataFlow(smallDataset([20, 20]), { batchSize: 7 });
  const otherSeed = new DataFlow(smallDataset([20, 20]), { batchSize: 7, seed: 1 });
  const orders = [passIndices(flow, 0), passIndices(flow, 1), passIndices(flow, 2), passIndices(otherSeed, 0)];
  expect(new Set(orders.map(String)).size).toBe(4);
  const unshuffled = new DataFlow(smallDataset([20, 20]), { batchSize: 7, shuffle: false });
  expect(passIndices(unshuffled, 2)).toEqual(Array.from({ length: 40 }, (_, index) => index));
});

test('the order does not depend on the batch size', () => {
  const orders = [1, 7, 64].map((batchSize) => passIndices(new DataFlow(smallDataset([20, 20]), { batchSize }), 1));
  expect(orders[1]).toEqual(orders[0]);
  expect(orders[2]).toEqual(orders[0]);
});

test('transforms are drawn by pass and sample, for the size of the pictures', () => {
  const augmentation = { shearRange: 5, zoomRange: 0.2, horizontalFlip: true };
  const flow = new DataFlow(smallDataset([5, 6]), { batchSize: 4, seed: 3, augmentation });
  const { indices, transforms } = flow.batch(7); // 3 steps a pass: the second of pass 2
  const expected = new Float32Array(12);
  for (const [position, sample] of indices.entries()) {
    drawTransform(augmentation, 2, 3, 3, 2, sample, expected, 0);
    expect(transforms.subarray(12 * position, 12 * position + 12)).toEqual(expected);
  }
});

test('fields say what the device needs', () => {
  const dataset = smallDataset([2, 3]);
  const flow = new DataFlow(dataset, { rescale: 1 / 255, augmentation: { zoomRange: 0.1 } }) satisfies Batches;
  expect(flow.labels).toEqual(Float32Array.of(0, 0, 1, 1, 1));
  expect(flow.pictures).toBe(dataset.pictures);
  expect([flow.sampleCount, flow.batchSize, flow.stepsPerPass, flow.rescale]).toEqual([5, 32, 1, 1 / 255]);
  expect(flow.pictureShape).toEqual([2, 3, 3]);
  expect(flow.classIndices).toEqual({ class0: 0, class1: 1 });
  expect(flow.interpolation).toBe('bilinear');
  const older = new DataFlow(dataset, { augmentation: { zoomRange: 0.1, profile: 'keras-2.1.2' } });
  expect(older.interpolation).toBe('nearest');
});

test('without a warp nothing is read between pixels', () => {
  const flow = new DataFlow(smallDataset([2, 3]), { augmentation: { horizontalFlip: true } });
  expect(flow.interpolation).toBe('nearest');
});

test('options that cannot be meant are refused by name', () => {
  for (const [name, options] of [
    ['batchSize', { batchSize: 0 }],
    ['batchSize', { batchSize: 2.5 }],
    ['seed', { seed: 0.5 }],
    ['rescale', { rescale: NaN }],
    ['zoomRange', { augmentation: { zoomRange: 2 } }],
  ] as const) {
    expect(() => new DataFlow(smallDataset([2, 3]), options)).toThrow(UsageError);
    expect(() => new DataFlow(smallDataset([2, 3]), options)).toThrow(new RegExp(`^${name}`));
  }
  expect(() => new DataFlow(smallDataset([0, 0]))).toThrow(/empty set/);
  expect(() => new DataFlow(smallDataset([2, 3])).batch(-1)).toThrow(UsageError);
});

describe('imageDataGenerator', () => {
  test('hands its options to the flow', () => {
    const options = { rescale: 1 / 255, shearRange: 0.2, zoomRange: 0.2, horizontalFlip: true } as const;
    const flow = imageDataGenerator(options).flow(smallDataset([5, 6]), { batchSize: 4, seed: 9 });
    const { rescale, ...augmentation } = options;
    const expected = new DataFlow(smallDataset([5, 6]), { batchSize: 4, seed: 9, rescale, augmentation });
    expect(flow.batch(2)).toEqual(expected.batch(2));
    expect(flow.rescale).toBe(1 / 255);
  });

  test('names an option that it does not know, and those that it does', () => {
    const misspelt = { zoom_range: 0.2 } as ImageDataGeneratorOptions;
    expect(() => imageDataGenerator(misspelt)).toThrow(UsageError);
    expect(() => imageDataGenerator(misspelt)).toThrow(
      /expects the options rotationRange, widthShiftRange, .*, got 'zoom_range'; did you mean 'zoomRange'/,
    );
    const absent = { zcaWhitening: true } as ImageDataGeneratorOptions;
    expect(() => imageDataGenerator(absent)).toThrow(/'zcaWhitening'/);
    const flowOptions = { batch_size: 4 } as object;
    expect(() => imageDataGenerator().flow(smallDataset([2, 2]), flowOptions)).toThrow(/'batch_size'/);
  });
});

/** A prediction on the CPU device is the same bits whichever pictures are predicted with it. */
import { describe, expect, test } from 'vitest';
import {
  Add,
  AveragePooling2D,
  BatchNormalization,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  Flatten,
  GlobalAveragePooling2D,
  input,
  MaxPooling2D,
  Model,
  ReLU,
  Sequential,
  type SymbolicTensor,
} from '../../src/index.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { openTestCpu } from '../support/open-devices.js';

const MOST = 32;

const mission = () =>
  new Sequential([
    new Conv2D(32, 3, { inputShape: [26, 26, 3], activation: 'relu' }),
    new MaxPooling2D(),
    new Conv2D(32, 3, { activation: 'relu' }),
    new MaxPooling2D(),
    new Flatten(),
    new Dense(37, { activation: 'relu' }), // depth 800: several blocks; columns that are no whole four
    new Dense(1, { activation: 'sigmoid' }),
  ]);

function residual() {
  const block = (x: SymbolicTensor, filters: number, strides: number): SymbolicTensor => {
    const convolved = new Conv2D(filters, 3, { strides, padding: 'same', useBias: false }).apply(x);
    const normal = new ReLU().apply(new BatchNormalization().apply(convolved));
    const shortcut = new Conv2D(filters, 1, { strides, padding: 'same' }).apply(x);
    return new Add().apply([new Conv2D(filters, 3, { padding: 'same' }).apply(normal), shortcut]);
  };
  const inputs = input({ shape: [14, 13, 3] });
  const last = block(block(new Conv2D(16, 5, { padding: 'same' }).apply(inputs), 16, 1), 24, 2);
  const outputs = new Dense(3, { activation: 'softmax' }).apply(new GlobalAveragePooling2D().apply(last));
  return new Model({ inputs, outputs });
}

const depthwise = () =>
  new Sequential([
    new Conv2D(10, 3, { inputShape: [11, 15, 3], strides: 2, activation: 'relu' }),
    new DepthwiseConv2D(3, { depthMultiplier: 2, padding: 'same' }),
    new Conv2D(21, 1, { activation: 'relu' }),
    new DepthwiseConv2D(3, { strides: 2 }),
    new AveragePooling2D(),
    new Flatten(),
    new Dense(2, { activation: 'softmax' }),
  ]);

/** Means of more than a few thousand values, which the CPU device takes in slices. */
const means = () =>
  new Sequential([
    new ReLU({ inputShape: [39, 39, 3] }),
    new GlobalAveragePooling2D(),
    new Dense(2, { activation: 'softmax' }),
  ]);

const dense = () =>
  new Sequential([
    new Flatten({ inputShape: [18, 17, 1] }), // depth 306
    new Dense(300, { activation: 'relu' }),
    new Dense(5, { activation: 'softmax' }),
  ]);

describe('a prediction does not depend on its batch', () => {
  test.each<[string, () => Model, number]>([
    ["the mission's network", mission, 26 * 26 * 3],
    ['residual', residual, 14 * 13 * 3],
    ['depthwise', depthwise, 11 * 15 * 3],
    ['dense', dense, 18 * 17],
    ['means', means, 39 * 39 * 3],
  ])('%s', async (_, build, size) => {
    const random = new Random(5, RandomStream.synthetic);
    const x = Float32Array.from({ length: MOST * size }, () => random.uniform(0, 1));
    for (const options of [{}, { relaxedSimd: false }, { threads: 1 }]) {
      const device = await openTestCpu(options);
      const model = build();
      model.compile({ device });
      const together = await model.predictOnBatch(x);
      const width = together.length / MOST;
      for (const count of [1, 2, 3, 5, MOST - 3]) {
        for (const first of count === 1 ? [0, 1, 17, MOST - 1] : [0, MOST - count]) {
          const alone = await model.predictOnBatch(x.slice(first * size, (first + count) * size));
          const expected = together.slice(first * width, (first + count) * width);
          expect(alone, `${count} from ${first} on ${device.description.name}`).toEqual(expected);
        }
      }
      device.destroy();
    }
  });
});

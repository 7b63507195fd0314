/** Every layer: in a model that is saved and read back, trained on all devices alike, and differentiated. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceErrors, DIFFERENCE_TOLERANCE, differenceError } from '../../src/checks/checks.js';
import type { ModelInfo } from '../../src/formats/beltnet/info.js';
import { decodeModel, encodeModel } from '../../src/formats/beltnet/model.js';
import { floats } from '../../src/kernels/shared/samples.js';
import type { ActivationName } from '../../src/index.js';
import * as beltnet from '../../src/index.js';
import {
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Cropping2D,
  Dense,
  DepthwiseConv2D,
  Dropout,
  ELU,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  input,
  Layer,
  LeakyReLU,
  MaxPooling2D,
  Model,
  Multiply,
  Normalization,
  ReLU,
  Rescaling,
  Permute,
  Reshape,
  Sequential,
  Softmax,
  ZeroPadding2D,
} from '../../src/index.js';
import { activationNames } from '../../src/nn/activations.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { openTestDevices } from '../support/open-devices.js';

const CLASSES = 3;
const SHAPE = [6, 6, 2];
const info: ModelInfo = {
  classNames: ['a', 'b', 'c'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'b', threshold: 0.5 },
};

const head = (): Layer[] => [new Flatten(), new Dense(CLASSES, { activation: 'softmax' })];
const row = (...layers: Layer[]): Model => {
  const first = new Conv2D(4, 3, { inputShape: SHAPE, kernelRegularizer: { l2: 0.01 } });
  return new Sequential([first, ...layers, ...head()], { seed: 5 });
};
/** Two branches that a layer joins. */
function joined(join: Layer): Model {
  const x = input({ shape: SHAPE });
  const left = new Conv2D(4, 3, { padding: 'same', activation: 'tanh' }).apply(x);
  const right = new Conv2D(4, 1, { activation: 'sigmoid' }).apply(x);
  const outputs = head().reduce((value, layer) => layer.apply(value), join.apply([left, right, left]));
  return new Model({ inputs: x, outputs, seed: 5 });
}

/** Channels weighed by what a picture is as a whole. */
function squeezed(): Model {
  const x = input({ shape: SHAPE });
  const pooled = new GlobalAveragePooling2D({ keepdims: true }).apply(x);
  const weights = new Conv2D(SHAPE[2], 1, { activation: 'hard_sigmoid' }).apply(pooled);
  const outputs = head().reduce((value, layer) => layer.apply(value), new Multiply().apply([weights, x]));
  return new Model({ inputs: x, outputs, seed: 5 });
}

/** Above, below, left and right, all different. */
const sides = [
  [1, 2],
  [0, 1],
] as const;

const models: Record<string, () => Model> = {
  Conv2D: () => row(new Conv2D(3, [2, 1], { strides: [1, 2], padding: 'same', dilationRate: 1, useBias: false })),
  'Conv2D in groups': () => row(new Conv2D(6, 3, { groups: 2, activation: 'relu' }), new MaxPooling2D()),
  DepthwiseConv2D: () => row(new DepthwiseConv2D(2, { depthMultiplier: 3, strides: 2, activation: 'tanh' })),
  'DepthwiseConv2D of one channel': () => row(new Reshape([8, 8, 1]), new DepthwiseConv2D(3)),
  Dense: () => row(new Flatten(), new Dense(5, { activation: 'tanh', kernelRegularizer: { l2: 0.1 } })),
  Flatten: () => row(),
  MaxPooling2D: () => row(new MaxPooling2D({ poolSize: 3, strides: 1, padding: 'same' })),
  AveragePooling2D: () => row(new AveragePooling2D({ poolSize: [2, 3], strides: [2, 1], padding: 'same' })),
  GlobalAveragePooling2D: () => row(new GlobalAveragePooling2D(), new Reshape([2, 2, 1])),
  GlobalMaxPooling2D: () => row(new GlobalMaxPooling2D()),
  Activation: () => row(new Activation('gelu')),
  ReLU: () => row(new ReLU()),
  'ReLU with all options': () => row(new ReLU({ maxValue: 0.75, negativeSlope: 0.25, threshold: 0.125 })),
  Rescaling: () => row(new Rescaling({ scale: 0.5, offset: -1 })),
  Normalization: () => row(new Normalization()),
  Cropping2D: () => row(new Cropping2D({ cropping: [[1, 0], 1] as unknown as [number, number] })),
  'Multiply by channel': () => squeezed(),
  LeakyReLU: () => row(new LeakyReLU({ negativeSlope: 0.1 })),
  ELU: () => row(new ELU({ alpha: 0.5 })),
  Softmax: () => row(new Softmax()),
  Dropout: () => row(new Dropout(0.4)),
  BatchNormalization: () => row(new BatchNormalization({ momentum: 0.8, unbiasedVariance: true })),
  'BatchNormalization without scale and center': () => row(new BatchNormalization({ scale: false, center: false })),
  ZeroPadding2D: () => row(new ZeroPadding2D({ padding: [[1, 0], 2] as unknown as [number, number] })),
  'ZeroPadding2D with another number': () => row(new ZeroPadding2D({ padding: 1, value: 0.5 })),
  'MaxPooling2D, padding in numbers': () => row(new MaxPooling2D({ poolSize: 3, strides: 2, padding: sides })),
  'AveragePooling2D, padding in numbers': () => row(new AveragePooling2D({ poolSize: 3, strides: 2, padding: sides })),
  Permute: () => row(new Permute([2, 3, 1])),
  Reshape: () => row(new Reshape([8, 8, 1])),
  Add: () => joined(new Add()),
  Multiply: () => joined(new Multiply()),
  Concatenate: () => joined(new Concatenate()),
  'Concatenate along rows': () => joined(new Concatenate({ axis: 1 })),
};

const random = new Random(2, RandomStream.synthetic);
const x = floats(random, [5, ...SHAPE]).values as Float32Array;
const y = [0, 1, 2, 1, 0];

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

test('every layer that the package exports is tried here', () => {
  const exported = Object.entries(beltnet)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Layer)
    .map(([name]) => name);
  expect(exported.filter((name) => !(name in models))).toEqual([]);
});

describe.each(Object.entries(models))('%s', (_, make) => {
  test('is written to a file and read back', async () => {
    const bytes = await encodeModel(make(), info);
    const { model } = decodeModel(bytes, 'it');
    expect(model.config()).toEqual(make().config());
    expect(await encodeModel(model, info)).toEqual(bytes);
  });

  test('trains alike on all devices, and in the model read back from its file', async () => {
    const runs = devices.map(async (device) => {
      const model = make().compile({ device });
      const losses: number[] = [];
      for (let step = 0; step < 3; step++) losses.push((await model.trainOnBatch(x, y)).loss);
      const [probabilities, evaluated] = [await model.predictOnBatch(x), await model.testOnBatch(x, y)];
      const read = decodeModel(await encodeModel(model, info), 'it').model.compile({ device });
      expect(await read.predictOnBatch(x)).toEqual(probabilities);
      read.destroy();
      model.destroy();
      return [...losses, evaluated.loss, ...probabilities];
    });
    const [gpu, cpu] = [await runs[0], await runs[1]];
    expect(gpu.every(Number.isFinite)).toBe(true);
    // Adam moves a weight whose gradient is all rounding by the learning rate, 1e-3: the networks drift apart a little.
    for (const [i, value] of gpu.entries()) expect(Math.abs(value - cpu[i])).toBeLessThan(1e-3);
  });
});

describe('activations of a layer by name', () => {
  test.each(activationNames.map((name) => [name]))('%s', async (activation: ActivationName) => {
    const model = new Sequential([
      new Dense(6, { inputShape: [4], activation }),
      new Dense(1, { activation: 'sigmoid' }),
    ]);
    const [gpu, cpu] = await Promise.all(
      devices.map(async (device) => {
        const one = new Sequential(model.layers).compile({ device });
        const { loss } = await one.trainOnBatch(x.subarray(0, 20), [0, 1, 0, 1, 1]);
        one.destroy();
        return loss;
      }),
    );
    expect(Math.abs(gpu - cpu)).toBeLessThan(1e-6); // a loss near 0.7, a dozen roundings
  });
});

describe('a residual network with batch normalization', () => {
  const residual = (): Model => {
    const inputs = input({ shape: SHAPE });
    const stem = new Conv2D(4, 3, { padding: 'same' }).apply(inputs);
    const block = [
      new BatchNormalization(),
      new Activation('swish'),
      new Conv2D(4, 3, { padding: 'same' }),
      new BatchNormalization(),
    ].reduce((value, layer) => layer.apply(value), stem);
    const outputs = [new ELU(), new GlobalAveragePooling2D(), new Dense(CLASSES, { activation: 'softmax' })].reduce(
      (value, layer) => layer.apply(value),
      new Add().apply([stem, block]),
    );
    return new Model({ inputs, outputs, seed: 1 });
  };

  test('prints what is connected to what', () => {
    expect(residual().summary().replaceAll(/ {2,}/g, '  ')).toContain(
      'add (Add)  (None, 6, 6, 4)  0  conv2d, batch_normalization_1',
    );
    expect(residual().summary()).toContain('Non-trainable params: 16');
  });

  test('learns, and its running statistics move without gradients', async () => {
    for (const device of devices) {
      const model = residual().compile({ device, optimizer: beltnet.adam({ learningRate: 0.02 }) });
      const before = await model.trainOnBatch(x, y);
      for (let step = 0; step < 30; step++) await model.trainOnBatch(x, y);
      expect((await model.trainOnBatch(x, y)).loss).toBeLessThan(before.loss / 2);
      const weights = await model.getWeights();
      expect(Object.keys(await model.getGradients())).not.toContain('batch_normalization.moving_mean');
      expect(weights['batch_normalization.moving_variance'].data.some((value) => value !== 1)).toBe(true);
      model.destroy();
    }
  });

  test('its gradient with respect to the pictures is that of finite differences, and the same on all devices', async () => {
    for (const training of [true, false]) {
      const compiled = new Map<Device, Model>();
      const compute = ([pictures]: readonly beltnet.Tensor[]) => {
        let model = compiled.get(pictures.device);
        if (!model) compiled.set(pictures.device, (model = residual().compile({ device: pictures.device })));
        return beltnet.mean(beltnet.tanh(model.call(pictures, { logits: true, training })));
      };
      const one = { inputs: [{ shape: [5, ...SHAPE], dtype: 'float32' as const, values: x }], compute };
      expect(differenceError(one)).toBeLessThan(DIFFERENCE_TOLERANCE);
      for (const device of devices) {
        // Some twenty kernels deep, each within its own tolerance of up to 256 roundings; seen: below 100.
        for (const { error } of await deviceErrors(device, one)) expect(error).toBeLessThan(1000);
      }
    }
  });
});

describe('graphs', () => {
  test('a shared layer has one set of weights, and its gradient is the sum of both uses', async () => {
    const [device] = devices;
    const inputs = input({ shape: [3] });
    const shared = new Dense(3, { activation: 'tanh' });
    const outputs = new Dense(1, { activation: 'sigmoid' }).apply(shared.apply(shared.apply(inputs)));
    const model = new Model({ inputs, outputs }).compile({ device });
    expect(Object.keys(await model.getWeights())).toEqual([
      'dense.kernel',
      'dense.bias',
      'dense_1.kernel',
      'dense_1.bias',
    ]);
    await model.trainOnBatch(x.subarray(0, 12), [0, 1, 1, 0]);
    const { data } = (await model.getGradients())['dense.kernel'];
    // Against a difference of the loss along one weight, in float32: a few digits.
    const at = async (h: number): Promise<number> => {
      const other = new Model({ inputs, outputs });
      const weights = await other.getWeights();
      weights['dense.kernel'].data[4] += h;
      other.setWeights(weights);
      const { loss } = await other.compile({ device }).testOnBatch(x.subarray(0, 12), [0, 1, 1, 0]);
      other.destroy();
      return loss;
    };
    expect(Math.abs(((await at(1e-2)) - (await at(-1e-2))) / 2e-2 - data[4])).toBeLessThan(1e-4);
  });

  test('refuse what cannot be', () => {
    const a = input({ shape: [4] });
    const b = input({ shape: [4] });
    expect(() => new Model({ inputs: a, outputs: new Dense(1).apply(b) })).toThrow('got one of another graph');
    expect(() => new Model({ inputs: a, outputs: new Add().apply([a, b]) })).toThrow('a graph with another input');
    expect(() => new Dense(2).apply([a, b])).toThrow('Dense: expects one input, got 2');
    expect(() => new Add().apply([a, new Dense(3).apply(a)])).toThrow(
      'Add: expects inputs of one shape, or 1 along an axis, got [4] and [3]',
    );
    expect(() => new Concatenate({ axis: 0 })).toThrow('other than 0, the batch');
    const shared = new Dense(3);
    expect(() => new Model({ inputs: a, outputs: shared.apply(shared.apply(a)) })).toThrow(
      'dense: shared, it expects inputs like [4], got [3]',
    );
  });
});

describe('dropout in a model', () => {
  test('draws another mask at each step, the same for the same seed, none when evaluating', async () => {
    const [, device] = devices;
    const model = (seed: number) =>
      new Sequential([new Dropout(0.5, { inputShape: [40] }), new Dense(1, { activation: 'sigmoid' })], { seed });
    const losses = async (seed: number) => {
      const one = model(seed).compile({ device, optimizer: beltnet.sgd({ learningRate: 1e-30 }) });
      const run = [];
      for (let step = 0; step < 3; step++) run.push((await one.trainOnBatch(x.subarray(0, 40), [1])).loss);
      return [
        ...run,
        (await one.testOnBatch(x.subarray(0, 40), [1])).loss,
        (await one.testOnBatch(x.subarray(0, 40), [1])).loss,
      ];
    };
    const [first, again, other] = [await losses(1), await losses(1), await losses(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(new Set(first.slice(0, 3)).size).toBe(3);
    expect(first[3]).toBe(first[4]);
  });
});

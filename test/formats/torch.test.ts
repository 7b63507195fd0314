/** Weights for PyTorch: their names and layouts, and what PyTorch made of them (test/pytorch/). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import {
  Add,
  BatchNormalization,
  Conv2D,
  decodeModel,
  Dense,
  DepthwiseConv2D,
  encodeTorchSafetensors,
  Flatten,
  input,
  MaxPooling2D,
  Model,
  readSafetensors,
  ReferenceDevice,
  Reshape,
  Sequential,
  type Layer,
} from '../../src/index.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestCpu } from '../support/open-devices.js';
import { info, layerModels, randomInput, randomWeights, SHAPE, worstDifference } from './layer-models.js';
import { digest, reference, TOLERANCE } from './torch-reference.js';

let devices: Device[] = [];
beforeAll(async () => {
  devices = [await openTestCpu(), new ReferenceDevice()];
});
afterAll(() => devices[0].destroy());

test('PyTorch was asked about every model', () => {
  expect(Object.keys(reference())).toEqual(Object.keys(layerModels));
});

describe('PyTorch loaded these tensors and gave the same probabilities', () => {
  test.each(Object.entries(layerModels))('%s', async (name, make) => {
    const expected = reference()[name];
    const model = await randomWeights(make());
    expect(digest(await encodeTorchSafetensors(model, info))).toBe(expected.digest);
    const weights = await model.getWeights();
    for (const device of devices) {
      const copy = make();
      copy.setWeights(weights);
      const probabilities = await copy.compile({ device }).predictOnBatch(randomInput(2));
      expect(worstDifference(probabilities, expected.outputs)).toBeLessThan(TOLERANCE);
      copy.destroy();
    }
  });
});

describe('layouts', () => {
  const exported = async (model: Model) => {
    const { tensors, metadata } = readSafetensors(await encodeTorchSafetensors(model, info), 'it');
    return { tensors, metadata, weights: await model.getWeights() };
  };

  test('the whole network, element by element', async () => {
    const [height, width, channels, filters, units] = [6, 7, 4, 3, 5];
    const model = new Sequential([
      new Conv2D(filters, [3, 2], { inputShape: [height, width, channels] }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(units),
      new Dense(3, { activation: 'softmax' }),
    ]);
    const { tensors, weights, metadata } = await exported(await randomWeights(model));
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['conv2d.weight', [3, 4, 3, 2]],
      ['conv2d.bias', [3]],
      ['dense.weight', [5, 18]],
      ['dense.bias', [5]],
      ['dense_1.weight', [3, 5]],
      ['dense_1.bias', [3]],
    ]);
    const [oihw, hwio] = [tensors.get('conv2d.weight')?.data, weights['conv2d.kernel'].data];
    for (let o = 0; o < filters; o++)
      for (let i = 0; i < channels; i++)
        for (let h = 0; h < 3; h++)
          for (let w = 0; w < 2; w++)
            expect(oihw?.[((o * channels + i) * 3 + h) * 2 + w]).toBe(hwio[((h * 2 + w) * channels + i) * filters + o]);
    const [outIn, inOut] = [tensors.get('dense.weight')?.data, weights['dense.kernel'].data];
    const [rows, columns] = [2, 3]; // after pooling
    for (let u = 0; u < units; u++)
      for (let c = 0; c < filters; c++)
        for (let h = 0; h < rows; h++)
          for (let w = 0; w < columns; w++)
            expect(outIn?.[u * 18 + (c * rows + h) * columns + w]).toBe(
              inOut[((h * columns + w) * filters + c) * units + u],
            );
    expect(tensors.get('conv2d.bias')?.data).toEqual(weights['conv2d.bias'].data);
    expect(metadata['format']).toBe('pt');
    expect(JSON.parse(metadata['architecture'])).toEqual(model.config());
    expect(JSON.parse(metadata['alert'])).toEqual(info.alert);
  });

  test('depthwise kernels, and batch normalization', async () => {
    const model = new Sequential([
      new DepthwiseConv2D([3, 2], { inputShape: SHAPE, depthMultiplier: 2 }),
      new BatchNormalization({ center: false }),
      new Flatten(),
      new Dense(3, { activation: 'softmax' }),
    ]);
    const { tensors, weights } = await exported(await randomWeights(model));
    const [turned, given] = [tensors.get('depthwise_conv2d.weight'), weights['depthwise_conv2d.depthwise_kernel'].data];
    expect(turned?.shape).toEqual([8, 1, 3, 2]);
    for (let c = 0; c < 4; c++)
      for (let m = 0; m < 2; m++)
        for (let place = 0; place < 6; place++)
          expect(turned?.data[(c * 2 + m) * 6 + place]).toBe(given[(place * 4 + c) * 2 + m]);
    const of = (name: string) => tensors.get(`batch_normalization.${name}`)?.data;
    expect(of('weight')).toEqual(weights['batch_normalization.gamma'].data);
    expect(of('bias')).toEqual(new Float32Array(8)); // PyTorch has both or neither
    expect(of('running_mean')).toEqual(weights['batch_normalization.moving_mean'].data);
    expect(of('running_var')).toEqual(weights['batch_normalization.moving_variance'].data);
  });
});

describe('what PyTorch has no form for is refused', () => {
  const x = input({ shape: SHAPE });
  const graph = (outputs: ReturnType<Layer['apply']>): Model => new Model({ inputs: x, outputs });
  const flat = new Flatten().apply(x);

  test.each<[string, () => Model, RegExp]>([
    [
      'the sum of a flattened vector and another',
      () => graph(new Dense(3).apply(new Add().apply([flat, new Dense(168).apply(flat)]))),
      /layer 'add' joins a flattened vector with another/,
    ],
    [
      'a flattened vector under another shape',
      () => graph(new Dense(3).apply(new Flatten().apply(new Reshape([4, 42]).apply(flat)))),
      /layer 'reshape' reshapes a flattened vector/,
    ],
    ['an end that is flattened', () => graph(flat), /end with a Dense layer/],
    ['a name with a dot', () => graph(new Dense(3, { name: 'a.b' }).apply(flat)), /layer 'a.b' has a dot in its name/],
  ])('%s', async (_, make, message) => {
    await expect(encodeTorchSafetensors(make(), info)).rejects.toThrow(UsageError);
    await expect(encodeTorchSafetensors(make(), info)).rejects.toThrow(message);
  });

  test('and the file is not taken for one of our own', async () => {
    const bytes = await encodeTorchSafetensors(layerModels['Dense'](), info);
    expect(() => decodeModel(bytes, 'it')).toThrow(
      "expects a model written by beltnet, got safetensors with format 'pt'",
    );
  });
});

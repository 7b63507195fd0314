/** Graphs: frozen layers, intermediate values, models inside of models. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ModelInfo } from '../../src/formats/beltnet/info.js';
import { decodeModel, encodeModel } from '../../src/formats/beltnet/model.js';
import {
  Activation,
  Add,
  backward,
  BatchNormalization,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  Flatten,
  GlobalAveragePooling2D,
  input,
  LeakyReLU,
  MaxPooling2D,
  Model,
  record,
  ReLU,
  Sequential,
  sgd,
  tensor,
  type NamedWeights,
  type SymbolicTensor,
} from '../../src/index.js';
import { floats } from '../../src/kernels/shared/samples.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { openTestDevice } from '../support/open-devices.js';

const SHAPE = [6, 6, 2];
const info: ModelInfo = {
  classNames: ['a', 'b'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'b', threshold: 0.5 },
};
const x = floats(new Random(3, RandomStream.synthetic), [4, ...SHAPE]).values as Float32Array;
const y = [0, 1, 1, 0];

const network = (l2 = 0): Sequential =>
  new Sequential(
    [
      new Conv2D(3, 3, { inputShape: SHAPE, activation: 'relu', kernelRegularizer: { l2 } }),
      new BatchNormalization({ momentum: 0.5 }),
      new Conv2D(4, 2, { activation: 'relu' }),
      new MaxPooling2D({ poolSize: 2, strides: 2, padding: 'valid' }),
      new Flatten(),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: 2 },
  );

const changed = (before: NamedWeights, after: NamedWeights): string[] =>
  Object.keys(before).filter((name) => before[name].data.some((value, i) => value !== after[name].data[i]));

describe.each(['webgpu', 'cpu'] as const)('frozen layers on %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice(kind);
  });
  afterAll(() => device.destroy());

  test('are not moved, nor their statistics, and no gradient of theirs is computed', async () => {
    const model = network();
    for (const layer of model.layers.slice(0, 2)) layer.trainable = false;
    model.compile({ device, optimizer: sgd({ learningRate: 0.1 }) });
    const before = await model.getWeights();
    const launches = vi.spyOn(device, 'launch');
    await model.trainOnBatch(x, y);
    const kernels = launches.mock.calls.map(([{ kernel }]) => kernel.name);
    launches.mockRestore();
    expect(changed(before, await model.getWeights())).toEqual([
      'conv2d_1.kernel',
      'conv2d_1.bias',
      'dense.kernel',
      'dense.bias',
    ]);
    // Of two convolutions and a batch normalization, only what the second convolution's own weights need.
    expect(kernels.filter((name) => /InputGradient|batchNorm\w*Gradient/.test(name))).toEqual([]);
    expect(kernels.filter((name) => /^conv2d\w*WeightGradient/.test(name))).toHaveLength(1);
    expect(Object.keys(await model.getGradients())).toEqual(Object.keys(before).slice(6));
    model.destroy();
  });

  test('take no more memory of a training step for being many: their values go as in a prediction', async () => {
    const bytesOfStep = async (frozen: number): Promise<number> => {
      const layers = Array.from({ length: frozen }, (_, n) => [
        new Conv2D(16, 1, { useBias: false, ...(n === 0 && { inputShape: [32, 32, 16] }) }),
        new BatchNormalization(),
        new LeakyReLU(),
      ]).flat();
      const model = new Sequential([...layers, new Conv2D(1, 1), new GlobalAveragePooling2D()]);
      for (const layer of layers) layer.trainable = false;
      const own = await openTestDevice(kind);
      model.compile({ device: own, loss: 'meanSquaredError' });
      const inputs = new Float32Array(8 * 32 * 32 * 16).fill(0.5);
      await model.trainOnBatch(inputs, [0, 1, 1, 0, 1, 0, 1, 0]);
      const { peakBytes } = own.statistics;
      own.destroy();
      return peakBytes;
    };
    const value = 4 * 8 * 32 * 32 * 16; // bytes of one; each frozen layer had kept one
    expect((await bytesOfStep(6)) - (await bytesOfStep(2))).toBeLessThan(value);
  });

  test('between others let the gradient through, to the same numbers', async () => {
    const gradients = async (frozen: boolean) => {
      const model = network();
      model.layers[2].trainable = !frozen;
      model.compile({ device });
      await model.trainOnBatch(x, y);
      const result = await model.getGradients();
      model.destroy();
      return result;
    };
    const [all, some] = [await gradients(false), await gradients(true)];
    expect(Object.keys(some)).not.toContain('conv2d_1.kernel');
    expect(some).toEqual(Object.fromEntries(Object.keys(some).map((name) => [name, all[name]])));
  });

  test('compiled again, frozen or free, the weights stay', async () => {
    const model = network().compile({ device });
    await model.trainOnBatch(x, y);
    const trained = await model.getWeights();
    model.layers[0].trainable = false;
    await expect(model.trainOnBatch(x, y)).rejects.toThrow('layer.trainable was changed after compile()');
    model.compile({ device });
    expect(await model.getWeights()).toEqual(trained);
    await model.trainOnBatch(x, y);
    expect(changed(trained, await model.getWeights())).not.toContain('conv2d.kernel');
    model.layers[0].trainable = true;
    model.compile({ device });
    await model.trainOnBatch(x, y);
    expect(changed(trained, await model.getWeights())).toContain('conv2d.kernel');
    model.destroy();
  });

  test('add no L2 to the loss', async () => {
    const losses: number[] = [];
    for (const [l2, trainable] of [
      [0, true],
      [0.5, false],
      [0.5, true],
    ] as const) {
      const model = network(l2);
      model.layers[0].trainable = trainable;
      losses.push((await model.compile({ device }).testOnBatch(x, y)).loss);
      model.destroy();
    }
    expect(losses[1]).toBe(losses[0]);
    expect(losses[2]).toBeGreaterThan(losses[0]);
  });

  test('a model of frozen layers only predicts, and refuses to train', async () => {
    const model = network();
    model.trainable = false;
    model.compile({ device });
    expect(model.trainable).toBe(false);
    expect(model.countParameters({ trainable: true })).toBe(0);
    expect(await model.predictOnBatch(x)).toHaveLength(4);
    await expect(model.trainOnBatch(x, y)).rejects.toThrow('set layer.trainable = true and compile() again');
    model.destroy();
  });

  test('predictions fold batch normalizations, relu and sums into the layer before, values of each asked for do not', async () => {
    const inputs = input({ shape: SHAPE });
    const convolved = new BatchNormalization().apply(new Conv2D(5, 3, { useBias: false }).apply(inputs));
    const depthwise = new DepthwiseConv2D(2, { padding: 'same', depthMultiplier: 2 }).apply(
      new ReLU().apply(convolved),
    );
    const normal = new Activation('relu').apply(new BatchNormalization({ scale: false }).apply(depthwise));
    const pooled = new MaxPooling2D().apply(
      new ReLU().apply(new BatchNormalization({ center: false }).apply(new Conv2D(10, 1).apply(normal))),
    );
    const joined = new ReLU().apply(new Add().apply([pooled, new MaxPooling2D({ name: 'side' }).apply(normal)]));
    const units = new BatchNormalization().apply(new Dense(3).apply(new Flatten().apply(joined)));
    const normalized = new ReLU().apply(new BatchNormalization({ name: 'alone' }).apply(units));
    const outputs = new Dense(1, { activation: 'sigmoid' }).apply(normalized);
    const model = new Model({ inputs, outputs }).compile({ device });
    const weights = await model.getWeights();
    const random = new Random(11, RandomStream.synthetic);
    for (const [name, { data }] of Object.entries(weights))
      data.forEach((_, i) => (data[i] = random.uniform(name.endsWith('moving_variance') ? 0.2 : -0.5, 1)));
    model.setWeights(weights);
    const given = tensor(device, x, [4, ...SHAPE]);
    const launches = vi.spyOn(device, 'launch');
    const whole = model.call(given, { logits: true });
    const kernels = launches.mock.calls.map(([{ kernel }]) => kernel.name);
    launches.mockRestore();
    const passes = kernels.filter((name) => !/^(batchNorm\w*|onesLike|zerosLike)$/.test(name));
    expect(passes).toEqual([
      ...[
        'conv2d',
        'groupedConv2d',
        'conv2dMaxPool2dValues',
        'maxPool2dValues',
        'addRelu',
        'matrixProduct',
        'matrixProduct',
      ],
    ]);
    const all = model.layers.map(({ name }) => name);
    const values = model.values(given, { of: all, logits: true });
    const [fused, plain] = [await whole.read(), await values['dense_1'].read()];
    const largest = Math.max(...plain.map(Math.abs));
    fused.forEach((value, i) => expect(Math.abs(value - plain[i])).toBeLessThan(1e-5 * largest));
    expect(new Set(fused).size).toBe(4);
    model.destroy();
  });

  test('intermediate values are what the layers give, fused or not, and differentiable', async () => {
    const model = network().compile({ device });
    const given = tensor(device, x, [4, ...SHAPE]);
    const { result, tape } = record(() =>
      model.values(given, { of: ['conv2d_1', 'max_pooling2d', 'dense'], logits: true }),
    );
    expect(Object.keys(result)).toEqual(['conv2d_1', 'max_pooling2d', 'dense']);
    const whole = model.call(given, { logits: true });
    const close = (a: Float32Array, b: ArrayLike<number>): void => {
      expect(a).toHaveLength(b.length);
      a.forEach((value, i) => expect(Math.abs(value - b[i])).toBeLessThan(1e-5)); // another kernel, a few roundings
    };
    close(await result['dense'].read(), await whole.read());
    expect(result['conv2d_1'].shape).toEqual([4, 3, 3, 4]);
    // The maximum over the convolution's values, taken here.
    const [values, pooled] = [await result['conv2d_1'].read(), await result['max_pooling2d'].read()];
    const at = (n: number, row: number, column: number, c: number): number =>
      values[((n * 3 + row) * 3 + column) * 4 + c];
    expect([...pooled]).toEqual(
      Array.from({ length: 16 }, (_, i) => {
        const [n, c] = [i >> 2, i & 3];
        return Math.max(at(n, 0, 0, c), at(n, 0, 1, c), at(n, 1, 0, c), at(n, 1, 1, c));
      }),
    );
    const gradients = backward(tape, result['dense'], tensor(device, new Float32Array(4).fill(1), [4, 1]));
    expect(gradients.get(result['conv2d_1'])?.shape).toEqual([4, 3, 3, 4]);
    // Without what comes after, as a model that ends there.
    const short = model.values(given, { of: ['batch_normalization'] });
    expect(Object.values(short)[0].shape).toEqual([4, 4, 4, 3]);
    expect(() => model.values(given, { of: ['conv'] })).toThrow(
      "values: the model has no layer 'conv'; it has conv2d,",
    );
    model.destroy();
  });
});

describe('a model in a model', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice('cpu');
  });
  afterAll(() => device.destroy());

  const base = (): Sequential =>
    new Sequential(
      [
        new Conv2D(3, 3, { inputShape: SHAPE, padding: 'same', name: 'base_conv' }),
        new BatchNormalization({ name: 'base_norm' }),
        new Conv2D(2, 1, { name: 'base_end' }),
      ],
      { seed: 9 },
    );
  const withHead = (inputs: SymbolicTensor, value: SymbolicTensor): Model => {
    const pooled = new GlobalAveragePooling2D().apply(value);
    return new Model({ inputs, outputs: new Dense(1, { activation: 'sigmoid' }).apply(pooled), seed: 4 });
  };

  test('begins with its weights, wherever they are, and leaves them alone', async () => {
    const inner = base();
    const inputs = input({ shape: SHAPE });
    const outer = withHead(inputs, inner.apply(inputs));
    const own = async (): Promise<NamedWeights> => {
      const all = await outer.getWeights();
      return Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith('base_')));
    };
    expect(await own()).toEqual(await inner.getWeights());
    const given = await base().getWeights();
    given['base_end.bias'].data.set([5, 6]);
    inner.setWeights(given);
    expect(await own()).toEqual(given);
    // It has a training of its own, on the device.
    const trained = new Sequential([...inner.layers, new Flatten(), new Dense(1, { activation: 'sigmoid' })]);
    trained.compile({ device });
    await trained.trainOnBatch(x, y);
    const again = input({ shape: SHAPE });
    const second = new Model({ inputs: again, outputs: trained.apply(again) }).compile({ device });
    const before = await trained.getWeights();
    expect(await second.getWeights()).toEqual(before);
    await second.trainOnBatch(x, y);
    expect(changed(before, await second.getWeights())).toContain('base_conv.kernel');
    expect(await trained.getWeights()).toEqual(before);
    trained.destroy();
    second.destroy();
  });

  test('applied twice, it shares its parameters; the file holds them once', async () => {
    const inner = base();
    const inputs = input({ shape: SHAPE });
    const once = inner.apply(inputs);
    const twice = inner.apply(once);
    const outer = withHead(inputs, new Add().apply([once, twice]));
    expect(outer.countParameters()).toBe(inner.countParameters() + 3);
    expect(outer.summary()).toContain('base_end');
    const bytes = await encodeModel(outer, info);
    const { model } = decodeModel(bytes, 'it');
    expect(model.config()).toEqual(outer.config());
    const [one, two] = [outer.compile({ device }), model.compile({ device })];
    expect(await one.predictOnBatch(x)).toEqual(await two.predictOnBatch(x));
    // What a layer gives is named by its use.
    const given = tensor(device, x, [4, ...SHAPE]);
    const { 'base_end:0': first, 'base_end:1': last } = one.values(given, { of: ['base_end:0', 'base_end:1'] });
    expect(await first.read()).not.toEqual(await last.read());
    expect(() => one.values(given, { of: ['base_end'] })).toThrow(
      "'base_end' is used 2 times; say which use, 'base_end:0'",
    );
    one.destroy();
    two.destroy();
  });

  test('frozen, it is a fixed eye; that it is frozen is in the file', async () => {
    const inner = base();
    inner.trainable = false;
    const inputs = input({ shape: SHAPE });
    const outer = withHead(inputs, inner.apply(inputs)).compile({ device });
    const before = await outer.getWeights();
    await outer.trainOnBatch(x, y);
    expect(changed(before, await outer.getWeights())).toEqual(['dense.kernel', 'dense.bias']);
    const { model } = decodeModel(await encodeModel(outer, info), 'it');
    expect(model.layers.map(({ trainable }) => trainable)).toEqual([false, false, false, true, true]);
    expect(model.config()).toEqual(outer.config());
    expect(outer.summary()).toContain('Trainable params: 3 ');
    outer.destroy();
  });

  test('names of its layers keep, others go around them', () => {
    const inner = new Sequential([new Conv2D(2, 1, { inputShape: SHAPE })]); // conv2d
    const inputs = input({ shape: SHAPE });
    const outer = withHead(inputs, inner.apply(new Conv2D(2, 1).apply(inputs)));
    expect(outer.layers.map(({ name }) => name)).toEqual(['conv2d_1', 'conv2d', 'global_average_pooling2d', 'dense']);
    expect(() => inner.apply(input({ shape: [3, 3, 2] }))).toThrow('apply: the model expects [6,6,2], got [3,3,2]');
  });
});

test('the columns of a summary stay apart, however long the names', () => {
  const name = 'a_convolution_with_a_name_that_goes_on_and_on';
  const model = new Sequential([new Conv2D(8, 1, { inputShape: [1000, 1000, 3], name }), new Flatten()]);
  const [titles, rule, first, second] = model.summary().split('\n');
  expect(first).toBe(`${name} (Conv2D)  (None, 1000, 1000, 8)     32`);
  for (const line of [titles, second]) expect(line.slice(0, name.length + 11)).toMatch(/ {2}$/);
  expect(rule.length).toBeGreaterThanOrEqual(first.length);
});

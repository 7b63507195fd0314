/** The model without training: shapes, parameters, initial weights, summary, and its errors. */
import { describe, expect, test } from 'vitest';
import { ShapeError, UsageError } from '../../src/errors.js';
import { binaryCrossentropy } from '../../src/nn/losses.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import { Sequential } from '../../src/nn/sequential.js';
import { adam, adamStep } from '../../src/optim/adam.js';
import { openTestDevice } from '../support/open-devices.js';

const mission = (seed = 0): Sequential =>
  new Sequential(
    [
      new Conv2D(32, [3, 3], { inputShape: [64, 64, 3], activation: 'relu' }),
      new MaxPooling2D({ poolSize: [2, 2] }),
      new Conv2D(32, [3, 3], { activation: 'relu' }),
      new MaxPooling2D({ poolSize: [2, 2] }),
      new Flatten(),
      new Dense(128, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );

describe('the mission’s network', () => {
  test('has 813,217 parameters and prints like Keras', () => {
    expect(mission().countParameters()).toBe(813_217);
    expect(mission().summary()).toBe(`Layer (type)                    Output shape              Param #
==================================================================
conv2d (Conv2D)                 (None, 62, 62, 32)        896
max_pooling2d (MaxPooling2D)    (None, 31, 31, 32)        0
conv2d_1 (Conv2D)               (None, 29, 29, 32)        9,248
max_pooling2d_1 (MaxPooling2D)  (None, 14, 14, 32)        0
flatten (Flatten)               (None, 6272)              0
dense (Dense)                   (None, 128)               802,944
dense_1 (Dense)                 (None, 1)                 129
==================================================================
Total params: 813,217 (3.10 MiB)`);
  });

  test('starts Glorot-uniform, by its seed, biases 0', async () => {
    const weights = await mission().getWeights();
    // The limits of keras-2 for this network, to four digits.
    const limits = {
      'conv2d.kernel': 0.138,
      'conv2d_1.kernel': 0.1021,
      'dense.kernel': 0.0306,
      'dense_1.kernel': 0.2157,
    };
    for (const [name, limit] of Object.entries(limits)) {
      const { data } = weights[name];
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest).toBeLessThan(limit + 5e-5);
      expect(largest).toBeGreaterThan(limit * 0.9); // among 128 values or more, one lies in the last tenth
      const mean = data.reduce((a, b) => a + b) / data.length;
      expect(Math.abs(mean)).toBeLessThan((5 * limit) / Math.sqrt(3 * data.length)); // five standard errors
    }
    expect(weights['dense.bias'].data.every((value) => value === 0)).toBe(true);
    const equal = (other: typeof weights): boolean =>
      Object.entries(weights).every(([name, { data }]) => data.every((value, i) => other[name].data[i] === value));
    expect(equal(await mission(0).getWeights())).toBe(true);
    expect(equal(await mission(1).getWeights())).toBe(false);
  });
});

describe('errors', () => {
  test('say what was expected, what was received, and the way out', async () => {
    expect(() => new Sequential().add(new Dense(3))).toThrow(
      new UsageError('add: the first layer (Dense) needs inputShape, for example [64, 64, 3]'),
    );
    expect(() => new Sequential([new Conv2D(4, 3, { inputShape: [8, 8, 3] }), new Dense(1)])).toThrow(
      new ShapeError('dense: expects a vector, got [6,6,4]; put a Flatten layer before it'),
    );
    expect(() => new Sequential([new MaxPooling2D({ inputShape: [1, 8, 3] })])).toThrow(
      'a window of [2,2] does not fit into x [1,1,8,3]',
    );
    expect(() => new Conv2D(0, 3)).toThrow('Conv2D: filters expects an integer from 1 to 1048576, got 0');
    expect(() => adam({ learningRate: -1 })).toThrow('adam: learningRate expects a positive number, got -1');
    await expect(mission().fit({ pictureShape: [64, 64, 3] } as never)).rejects.toThrow(
      'fit: the model is not compiled; call compile({ device }) first',
    );
    const device = await openTestDevice('cpu');
    expect(() => new Sequential([new Flatten({ inputShape: [2, 2, 1] }), new Dense(1)]).compile({ device })).toThrow(
      "binaryCrossentropy expects the model to end in one sigmoid unit, got Dense [1] with linear; end with new Dense(1, { activation: 'sigmoid' })",
    );
    expect(() => mission().compile({ device, loss: 'hinge' as never })).toThrow(
      'compile: loss expects one of binaryCrossentropy, binary_crossentropy, categoricalCrossentropy',
    );
    const model = new Sequential([
      new Flatten({ inputShape: [2, 2, 1] }),
      new Dense(1, { activation: 'sigmoid' }),
    ]).compile({ device });
    expect(() => model.add(new Flatten())).toThrow('add: the model is compiled; add layers before compile()');
    await expect(model.trainOnBatch(new Float32Array(8), [1])).rejects.toThrow(
      'batch: expects 2 samples of [2,2,1] with a label each, got 8 values and 1 labels',
    );
    await expect(model.evaluate({ pictureShape: [2, 2, 3] } as never)).rejects.toThrow(
      'evaluate: the model expects pictures [2,2,1], got [2,2,3]',
    );
    expect(() => model.setWeights({})).toThrow('weights: dense.kernel [4,1] is missing');
    device.destroy();
  });
});

describe('adam', () => {
  test('both placements of ε agree with the formulas', () => {
    const settings = { beta1: 0.9, beta2: 0.999 };
    const [alpha, scale] = adamStep(3, 0.1, { ...settings, correction: 'keras' });
    expect(alpha).toBeCloseTo((0.1 * Math.sqrt(1 - 0.999 ** 3)) / (1 - 0.9 ** 3), 15);
    expect(scale).toBe(1);
    const [torchAlpha, torchScale] = adamStep(3, 0.1, { ...settings, correction: 'pytorch' });
    expect(torchAlpha).toBeCloseTo(0.1 / (1 - 0.9 ** 3), 15);
    expect(torchScale).toBeCloseTo(1 / Math.sqrt(1 - 0.999 ** 3), 12);
  });
});

describe('losses on one batch', () => {
  test('the clipped forms and the logits give the same figures away from the ends', async () => {
    const device = await openTestDevice('cpu');
    const x = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
    const figures: { loss: number; accuracy: number; gradient: Float32Array }[] = [];
    for (const form of ['logits', 'keras3', 'keras2'] as const) {
      const model = new Sequential([new Flatten({ inputShape: [2, 2, 1] }), new Dense(1, { activation: 'sigmoid' })]);
      model.compile({ device, loss: binaryCrossentropy({ form }) });
      const { loss, accuracy } = await model.trainOnBatch(x, [0, 1, 1, 0, 1, 0]);
      figures.push({ loss, accuracy, gradient: (await model.getGradients())['dense.kernel'].data });
      model.destroy();
    }
    for (const other of figures.slice(1)) {
      expect(other.accuracy).toBe(figures[0].accuracy);
      expect(other.loss).toBeCloseTo(figures[0].loss, 5); // Keras 2 adds 1e-7 inside the logarithm
      other.gradient.forEach((value, i) => expect(value).toBeCloseTo(figures[0].gradient[i], 5));
    }
    device.destroy();
  });
});

/** What is around the losses: class weights, label smoothing, regularization, clipping, and any number of classes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { binaryCrossentropy, categoricalCrossentropy, halfQuadratic, meanSquaredError } from '../../src/nn/losses.js';
import { Dense } from '../../src/nn/layers/core.js';
import type { CompileOptions } from '../../src/nn/compile.js';
import { Sequential } from '../../src/nn/sequential.js';
import { adam } from '../../src/optim/adam.js';
import { reduceOnPlateau } from '../../src/optim/schedules.js';
import { sgd } from '../../src/optim/sgd.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestDevice } from '../support/open-devices.js';

const X = Float32Array.from([0.5, -1, 2, 0.1, -0.4, 0.3, 1, 1, 0.2, -2, 0.7, 0.6]); // [4,3]
const Y = [0, 1, 2, 1];
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe.each(['webgpu', 'cpu'] as const)('losses on %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice(kind);
  });
  afterAll(() => device.destroy());

  const softmax = (l2 = 0) =>
    new Sequential([
      new Dense(3, { inputShape: [3], activation: 'softmax', kernelRegularizer: l2 > 0 ? { l2 } : null }),
    ]);
  const sigmoid = () => new Sequential([new Dense(1, { inputShape: [3], activation: 'sigmoid' })]);
  /** Loss of one training step, the probabilities before it, and its gradients. */
  async function step(model: Sequential, options: Omit<CompileOptions, 'device'>, labels = Y) {
    model.compile({ device, optimizer: sgd({ learningRate: 1e-30 }), ...options });
    const probabilities = await model.predictOnBatch(X);
    const { loss, accuracy } = await model.trainOnBatch(X, labels);
    const gradients = await model.getGradients();
    const weights = await model.getWeights();
    model.destroy();
    return { loss, accuracy, probabilities, gradients, kernel: weights['dense.kernel'].data };
  }

  test('categorical cross-entropy, with the accuracy of the largest', async () => {
    const { loss, accuracy, probabilities } = await step(softmax(), {});
    expect(loss).toBeCloseTo(-sum(Y.map((label, n) => Math.log(probabilities[n * 3 + label]))) / 4, 5);
    const hits = Y.filter((label, n) => {
      const row = [...probabilities.subarray(n * 3, n * 3 + 3)];
      return row.indexOf(Math.max(...row)) === label;
    });
    expect(accuracy).toBe(hits.length / 4);
  });

  test('class weights count in training, not in evaluation', async () => {
    const weights = [0.5, 4, 0];
    const { loss, probabilities } = await step(softmax(), { classWeight: weights });
    const each = Y.map((label, n) => -Math.log(probabilities[n * 3 + label]));
    expect(loss).toBeCloseTo(sum(each.map((value, n) => value * weights[Y[n]])) / 4, 5);
    const model = softmax().compile({ device, classWeight: { 1: 4 } });
    expect((await model.testOnBatch(X, Y)).loss).toBeCloseTo(sum(each) / 4, 5);
    model.destroy();
    const two = await step(sigmoid(), { classWeight: { 1: 3 } }, [1, 0, 1, 1]);
    const losses = [...two.probabilities].map((p, n) => (n === 1 ? -Math.log(1 - p) : -3 * Math.log(p)));
    expect(two.loss).toBeCloseTo(sum(losses) / 4, 5);
  });

  test('label smoothing', async () => {
    const { loss, probabilities } = await step(softmax(), { loss: categoricalCrossentropy({ labelSmoothing: 0.3 }) });
    const expected = Array.from(probabilities, (p, i) => -Math.log(p) * (i % 3 === Y[Math.floor(i / 3)] ? 0.8 : 0.1));
    expect(loss).toBeCloseTo(sum(expected) / 4, 5);
    const labels = [1, 0, 1, 1];
    const two = await step(sigmoid(), { loss: binaryCrossentropy({ labelSmoothing: 0.2 }) }, labels);
    const each = [...two.probabilities].map((p, n) => {
      const y = labels[n] * 0.8 + 0.1;
      return -(y * Math.log(p) + (1 - y) * Math.log(1 - p));
    });
    expect(two.loss).toBeCloseTo(sum(each) / 4, 5);
  });

  test('squared errors, for one unit and for several', async () => {
    const several = await step(softmax(), { loss: meanSquaredError() });
    const square = (p: number, i: number): number => (p - Number(i % 3 === Y[Math.floor(i / 3)])) ** 2;
    expect(several.loss).toBeCloseTo(sum(Array.from(several.probabilities, square)) / 12, 6);
    const half = await step(softmax(), { loss: halfQuadratic() });
    expect(half.loss).toBeCloseTo(sum(Array.from(half.probabilities, square)) / 8, 6);
    const labels = [1, 0, 1, 1];
    const one = await step(sigmoid(), { loss: 'mse' }, labels);
    expect(one.loss).toBeCloseTo(sum([...one.probabilities].map((p, n) => (p - labels[n]) ** 2)) / 4, 6);
  });

  test('L2 regularization adds to loss and gradient', async () => {
    const [plain, penalized] = [await step(softmax(), {}), await step(softmax(0.1), {})];
    expect(penalized.loss).toBeCloseTo(plain.loss + 0.1 * sum([...plain.kernel].map((w) => w * w)), 5);
    for (const [i, gradient] of penalized.gradients['dense.kernel'].data.entries())
      expect(gradient).toBeCloseTo(plain.gradients['dense.kernel'].data[i] + 0.2 * plain.kernel[i], 5);
    expect(penalized.gradients['dense.bias']).toEqual(plain.gradients['dense.bias']);
  });

  test('clipping by the global norm', async () => {
    const norm = (gradients: Awaited<ReturnType<typeof step>>['gradients']): number =>
      Math.sqrt(sum(Object.values(gradients).flatMap(({ data }) => [...data].map((g) => g * g))));
    const free = await step(softmax(), {});
    const limit = norm(free.gradients) / 2;
    const clipped = await step(softmax(), { optimizer: sgd({ learningRate: 1e-30, globalClipNorm: limit }) });
    expect(norm(clipped.gradients)).toBeCloseTo(limit, 6);
    const [one, other] = [free, clipped].map(({ gradients }) => gradients['dense.kernel'].data);
    for (const [i, gradient] of other.entries()) expect(gradient).toBeCloseTo(one[i] / 2, 6);
    const loose = await step(softmax(), { optimizer: sgd({ learningRate: 1e-30, globalClipNorm: limit * 4 }) });
    expect(loose.gradients).toEqual(free.gradients);
  });

  test('a schedule reaches the device', async () => {
    const model = sigmoid().compile({
      device,
      optimizer: adam({ learningRate: reduceOnPlateau({ learningRate: 0.5 }) }),
    });
    const bias = async () => (await model.getWeights())['dense.bias'].data[0];
    await model.trainOnBatch(X, [1, 1, 1, 1]);
    expect(Math.abs(await bias())).toBeCloseTo(0.5, 3); // Adam's first step is the learning rate
    model.destroy();
  });
});

describe('errors', () => {
  test('say what was expected and what was received', async () => {
    const device = await openTestDevice('cpu');
    const softmax = () => new Sequential([new Dense(3, { inputShape: [3], activation: 'softmax' })]);
    expect(() => softmax().compile({ device, loss: 'binaryCrossentropy' })).toThrow(
      'end in one sigmoid unit, got Dense [3]',
    );
    expect(() => softmax().compile({ device, classWeight: { 3: 1 } })).toThrow('for classes 0 to 2, got 1 for class 3');
    expect(() => softmax().compile({ device, optimizer: 'lion' as never })).toThrow(
      "one of adam, adamW, rmsprop, sgd, got 'lion'",
    );
    expect(() => binaryCrossentropy({ labelSmoothing: 1 })).toThrow('labelSmoothing expects a number from 0 up to 1');
    await expect(softmax().compile({ device }).trainOnBatch(X, [0, 1, 2, 3])).rejects.toThrow(
      'the model tells 3 classes apart, got a picture of class 3',
    );
    expect(() => sgd({ globalClipNorm: 0 })).toThrow('sgd: globalClipNorm expects a positive number, got 0');
    device.destroy();
  });
});

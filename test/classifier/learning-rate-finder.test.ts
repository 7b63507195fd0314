/** Rates that rise until the loss does; the network is as it was. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  adam,
  binaryCrossentropy,
  findLearningRate,
  sgd,
  type Device,
  type LearningRateTrial,
  type Schedule,
} from '../../src/index.js';
import { changedBatches } from '../../src/nn/training/batches.js';
import { halvesFlow, smallNetwork } from '../support/halves.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
beforeAll(async () => {
  device = await openTestDevice('cpu');
});
afterAll(() => device.destroy());

const trial = (model = smallNetwork()): LearningRateTrial => ({
  ...{ model, device, loss: binaryCrossentropy() },
  batches: halvesFlow(),
  optimizer: (learningRate) => sgd({ learningRate }),
});

test('losses are those of steps with these rates, and the weights are as before', async () => {
  const model = smallNetwork();
  const before = await model.getWeights();
  const { tried } = await findLearningRate(trial(model), { from: 1e-3, to: 10, steps: 20 });
  expect(await model.getWeights()).toEqual(before);

  // The same by hand: one compile and one step for each rate.
  const { batches, loss } = trial();
  const byHand = smallNetwork();
  for (const [step, { learningRate, loss: seen }] of tried.slice(0, 5).entries()) {
    expect(learningRate).toBeCloseTo(1e-3 * 10 ** ((4 * step) / 19), 12);
    byHand.compile({ device, loss, optimizer: sgd({ learningRate }) });
    const { epochs } = await byHand.fit(changedBatches(batches, { batch: () => batches.batch(step) }), {
      epochs: 1,
      stepsPerEpoch: 1,
    });
    expect(seen).toBeCloseTo(epochs[0].loss, 5);
  }
  byHand.destroy();
});

test('suggests a tenth of the rate at which the loss was least', async () => {
  const withAdam = { ...trial(), optimizer: (learningRate: Schedule) => adam({ learningRate }) };
  const { tried, suggested } = await findLearningRate(withAdam, { from: 1e-5, to: 1, steps: 60 });
  const least = tried.reduce((best, each) => (each.smoothed < best.smoothed ? each : best));
  expect(suggested).toBeCloseTo(least.learningRate / 10, 12);
});

test('ends where the loss has run away', async () => {
  const { tried } = await findLearningRate(trial(), { from: 1e-4, to: 1e30, steps: 60 });
  const smoothed = tried.map((each) => each.smoothed);
  const ends = smoothed.map((each, step) => each > 4 * Math.min(...smoothed.slice(0, step + 1)));
  expect(ends.indexOf(true)).toBe(tried.length - 1); // nothing of the steps that were under way then
  expect(tried.length).toBeLessThan(60);
  expect(smoothed.every(Number.isFinite)).toBe(true);
});

test('is stopped, and says what it cannot take', async () => {
  const controller = new AbortController();
  const stopped = findLearningRate(trial(), {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  });
  await expect(stopped).rejects.toThrow('enough');
  await expect(findLearningRate(trial(), { from: 1, to: 0.1 })).rejects.toThrow(/0 < from < to, got 1 and 0\.1/);
  await expect(findLearningRate(trial(), { steps: 3 })).rejects.toThrow(/at least 10, got 3/);
});

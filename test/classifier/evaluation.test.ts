/** Evaluating: one pass over the pictures, the loss of the network and the bits of predictions. */
import { DataFlow, evaluateClassifier, judge, openClassifier, openDevice, type Dataset, type Device } from 'beltnet';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { bytesOf, overflowing, SIDE, tinyModel } from './tiny-model.js';

let device: Device;
beforeAll(async () => {
  noteDevice('cpu');
  device = await openDevice('cpu');
});
afterAll(() => device.destroy());

const count = 21;
let state = 1;
const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
const dataset: Dataset = {
  ...{ name: 'noise', classNames: ['gap', 'ok'], pictureShape: [SIDE, SIDE, 3], skipped: [] },
  pictures: Uint8Array.from({ length: count * SIDE * SIDE * 3 }, next),
  labels: Uint8Array.from({ length: count }, (_, n) => n % 2),
  files: Array.from({ length: count }, (_, n) => `${n}.png`),
};

test.each([1, 2])('of %i units: the bits of predict and the loss of evaluate, in one pass', async (units) => {
  const classifier = await openClassifier(await bytesOf(tinyModel(units)), { device });
  const { model, info, preparation } = classifier;
  const predictions = await classifier.predict(dataset.pictures);
  const { loss } = await model.evaluate(new DataFlow(dataset, { shuffle: false, ...preparation.values }));
  const [predicting, evaluating] = [vi.spyOn(model, 'predict'), vi.spyOn(model, 'evaluate')];
  const evaluation = await evaluateClassifier(classifier, dataset, { batchSize: 8 });
  expect([predicting.mock.calls.length, evaluating.mock.calls.length]).toEqual([0, 1]);
  expect(evaluation.judged.verdicts).toEqual(predictions.map((one, n) => judge(one, info, dataset.files[n])));
  expect(evaluation.loss).toBeCloseTo(loss, 6);
  await classifier.destroy();
});

test('of scores that are no numbers: no loss, and each picture is named', async () => {
  const classifier = await openClassifier(await bytesOf(await overflowing()), { device });
  const { loss, unjudged, evidence } = await evaluateClassifier(classifier, dataset);
  expect([loss, evidence]).toEqual([null, null]);
  expect(unjudged.map(({ file, label }) => [file, label])).toEqual(
    dataset.files.map((file, n) => [file, dataset.classNames[n % 2]]),
  );
  await classifier.destroy();
});

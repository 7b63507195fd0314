/** The layer in which NaN or infinity began is found by going through the training again. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NotANumberError } from '../../src/errors.js';
import { BatchNormalization, Conv2D, Dense, Dropout, Flatten, Sequential, sgd, type Device } from '../../src/index.js';
import { whereItBroke } from '../../src/nn/where-it-broke.js';
import { halvesFlow, SIZE } from '../support/halves.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
beforeAll(async () => {
  device = await openTestDevice('cpu');
});
afterAll(() => device.destroy());

const network = (): Sequential =>
  new Sequential([
    new Conv2D(2, 3, { name: 'eye', inputShape: [SIZE, SIZE, 3], activation: 'relu' }),
    new BatchNormalization({ name: 'middle' }),
    new Flatten(),
    new Dropout(0.2),
    new Dense(4, { name: 'wide' }),
    new Dense(1, { name: 'verdict', activation: 'sigmoid' }),
  ]);

/** Weights that overflow in one layer's sums, from the second epoch's second step on. */
async function poison(layer: string, size: number) {
  const model = network().compile({ device, optimizer: sgd({ learningRate: 1e-9 }) });
  const before = await model.trainingState();
  const broken = { ...before.arrays };
  const name = `weights.${layer}.kernel`;
  broken[name] = { shape: broken[name].shape, data: broken[name].data.map(() => size) };
  return { model, before: { ...before, arrays: broken } };
}

test.each(['wide', 'verdict'])('values of layer %s', async (layer) => {
  const batches = halvesFlow();
  const { model, before } = await poison(layer, 3e38);
  model.restoreTrainingState(before);
  const error = await model.fit(batches, { epochs: 2 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotANumberError);
  const { at } = error as NotANumberError;
  if (at === null) throw new Error('the error does not say where');
  expect(await whereItBroke({ model, device, batches, fit: {}, before, at })).toEqual({ layer, what: 'values' });
  model.destroy();
});

test('weights that a step made so, later in the training, and the same from a state in its midst', async () => {
  const batches = halvesFlow();
  // A rate that is harmless for four steps and then is not.
  const rates = {
    name: 'cliff',
    config: {},
    initial: {},
    at: (step: number) => (step < 5 ? 1e-3 : 1e38),
    observe: () => ({}),
  };
  const model = network().compile({ device, optimizer: sgd({ learningRate: rates }) });
  const start = await model.trainingState();
  const error = await model.fit(batches, { epochs: 3 }).catch((thrown: unknown) => thrown);
  const at = (error as NotANumberError).at;
  expect(at).toEqual({ epoch: 2, step: 3 }); // the sixth step meets what the fifth made
  if (at === null) return;
  const broken = await whereItBroke({ model, device, batches, fit: {}, before: start, at });
  model.restoreTrainingState(start);
  await model.fit(batches, { epochs: 1 });
  const before = await model.trainingState();
  expect(await whereItBroke({ model, device, batches, fit: {}, before, at })).toEqual(broken);
  expect(broken).toEqual({ layer: expect.any(String), what: expect.stringMatching(/weights|values/) });
  model.destroy();
});

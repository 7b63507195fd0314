/**
 * Steps that take long on this thread have turns of the event loop in their midst: nothing is different for it, and what is
 * stopped there has never been. Here the clock runs so fast that there is a turn before each kernel.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DataFlow } from '../../src/data/batches.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Dropout, Flatten } from '../../src/nn/layers/core.js';
import { BatchNormalization } from '../../src/nn/layers/normalization.js';
import { Sequential } from '../../src/nn/sequential.js';
import type { TrainingState } from '../../src/nn/training/state.js';
import { adam } from '../../src/optim/adam.js';
import type { Device } from '../../src/tensor/device.js';
import { zeros, type Tensor } from '../../src/tensor/tensor.js';
import { halves, SIZE } from '../support/halves.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
beforeAll(async () => {
  device = await openTestDevice('cpu');
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
});
afterAll(() => {
  vi.restoreAllMocks();
  device.destroy();
});

const network = (): Sequential =>
  new Sequential([
    new Conv2D(4, 3, { inputShape: [SIZE, SIZE, 3], activation: 'relu' }),
    new BatchNormalization(),
    new Conv2D(4, 3, { activation: 'relu' }),
    new Flatten(),
    new Dropout(0.3),
    new Dense(1, { activation: 'sigmoid' }),
  ]).compile({ device, optimizer: adam({ learningRate: 0.01 }) });

const flow = (): DataFlow => new DataFlow(halves(64), { batchSize: 32, rescale: 1 / 255 });
const options = { epochs: 1, stepsPerEpoch: 3, accumulate: 2 };

/** Calls `look` at each turn of the event loop from the first step on, until the test ends. */
function atEachTurn(look: () => void): void {
  const timer = setInterval(look, 1);
  onTestFinished(() => clearInterval(timer));
}

describe('a training', () => {
  let whole: TrainingState;
  beforeAll(async () => {
    const model = network();
    await model.fit(flow(), options);
    whole = await model.trainingState();
  });

  test.each([
    [0, 1],
    [0, 12],
    [1, 12],
  ])(
    'that is stopped in the midst of a step (%i told, turn %i) goes on as if it had not been',
    async (before, turn) => {
      const model = network();
      const controller = new AbortController();
      const told: number[] = [];
      let turns = 0;
      const history = model.fit(flow(), {
        ...options,
        signal: controller.signal,
        callbacks: [
          (event) => {
            if (event.type === 'step') told.push(event.step);
            if (event.type !== 'end' && told.length === before)
              atEachTurn(() => void (++turns === turn && controller.abort()));
          },
        ],
      });
      expect((await history).interrupted).toBe(true);
      expect(turns).toBeGreaterThanOrEqual(turn);
      expect(told.length).toBeLessThan(3);
      await model.fit(flow(), options);
      expect(await model.trainingState()).toEqual(whole);
    },
  );

  test('can be looked at, and predictions be made, at any turn', async () => {
    const model = network();
    const x = Float32Array.from({ length: 2 * SIZE * SIZE * 3 }, (_, i) => (i % 7) / 7);
    const twice = (): Promise<unknown> => Promise.all([model.trainingState(), model.predictOnBatch(x)]);
    const seen: Promise<unknown>[] = [];
    await model.fit(flow(), {
      ...options,
      callbacks: [
        (event) => (event.type === 'start' ? atEachTurn(() => seen.length < 6 && seen.push(twice())) : undefined),
      ],
    });
    expect(seen.length).toBe(6);
    for (const each of seen) {
      const [state, predicted] = (await each) as [TrainingState, Float32Array];
      const other = network();
      other.restoreTrainingState(state);
      const { step } = state.position;
      if (step === 3) continue;
      expect(predicted).toEqual(await other.predictOnBatch(x));
      await other.fit(flow(), options);
      expect(await other.trainingState()).toEqual(whole);
    }
    expect(await model.trainingState()).toEqual(whole);
  });
});

test('several callers get what each asked for', async () => {
  const model = network();
  const x = (seed: number): Float32Array =>
    Float32Array.from({ length: 32 * SIZE * SIZE * 3 }, (_, i) => ((i * seed) % 11) / 11);
  const alone: Float32Array[] = [];
  for (const seed of [1, 2, 3]) alone.push(await network().predictOnBatch(x(seed)));
  expect(await Promise.all([1, 2, 3].map((seed) => model.predictOnBatch(x(seed))))).toEqual(alone);
  const labels = Array.from({ length: 32 }, (_, i) => i % 2);
  const one = network();
  const [first, second] = [await one.trainOnBatch(x(1), labels), await one.trainOnBatch(x(2), labels)];
  const other = network();
  expect(await Promise.all([1, 2].map((seed) => other.trainOnBatch(x(seed), labels)))).toEqual([first, second]);
  expect(await other.getWeights()).toEqual(await one.getWeights());
});

test('a model that is destroyed in the midst of a step writes to its memory no more', async () => {
  const model = network();
  const owners: Tensor[] = [];
  const fitting = model.fit(flow(), {
    ...options,
    callbacks: [
      ({ type }) => {
        if (type !== 'start') return;
        atEachTurn(() => {
          if (owners.length > 0) return;
          model.destroy();
          // Of the sizes of its layers' values.
          for (let i = 0; i < 8; i++) owners.push(zeros(device, [32, 10, 10, 4]), zeros(device, [32, 8, 8, 4]));
        });
      },
    ],
  });
  await Promise.allSettled([fitting]);
  expect(owners).toHaveLength(16);
  for (const owner of owners) expect((await owner.read()).every((value) => value === 0)).toBe(true);
});

/** What a training tells, how it is stopped, what it refuses. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataFlow } from '../../src/data/batches.js';
import { NotANumberError, UsageError } from '../../src/errors.js';
import {
  adam,
  BatchNormalization,
  Dense,
  earlyStopping,
  exponentialDecay,
  Flatten,
  keepBest,
  Sequential,
  sgd,
  type EpochLog,
  type TrainedModel,
  type TrainingCallback,
  type TrainingEvent,
} from '../../src/index.js';
import { csvLog } from '../../src/nn/training/callbacks.node.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import type { Device } from '../../src/tensor/device.js';
import { halves, halvesFlow, SIZE, smallNetwork } from '../support/halves.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
let folder: string;
beforeAll(async () => {
  device = await openTestDevice('cpu');
  folder = await mkdtemp(join(tmpdir(), 'beltnet-callbacks-'));
});
afterAll(async () => {
  device.destroy();
  await rm(folder, { recursive: true });
});

describe('events', () => {
  test('come in their order, each waited for, with the learning rate', async () => {
    const seen: string[] = [];
    const rates: number[] = [];
    const learningRate = exponentialDecay({ initialLearningRate: 0.1, decaySteps: 1, decayRate: 0.5 });
    const model = smallNetwork().compile({ device, optimizer: sgd({ learningRate }) });
    let running = 0;
    const history = await model.fit(halvesFlow(), {
      epochs: 2,
      callbacks: [
        async (event) => {
          expect(running++).toBe(0);
          await new Promise((resolve) => setTimeout(resolve, 2));
          seen.push('epoch' in event ? `${event.type} ${event.epoch}` : event.type);
          if (event.type === 'epoch') rates.push(event.learningRate);
          running--;
        },
      ],
    });
    const steps = (epoch: number): string[] => [1, 2, 3].map(() => `step ${epoch}`);
    expect(seen).toEqual(['start', ...steps(1), 'epoch 1', ...steps(2), 'epoch 2', 'end']);
    expect(rates).toEqual([0.025, 0.1 * 0.5 ** 5]); // of the epochs' last steps
    expect(history).toMatchObject({ interrupted: false, stopped: false });
    model.destroy();
  });

  test('one return value stops, and the epoch that was told is kept', async () => {
    const model = smallNetwork().compile({ device });
    const stop: TrainingCallback = ({ type }) => (type === 'epoch' ? 'stop' : undefined);
    const history = await model.fit(halvesFlow(), { epochs: 5, callbacks: [stop] });
    expect(history).toMatchObject({ interrupted: false, stopped: true });
    expect(history.epochs).toHaveLength(1);
    model.destroy();
  });

  test('an error of a callback ends the training with it', async () => {
    const model = smallNetwork().compile({ device });
    const callbacks = [
      () => {
        throw new Error('the disk is gone');
      },
    ];
    await expect(model.fit(halvesFlow(), { callbacks })).rejects.toThrow('the disk is gone');
    await model.fit(halvesFlow()); // and the model is free again
    model.destroy();
  });
});

/** Tells a callback epochs of these validation losses; gives the epoch at which it stops, and what the model's weights are then. */
async function told(
  callback: TrainingCallback,
  losses: readonly number[],
): Promise<{ stop: number; weights: unknown }> {
  let weights: unknown = 'the last';
  let epoch = 0;
  const model = {
    getWeights: () => Promise.resolve({ epoch }),
    setWeights: (given: unknown) => (weights = given),
  } as unknown as TrainedModel;
  const tell = (event: object): ReturnType<TrainingCallback> =>
    callback({ model, learningRate: 1, ...event } as unknown as TrainingEvent);
  let stop = 0;
  for (const valLoss of losses) {
    const log: EpochLog = { epoch: ++epoch, seconds: 1, loss: 0, accuracy: 0, valLoss, valAccuracy: 1 - valLoss };
    if ((await tell({ type: 'epoch', ...log })) === 'stop') {
      stop = epoch;
      break;
    }
  }
  await tell({ type: 'end', epochs: [], interrupted: false, stopped: stop > 0 });
  return { stop, weights };
}

describe('earlyStopping and keepBest', () => {
  const losses = [0.9, 0.5, 0.6, 0.49, 0.48, 0.7, 0.8, 0.9];

  // Epochs as tf.keras.callbacks.EarlyStopping of Keras 3 stops at, counted from 1.
  test.each([
    [{}, 3],
    [{ patience: 1 }, 3],
    [{ patience: 2 }, 7],
    [{ patience: 2, minDelta: 0.05 }, 4],
    [{ patience: 3 }, 8],
    [{ patience: 4 }, 0],
    [{ startFromEpoch: 3 }, 6],
    [{ monitor: 'valAccuracy', patience: 2 }, 7],
  ] as const)('%o stops at epoch %i', async (options, epoch) => {
    expect((await told(earlyStopping(options), losses)).stop).toBe(epoch);
  });

  test('the best weights come back when asked for', async () => {
    expect((await told(earlyStopping({ patience: 2 }), losses)).weights).toBe('the last');
    expect((await told(earlyStopping({ patience: 2, restoreBestWeights: true }), losses)).weights).toEqual({
      epoch: 5,
    });
    expect((await told(keepBest(), losses)).weights).toEqual({ epoch: 5 });
    expect((await told(keepBest({ monitor: 'valAccuracy' }), losses)).weights).toEqual({ epoch: 5 });
  });

  test('in a training: the model is that of the best epoch', async () => {
    const model = smallNetwork().compile({ device, optimizer: adam({ learningRate: 0.05 }) });
    const validationData = new DataFlow(halves(20, 5), { batchSize: 8, rescale: 1 / 255 });
    const { epochs } = await model.fit(halvesFlow(), { epochs: 6, validationData, callbacks: [keepBest()] });
    const best = Math.min(...epochs.map(({ valLoss }) => valLoss ?? Infinity));
    expect((await model.evaluate(validationData)).loss).toBeCloseTo(best, 6);
    model.destroy();
  });

  test('refuse what cannot be meant', async () => {
    expect(() => earlyStopping({ monitor: 'auc' as never })).toThrow(
      "earlyStopping: monitor expects one of loss, accuracy, valLoss, valAccuracy, got 'auc'",
    );
    expect(() => earlyStopping({ patience: -1 })).toThrow('patience expects a number of at least 0, got -1');
    const model = smallNetwork().compile({ device });
    await expect(model.fit(halvesFlow(), { callbacks: [keepBest()] })).rejects.toThrow(
      'keepBest: watches valLoss, which needs validationData in fit(); got none',
    );
    model.destroy();
  });
});

test('csvLog writes a line for each epoch, and over nothing', async () => {
  const path = join(folder, 'log.csv');
  const model = smallNetwork().compile({ device });
  const { epochs } = await model.fit(halvesFlow(), { epochs: 2, callbacks: [csvLog(path)] });
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines[0]).toBe('epoch,seconds,learningRate,loss,accuracy,valLoss,valAccuracy');
  expect(lines[2]).toBe(`2,${epochs[1].seconds},0.001,${epochs[1].loss},${epochs[1].accuracy},,`);
  await expect(model.fit(halvesFlow(), { callbacks: [csvLog(path)] })).rejects.toThrow(
    'is there already; give another name',
  );
  await model.fit(halvesFlow(), { callbacks: [csvLog(path, { append: true })] });
  expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(4);
  model.destroy();
});

describe.each(['cpu', 'webgpu'] as const)('a broken training on %s', (kind) => {
  let own: Device;
  beforeAll(async () => {
    own = await openTestDevice(kind);
  });
  afterAll(() => own.destroy());

  test('is told before its epoch is called good', async () => {
    const model = smallNetwork().compile({ device: own, optimizer: adam({ learningRate: 1e308 }) });
    const epochs: EpochLog[] = [];
    const training = model.fit(halvesFlow(), { stepsPerEpoch: 1, onEpoch: (log) => void epochs.push(log) });
    await expect(training).rejects.toThrow(/parameters became NaN or infinite in epoch 1, step 1; try a smaller/);
    expect(epochs).toEqual([]);
    model.destroy();
  });

  test('also by its running statistics, and when it is stopped in the midst of an epoch', async () => {
    const broken = (): Sequential =>
      new Sequential([
        new BatchNormalization({ inputShape: [SIZE, SIZE, 3] }),
        new Flatten(),
        new Dense(1, { activation: 'sigmoid' }),
      ]).compile({ device: own });
    // The variance is infinite, what is divided by it 0: a loss of ln 2.
    const bright = new DataFlow(halves(24), { batchSize: 8, rescale: 1e30 });
    await expect(broken().fit(bright)).rejects.toThrow("3 of the model's parameters became NaN or infinite in epoch 1");
    const stop: TrainingCallback = ({ type }) => (type === 'step' ? 'stop' : undefined);
    await expect(broken().fit(bright, { stepsPerEpoch: 500, callbacks: [stop] })).rejects.toThrow(NotANumberError);
  });

  test('shows in the validation, and in single batches', async () => {
    const model = smallNetwork().compile({ device: own });
    const validationData = new DataFlow(halves(8), { batchSize: 8, rescale: 1e38 });
    await expect(model.evaluate(validationData)).rejects.toThrow(NotANumberError);
    await expect(model.fit(halvesFlow(), { validationData })).rejects.toThrow(
      /the validation loss became .* in epoch 1/,
    );
    // Batches and weights must be finite; what becomes of these is not.
    const weights = Object.entries(await model.getWeights());
    model.setWeights(
      Object.fromEntries(weights.map(([name, { shape, data }]) => [name, { shape, data: data.map(() => 1e38) }])),
    );
    const x = new Float32Array(2 * SIZE * SIZE * 3).fill(1);
    await expect(model.trainOnBatch(x, [0, 1])).rejects.toThrow(/the loss became .* in trainOnBatch/);
    await expect(model.testOnBatch(x, [0, 1])).rejects.toThrow(NotANumberError);
    model.destroy();
  });

  test('several batches for one update: the gradient of all as one', async () => {
    const gradients = async (batchSize: number, accumulate: number, count = 24) => {
      const model = smallNetwork().compile({ device: own });
      const { epochs } = await model.fit(halvesFlow(count, batchSize), { accumulate });
      const state = await model.trainingState();
      const result = { gradients: await model.getGradients(), updates: state.position.updates, loss: epochs[0].loss };
      model.destroy();
      return result;
    };
    for (const [count, batchSize, accumulate] of [
      [24, 6, 4],
      [22, 6, 4], // the last batch is smaller
    ] as const) {
      const whole = await gradients(count, 1, count);
      const parts = await gradients(batchSize, accumulate, count);
      expect([whole.updates, parts.updates]).toEqual([1, 1]);
      expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(1e-6);
      // The bias' gradient is what differences leave: their size, that of the others, is what rounds.
      const largest = Object.values(whole.gradients)
        .flatMap(({ data }) => [...data])
        .reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [name, { data }] of Object.entries(whole.gradients)) {
        data.forEach((value, i) =>
          expect(Math.abs(value - parts.gradients[name].data[i])).toBeLessThanOrEqual(1e-6 * largest),
        );
      }
    }
    // Seven batches of four: an update after four, and one of the three that the epoch ends with.
    expect((await gradients(4, 4, 28)).updates).toBe(2);
  });
});

describe('one model, several callers', () => {
  test('trainings and evaluations at once are refused, predictions are right', async () => {
    const model = smallNetwork().compile({ device });
    const data = halvesFlow();
    const inputs = halves(8, 9);
    const x = Float32Array.from(inputs.pictures as Uint8Array, (value) => value / 255);
    const alone = await model.predictOnBatch(x);
    const sets = [halvesFlow(10, 4), halvesFlow(24, 8), halvesFlow(9, 2)];
    const expected = [];
    for (const set of sets) expected.push(await model.predict(set));
    // Of one size and of several, in one go.
    const others = await Promise.all([
      ...sets.map((set) => model.predict(set)),
      ...sets.map((set) => model.predict(set)),
      model.predictOnBatch(x),
      model.predictOnBatch(new Float32Array(x.length)),
      model.predictOnBatch(x),
    ]);
    expect(others.slice(0, 6)).toEqual([...expected, ...expected]);
    expect([others[6], others[8]]).toEqual([alone, alone]);

    const evaluated = await model.evaluate(data);
    const first = model.evaluate(data);
    await expect(model.evaluate(data)).rejects.toThrow(
      "evaluate: expects a model that is not busy, got one in evaluate(); await that first, call it at an 'epoch' event, or use a second model",
    );
    expect(await first).toEqual(evaluated);

    const inside: string[] = [];
    const refused = (attempt: () => unknown): Promise<void> =>
      (async () => attempt())().then(
        () => void inside.push('allowed'),
        (error: unknown) => void inside.push(error instanceof UsageError ? 'refused' : String(error)),
      );
    let late: Promise<unknown> | undefined;
    const alike = smallNetwork().compile({ device });
    const { epochs } = await alike.fit(data, { epochs: 2 });
    const together = await model.fit(data, {
      epochs: 2,
      async onEpoch() {
        await refused(() => model.evaluate(data));
        late ??= model.evaluate(data); // which the training waits for
      },
      callbacks: [
        async (event) => {
          if (event.type !== 'step' || event.epoch > 1 || event.step > 1) return;
          await refused(() => model.evaluate(data));
          await refused(() => model.fit(data));
          await refused(() => model.trainOnBatch(x, inputs.labels));
          await refused(() => model.testOnBatch(x, inputs.labels));
          await refused(() => model.compile({ device }));
          await refused(async () => model.restoreTrainingState(await model.trainingState()));
          await refused(() => model.predict(sets[0]));
        },
      ],
    });
    await late;
    expect(inside).toEqual([...Array.from({ length: 6 }, () => 'refused'), 'allowed', 'allowed', 'allowed']);
    const figures = (logs: typeof epochs): number[][] => logs.map(({ loss, accuracy }) => [loss, accuracy]);
    expect(figures(together.epochs)).toEqual(figures(epochs));
    expect(await model.getWeights()).toEqual(await alike.getWeights());
    model.destroy();
    alike.destroy();
  });

  test('single batches that are not waited for keep their own figures', async () => {
    const reference = new ReferenceDevice();
    for (const each of [device, reference]) {
      const model = smallNetwork().compile({ device: each });
      const { pictures, labels } = halves(4, 2);
      const x = Float32Array.from(pictures as Uint8Array, (value) => value / 255);
      const alone = [await model.testOnBatch(x, labels), await model.testOnBatch(x, [...labels].toReversed())];
      expect(await Promise.all([model.testOnBatch(x, labels), model.testOnBatch(x, [...labels].toReversed())])).toEqual(
        alone,
      );
    }
  });
});

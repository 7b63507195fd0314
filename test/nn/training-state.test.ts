/** A training that pauses, in another model, at any point of it, ends with the same bits as one that does not. */
import { describe, expect, test } from 'vitest';
import { DataFlow } from '../../src/data/batches.js';
import type { Dataset } from '../../src/data/dataset.js';
import {
  adam,
  adamW,
  BatchNormalization,
  Conv2D,
  cosineDecay,
  Dense,
  Dropout,
  Flatten,
  MaxPooling2D,
  reduceOnPlateau,
  rmsprop,
  Sequential,
  sgd,
  type Batches,
  type FitOptions,
  type Optimizer,
  type TrainingState,
} from '../../src/index.js';
import { CpuDevice } from '../../src/tensor/cpu/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestDevice } from '../support/open-devices.js';
import { halves, SIZE } from '../support/halves.js';

/** All that has a state: statistics, masks, augmentation. */
const network = (seed = 7): Sequential =>
  new Sequential(
    [
      new Conv2D(4, 3, { inputShape: [SIZE, SIZE, 3], activation: 'relu', kernelRegularizer: { l2: 1e-3 } }),
      new BatchNormalization({ momentum: 0.7 }),
      new MaxPooling2D(),
      new Flatten(),
      new Dropout(0.3),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );
const flow = (set: Dataset = halves(44)): DataFlow =>
  new DataFlow(set, {
    batchSize: 8,
    seed: 3,
    rescale: 1 / 255,
    augmentation: { shearRange: 10, zoomRange: 0.2, horizontalFlip: true },
  }); // batches of 8, 8, 8, 8, 8 and 4

/** As a file would bring it back. */
const copied = ({ position, arrays }: TrainingState): TrainingState => ({
  position: JSON.parse(JSON.stringify(position)),
  arrays: structuredClone(arrays),
});

interface Case {
  readonly optimizer?: () => Optimizer;
  readonly data?: () => Batches;
  readonly options?: FitOptions;
  readonly memoryBudget?: number;
}

const stored = (): Dataset => {
  const set = halves(1300); // 562 kB
  const pictures = set.pictures as Uint8Array;
  const length = pictures.length / 1300;
  return {
    ...set,
    pictures: {
      count: 1300,
      forwardOnly: false,
      async read(indices, target) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        for (const [at, index] of indices.entries())
          target.set(pictures.subarray(index * length, (index + 1) * length), at * length);
      },
    },
  };
};

const cases: Record<string, Case> = {
  adam: {},
  'adamW along a cosine': {
    optimizer: () => adamW({ learningRate: cosineDecay({ initialLearningRate: 0.01, decaySteps: 20 }) }),
  },
  'rmsprop with momentum': { optimizer: () => rmsprop({ learningRate: 0.001, momentum: 0.5 }) },
  'sgd on a plateau of the validation': {
    optimizer: () =>
      sgd({ momentum: 0.9, learningRate: reduceOnPlateau({ learningRate: 0.02, patience: 1, minDelta: 0.5 }) }),
    options: { validationData: flow(halves(20, 1)), validationSteps: 2 },
  },
  // The mean of the epoch that was begun decides: it must go with the state.
  'adam on a plateau of the training': {
    optimizer: () => adam({ learningRate: reduceOnPlateau({ learningRate: 0.01, patience: 1, minDelta: 0.02 }) }),
  },
  accumulated: { options: { accumulate: 4 } },
  'streamed from a store': { data: () => flow(stored()), memoryBudget: 2 ** 20 },
};

describe.each(['cpu', 'webgpu'] as const)('on %s', (kind) => {
  const names = kind === 'cpu' ? Object.keys(cases) : ['accumulated'];

  test.each(names)('%s: paused after an epoch, and in the midst of one', async (name) => {
    const { optimizer = () => adam({ learningRate: 0.01 }), data = flow, memoryBudget, ...rest } = cases[name];
    // More steps than are queued before the figures of the second are told; they go past the end of the set.
    const options: FitOptions = { stepsPerEpoch: kind === 'cpu' ? 40 : 12, ...rest.options };
    const open = (): Promise<Device> =>
      memoryBudget === undefined ? openTestDevice(kind) : CpuDevice.open({ memoryBudget });
    const device = await open();
    const make = () => network().compile({ device, optimizer: optimizer() });

    const whole = make();
    const { epochs: expectedLogs } = await whole.fit(data(), { ...options, epochs: 4 });
    const expected = await whole.trainingState();
    const logs = (epochs: typeof expectedLogs) => epochs.map((log) => ({ ...log, seconds: 0 }));
    expect(expected.position.epoch).toBe(4);
    whole.destroy();

    // 2 + 2 in one model.
    const twice = make();
    const before = await twice.fit(data(), { ...options, epochs: 2 });
    const after = await twice.fit(data(), { ...options, epochs: 2 });
    expect(await twice.trainingState()).toEqual(expected);
    expect(logs([...before.epochs, ...after.epochs])).toEqual(logs(expectedLogs));
    twice.destroy();

    // Stopped in the midst of an epoch, and gone on with in another model, whose seed is another.
    const stopped = make();
    const { epochs: begun, stopped: isStopped } = await stopped.fit(data(), {
      ...options,
      epochs: 4,
      callbacks: [(event) => (event.type === 'step' && event.epoch === 2 && event.step === 2 ? 'stop' : undefined)],
    });
    expect(isStopped).toBe(true);
    const state = copied(await stopped.trainingState());
    // On a slow device fewer steps are queued at a time.
    expect(kind === 'webgpu' || (state.position.epoch === 1 && state.position.step > 1)).toBe(true);
    const resumed = network(1).compile({ device, optimizer: optimizer() });
    resumed.restoreTrainingState(state);
    const { epochs: others } = await resumed.fit(data(), { ...options, epochs: 4, initialEpoch: state.position.epoch });
    expect(await resumed.trainingState()).toEqual(expected);
    expect(logs([...begun, ...others])).toEqual(logs(expectedLogs));
    stopped.destroy();
    resumed.destroy();

    // Taken while the training runs on.
    const taken: TrainingState[] = [];
    const running = make();
    await running.fit(data(), {
      ...options,
      epochs: 2,
      callbacks: [
        async ({ type, model }) => {
          if (type === 'step') taken.push(await model.trainingState());
        },
      ],
    });
    const sample = taken[Math.floor(taken.length / 4)];
    running.destroy();
    const later = make();
    later.restoreTrainingState(copied(sample));
    await later.fit(data(), { ...options, epochs: 4, initialEpoch: sample.position.epoch });
    expect(await later.trainingState()).toEqual(expected);
    device.destroy();
  });
});

describe('a state', () => {
  test('knows seed, counters, slots and schedule by name', async () => {
    const device = await openTestDevice('cpu');
    const model = network().compile({
      device,
      optimizer: adam({ learningRate: reduceOnPlateau({ learningRate: 0.01 }) }),
    });
    await model.fit(flow(), { epochs: 1 });
    const { position, arrays } = await model.trainingState();
    expect(position).toEqual({
      seed: 7,
      updates: 6,
      draws: 6,
      epoch: 1,
      step: 0,
      sums: { loss: 0, correct: 0, samples: 0 },
      gathered: 0,
      optimizer: {
        name: 'adam',
        schedule: 'reduceOnPlateau',
        state: { rate: 0.01, waited: 0, cooling: 0, best: expect.any(Number) },
      },
    });
    const weights = await model.getWeights();
    expect(arrays['weights.batch_normalization.moving_mean']).toEqual(weights['batch_normalization.moving_mean']);
    expect(Object.keys(arrays).filter((name) => name.endsWith('conv2d.kernel'))).toEqual([
      'weights.conv2d.kernel',
      'optimizer.0.conv2d.kernel',
      'optimizer.1.conv2d.kernel',
    ]);
    expect(arrays['optimizer.1.conv2d.kernel'].data.some((value) => value > 0)).toBe(true);
    device.destroy();
  });

  test('of another optimizer or network is refused, and changes nothing', async () => {
    const device = await openTestDevice('cpu');
    const model = network().compile({ device, optimizer: sgd({ momentum: 0.5 }) });
    await model.fit(flow(), { epochs: 1 });
    const before = await model.trainingState();
    const foreign = await network().compile({ device, optimizer: 'adam' }).trainingState();
    expect(() => model.restoreTrainingState(foreign)).toThrow(
      "restoreTrainingState: expects a training by sgd with the learning rate 'constant', got one by adam with 'constant'; compile() with that",
    );
    const arrays = { ...before.arrays, 'optimizer.0.conv2d.kernel': before.arrays['weights.conv2d.bias'] };
    expect(() => model.restoreTrainingState({ ...before, arrays })).toThrow('conv2d.kernel expects [3,3,3,4], got [4]');
    const { 'optimizer.0.dense.bias': _, ...missing } = before.arrays;
    expect(() => model.restoreTrainingState({ ...before, arrays: missing })).toThrow('dense.bias [1] is missing');
    expect(await model.trainingState()).toEqual(before);
    device.destroy();
  });

  test('of a broken training is not given out', async () => {
    const device = await openTestDevice('cpu');
    const model = network().compile({ device, optimizer: sgd({ learningRate: 1e308 }) });
    await model.trainOnBatch(new Float32Array(SIZE * SIZE * 3).fill(1), [1]);
    await expect(model.trainingState()).rejects.toThrow(
      /trainingState: weight 'weights\.\S+' \S+ expects finite numbers, got /,
    );
    device.destroy();
  });

  test('an epoch that was begun with more steps than there are now is not guessed at', async () => {
    const device = await openTestDevice('cpu');
    const model = network().compile({ device });
    await model.fit(flow(), {
      stepsPerEpoch: 50,
      callbacks: [(event) => (event.type === 'step' && event.step === 8 ? 'stop' : undefined)],
    });
    await expect(model.fit(flow(), { stepsPerEpoch: 4 })).rejects.toThrow(
      'to go on with the next one give initialEpoch: 1',
    );
    expect((await model.fit(flow(), { stepsPerEpoch: 4, epochs: 2, initialEpoch: 1 })).epochs).toHaveLength(1);
    await expect(model.fit(flow(), { initialEpoch: -1 })).rejects.toThrow(
      'initialEpoch expects an integer of at least 0',
    );
    device.destroy();
  });
});

/** Training as a whole: memory, submits, determinism, agreement of the devices, and the loop's bookkeeping. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataFlow } from '../../src/data/batches.js';
import type { Dataset } from '../../src/data/dataset.js';
import { NotANumberError } from '../../src/errors.js';
import type { EpochLog, History } from '../../src/nn/training/events.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import { Sequential } from '../../src/nn/sequential.js';
import { adam } from '../../src/optim/adam.js';
import { CpuDevice } from '../../src/tensor/cpu/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { halves, SIZE } from '../support/halves.js';
import { openTestDevice } from '../support/open-devices.js';

const network = (seed = 0): Sequential =>
  new Sequential(
    [
      new Conv2D(4, 3, { inputShape: [SIZE, SIZE, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(4, 3, { activation: 'relu' }),
      new Flatten(),
      new Dense(8, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );

const flow = (count = 40, batchSize = 16, seed = 0): DataFlow =>
  new DataFlow(halves(count), { batchSize, seed, rescale: 1 / 255, augmentation: { shearRange: 10, zoomRange: 0.2 } });

describe.each(['webgpu', 'cpu'] as const)('training on %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice(kind);
  });
  afterAll(() => device.destroy());

  test('learns, and says what happened', async () => {
    const logs: EpochLog[] = [];
    const model = network().compile({ device, optimizer: adam({ learningRate: 0.01 }) });
    const history = await model.fit(flow(), {
      epochs: 12,
      validationData: flow(20, 8, 1),
      onEpoch: (log) => void logs.push(log),
    });
    expect(history.epochs).toEqual(logs);
    expect(logs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(logs[11].accuracy).toBeGreaterThan(0.95);
    expect(logs[11].valAccuracy).toBeGreaterThan(0.95);
    expect(logs[11].loss).toBeLessThan(logs[0].loss);
    model.destroy();
  });

  test('the scores of the validation are those that predict gives, and figures are the same without', async () => {
    const model = network().compile({ device });
    const validationData = new DataFlow(halves(20), { batchSize: 8, rescale: 1 / 255 });
    const scores = new Float32Array(20);
    const said: Float32Array[] = [];
    const heard = await model.fit(flow(), {
      epochs: 2,
      validationData,
      onValidationScores: (indices, values) => indices.forEach((sample, n) => (scores[sample] = values[n])),
      callbacks: [(event) => void (event.type === 'epoch' && said.push(scores.slice()))],
    });
    expect(said).toHaveLength(2);
    expect(said[0]).not.toEqual(said[1]);
    expect(said[1]).toEqual(await model.predict(validationData));
    const other = network().compile({ device });
    const figures = ({ epochs }: History) => epochs.map((log) => ({ ...log, seconds: 0 }));
    expect(figures(await other.fit(flow(), { epochs: 2, validationData }))).toEqual(figures(heard));
    for (const each of [model, other]) each.destroy();
  });

  test('same seed, same device: bit-equal weights; another seed: others', async () => {
    const train = async (seed: number) => {
      const model = network(seed).compile({ device });
      await model.fit(flow(40, 16, seed), { epochs: 2 });
      const weights = await model.getWeights();
      model.destroy();
      return Object.values(weights).flatMap(({ data }) => [...new Uint32Array(data.buffer)]);
    };
    const [first, second, other] = [await train(3), await train(3), await train(4)];
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test('a step allocates nothing after the first of each batch size, and is one submit', async () => {
    const model = network().compile({ device });
    const data = flow(40, 16); // batches of 16, 16 and 8
    await model.fit(data, { epochs: 1 });
    const { submits } = device.statistics;
    const created: number[] = [];
    const note = ({ step }: { step: number }) => (created[step] = device.statistics.buffersCreated);
    await model.fit(data, { epochs: 1, stepsPerEpoch: 60, onProgress: note });
    expect(device.statistics.submits - submits).toBe(60);
    // The first two passes (six steps) see both batch sizes twice; nothing is made after them.
    expect(created[60]).toBe(created[6]);
    model.destroy();
  });

  test('training ends with NotANumberError when the loss does', async () => {
    const model = network().compile({ device, optimizer: adam({ learningRate: 1e30 }) });
    await expect(model.fit(flow(), { epochs: 5 })).rejects.toThrow(NotANumberError);
    model.destroy();
  });

  test('evaluate and predict agree with each other', async () => {
    const model = network().compile({ device });
    const data = new DataFlow(halves(21), { batchSize: 8, rescale: 1 / 255 }); // shuffled: predictions come in the set's order
    await model.fit(data, { epochs: 3 });
    const { accuracy, loss } = await model.evaluate(data);
    const probabilities = await model.predict(data);
    const correct = [...probabilities].filter((p, i) => p > 0.5 === (data.labels?.[i] === 1)).length;
    expect(correct / 21).toBeCloseTo(accuracy, 12);
    const mean =
      [...probabilities].reduce((total, p, i) => total - Math.log(data.labels?.[i] === 1 ? p : 1 - p), 0) / 21;
    // The loss is computed from logits, this one from rounded probabilities: a few roundings of 2^-24 times 1/p.
    expect(Math.abs(mean - loss)).toBeLessThan(1e-5);
    model.destroy();
  });

  test('compiling again keeps the weights and starts the optimizer anew', async () => {
    const model = network().compile({ device });
    await model.fit(flow(), { epochs: 1 });
    const trained = await model.getWeights();
    model.compile({ device, optimizer: adam({ learningRate: 0.5 }) });
    expect(await model.getWeights()).toEqual(trained);
    await model.fit(flow(), { epochs: 1, stepsPerEpoch: 1 });
    // The first step of Adam moves every weight that has a gradient by the learning rate.
    const { data } = (await model.getWeights())['dense_1.bias'];
    expect(Math.abs(data[0] - trained['dense_1.bias'].data[0])).toBeCloseTo(0.5, 3);
    const other = await openTestDevice(kind);
    expect(() => model.compile({ device: other })).toThrow(
      'to move it, take getWeights(), destroy() the model, and setWeights() before compile()',
    );
    model.destroy();
    model.setWeights(trained);
    expect(await model.compile({ device: other }).getWeights()).toEqual(trained);
    other.destroy();
  });

  test('a signal stops it after the current step', async () => {
    const model = network().compile({ device });
    const stop = new AbortController();
    const history = await model.fit(flow(), {
      ...{ epochs: 100, stepsPerEpoch: 10, signal: stop.signal },
      onProgress: ({ epoch }) => {
        if (epoch === 2) stop.abort();
      },
    });
    expect(history.interrupted).toBe(true);
    expect(history.epochs).toHaveLength(1);
    model.destroy();
  });
});

describe('the same weights on both devices', () => {
  test('predict the same, within float32 rounding of a short network', async () => {
    const devices = [await openTestDevice('webgpu'), await openTestDevice('cpu')];
    const trained = network().compile({ device: devices[1] });
    await trained.fit(flow(), { epochs: 3 });
    const weights = await trained.getWeights();
    const data = new DataFlow(halves(30, 5), { batchSize: 16, shuffle: false, rescale: 1 / 255 });
    const [gpu, cpu] = await Promise.all(
      devices.map((device) => {
        const model = network();
        model.setWeights(weights);
        return model.compile({ device }).predict(data);
      }),
    );
    for (const [i, p] of gpu.entries()) expect(Math.abs(p - cpu[i])).toBeLessThan(1e-5);
    for (const device of devices) device.destroy();
  });
});

describe('memory over a long training', () => {
  test('2,000 steps take no more memory than 10', async () => {
    const device = await openTestDevice('cpu');
    const model = network().compile({ device });
    const bytes: number[] = [];
    await model.fit(flow(40, 4), {
      epochs: 1,
      stepsPerEpoch: 2000,
      onProgress: ({ step }) => (bytes[step] = device.statistics.peakBytes),
    });
    expect(bytes[2000]).toBe(bytes[10]);
    device.destroy();
  });
});

describe('pictures that do not fit on the device', () => {
  test('are sent with each batch, to the same result', async () => {
    const train = async (memoryBudget: number) => {
      const device = await CpuDevice.open({ memoryBudget });
      const model = network().compile({ device });
      await model.fit(flow(1000, 4), { epochs: 1, stepsPerEpoch: 20 });
      const { peakBytes } = device.statistics;
      const weights = await model.getWeights();
      device.destroy();
      return { weights, peakBytes };
    };
    const resident = await train(2 ** 30);
    const streamed = await train(2 ** 19); // half of it is less than the 432,000 bytes of pictures
    expect(resident.peakBytes - streamed.peakBytes).toBeGreaterThan(400_000);
    expect(streamed.weights).toEqual(resident.weights);
  });

  /** The same pictures, but as they come from a disk: late, and not in the order in which they were asked for. */
  function stored(dataset: Dataset, wait: (read: number) => number, forwardOnly = false): Dataset {
    const pictures = dataset.pictures as Uint8Array;
    const length = pictures.length / dataset.labels.length;
    let reads = 0;
    const store = {
      count: dataset.labels.length,
      forwardOnly,
      async read(indices: Uint32Array, target: Uint8Array) {
        const milliseconds = wait(reads++);
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        for (const [at, index] of indices.entries()) {
          target.set(pictures.subarray(index * length, (index + 1) * length), at * length);
        }
      },
    };
    return { ...dataset, pictures: store };
  }
  const options = { batchSize: 4, rescale: 1 / 255, augmentation: { shearRange: 10, zoomRange: 0.2 } };

  test.each(['resident', 'streamed'])('come from a store to the same result (%s)', async (kind) => {
    const train = async (set: Dataset, memoryBudget: number) => {
      const device = await CpuDevice.open({ memoryBudget });
      const model = network().compile({ device });
      const data = new DataFlow(set, options);
      // Steps go past the end of the set.
      const { epochs } = await model.fit(data, {
        epochs: 2,
        stepsPerEpoch: 260,
        validationData: data,
        validationSteps: 30,
      });
      const weights = await model.getWeights();
      device.destroy();
      return { weights, losses: epochs.map(({ loss, valLoss }) => [loss, valLoss]) };
    };
    const set = halves(1000);
    const expected = await train(set, 2 ** 30);
    const budget = kind === 'resident' ? 2 ** 30 : 2 ** 19;
    expect(
      await train(
        stored(set, (read) => (read * 7) % 5),
        budget,
      ),
    ).toEqual(expected);
  });

  test('a store that is read forwards is read once, in order, and never kept', async () => {
    const device = await CpuDevice.open();
    const model = network().compile({ device });
    const set = halves(30);
    let reads = 0;
    const forward = stored(set, () => (reads++, 0), true);
    const inOrder = { ...options, augmentation: {}, shuffle: false };
    const expected = await model.predict(new DataFlow(set, inOrder));
    expect(await model.predict(new DataFlow(forward, inOrder))).toEqual(expected);
    expect(reads).toBe(8); // steps of 4 pictures
    device.destroy();
  });

  test('a store that fails ends the training with its error', async () => {
    const device = await CpuDevice.open({ memoryBudget: 2 ** 19 });
    const model = network().compile({ device });
    const failing = stored(halves(1000), (read) => {
      if (read === 9) throw new Error('the disk is gone');
      return 0;
    });
    await expect(model.fit(new DataFlow(failing, options))).rejects.toThrow('the disk is gone');
    device.destroy();
  });
});

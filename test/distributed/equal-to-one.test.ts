/**
 * Several ranks train what one would: in float64 to a billionth, with all that looks across a batch or draws by the place in it. In
 * float32 two roundings of one training part within epochs, so that there it is the first step's gradients that are compared.
 */
import { describe, expect, test } from 'vitest';
import { alone, type Group } from '../../src/distributed/group.js';
import { DataFlow } from '../../src/data/batches.js';
import { BatchNormalization } from '../../src/nn/layers/normalization.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Dropout, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import { Sequential } from '../../src/nn/sequential.js';
import { adam } from '../../src/optim/adam.js';
import type { Optimizer } from '../../src/optim/optimizer.js';
import { CpuDevice } from '../../src/tensor/cpu/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { WebGpuDevice } from '../../src/tensor/webgpu/webgpu-device.js';
import { groupsOf } from '../support/ranks.js';
import { noteDevice } from '../support/devices.js';
import { getAdapter } from '../support/gpu.js';

const SIDE = 8;
/** 21 pictures in batches of 8: 8, 8, 5; with 4 ranks the last gives 2, 1, 1, 1. */
const COUNT = 21;

function dataset(count: number) {
  const random = new Random(7, RandomStream.synthetic);
  return {
    name: 'noise',
    pictures: Uint8Array.from({ length: count * SIDE * SIDE * 3 }, () => random.integer(256)),
    pictureShape: [SIDE, SIDE, 3] as const,
    labels: Uint8Array.from({ length: count }, (_, n) => n % 3),
    classNames: ['a', 'b', 'c'],
    files: Array.from({ length: count }, (_, n) => `${n}.png`),
    skipped: [],
  };
}

const augmentation = { shearRange: 10, zoomRange: 0.2, horizontalFlip: true, brightnessRange: [0.8, 1.2] as const };

function network({ normalized = true, seed = 5 } = {}): Sequential {
  return new Sequential(
    [
      new Conv2D(4, 3, { inputShape: [SIDE, SIDE, 3], kernelRegularizer: { l2: 0.01 } }),
      ...(normalized ? [new BatchNormalization({ momentum: 0.9, unbiasedVariance: true })] : []),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(6, { activation: 'relu' }), // no multiple of 4: samples begin within blocks of random numbers
      ...(normalized ? [new BatchNormalization({ momentum: 0.9 })] : []),
      new Dropout(0.3),
      new Dense(3, { activation: 'softmax' }),
    ],
    { seed },
  );
}

/** What a rank has at the end: parameters in the device's own precision, and figures. */
interface Trained {
  readonly parameters: Float64Array;
  readonly outputs: Float64Array;
  readonly epochs: readonly { loss: number; accuracy: number; valLoss?: number; valAccuracy?: number }[];
  readonly scores: readonly number[];
}

async function trainOnReference(
  group: Group,
  options: { count?: number; batchSize?: number; accumulate?: number } = {},
) {
  const { count = COUNT, batchSize = 8, accumulate = 1 } = options;
  const device = new ReferenceDevice();
  const model = network();
  let parameters: Tensor | null = null;
  const inner = adam({ learningRate: 0.01 });
  const optimizer: Optimizer = {
    ...inner,
    bind(values, gradients) {
      parameters = values;
      return inner.bind(values, gradients);
    },
  };
  model.compile({ device, optimizer, group, classWeight: [1, 2, 0.5] });
  const data = dataset(count);
  const scores: number[] = [];
  const { epochs } = await model.fit(new DataFlow(data, { batchSize, seed: 3, augmentation, rescale: 1 / 255 }), {
    epochs: 7, // of 3 steps: 21 in all
    accumulate,
    validationData: new DataFlow(dataset(11), { batchSize: 4, rescale: 1 / 255, shuffle: false }),
    onValidationScores: (indices, given) => void scores.push(...indices, ...given),
  });
  const x = tensor(
    device,
    Float32Array.from(data.pictures.subarray(0, SIDE * SIDE * 3), (v) => v / 255),
    [1, SIDE, SIDE, 3],
  );
  return {
    parameters: device.values(parameters as unknown as Tensor).slice(),
    outputs: device.values(model.call(x)).slice(),
    epochs: epochs.map((log) => ({ ...log, seconds: 0 })),
    scores,
  } satisfies Trained;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
};

/** How far ranks are from one process; they have the same among themselves, bit for bit. */
function distance(ranks: readonly Trained[], one: Trained) {
  const figures = ({ epochs, scores }: Trained) => [...scores, ...epochs.flatMap((log) => Object.values(log))];
  for (const rank of ranks) expect(rank.parameters).toEqual(ranks[0].parameters);
  return {
    parameters: largestDifference(ranks[0].parameters, one.parameters),
    outputs: largestDifference(ranks[0].outputs, one.outputs),
    figures: Math.max(...ranks.map((rank) => largestDifference(figures(rank), figures(one)))),
  };
}

function expectNothing({ parameters, outputs, figures }: ReturnType<typeof distance>): void {
  expect(parameters).toBeLessThan(1e-9);
  expect(outputs).toBeLessThan(1e-9);
  expect(figures).toBeLessThan(1e-6); // which are float32
}

describe('in float64', () => {
  test.each([2, 3, 4])('%i ranks are one', async (size) => {
    const one = await trainOnReference(alone);
    const ranks = await Promise.all(groupsOf(size).map((group) => trainOnReference(group)));
    expectNothing(distance(ranks, one));
    expect(ranks[0].epochs).toHaveLength(7);
  });

  test('batches of which some ranks have nothing', async () => {
    const sizes = { count: 9, batchSize: 4 }; // 4, 4, 1
    const one = await trainOnReference(alone, sizes);
    const ranks = await Promise.all(groupsOf(4).map((group) => trainOnReference(group, sizes)));
    expectNothing(distance(ranks, one));
    expect(ranks[0].epochs).toHaveLength(7);
  });

  test('accumulated', async () => {
    const steps = { accumulate: 2 };
    const one = await trainOnReference(alone, steps);
    const ranks = await Promise.all(groupsOf(3).map((group) => trainOnReference(group, steps)));
    expectNothing(distance(ranks, one));
    expect(ranks[0].epochs).toHaveLength(7);
  });
});

describe('in float32', () => {
  const firstGradients = async (group: Group, device: Device, options: { normalized: boolean; seed?: number }) => {
    const model = network(options);
    // A rate of nothing: the gradients of the first step stay those of the initial weights.
    model.compile({ device, optimizer: adam({ learningRate: 1e-30 }), group });
    const flow = new DataFlow(dataset(COUNT), { batchSize: COUNT, seed: 3, augmentation, rescale: 1 / 255 });
    await model.fit(flow);
    const gradients = Object.values(await model.getGradients()).flatMap(({ data }) => [...data]);
    model.destroy();
    return gradients;
  };
  const onCpu = async (group: Group, options: { normalized: boolean; seed?: number }) =>
    firstGradients(group, await CpuDevice.open({ threads: 1 }), options);
  const onRanks = async (size: number, options: { normalized: boolean; seed?: number }) => {
    const [first, ...others] = await Promise.all(groupsOf(size).map((group) => onCpu(group, options)));
    for (const other of others) expect(other).toEqual(first);
    return first;
  };
  const largestOf = (values: readonly number[]): number => Math.max(...values.map((value) => Math.abs(value)));

  test.each([2, 4])('the first gradients of %i ranks on cpu are those of one process', async (size) => {
    noteDevice('cpu');
    const one = await onCpu(alone, { normalized: false });
    const ranks = await onRanks(size, { normalized: false });
    expect(largestDifference(ranks, one) / largestOf(one)).toBeLessThan(1e-6);
  });

  // Its gradient nearly cancels, so that one process itself is up to 3e-6 from the exact ones: ranks are to be no farther.
  test('with batch normalization they are as near to the exact ones, over several networks', async () => {
    noteDevice('cpu');
    let [ofOne, ofRanks] = [0, 0];
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const options = { normalized: true, seed };
      const exact = await firstGradients(alone, new ReferenceDevice(), options);
      const error = (gradients: readonly number[]): number =>
        Math.hypot(...gradients.map((value, n) => value - exact[n])) / Math.hypot(...exact);
      ofOne += error(await onCpu(alone, options));
      ofRanks += error(await onRanks(4, options));
    }
    expect(ofRanks).toBeLessThan(1.2 * ofOne);
  });

  test('they are on webgpu, which the host reads and writes in the midst of a step', async () => {
    const device = await WebGpuDevice.open(await getAdapter());
    const one = await firstGradients(alone, device, { normalized: true });
    const ranks = await Promise.all(groupsOf(2).map((group) => firstGradients(group, device, { normalized: true })));
    expect(ranks[1]).toEqual(ranks[0]);
    // As far as float32 goes through batch normalization; see above.
    expect(largestDifference(ranks[0], one) / largestOf(one)).toBeLessThan(1e-5);
    device.destroy();
  });
});

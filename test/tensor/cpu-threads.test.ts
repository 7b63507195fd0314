/** The CPU device's threads: same bits for any number of them, in any order of arrival, with helpers that are gone. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DeviceError, UsageError } from '../../src/errors.js';
import { Activation } from '../../src/nn/layers/activation.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Dropout, Flatten } from '../../src/nn/layers/core.js';
import { Add, Concatenate } from '../../src/nn/layers/merging.js';
import { BatchNormalization } from '../../src/nn/layers/normalization.js';
import {
  AveragePooling2D,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  MaxPooling2D,
} from '../../src/nn/layers/pooling.js';
import { Model } from '../../src/nn/model.js';
import { input } from '../../src/nn/input.js';
import { rmsprop } from '../../src/optim/rmsprop.js';
import type { NamedWeights } from '../../src/nn/parameters.js';
import { Sequential } from '../../src/nn/sequential.js';
import type { CpuDevice, CpuDeviceOptions } from '../../src/tensor/cpu/cpu-device.js';
import { serve } from '../../src/tensor/cpu/cpu-threads.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { openTestCpu } from '../support/open-devices.js';

const SIZE = 20;
const BATCH = 6;

const open: CpuDevice[] = [];
afterEach(() => {
  for (const device of open.splice(0)) device.destroy();
});

async function openCpu(options: CpuDeviceOptions): Promise<CpuDevice> {
  const device = await openTestCpu(options);
  open.push(device);
  return device;
}

/** Weights and losses after some steps of a network in which every heavy kernel has several parts. */
async function train(device: CpuDevice, steps: number): Promise<{ losses: number[]; weights: NamedWeights }> {
  const model = new Sequential(
    [
      new Conv2D(12, 3, { inputShape: [SIZE, SIZE, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(8, 3, { activation: 'relu', padding: 'same' }),
      new MaxPooling2D({ poolSize: 3, strides: 2 }),
      new Flatten(),
      new Dense(40, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: 3 },
  );
  model.compile({ device });
  const random = new Random(5, RandomStream.synthetic);
  const x = Float32Array.from({ length: BATCH * SIZE * SIZE * 3 }, () => random.uniform(0, 1));
  const y = Array.from({ length: BATCH }, (_, i) => i % 2);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) losses.push((await model.trainOnBatch(x, y)).loss);
  const weights = await model.getWeights();
  model.destroy();
  return { losses, weights };
}

/** The same of a network of everything that is no plain convolution or dense layer. */
async function trainOthers(device: CpuDevice): Promise<{ losses: number[]; weights: NamedWeights; answers: number[] }> {
  const x0 = input({ shape: [24, 24, 3] });
  const stem = new Activation('swish').apply(
    new BatchNormalization().apply(new Conv2D(5, 3, { padding: 'same' }).apply(x0)),
  );
  const pooled = new AveragePooling2D({ poolSize: 3, strides: 1, padding: 'same' }).apply(stem);
  const joined = new Concatenate().apply([new Add().apply([stem, pooled]), new Activation('gelu').apply(pooled)]);
  const dropped = new Dropout(0.3).apply(new Activation('elu').apply(new BatchNormalization().apply(joined)));
  const ends = [new GlobalAveragePooling2D(), new GlobalMaxPooling2D()].map((layer) => layer.apply(dropped));
  const outputs = new Dense(3, { activation: 'softmax' }).apply(
    new Activation('tanh').apply(new Concatenate().apply(ends)),
  );
  const model = new Model({ inputs: x0, outputs, seed: 4 });
  model.compile({ device, optimizer: rmsprop({ learningRate: 1e-3, globalClipNorm: 1 }) });
  const random = new Random(6, RandomStream.synthetic);
  const x = Float32Array.from({ length: 10 * 24 * 24 * 3 }, () => random.uniform(0, 1));
  const y = Array.from({ length: 10 }, (_, i) => i % 3);
  const losses: number[] = [];
  for (let step = 0; step < 6; step++) losses.push((await model.trainOnBatch(x, y)).loss);
  const weights = await model.getWeights();
  const answers = Array.from(await model.predictOnBatch(x));
  model.destroy();
  return { losses, weights, answers };
}

describe('threads of the CPU device', () => {
  test('same bits for any number of threads, with shared memory or without, of every other kernel', async () => {
    const alone = await trainOthers(await openCpu({ threads: 1 }));
    expect(alone.losses.at(-1)).toBeLessThan(alone.losses[0]);
    for (const threads of [2, 5]) expect(await trainOthers(await openCpu({ threads }))).toEqual(alone);
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const unshared = await openCpu({}).finally(() => vi.unstubAllGlobals());
    expect(unshared.description.name).toContain('1 thread');
    expect(await trainOthers(unshared)).toEqual(alone);
  });

  test('same bits for 1, 2, 3 and 7 threads', async () => {
    const [alone, ...teams] = await Promise.all(
      [1, 2, 3, 7].map(async (threads) => train(await openCpu({ threads }), 12)),
    );
    expect(alone.losses.at(-1)).toBeLessThan(alone.losses[0]);
    for (const team of teams) {
      expect(team.losses).toEqual(alone.losses);
      expect(team.weights).toEqual(alone.weights);
    }
  });

  test('thousands of steps in succession, more threads than cores', async () => {
    const alone = await train(await openCpu({ threads: 1 }), 400);
    const team = await train(await openCpu({ threads: 5 }), 400);
    expect(team.losses).toEqual(alone.losses);
  });

  test('the other threads really help', async () => {
    const device = await openCpu({ threads: 2 });
    for (let round = 0; round < 200 && device.helpedParts === 0; round++) {
      await train(device, 20);
      await new Promise((resolve) => setTimeout(resolve, 5)); // a page starts workers only when it is idle
    }
    expect(device.helpedParts).toBeGreaterThan(0);
  });

  test('helpers that never come or die at once change nothing', async () => {
    const alone = await train(await openCpu({ threads: 1 }), 3);
    let started = 0;
    const startThread = () => {
      started++;
      return null;
    };
    const deserted = await train(await openCpu({ threads: 4, startThread }), 3);
    expect(started).toBe(3);
    expect(deserted).toEqual(alone);
  });

  test('a helper that fails on its way into a step is not waited for', async () => {
    // A module that takes the memory: (module (import "env" "memory" (memory 1 1 shared)))
    const module = new WebAssembly.Module(
      Uint8Array.from([
        ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x02, 0x10, 0x01, 0x03, 0x65, 0x6e, 0x76],
        ...[0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x03, 0x01, 0x01],
      ]),
    );
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const board = new SharedArrayBuffer(2 ** 18);
    const words = new Int32Array(board, 0, 2); // the state of the program, the threads that read it
    words[0] = 1;
    await expect(serve({ module, memory, board, library: 2 ** 20, index: 1 })).rejects.toThrow(RangeError);
    expect(words[1]).toBe(0);
  });

  test('with and without fused multiply-add: the same to within float32 rounding', async () => {
    const fused = await openCpu({ threads: 2 });
    const plain = await openCpu({ threads: 2, relaxedSimd: false });
    expect(fused.description.name).toContain('fused multiply-add');
    expect(plain.description.name).not.toContain('fused multiply-add');
    const [a, b] = [await train(fused, 3), await train(plain, 3)];
    // Three steps of Adam on sums of up to some hundred products: 2^-24 each, amplified by few small second moments.
    a.losses.forEach((loss, step) => expect(Math.abs(loss - b.losses[step])).toBeLessThan(1e-4));
  });

  test('a destroyed device says so; a thread count that is none is refused', async () => {
    const device = await openCpu({ threads: 2 });
    await train(device, 2);
    device.destroy();
    expect(() => device.allocate(4)).toThrow(DeviceError);
    for (const threads of [0, 1.5, -2, NaN]) await expect(openTestCpu({ threads })).rejects.toThrow(UsageError);
  });
});

/** Trainings that begin with trained weights: what is frozen stays to the bit, classes are added, and runs resume. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchNormalization,
  Conv2D,
  DataFlow,
  Dense,
  Flatten,
  freezeAllBut,
  GlobalAveragePooling2D,
  openDevice,
  planFrom,
  saveModel,
  Sequential,
  type Model,
} from 'beltnet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/tensor/device.js';
import { beltnet, startBeltnet, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

let device: Device;
let folder: string;
beforeAll(async () => {
  noteDevice('cpu');
  device = await openDevice('cpu');
  folder = mkdtempSync(join(tmpdir(), 'beltnet-warm-'));
});
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true, force: true });
});

const network = (units: number): Model =>
  new Sequential(
    [
      new Conv2D(4, 3, { inputShape: [8, 8, 3], name: 'first' }),
      new BatchNormalization({ name: 'norm' }),
      new Conv2D(4, 3, { activation: 'relu', name: 'second' }),
      new Conv2D(4, 1, { activation: 'relu', name: 'third' }),
      new GlobalAveragePooling2D(),
      new Dense(units, { activation: units === 1 ? 'sigmoid' : 'softmax', name: 'head' }),
    ],
    { seed: 3 },
  );
const infoOf = (classNames: string[]) => ({
  classNames,
  preprocessing: { interpolation: 'bilinear' as const, rescale: 1 / 128 },
  alert: { className: classNames[0], threshold: 0.25 },
});
const pictures = Uint8Array.from({ length: 12 * 8 * 8 * 3 }, (_, at) => (at * 7919 + (at >> 5) * 31) % 256);
const flow = () =>
  new DataFlow(
    {
      ...{ name: 'made', pictures, pictureShape: [8, 8, 3], labels: Uint8Array.from({ length: 12 }, (_, n) => n % 2) },
      ...{ classNames: ['a', 'b'], files: [], skipped: [] },
    },
    { batchSize: 4, seed: 1, rescale: 1 / 128 },
  );

describe('fine-tuning', () => {
  test.each([
    [0, ['head']],
    [2, ['second', 'third', 'head']],
    ['all' as const, ['first', 'second', 'third', 'head']],
  ])('of the last %s layers changes those and the head, and no running statistic', async (count, changed) => {
    const model = network(1);
    freezeAllBut(model, count);
    const before = await model.getWeights();
    model.compile({ device, optimizer: 'adam' });
    await model.fit(flow(), { epochs: 2 });
    const gradients = await model.getGradients();
    const after = await model.getWeights();
    model.destroy();
    const others = Object.keys(after).filter(
      (name) => !after[name].data.every((value, i) => value === before[name].data[i]),
    );
    expect(new Set(others.map((name) => name.split('.')[0]))).toEqual(new Set(changed));
    expect(new Set(Object.keys(gradients).map((name) => name.split('.')[0]))).toEqual(new Set(changed));
  });

  test('of more layers than there are is refused', () => {
    expect(() => freezeAllBut(network(1), 4)).toThrow(/at most the 3 layers/);
  });
});

describe('classes are added', () => {
  const scores = async (model: Model): Promise<Float32Array> => {
    model.compile({ device, loss: 'meanSquaredError' });
    const result = await model.predict(flow());
    model.destroy();
    return result;
  };

  test('to two: the odds of those that were there stay', async () => {
    const start = { name: 'start', model: network(1), info: infoOf(['b', 'd']) };
    const plan = await planFrom(start, ['a', 'b', 'c', 'd']);
    expect(plan.info).toMatchObject({
      preprocessing: start.info.preprocessing,
      alert: { className: 'b', threshold: 0.5 },
    });
    const [before, after] = [await scores(start.model), await scores(plan.model)];
    for (const [n, p] of before.entries()) {
      const [, b, , d] = after.subarray(n * 4, (n + 1) * 4);
      expect(d / (b + d)).toBeCloseTo(p, 5);
    }
  });

  test('none: the same scores, also in another order of the names', async () => {
    const start = { name: 'start', model: network(3), info: infoOf(['x', 'z', 'y']) };
    const plan = await planFrom(start, ['x', 'y', 'z']);
    const [before, after] = [await scores(start.model), await scores(plan.model)];
    for (let n = 0; n < 12; n++)
      for (const [from, to] of [0, 2, 1].entries()) expect(after[n * 3 + to]).toBeCloseTo(before[n * 3 + from], 6);
  });

  test('a class that is missing, and a last layer that is not dense, are refused', async () => {
    const start = { name: 'start', model: network(1), info: infoOf(['a', 'b']) };
    await expect(planFrom(start, ['a', 'c'])).rejects.toThrow(/without 'b'/);
    const last = new Sequential([new Conv2D(2, 8, { inputShape: [8, 8, 3], activation: 'softmax' }), new Flatten()]);
    await expect(planFrom({ ...start, model: last }, ['a', 'b', 'c'])).rejects.toThrow(/ends in Flatten/);
  });
});

describe('beltnet train', () => {
  const run = (line: string) => beltnet(line.split(' '), { cwd: folder });

  test('begins in one way, says what goes with it, and fine-tunes with enough pictures only', async () => {
    writeClasses(join(folder, 'few'), 12);
    for (const [line, message] of [
      ['few --base darknet-tiny --from x', '--base and --from'],
      ['few --fine-tune 3', '--fine-tune: expects trained weights'],
      ['few --from x --size 8x8', '--from: expects no --size'],
      ['few --base darknet-tiny --fine-tune 3 --normalize samplewise', '--base: expects no --normalize'],
      ['few --base-size 32x32', '--base-size: is for --base'],
      ['few --base darknet-tiny --base-size 32x32 --device cpu --fine-tune 1', 'at least 100 pictures of each class'],
    ]) {
      const { code, stderr } = await run(`train ${line}`);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  test('on a base and from a model: the same bits twice, and after a kill; what it began with may stay the best', async () => {
    writeClasses(join(folder, 'set'), 24);
    const train = 'train set --device cpu --epochs 3 --batch 8 --fine-tune 2 --force --alert-class dark';
    const onBase = `${train} --base darknet-tiny --base-size 32x32 --horizontal-flip`;
    const model = (name: string, file = 'last') => readFileSync(join(folder, `runs/${name}/${file}.safetensors`));
    expect(await run(`${onBase} --name whole`)).toMatchObject({ code: 0 });

    const { child, finished, until } = startBeltnet(`${onBase} --name killed --checkpoint-seconds 0`.split(' '), {
      cwd: folder,
    });
    await until('Epoch 2/3');
    child.kill('SIGKILL');
    await finished;
    expect(await run('train --resume runs/killed')).toMatchObject({ code: 0 });
    for (const file of ['last', 'best']) expect(model('killed', file).equals(model('whole', file))).toBe(true);
    const [, first] = readFileSync(join(folder, 'runs/whole/results.csv'), 'utf8').split('\n');
    expect(first).toMatch(/^0,/);
    // It was trained on, so that what tells unknown pictures was learned from its own values.
    expect(model('whole', 'best').toString('latin1')).toContain('unlike/factor');
    expect(await run('train --resume runs/whole')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('finished'),
    });

    expect(await run(`${train} --from runs/whole --name from`)).toMatchObject({ code: 0 });
    const config = JSON.parse(readFileSync(join(folder, 'runs/from/config.json'), 'utf8')) as { from: object };
    expect(config).toMatchObject({ from: { classes: ['bright', 'dark'] }, options: { lr: 3e-5 } });

    // Another model under the same name would be another training.
    await saveModel(join(folder, 'other.safetensors'), network(1), infoOf(['bright', 'dark']));
    const other = `train set --device cpu --epochs 2 --from other.safetensors --split 0.25 --name other --alert-class dark`;
    expect(await run(other)).toMatchObject({ code: 0 });
    writeFileSync(join(folder, 'other.safetensors'), model('other'));
    const changed = await run('train --resume runs/other --epochs 3');
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('has changed since')]);
  });
});

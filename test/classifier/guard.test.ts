/** A guard: the base's own features beside a network from scratch, in one file, by all ways to a verdict. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFlow, decodeModel, encodeModel, loadClassifier, onBase, openBase, openDevice, type Base } from 'beltnet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { guardOf, guardOn, guardSection } from '../../src/classifier/base/guard.js';
import type { Device } from '../../src/tensor/device.js';
import { beltnet } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { info, tinyModel } from './tiny-model.js';

let device: Device;
let base: Base;
beforeAll(async () => {
  noteDevice('cpu');
  device = await openDevice('cpu');
  base = await openBase('darknet-tiny');
});
afterAll(() => device.destroy());

const preparation = (width: number, height: number, rescale: number) => ({
  picture: { size: { width, height }, interpolation: 'nearest' as const },
  values: { rescale, normalization: {} },
});

test('gives what the base gives of enlarged pictures, whatever the network rescales them by, also from a file', async () => {
  const [width, height, times] = [48, 40, 4]; // 128 / 40, rounded up
  const picture = Uint8Array.from({ length: height * width * 3 }, (_, at) => (at * 97 + (at >> 4) * 13) % 256);
  const large = Uint8Array.from({ length: picture.length * times * times }, (_, at) => {
    const [channel, pixel] = [at % 3, Math.floor(at / 3)];
    const [x, y] = [pixel % (width * times), Math.floor(pixel / (width * times))];
    return picture[(Math.floor(y / times) * width + Math.floor(x / times)) * 3 + channel];
  });
  const features = async (
    model: Awaited<ReturnType<typeof guardOn>>,
    data: Uint8Array,
    factor: number,
    rescale: number,
  ) => {
    model.compile({ device, loss: 'meanSquaredError' });
    const pictureShape = [height * factor, width * factor, 3] as const;
    const flow = new DataFlow({ name: 'one', pictures: data, pictureShape }, { shuffle: false, rescale });
    const result = await model.predict(flow);
    model.destroy();
    return result;
  };
  const size = { width: width * times, height: height * times };
  const expected = await features(
    await onBase({ ...base, featureLayers: base.featureLayers.slice(1, 2) }, { classes: 0, size }),
    large,
    times,
    1 / 255,
  );
  const largest = Math.max(...expected.map(Math.abs));
  const guard = await guardOn(base, preparation(width, height, 1 / 127));
  const section = await guardSection(guard);
  const copy = guardOf({ ...info, sections: { guard: section } }, guard, 'a file');
  if (!copy) throw new Error('no guard');
  for (const each of [guard, copy]) {
    const got = await features(each, picture, 1, 1 / 127);
    expect(Math.max(...got.map((value, i) => Math.abs(value - expected[i]))) / largest).toBeLessThan(1e-5);
  }
});

test('is refused for normalized pictures, and in a file where it is none', async () => {
  const { picture, values } = preparation(64, 64, 1 / 255);
  await expect(
    guardOn(base, { picture, values: { ...values, normalization: { samplewiseCenter: true } } }),
  ).rejects.toThrow(/rescaled and nothing else/);
  const model = tinyModel();
  const section = await guardSection(await guardOn(base, preparation(12, 16, 1)));
  for (const wrong of [section, { ...section, tensors: {} }, { value: 5 }]) {
    const bytes = await encodeModel(model, { ...info, sections: { guard: wrong } });
    const { info: read } = decodeModel(bytes, 'file');
    expect(() => guardOf(read, model, 'file')).toThrow(/file: section 'guard'/);
  }
});

test('beltnet train --guard: the network tells pictures of other kinds, and says how many', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'beltnet-guard-'));
  const run = (line: string) => beltnet(line.split(' '), { cwd: folder });
  try {
    await run('synth belt --count 48 --size 64x48');
    const train =
      'train belt --size 64x64 --epochs 1 --alert-class gap --device cpu --guard --coverage 1 --json --name guarded';
    const { code, stdout } = await run(train);
    expect(code).toBe(0);
    const end = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { told: Record<string, { told: number }> };
    expect(end.told['noise']).toEqual({ pictures: 8, told: 8 });
    const classifier = await loadClassifier(join(folder, 'runs/guarded'), { device });
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => (Math.imul(at, 2654435761) >>> 24) % 256);
    const [strange, own] = [
      await classifier.classify({ width: 64, height: 64, data: noise }),
      await classifier.classifyFile(join(folder, 'belt/training_set/ok/ok_00000.jpg')),
    ];
    await classifier.destroy();
    expect(strange.unknown).toBe(true);
    expect(own).toMatchObject({ unknown: false, faults: [] });
    const both = await run('train belt --base darknet-tiny --guard');
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--guard: is for networks without a base')]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

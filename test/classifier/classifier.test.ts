/** From bytes to verdicts: one, many, many callers, bad pictures, scores that are no numbers, and what is no picture. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Classifier,
  cropPicture,
  DataError,
  decode,
  loadClassifier,
  ModelFileError,
  NotANumberError,
  openClassifier,
  openDevice,
  resize,
  UsageError,
  type Classification,
  type Picture,
  type Verdict,
} from 'beltnet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openClassifier as openInPage } from '../../src/classifier/classifier.js';
import { noisyPng } from '../cli/run-beltnet.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { noteDevice } from '../support/devices.js';
import { bytesOf, info, overflowing, predictPrepared, SIDE, tinyModel } from './tiny-model.js';

const turned = readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url));
const pngs = Array.from({ length: 70 }, (_, n) => noisyPng(n % 2 ? 'dark' : 'bright', n));
let classifier: Awaited<ReturnType<typeof openClassifier>>;
let modelBytes: Uint8Array;

beforeAll(async () => {
  noteDevice('cpu');
  modelBytes = await bytesOf(tinyModel());
  classifier = await openClassifier(modelBytes, { device: 'cpu' });
});
afterAll(() => classifier.destroy());

/** Prepared by hand: EXIF, region, resizing. */
function prepared(bytes: Uint8Array): Uint8Array {
  const { region, interpolation } = info.preprocessing;
  if (!region) throw new Error('the model has a region');
  return resize(cropPicture(decode(bytes, 'x', { exif: true }), region), { width: SIDE, height: SIDE }, interpolation)
    .data;
}

const verdicts = (results: readonly Classification[]): Verdict[] =>
  results.map((result) => {
    if ('error' in result) throw result.error;
    return result;
  });

describe('classify', () => {
  test('is region, EXIF, resizing, rescale and normalization, then the model: the same numbers as by hand', async () => {
    const device = await openDevice('cpu');
    const expected = await predictPrepared(device, tinyModel(), [prepared(turned), prepared(pngs[0])]);
    device.destroy();
    for (const [n, bytes] of [turned, pngs[0]].entries()) {
      const verdict = await classifier.classify(bytes);
      expect(Object.keys(verdict)).toEqual(['class', 'probability', 'probabilities', 'alert']);
      expect(verdict.probabilities['ok']).toBe(expected[n]);
      expect(verdict.probabilities['gap']).toBe(1 - expected[n]);
      expect(verdict.class).toBe(expected[n] > 0.5 ? 'ok' : 'gap');
      expect(verdict.probability).toBe(verdict.probabilities[verdict.class]);
      expect(verdict.alert).toBe(1 - expected[n] >= 0.5);
    }
    // Without the turn the picture is another one: the test can tell.
    const upright = decode(turned, 'x');
    expect((await classifier.classify(upright)).probabilities).not.toEqual(
      (await classifier.classify(turned)).probabilities,
    );
  });

  test('takes bytes, an ArrayBuffer, RGB and RGBA pixels alike', async () => {
    const picture = decode(pngs[1], 'x');
    const rgba = new Uint8ClampedArray(picture.width * picture.height * 4).fill(77);
    for (let at = 0; at < picture.data.length; at++) rgba[Math.floor(at / 3) * 4 + (at % 3)] = picture.data[at];
    const { width, height } = picture;
    const all = [new Uint8Array(pngs[1]), new Uint8Array(pngs[1]).buffer, picture, { width, height, data: rgba }];
    const [first, ...others] = await Promise.all(all.map((one) => classifier.classify(one)));
    for (const other of others) expect(other).toEqual(first);
  });

  test('many in one call, in many calls at once, or one after the other: the same, each its own', async () => {
    const inTurn: Verdict[] = [];
    for (const png of pngs) inTurn.push(await classifier.classify(png));
    expect(new Set(inTurn.map(({ probability }) => probability)).size).toBeGreaterThan(60);
    expect(await classifier.classify(pngs)).toEqual(inTurn);
    const calls = pngs.map((png) => classifier.classify(png));
    const [array, single] = await Promise.all([classifier.classify(pngs.slice(0, 40)), Promise.all(calls)]);
    expect(single).toEqual(inTurn);
    expect(verdicts(array)).toEqual(inTurn.slice(0, 40));
    expect(await classifier.classify([])).toEqual([]);
  });

  test('a bad picture is an error of its own: thrown alone, in its place among many', async () => {
    const bad = new TextEncoder().encode('no picture');
    await expect(classifier.classify(bad)).rejects.toThrow(DataError);
    const small = noisyPng('dark', 1, 8, 8); // the region lies outside
    const results = await classifier.classify([pngs[0], bad, small, pngs[1]]);
    expect(results.map((result) => 'error' in result)).toEqual([false, true, true, false]);
    expect(results[1]).toEqual({ error: expect.any(DataError) });
    expect((results[1] as { error: DataError }).error.message).toMatch(/^picture 1: expects a JPEG, PNG or BMP/);
    expect((results[2] as { error: DataError }).error.message).toMatch(/^picture 2: .*region/);
  });

  test('opens no file: a path is no picture, nor is anything else', async () => {
    const wrong: unknown[] = [
      '/etc/hostname',
      'picture.png',
      null,
      undefined,
      7,
      {},
      { width: 2, height: 2, data: [1] },
    ];
    wrong.push({ width: 2, height: 2, data: new Uint8Array(11) }, new Float32Array(12), {
      width: -2,
      height: -2,
      data: new Uint8Array(12),
    });
    for (const given of wrong) await expect(classifier.classify(given as Picture)).rejects.toThrow(UsageError);
    await expect(classifier.classify('x.png' as unknown as Picture)).rejects.toThrow('classifyFile takes paths');
  });

  test('the page’s form gives the same bits', async () => {
    const page = await openInPage(modelBytes, { device: 'cpu' });
    expect(page).toBeInstanceOf(Classifier);
    expect(await page.classify(pngs.slice(0, 5))).toEqual(await classifier.classify(pngs.slice(0, 5)));
    await page.destroy();
  });
});

describe('scores that are no numbers', () => {
  test('are an error of that picture alone, never "no alert"', async () => {
    const broken = await openClassifier(await bytesOf(await overflowing()), { device: 'cpu' });
    await expect(broken.classify(pngs[0])).rejects.toThrow(NotANumberError);
    const results = await broken.classify([pngs[0], pngs[2]]);
    for (const result of results) {
      expect(result).toEqual({ error: expect.any(NotANumberError) });
      expect((result as { error: NotANumberError }).error).toMatchObject({
        exitCode: 7,
        message: expect.stringContaining('NaN'),
      });
    }
    await broken.destroy();
  });
});

describe('opening and closing', () => {
  test('in Node from a file or a run; classifyFile takes paths', async () => {
    const folder = temporaryFolder({ 'run/model.safetensors': modelBytes, 'a.png': pngs[0], 'b.png': 'bad' });
    for (const path of ['run', 'run/model.safetensors']) {
      const opened = await loadClassifier(join(folder, path), { device: 'cpu' });
      const expected = await classifier.classify(pngs[0]);
      expect(await opened.classifyFile(join(folder, 'a.png'))).toEqual(expected);
      const [good, bad, missing] = await opened.classifyFile(
        ['a.png', 'b.png', 'c.png'].map((name) => join(folder, name)),
      );
      expect(good).toEqual(expected);
      expect(bad).toEqual({ error: expect.any(DataError) });
      expect((missing as { error: DataError }).error.message).toContain('c.png');
      await expect(opened.classifyFile(join(folder, 'b.png'))).rejects.toThrow(DataError);
      await opened.destroy();
    }
    await expect(loadClassifier(join(folder, 'none'))).rejects.toThrow(ModelFileError);
    await expect(openClassifier(new Uint8Array(9), { device: 'cpu' })).rejects.toThrow(ModelFileError);
  });

  test('a device that was given stays open; a destroyed classifier says so', async () => {
    const device = await openDevice('cpu');
    const first = await openClassifier(modelBytes, { device });
    const pending = first.classify(pngs[0]);
    await first.destroy();
    expect(await pending).toEqual(await classifier.classify(pngs[0])); // what was asked for before is answered
    await expect(first.classify(pngs[0])).rejects.toThrow('destroyed');
    await first.destroy();
    const second = await openClassifier(modelBytes, { device });
    expect(await second.classify(pngs[0])).toEqual(await classifier.classify(pngs[0]));
    await second.destroy();
    device.destroy();
    await expect(openClassifier(modelBytes, { device: 'cpu', batchSize: 0 })).rejects.toThrow('batchSize');
  });
});

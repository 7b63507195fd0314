/** Which pictures judge a model and which may choose for it, what a run remembers of its pictures, and what it says of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  changedPictures,
  judgeRun,
  leaveOutSeen,
  loadDataset,
  openDevice,
  openRun,
  picturesFor,
  picturesOfModel,
  pictureManifest,
  type Dataset,
  type PicturesOfRun,
  type PictureUse,
} from 'beltnet';
import Papa from 'papaparse';
import { afterAll, describe, expect, test } from 'vitest';
import { noisyPng, writeClasses, writeFiles } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { bytesOf, SIDE, tinyModel } from './tiny-model.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
for (const [set, count] of [
  ['divided/training_set', 8],
  ['divided/val', 4],
  ['divided/test_set', 6],
  ['tested/train', 8],
  ['tested/test', 4],
  ['loose', 10],
] as const)
  writeClasses(join(folder, set), count);

const load = async (files: Parameters<typeof loadDataset>[0]): Promise<Dataset> =>
  loadDataset(files, { size: { width: SIDE, height: SIDE }, interpolation: 'nearest', workers: 0 });
const record = (entries: readonly (readonly [number, PictureUse])[] = []): PicturesOfRun => new Map(entries);
const partOf = async (...args: Parameters<typeof picturesFor>): Promise<unknown[]> => {
  const { part, files } = await picturesFor(...args);
  return [part, files.name.slice(folder.length + 1), files.files.length];
};

describe('which pictures', () => {
  test.each([
    ['judge', 'divided', ['test', 'divided/test_set', 6]],
    ['choose', 'divided', ['validation', 'divided/val', 4]],
    ['judge', 'tested', ['test', 'tested/test', 4]],
    ['judge', 'loose', ['training', 'loose', 10]],
    ['choose', 'loose', ['training', 'loose', 10]],
    ['judge', 'divided/val', ['validation', 'divided/val', 4]],
    ['choose', 'divided/val', ['validation', 'divided/val', 4]],
  ] as const)('%s by %s', async (purpose, set, expected) => {
    expect(await partOf(purpose, join(folder, set), { record: null })).toEqual(expected);
  });

  test('of a manifest the same', async () => {
    const rows = ['train', 'val', 'test'].flatMap((split) => [
      `${split}/a.png,gap,${split}`,
      `${split}/b.png,ok,${split}`,
    ]);
    writeFiles(folder, { 'set.csv': ['path,label,split', ...rows, ''].join('\n') });
    expect(await partOf('judge', join(folder, 'set.csv'), { record: null })).toEqual(['test', 'set.csv', 2]);
    expect(await partOf('choose', join(folder, 'set.csv'), { record: null })).toEqual(['validation', 'set.csv', 2]);
  });

  test.each(['tested', 'tested/test', 'divided/test_set'])(
    'none of %s may choose, unless somebody insists',
    async (set) => {
      const path = join(folder, set);
      await expect(picturesFor('choose', path, { record: null })).rejects.toThrow(
        /expects pictures that may choose, got .*test/,
      );
      expect((await picturesFor('choose', path, { record: null, insisted: 'test' })).part).toBe('test');
    },
  );

  test('a part that is not there is refused', async () => {
    await expect(
      picturesFor('judge', join(folder, 'tested'), { record: null, insisted: 'validation' }),
    ).rejects.toThrow("has the parts training, test, got 'validation'");
  });

  test('what a run kept from its training may choose, from folders without val/, too', async () => {
    expect(await partOf('choose', join(folder, 'tested'), { record: record() })).toEqual([
      'training',
      'tested/train',
      8,
    ]);
  });
});

describe('what trained the model', () => {
  const part = { part: 'training', isInsisted: false } as const;
  const loose = async (): Promise<Dataset> =>
    load((await picturesFor('judge', join(folder, 'loose'), { record: null })).files);

  test('is left out where others are there, whatever their files are called', async () => {
    const dataset = await loose();
    const { pixels } = await leaveOutSeen(dataset, { ...part, purpose: 'judge' }, null);
    const seen = record(pixels.slice(0, 7).map((hash) => [hash, 'training']));
    const renamed = { ...dataset, files: dataset.files.map((_, n) => `elsewhere/${n}.png`) };
    for (const purpose of ['judge', 'choose'] as const) {
      const left = await leaveOutSeen(renamed, { ...part, purpose }, seen);
      expect(left).toMatchObject({ inTraining: 0, leftOut: 7, pixels: pixels.slice(7) });
      expect(left.dataset.files).toEqual(renamed.files.slice(7));
    }
  });

  test('judges, and is told, where there are no others or they are of a test; it chooses only where somebody insists', async () => {
    const dataset = await loose();
    const { pixels } = await leaveOutSeen(dataset, { ...part, purpose: 'judge' }, null);
    const all = record(pixels.map((hash) => [hash, 'training']));
    const some = record(pixels.slice(0, 3).map((hash) => [hash, 'training']));
    expect(await leaveOutSeen(dataset, { ...part, purpose: 'judge' }, all)).toMatchObject({
      inTraining: 10,
      leftOut: 0,
    });
    expect(await leaveOutSeen(dataset, { part: 'test', isInsisted: false, purpose: 'judge' }, some)).toMatchObject({
      ...{ inTraining: 3, leftOut: 0 },
    });
    await expect(leaveOutSeen(dataset, { ...part, purpose: 'choose' }, all)).rejects.toThrow(
      'expects pictures that did not train the model, got 10 that all did',
    );
    const insisted = await leaveOutSeen(dataset, { ...part, isInsisted: true, purpose: 'choose' }, some);
    expect(insisted).toMatchObject({ inTraining: 3, leftOut: 0 });
  });
});

describe('a run', () => {
  test('remembers its pictures by what the model sees of them', async () => {
    const [training, validation] = await Promise.all(
      (['training', 'validation'] as const).map(async (insisted) =>
        load((await picturesFor('judge', join(folder, 'divided'), { record: null, insisted })).files),
      ),
    );
    const manifest = await pictureManifest({ training, validation });
    const run = join(folder, 'runs/remembers');
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'pictures.jsonl'), manifest);
    expect(await picturesOfModel(join(run, 'best.safetensors'))).toBeNull(); // not a run: anybody may have such a file
    writeFileSync(join(run, 'config.json'), '{}');
    const uses = [...((await picturesOfModel(join(run, 'best.safetensors'))) ?? [])].map(([, use]) => use);
    // val/ has copies of training pictures: they count as what they were used for first
    expect(uses).toEqual(Array.from({ length: 8 }, () => 'training'));
    const older = manifest.replaceAll(/,"pixels":\d+/g, '');
    expect(changedPictures(older, manifest)).toBe('another order of the pictures');
    writeFileSync(join(run, 'pictures.jsonl'), older);
    expect(await picturesOfModel(join(run, 'best.safetensors'))).toBeNull();
    writeFileSync(join(run, 'pictures.jsonl'), '{');
    await expect(picturesOfModel(join(run, 'best.safetensors'))).rejects.toThrow('expects the pictures of a run');
  });

  test('says of each of its pictures what its best model makes of it', async () => {
    noteDevice('cpu');
    writeFiles(folder, { 'odd/gap/=1,"2".png': noisyPng('dark', 1), 'odd/ok/b.png': noisyPng('bright', 2) });
    const dataset = await load((await picturesFor('judge', join(folder, 'odd'), { record: null })).files);
    const run = await openRun(join(folder, 'runs'), 'judged');
    await run.writeModel(await bytesOf(tinyModel()), { isBest: true });
    const device = await openDevice('cpu');
    const relative = { ...dataset, files: dataset.files.map((file) => basename(file)) };
    const { training, test: none } = await judgeRun(run, device, { training: relative, test: null });
    device.destroy();
    expect([training?.pictures, none]).toEqual([2, undefined]);
    const table = Papa.parse<Record<string, string>>(readFileSync(run.path('predictions'), 'utf8'), {
      ...{ header: true, skipEmptyLines: true },
    });
    expect(table.errors).toEqual([]);
    expect(table.data).toEqual(
      training?.judged.verdicts.map((verdict, n) => ({
        ...{ file: [`'=1,"2".png`, 'b.png'][n], label: ['gap', 'ok'][n], split: 'training', class: verdict.class },
        ...{ alert: String(verdict.alert), unlike: '', unknown: '' },
        ...{ 'p(gap)': String(verdict.probabilities['gap']), 'p(ok)': String(verdict.probabilities['ok']) },
      })),
    );
  });
});

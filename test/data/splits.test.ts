import { describe, expect, test } from 'vitest';
import { foldOf, splitByGroup } from '../../src/data/dataset.js';
import { openSplits } from '../../src/data/sources/splits.node.js';
import { DataError, UsageError } from '../../src/errors.js';
import { temporaryFolder } from './make-pictures.js';

const rows = (...lines: string[]): string => `${lines.join('\n')}\n`;

describe('a manifest', () => {
  test('.csv: paths beside it, labels, parts; quotes as RFC 4180 has them', async () => {
    const folder = temporaryFolder({
      'set.csv': rows(
        '\uFEFFpath,label,split',
        'a/1.png,gap,train',
        '"a,b/""2"".png",ok,Training',
        '',
        'b/3.png,gap,val',
        'c/../b/5.png ,ok,val',
        ',,',
        '/elsewhere/4.png,ok,test',
        '/elsewhere/5.png,gap,test',
      ).replaceAll('\n', '\r\n'),
    });
    const { training, validation, test: last, layout } = await openSplits(`${folder}/set.csv`);
    expect(training.classNames).toEqual(['gap', 'ok']);
    expect(training.files).toEqual([
      { path: `${folder}/a,b/"2".png`, label: 1 },
      { path: `${folder}/a/1.png`, label: 0 },
    ]);
    expect(validation?.files).toEqual([
      { path: `${folder}/b/3.png`, label: 0 },
      { path: `${folder}/b/5.png`, label: 1 },
    ]);
    expect(last?.files).toHaveLength(2);
    expect(layout).toMatch(/^training on .*, validating on .*, .* left for evaluate$/);
  });

  test('.jsonl: the same, and numbers as labels', async () => {
    const folder = temporaryFolder({
      'set.jsonl': rows('{"path": "1.png", "label": 0}', '', '{"path": "2.png", "label": 1}'),
    });
    const { training, validation } = await openSplits(`${folder}/set.jsonl`);
    expect(training.classNames).toEqual(['0', '1']);
    expect(training.files[1]).toEqual({ path: `${folder}/2.png`, label: 1 });
    expect(validation).toBeNull();
  });

  test('groups in a column are kept together', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `${i}.png,${i % 2 ? 'ok' : 'gap'},shift${Math.floor(i / 4)}`);
    const folder = temporaryFolder({ 'set.csv': rows('path,label,group', ...lines) });
    const { training, validation, layout } = await openSplits(`${folder}/set.csv`, { split: 0.3, seed: 5 });
    const groups = (files: readonly { group?: string }[]) => new Set(files.map(({ group }) => group));
    expect(validation?.files).toHaveLength(12);
    expect([...groups(training.files)].filter((group) => groups(validation!.files).has(group))).toEqual([]);
    expect(layout).toContain('10 groups kept together');
  });

  test('.csv of a spreadsheet where the comma is decimal, in quotes, with old line breaks', async () => {
    const folder = temporaryFolder({ 'set.csv': 'path;label\r"a;1.png";ok\r2,5.png;gap\r\n' });
    const { training } = await openSplits(`${folder}/set.csv`);
    expect(training.files.map(({ path, label }) => [path, label])).toEqual([
      [`${folder}/2,5.png`, 0],
      [`${folder}/a;1.png`, 1],
    ]);
  });

  test.each([
    ['path,label\n"1\n.png",ok\n\n2.png', /line 5: expects 2 cells, got 1/],
    ['path,label,Label\n1.png,ok,gap', /each column once, got 'label' twice/],
    ['path,label\n1.png,ok\n./x/../1.png,ok', /line 3: .\/x\/..\/1.png stands in line 2 already/],
    ['path,label\n1.png,ok\n2.png,ok', /expects 2 to 256 classes, got 1: ok/],
    ['path,label,split\n1.png,ok,\n2.png,gap,\n3.png,ok,val', /every class for validation, got none of 'gap'/],
    ['path,label\n1.png,ok\n2.png,"o"k', /line 3: a quote is not closed, or stands within a cell/],
    ['file,label\n1.png,ok', /expects a first line with the columns path,label/],
    ['path,label\n1.png', /line 2: expects 2 cells, got 1/],
    ['path,label\n1.png,', /line 2: expects a path and a label/],
    ['path,label,split\n1.png,ok,later', /line 2: split: expects train, val or test, got 'later'/],
    ['path,label\n1.png,ok\n1.png,gap', /line 3: 1.png stands in line 2 already/],
    ['path,label\n"1.png,ok', /line 2: a quote is not closed/],
    ['path,label\n', /expects a line for each picture, got none/],
    ['', /expects a first line|got none/],
  ])('that cannot be used is refused with its line: %j', async (content, message) => {
    const folder = temporaryFolder({ 'set.csv': content });
    await expect(openSplits(`${folder}/set.csv`)).rejects.toThrow(message);
    await expect(openSplits(`${folder}/set.csv`)).rejects.toThrow(DataError);
  });

  test('in another encoding is refused, rather than naming files that are not there', async () => {
    const folder = temporaryFolder({ 'set.csv': Buffer.from('path,label\nb\u00e4nder.png,ok\n', 'latin1') });
    await expect(openSplits(`${folder}/set.csv`)).rejects.toThrow(/expects text in UTF-8, .* "CSV UTF-8"/);
  });

  test('a line that is no object, and a thousand labels', async () => {
    const folder = temporaryFolder({
      'a.jsonl': 'x',
      'b.csv': rows('path,label', ...Array.from({ length: 300 }, (_, i) => `${i}.png,${i}`)),
    });
    await expect(openSplits(`${folder}/a.jsonl`)).rejects.toThrow(/line 1: expects an object/);
    await expect(openSplits(`${folder}/b.csv`)).rejects.toThrow(/at most 256 classes, got 300/);
  });
});

describe('what chooses', () => {
  const names = (part: string, count: number) => Array.from({ length: count }, (_, index) => `${part}/${index}.png`);
  const folderOf = (...paths: string[]) => temporaryFolder(Object.fromEntries(paths.map((path) => [path, ''])));
  const paths = (list: { files: readonly { path: string }[] } | null) => list?.files.map(({ path }) => path) ?? [];

  test.each([
    ['training_set', 'test_set', 'test'],
    ['train', 'test', 'test'],
    ['train', 'val', 'validation'],
    ['train', 'validation', 'validation'],
    ['Train', 'Test', 'test'],
  ] as const)('of %s + %s', async (training, other, role) => {
    const folder = folderOf(...[training, other].flatMap((part) => [`${part}/a/1.png`, `${part}/b/1.png`]));
    const parts = await openSplits(folder);
    expect(paths(parts.training)[0]).toBe(`${folder}/${training}/a/1.png`);
    expect(paths(parts[role])[0]).toBe(`${folder}/${other}/a/1.png`);
    expect(parts[role === 'test' ? 'validation' : 'test']).toBeNull();
  });

  test('a training folder alone, classes that differ, folders that are none', async () => {
    const alone = folderOf('train/a/1.png', 'train/b/1.png');
    expect(await openSplits(alone)).toMatchObject({
      training: { name: `${alone}/train` },
      validation: null,
      test: null,
    });
    const other = openSplits(folderOf('train/ok/1.png', 'train/gap/1.png', 'test/ok/1.png', 'test/Gap/1.png'));
    await expect(other).rejects.toThrow(DataError);
    await expect(other).rejects.toThrow(/test: expects the classes of .*train \(gap, ok\), got Gap, ok/);
    await expect(openSplits(`${alone}/missing`)).rejects.toThrow(DataError);
    await expect(openSplits(folderOf('val/a/1.png', 'val/b/1.png', 'test/a/1.png', 'test/b/1.png'))).rejects.toThrow(
      /give one of them/,
    );
  });

  test('a split: of class folders, stratified, the same for a seed; not of what is divided already', async () => {
    const folder = folderOf(...names('a', 10), ...names('b', 20), 'a/x.gif');
    const { training, validation, layout, ...rest } = await openSplits(folder, { split: 0.2, seed: 5 });
    expect(validation?.files.map(({ label }) => label)).toEqual([0, 0, 1, 1, 1, 1]);
    expect([...paths(training), ...paths(validation)].toSorted()).toEqual(paths((await openSplits(folder)).training));
    expect(layout).toBe(`${folder}, 0.2 of it for validation`);
    expect(rest).toEqual({ test: null, validationFrom: 'split', holdBack: 0 });
    expect([training.skipped.length, validation?.skipped.length]).toEqual([1, 0]);
    expect(paths((await openSplits(folder, { split: 0.2, seed: 5 })).validation)).toEqual(paths(validation));
    expect(paths((await openSplits(folder, { split: 0.2, seed: 6 })).validation)).not.toEqual(paths(validation));
    await expect(openSplits(folder, { split: 1.5 })).rejects.toThrow(UsageError);
    await expect(openSplits(folder, { split: 0.2, holdBack: 0.1 })).rejects.toThrow(/leave one out/);
    for (const other of ['val', 'test']) {
      const divided = folderOf('train/a/1.png', 'train/b/1.png', `${other}/a/1.png`, `${other}/b/1.png`);
      await expect(openSplits(divided, { split: 0.2 })).rejects.toThrow(/nothing to split; leave the split out/);
    }
  });

  test('held back: of the training alone, where there is no val/, and enough of each class; the test stays apart', async () => {
    const train = [...names('train/a', 20), ...names('train/b', 40)];
    const last = [...names('test/a', 3), ...names('test/b', 3)];
    const folder = folderOf(...train, ...last);
    const held = await openSplits(folder, { holdBack: 'auto' });
    expect(held).toMatchObject({ validationFrom: 'held back', holdBack: 0.15, test: { name: `${folder}/test` } });
    expect(held.validation?.files.map(({ label }) => label)).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect([...paths(held.training), ...paths(held.validation)].toSorted()).toEqual(
      train.map((path) => `${folder}/${path}`).toSorted(),
    );
    expect(held.layout).toBe(
      `training on ${folder}/train, 0.15 of it held back for validation, ${folder}/test left for evaluate`,
    );
    expect(await openSplits(folder)).toMatchObject({ validation: null, validationFrom: null, holdBack: 0 });

    const few = folderOf(...train.slice(1), ...last);
    expect(await openSplits(few, { holdBack: 'auto' })).toMatchObject({ validation: null, holdBack: 0 });
    expect((await openSplits(few, { holdBack: 0.5 })).validation?.files).toHaveLength(30);

    const own = folderOf(...train, 'val/a/1.png', 'val/b/1.png', ...last);
    const { training, validation, validationFrom } = await openSplits(own, { holdBack: 'auto' });
    expect([training.files.length, validation?.files.length, validationFrom]).toEqual([60, 2, 'the data']);
  });

  test('who insists has the test choose; nothing is left to judge then', async () => {
    const folder = folderOf(
      ...names('train/a', 20),
      ...names('train/b', 20),
      ...names('test/a', 3),
      ...names('test/b', 3),
    );
    const insisted = await openSplits(folder, { holdBack: 'auto', validateOnTest: true });
    expect(insisted).toMatchObject({ validationFrom: 'test', test: null, validation: { name: `${folder}/test` } });
    expect(insisted.training.files).toHaveLength(40);
    await expect(openSplits(`${folder}/train`, { validateOnTest: true })).rejects.toThrow(
      /expects pictures for a test/,
    );
  });

  test('groups are kept together, and where they cannot be parted nothing is held back by itself', async () => {
    const table = (groups: number) =>
      rows(
        'path,label,group',
        ...Array.from({ length: 60 }, (_, i) => `${i}.png,${i % 2 ? 'ok' : 'gap'},shift${i % groups}`),
      );
    const folder = temporaryFolder({ 'many.csv': table(15), 'one.csv': table(1) });
    const { training, validation } = await openSplits(`${folder}/many.csv`, { holdBack: 'auto' });
    const shifts = (files: readonly { group?: string }[]) => new Set(files.map(({ group }) => group));
    expect([...shifts(training.files)].filter((shift) => shifts(validation!.files).has(shift))).toEqual([]);
    expect(await openSplits(`${folder}/one.csv`, { holdBack: 'auto' })).toMatchObject({ validation: null });
    await expect(openSplits(`${folder}/one.csv`, { holdBack: 0.2 })).rejects.toThrow(DataError);
  });
});

describe('--group-by', () => {
  const folder = () =>
    temporaryFolder(
      Object.fromEntries(
        Array.from({ length: 60 }, (_, i) => [
          `${i % 3 ? 'ok' : 'gap'}/day${i % 10}_${String(i).padStart(2, '0')}.png`,
          '',
        ]),
      ),
    );

  test('keeps together what matches alike, and is the same each time', async () => {
    const path = folder();
    const options = { split: 0.2, seed: 1, groupBy: /day(\d)/ };
    const { training, validation } = await openSplits(path, options);
    const days = (files: readonly { path: string }[]) => new Set(files.map((file) => /day(\d)/.exec(file.path)?.[1]));
    expect([...days(training.files)].filter((day) => days(validation!.files).has(day))).toEqual([]);
    expect(days(validation!.files).size).toBe(2);
    expect(new Set(validation!.files.map(({ label }) => label)).size).toBe(2);
    expect((await openSplits(path, options)).validation?.files).toEqual(validation?.files);
    const other = await openSplits(path, { ...options, seed: 2 });
    expect(other.validation?.files).not.toEqual(validation?.files);
  });

  test('needs a split, and a match for every picture', async () => {
    const path = folder();
    await expect(openSplits(path, { groupBy: /x/ })).rejects.toThrow(UsageError);
    await expect(openSplits(path, { groupBy: /shift/, split: 0.2 })).rejects.toThrow(
      /day0_00.png: expects a path that matches/,
    );
    await expect(openSplits(path, { groupBy: /gap|ok/, split: 0.2 })).rejects.toThrow(/class '\w+' has 1 group/);
  });
});

test('a split by groups comes near to the fraction in every class', () => {
  const groups = Array.from({ length: 1000 }, (_, i) => `g${Math.floor(i / 20)}`);
  const labels = Array.from({ length: 1000 }, (_, i) => (i % 20 < 3 ? 1 : 0)); // 15 % are of class 1
  const data = { labels, groups, classNames: ['a', 'b'] };
  for (let seed = 0; seed < 20; seed++) {
    const { training, validation } = splitByGroup(data, 0.2, seed);
    expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual(labels.map((_, i) => i));
    expect(validation).toHaveLength(200);
    expect(validation.filter((i) => labels[i] === 1)).toHaveLength(30);
  }
});

describe('folds', () => {
  const labels = Array.from({ length: 53 }, (_, index) => Number(index % 4 === 0));
  const classNames = ['ok', 'gap'];

  test.each([null, labels.map((_, index) => `shift${Math.floor(index / 4)}`)])(
    'each sample is in the validation of one of them, groups and classes evenly (%#)',
    (groups) => {
      const folds = Array.from({ length: 5 }, (_, index) =>
        foldOf({ labels, classNames, groups }, { index, of: 5 }, 3),
      );
      expect(folds.flatMap(({ validation }) => validation).toSorted((a, b) => a - b)).toEqual([...labels.keys()]);
      for (const { training, validation } of folds) {
        expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual([...labels.keys()]);
        const gaps = validation.filter((sample) => labels[sample] === 1).length;
        expect(gaps).toBeGreaterThanOrEqual(2);
        expect(gaps).toBeLessThanOrEqual(4);
        const groupsIn = (part: readonly number[]) => new Set(part.map((sample) => groups?.[sample] ?? sample));
        const judging = groupsIn(validation);
        expect([...groupsIn(training)].filter((group) => judging.has(group))).toEqual([]);
      }
    },
  );

  test('refused where a class is not in each', () => {
    expect(() => foldOf({ labels: [0, 0, 0, 1], classNames }, { index: 0, of: 3 }, 0)).toThrow(/'gap' has too few/);
    expect(() => foldOf({ labels, classNames }, { index: 0, of: 1 }, 0)).toThrow(UsageError);
  });
});

import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditSets, listSets } from '../../src/data/audit/audit-folders.node.js';
import { auditSheet } from '../../src/data/audit/audit-sheet.node.js';
import type { AuditReport, FindingKind } from '../../src/data/audit/report.js';
import { Clusters, nearJoins, thumbnailDistance } from '../../src/data/audit/near-duplicates.js';
import { goldenFile } from './golden.js';
import { makePng, plainPng, temporaryFolder } from './make-pictures.js';

const size = { width: 8, height: 8 };

/** A picture of coarse blocks, its own for each seed; `noise` changes its pixels a little, not its looks. */
function picture(seed: number, { noise = 0, side = 32, low = 60, high = 200 } = {}): Buffer {
  const level = (cell: number): number => {
    let mixed = Math.imul(seed * 64 + cell + 1, 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae3d);
    return low + (((mixed ^ (mixed >>> 16)) >>> 0) % (high - low));
  };
  const rows = new Uint8Array(side * (1 + 3 * side));
  for (let row = 0; row < side; row++) {
    for (let at = 0; at < 3 * side; at++) {
      const cell = Math.floor((row * 8) / side) * 8 + Math.floor((Math.floor(at / 3) * 8) / side);
      const jitter = noise === 0 ? 0 : (Math.imul(row * 997 + at + noise, 2654435761) >>> 0) % 3;
      rows[row * (1 + 3 * side) + 1 + at] = level(cell) + jitter + (at % 3);
    }
  }
  return makePng({ width: side, height: side, rows });
}

const many = (folder: string, first: number, count: number, options = {}): Record<string, Buffer> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${folder}/${first + i}.png`, picture(first + i, options)] as const),
  );

async function auditOf(folders: readonly string[], options = {}): Promise<AuditReport> {
  return auditSets(await listSets(folders), { size, workers: 0, ...options });
}

const kinds = ({ findings }: AuditReport): FindingKind[] => findings.map(({ kind }) => kind);
const finding = (report: AuditReport, kind: FindingKind) => report.findings.find((one) => one.kind === kind);

const sound = {
  ...many('train/a', 100, 25),
  ...many('train/b', 200, 25),
  ...many('test/a', 300, 25),
  ...many('test/b', 400, 25),
};

describe('an audit', () => {
  test('finds nothing in sound pictures', async () => {
    const report = await auditOf([temporaryFolder(sound)]);
    expect(report.findings).toEqual([]);
    expect(report.sets).toMatchObject([
      { role: 'training', pictures: 50, distinct: 50, effective: 50, classes: { a: 25, b: 25 } },
      { role: 'validation', pictures: 50, distinct: 50, effective: 50 },
    ]);
  });

  test('counts copies and near copies within a set', async () => {
    const folder = temporaryFolder({
      ...sound,
      'train/a/copy.png': picture(100),
      'train/a/nearly.png': picture(101, { noise: 7 }),
      'train/a/larger.png': picture(102, { side: 64 }),
    });
    const report = await auditOf([folder]);
    expect(report.sets[0]).toMatchObject({ pictures: 53, distinct: 52, effective: 50 });
    expect(finding(report, 'duplicates')?.groups).toEqual([
      [`${folder}/train/a/100.png`, `${folder}/train/a/copy.png`],
    ]);
    expect(finding(report, 'near duplicates')?.groups).toEqual([
      [`${folder}/train/a/101.png`, `${folder}/train/a/nearly.png`],
      [`${folder}/train/a/102.png`, `${folder}/train/a/larger.png`],
    ]);
    const exact = await auditOf([folder], { near: 0 });
    expect(exact.sets[0]).toMatchObject({ distinct: 52, effective: 51 }); // the larger one has the very same thumbnail
  });

  test('finds leaks between training, validation and pictures to predict', async () => {
    const folder = temporaryFolder({
      ...sound,
      'test/a/leak.png': picture(100),
      'new/one.png': picture(401, { noise: 3 }),
      'new/two.png': picture(500),
    });
    const report = await auditOf([folder]);
    const leaks = report.findings.filter(({ kind }) => kind === 'leak');
    expect(leaks.map(({ severity, groups }) => [severity, groups])).toEqual([
      ['problem', [[`${folder}/train/a/100.png`, `${folder}/test/a/leak.png`]]],
      ['problem', [[`${folder}/test/b/401.png`, `${folder}/new/one.png`]]],
    ]);
    expect(leaks[1].message).toMatch(/share 1 picture, 0 of them equal and 1 nearly: 1 file of .*new is in .*test too/);
    expect(leaks[0].advice).toMatch(/learned by heart/);
  });

  test('shows first what makes a group a finding, however many copies there are', async () => {
    const copies = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`train/a/100-${i}.png`, picture(100)]));
    const folder = temporaryFolder({
      ...sound,
      ...copies,
      'train/a/near.png': picture(100, { noise: 7 }),
      'train/b/wrong.png': picture(100),
      'test/a/leak.png': picture(100),
    });
    const report = await auditOf([folder]);
    const firstTwo = (kind: FindingKind) => finding(report, kind)?.groups[0].slice(0, 2);
    expect(firstTwo('leak')).toEqual([`${folder}/train/a/100-0.png`, `${folder}/test/a/leak.png`]);
    expect(firstTwo('label conflict')).toEqual([`${folder}/train/a/100-0.png`, `${folder}/train/b/wrong.png`]);
    expect(firstTwo('near duplicates')).toEqual([`${folder}/train/a/100-0.png`, `${folder}/train/a/near.png`]);
    expect(finding(report, 'leak')?.groups[0]).toHaveLength(13);
  });

  test('finds a picture under two labels', async () => {
    const report = await auditOf([temporaryFolder({ ...sound, 'train/b/wrong.png': picture(100) })]);
    expect(finding(report, 'label conflict')).toMatchObject({
      severity: 'problem',
      message: '1 picture stands under two labels',
    });
  });

  test('names what cannot be used, and bad pictures', async () => {
    const folder = temporaryFolder({
      ...sound,
      'train/a/cut.png': picture(1).subarray(0, 200),
      'train/a/other.webp': 'RIFF',
      'train/a/blank.png': plainPng(32, 32, [90, 90, 92]),
      'train/a/dark.png': picture(2, { low: 0, high: 12 }),
      'train/a/bright.png': picture(3, { low: 240, high: 254 }),
      'train/a/tiny.png': picture(4, { side: 8 }),
      'train/a/really.jpg': picture(5),
      'train/a/gray.jpg': goldenFile('images/jpeg_gray.jpg'),
    });
    const report = await auditOf([folder]);
    expect(kinds(report).toSorted()).toEqual([
      'blank',
      'mixed colours',
      'mixed sizes',
      'overexposed',
      'tiny',
      'underexposed',
      'unusable',
      'wrong extension',
    ]);
    const files = (kind: FindingKind) =>
      finding(report, kind)
        ?.groups.flat()
        .map((file) => file.slice(folder.length + 9));
    expect(files('unusable')?.toSorted()).toEqual(['cut.png', 'other.webp']);
    expect(files('blank')).toEqual(['blank.png']);
    expect(files('underexposed')).toEqual(['dark.png']);
    expect(files('overexposed')).toEqual(['bright.png']);
    expect(files('tiny')).toEqual(['tiny.png']);
    expect(files('wrong extension')).toEqual(['really.jpg']);
    expect(files('mixed colours')).toEqual(['gray.jpg']);
    for (const { advice } of report.findings) expect(advice.length).toBeGreaterThan(20);
  });

  test('sees a camera that hangs, a rare class and too few pictures', async () => {
    const frozen = Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [`train/a/frame${i + 8}.png`, picture(600, { noise: i + 1 })]),
    );
    const report = await auditOf([
      temporaryFolder({ ...many('train/a', 100, 70), ...many('train/b', 200, 10), ...frozen }),
    ]);
    const run = finding(report, 'frozen camera')?.groups[0].map((file) => file.split('/').at(-1));
    // In the order of their numbers, not of their letters.
    expect(run).toEqual(['frame8.png', 'frame9.png', 'frame10.png', 'frame11.png', 'frame12.png', 'frame13.png']);
    expect(finding(report, 'imbalance')?.advice).toMatch(/88 % right; take more of 'b'/);
    expect(finding(report, 'few pictures')?.message).toMatch(/b 10$/);
  });

  test('looks at folders that are not divided yet as at a training set', async () => {
    const uneven = await auditOf([temporaryFolder({ ...many('gap', 100, 10), ...many('ok', 300, 150) })]);
    expect(finding(uneven, 'imbalance')?.message).toMatch(/150 pictures of 'ok', 10 of 'gap'/);
    const few = await auditOf([temporaryFolder({ ...many('gap', 100, 2), ...many('ok', 300, 2) })]);
    expect(finding(few, 'few pictures')).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/gap 2, ok 2$/),
      advice: expect.stringContaining('learns 20 or fewer by heart'),
    });
    // Pictures without labels have no classes to be few or uneven.
    expect(kinds(await auditOf([temporaryFolder(many('new', 100, 2))]))).toEqual([]);
  });

  test('shows one picture of each of a few sizes, and not a group for each of hundreds', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`${n % 2 ? 'a' : 'b'}/${n}.png`, picture(n, { side: 20 + n })] as const),
    );
    const report = await auditOf([temporaryFolder(files)]);
    const { groups, message } = finding(report, 'mixed sizes') ?? { groups: [], message: '' };
    expect(message).toContain('40 sizes');
    expect(groups.map(({ length }) => length)).toEqual([6]);
  });

  test('tells pictures that their EXIF orientation would turn, unless they are turned', async () => {
    const folder = temporaryFolder({ 'new/a.jpg': goldenFile('images/jpeg_exif_6.jpg'), 'new/b.png': picture(1) });
    const turned = finding(await auditOf([folder]), 'turned');
    expect(turned).toMatchObject({
      groups: [[expect.stringMatching(/a\.jpg$/)]],
      advice: expect.stringContaining('--exif'),
    });
    expect(finding(await auditOf([folder], { exif: true }), 'turned')).toBeUndefined();
  });

  test('sees that a group is parted', async () => {
    const rows = Array.from(
      { length: 50 },
      (_, i) => `${100 + i}.png,${i % 2 ? 'a' : 'b'},shift${i < 30 ? 1 : 2},${i < 25 ? 'train' : 'val'}`,
    );
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${100 + i}.png`, picture(100 + i)]));
    const folder = temporaryFolder({ 'set.csv': `path,label,group,split\n${rows.join('\n')}`, ...files });
    const report = await auditOf([`${folder}/set.csv`]);
    expect(finding(report, 'group leak')?.message).toBe('1 group (shift1) is in training and validation');
  });

  test('changes nothing', async () => {
    const folder = temporaryFolder({ ...sound, 'train/a/copy.png': picture(100), 'train/a/bad.png': 'x' });
    const state = () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .toSorted()
        .map((path) => [path, statSync(`${folder}/${path}`).mtimeMs, statSync(`${folder}/${path}`).size]);
    const before = state();
    await auditOf([folder]);
    expect(state()).toEqual(before);
  });

  test('takes folders as they are given, and refuses what holds no pictures', async () => {
    const folder = temporaryFolder({ ...sound, 'empty/notes.txt': '' });
    const lists = await listSets([`${folder}/test`, `${folder}/train/a`]);
    expect(lists.map(({ role, classNames, files }) => [role, classNames, files.length])).toEqual([
      ['validation', ['a', 'b'], 50],
      ['pictures', [], 25],
    ]);
    await expect(listSets([`${folder}/empty`])).rejects.toThrow(/expects a folder with pictures, found none/);
    await expect(listSets([`${folder}/nowhere`])).rejects.toThrow(/got nothing: it does not exist/);
  });
});

test('what is joined is what comparing all with all joins, by pairs that are near', async () => {
  const thumbnail = fc.uint8Array({ minLength: 256, maxLength: 256, max: 9 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(thumbnail, { maxLength: 30 }),
      fc.constantFrom(0, 2.7, 2.9, 3, 3.1),
      async (thumbnails, distance) => {
        const isNear = (a: number, b: number) => thumbnailDistance(thumbnails[a], thumbnails[b]) <= distance;
        const found = new Clusters(thumbnails.length);
        for (const [a, b] of await nearJoins(thumbnails, distance)) {
          expect(isNear(a, b)).toBe(true);
          found.join(a, b);
        }
        const expected = new Clusters(thumbnails.length);
        for (let b = 0; b < thumbnails.length; b++) for (let a = 0; a < b; a++) if (isNear(a, b)) expected.join(a, b);
        expect(found.members()).toEqual(expected.members());
      },
    ),
  );
});

// Windows has no such files.
test.runIf(process.platform !== 'win32')('the contact sheet does not wait for a pipe among the pictures', () => {
  const folder = temporaryFolder({});
  execFileSync('mkfifo', [`${folder}/pipe.jpg`]);
  expect(
    auditSheet([{ groups: [[`${folder}/pipe.jpg`]] } as unknown as Parameters<typeof auditSheet>[0][number]], []),
  ).toBeNull();
});

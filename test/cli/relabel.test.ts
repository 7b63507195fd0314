/** Relabelling: a corrected copy, nothing of what was given changed, and nothing written where something is wrong. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNewLabels, relabel } from 'beltnet';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/data/sources/manifest.node.js';
import { beltnetWorks, noisyPng, writeFiles } from './run-beltnet.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-relabel-'));
const home = process.cwd();
beforeAll(() => process.chdir(cwd)); // paths of the table are told from here
afterAll(() => {
  process.chdir(home);
  rmSync(cwd, { recursive: true });
});
const pictures = ['train/gap/a.png', 'train/gap/=b, "c".png', 'train/ok/d.png', 'test/gap/e.png', 'test/ok/f.png'];
const content = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(cwd, folder), { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map((each) => [
        join(each.parentPath, each.name).slice(join(cwd, folder).length + 1),
        readFileSync(join(each.parentPath, each.name), 'base64'),
      ]),
  );

beforeEach(() => {
  for (const name of readdirSync(cwd)) rmSync(join(cwd, name), { recursive: true });
  writeFiles(join(cwd, 'belt'), Object.fromEntries(pictures.map((path, n) => [path, noisyPng('dark', n, 8, 8)])));
  const table =
    'path,label,was\nbelt/train/gap/a.png,ok,gap\n"belt/train/gap/=b, ""c"".png",ok,gap\nbelt/test/ok/f.png,gap,ok\n';
  writeFileSync(join(cwd, 'relabel.csv'), table);
});

test('of class folders: the pictures stand in their new folders, and the folder that was given is as it was', async () => {
  const before = content('belt');
  const said = await beltnetWorks(['relabel', 'relabel.csv', 'belt', '--out', 'new'], { cwd });
  expect(said).toContain('new: 5 files, 3 with a new label; belt is as it was');
  expect(content('belt')).toEqual(before);
  expect(content('new')).toEqual({
    'train/ok/a.png': before['train/gap/a.png'],
    'train/ok/=b, "c".png': before['train/gap/=b, "c".png'],
    'train/ok/d.png': before['train/ok/d.png'],
    'test/gap/e.png': before['test/gap/e.png'],
    'test/gap/f.png': before['test/ok/f.png'],
  });
  // and back
  const back =
    'path,label,was\nnew/train/ok/a.png,gap,ok\n"new/train/ok/=b, ""c"".png",gap,ok\nnew/test/gap/f.png,ok,gap\n';
  writeFileSync(join(cwd, 'back.csv'), back);
  await relabel('new', await readNewLabels('back.csv'), 'again');
  expect(content('again')).toEqual(before);
});

describe('of manifests', () => {
  test.each(['belt.csv', 'belt.jsonl'])(
    '%s: other columns stay, and paths lead to the same files from another folder',
    async (name) => {
      const rows = pictures.map((path) => {
        const [split, label] = path.split('/');
        return { path: `belt/${path}`, label, split, note: 'kept, "so"' };
      });
      const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
      const text = name.endsWith('csv')
        ? ['path,label,split,note', ...rows.map((row) => Object.values(row).map(cell).join(','))].join('\n')
        : rows.map((row) => JSON.stringify(row)).join('\n');
      writeFileSync(join(cwd, name), text);
      mkdirSync('other');
      const out = `other/${name}`;
      await relabel(name, await readNewLabels('relabel.csv'), out);
      expect(readFileSync(join(cwd, name), 'utf8')).toBe(text);
      expect(readFileSync(join(cwd, out), 'utf8').match(/kept/g)).toHaveLength(5);
      const { training } = await readManifest(join(cwd, out));
      expect(
        training?.files.map(({ path, label }) => [path.slice(cwd.length + 1), training.classNames[label]]),
      ).toEqual([
        ['belt/train/gap/=b, "c".png', 'ok'],
        ['belt/train/gap/a.png', 'ok'],
        ['belt/train/ok/d.png', 'ok'],
      ]);
    },
  );
});

describe('nothing is written', () => {
  test.each([
    [
      'a picture that is not there',
      'path,label,was\nbelt/train/gap/zzz.png,ok,gap\n',
      'belt',
      'new',
      3,
      /1 of them are not in it \(belt\/train\/gap\/zzz.png\)/,
    ],
    [
      'a label that changed since',
      'path,label,was\nbelt/train/ok/d.png,gap,gap\n',
      'belt',
      'new',
      3,
      /expects the label 'gap'.*got 'ok'/,
    ],
    [
      'two labels for one picture',
      'path,label,was\nbelt/train/ok/d.png,gap,ok\nbelt/train/ok/d.png,ok,ok\n',
      'belt',
      'new',
      3,
      /once, got it twice/,
    ],
    [
      'a label that leads elsewhere',
      'path,label,was\nbelt/train/ok/d.png,../../x,ok\n',
      'belt',
      'new',
      3,
      /labels that a folder can have/,
    ],
    ['another table', 'file,class\na,b\n', 'belt', 'new', 3, /expects path,label,was/],
    ['a place that is taken', 'path,label,was\nbelt/train/ok/d.png,gap,ok\n', 'belt', 'belt', 2, /which exists/],
    [
      'a place among the pictures',
      'path,label,was\nbelt/train/ok/d.png,gap,ok\n',
      'belt',
      'belt/new',
      2,
      /a place outside of belt/,
    ],
  ])('for %s', async (_, table, source, out, code, words) => {
    writeFileSync(join(cwd, 'relabel.csv'), table);
    const before = content('.');
    const done = readNewLabels('relabel.csv').then((labels) => relabel(source, labels, out));
    await expect(done).rejects.toMatchObject({ exitCode: code, message: expect.stringMatching(words) });
    expect(content('.')).toEqual(before);
    expect(existsSync(join(cwd, `${out}.unfinished`))).toBe(false);
  });
});

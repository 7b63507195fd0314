import { copyFileSync, readdirSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { FileDigests } from '../../src/data/store/file-digests.node.js';
import { temporaryFolder } from './make-pictures.js';

const digest = (value: number): Uint8Array => new Uint8Array(32).fill(value);

/** The clock ten seconds on, so that files made now have rested. */
const later = () => vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000);
afterEach(() => void vi.restoreAllMocks());

/** A folder with files whose digests were noted and saved. */
function noted(names: readonly string[]): { folder: string; cache: string; at: (name: string) => string } {
  const folder = temporaryFolder(Object.fromEntries(names.map((name) => [name, 'as it was'])));
  const cache = temporaryFolder();
  const at = (name: string) => `${folder}/${name}`;
  later();
  const digests = new FileDigests(cache, folder);
  for (const [index, name] of names.entries()) {
    expect(digests.find(at(name))).toBeNull();
    digests.note(at(name), digest(index));
  }
  digests.save();
  return { folder, cache, at };
}

test('a file that rests is known in the next run', () => {
  const { folder, cache, at } = noted(['a', 'b']);
  const digests = new FileDigests(cache, folder);
  expect([digests.find(at('a')), digests.find(at('b'))].map((found) => found?.[0])).toEqual([0, 1]);
  expect(digests.find(at('c'))).toBeNull();
});

test.each<[string, (path: string) => void]>([
  ['written again with the same size', (path) => writeFileSync(path, 'as it is ')],
  [
    'written again and given its old modification time',
    (path) => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, 'as it is ');
      utimesSync(path, atime, mtime);
    },
  ],
  [
    'replaced by another of the same size and modification time',
    (path) => {
      const { atime, mtime } = statSync(path);
      copyFileSync(path, `${path}.new`);
      utimesSync(`${path}.new`, atime, mtime);
      renameSync(`${path}.new`, path);
    },
  ],
  ['of another size', (path) => writeFileSync(path, 'longer than it was')],
  ['gone', (path) => unlinkSync(path)],
])('a file that was %s is not known', (_, change) => {
  const { folder, cache, at } = noted(['a', 'b']);
  change(at('a'));
  const digests = new FileDigests(cache, folder);
  expect(digests.find(at('a'))).toBeNull();
  expect(digests.find(at('b'))).not.toBeNull();
});

test('a file that has just been written is not remembered: it may change within the grain of its times', () => {
  const folder = temporaryFolder({ a: 'young' });
  const cache = temporaryFolder();
  const digests = new FileDigests(cache, folder);
  digests.find(`${folder}/a`);
  digests.note(`${folder}/a`, digest(1));
  digests.save();
  expect(readdirSync(cache)).toEqual([]);
});

test('a damaged list is as good as none, and parts of a folder do not forget each other', () => {
  const { folder, cache, at } = noted(['a', 'b', 'c']);
  const part = new FileDigests(cache, folder);
  writeFileSync(at('d'), 'new');
  later();
  const second = new FileDigests(cache, folder);
  second.find(at('d'));
  second.note(at('d'), digest(9));
  second.save();
  expect(new FileDigests(cache, folder).find(at('b'))?.[0]).toBe(1);
  expect(part.find(at('a'))?.[0]).toBe(0);
  const [list] = readdirSync(`${cache}/files`);
  writeFileSync(`${cache}/files/${list}`, '{"version":1,"entries":[["');
  expect(new FileDigests(cache, folder).find(at('a'))).toBeNull();
});

import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PictureCache } from '../../src/data/store/cache.node.js';
import { cacheDirectory, isWithin } from '../../src/data/store/cache-place.node.js';
import type { Dataset } from '../../src/data/dataset.js';
import { listClassFolders } from '../../src/data/sources/folder.node.js';
import { loadDataset } from '../../src/data/store/load-dataset.node.js';
import { readFacts } from '../../src/data/audit/picture-facts.js';
import { plainPng, temporaryFolder } from './make-pictures.js';

const size = { width: 4, height: 3 };
const length = 36;
const numbered = (n: number) => plainPng(8, 8, [10 * n, 0, 0]);

/** Files of two classes, old enough for their digests to be remembered. */
function pictureFolder(numbers: readonly number[]): string {
  const folder = temporaryFolder(
    Object.fromEntries(numbers.map((n) => [`${n % 2 ? 'a' : 'b'}/${n}.png`, numbered(n)])),
  );
  return folder;
}

async function pixels({ pictures, labels }: Dataset): Promise<number[]> {
  if (pictures instanceof Uint8Array) return labels.length === 0 ? [] : Array.from(pictures);
  const target = new Uint8Array(pictures.count * length);
  await pictures.read(
    Uint32Array.from({ length: pictures.count }, (_, i) => i),
    target,
  );
  return Array.from(target);
}

const packsOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(directory, name));

describe('a cache', () => {
  test('gives what decoding gives, then and in the next run, and decodes nothing twice', async () => {
    const folder = pictureFolder([1, 2, 3, 4, 5]);
    const directory = temporaryFolder();
    const list = listClassFolders(folder);
    const plain = await loadDataset(list, { size });
    for (const workers of [0, 2]) {
      const cache = new PictureCache(directory);
      const cached = await loadDataset(list, { size, cache, workers });
      expect(await pixels(cached)).toEqual(await pixels(plain));
      expect(cached.files).toEqual(plain.files);
      expect(cached.labels).toEqual(plain.labels);
      for (let index = 0; index < 5; index++) {
        expect(cached.records?.digest(index)).toEqual(plain.records?.digest(index));
        expect(readFacts(cached.records!.facts(index))).toEqual(readFacts(plain.records!.facts(index)));
      }
    }
    expect(packsOf(directory)).toHaveLength(1);
  });

  test('knows pictures by their content: moved, renamed and repeated ones are not decoded again', async () => {
    const directory = temporaryFolder();
    await loadDataset(listClassFolders(pictureFolder([1, 2, 3])), { size, cache: new PictureCache(directory) });
    const moved = temporaryFolder({
      'x/one.png': numbered(1),
      'x/again.png': numbered(1),
      'y/two.jpg': numbered(2),
      'y/new.png': numbered(7),
      'y/new-too.png': numbered(7),
    });
    const list = listClassFolders(moved);
    const dataset = await loadDataset(list, { size, cache: new PictureCache(directory) });
    expect(await pixels(dataset)).toEqual(await pixels(await loadDataset(list, { size })));
    const packs = packsOf(directory).map((path) => readFileSync(path).length);
    const alone = 16 + 64 + length + 4 + 280 + 36; // header, trailer, one picture, its checksum, its facts, its entry in the index
    expect(packs.toSorted((a, b) => a - b)[0]).toBe(alone);
    expect(packs).toHaveLength(2);
  });

  test('keeps pictures of different preparations apart', async () => {
    const folder = pictureFolder([1, 2]);
    const cache = new PictureCache(temporaryFolder());
    for (const options of [{ size }, { size: { width: 3, height: 4 } }, { size, interpolation: 'box' as const }]) {
      const dataset = await loadDataset(listClassFolders(folder), { ...options, cache });
      expect(await pixels(dataset)).toEqual(await pixels(await loadDataset(listClassFolders(folder), options)));
    }
    expect(packsOf(cache.directory)).toHaveLength(3);
  });

  test('sees that a file changed, even when size and modification time are as before', async () => {
    const folder = pictureFolder([1, 2, 3]);
    const path = `${folder}/a/1.png`;
    const long = new Date(Date.now() - 3600_000);
    utimesSync(path, long, long);
    const directory = temporaryFolder();
    const load = () => loadDataset(listClassFolders(folder), { size, cache: new PictureCache(directory) });
    expect((await pixels(await load()))[0]).toBe(10);
    const { size: bytes } = statSync(path);
    writeFileSync(path, numbered(9));
    utimesSync(path, long, long);
    expect(statSync(path).size).toBe(bytes); // else this shows nothing
    expect((await pixels(await load()))[0]).toBe(90);
  });

  test('names bad files each time, and never keeps them', async () => {
    const folder = pictureFolder([1, 2, 3]);
    writeFileSync(`${folder}/a/0.png`, 'no picture');
    const cache = new PictureCache(temporaryFolder());
    for (let run = 0; run < 2; run++) {
      const dataset = await loadDataset(listClassFolders(folder), { size, cache });
      expect(dataset.skipped.map(({ file }) => file)).toEqual([`${folder}/a/0.png`]);
      expect(dataset.files).toHaveLength(3);
    }
  });

  test.each([
    ['cut short', (path: string) => truncateSync(path, 100)],
    ['longer than it says', (path: string) => appendFileSync(path, 'x')],
    ['empty', (path: string) => truncateSync(path, 0)],
    [
      'changed in its index',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 70] ^= 1;
        writeFileSync(path, bytes);
      },
    ],
    ['gone', (path: string) => rmSync(path)],
  ])('does not use a pack that is %s, and makes its pictures again', async (_, damage) => {
    const folder = pictureFolder([1, 2, 3]);
    const directory = temporaryFolder();
    const list = listClassFolders(folder);
    await loadDataset(list, { size, cache: new PictureCache(directory) });
    damage(packsOf(directory)[0]);
    const dataset = await loadDataset(list, { size, cache: new PictureCache(directory) });
    expect(await pixels(dataset)).toEqual(await pixels(await loadDataset(list, { size })));
  });

  test('what a crash left is no pack, and is taken away when nobody can be writing to it', async () => {
    const folder = pictureFolder([1, 2]);
    const directory = temporaryFolder();
    const load = () => loadDataset(listClassFolders(folder), { size, cache: new PictureCache(directory) });
    await load();
    const shelf = join(packsOf(directory)[0], '..');
    const [young, old] = ['1-00000000000a.tmp', '1-00000000000b.tmp'];
    writeFileSync(join(shelf, young), 'BELTPACK half');
    writeFileSync(join(shelf, old), 'BELTPACK half');
    const long = new Date(Date.now() - 2 * 3600_000);
    utimesSync(join(shelf, old), long, long);
    await load();
    expect(readdirSync(shelf).filter((name) => name.endsWith('.tmp'))).toEqual([young]);
  });

  test('two runs at the same time both get their pictures', async () => {
    const folder = pictureFolder([1, 2, 3, 4, 5, 6]);
    const directory = temporaryFolder();
    const list = listClassFolders(folder);
    const plain = await pixels(await loadDataset(list, { size }));
    const runs = Array.from({ length: 4 }, () => loadDataset(list, { size, cache: new PictureCache(directory) }));
    for (const dataset of await Promise.all(runs)) expect(await pixels(dataset)).toEqual(plain);
    expect(
      readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp')),
    ).toEqual([]);
  });

  test('makes room: the pictures used least recently go first, those in use stay', async () => {
    const directory = temporaryFolder();
    const folders = [pictureFolder([1, 2]), pictureFolder([3, 4]), pictureFolder([5, 6])];
    const perPack = 2 * (length + 4 + 280 + 36) + 64 + 16;
    const seen: string[] = [];
    for (const [run, folder] of folders.entries()) {
      await loadDataset(listClassFolders(folder), { size, cache: new PictureCache(directory, 2 * perPack) });
      const added = packsOf(directory).find((path) => !seen.includes(path))!;
      seen.push(added);
      const when = new Date(Date.now() - (10 - run) * 1000);
      utimesSync(added, when, when);
    }
    expect(packsOf(directory).toSorted()).toEqual(seen.slice(1).toSorted());
  });

  test('that cannot be written is said, and loading goes on', async () => {
    const folder = pictureFolder([1, 2]);
    const file = join(temporaryFolder({ file: '' }), 'file');
    const notes: string[] = [];
    const dataset = await loadDataset(listClassFolders(folder), {
      size,
      cache: new PictureCache(file),
      onNote: (line) => notes.push(line),
    });
    expect(dataset.files).toHaveLength(2);
    expect(notes).toEqual([expect.stringMatching(/^the cache .*file cannot be used \(EEXIST\); .* without it$/)]);
  });
});

describe('a damaged disk', () => {
  const flip = (path: string, at: number): void => {
    const bytes = readFileSync(path);
    bytes[at] ^= 1;
    writeFileSync(path, bytes);
  };

  test('a picture that it gives back changed is never trained on: it is decoded again, then and by the next run', async () => {
    const list = listClassFolders(pictureFolder([1, 2, 3]));
    const directory = temporaryFolder();
    const notes: string[] = [];
    const load = () =>
      loadDataset(list, { size, cache: new PictureCache(directory), onNote: (line) => notes.push(line) });
    const before = await pixels(await load());
    flip(packsOf(directory)[0], 16 + length + 5); // in the second of three pictures
    const damaged = await load();
    for (let epoch = 0; epoch < 2; epoch++) expect(await pixels(damaged)).toEqual(before);
    expect(notes).toEqual([expect.stringMatching(/^what was kept in .* is damaged: its pictures are decoded again;/)]);
    expect(packsOf(directory)).toEqual([]);
    expect(await pixels(await load())).toEqual(before);
    expect(packsOf(directory)).toHaveLength(1);
  });

  test('where the file of a damaged picture has changed since, nothing wrong is said', async () => {
    const folder = pictureFolder([1, 2, 3]);
    const directory = temporaryFolder();
    const dataset = await loadDataset(listClassFolders(folder), { size, cache: new PictureCache(directory) });
    flip(packsOf(directory)[0], 16 + 5);
    writeFileSync(`${folder}/a/1.png`, numbered(9));
    await expect(pixels(dataset)).rejects.toThrow(/a\/1.png: has changed since it was loaded, and what was kept/);
  });

  test('a report that it gives back changed is made again', async () => {
    const directory = temporaryFolder();
    const report = (value: number) => new PictureCache(directory).remember(Buffer.from('key'), () => ({ value }));
    expect([await report(1), await report(2)]).toEqual([{ value: 1 }, { value: 1 }]);
    const [name] = readdirSync(join(directory, 'reports'));
    const path = join(directory, 'reports', name);
    writeFileSync(path, readFileSync(path, 'utf8').replace('1}', '7}'));
    expect(readFileSync(path, 'utf8')).toContain('7}'); // else this shows nothing
    expect(await report(3)).toEqual({ value: 3 });
  });
});

describe('its place', () => {
  test('is the one given, or what the system has for such things', () => {
    expect(cacheDirectory({ BELTNET_CACHE: '/a' })).toBe('/a');
    expect(cacheDirectory({ XDG_CACHE_HOME: '/x' }, 'linux')).toBe(join('/x', 'beltnet'));
    expect(cacheDirectory({ XDG_CACHE_HOME: 'relative' }, 'linux')).toMatch(/\.cache.beltnet$/);
    expect(cacheDirectory({}, 'linux')).toMatch(/\.cache.beltnet$/);
    expect(cacheDirectory({}, 'darwin')).toMatch(/Library.Caches.beltnet$/);
    expect(cacheDirectory({ LOCALAPPDATA: 'L' }, 'win32')).toBe(join('L', 'beltnet', 'cache'));
  });

  test('is recognised inside of a folder of pictures', () => {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/data`);
    expect(isWithin(`${folder}/data/cache/not/made`, `${folder}/data`)).toBe(true);
    expect(isWithin(`${folder}/data`, `${folder}/data`)).toBe(true);
    expect(isWithin(`${folder}/database`, `${folder}/data`)).toBe(false);
    expect(isWithin(folder, `${folder}/data`)).toBe(false);
  });
});

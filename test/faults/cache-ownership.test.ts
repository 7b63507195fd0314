/** The cache and files that are not its own: whatever lies beside, among or under its files, none of it goes or changes. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PictureCache } from '../../src/data/store/cache.node.js';
import { markedCacheDirectory } from '../../src/data/store/cache-place.node.js';
import { listClassFolders } from '../../src/data/sources/folder.node.js';
import { loadDataset } from '../../src/data/store/load-dataset.node.js';
import { beltnet } from '../cli/run-beltnet.js';
import { plainPng, temporaryFolder } from '../data/make-pictures.js';

const size = { width: 8, height: 8 };
let colour = 0;

/** Two classes of pictures that no cache has seen. */
const newPictures = () =>
  temporaryFolder({ 'a/1.png': plainPng(8, 8, [++colour, 0, 0]), 'b/1.png': plainPng(8, 8, [++colour, 1, 0]) });

/** Path → what is there, for everything in a folder. */
function contents(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return new Map(
    names.map((name) => {
      const path = join(folder, name);
      const status = lstatSync(path);
      if (status.isSymbolicLink()) return [name, readlinkSync(path)];
      return [name, status.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'];
    }),
  );
}

/** Loads new sets through a cache that has no room for more than one of them. */
async function fill(directory: string, limit = 1000): Promise<void> {
  for (let set = 0; set < 3; set++) {
    const cache = new PictureCache(directory, limit);
    await loadDataset(listClassFolders(newPictures()), { size, cache });
  }
}

describe('a folder that is no cache', () => {
  const foreign = () => ({
    'pictures/0123456789abcdef/1-0123456789ab.pack': 'BELTPACK, says somebody else',
    'pictures/holiday/beach.jpg': 'sand',
    'reports/2025.doc': 'figures',
    'files/old.tmp': 'half a letter',
  });

  test('is refused, and stays as it was', async () => {
    const folder = temporaryFolder(foreign());
    const before = contents(folder);
    expect(() => new PictureCache(folder)).toThrow(/expects a new or empty folder, or one that beltnet made, got/);
    expect(contents(folder)).toEqual(before);
  });

  test('is refused by the command line with code 2, however it is named', async () => {
    const folder = temporaryFolder(foreign());
    const before = contents(folder);
    const cwd = newPictures();
    mkdirSync(join(cwd, 'set'));
    for (const name of ['a', 'b']) renameSync(join(cwd, name), join(cwd, 'set', name));
    const audit = ['audit', 'set', '--cache-limit', '0.0001'];
    const answers = [
      await beltnet([...audit, '--cache', folder], { cwd }),
      await beltnet(audit, { cwd, environment: { BELTNET_CACHE: folder } }),
    ];
    for (const { code, stderr } of answers) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/cache: expects a new or empty folder, or one that beltnet made/);
    }
    expect(contents(folder)).toEqual(before);
  });

  test('at the default place is left alone, and a marked folder in it is used', async () => {
    const home = temporaryFolder({ 'beltnet/pictures/0123456789abcdef/1.pack': 'of an old version', 'set/x': '' });
    const before = contents(join(home, 'beltnet', 'pictures'));
    const environment = { XDG_CACHE_HOME: home, LOCALAPPDATA: home, BELTNET_CACHE: '' };
    expect(markedCacheDirectory(environment)).toMatch(/beltnet.cache$/);
    const cwd = newPictures();
    expect(await beltnet(['audit', '.'], { cwd, environment })).toMatchObject({ code: 0 });
    expect(contents(join(home, 'beltnet', 'pictures'))).toEqual(before);
    expect(existsSync(join(home, 'beltnet', 'cache', 'CACHEDIR.TAG'))).toBe(true);
  });

  test.each([
    ['a tag of another program', 'Signature: 8a477f597d28d172789f06886806bc55\n# of a compiler\n'],
    ['an empty tag', ''],
  ])('is told by %s as well', (_, tag) => {
    expect(() => new PictureCache(temporaryFolder({ 'CACHEDIR.TAG': tag }))).toThrow(/expects a new or empty folder/);
  });

  test('that became one after it was named is not written to', async () => {
    const folder = temporaryFolder();
    const cache = new PictureCache(folder);
    writeFileSync(join(folder, 'thesis.txt'), 'three years');
    await expect(loadDataset(listClassFolders(newPictures()), { size, cache })).rejects.toThrow(/holds something else/);
    expect([...contents(folder).keys()]).toEqual(['thesis.txt']);
  });
});

describe('files of others in a cache', () => {
  test('stay, whatever they are called and however full it is', async () => {
    const directory = temporaryFolder();
    await fill(directory);
    const [shelf] = readdirSync(join(directory, 'pictures'));
    const foreign: Record<string, string> = {
      'notes.txt': 'mine',
      'pictures/mine.pack': 'x',
      [`pictures/${shelf}/holiday.jpg`]: 'x'.repeat(5000),
      [`pictures/${shelf}/holiday.pack`]: 'BELTPACK by another name',
      [`pictures/${shelf}/7-0123456789ab.pack`]: 'a name of ours, something else in it',
      [`pictures/${shelf}/7-0123456789ab.tmp`]: 'a name of ours, something else in it',
      [`pictures/${shelf}/download.tmp`]: 'BELTPACK',
      'reports/0123456789abcdef0123456789abcdef.json': '{"mine":true}',
      'reports/letter.tmp': 'x',
      'files/0123456789abcdef.json': '{}',
    };
    const long = new Date(Date.now() - 7 * 24 * 3600_000);
    for (const [name, text] of Object.entries(foreign)) {
      mkdirSync(join(directory, name, '..'), { recursive: true });
      writeFileSync(join(directory, name), text);
      utimesSync(join(directory, name), long, long);
    }
    await fill(directory);
    for (const [name, text] of Object.entries(foreign)) expect(readFileSync(join(directory, name), 'utf8')).toBe(text);
    // It does make room, else this shows nothing: of six sets two packs at most fit.
    const own = readdirSync(join(directory, 'pictures', shelf)).filter((name) => /^\d+-.*\.pack$/.test(name));
    expect(own.length).toBeLessThan(4);
  });

  test('stay behind links: neither a linked folder nor a linked file is followed', async () => {
    const directory = temporaryFolder();
    await fill(directory);
    const other = temporaryFolder();
    cpSync(directory, other, { recursive: true }); // another cache, with packs like ours
    const shelves = readdirSync(join(directory, 'pictures'));
    symlinkSync(join(other, 'pictures', shelves[0]), join(directory, 'pictures', 'fedcba9876543210'));
    const before = contents(other);
    await fill(directory);
    expect(contents(other)).toEqual(before);
  });
});

test('temporary names cannot be foreseen, so that no link waits for them', async () => {
  const directory = temporaryFolder();
  const victim = join(temporaryFolder({ 'victim.txt': 'precious' }), 'victim.txt');
  await fill(directory);
  const keep = new PictureCache(directory);
  const [report] = ['reports'].map((name) => join(directory, name));
  mkdirSync(report, { recursive: true });
  const name = createHash('sha256').update('key').digest('hex').slice(0, 32);
  symlinkSync(victim, join(report, `${name}.json.${process.pid}.tmp`)); // as it was called once
  expect(await keep.remember(Buffer.from('key'), () => ({ value: 1 }))).toEqual({ value: 1 });
  expect(readFileSync(victim, 'utf8')).toBe('precious');
});

describe('pictures and cache', () => {
  test('are never in one another', async () => {
    const pictures = newPictures();
    const list = listClassFolders(pictures);
    const inside = new PictureCache(join(pictures, 'cache'));
    await expect(loadDataset(list, { size, cache: inside })).rejects.toThrow(/apart from the pictures' own/);
    const around = temporaryFolder();
    await fill(around);
    cpSync(pictures, join(around, 'data'), { recursive: true });
    const before = contents(join(around, 'data'));
    const cache = new PictureCache(around, 10);
    await expect(loadDataset(listClassFolders(join(around, 'data')), { size, cache })).rejects.toThrow(/apart from/);
    expect(contents(join(around, 'data'))).toEqual(before);
    const cwd = around;
    const { code, stderr } = await beltnet(['audit', 'data', '--cache', around], { cwd });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/expects a folder outside of the pictures' own \(data\)/),
    ]);
  });

  test('two processes that make one cache at once both mark it', async () => {
    const directory = temporaryFolder();
    const sets = Array.from({ length: 6 }, () =>
      loadDataset(listClassFolders(newPictures()), { size, cache: new PictureCache(directory) }),
    );
    for (const { files } of await Promise.all(sets)) expect(files).toHaveLength(2);
    expect(readFileSync(join(directory, 'CACHEDIR.TAG'), 'utf8')).toMatch(
      /^Signature: 8a477f597d28d172789f06886806bc55\n/,
    );
  });

  test('a tag that was written to marks nothing any more', async () => {
    const directory = temporaryFolder();
    await fill(directory);
    appendFileSync(join(directory, 'CACHEDIR.TAG'), '# edited\n');
    expect(() => new PictureCache(directory)).toThrow(/holds something else/);
  });
});

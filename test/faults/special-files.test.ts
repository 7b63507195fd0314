/** What is no regular file, where a file is expected: nothing waits, nothing fills the memory. */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DataError, ModelFileError } from '../../src/errors.js';
import { readWholeFile, readWholeFileSync, type FileKind } from '../../src/files.node.js';
import { openArraySet } from '../../src/data/sources/array-files.node.js';
import { openSplits } from '../../src/data/sources/splits.node.js';
import { loadPictures } from '../../src/data/store/stream-pictures.node.js';
import { loadKeras } from '../../src/formats/keras/keras.node.js';
import { loadModel } from '../../src/formats/beltnet/model.node.js';
import { beltnet } from '../cli/run-beltnet.js';
import { plainPng, temporaryFolder } from '../data/make-pictures.js';

const kind: FileKind = { what: 'a small file', mostBytes: 2 ** 20, refuse: (message) => new DataError(message) };

const isWindows = process.platform === 'win32';

/** Everything that is no file, under this name. */
async function specials(name: string): Promise<[what: string, path: string][]> {
  const folder = temporaryFolder({ 'pipe/_': '', 'socket/_': '', 'device/_': '', 'folder/_': '' });
  const at = (what: string): string => join(folder, what, name);
  execFileSync('mkfifo', [at('pipe')]);
  const server = createServer().listen(at('socket'));
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  symlinkSync('/dev/zero', at('device'));
  execFileSync('mkdir', [at('folder')]);
  return [
    ['a pipe', at('pipe')],
    ['a socket', at('socket')],
    ['a device', at('device')],
    ['a folder', at('folder')],
  ];
}

describe.runIf(!isWindows)('pipes, sockets, devices and folders are refused by name', () => {
  test('by the one way to read a file', async () => {
    for (const [what, path] of await specials('x.bin')) {
      await expect(readWholeFile(path, kind)).rejects.toThrow(`${path}: expects a small file, got ${what}; `);
      expect(() => readWholeFileSync(path, kind)).toThrow(`${path}: expects a small file, got ${what}; `);
    }
  });

  test('as a model of ours and of Keras', async () => {
    for (const [what, path] of await specials('model.h5')) {
      for (const load of [loadModel, loadKeras]) {
        await expect(load(path)).rejects.toThrow(ModelFileError);
        await expect(load(path)).rejects.toThrow(`${path}: expects a model file, got ${what}; `);
      }
    }
  });

  test('as a table of pictures', async () => {
    for (const [what, path] of (await specials('list.csv')).slice(0, 3))
      await expect(openSplits(path)).rejects.toThrow(`${path}: expects a table of pictures, got ${what}; `);
  });

  test('as a practice set in a folder', async () => {
    for (const [what, path] of await specials('train-images-idx3-ubyte')) {
      await expect(openArraySet(join(path, '..'))).rejects.toThrow(
        `${path}: expects a file of a practice set, got ${what}; `,
      );
    }
  });

  test('as pictures to predict: named, the others go on', async () => {
    const given = (await specials('x.png')).slice(0, 3);
    const good = join(temporaryFolder({ 'good.png': plainPng(4, 4, [1, 2, 3]) }), 'good.png');
    const results = await loadPictures([...given.map(([, path]) => path), good], { size: { width: 4, height: 4 } });
    for (const [what, path] of given) {
      const found = results.find(({ file }) => file === path);
      expect(found).toEqual({
        file: path,
        error: `${path}: expects a picture file, got ${what}; write it to a file first`,
      });
    }
    expect(results.find(({ file }) => file === good)).toHaveProperty('picture');
  });

  test('by the command line, with the documented codes', async () => {
    const cwd = temporaryFolder({
      'belt/a/1.png': plainPng(4, 4, [1, 2, 3]),
      'belt/b/1.png': plainPng(4, 4, [9, 2, 3]),
    });
    for (const [what, path] of await specials('x')) {
      const answers = await Promise.all([
        beltnet(['import', path, '--classes', 'a,b', '--output', 'o.safetensors'], { cwd }),
        beltnet(['train', 'belt', '--device', 'cpu', '--alert-class', 'a', '--kernels', path], { cwd }),
      ]);
      expect(answers.map(({ code }) => code)).toEqual([4, 2]);
      for (const { stderr } of answers) expect(stderr).toContain(`got ${what}; `);
    }
  });
});

describe('the size of a file', () => {
  test('is limited by its kind, before anything is read', async () => {
    const path = join(temporaryFolder({ sparse: '' }), 'sparse');
    const file = openSync(path, 'r+');
    ftruncateSync(file, 2 ** 33);
    closeSync(file);
    const message = `${path}: expects a small file of at most 1 MiB, got 8589934592 bytes`;
    await expect(readWholeFile(path, kind)).rejects.toThrow(message);
    expect(() => readWholeFileSync(path, kind)).toThrow(message);
    await expect(loadModel(path)).rejects.toThrow(/expects a model file of at most 1.9\d+ GiB/);
  });

  test.runIf(process.platform === 'linux')('is not believed: files that say they are empty are read', async () => {
    for (const bytes of [await readWholeFile('/proc/self/status', kind), readWholeFileSync('/proc/self/status', kind)])
      expect(Buffer.from(bytes).toString()).toMatch(/^Name:[^]*Threads:/);
  });

  test('up to the limit is read whole', async () => {
    const bytes = Buffer.alloc(2 ** 20, 'beltnet');
    const path = join(temporaryFolder(), 'largest');
    writeFileSync(path, bytes);
    expect(bytes.equals(await readWholeFile(path, kind))).toBe(true);
    expect(bytes.equals(readWholeFileSync(path, kind))).toBe(true);
    expect(await readWholeFile(join(temporaryFolder({ empty: '' }), 'empty'), kind)).toHaveLength(0);
  });
});

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import { decodeFiles } from '../../src/data/store/decode-pool.node.js';
import type { Dataset } from '../../src/data/dataset.js';
import type { DecodeResult } from '../../src/data/store/decode-worker.node.js';
import { listClassFolders } from '../../src/data/sources/folder.node.js';
import { imageDataGenerator } from '../../src/data/image-data-generator.node.js';
import { loadDataset } from '../../src/data/store/load-dataset.node.js';
import { loadPictures } from '../../src/data/store/stream-pictures.node.js';
import { type Interpolation, resize } from '../../src/data/pictures/resize.js';
import { DataError, UsageError } from '../../src/errors.js';
import { goldenCases, goldenFile } from './golden.js';
import { plainJpeg, plainPng, temporaryFolder } from './make-pictures.js';

const size = { width: 4, height: 3 };
/** Red 10 · n tells the pictures apart. */
const numbered = (n: number) => plainPng(8, 8, [10 * n, 0, 0]);

/** Two classes, a with files 1 to 3 and b with 4 and 5. */
function fivePictures(others: Record<string, Uint8Array | string> = {}): string {
  const files = { 'a/1.png': 1, 'a/2.png': 2, 'a/3.png': 3, 'b/4.png': 4, 'b/5.png': 5 };
  const contents = Object.entries(files).map(([path, n]) => [path, numbered(n)] as const);
  return temporaryFolder({ ...Object.fromEntries(contents), ...others });
}

/** 12 equal bytes of red for each picture. */
function reds({ pictures }: Dataset): number[] {
  if (!(pictures instanceof Uint8Array)) throw new TypeError('expects the pictures in memory');
  return Array.from({ length: pictures.length / 36 }, (_, index) => pictures[index * 36] / 10);
}

describe.each([0, 2])('loadDataset with %i worker threads', (workers) => {
  test('gives every picture decoded and resized, in the order of the list', async () => {
    const paths = goldenCases('image_decode_resize').map(({ attributes }) => attributes.path as string);
    const files = paths.map((path, index) => [`${index % 2 ? 'odd' : 'even'}/${path.slice(7)}`, goldenFile(path)]);
    const list = listClassFolders(temporaryFolder(Object.fromEntries(files)));
    for (const interpolation of ['nearest', 'box'] satisfies Interpolation[]) {
      const progress: number[] = [];
      const dataset = await loadDataset(list, {
        size,
        interpolation,
        workers,
        onProgress: (done, total) => progress.push(done / total),
      });
      expect(dataset.pictureShape).toEqual([3, 4, 3]);
      expect(dataset.files).toEqual(list.files.map(({ path }) => path));
      expect(Array.from(dataset.labels)).toEqual(list.files.map(({ label }) => label));
      const pictures = dataset.pictures as Uint8Array;
      expect(pictures.buffer).toBeInstanceOf(ArrayBuffer); // not shared memory
      for (const [index, path] of dataset.files.entries()) {
        const expected = resize(decode(readFileSync(path), path), size, interpolation).data;
        expect(pictures.subarray(index * 36, index * 36 + 36)).toEqual(expected);
      }
      expect(progress).toEqual(paths.map((_, index) => (index + 1) / paths.length));
    }
  });

  test('a callback that throws ends it with its error', async () => {
    const onProgress = () => {
      throw new Error('of the caller');
    };
    const list = listClassFolders(fivePictures({}));
    await expect(loadDataset(list, { size, workers, onProgress })).rejects.toThrow('of the caller');
  });

  test('skips bad files and names them', async () => {
    const folder = fivePictures({
      'a/0.png': 'no picture',
      'b/6.jpg': plainJpeg(8, 8, 0).subarray(0, 90),
      'b/7.webp': 'RIFF',
    });
    const list = listClassFolders(folder);
    unlinkSync(`${folder}/a/2.png`); // gone since the listing
    const dataset = await loadDataset(list, { size, workers });
    expect(reds(dataset)).toEqual([1, 3, 4, 5]);
    expect(Array.from(dataset.labels)).toEqual([0, 0, 1, 1]);
    expect(dataset.files.map((path) => path.slice(-5))).toEqual(['1.png', '3.png', '4.png', '5.png']);
    expect(dataset.skipped.map(({ file }) => file.replace(folder, ''))).toEqual([
      '/b/7.webp',
      '/a/0.png',
      '/a/2.png',
      '/b/6.jpg',
    ]);
    for (const { file, error } of dataset.skipped) expect(error.startsWith(`${file}: `)).toBe(true);
    expect(dataset.skipped[2].error).toMatch(/cannot be read \(ENOENT\)/);
  });

  test('stops at the first bad file if asked to, always the same one', async () => {
    const files = Array.from({ length: 40 }, (_, n) => [`${n % 2 ? 'a' : 'b'}/${n}.png`, n % 3 ? numbered(1) : 'bad']);
    const folder = temporaryFolder(Object.fromEntries(files));
    const list = listClassFolders(folder);
    const first = list.files.find(({ path }) => readFileSync(path, 'utf8') === 'bad')?.path;
    for (let repeat = 0; repeat < 5; repeat++) {
      const loading = loadDataset(list, { size, workers, onBad: 'fail' });
      await expect(loading).rejects.toThrow(DataError);
      await expect(loading).rejects.toThrow(`${first}: expects a JPEG, PNG or BMP picture`);
    }
  });

  test('refuses a set in which a class loses all its pictures', async () => {
    const folder = temporaryFolder({ 'a/1.png': numbered(1), 'b/1.png': 'bad', 'b/2.png': 'bad' });
    const loading = loadDataset(listClassFolders(folder), { size, workers });
    await expect(loading).rejects.toThrow(DataError);
    await expect(loading).rejects.toThrow(/not one picture of class 'b' can be used; for example .*b\/1.png: expects/);
  });

  test('changes nothing on disk', async () => {
    const folder = fivePictures({ 'a/0.png': 'no picture' });
    const state = () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .toSorted()
        .map((path) => [path, statSync(`${folder}/${path}`).mtimeMs, statSync(`${folder}/${path}`).size]);
    const before = state();
    await loadDataset(listClassFolders(folder), { size, workers });
    expect(state()).toEqual(before);
  });
});

test('under onBad fail, a picture of another format stops too', async () => {
  const loading = loadDataset(listClassFolders(fivePictures({ 'a/9.webp': '' })), { size, onBad: 'fail' });
  await expect(loading).rejects.toThrow(/9.webp: expects JPEG, PNG or BMP, got .webp/);
});

test('options that cannot be meant are refused', async () => {
  const list = listClassFolders(fivePictures());
  await expect(loadDataset(list, { size: { width: 0, height: 3 } })).rejects.toThrow(UsageError);
  await expect(loadDataset(list, { size, workers: -1 })).rejects.toThrow(/^workers/);
  await expect(loadDataset(list, { size, onBad: 'ignore' as 'skip' })).rejects.toThrow(/^onBad/);
  const files = Array.from({ length: 1e5 }, () => ({ path: 'x.png', label: 0 }));
  const huge = loadDataset({ ...list, files }, { size: { width: 16384, height: 16384 } });
  await expect(huge).rejects.toThrow(
    /100000 pictures need 80530.6 GB in .*; make room, set TMPDIR .* choose a smaller size/,
  );
});

describe('a worker thread that dies', () => {
  /** A worker that takes the first file and then meets its end. */
  async function loadWith(end: string): Promise<unknown> {
    const folder = temporaryFolder({
      'worker.mjs': `
      import { parentPort, workerData } from 'node:worker_threads';
      const control = new Int32Array(workerData.control);
      control[workerData.slot] = 1;
      ${end}`,
    });
    const program = { file: pathToFileURL(`${folder}/worker.mjs`), resourceLimits: { maxOldGenerationSizeMb: 50 } };
    const results: DecodeResult[] = [];
    try {
      for await (const batch of decodeFiles(['one.png', 'two.png'], { size, workers: 2 }, program)) {
        results.push(...batch.results);
      }
    } catch (error) {
      return error;
    }
    return results.map(({ error }) => error);
  }

  test.each([
    ['throws', 'throw new Error("broken");', /^two.png: the thread that decoded this file failed: broken/],
    ['exits', 'process.exit(9);', /^two.png: the thread that decoded this file ended with code 9/],
    [
      'runs out of memory',
      'const kept = []; for (;;) kept.push(new Array(1e5).fill(0.5));',
      /^two.png: the thread that decoded this file failed: .*memory/,
    ],
  ])('because it %s is a DataError that names the file', async (_, end, message) => {
    const error = await loadWith(end);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(message);
  });

  test('before its first file blames none', async () => {
    const error = await loadWith('control[workerData.slot] = -1; process.exit(9);');
    expect((error as DataError).message).toMatch(/^a worker thread ended with code 9 before its first file/);
  });

  test('or ends silently: what it did not decode counts as bad, never as a black picture', async () => {
    const result = await loadWith('');
    expect(result).toEqual(['one.png: was not decoded', 'two.png: was not decoded']);
  });
});

describe('loadPictures', () => {
  test('takes files, folders and patterns, each picture once, sorted, with errors in their place', async () => {
    const folder = fivePictures({
      'a/0.png': 'bad',
      'a/x.gif': 'GIF89a',
      'a/.hidden.png': 'bad',
      'c-1.jpg': plainJpeg(8, 8, 200),
    });
    symlinkSync('..', `${folder}/a/loop`);
    const given = [
      `${folder}/b`,
      `${folder}/b/5.png`,
      `${folder}/a/*.png`,
      `${folder}/*/x.*`,
      `${folder}/c-?.jpg`,
      `${folder}/c*`,
    ];
    const results = await loadPictures(given, { size });
    expect(results.map(({ file }) => file.replace(`${folder}/`, ''))).toEqual([
      'a/0.png',
      'a/1.png',
      'a/2.png',
      'a/3.png',
      'a/x.gif',
      'b/4.png',
      'b/5.png',
      'c-1.jpg',
      'c-?.jpg', // only * is special
    ]);
    const outcomes = results.map((result) => ('picture' in result ? result.picture.data[0] : result.error));
    expect(outcomes).toEqual([
      expect.stringContaining('a/0.png: expects a JPEG, PNG or BMP picture'),
      10,
      20,
      30,
      expect.stringContaining('got GIF'),
      40,
      50,
      200,
      expect.stringContaining('c-?.jpg: the file cannot be read (ENOENT); check the path'),
    ]);
  });

  test('names no extension that the content contradicts', async () => {
    const folder = temporaryFolder({ 'really-a-png.jpg': numbered(1), 'no-extension': numbered(2) });
    const results = await loadPictures([`${folder}/really-a-png.jpg`, `${folder}/no-extension`], { size });
    expect(results.map((result) => 'picture' in result)).toEqual([true, true]);
  });

  test('a pattern without a match and an empty folder are mistakes', async () => {
    const folder = temporaryFolder({ 'notes.txt': '' });
    await expect(loadPictures([`${folder}/*.png`], { size })).rejects.toThrow(/no file matches this pattern/);
    await expect(loadPictures([folder], { size })).rejects.toThrow(DataError);
    await expect(loadPictures([], { size })).rejects.toThrow(/got none/);
  });

  test('a file whose name holds a star is that file', async () => {
    const folder = temporaryFolder({ '*.png': numbered(1), 'b.png': numbered(2) });
    const results = await loadPictures([`${folder}/*.png`], { size });
    expect(results.map(({ file }) => file)).toEqual([`${folder}/*.png`]);
  });
});

describe('flowFromDirectory', () => {
  test("is Keras' program", async () => {
    const folder = fivePictures({ 'a/0.png': 'bad' });
    const messages: string[] = [];
    const flow = await imageDataGenerator({ rescale: 1 / 255, zoomRange: 0.2 }).flowFromDirectory(folder, {
      targetSize: [3, 4],
      batchSize: 2,
      classMode: 'binary',
      onMessage: (message) => messages.push(message),
    });
    expect(flow.pictureShape).toEqual([3, 4, 3]); // [height, width], as in Keras
    expect(flow.classIndices).toEqual({ a: 0, b: 1 });
    expect([flow.sampleCount, flow.batchSize, flow.rescale]).toEqual([5, 2, 1 / 255]);
    expect(messages.at(-1)).toBe('Found 5 images belonging to 2 classes.');
    expect(messages[0]).toMatch(/^Skipped: .*0.png: expects a JPEG, PNG or BMP/);
  });

  test('takes any number of classes, unless two are asked for', async () => {
    const folder = fivePictures({ 'c/6.png': numbered(6) });
    const flow = await imageDataGenerator().flowFromDirectory(folder, { targetSize: [3, 4] });
    expect(flow.classIndices).toEqual({ a: 0, b: 1, c: 2 });
    await expect(imageDataGenerator().flowFromDirectory(folder, { classMode: 'binary' })).rejects.toThrow(
      "expects two class folders, got 3; use classMode: 'categorical'",
    );
  });

  test('refuses other class modes and unknown options', async () => {
    const generator = imageDataGenerator();
    const sparse = { classMode: 'sparse' as 'binary' };
    await expect(generator.flowFromDirectory('x', sparse)).rejects.toThrow(UsageError);
    await expect(generator.flowFromDirectory('x', sparse)).rejects.toThrow(/^classMode: expects 'binary' or/);
    await expect(generator.flowFromDirectory('x', { target_size: [1, 1] } as object)).rejects.toThrow(/'target_size'/);
  });
});

test('threads that are ended while they inflate do not take the process with them', () => {
  const endless = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { inflate } = await import(workerData.inflate);
    parentPort.postMessage('ready');
    for (;;) for (const piece of inflate([workerData.compressed], 'zlib')) if (piece.length !== 200) throw new Error();`;
  const inflate = new URL('../../dist/src/data/inflate/inflate.js', import.meta.url).href;
  const workerData = { inflate, compressed: deflateSync(new Uint8Array(200)).toJSON().data };
  const ended = `
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const { inflate, compressed } = ${JSON.stringify(workerData)};
    const program = new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(endless)}`)});
    const startAndEnd = async (milliseconds) => {
      const worker = new Worker(program, { workerData: { inflate, compressed: Uint8Array.from(compressed) } });
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      await worker.terminate();
    };
    for (let round = 0; round < 30; round++) await Promise.all([startAndEnd(round % 4), startAndEnd(Math.random() * 4)]);
    console.log('all ended');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', ended], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('all ended\n');
});

import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { listArraySet, openArraySet } from '../../src/data/sources/array-files.node.js';
import { loadDataset } from '../../src/data/store/load-dataset.node.js';
import { loadPictures } from '../../src/data/store/stream-pictures.node.js';
import { listLabelled, openSplits } from '../../src/data/sources/splits.node.js';
import { temporaryFolder } from './make-pictures.js';

/** Made by NumPy, see make.py there. */
const numpy = fileURLToPath(new URL('arrays/', import.meta.url));

const bytes = (...values: number[]): Buffer => Buffer.from(values);

/** An IDX file, as MNIST's page describes it. */
function idx(shape: readonly number[], values: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 8;
  header[3] = shape.length;
  shape.forEach((side, axis) => header.writeUInt32BE(side, 4 + 4 * axis));
  return Buffer.concat([header, bytes(...values)]);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i % 256);
const rgb = (values: readonly number[]): number[] => values.flatMap((value) => [value, value, value]);

async function firstPicture(path: string): Promise<number[]> {
  const set = await openArraySet(path);
  return Array.from(set?.training?.pictures.picture(0).data ?? []);
}

describe('MNIST and its kin', () => {
  const files = {
    'train-images-idx3-ubyte': idx([3, 2, 2], range(12)),
    'train-labels-idx1-ubyte': idx([3], [7, 0, 7]),
    't10k-images-idx3-ubyte.gz': gzipSync(idx([2, 2, 2], range(8))),
    't10k-labels-idx1-ubyte.gz': gzipSync(idx([2], [0, 7])),
  };

  test('are a training and a test set, with labels as classes', async () => {
    const folder = temporaryFolder(files);
    const { training, test: last } = await openSplits(folder);
    expect(training.classNames).toEqual(['0', '7']);
    expect(training.files.map(({ label }) => label)).toEqual([1, 0, 1]);
    expect(last?.files.map(({ path, label }) => [path, label])).toEqual([
      [`${folder}/t10k-images-idx3-ubyte.gz#0`, 0],
      [`${folder}/t10k-images-idx3-ubyte.gz#1`, 1],
    ]);
    const dataset = await loadDataset(training, { size: { width: 2, height: 2 } });
    expect(dataset.pictures).toEqual(Uint8Array.from(rgb(range(12))));
    expect(Array.from(dataset.labels)).toEqual([1, 0, 1]);
  });

  test('are found from one of their files, and predicted without labels', async () => {
    const folder = temporaryFolder(files);
    const list = await listLabelled(`${folder}/train-images-idx3-ubyte`);
    expect(list.files).toHaveLength(3);
    const alone = temporaryFolder({ 'train-images.idx3-ubyte': files['train-images-idx3-ubyte'] });
    const results = await loadPictures([`${alone}/train-images.idx3-ubyte`], { size: { width: 4, height: 4 } });
    expect(results.map(({ file }) => file.slice(-3))).toEqual(['e#0', 'e#1', 'e#2']);
    expect('picture' in results[1] && results[1].picture.data[0]).toBe(4);
    await expect(listLabelled(alone)).rejects.toThrow(/train-images.idx3-ubyte: has no labels/);
  });

  test.each([
    ['cut short', idx([3, 2, 2], range(11)), /expects 12 bytes for \[3,2,2\], got 11/],
    ['of another kind', Buffer.from('\x89PNG'), /expects an IDX file/],
    ['no pictures', idx([12], range(12)), /expects pictures \[N,H,W\] .* got \[12\]/],
    ['ends in its header', Buffer.from([0, 0, 8, 3, 0, 0]), /ends within its header/],
    ['of impossible size', idx([0xffffffff, 0xffffffff, 0xffffffff], []), /expects .* bytes for/],
  ])('are refused when %s, with the file’s name', async (_, content, message) => {
    const folder = temporaryFolder({
      'train-images-idx3-ubyte': content,
      'train-labels-idx1-ubyte': idx([3], [1, 2, 3]),
    });
    await expect(openArraySet(folder)).rejects.toThrow(message);
    await expect(openArraySet(folder)).rejects.toThrow(`${folder}/train-images-idx3-ubyte: `);
  });

  test('are refused when the labels are too few, or the .gz is damaged', async () => {
    const folder = temporaryFolder({ ...files, 'train-labels-idx1-ubyte': idx([2], [7, 0]) });
    await expect(openArraySet(folder)).rejects.toThrow(/a label for each of its 3 pictures, got 2/);
    const damaged = temporaryFolder({ 't10k-images-idx3-ubyte.gz': 'no gzip' });
    await expect(openArraySet(damaged)).rejects.toThrow(/idx3-ubyte.gz: the file cannot be read/);
  });
});

describe('CIFAR', () => {
  /** Planes of one value each. */
  const planes = (...values: number[]): number[] =>
    values.flatMap((value) => Array.from({ length: 1024 }, () => value));

  test('10: batches in a row, planes become pixels, names from the file', async () => {
    const folder = temporaryFolder({
      'data_batch_1.bin': bytes(1, ...planes(10, 20, 30)),
      'data_batch_2.bin': bytes(0, ...planes(40, 50, 60), 1, ...range(3072)),
      'test_batch.bin': bytes(0, ...planes(70, 80, 90), 1, ...range(3072)),
      'batches.meta.txt': 'airplane\nautomobile\n\n',
    });
    const { training, test: last } = await openSplits(folder);
    expect(training.classNames).toEqual(['airplane', 'automobile']);
    expect(training.files.map(({ label }) => label)).toEqual([1, 0, 1]);
    expect(last?.files).toHaveLength(2);
    const pixel = (row: number, at: number) =>
      Array.from(training.array!.picture(row).data.subarray(at * 3, at * 3 + 3));
    expect([pixel(0, 0), pixel(1, 1023), pixel(2, 7)]).toEqual([
      [10, 20, 30],
      [40, 50, 60],
      [7, 7, 7],
    ]);
    expect(training.array).toMatchObject({ width: 32, height: 32 });
  });

  test('100: the fine label counts', async () => {
    const folder = temporaryFolder({
      'train.bin': bytes(9, 1, ...planes(1, 2, 3), 8, 0, ...planes(1, 2, 3)),
      'fine_label_names.txt': 'apple\nbaby\n',
    });
    const list = await listLabelled(folder);
    expect(list.files.map(({ label }) => list.classNames[label])).toEqual(['baby', 'apple']);
  });

  test('with a class name twice is refused: pictures of two classes would become one', async () => {
    const folder = temporaryFolder({
      'data_batch_1.bin': bytes(1, ...planes(1, 2, 3)),
      'batches.meta.txt': 'airplane\nairplane\n',
    });
    await expect(openArraySet(folder)).rejects.toThrow(/batches.meta.txt: .* got 'airplane' twice; rename/);
  });

  test('of a wrong length is refused', async () => {
    const folder = temporaryFolder({ 'data_batch_1.bin': bytes(1, 2, 3) });
    await expect(openArraySet(folder)).rejects.toThrow(/data_batch_1.bin: expects records of 3073 bytes, got 3 bytes/);
  });
});

describe('NumPy arrays', () => {
  const gray = Array.from(readFileSync(`${numpy}gray.bin`).subarray(0, 12));

  test.each(['gray', 'floats', 'doubles-big-endian', 'integers'])('%s.npy holds the same pictures', async (name) => {
    expect(await firstPicture(`${numpy}${name}.npy`)).toEqual(rgb(gray));
  });

  test('channels first, booleans', async () => {
    const colour = Array.from(readFileSync(`${numpy}colour.bin`).subarray(0, 72));
    expect(await firstPicture(`${numpy}colour-first.npy`)).toEqual(colour);
    expect(await firstPicture(`${numpy}booleans.npy`)).toEqual(rgb(gray.map((value) => (value > 127 ? 255 : 0))));
  });

  test.each([
    ['too-large', /too-large.npy: expects values from 0 to 255, .* got 0 to 496/],
    ['not-a-number', /expects values from 0 to 255, .* got NaN/],
    ['fortran', /Fortran/],
    ['objects', /expects an array of numbers, got .*\|O/],
  ])('%s.npy is refused', async (name, message) => {
    await expect(openArraySet(`${numpy}${name}.npy`)).rejects.toThrow(message);
  });

  test('.npz: training and test arrays by their names, labels as numbers or one-hot', async () => {
    const stored = listArraySet((await openArraySet(`${numpy}stored.npz`))!);
    expect(stored.training?.classNames).toEqual(['3', '8']);
    expect(stored.training?.files.map(({ label }) => label)).toEqual([0, 1, 1, 0, 0]);
    expect(stored.test?.files.map(({ label }) => label)).toEqual([0, 1]);
    const compressed = listArraySet((await openArraySet(`${numpy}compressed.npz`))!);
    expect(compressed.training?.files.map(({ label }) => label)).toEqual([0, 1, 1, 0, 0]);
    expect(Array.from(compressed.training!.array!.picture(0).data)).toEqual(rgb(gray));
  });

  test('.npz without labels is for predicting; a damaged one is refused', async () => {
    await expect(openSplits(`${numpy}unlabelled.npz`)).rejects.toThrow(/has no labels/);
    expect(await loadPictures([`${numpy}unlabelled.npz`], { size: { width: 3, height: 4 } })).toHaveLength(5);
    const damaged = temporaryFolder({ 'x.npz': readFileSync(`${numpy}stored.npz`).subarray(0, 700) });
    await expect(openArraySet(damaged)).rejects.toThrow(/x.npz: expects a .npz archive, got one without a directory/);
    const flipped = readFileSync(`${numpy}stored.npz`);
    flipped[flipped.indexOf('NUMPY') + 130]++; // a pixel, which no parser can know to be wrong
    await expect(openArraySet(temporaryFolder({ 'x.npz': flipped }))).rejects.toThrow(
      /damaged 'x_train.npy' \(its checksum/,
    );
  });

  test('a folder of x.npy and y.npy is a set; an archive among class folders is not', async () => {
    const folder = temporaryFolder();
    copyFileSync(`${numpy}gray.npy`, `${folder}/images.npy`);
    await expect(listLabelled(folder)).rejects.toThrow(/images: has no labels/);
    const mixed = temporaryFolder({ 'notes.npz': 'x' });
    mkdirSync(`${mixed}/ok`);
    expect(await openArraySet(mixed)).toBeNull();
  });
});

/** Small files that become large: they are refused before they do, and none takes more memory than it may. */
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DataError, ModelFileError } from '../../src/errors.js';
import { MemoryBudget, memoryLimit } from '../../src/memory.node.js';
import { openArraySet } from '../../src/data/sources/array-files.node.js';
import { unzip } from '../../src/data/sources/zip.js';
import { importKeras } from '../../src/formats/keras/import-keras.js';
import { temporaryFolder } from '../data/make-pictures.js';

const MEGABYTE = 2 ** 20;
const IMAGES = 'train-images-idx3-ubyte.gz';

/** IDX of bytes: n pictures of 28×28. */
function idx(count: number, bytes = 16 + count * 784): Buffer {
  const file = Buffer.alloc(bytes);
  for (const [at, value] of [0x0803, count, 28, 28].entries()) file.writeUInt32BE(value, 4 * at);
  return file;
}

function npy(shape: readonly number[]): Buffer {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117) + '\n';
  const start = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([118, 0]), Buffer.from(header)]);
  return Buffer.concat([start, Buffer.alloc(shape.reduce((a, b) => a * b))]);
}

describe('.gz', () => {
  test('that is no IDX file is refused by its first bytes', async () => {
    const folder = temporaryFolder({ [IMAGES]: gzipSync(Buffer.alloc(4 * MEGABYTE)) });
    const budget = new MemoryBudget();
    await expect(openArraySet(folder, budget)).rejects.toThrow(/expects an IDX file/);
    expect(budget.bytes - budget.left).toBeLessThan(MEGABYTE); // the packed file
  });

  test('that goes on behind what it says to hold is refused there', async () => {
    const folder = temporaryFolder({ [IMAGES]: gzipSync(idx(2, 4 * MEGABYTE)) });
    const budget = new MemoryBudget();
    await expect(openArraySet(folder, budget)).rejects.toThrow(/gz: expects 1584 bytes unpacked, got more/);
    expect(budget.bytes - budget.left).toBeLessThan(MEGABYTE);
  });

  test('that says to hold more than there is memory for is refused before it is unpacked', async () => {
    const folder = temporaryFolder({ [IMAGES]: gzipSync(idx(100_000, MEGABYTE)) });
    await expect(openArraySet(folder, new MemoryBudget(64 * MEGABYTE))).rejects.toThrow(
      /gz: expects to need at most 0.07 GB of memory .*, it takes 0.08 GB; set BELTNET_MEMORY/,
    );
  });

  test('with a header of absurd sizes is refused', async () => {
    const header = Buffer.alloc(64);
    header.writeUInt32BE(0x0804);
    header.fill(0xff, 4);
    await expect(openArraySet(temporaryFolder({ [IMAGES]: gzipSync(header) }))).rejects.toThrow(DataError);
  });

  test('in several members is read whole, as gzip does', async () => {
    const bytes = idx(3);
    const members = Buffer.concat([gzipSync(bytes.subarray(0, 1000)), gzipSync(bytes.subarray(1000))]);
    const set = await openArraySet(temporaryFolder({ [IMAGES]: members }));
    expect(set?.training?.pictures.count).toBe(3);
  });
});

describe('.npz', () => {
  test('is refused before its arrays are unpacked, when all together are too large', async () => {
    const arrays = { 'x_train.npy': npy([40, 100, 100]), 'x_test.npy': npy([40, 100, 100]) };
    const path = join(temporaryFolder({ 'set.npz': zipSync(arrays, { level: 1 }) }), 'set.npz');
    await expect(openArraySet(path, new MemoryBudget(0.6 * MEGABYTE))).rejects.toThrow(
      /set.npz: expects to need at most/,
    );
    expect((await openArraySet(path, new MemoryBudget(0.96 * MEGABYTE)))?.test?.pictures.count).toBe(40);
  });

  test('with an entry larger than its directory says is refused when it gets there', async () => {
    const archive = Buffer.from(zipSync({ 'x.npy': npy([1, 1024, 1024]) }, { level: 1 }));
    const directory = archive.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    archive.writeUInt32LE(1000, directory + 24);
    let reserved = 0;
    await expect(
      unzip(
        archive,
        () => true,
        (bytes) => void (reserved += bytes),
      ),
    ).rejects.toThrow(/a damaged 'x.npy' \(expects 1000 bytes, got more\)/);
    expect(reserved).toBe(1000);
  });

  test('leaves the event loop its turns', async () => {
    const archive = zipSync({ 'x.npy': npy([1, 1024, 1024]) }, { level: 1 });
    let now = 0; // of a clock so fast that every piece takes long
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
    onTestFinished(() => clock.mockRestore());
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await unzip(
      archive,
      () => true,
      () => {},
    );
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

test('.keras is refused before its weights are unpacked', async () => {
  const bytes = zipSync(
    { 'config.json': Buffer.from('{}'), 'model.weights.h5': new Uint8Array(4 * MEGABYTE) },
    { level: 1 },
  );
  const files = [{ name: 'bomb.keras', bytes }];
  await expect(importKeras(files, { mostBytes: 2 * MEGABYTE })).rejects.toThrow(ModelFileError);
  await expect(importKeras(files, { mostBytes: 2 * MEGABYTE })).rejects.toThrow(
    /bomb.keras: expects at most 2097152 bytes unpacked, got 4194306/,
  );
});

test('the limit is half of the memory, or what BELTNET_MEMORY says', () => {
  expect(memoryLimit({ BELTNET_MEMORY: '1.5' })).toBe(1.5e9);
  expect(memoryLimit({})).toBeGreaterThan(2 ** 28);
  for (const odd of ['0', '-1', 'much', 'Infinity'])
    expect(() => memoryLimit({ BELTNET_MEMORY: odd })).toThrow(`expects a positive number of GB, got '${odd}'`);
});

/** Packed files and large pictures as large as those that were found to fill the memory; `test/faults` has small ones. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { openArraySet } from '../../src/data/sources/array-files.node.js';
import { unzip } from '../../src/data/sources/zip.js';
import { decodeFiles } from '../../src/data/store/decode-pool.node.js';
import { importKeras } from '../../src/formats/keras/import-keras.js';
import { MemoryBudget } from '../../src/memory.node.js';
import { makePng, temporaryFolder } from '../data/make-pictures.js';

const MEGABYTE = 2 ** 20;
/** 3.6 MB packed. */
const SIZE = 1024 * MEGABYTE;

/** What `work` adds to the memory of the process at its peak, in megabytes: looked at every 5 ms. */
async function peakOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return (Math.max(peak, process.memoryUsage.rss()) - before) / MEGABYTE;
}

test('a gigabyte of zeros in a .gz is refused by its first bytes', async () => {
  const folder = temporaryFolder({ 'train-images-idx3-ubyte.gz': gzipSync(Buffer.alloc(SIZE)) });
  global.gc?.();
  const peak = await peakOf(() => expect(openArraySet(folder)).rejects.toThrow(/expects an IDX file/));
  expect(peak).toBeLessThan(64);
}, 120_000);

test('a .keras and a .npz of a gigabyte are refused before they are unpacked', async () => {
  const zeros = new Uint8Array(SIZE);
  const keras = zipSync({ 'config.json': Buffer.from('{}'), 'model.weights.h5': zeros }, { level: 1 });
  const files = [{ name: 'bomb.keras', bytes: keras }];
  const load = () => importKeras(files, { mostBytes: 256 * MEGABYTE });
  expect(await peakOf(() => expect(load()).rejects.toThrow(/expects at most .* bytes unpacked/))).toBeLessThan(64);
  const path = join(temporaryFolder({ 'set.npz': zipSync({ 'x.npy': zeros }, { level: 1 }) }), 'set.npz');
  const budget = new MemoryBudget(256 * MEGABYTE);
  expect(await peakOf(() => expect(openArraySet(path, budget)).rejects.toThrow(/expects/))).toBeLessThan(64);
}, 240_000);

test('unpacking leaves the event loop its turns', async () => {
  const archive = zipSync({ x: new Uint8Array(256 * MEGABYTE) }, { level: 1 });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await unzip(
    archive,
    () => true,
    () => {},
  );
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
}, 120_000);

test('bombs of pictures give the same with one thread as with twelve, in the memory of one', async () => {
  const side = 4000; // 48 MB decoded
  const large = makePng({ width: side, height: side, rows: new Uint8Array(side * (3 * side + 1)) });
  const folder = temporaryFolder(Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`${i}.png`, large])));
  const paths = Array.from({ length: 24 }, (_, i) => `${folder}/${i}.png`);
  for (const memory of [1e9, 20e6]) {
    const answers: (string | null)[][] = [];
    for (const workers of [0, 2, 12]) {
      const errors: (string | null)[] = [];
      for await (const { results } of decodeFiles(paths, { size: { width: 4, height: 4 }, workers, memory }))
        for (const { error } of results) errors.push(error);
      answers.push(errors);
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(answers[0].filter((error) => error !== null)).toHaveLength(memory === 1e9 ? 0 : 24);
  }
}, 240_000);

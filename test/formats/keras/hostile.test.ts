/**
 * Damaged and malicious files: each is refused in one line, or imported when the damage does not matter (the value of a weight);
 * never another error, no hang, no large allocation. test/long has more of them, with the guard that Node's `loadKeras` has: among those here
 * none is of the rare kind that keeps jsfive busy, `endless.h5` is.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ModelFileError } from '../../../src/errors.js';
import { Hdf5Reader, loadKeras, readUnderGuard } from '../../../src/formats/keras/keras.node.js';
import { damagedArchives, damagedHdf5, damagedJson, damagedWeights, importDamaged } from './mutations.js';

const COUNT = 300;

describe('mutated files', { timeout: 120_000 }, () => {
  beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {})); // jsfive's remarks
  afterEach(() => void vi.restoreAllMocks());

  test.each([
    ['full models in HDF5', damagedHdf5(['mission.h5', 'keras1.h5', 'graph.h5']), 4],
    ['weights in HDF5', damagedWeights(['trained.weights.h5', 'keras2.h5']), 4],
    ['architectures in JSON, by bytes and by values', damagedJson('keras2.json', 'keras2.h5'), 2],
    ['archives, from outside and from inside', damagedArchives(['dense.keras', 'graph.keras', 'plain.keras']), 4],
  ])('%s', async (_, damage, part) => {
    expect(await importDamaged(damage, COUNT)).toBeGreaterThan(COUNT / part);
  });
});

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/keras/${name}`, import.meta.url));

test('a file that jsfive reads without end, filling memory, is refused by the guard', async () => {
  // On a busy machine the limit of time comes first.
  await expect(loadKeras(fixture('endless.h5'))).rejects.toThrow(
    /endless.h5: the HDF5 file is damaged: reading it (fails \(.*memory limit|does not end)/,
  );
});

test('one process reads many files; none learns of another, and one that is too much for it harms none', async () => {
  const reader = new Hdf5Reader();
  const read = (name: string): Promise<unknown> => reader.read(readFileSync(fixture(name)), name);
  const names = ['dense.h5', 'graph.h5'];
  const first = [await read(names[0]), await read(names[1])];
  expect(first).toEqual(await Promise.all(names.map((name) => readUnderGuard(readFileSync(fixture(name)), name))));
  await expect(read('endless.h5')).rejects.toThrow(ModelFileError);
  await expect(reader.read(Uint8Array.of(1, 2, 3), 'odd.h5')).rejects.toThrow(ModelFileError);
  expect([await read(names[0]), await read(names[1])]).toEqual(first);
  reader.close();
});

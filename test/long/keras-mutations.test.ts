/**
 * 2,000 damaged Keras files, networks within networks among them, read as `loadKeras` does but by one process, as long as it lives: refused in one line, or a model
 * that a file takes.
 */
import { afterAll, expect, test } from 'vitest';
import { Hdf5Reader } from '../../src/formats/keras/keras.node.js';
import { damagedArchives, damagedHdf5, importDamaged, writeAndRead } from '../formats/keras/mutations.js';

const COUNT = 1000;
const reader = new Hdf5Reader();
afterAll(() => reader.close());
const names = ['nested', 'many', 'trained', 'rescaled', 'dense', 'plain', 'graph'];

test.each([
  ['.h5', damagedHdf5(names.map((name) => `${name}.h5`))],
  ['.keras', damagedArchives(names.map((name) => `${name}.keras`))],
])('1,000 damaged %s files', async (kind, damage) => {
  const before = process.memoryUsage().rss;
  const refused = await importDamaged(
    damage,
    COUNT,
    { readHdf5: (bytes, name) => reader.read(bytes, name) },
    writeAndRead,
  );
  console.log(`${kind}: ${refused} refused`);
  expect(refused).toBeGreaterThan(COUNT / 4);
  expect(refused).toBeLessThan(COUNT);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
});

/** Programs that are given to Node as text have its worker threads, too: those do not take its flags. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a program in an argument reads HDF5, in a thread of its own', () => {
  const path = fileURLToPath(new URL('fixtures/keras/plain.h5', import.meta.url));
  const beltnet = new URL('../dist/src/index.node.js', import.meta.url).href;
  const program = `
    import { loadKeras } from ${JSON.stringify(beltnet)};
    const { model } = await loadKeras(${JSON.stringify(path)});
    console.log(model.layers.length > 0);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('true\n');
});

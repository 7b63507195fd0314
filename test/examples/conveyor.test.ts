/** The example, run as it stands, on a small belt. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from 'beltnet';
import { expect, onTestFinished, test, vi } from 'vitest';
import { writeClasses } from '../cli/run-beltnet.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { noteDevice } from '../support/devices.js';

test('examples/conveyor.ts trains, prints and saves, in under 50 lines', async () => {
  const source = readFileSync(new URL('../../examples/conveyor.ts', import.meta.url), 'utf8');
  expect(source.split('\n').length).toBeLessThan(50);

  const folder = temporaryFolder();
  writeClasses(join(folder, 'training_set'), 12);
  writeClasses(join(folder, 'test_set'), 6);
  const before = { argv: process.argv, folder: process.cwd() };
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  onTestFinished(() => {
    process.argv = before.argv;
    process.chdir(before.folder);
    log.mockRestore();
  });
  process.argv = ['node', 'conveyor.ts', folder, '3'];
  process.chdir(folder);
  noteDevice('cpu');
  await import('../../examples/conveyor.js');

  const lines = log.mock.calls.map(([line]) => String(line));
  expect(lines.slice(0, 2)).toEqual([
    'Found 12 images belonging to 2 classes.',
    'Found 6 images belonging to 2 classes.',
  ]);
  expect(lines[2]).toContain('Total params: 813,217');
  expect(lines.slice(3)).toEqual(['Epoch 1/2', 'Epoch 2/2']);
  const { model, info } = await loadModel('conveyor.safetensors');
  expect(model.countParameters()).toBe(813217);
  expect(info.classNames).toEqual(['bright', 'dark']);
});

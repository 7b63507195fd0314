/**
 * The exported weights in PyTorch itself: `npm run test:pytorch`, which needs a Python with torch and Pillow and fails
 * without. What PyTorch makes of every layer is kept in test/formats/torch.reference.json, against which every run of the
 * tests compares; BELTNET_WRITE_PYTORCH=1 writes it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeTorchSafetensors } from '../../src/index.js';
import { beltnetWorks, writeClasses } from '../cli/run-beltnet.js';
import { layerModels, randomInput, randomWeights, worstDifference, info } from '../formats/layer-models.js';
import { digest, reference, TOLERANCE, type Reference } from '../formats/torch-reference.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const python = (script: string, ...args: string[]): string => {
  const program = process.env['BELTNET_PYTHON'];
  if (!program) throw new Error('BELTNET_PYTHON names a Python with torch; npm run test:pytorch sets it');
  return execFileSync(program, [here(script), ...args], { encoding: 'utf8' });
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-pytorch-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every layer', async () => {
  const names = Object.keys(layerModels);
  const digests = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    const bytes = await encodeTorchSafetensors(await randomWeights(layerModels[name]()), info);
    digests.set(name, digest(bytes));
    writeFileSync(join(folder, `${i}.safetensors`), bytes);
    writeFileSync(join(folder, `${i}.input`), new Uint8Array(randomInput(2).buffer));
  }
  const outputs = JSON.parse(python('layers.py', folder)) as Record<number, number[]>;
  const made: Reference = Object.fromEntries(
    names.map((name, i) => [name, { digest: digests.get(name) ?? '', outputs: outputs[i] }]),
  );
  if (process.env['BELTNET_WRITE_PYTORCH'])
    writeFileSync(here('../formats/torch.reference.json'), `${JSON.stringify(made, null, 2)}\n`);
  const kept = reference();
  expect(Object.keys(kept)).toEqual(names);
  for (const name of names) {
    expect(made[name].digest).toBe(kept[name].digest);
    expect(worstDifference(made[name].outputs, kept[name].outputs)).toBeLessThan(TOLERANCE);
  }
});

test('the example predicts what beltnet predicts', async () => {
  writeClasses(join(folder, 'set'), 12);
  const options = [
    '--size',
    '24x32',
    '--epochs',
    '1',
    '--split',
    '0.5',
    '--device',
    'cpu',
    '--normalize',
    'featurewise',
  ];
  await beltnetWorks(['train', 'set', ...options, '--name', 'run', '--batch', '6'], { cwd: folder });
  await beltnetWorks(['export', 'runs/run', '-o', 'torch.safetensors'], { cwd: folder });
  const pictures = readdirSync(join(folder, 'set/dark')).map((name) => join(folder, 'set/dark', name));
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; probabilities: Record<string, number> });
  const ours = lines(await beltnetWorks(['predict', 'runs/run', ...pictures, '--json'], { cwd: folder }));
  const theirs = lines(python('../../examples/pytorch/predict.py', join(folder, 'torch.safetensors'), ...pictures));
  expect(theirs.map(({ file }) => file)).toEqual(ours.map(({ file }) => file));
  for (const [i, { probabilities }] of theirs.entries()) {
    expect(Object.keys(probabilities)).toEqual(['bright', 'dark']);
    expect(worstDifference(Object.values(probabilities), Object.values(ours[i].probabilities))).toBeLessThan(TOLERANCE);
  }
});

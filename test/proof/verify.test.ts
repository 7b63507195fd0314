/** `beltnet verify`: a run as it was made, and each thing that may have been changed since, named. */
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, saveModel, type ModelCard } from 'beltnet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beltnet, beltnetWorks, noisyPng, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-verify-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
const inFolder = (...parts: string[]) => join(cwd, ...parts);
const verify = (...args: string[]) => beltnet(['verify', ...args], { cwd });

beforeAll(async () => {
  noteDevice('cpu');
  writeClasses(inFolder('belt/train'), 20);
  writeClasses(inFolder('belt/test'), 12);
  await beltnetWorks(['keygen', 'key'], { cwd });
  const options = ['--size', '16x16', '--epochs', '4', '--batch', '4', '--rotation', '5', '--alert-class', 'dark'];
  await beltnetWorks(['train', 'belt', ...options, '--reproducible', '--name', 'run', '--key', 'key'], { cwd });
});

test('a run as it was made, trained again on other threads, with the pictures at another place', async () => {
  cpSync(inFolder('belt'), inFolder('moved'), { recursive: true });
  const { code, stdout, stderr } = await verify(
    ...['runs/run', '--trust', 'key.pub', '--retrain', '--data', 'moved', '--threads', '1'],
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('DIFFERS') });
  for (const what of ['record', 'files', 'pictures', 'predictions', 'figures', 'training'])
    expect(stdout).toMatch(new RegExp(`^ok +${what}: `, 'm'));
  expect(stdout).toMatch(/^Head: 1:[0-9a-f]{64}$/m);
});

test('one changed pixel and one other label', async () => {
  rmSync(inFolder('changed'), { recursive: true, force: true });
  cpSync(inFolder('belt'), inFolder('changed'), { recursive: true });
  writeFileSync(inFolder('changed/train/dark/001.png'), noisyPng('dark', 77));
  renameSync(inFolder('changed/test/bright/000.png'), inFolder('changed/test/dark/000.png'));
  const { code, stdout } = await verify('runs/run', '--data', 'changed');
  expect(code).toBe(12);
  const said = stdout.split('\n').filter((line) => line.startsWith('DIFFERS  pictures'));
  expect(said).toEqual([
    'DIFFERS  pictures: train/dark/001.png: its content was changed',
    "DIFFERS  pictures: test/bright/000.png: is test/dark/000.png now: its label was 'bright', is 'dark'",
  ]);
});

test('an option, a weight, a threshold, a prediction and an entry of the record', async () => {
  cpSync(inFolder('runs/run'), inFolder('runs/forged'), { recursive: true });
  const forged = (name: string) => inFolder('runs/forged', name);
  const change = (name: string, from: string, to: string) => {
    const text = readFileSync(forged(name), 'utf8');
    expect(text).toContain(from);
    writeFileSync(forged(name), text.replace(from, to));
  };
  const { model, info } = await loadModel(forged('best.safetensors'));
  const weights = await model.getWeights();
  weights['dense.bias'].data[0] += 1e-6;
  model.setWeights(weights);
  rmSync(forged('best.safetensors')); // a second name of the last one
  await saveModel(forged('best.safetensors'), model, { ...info, alert: { ...info.alert, threshold: 0.25 } });
  change('config.json', '"lr": 0.001', '"lr": 0.002');
  change('record.jsonl', '"time":"2', '"time":"1');
  change('predictions.csv', ',test,', ',validation,');
  const { code, stdout, stderr } = await verify('runs/forged', '--record-only');
  expect(code).toBe(12);
  expect(stderr).toMatch(/^beltnet: runs\/forged: \d differences$/m);
  for (const line of [
    'record: entry 1 (train): was changed',
    "files: best.safetensors: the weights 'dense.bias' are others",
    'files: best.safetensors: alert.threshold was 0.5, is 0.25',
    'files: config.json: option lr was 0.001, is 0.002',
    'files: predictions.csv: it was changed after the last entry',
  ])
    expect(stdout).toContain(`DIFFERS  ${line}\n`);
});

test('what is done to a run goes into its record and onto its card', async () => {
  cpSync(inFolder('runs/run'), inFolder('runs/tuned'), { recursive: true });
  const choose = ['threshold', 'runs/tuned', 'belt', '--part', 'test', '--max-miss', '0.2', '--write'];
  await beltnetWorks([...choose, '--key', 'key'], { cwd });
  await beltnetWorks(['export', 'runs/tuned', '-o', 'tuned.onnx'], { cwd });
  const card = JSON.parse(readFileSync(inFolder('runs/tuned/card.json'), 'utf8')) as ModelCard;
  expect(card.alert.reason).toMatch(/^the fewest false alarms/);
  expect(readFileSync(inFolder('runs/tuned/card.md'), 'utf8')).toContain(`Threshold: ${card.alert.reason}`);
  const { code, stdout } = await verify('runs/tuned', '--trust', 'key.pub', '--json');
  const { differences, head } = JSON.parse(stdout) as {
    differences: { difference: string }[];
    head: { count: number };
  };
  expect(head.count).toBe(3);
  expect(differences.map(({ difference }) => difference)).toEqual(['entry 3 (export): is not signed']);
  expect(code).toBe(12);
  expect((await verify('runs/tuned/best.safetensors', '--head', `1:${'0'.repeat(64)}`)).stdout).toContain(
    'DIFFERS  record: entry 1 has the hash',
  );
});

test('devices, the ONNX export and a page say the same, or the one that does not is named', async () => {
  noteDevice('webgpu');
  const table = await beltnetWorks(['predict', 'runs/run', 'belt/test', '--csv'], { cwd });
  writeFileSync(inFolder('page.csv'), table);
  cpSync(inFolder('runs/run'), inFolder('runs/everywhere'), { recursive: true });
  const said = await beltnetWorks(['parity', 'runs/everywhere', 'belt/test', '--page', 'page.csv'], { cwd });
  for (const way of ['cpu ', 'webgpu ', 'onnxruntime-web, a new export ', 'the table page.csv '])
    expect(said).toMatch(new RegExp(`^${way}.* ok$`, 'm'));
  const card = JSON.parse(readFileSync(inFolder('runs/everywhere/card.json'), 'utf8')) as ModelCard;
  expect(card.parity).toMatchObject({ passed: true, pictures: 12 });
  expect(readFileSync(inFolder('runs/everywhere/card.md'), 'utf8')).toContain('Yes: 12 pictures');

  const [, first, probability] = /\n([^,]+),[^,]+,(0\.\d+)/.exec(table) ?? [];
  writeFileSync(inFolder('page.csv'), table.replace(probability, String(Number(probability) - 0.001)));
  const parity = (...args: string[]) =>
    beltnet(['parity', 'runs/run', 'belt/test', '--without-onnx', ...args], { cwd });
  const { code, stdout } = await parity('--page', 'page.csv');
  expect(stdout).toMatch(/^the table page\.csv +1\.0e-3 +FAILED$/m);
  expect(code).toBe(12);
  writeFileSync(
    inFolder('page.csv'),
    table
      .split('\n')
      .filter((line) => !line.startsWith(first))
      .join('\n'),
  );
  expect(await parity('--page', 'page.csv')).toMatchObject({
    ...{
      code: 3,
      stderr: expect.stringContaining(`expected one line for ${first.split('/').slice(-2).join('/')}, got none`),
    },
  });
});

test.each([
  [['runs/none'], 3, 'expected a run with a record'],
  [['runs/run', '--head', '3'], 2, 'expected a head as verify prints it'],
  [['runs/run', '--trust', 'key'], 2, 'expected a public key'],
  [['runs/run', '--data', 'nowhere'], 3, 'nowhere'],
])('%j is refused', async (args, exitCode, message) => {
  const { code, stderr } = await verify(...args);
  expect(stderr).toContain(message);
  expect(code).toBe(exitCode);
});

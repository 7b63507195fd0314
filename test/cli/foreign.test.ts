/** Networks of others and good pictures only, as users have them: `import net.onnx`, `--base net.onnx`, `train --good-only`. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, writeClasses } from './run-beltnet.js';

let cwd: string;
const onCpu = ['--device', 'cpu', '--threads', '2'];

beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-foreign-'));
  copyFileSync(fileURLToPath(new URL('../fixtures/onnx/resnet-script.onnx', import.meta.url)), join(cwd, 'net.onnx'));
  writeClasses(join(cwd, 'pictures'), 48);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test('a network in ONNX becomes a model file that predicts, with what the file does not say', async () => {
  const options = ['--mean', '0.485,0.456,0.406', '--std', '0.229,0.224,0.225', '--classes', 'a,b,c,d,e'];
  const said = await beltnetWorks(['import', 'net.onnx', '-o', 'net.safetensors', ...options, '--json'], { cwd });
  expect(JSON.parse(said)).toMatchObject({
    opset: 17,
    inputShape: [34, 38, 3],
    classes: ['a', 'b', 'c', 'd', 'e'],
    preprocessing: { normalization: { featurewiseMean: [0.485, 0.456, 0.406] } },
    notes: ['the file ends in plain scores; a softmax makes probabilities of them'],
  });
  const predicted = await beltnetWorks(['predict', 'net.safetensors', 'pictures/dark', '--json', ...onCpu], { cwd });
  const [first] = predicted
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { probabilities: Record<string, number> });
  const sum = Object.values(first.probabilities).reduce((total, one) => total + one, 0);
  expect(sum).toBeCloseTo(1, 4);

  // and what beltnet writes comes back with its classes and preparation
  await beltnetWorks(['export', 'net.safetensors', '-o', 'again.onnx'], { cwd });
  const again = await beltnetWorks(['import', 'again.onnx', '-o', 'again.safetensors', '--json'], { cwd });
  const { classes, preprocessing } = JSON.parse(said) as Record<string, unknown>;
  expect(JSON.parse(again)).toMatchObject({ classes, preprocessing });
});

test('a network in ONNX is a base', async () => {
  const told = await beltnetWorks(
    ['train', 'pictures', '--base', 'net.onnx', '--name', 'base', '--split', '0.25', ...onCpu],
    { cwd },
  );
  expect(told).toContain('Base: net.onnx, 38x34 pictures');
});

test.each([
  ['text', 'no network'],
  ['nothing', ''],
])('%s in place of a network ends with code 4', async (_, content) => {
  writeFileSync(join(cwd, 'bad.onnx'), content);
  const { code, stderr } = await beltnet(['import', 'bad.onnx', '-o', 'bad.safetensors'], { cwd });
  expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 4, lines: 1 });
  expect(stderr).toContain('bad.onnx: expects an ONNX');
});

test('good pictures alone make a model that predict and evaluate take', async () => {
  const options = ['--good-only', '--base', 'net.onnx', '--base-size', '64x64', '--false-alarms', '0.2', ...onCpu];
  const alone = await beltnetWorks(['train', 'pictures/dark', '--name', 'alone', '--reproducible', ...options], {
    cwd,
  });
  expect(alone).toMatch(/scene: \d of 5 held-back good pictures raise the alarm/);
  const lines = (await beltnetWorks(['predict', 'runs/alone', 'pictures/bright', '--json', ...onCpu], { cwd }))
    .trim()
    .split('\n');
  const alerts = lines.map((line) => (JSON.parse(line) as { alert: boolean }).alert);
  expect(alerts.filter(Boolean).length).toBeGreaterThan(0.9 * alerts.length);
  // the run is one like any other: its pictures, what is said of them, and the same weights again
  const verified = await beltnetWorks(['verify', 'runs/alone', '--retrain', '--threads', '2'], { cwd });
  expect(verified).toContain('ok       pictures: 24');
  expect(verified).toContain('ok       predictions: those of 24 pictures, computed again, to the last bit');
  expect(verified).toContain('ok       training: done again, with the same weights');
  const card = readFileSync(join(cwd, 'runs/alone/card.md'), 'utf8');
  expect(card).toContain('Missed: nobody knows, none of these pictures shows defect.');
  expect(card).toContain('the distance beyond which a share of 0.2 of good pictures lies, on 5 good pictures');

  const both = await beltnetWorks(
    ['train', 'pictures', '--good-class', 'dark', '--name', 'both', '--json', ...options],
    { cwd },
  );
  const { ways, way, model } = JSON.parse(both.trim().split('\n').at(-1) ?? '') as {
    ways: { way: string; rocAuc: number }[];
    way: string;
    model: string;
  };
  expect(ways.map((one) => one.way)).toEqual(['scene', 'fixed-camera']);
  expect(ways.find((one) => one.way === way)?.rocAuc).toBe(Math.max(...ways.map((one) => one.rocAuc)));
  expect(readFileSync(join(cwd, model)).length).toBeLessThan(20e6);
  const evaluated = await beltnetWorks(['evaluate', 'runs/both', 'pictures', '--json', ...onCpu], { cwd });
  expect(JSON.parse(evaluated.trim().split('\n').at(-1) ?? '')).toMatchObject({
    alert: { class: 'bright', rocAuc: 1 },
  });
  const predictions = readFileSync(join(cwd, 'runs/both/predictions.csv'), 'utf8').trim().split('\n').slice(1);
  const uses = predictions.map((line) => line.split(',').slice(1, 3).join(' '));
  const of = (use: string): number => uses.filter((each) => each === use).length;
  expect(['dark training', 'dark validation', 'bright validation'].map(of)).toEqual([19, 5, 24]);
  const report = await beltnetWorks(['report', 'runs/both', '--json', '--device', 'cpu'], { cwd });
  expect(JSON.parse(report)).toMatchObject({ pictures: 48, notes: [] });
});

test.each<[string, string[], number, RegExp]>([
  [
    'class folders without a good one',
    ['pictures'],
    2,
    /expects good pictures, or class folders with --good-class NAME/,
  ],
  [
    'a class that is not there',
    ['pictures', '--good-class', 'gray'],
    2,
    /--good-class: expects a folder in pictures \(bright, dark\), got 'gray'/,
  ],
  [
    'what is for classifiers',
    ['pictures/dark', '--epochs', '3'],
    2,
    /--good-only: expects no --epochs, which is for classifiers/,
  ],
  ['a rate of 0', ['pictures/dark', '--false-alarms', '0'], 2, /--false-alarms: expects a number above 0 and below 1/],
  ['a folder that is not there', ['nowhere'], 3, /nowhere/],
])('train --good-only refuses %s', async (_, args, expected, message) => {
  const { code, stderr } = await beltnet(['train', '--good-only', ...args, ...onCpu], { cwd });
  expect(stderr).toMatch(message);
  expect(code).toBe(expected);
});

/** What `train` is told and tells beside training: plans, configurations, repeats and folds, schedules, quiet. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, writeClasses } from './run-beltnet.js';

let cwd: string;
const small = ['--size', '16x16', '--batch', '8', '--device', 'cpu', '--alert-class', 'dark', '--hold-back', '0.25'];
const json = (path: string): Record<string, never> => JSON.parse(readFileSync(join(cwd, path), 'utf8')) as never;
const model = (run: string): Buffer => readFileSync(join(cwd, 'runs', run, 'last.safetensors'));

beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-control-'));
  writeClasses(join(cwd, 'belt'), 24);
  const schedule = ['--schedule', 'cosine', '--warmup', '0.5', '--epochs', '3', '--tensorboard'];
  await beltnetWorks(['train', 'belt', ...small, ...schedule, '--name', 'cosine'], { cwd });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test('--dry-run says what would be done, and writes nothing', async () => {
  const before = readdirSync(cwd).toSorted();
  const stdout = await beltnetWorks(['train', 'belt', ...small, '--dry-run', '--out', 'elsewhere', '--json'], { cwd });
  const plan = JSON.parse(stdout);
  expect(plan).toMatchObject({
    ...{ event: 'plan', epochs: 25, stepsPerEpoch: 3, validationFrom: 'held back', out: 'elsewhere', test: null },
    training: { pictures: 18, classes: { bright: 9, dark: 9 } },
    validation: { pictures: 6 },
    memory: { pictures: 24 * 16 * 16 * 3 },
  });
  // Time adds up, and a device that has trained has held weights, gradients, moments and a batch's layers.
  const { seconds, memory } = plan;
  for (const figure of Object.values(seconds)) expect(figure).toBeGreaterThan(0);
  expect(seconds.epoch).toBeGreaterThan(3 * seconds.step); // and validation
  expect(seconds.training).toBeCloseTo(25 * seconds.epoch);
  expect(memory.device).toBeGreaterThan(memory.network);
  expect(readdirSync(cwd).toSorted()).toEqual(before);
});

const everything = (): string[] => readdirSync(cwd, { recursive: true, encoding: 'utf8' }).toSorted();

test('--find-lr says a rate to begin with, and leaves no run', async () => {
  const before = everything();
  const stdout = await beltnetWorks(['train', 'belt', ...small, '--find-lr', '--json'], { cwd });
  const found = JSON.parse(stdout) as { suggested: number; tried: { learningRate: number; loss: number }[] };
  const rates = found.tried.map(({ learningRate }) => learningRate);
  expect(rates.slice(0, 3).map((rate, n) => rate / 1e-6 / 10 ** ((6 * n) / 99))).toEqual(
    [1, 1, 1].map((one) => expect.closeTo(one, 9)),
  );
  expect(found.suggested).toBeGreaterThan(1e-6);
  expect(found.suggested).toBeLessThan(0.1);
  expect(everything()).toEqual(before);
});

test('--schedule: the rate falls as said, and the run does not grow', async () => {
  const rates = readFileSync(join(cwd, 'runs/cosine/results.csv'), 'utf8').trimEnd().split('\n').slice(1);
  const last = rates.map((row) => Number(row.split(',')[8]));
  expect(last[0]).toBeGreaterThan(last[1]);
  expect(last[2]).toBeLessThan(1e-4);
  expect(existsSync(join(cwd, 'runs/cosine/events.out.tfevents.1.beltnet'))).toBe(true);
  const longer = await beltnet(['train', '--resume', 'runs/cosine', '--epochs', '5'], { cwd });
  expect([longer.code, longer.stderr]).toEqual([2, expect.stringMatching(/--epochs: .* falls to its end at epoch 3/)]);
});

test('--config: a run again, to the same bits; what is given here takes its place; --quiet says no more than warnings', async () => {
  const again = await beltnet(['train', '--config', 'runs/cosine', '--name', 'again', '--quiet'], { cwd });
  expect(again).toMatchObject({ code: 0, stdout: '' });
  expect(again.stderr).not.toContain('note:');
  expect(model('again').equals(model('cosine'))).toBe(true);
  await beltnetWorks(['train', '--config', 'runs/cosine/config.json', '--seed', '3', '--name', 'other'], { cwd });
  expect(json('runs/other/config.json')).toMatchObject({ options: { seed: 3, schedule: 'cosine', epochs: 3 } });
  const none = await beltnet(['train', '--config', 'belt'], { cwd });
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--config: expects a config.json')]);
});

test('--repeats: a run for each seed, as it would be alone, and their mean and range', async () => {
  const stdout = await beltnetWorks(
    ['train', '--config', 'runs/cosine', '--repeats', '2', '--seed', '2', '--name', 'two'],
    { cwd },
  );
  expect(stdout).toMatch(/2 trainings with seeds 2 to 3.*\nfigure +mean +least +most\n/);
  expect(model('two/seed-3').equals(model('other'))).toBe(true);
  const { figures, runs } = json('runs/two/summary.json') as unknown as {
    figures: { valLoss: { mean: number; least: number; most: number } };
    runs: { record: { valLoss: number } }[];
  };
  const losses = runs.map(({ record }) => record.valLoss);
  expect(figures.valLoss).toEqual({
    mean: (losses[0] + losses[1]) / 2,
    least: Math.min(...losses),
    most: Math.max(...losses),
  });
});

test('--folds: each picture judges one of them', async () => {
  await beltnetWorks(['train', 'belt', ...small.slice(0, -2), '--epochs', '1', '--folds', '3', '--name', 'folds'], {
    cwd,
  });
  const judged = [1, 2, 3].flatMap((fold) =>
    readFileSync(join(cwd, `runs/folds/fold-${fold}/predictions.csv`), 'utf8')
      .split('\n')
      .filter((row) => row.split(',')[2] === 'validation'),
  );
  expect(new Set(judged.map((row) => row.split(',')[0])).size).toBe(24);
  expect(judged).toHaveLength(24);
  expect(json('runs/folds/fold-2/config.json')).toMatchObject({ fold: { index: 1, of: 3 }, chosen: { on: 'fold' } });
  expect(json('runs/folds/summary.json')).toMatchObject({ folds: 3, figures: { balancedAccuracy: {} } });
});

test('--folds with --base: a head for each fold', async () => {
  const folds = ['--folds', '2', '--base', 'darknet-tiny', '--base-size', '64x64', '--alert-class', 'dark'];
  await beltnetWorks(['train', 'belt', ...folds, '--device', 'cpu', '--name', 'heads'], { cwd });
  const { figures, runs } = json('runs/heads/summary.json') as unknown as {
    figures: object;
    runs: { record: object }[];
  };
  expect(runs.map(({ record }) => record)).toEqual(
    [1, 2].map(() => expect.objectContaining({ split: 'validation', pictures: 12 })),
  );
  expect(figures).toMatchObject({ balancedAccuracy: { mean: 1, least: 1, most: 1 } }); // dark against bright
});

test('a loss that is no number names the pictures of its step', async () => {
  const { code, stderr } = await beltnet(['train', 'belt', ...small, '--lr', '1e30', '--name', 'burst'], { cwd });
  expect([code, stderr]).toEqual([
    7,
    expect.stringMatching(
      /step \d, whose \d pictures are belt\/(dark|bright)\/\d+\.png, .*; it began in (the weights of|what) layer '\w+'/,
    ),
  ]);
});

test('--help: the options under headings, with examples', async () => {
  const help = await beltnetWorks(['train', '--help'], { cwd });
  for (const heading of [
    'Pictures',
    'What trains, and what chooses',
    'Network',
    'Training',
    'Augmentation',
    'The run',
    'Device',
    'Output',
  ])
    expect(help).toContain(`\n${heading}:\n  --`);
  expect(help).toMatch(/Examples:\n(  beltnet train .*\n){7}/);
});

/** `beltnet threshold`, and what `evaluate` says of its own figures: by the built command line, on a model of random weights. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeModel, type ModelInfo } from 'beltnet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, tinyModel } from '../classifier/tiny-model.js';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, noisyPng, type Finished } from './run-beltnet.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-test-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
const device = ['--device', 'cpu'];
const run = (...args: string[]): Promise<Finished> => beltnet([...args, ...device], { cwd });
const json = async (...args: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await beltnetWorks([...args, '--json', ...device], { cwd })) as Record<string, unknown>;
const infoOf = (file: string): ModelInfo =>
  decodeModel(new Uint8Array(readFileSync(join(cwd, file))), file, { knownSections: ['calibration'] }).info;

beforeAll(async () => {
  noteDevice('cpu');
  writeFileSync(join(cwd, 'model.safetensors'), await bytesOf(tinyModel()));
  for (const [label, looks] of [
    ['gap', 'dark'],
    ['ok', 'bright'],
  ] as const) {
    mkdirSync(join(cwd, 'val', label), { recursive: true });
    mkdirSync(join(cwd, 'copies', label), { recursive: true });
    for (let n = 0; n < 30; n++) {
      // Every sixth looks like the other class.
      const picture = noisyPng(n % 6 === 0 ? (looks === 'dark' ? 'bright' : 'dark') : looks, n);
      writeFileSync(join(cwd, 'val', label, `belt${n % 3}_${n}.png`), picture);
      writeFileSync(join(cwd, 'copies', label, `${n}.png`), noisyPng(looks, n % 2));
    }
  }
});

const costs = ['--cost-miss', '50', '--cost-false', '1'];

describe('threshold', () => {
  test('says what it chose and why, and writes nothing unless it is asked to', async () => {
    const before = readFileSync(join(cwd, 'model.safetensors'));
    const { code, stdout, stderr } = await run('threshold', 'model.safetensors', 'val', ...costs);
    expect(code).toBe(0);
    expect(stdout).toContain("Alert 'gap': the least expected cost, with 50 for a miss, 1 for a false alarm");
    expect(stdout).toMatch(
      /Threshold [\d.]+ \(it was 0\.5\); drawn from other such pictures: [\d.]+ to [\d.]+ \(95 %\)/,
    );
    expect(stdout).toMatch(/Counted at [\d.]+: \d+ of 30 pictures missed/);
    expect(stdout).toContain('Nothing is written');
    expect(stderr).toContain('cannot know: how often the class is on the belt: 50 % is taken');
    expect(readFileSync(join(cwd, 'model.safetensors'))).toEqual(before);
    for (const line of stdout.split('\n').filter((each) => each.includes('*')))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  test('into a new file with --output, in place with --write; predict and evaluate follow it, or --threshold', async () => {
    copyFileSync(join(cwd, 'model.safetensors'), join(cwd, 'in-place.safetensors'));
    const chosen = await json('threshold', 'model.safetensors', 'val', ...costs, '--output', 'new.safetensors');
    await beltnetWorks(['threshold', 'in-place.safetensors', 'val', ...costs, '--write', ...device], { cwd });
    expect(readFileSync(join(cwd, 'in-place.safetensors'))).toEqual(readFileSync(join(cwd, 'new.safetensors')));
    const { alert, sections } = infoOf('new.safetensors');
    expect(alert).toEqual({ className: 'gap', threshold: chosen['threshold'] });
    expect(sections?.['decision']?.value).toMatchObject({
      data: 'val',
      part: 'validation',
      cannotKnow: chosen['cannotKnow'],
    });
    expect(await json('evaluate', 'new.safetensors', 'val')).toMatchObject({
      alert: { threshold: chosen['threshold'] },
    });
    expect(await json('evaluate', 'new.safetensors', 'val', '--threshold', '0')).toMatchObject({
      alert: { threshold: 0, missed: 0, falseAlarms: 30 },
    });
    const csv = await beltnetWorks(['predict', 'new.safetensors', 'val', '--csv', '--threshold', '1', ...device], {
      cwd,
    });
    expect(csv.split('\n').filter((line) => line.includes(',false,'))).toHaveLength(60);
    const again = await run('threshold', 'model.safetensors', 'val', ...costs, '--output', 'new.safetensors');
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("got 'new.safetensors', which exists")]);
  });

  test('by groups, of which three are too few', async () => {
    const chosen = await json('threshold', 'model.safetensors', 'val', '--max-miss', '0.1', '--group-by', 'belt\\d');
    expect(chosen['interval']).toEqual({ reason: 'too few groups (3 with the class, 3 without)' });
  });

  test.each([
    [[], 'got none of them'],
    [['--cost-miss', '50'], 'got --cost-miss'],
    [[...costs, '--max-miss', '0.1'], 'got --cost-miss, --cost-false, --max-miss'],
    [['--max-miss', '1'], 'expects a part from 0 to below 1'],
  ])('%j is refused', async (args, message) => {
    const { code, stderr } = await run('threshold', 'model.safetensors', 'val', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe('evaluate', () => {
  test('says how sure it is, what guessing reaches, and which files are wrong', async () => {
    const { stdout, stderr } = await run('evaluate', 'model.safetensors', 'val');
    expect(stdout).toMatch(/Accuracy: 0\.\d+ to \d\.\d+ \(95 %\); 0\.5000 by always saying the most frequent class/);
    expect(stdout).toMatch(/Probabilities: Brier score .*, expected calibration error .* \(15 bins\)/);
    expect(stdout).toMatch(/mistakes, worst first:\nfile +is +taken for +probability\nval\//);
    expect(stderr).not.toContain('not evidence');
  });

  test('30 copies of each of two pictures are no evidence', async () => {
    const { stdout, stderr } = await run('evaluate', 'model.safetensors', 'copies');
    expect(stdout).toContain('Accuracy: no interval, too few groups (4), by 4 groups of pictures');
    expect(stderr).toContain('warning: 4 distinct pictures: this accuracy is not evidence');
  });

  test('--calibrate writes the temperature, and the verdicts are others from then on', async () => {
    copyFileSync(join(cwd, 'model.safetensors'), join(cwd, 'warm.safetensors'));
    const before = await json('evaluate', 'warm.safetensors', 'val');
    const fitted = await json('evaluate', 'warm.safetensors', 'val', '--calibrate');
    const { logLoss, temperature } = fitted['calibration'] as { logLoss: object; temperature: number };
    const after = await json('evaluate', 'warm.safetensors', 'val');
    expect(logLoss).toEqual({
      before: (before['evidence'] as { logLoss: number }).logLoss,
      after: expect.closeTo((after['evidence'] as { logLoss: number }).logLoss, 6) as unknown,
    });
    expect(infoOf('warm.safetensors').sections?.['calibration']).toMatchObject({
      required: true,
      value: { temperature },
    });
    expect(after['accuracy']).toBe(before['accuracy']);
  });
});

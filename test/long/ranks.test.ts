/**
 * Trainings over mpirun on one machine: the same bits each time, resumed to the same bits, and as accurate as one process; and what
 * averaging parameters every so many steps costs. Practice pictures that are not told apart at once.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { beltnetWorks, program } from '../cli/run-beltnet.js';
import { mpirun } from '../distributed/mpirun.js';
import { noteDevice } from '../support/devices.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-long-ranks-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
const environment = { BELTNET_CACHE: join(cwd, 'cache') };

const train = (name: string, ...more: readonly string[]): string[] => [
  ...['train', 'belt/training_set', '--split', '0.2', '--size', '32x32', '--alert-class', 'gap', '--device', 'cpu'],
  ...['--shear', '5deg', '--horizontal-flip', '--class-weight', 'balanced', '--threads', '1', '--name', name, ...more],
];
const ranks = async (size: number, args: readonly string[]) =>
  mpirun(size, [program, ...args, '--distributed'], { cwd, environment });
const works = async (size: number, args: readonly string[]): Promise<void> => {
  const { code, stderr } = await ranks(size, args);
  expect({ code, stderr: stderr.replaceAll(/^(?:note|warning): .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
};
const model = (name: string): Buffer => readFileSync(join(cwd, 'runs', name, 'last.safetensors'));
/** Of the epoch that a run keeps. */
const bestAccuracy = (name: string): number => {
  const lines = readFileSync(join(cwd, 'runs', name, 'events.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return Math.max(...lines.map((line) => (JSON.parse(line) as { valAccuracy: number }).valAccuracy));
};
const makeBelt = async (): Promise<void> => {
  if (!existsSync(join(cwd, 'belt')))
    await beltnetWorks(['synth', 'belt', '--count', '800', '--size', '64x48'], { cwd });
};

test('the same bits again, resumed too; another number of ranks goes on with the same batches', async () => {
  noteDevice('cpu');
  await makeBelt();
  await works(4, train('first', '--epochs', '3'));
  await works(4, train('again', '--epochs', '3'));
  expect(model('again').equals(model('first'))).toBe(true);
  await works(4, train('halves', '--epochs', '1'));
  await works(4, ['train', '--resume', 'runs/halves', '--epochs', '3']);
  expect(model('halves').equals(model('first'))).toBe(true);
  await works(4, train('other', '--epochs', '2'));
  await works(3, ['train', '--resume', 'runs/other', '--epochs', '3']);
  expect(Math.abs(bestAccuracy('other') - bestAccuracy('first'))).toBeLessThan(0.02);
});

test('the accuracy of one process, over three seeds', async () => {
  noteDevice('cpu');
  await makeBelt();
  const means: Record<string, number> = {};
  for (const size of [1, 4]) {
    let sum = 0;
    for (const seed of ['1', '2', '3']) {
      const args = train(`seed-${seed}-of-${size}`, '--epochs', '12', '--seed', seed);
      if (size === 1) await beltnetWorks(args, { cwd });
      else await works(size, args);
      sum += bestAccuracy(`seed-${seed}-of-${size}`);
    }
    means[size] = sum / 3;
  }
  expect(Math.abs(means[4] - means[1])).toBeLessThan(0.01);
});

test('parameters that are averaged every few steps are the same again, and learn', async () => {
  noteDevice('cpu');
  await makeBelt();
  for (const name of ['averaged', 'averaged-again']) await works(3, train(name, '--epochs', '12', '--sync-every', '4'));
  expect(model('averaged-again').equals(model('averaged'))).toBe(true);
  expect(bestAccuracy('averaged')).toBeGreaterThan(0.9);
});

test('a training that breaks ends all ranks, and one says so', async () => {
  noteDevice('cpu');
  await makeBelt();
  const { code, stderr } = await ranks(2, train('broken', '--epochs', '2', '--lr', '1e30'));
  expect(code).toBe(7);
  expect(stderr.match(/^beltnet: .*loss became/gm)).toHaveLength(1); // rank 0 alone says it
});

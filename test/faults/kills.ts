/** A training that is killed (SIGKILL, which no program hears) at a random moment, and what must be true afterwards. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { loadModel } from '../../src/formats/beltnet/model.node.js';
import type { Random } from '../../src/tensor/random.js';
import { beltnet, finishedRunFiles, startBeltnet } from '../cli/run-beltnet.js';

const options = ['--device', 'cpu', '--size', '16x16', '--alert-class', 'dark'];

/** What is left, told apart by how far the training came: for the campaign to show that it met all kinds. */
export type Outcome = 'nothing' | 'begun' | 'trained';

/** When it is killed: so many milliseconds after an epoch is said to begin, or, for epoch 0, after the start. */
export interface Moment {
  readonly epoch: number;
  readonly milliseconds: number;
}

/** A third of the kills hit the start, the others an epoch: that is where the disk is written. */
export const momentOf = (random: Random, round: number): Moment =>
  round % 3 === 0
    ? { epoch: 0, milliseconds: 50 + random.integer(1000) }
    : { epoch: 1 + random.integer(4), milliseconds: random.integer(60) };

/**
 * Kills `train belt` in `cwd`, then starts it again under the same name.
 * @throws when something was lost, or was left
 */
export async function killTraining(cwd: string, name: string, { epoch, milliseconds }: Moment): Promise<Outcome> {
  const args = ['train', 'belt', ...options, '--epochs', '100000', '--name', name];
  const { child, finished, until } = startBeltnet(args, { cwd });
  if (epoch > 0) await until(`Epoch ${epoch}/`);
  await setTimeout(milliseconds);
  child.kill('SIGKILL');
  const { stdout } = await finished;

  const folder = join(cwd, 'runs', name);
  const before = existsSync(folder) ? readdirSync(folder) : [];
  const finishedFiles = before.filter((file) => !file.startsWith('.'));
  const epochsSaid = (stdout.match(/loss: /g) ?? []).length;
  let figures: string[] = [];
  if (finishedFiles.includes('results.csv')) {
    const [, ...lines] = readFileSync(join(folder, 'results.csv'), 'utf8').split('\n');
    figures = lines.slice(0, -1); // after the last line break there may be a part of a line
  }
  // What was said was done: a model is there, whole, and each epoch has its figures.
  expect(figures.length).toBeGreaterThanOrEqual(epochsSaid);
  for (const [index, line] of figures.entries())
    expect(line).toMatch(new RegExp(`^${index + 1},[\\d.e-]+,[\\d.]+,,,[\\d.]+,,,[\\d.]+,,$`));
  if (epochsSaid > 0) expect(finishedFiles).toContain('last.safetensors');
  if (finishedFiles.includes('last.safetensors')) await loadModel(join(folder, 'last.safetensors'));
  if (finishedFiles.includes('config.json')) JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

  const again = await beltnet(['train', 'belt', ...options, '--epochs', '1', '--name', name], { cwd });
  const after = readdirSync(folder);
  expect(after.filter((file) => file.startsWith('.'))).toEqual([]);
  if (finishedFiles.length === 0) {
    expect(again).toMatchObject({ code: 0 });
    expect(after.toSorted()).toEqual(finishedRunFiles.filter((file) => file !== 'previous.state.safetensors'));
    return 'nothing';
  }
  expect(again).toMatchObject({ code: 8, stderr: expect.stringContaining('a run is never overwritten') });
  expect(after.toSorted()).toEqual(finishedFiles.toSorted());
  return finishedFiles.includes('last.safetensors') ? 'trained' : 'begun';
}

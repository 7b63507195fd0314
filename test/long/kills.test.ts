/** Many kills at random moments: the suite has five of them (test/faults/kills.test.ts). BELTNET_KILLS asks for more than 200. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { beltnetWorks, startBeltnet, writeClasses } from '../cli/run-beltnet.js';
import { killTraining, momentOf } from '../faults/kills.js';
import { noteDevice } from '../support/devices.js';

const KILLS = Number(process.env['BELTNET_KILLS'] ?? 200);
const SEED = Number(process.env['BELTNET_SEED'] ?? 1);

let cwd: string;
beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-long-kills-'));
  writeClasses(join(cwd, 'belt'), 16);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test(`${KILLS} trainings are killed`, async () => {
  const counts = { nothing: 0, begun: 0, trained: 0 };
  for (let round = 0; round < KILLS; round++) {
    const moment = momentOf(new Random(SEED, RandomStream.synthetic, round), round);
    try {
      counts[await killTraining(cwd, `killed-${round}`, moment)]++;
    } catch (error) {
      throw new Error(`seed ${SEED}, round ${round}, ${JSON.stringify(moment)}`, { cause: error });
    }
  }
  // Both kinds of moment are met, or the campaign attacks nothing.
  expect(counts.nothing + counts.begun).toBeGreaterThan(KILLS / 10);
  expect(counts.trained).toBeGreaterThan(KILLS / 10);
});

test(`${KILLS / 4} times pictures are being made`, async () => {
  for (let round = 0; round < KILLS / 4; round++) {
    const { child, finished } = startBeltnet(['synth', `made-${round}`, '--count', '4', '--size', '64x48'], { cwd });
    await setTimeout(100 + new Random(SEED, RandomStream.synthetic, round, 1).integer(400));
    child.kill('SIGKILL');
    await finished;
    const folder = join(cwd, `made-${round}`);
    const made = (): string[] => readdirSync(folder).toSorted();
    try {
      if (made().includes('training_set')) continue; // it came to its end
    } catch {
      continue; // it was not begun
    }
    await beltnetWorks(['synth', `made-${round}`, '--count', '4', '--size', '64x48'], { cwd });
    expect(made()).toEqual(['test_set', 'training_set']);
  }
});

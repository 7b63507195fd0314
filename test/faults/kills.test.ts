/** Kills at random moments, seeded; `npm run test:long` has many more of them. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { beltnet, beltnetWorks, finishedRunFiles, startBeltnet, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { killTraining, momentOf } from './kills.js';

let cwd: string;
beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-kills-'));
  writeClasses(join(cwd, 'belt'), 16);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test('a training that is killed loses nothing that it said, and can be started again', async () => {
  const outcomes = new Set<string>();
  for (let round = 0; round < 5; round++) {
    const random = new Random(15, RandomStream.synthetic, round);
    outcomes.add(await killTraining(cwd, `killed-${round}`, momentOf(random, round))); // throws if something is amiss
  }
  expect(outcomes).toContain('trained');
});

test('a training that is killed over an empty run begins again under the same name', async () => {
  const options = ['belt', '--device', 'cpu', '--size', '16x16', '--name', 'empty'];
  // No file of that run gets its name, however late the kill comes.
  const nameless = join(cwd, 'nameless.mjs');
  writeFileSync(
    nameless,
    `import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const { rename } = files;
files.rename = (from, to) => (to.includes('empty') ? new Promise((resolve) => setTimeout(resolve, 1e8)) : rename(from, to));
syncBuiltinESMExports();
`,
  );
  const environment = { NODE_OPTIONS: `--import=${pathToFileURL(nameless).href}` };
  const { child, finished } = startBeltnet(['train', ...options], { cwd, environment });
  while (!existsSync(join(cwd, 'runs/empty'))) await new Promise((resolve) => setTimeout(resolve, 1));
  child.kill('SIGKILL');
  await finished;
  await beltnetWorks(['train', ...options, '--epochs', '1'], { cwd });
  expect(readdirSync(join(cwd, 'runs/empty')).toSorted()).toEqual(
    finishedRunFiles.filter((name) => name !== 'previous.state.safetensors'),
  );
});

test('pictures that were not complete are made again; whose maker works are left alone', async () => {
  const { child, finished } = startBeltnet(['synth', 'made', '--count', '5000'], { cwd });
  const isBegun = (): boolean => readdirSync(join(cwd, 'made/.unfinished')).includes('training_set');
  for (let begun = false; !begun; await new Promise((resolve) => setTimeout(resolve, 5))) {
    try {
      begun = isBegun();
    } catch {
      // not yet
    }
  }

  const second = await beltnet(['synth', 'made', '--count', '4'], { cwd });
  expect(second).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/'\.unfinished', where process \d+ of host .* is at work/),
  });
  child.kill('SIGKILL');
  await finished;
  expect(readdirSync(join(cwd, 'made'))).toEqual(['.unfinished']);
  await beltnetWorks(['synth', 'made', '--count', '4'], { cwd });
  expect(readdirSync(join(cwd, 'made')).toSorted()).toEqual(['test_set', 'training_set']);
});

/** A WebGPU device that goes away in the midst of a step: code 6, the checkpoint before it stays, and the training goes on to the same bits. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBeltnet, beltnetWorks, writeClasses } from '../cli/run-beltnet.js';
import { figuresOf, trainArguments } from '../faults/resumes.js';
import { noteDevice } from '../support/devices.js';

let cwd: string;
beforeAll(async () => {
  noteDevice('webgpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-lost-'));
  writeClasses(join(cwd, 'belt'), 24);
  await beltnetWorks([...trainArguments('webgpu', 5), '--name', 'whole'], { cwd });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const loseDevice = new URL('../support/lose-device.mjs', import.meta.url).href;

test.each([25, 40, 61])('at submit %d of its commands', async (submits) => {
  const name = `lost-${submits}`;
  const args = [...trainArguments('webgpu', 5), '--name', name, '--checkpoint-seconds', '0'];
  const environment = { NODE_OPTIONS: `--import=${loseDevice}`, BELTNET_LOSE_AT: String(submits) };
  const { code, stderr } = await startBeltnet(args, { cwd, environment }).finished;
  expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringMatching(/lost/) });
  expect(stderr).not.toMatch(/defect|\n\s+at /);
  expect(await beltnetWorks(['train', '--resume', `runs/${name}`], { cwd })).toMatch(
    /Resumed: after \d epochs? and \d+ steps/,
  );
  for (const kind of ['last', 'best'])
    expect(
      readFileSync(join(cwd, 'runs', name, `${kind}.safetensors`)).equals(
        readFileSync(join(cwd, 'runs/whole', `${kind}.safetensors`)),
      ),
    ).toBe(true);
  expect(figuresOf(cwd, name)).toEqual(figuresOf(cwd, 'whole'));
});

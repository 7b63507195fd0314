/** Ctrl-C in the midst of long work: it is heard there, and what the work would have made does not come. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startBeltnet, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

// The only step takes several seconds: who waited for it would have a model.
test('Ctrl-C does not wait for a step of seconds', async () => {
  noteDevice('cpu');
  const cwd = mkdtempSync(join(tmpdir(), 'beltnet-long-step-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  writeClasses(join(cwd, 'belt'), 64);
  const size = ['--size', '256x256', '--batch', '64', '--epochs', '1', '--steps-per-epoch', '1'];
  const options = [...size, '--device', 'cpu', '--threads', '1', '--alert-class', 'dark', '--name', 'long'];
  const { child, finished, until } = startBeltnet(['train', 'belt', ...options], { cwd });
  await until('Epoch 1/1');
  await new Promise((resolve) => setTimeout(resolve, 700)); // into the step
  child.kill('SIGINT');
  const { code, stderr } = await finished;
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringContaining('stopped in epoch 1 of 1; no model was written'),
  });
  expect(readdirSync(join(cwd, 'runs/long')).filter((name) => name.endsWith('.safetensors'))).toEqual([]);
});

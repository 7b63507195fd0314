/** Soak: the same work again and again in one process keeps its results and its memory. BELTNET_ROUNDS asks for more than 200. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beltnetWorks, startBeltnet, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

const ROUNDS = Number(process.env['BELTNET_ROUNDS'] ?? 200);

let cwd: string;
beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-soak-'));
  writeClasses(join(cwd, 'belt'), 200);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** Of a process, in MB, where Linux tells. */
const memoryOf = (pid: number | undefined): number =>
  (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096) / 1e6;

test(`${ROUNDS * 5} epochs: memory levels off, and each epoch is on the disk`, async () => {
  const epochs = ROUNDS * 5;
  const options = ['belt', '--device', 'cpu', '--size', '16x16', '--alert-class', 'dark', '--name', 'soak'];
  const { child, finished, until } = startBeltnet(['train', ...options, '--epochs', String(epochs)], { cwd });
  await until(`Epoch ${Math.round(epochs * 0.3)}/`);
  const early = memoryOf(child.pid);
  await until(`Epoch ${Math.round(epochs * 0.9)}/`);
  const late = memoryOf(child.pid);
  expect((await finished).code).toBe(0);
  expect(late).toBeLessThan(early + 50);
  expect(readFileSync(join(cwd, 'runs/soak/results.csv'), 'utf8').trimEnd().split('\n')).toHaveLength(epochs + 1);
});

test(`one model, ${ROUNDS} predictions of all pictures: the same results`, async () => {
  const paths = Array.from({ length: ROUNDS }, (_, round) => ['belt/dark', 'belt/bright', 'belt'][round % 3]);
  const outputs = new Set<string>();
  for (let round = 0; round < ROUNDS / 20; round++)
    outputs.add(await beltnetWorks(['predict', 'runs/soak', ...paths, '--device', 'cpu', '--json'], { cwd }));
  expect(outputs.size).toBe(1);
  expect([...outputs][0].trimEnd().split('\n')).toHaveLength(200); // each picture once
});

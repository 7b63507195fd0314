/** Trainings over hosts that are network namespaces, and what befalls them: as root on Linux, which this needs. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';

const script = fileURLToPath(new URL('../../scripts/hosts/try-hosts.mjs', import.meta.url));

interface Outcome {
  readonly misfortune: string;
  readonly code: number | string;
  readonly seconds: number;
  readonly resumed?: number;
  readonly sameBits: boolean;
}

/** mpirun's code where a rank was killed, by whomever. */
const KILLED = 137;
const ended = { none: 0, kill: KILLED, stop: KILLED, cut: KILLED, cutManaged: KILLED } as const;
const endured = { cutAndMended: 0, narrow: 0, delayed: 0, lossy: 0 } as const;
const expected = { ...ended, ...endured };
/** Seconds: a watchdog waits for 5, mpirun takes some of its own. Ten times that is a hang. */
const HANGS = 120;

test.each([2, 4])('%i hosts', async (hosts) => {
  noteDevice('cpu');
  const tried = spawn(process.execPath, [script, '--hosts', String(hosts)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  tried.stdout.on('data', (data: Buffer) => (said += data.toString()));
  await new Promise((resolve) => tried.once('close', resolve));
  const outcomes = said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
  expect(Object.fromEntries(outcomes.map(({ misfortune, code }) => [misfortune, code]))).toEqual(expected);
  expect(outcomes.filter(({ sameBits }) => !sameBits)).toEqual([]);
  expect(outcomes.filter(({ code, resumed }) => code !== 0 && resumed !== 0)).toEqual([]);
  expect(outcomes.filter(({ code, seconds }) => code !== 0 && seconds > HANGS)).toEqual([]);
});

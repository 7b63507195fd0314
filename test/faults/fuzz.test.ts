/** A little of `npm run fuzz`, from a fixed seed, and all that it ever found. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const fuzz = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url)), ...args], {
    encoding: 'utf8',
  });

test('1,000 spoiled files of all kinds are read or refused', () => {
  const { status, stdout, stderr } = fuzz('--seed', '15', '--cases', '1000');
  expect({ status, stdout, stderr }).toMatchObject({
    status: 0,
    stdout: expect.not.stringContaining('FINDING'),
    stderr: '',
  });
  const refused = Number(/^1000 cases, (\d+) refused, 0 findings/m.exec(stdout)?.[1]);
  expect(refused).toBeGreaterThan(500);
  expect(refused).toBeLessThan(1000); // both outcomes are there
});

test('what was found once is none any more', () => {
  const { status, stdout, stderr } = fuzz('--findings');
  expect({ status, stdout, stderr }).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\d+ files, 0 findings\n$/),
    stderr: '',
  });
});

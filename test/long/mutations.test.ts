/** 200,000 spoiled pictures and model files: the fuzzer (scripts/fuzz.mjs) from a fixed seed. The suite has a few thousand. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CASES = Number(process.env['BELTNET_MUTATIONS'] ?? 200_000);
const fuzz = fileURLToPath(new URL('../../scripts/fuzz.mjs', import.meta.url));

test(`${CASES} spoiled pictures and model files`, () => {
  const parsers = 'jpeg,png,bmp,model,safetensors';
  const args = [fuzz, '--seed', '15', '--cases', String(CASES), '--parsers', parsers];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  expect({ status, stderr, findings: stdout.split('\n').filter((line) => line.startsWith('FINDING')) }).toEqual({
    ...{ status: 0, stderr: '', findings: [] },
  });
  // Both outcomes are common, or the accidents attack nothing.
  const [, done, refused] = /(\d+) cases, (\d+) refused/.exec(stdout) ?? [];
  expect(Number(done)).toBe(CASES);
  expect(Number(refused)).toBeGreaterThan(CASES / 10);
  expect(Number(refused)).toBeLessThan(CASES);
});

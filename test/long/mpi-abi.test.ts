/**
 * The binary interface of MPI 5, which no library of Debian has: one that takes nothing else is made here, over Open MPI. Needs a C
 * compiler (Debian: gcc).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mpirun, rankProgram } from '../distributed/mpirun.js';

const source = fileURLToPath(new URL('mpi-abi.c', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'beltnet-mpi-abi-'));
const library = join(folder, 'libmpi_abi.so.1');
const environment = { MPI_LIBRARY: library };

beforeAll(() => {
  const made = spawnSync('cc', ['-shared', '-fPIC', source, '-o', library, '-ldl'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`cc: ${made.error?.message ?? made.stderr}; install gcc`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('ranks over it add up, share and end', async () => {
  const { code, stdout, stderr } = await mpirun(3, [rankProgram], { environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const sums = { size: 3, floats: [6, 1.5], doubles: [3 * 2 ** -40, 3 * 2 ** -40], bytes: [7, 1] };
  expect(stdout.trim().split('\n')).toEqual([sums, sums, sums].map((each) => JSON.stringify(each)));
});

test('one that ends early ends the others', async () => {
  const { code, stderr } = await mpirun(3, [rankProgram, 'exit', '1'], { environment });
  expect(code).toBe(1);
  expect(stderr).toContain('MPI_ABORT was invoked on rank 1');
});

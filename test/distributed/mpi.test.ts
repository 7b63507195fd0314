/** Ranks over the machine's own MPI, started by its mpirun. What hosts and networks do to them: test/long/hosts.test.ts. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { launchedPlace } from '../../src/distributed/launcher.js';
import { beltnetWorks, program, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { mpirun, rankProgram } from './mpirun.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-ranks-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test('ranks add up and share; when one is stopped, the job ends and the others say where they waited', async () => {
  const { code, stdout, stderr } = await mpirun(3, [rankProgram, 'stop', '1']);
  const sums = { size: 3, floats: [6, 1.5], doubles: [3 * 2 ** -40, 3 * 2 ** -40], bytes: [7, 1] };
  expect(stdout.trim().split('\n')).toEqual([sums, sums, sums].map((each) => JSON.stringify(each)));
  expect(code).toBe(137);
  expect(stderr).toMatch(
    /^beltnet: rank [02], step 12: the other ranks did not come to 'gradients and figures' \(2 values\) within 2 s;/m,
  );
});

test('a process that its library does not count among those that were started is refused', () => {
  const environment = { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '4', OMPI_ALLOW_RUN_AS_ROOT: '1' };
  const env = { ...process.env, ...environment, OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const { status, stderr } = spawnSync(process.execPath, [rankProgram], { env, encoding: 'utf8', timeout: 60_000 });
  expect(stderr).toMatch(
    /^UsageError: --distributed: the launcher \(Open MPI\) started 4 processes, but the library, Open MPI.*, sees 1:/m,
  );
  expect(status).toBe(2);
});

test('what launchers say of a process', () => {
  const open = {
    OMPI_COMM_WORLD_RANK: '5',
    OMPI_COMM_WORLD_SIZE: '8',
    OMPI_COMM_WORLD_LOCAL_RANK: '1',
    OMPI_COMM_WORLD_LOCAL_SIZE: '4',
  };
  expect(launchedPlace(open)).toEqual({ launcher: 'Open MPI', rank: 5, size: 8, localRank: 1, localSize: 4 });
  const slurm = { SLURM_PROCID: '3', SLURM_STEP_NUM_TASKS: '6', SLURM_LOCALID: '1', SLURM_TASKS_PER_NODE: '2(x3)' };
  expect(launchedPlace(slurm)).toEqual({ launcher: 'Slurm', rank: 3, size: 6, localRank: 1, localSize: 2 });
  expect(launchedPlace({ PMI_RANK: '0', PMI_SIZE: '2' })).toMatchObject({ launcher: 'MPICH', size: 2, localSize: 1 });
  expect(launchedPlace({ SLURM_NTASKS: '4' })).toBeNull();
});

test('a training of two processes: one run, one voice, the figures of one process', async () => {
  noteDevice('cpu');
  writeClasses(join(cwd, 'belt'), 21);
  const train = [
    'train',
    'belt',
    '--split',
    '0.3',
    '--size',
    '20x20',
    '--batch',
    '8',
    '--epochs',
    '2',
    '--shear',
    '5deg',
    '--device',
    'cpu',
  ];
  await beltnetWorks([...train, '--name', 'one'], { cwd });
  const environment = { BELTNET_CACHE: join(cwd, 'cache') };
  const { code, stdout, stderr } = await mpirun(2, [program, ...train, '--name', 'two', '--distributed'], {
    cwd,
    environment,
  });
  expect({ code, stderr: stderr.replaceAll(/^(?:note|warning): .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  expect(stdout.match(/^Together: 2 processes/gm)).toHaveLength(1);
  const figures = (run: string) =>
    readFileSync(join(cwd, 'runs', run, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { loss: number; accuracy: number; valLoss: number });
  for (const [n, { loss, accuracy, valLoss }] of figures('two').entries()) {
    const one = figures('one')[n];
    expect([loss, accuracy, valLoss]).toEqual(
      [one.loss, one.accuracy, one.valLoss].map((value) => expect.closeTo(value, 4)),
    );
  }
  expect(figures('two')).toHaveLength(2);
});

/** Starts ranks as users do. Whatever a test leaves of them is ended. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { Finished } from '../cli/run-beltnet.js';

export const rankProgram = fileURLToPath(new URL('rank.mjs', import.meta.url));

const jobs = new Set<number>();
afterEach(() => {
  for (const pid of jobs) process.kill(-pid, 'SIGKILL');
});

/** A job that hangs is ended after so many seconds: ten times what it is to take. */
const HANGS = 100_000;

interface RankOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Told of each piece of stdout. */
  readonly onOutput?: (text: string) => void;
}

/** @param command of each rank: a program for Node and its arguments */
export function mpirun(size: number, command: readonly string[], options: RankOptions = {}): Promise<Finished> {
  const args = ['--allow-run-as-root', '--oversubscribe', '-n', String(size), process.execPath, ...command];
  const job = spawn('mpirun', args, {
    detached: true, // a group of its own, which can be ended
    env: { ...process.env, ...options.environment },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  const { pid } = job;
  if (pid !== undefined) jobs.add(pid);
  const hanging = setTimeout(() => pid !== undefined && process.kill(-pid, 'SIGKILL'), HANGS);
  const said = { stdout: '', stderr: '' };
  job.stdout.on('data', (data: Buffer) => {
    said.stdout += data.toString();
    options.onOutput?.(data.toString());
  });
  job.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  return new Promise((resolve, reject) => {
    job.once('error', (error) => reject(new Error(`${error.message}; install Open MPI (Debian: openmpi-bin)`)));
    job.once('close', (code) => {
      clearTimeout(hanging);
      if (pid !== undefined) jobs.delete(pid);
      resolve({ code, ...said });
    });
  });
}

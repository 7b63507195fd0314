/** A training that is stopped at given moments and resumed after each. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { beltnetWorks, startBeltnet } from '../cli/run-beltnet.js';

export const EPOCHS = 12;

export const trainArguments = (device: string, epochs = EPOCHS): string[] => [
  ...[
    'train',
    'belt',
    '--device',
    device,
    '--size',
    '16x16',
    '--batch',
    '4',
    '--split',
    '0.25',
    '--alert-class',
    'dark',
  ],
  ...[
    '--epochs',
    String(epochs),
    '--rotation',
    '10',
    '--zoom',
    '0.2',
    '--horizontal-flip',
    '--normalize',
    'featurewise',
  ],
];

export interface Stop {
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL';
  /** Sent so many milliseconds after this epoch is said to begin. */
  readonly epoch: number;
  readonly milliseconds: number;
}

/** Checkpoints come after every step, so that moments fall within epochs, and within the writing of files. */
const OFTEN = ['--checkpoint-seconds', '0'];

/** @returns how often it was stopped before its end */
export async function resumeUntilDone(
  cwd: string,
  name: string,
  device: string,
  moments: readonly Stop[],
  { finish = true } = {},
): Promise<{ stops: number }> {
  let stops = 0;
  for (const { signal, epoch, milliseconds } of moments) {
    const args = [...trainArguments(device), '--name', name, '--resume-or-start', ...OFTEN];
    const { child, finished, until } = startBeltnet(args, { cwd });
    await until(`Epoch ${epoch}/`).catch(() => {}); // it went past that before
    await setTimeout(milliseconds);
    child.kill(signal);
    const { code, stderr } = await finished;
    if (code === 0) continue; // it was quicker
    expect(stderr).not.toMatch(/defect|\n\s+at /);
    expect(code).toBe(signal === 'SIGKILL' ? null : signal === 'SIGINT' ? 130 : 143);
    stops++;
  }
  const run = join(cwd, 'runs', name);
  if (finish)
    await beltnetWorks(
      existsSync(join(run, 'config.json'))
        ? ['train', '--resume', run]
        : [...trainArguments(device), '--name', name, '--resume-or-start'],
      { cwd },
    );
  return { stops };
}

/** The figures of a run's epochs without their times. */
export const figuresOf = (cwd: string, name: string): string[][] =>
  readFileSync(join(cwd, 'runs', name, 'results.csv'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(',').filter((_, column) => column !== 5));

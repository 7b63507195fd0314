/** One training on each device, killed at ten random moments and resumed each time: bit-equal. The suite has fewer, on the cpu device. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { beltnetWorks, writeClasses } from '../cli/run-beltnet.js';
import { figuresOf, resumeUntilDone, trainArguments } from '../faults/resumes.js';
import { noteDevice } from '../support/devices.js';

const SEED = Number(process.env['BELTNET_SEED'] ?? 1);

test.each(['cpu', 'webgpu'] as const)('%s: ten kills', async (device) => {
  noteDevice(device);
  const cwd = mkdtempSync(join(tmpdir(), 'beltnet-long-resume-'));
  try {
    writeClasses(join(cwd, 'belt'), 40);
    await beltnetWorks([...trainArguments(device), '--name', 'whole'], { cwd });
    const random = new Random(SEED, RandomStream.synthetic);
    const moments = Array.from({ length: 10 }, (_, round) => ({
      ...{ signal: 'SIGKILL' as const, epoch: 1 + round, milliseconds: random.integer(80) },
    }));
    const { stops } = await resumeUntilDone(cwd, 'killed', device, moments);
    expect(stops).toBeGreaterThan(5);
    const model = (run: string) => readFileSync(join(cwd, 'runs', run, 'last.safetensors'));
    expect(model('killed').equals(model('whole'))).toBe(true);
    expect(figuresOf(cwd, 'killed')).toEqual(figuresOf(cwd, 'whole'));
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});

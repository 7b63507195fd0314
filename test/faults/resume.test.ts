/** Trainings that are stopped at seeded moments, some by SIGKILL, and resumed until they end: the same bits as without a stop. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { beltnet, beltnetWorks, noisyPng, startBeltnet, writeClasses, writeFiles } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { EPOCHS, figuresOf, resumeUntilDone, trainArguments, type Stop } from './resumes.js';

let cwd: string;
beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-resume-'));
  writeClasses(join(cwd, 'belt'), 40);
  await beltnetWorks([...trainArguments('cpu'), '--name', 'whole'], { cwd });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const model = (run: string, name = 'last'): Buffer => readFileSync(join(cwd, 'runs', run, `${name}.safetensors`));
/** A copy of the run that was never stopped, as after its fourth epoch or so. */
const stopped = async (name: string): Promise<string> => {
  const moments: Stop[] = [{ signal: 'SIGTERM', epoch: 4, milliseconds: 5 }];
  // A busy machine may be so late that the training has come to its end.
  while ((await resumeUntilDone(cwd, name, 'cpu', moments, { finish: false })).stops === 0)
    rmSync(join(cwd, 'runs', name), { recursive: true });
  return `runs/${name}`;
};

test.each([1, 2])('stopped at moments of seed %d and resumed: the bits of a training that was not', async (seed) => {
  const random = new Random(19, RandomStream.synthetic, seed);
  const moments = (['SIGKILL', 'SIGINT', 'SIGKILL'] as const).map((signal, round) => ({
    ...{ signal, epoch: round === 0 ? 1 : 3 * round + random.integer(3), milliseconds: random.integer(60) },
  }));
  // Until two stops or more were in time.
  for (let stops = 0, attempt = 1; stops < 2; attempt++) {
    const name = `stopped-${seed}-${attempt}`;
    ({ stops } = await resumeUntilDone(cwd, name, 'cpu', moments));
    for (const kind of ['last', 'best']) expect(model(name, kind).equals(model('whole', kind))).toBe(true);
    expect(figuresOf(cwd, name)).toEqual(figuresOf(cwd, 'whole'));
  }
});

describe('what is not resumed', () => {
  test('a finished run says so; --epochs may grow, and gives what a longer training gives', async () => {
    cpSync(join(cwd, 'runs/whole'), join(cwd, 'runs/longer'), { recursive: true });
    expect(await beltnetWorks(['train', '--resume', 'runs/longer'], { cwd })).toContain('runs/longer is finished');
    await beltnetWorks(['train', '--resume', 'runs/longer', '--epochs', String(EPOCHS + 2)], { cwd });
    await beltnetWorks([...trainArguments('cpu', EPOCHS + 2), '--name', 'long'], { cwd });
    expect(model('longer').equals(model('long'))).toBe(true);
  });

  test('early stopping counts the epochs before the stop, and a run that it ended is finished', async () => {
    const args = [...trainArguments('cpu', 40), '--early-stopping', '3', '--lr', '0.01', '--optimizer', 'adamW'];
    const [{ epochs, interrupted }] = (await beltnetWorks([...args, '--name', 'early', '--json'], { cwd }))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; epochs: number; interrupted: boolean })
      .filter(({ event }) => event === 'end');
    expect({ early: epochs < 40, interrupted }).toEqual({ early: true, interrupted: false });
    const { child, finished, until } = startBeltnet([...args, '--name', 'waited'], { cwd });
    await until(`Epoch ${epochs - 1}/`);
    child.kill('SIGKILL');
    await finished;
    await beltnetWorks(['train', '--resume', 'runs/waited'], { cwd });
    expect(model('waited').equals(model('early'))).toBe(true);
    expect(figuresOf(cwd, 'waited')).toEqual(figuresOf(cwd, 'early'));
    const again = await beltnetWorks(['train', '--resume', 'runs/waited', '--epochs', '50'], { cwd });
    expect(again).toContain(`runs/waited is finished, after ${epochs} epochs`);
  });

  test('other options and other pictures are refused by name, and nothing is changed', async () => {
    const run = await stopped('changed');
    const before = model('changed', 'last.state');
    const refused = async (args: string[]) => {
      const { code, stderr } = await beltnet(['train', ...args], { cwd });
      return { code, stderr };
    };
    const lr = await refused(['--resume', run, '--lr', '0.1']);
    expect(lr).toEqual({
      code: 2,
      stderr: expect.stringContaining('--lr: runs/changed was begun with 0.001, got 0.1'),
    });
    const fewer = await refused(['--resume', run, '--epochs', '2']);
    expect(fewer).toEqual({ code: 2, stderr: expect.stringContaining('--epochs: ') });
    const [, ...options] = trainArguments('cpu');
    const dropped = options.filter((word) => word !== '--horizontal-flip');
    const without = await refused([...dropped, '--name', 'changed', '--resume-or-start']);
    expect(without).toEqual({ code: 2, stderr: expect.stringContaining('--horizontal-flip: ') });

    const file = join(cwd, 'belt/dark/001.png');
    const bytes = readFileSync(file);
    writeFileSync(file, noisyPng('dark', 999));
    writeFiles(join(cwd, 'belt'), { 'dark/new.png': noisyPng('dark', 998) });
    try {
      const pictures = await refused(['--resume', run]);
      expect(pictures.code).toBe(3);
      expect(pictures.stderr).toMatch(/1 new \(belt\/dark\/new\.png\)/);
      expect(pictures.stderr).toMatch(/changed \(belt\//);
    } finally {
      writeFileSync(file, bytes);
      rmSync(join(cwd, 'belt/dark/new.png'));
    }
    expect(model('changed', 'last.state').equals(before)).toBe(true);
    await beltnetWorks(['train', '--resume', run], { cwd });
    expect(model('changed').equals(model('whole'))).toBe(true);
  });

  test('a state cut off by a power cut: the one before it is taken, and the bits are the same', async () => {
    const run = await stopped('cut');
    truncateSync(join(cwd, run, 'last.state.safetensors'), 1000);
    const { code, stderr } = await beltnet(['train', '--resume', run], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('the checkpoint before it is taken') });
    expect(model('cut').equals(model('whole'))).toBe(true);
  });

  test('a folder that is no run; a run without a checkpoint starts anew', async () => {
    const { code, stderr } = await beltnet(['train', '--resume', 'belt'], { cwd });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('config.json') });
    cpSync(join(cwd, 'runs/whole/config.json'), join(cwd, 'runs/begun/config.json'));
    await beltnetWorks(['train', '--resume', 'runs/begun'], { cwd });
    expect(model('begun').equals(model('whole'))).toBe(true);
  });
});

/** What goes wrong: one line that names the matter, the right exit code, no stack trace, nothing lost. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import {
  beltnet,
  beltnetWorks,
  finishedRunFiles,
  noisyPng,
  runFiles,
  startBeltnet,
  writeClasses,
  writeFiles,
} from './run-beltnet.js';

let cwd: string;
const cpu = ['--device', 'cpu'];

beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-failures-'));
  writeClasses(join(cwd, 'belt'), 16);
  const picture = noisyPng('dark', 1);
  writeFiles(cwd, {
    'one/a/1.png': picture,
    ...{ 'hollow/a/1.png': picture, 'hollow/b/readme.txt': 'no picture' },
    ...{ 'rotten/a/1.png': 'rotten', 'rotten/b/1.png': picture },
    'text.safetensors': 'no model at all',
    'empty.safetensors': '',
    'nonsense.json': '{"nonsense [1,2]":"tile"}',
    'name\nwith\u001b[31m.png': 'no picture',
  });
  await beltnetWorks(['train', 'belt', ...cpu, '--size', '16x16', '--epochs', '1', '--name', 'taken'], { cwd });
  const model = readFileSync(join(cwd, 'runs/taken/last.safetensors'));
  writeFiles(cwd, { 'cut.safetensors': model.subarray(0, model.length - 100) });
  symlinkSync('loop', join(cwd, 'loop'));
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

interface Failure {
  readonly code: number | null;
  /** The last line on stderr. */
  readonly message: string;
  /** The lines before it that are no notes: a stack trace, say. */
  readonly others: readonly string[];
}

async function failureOf(args: readonly string[]): Promise<Failure> {
  const { code, stderr } = await beltnet(args, { cwd });
  const lines = stderr.trimEnd().split('\n');
  return {
    code,
    message: lines.at(-1) ?? '',
    others: lines.slice(0, -1).filter((line) => !/^(note|skipped): /.test(line)),
  };
}

describe('each failure has its exit code and one line', () => {
  // Each of them starts a process: a few at a time.
  const cases: [args: string[], code: number, message: string | RegExp][] = [
    [['trian', 'belt'], 2, /unknown command 'trian'.*Did you mean train/],
    [['train'], 2, 'train: expects the folder of the pictures, or --resume RUN to go on with a run'],
    [['train', 'belt', '--stride', '3'], 2, "unknown option '--stride'"],
    [['train', 'belt', 'more'], 2, 'too many arguments'],
    [
      ['train', 'belt', '--size', '64'],
      2,
      "--size: expects WIDTHxHEIGHT in pixels, such as 64x64, up to 16384, got '64'",
    ],
    [['train', 'belt', '--size', '9x64'], 2, 'size: expects at least 10x10'],
    [['train', 'belt', '--size', '4000x4000', ...cpu], 2, /size: .* needs 6\d\.\d GiB.*choose a smaller size/],
    [['train', 'belt', '--epochs'], 2, "option '--epochs <n>' argument missing"],
    [['train', 'belt', '--zoom', '1'], 2, '--zoom: expects'],
    [['train', 'belt', '--shear', '12', '--profile', 'keras-2.1.2'], 2, '12deg'],
    [['train', 'belt', '--device', 'gpu'], 2, "--device: expects auto, webgpu or cpu, got 'gpu'"],
    [
      ['train', 'belt', '--alert-class', 'Dark', ...cpu],
      2,
      "alertClass: expects one of the classes 'bright', 'dark', got 'Dark'",
    ],
    [['train', 'belt', '--split', '1'], 2, '--split: expects'],
    [
      ['train', 'belt', '--kernels', 'none.json', ...cpu],
      2,
      'kernels: expects the kernels.json of a run, got none.json: ',
    ],
    [['train', 'belt', '--kernels', 'nonsense.json', ...cpu], 2, "choices for 'nonsense [1,2]', which is no kernel"],
    [['train', 'belt', '--validation-steps', '3'], 2, '--validation-steps: belt has no validation pictures'],
    [['train', 'belt', '--name', '../up'], 2, '--name: expects'],
    [['predict', 'runs/taken', 'belt', '--json', '--csv'], 2, "'--json' cannot be used with option '--csv'"],
    [['predict', 'runs/taken'], 2, 'expects pictures, or --files-from with their paths'],
    [['train', 'nowhere'], 3, 'nowhere: expects a folder of pictures'],
    [['train', 'text.safetensors'], 3, 'got a file'],
    [['train', 'one'], 3, 'expects 2 to 256 class folders'],
    [['train', 'hollow'], 3, 'hollow/b'],
    [['train', 'loop'], 3, 'loop'],
    [['train', 'rotten', ...cpu], 3, "not one picture of class 'a' can be used"],
    [['predict', 'runs/taken', 'nothing*.png', ...cpu], 3, 'no file matches'],
    [['predict', 'runs/taken', 'name\nwith\u001b[31m.png', ...cpu], 3, 'name\\nwith\\u001b'],
    [['evaluate', 'missing.safetensors', 'belt'], 4, 'missing.safetensors'],
    [['evaluate', 'text.safetensors', 'belt'], 4, 'text.safetensors'],
    [['predict', 'empty.safetensors', 'belt'], 4, 'empty.safetensors'],
    [['predict', 'cut.safetensors', 'belt'], 4, 'cut.safetensors'],
    [['predict', 'belt', 'belt'], 4, 'model.safetensors'],
    [['train', 'belt', ...cpu, '--size', '16x16', '--lr', '1e30'], 7, 'smaller learning rate'],
    [['train', 'belt', ...cpu, '--name', 'taken'], 8, 'taken'],
    [['train', 'belt', ...cpu, '--out', 'text.safetensors'], 8, 'text.safetensors'],
  ];

  test.each(cases.map(([args, code, message]) => ({ command: args.join(' '), args, code, message })))(
    '$code: $command',
    async ({ args, code, message }) => {
      const failure = await failureOf(args);
      expect(failure).toEqual({ code, message: expect.stringMatching(/^beltnet: /), others: [] });
      expect(failure.message).toMatch(message);
    },
  );

  test.each([
    ['weights', ['--epochs', '1', '--steps-per-epoch', '1', '--lr', '1e308']],
    ['validation loss', ['--epochs', '3', '--split', '0.5', '--lr', '1e30']],
  ])('a model whose %s is no number is neither kept nor called good', async (what, options) => {
    const name = what.replace(' ', '-');
    const { code, stdout, stderr } = await beltnet(
      ['train', 'belt', ...cpu, '--size', '16x16', '--name', name, ...options],
      { cwd },
    );
    expect({ code, stderr }).toEqual({
      code: 7,
      stderr: expect.stringMatching(/no model was written yet.*\nbeltnet: .*smaller learning rate\n$/),
    });
    expect(stdout).not.toMatch(/Model:|Use it:/);
    expect(readdirSync(join(cwd, 'runs', name)).filter((file) => file.startsWith('model'))).toEqual([]);
  });

  test('no adapter', async () => {
    const environment = { VK_ICD_FILENAMES: join(cwd, 'no-driver.json'), VK_DRIVER_FILES: '' };
    const { code, stderr } = await beltnet(['train', 'belt', '--device', 'webgpu'], { cwd, environment });
    expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('beltnet: webgpu: no adapter') });
  });

  test('a run that exists is left as it was', async () => {
    const before = readFileSync(join(cwd, 'runs/taken/last.safetensors'));
    expect(await failureOf(['train', 'belt', ...cpu, '--name', 'taken', '--seed', '4'])).toMatchObject({ code: 8 });
    expect(readFileSync(join(cwd, 'runs/taken/last.safetensors')).equals(before)).toBe(true);
    expect(readdirSync(join(cwd, 'runs/taken'))).toHaveLength(finishedRunFiles.length - 1);
  });

  test('--debug adds the stack trace', async () => {
    const { code, stderr } = await beltnet(['train', 'nowhere', '--debug'], { cwd });
    expect(code).toBe(3);
    expect(stderr).toMatch(/\n\s+at /);
  });

  test('no command: the help, as a usage error', async () => {
    const { code, stderr, stdout } = await beltnet([], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Commands:');
  });
});

describe('stopping', () => {
  test('Ctrl-C ends after the step; the last model and all figures stay', async () => {
    const options = [...cpu, '--size', '16x16', '--epochs', '100000', '--name', 'stopped'];
    const { child, finished, until } = startBeltnet(['train', 'belt', ...options], { cwd });
    await until('Epoch 3/');
    child.kill('SIGINT');
    const { code, stderr, stdout } = await finished;
    expect(code).toBe(130);
    const epoch = Number(/is the model after epoch (\d+)\n$/.exec(stderr)?.[1]);
    expect(epoch).toBeGreaterThanOrEqual(2);
    expect(stdout).toContain(`Epoch ${epoch + 1}/100000`);
    expect(readFileSync(join(cwd, 'runs/stopped/results.csv'), 'utf8').trimEnd().split('\n')).toHaveLength(epoch + 1);
    expect(readdirSync(join(cwd, 'runs/stopped')).toSorted()).toEqual(runFiles);
    await beltnetWorks(['predict', 'runs/stopped', 'belt', ...cpu], { cwd });
  });

  test('a second Ctrl-C does not wait for the step', async () => {
    noteDevice('webgpu');
    const options = ['--device', 'webgpu', '--steps-per-epoch', '100000', '--name', 'twice'];
    const { child, finished, until } = startBeltnet(['train', 'belt', ...options], { cwd });
    await until('Epoch 1/');
    child.kill('SIGINT');
    await until('Stopping after this step', 'stderr');
    child.kill('SIGINT');
    expect((await finished).code).toBe(130);
  });

  test.each([
    ['SIGHUP', 129],
    ['SIGTERM', 143],
  ] as const)('%s ends in order, too', async (signal, expected) => {
    const options = [...cpu, '--size', '16x16', '--epochs', '100000', '--name', signal];
    const { child, finished, until } = startBeltnet(['train', 'belt', ...options], { cwd });
    await until('Epoch 2/');
    child.kill(signal);
    const { code, stderr } = await finished;
    expect({ code, stderr }).toEqual({
      code: expected,
      stderr: expect.stringMatching(/is the model after epoch \d+\n$/),
    });
    expect(readdirSync(join(cwd, 'runs', signal)).toSorted()).toEqual(runFiles);
  });
});

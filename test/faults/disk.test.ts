/**
 * Disks that are full or read-only, links where files are to be written, and little memory. Where the system lets us mount, a
 * small file system of its own is mounted for one command, as root or in a namespace of the user's.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel } from '../../src/formats/beltnet/model.node.js';
import { beltnet, beltnetWorks, finishedRunFiles, modelsOf, program, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

const small = ['--device', 'cpu', '--size', '16x16', '--alert-class', 'dark'];
const run = modelsOf;

let cwd: string;
let modelBytes = 0;
beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-disk-'));
  writeClasses(join(cwd, 'belt'), 16);
  mkdirSync(join(cwd, 'disk'));
  await beltnetWorks(['train', 'belt', ...small, '--epochs', '1', '--name', 'good'], { cwd });
  modelBytes = readFileSync(join(cwd, 'runs/good/best.safetensors')).length;
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

interface OnDisk {
  readonly code: number | null;
  readonly stderr: string;
  /** A copy of what is on the disk afterwards. */
  readonly kept: string;
}

let disks = 0;
/**
 * Runs a command while `disk` is a file system of so many bytes: with `runs` copied to it first, then made read-only, if asked for; or
 * made read-only when this file is there.
 */
function onDisk(
  bytes: number,
  args: readonly string[],
  { readOnly = false, readOnlyAfter = '', cache = 'cache' } = {},
): OnDisk {
  const kept = join(cwd, `kept-${disks++}`);
  const script =
    `mount -t tmpfs -o size=${Math.ceil(bytes / 4096) * 4}k tmpfs disk || exit 99; ` +
    (readOnly ? 'cp -r runs disk/runs; mount -o remount,ro disk || exit 99; ' : '') +
    (readOnlyAfter
      ? `(until [ -e ${readOnlyAfter} ] && mount -o remount,ro disk 2>/dev/null; do sleep 0.01; done) & `
      : '') +
    `"$@"; code=$?; ${readOnlyAfter ? 'kill $!; ' : ''} cp -a disk "${kept}"; exit $code`;
  const own = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const { status, stderr } = spawnSync(
    'unshare',
    [...own, 'sh', '-c', script, 'sh', process.execPath, program, ...args],
    { cwd, encoding: 'utf8', env: { ...process.env, BELTNET_CACHE: join(cwd, cache) } },
  );
  if (status === 99 || status === null) throw new Error(`no file system could be mounted: ${stderr}`);
  return { code: status, stderr, kept };
}

const allFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  );

describe('a disk that is no more written to after a checkpoint: code 8, and the training goes on elsewhere to the same bits', () => {
  const args = ['train', 'belt', ...small, '--epochs', '6', '--checkpoint-seconds', '0'];
  let whole: Buffer;
  let stateBytes: number;
  beforeAll(async () => {
    await beltnetWorks([...args, '--out', 'there', '--name', 'whole'], { cwd });
    whole = readFileSync(join(cwd, 'there/whole/last.safetensors'));
    stateBytes = readFileSync(join(cwd, 'there/whole/last.state.safetensors')).length;
  });

  test.each([
    ['full', /the disk is full/, () => onDisk(2 * modelBytes + 2.5 * stateBytes, onto('full'))],
    [
      'read-only',
      /read-only/,
      () => onDisk(2 ** 26, onto('read-only'), { readOnlyAfter: 'disk/read-only/previous.state.safetensors' }),
    ],
  ])('%s', async (name, message, fail) => {
    const { code, stderr, kept } = fail();
    expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringMatching(message) });
    cpSync(join(kept, name), join(cwd, 'there', name), { recursive: true });
    expect(await beltnetWorks(['train', '--resume', `there/${name}`], { cwd })).toMatch(
      /Resumed: after \d+ epochs? and/,
    );
    expect(readFileSync(join(cwd, 'there', name, 'last.safetensors')).equals(whole)).toBe(true);
  });

  const onto = (name: string): string[] => [...args, '--out', 'disk', '--name', name];
});

describe('a full disk', () => {
  test('in a training: code 8, and the model of the last epoch stays whole', async () => {
    const args = ['train', 'belt', ...small, '--epochs', '3', '--out', 'disk', '--name', 'run'];
    const { code, stderr, kept } = onDisk(modelBytes * 1.5, args);
    expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringContaining('the disk is full') });
    expect(stderr).toContain('is the model after epoch 1');
    expect(readdirSync(join(kept, 'run')).toSorted()).toEqual(run);
    expect((await loadModel(join(kept, 'run/best.safetensors'))).info.classNames).toEqual(['bright', 'dark']);
  });

  test('that holds no model: code 8, no half of one', () => {
    const args = ['train', 'belt', ...small, '--epochs', '3', '--out', 'disk', '--name', 'run'];
    const { code, stderr, kept } = onDisk(modelBytes * 0.5, args);
    expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringContaining('no model was written yet') });
    expect(readdirSync(join(kept, 'run')).toSorted()).toEqual([
      'audit.json',
      'config.json',
      'events.jsonl',
      'pictures.jsonl',
      'results.csv',
    ]);
  });

  test.each([
    ['export', ['export', 'runs/good', '-o', 'disk/belt.onnx']],
    ['synth', ['synth', 'disk/pictures', '--count', '60']],
    ['preview', ['preview', 'belt', '--count', '16', '--rotation', '9', '--out', 'disk/sheet.png']],
  ])('in %s: code 8, and nothing is left', (_, args) => {
    const { code, stderr, kept } = onDisk(20_000, args);
    expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringMatching(/disk is full|ENOSPC/) });
    expect(allFiles(kept)).toEqual([]);
  });

  test('where the cache is: a note, and the results are the same', () => {
    const args = ['evaluate', 'runs/good', 'belt', '--device', 'cpu'];
    const { code, stderr } = onDisk(8192, args, { cache: 'disk/cache' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^note: .*cache/) });
  });
});

test.each([
  ['train', ['train', 'belt', ...small, '--epochs', '1', '--out', 'disk/runs', '--name', 'new']],
  ['export', ['export', 'disk/runs/good', '-o', 'disk/belt.onnx']],
  ['synth', ['synth', 'disk/pictures', '--count', '4']],
  ['preview', ['preview', 'belt', '--out', 'disk/sheet.png']],
])('a read-only disk: %s ends with code 8, one line and no change', (_, args) => {
  const { code, stderr, kept } = onDisk(modelBytes * 7, args, { readOnly: true });
  expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringMatching(/read-only/) });
  expect(allFiles(kept).toSorted()).toEqual(finishedRunFiles.filter((name) => !name.startsWith('previous')));
});

describe('links', () => {
  test('where a file is to be written are not followed', async () => {
    const outside = join(cwd, 'outside');
    writeFileSync(outside, 'kept');
    for (const name of ['linked.onnx', 'linked.png']) symlinkSync(outside, join(cwd, name));
    symlinkSync(join(cwd, 'nowhere'), join(cwd, 'dangling.onnx'));
    expect(await beltnet(['export', 'runs/good', '-o', 'linked.onnx'], { cwd })).toMatchObject({ code: 2 });
    expect(await beltnet(['preview', 'belt', '--out', 'linked.png'], { cwd })).toMatchObject({ code: 2 });
    await beltnet(['export', 'runs/good', '-o', 'dangling.onnx'], { cwd });
    expect(existsSync(join(cwd, 'nowhere'))).toBe(false);
    expect(readFileSync(outside, 'utf8')).toBe('kept');
  });

  test('to a run are no run to overwrite, and leftovers behind links are not looked for', async () => {
    symlinkSync('good', join(cwd, 'runs/linked'));
    const before = readdirSync(join(cwd, 'runs/good'));
    const { code, stderr } = await beltnet(['train', 'belt', ...small, '--name', 'linked'], { cwd });
    expect({ code, stderr }).toEqual({ code: 8, stderr: expect.stringContaining('never overwritten') });
    expect([readdirSync(join(cwd, 'runs/good')), lstatSync(join(cwd, 'runs/linked')).isSymbolicLink()]).toEqual([
      before,
      true,
    ]);
  });
});

test('little address space (ulimit -v): code 6, and a line that says memory', () => {
  const args = ['predict', 'runs/good', 'belt', '--device', 'cpu'];
  const limited = ['-c', 'ulimit -v 2000000; exec "$@"', 'sh', process.execPath, program, ...args];
  const { status, stderr } = spawnSync('sh', limited, { cwd, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 6, stderr: expect.stringMatching(/^beltnet: .*memory.*\n$/) });
});

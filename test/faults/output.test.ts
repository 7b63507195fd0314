/**
 * Standard output that takes no more: a reader that goes away (`| head`), a full disk. Every command ends in order, with code 8
 * and one line that says so; what was made stays.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beltnetWorks, program, runFiles, startBeltnet, writeClasses, writeFiles } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

const cpu = ['--device', 'cpu'];
const small = [...cpu, '--size', '16x16', '--alert-class', 'dark', '--split', '0.5'];

let cwd: string;
beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-output-'));
  writeClasses(join(cwd, 'belt'), 16);
  writeFiles(cwd, {
    'relabel.csv': 'path,label,was\nbelt/dark/001.png,bright,dark\n',
    'space.json': '{"lr": [0.01, 0.001]}',
    'log.csv': 'time\n2026-01-01T00:00:00Z\n',
    'set-aside/queue.jsonl': '{"id":"1","file":"1.png","class":"dark","probability":0.5}\n',
    'set-aside/1.png': readFileSync(join(cwd, 'belt/dark/001.png')),
  });
  await beltnetWorks(['train', 'belt', ...small, '--epochs', '1', '--name', 'good'], { cwd });
  await beltnetWorks(['predict', 'runs/good', 'belt', ...cpu, '--shard', '0/1', '--out', 'shards'], { cwd });
  const watching = startBeltnet(['watch', 'runs/good', 'belt/dark', ...cpu, '--record', 'line'], { cwd });
  await watching.until('Watching');
  watching.child.kill('SIGTERM');
  await watching.finished;
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** Linux' device that is always full, or a pipe that nobody reads any more. */
type Place = 'full' | 'closed' | 'taken';

function run(args: readonly string[], stdout: Place, stderr: Place): Promise<{ code: number | null; text: string }> {
  const full = openSync('/dev/full', 'w');
  const stdio = [stdout, stderr].map((place) => (place === 'full' ? full : 'pipe'));
  const env = { ...process.env, BELTNET_CACHE: join(cwd, 'cache') };
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: ['ignore', ...stdio] });
  if (stdout === 'closed') child.stdout?.destroy();
  if (stderr === 'closed') child.stderr?.destroy();
  let text = '';
  if (stdout === 'taken') child.stdout?.resume();
  if (stderr === 'taken') child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, text })));
}

describe('every command ends with code 8 and says why', () => {
  const commands = [
    ['train', 'belt', ...small, '--epochs', '100000'],
    ['evaluate', 'runs/good', 'belt', ...cpu],
    ['threshold', 'runs/good', 'belt', ...cpu, '--cost-miss', '50', '--cost-false', '1'],
    ['predict', 'runs/good', 'belt', ...cpu],
    ['predict', 'runs/good', 'belt', ...cpu, '--json'],
    ['predict', 'runs/good', 'belt', ...cpu, '--csv'],
    ['runs'],
    ['explain', 'runs/good', 'belt/dark/001.png', ...cpu, '--out', 'explained-PLACE'],
    ['report', 'runs/good', ...cpu, '--out', 'report-PLACE.html'],
    ['relabel', 'relabel.csv', 'belt', '--out', 'relabelled-PLACE'],
    ['compare', 'runs/good', 'runs/good'],
    ['verify', 'runs/good', '--record-only'],
    ['parity', 'runs/good', 'belt', '--without-onnx'],
    ['keygen', 'key-PLACE'],
    ['preview', 'belt', '--rotation', '10', '--out', 'sheet-PLACE.png'],
    ['audit', 'belt'],
    ['synth', 'synth-PLACE', '--count', '4', '--size', '64x48'],
    ['import', fixture('dense.keras'), '-o', 'imported-PLACE.safetensors'],
    ['export', 'runs/good', '-o', 'good-PLACE.onnx'],
    ['decode', 'belt/dark/001.png'],
    ['search', 'belt', '--space', 'space.json', '--trials', '1', ...cpu, '--size', '16x16', '--name', 'search-PLACE'],
    ['merge', 'shards'],
    ['serve', 'runs/good', ...cpu, '--port', '0'],
    ['watch', 'runs/good', 'belt/dark', ...cpu],
    ['ui', '--port', '0'],
    ['tune-alarm', 'runs/good', 'belt', ...cpu, '--false-per-shift', '1'],
    ['verify-record', 'line'],
    ['compare-log', 'line', 'log.csv'],
    ['label', 'set-aside', '--port', '0'],
    ['devices'],
    ['gradcheck', ...cpu, '--op', 'relu'],
    ['--help'],
    ['--version'],
  ];

  test('there is a case for each', async () => {
    const help = await beltnetWorks(['--help'], { cwd });
    const names = Array.from(help.matchAll(/^ {2}([a-z-]+) \[/gm), ([, name]) => name).filter(
      (name) => name !== 'help',
    );
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) expect(commands.map(([command]) => command)).toContain(name);
  });

  test.each(commands.map((args) => ({ command: args.join(' '), args })))('$command', async ({ args }) => {
    const at = (place: Place) => args.map((word) => word.replace('PLACE', place));
    const results = [await run(at('full'), 'full', 'taken'), await run(at('closed'), 'closed', 'taken')];
    expect(results.map(({ code }) => code)).toEqual([8, 8]);
    expect(results[0].text).toMatch(/beltnet: standard output cannot be written: its disk is full \(ENOSPC\)\n/);
    expect(results[1].text).toMatch(/beltnet: standard output cannot be written: its reader has gone \(EPIPE\)\n/);
    expect(results.map(({ text }) => /defect|\n\s+at /.test(text))).toEqual([false, false]);
  });

  test('what was made is there, and complete', async () => {
    for (const place of ['full', 'closed']) {
      expect(readdirSync(join(cwd, `synth-${place}`)).toSorted()).toEqual(['test_set', 'training_set']);
      await beltnetWorks(['export', `imported-${place}.safetensors`, '-o', `again-${place}.onnx`], { cwd });
      expect(readdirSync(cwd)).toContain(`good-${place}.onnx`);
    }
  });
});

test('a training whose reader goes away keeps the model of its last epoch', async () => {
  const args = ['train', 'belt', ...small, '--epochs', '100000', '--name', 'head'];
  const { child, finished, until } = startBeltnet(args, { cwd });
  await until('Epoch 3/');
  child.stdout?.destroy();
  const { code, stderr } = await finished;
  expect(code).toBe(8);
  const epoch = Number(/is the model after epoch (\d+)\n$/.exec(stderr)?.[1]);
  expect(epoch).toBeGreaterThanOrEqual(2);
  expect(readFileSync(join(cwd, 'runs/head/results.csv'), 'utf8').trimEnd().split('\n')).toHaveLength(epoch + 1);
  expect(readdirSync(join(cwd, 'runs/head')).toSorted()).toEqual(runFiles);
  await beltnetWorks(['predict', 'runs/head', 'belt', ...cpu], { cwd });
});

describe('standard error that takes no more changes neither the work nor the exit code', () => {
  test.each(['full', 'closed'] as const)('%s', async (place) => {
    const name = `stderr-${place}`;
    expect((await run(['train', 'belt', ...small, '--epochs', '2', '--name', name], 'taken', place)).code).toBe(0);
    await beltnetWorks(['predict', `runs/${name}`, 'belt', ...cpu], { cwd });
    expect((await run(['train', 'nowhere'], 'taken', place)).code).toBe(3);
    expect((await run(['train', 'belt', '--nothing'], 'taken', place)).code).toBe(2);
    expect((await run(['devices'], place, place)).code).toBe(8);
  });
});

test('escape sequences in arguments and names do not reach the terminal', async () => {
  const evil = '\u001b]0;title\u0007\u009b31m';
  writeFiles(cwd, { [`=1${evil}.png`]: 'no picture', [`=2${evil}.png`]: readFileSync(join(cwd, 'belt/dark/001.png')) });
  const pictures = [`=1${evil}.png`, `=2${evil}.png`];
  for (const args of [
    [`--${evil}`],
    [`x${evil}`],
    ['train', 'belt', `more${evil}`],
    ['train', 'belt', '--size', evil],
    ['train', evil, '--debug'],
    ['help', evil],
    ...['--csv', '--json', '--exif'].map((form) => ['predict', 'runs/good', ...pictures, ...cpu, form]),
    ['decode', ...pictures],
  ]) {
    const { stdout, stderr } = await startBeltnet(args, { cwd }).finished;
    // oxlint-disable-next-line no-control-regex
    expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(stdout + stderr).not.toBe('');
  }
  const { stdout } = await startBeltnet(['predict', 'runs/good', ...pictures, ...cpu, '--csv'], { cwd }).finished;
  expect(stdout).toMatch(/\n'=1\\u001b]0;title\\u0007\\u009b31m\.png,,,,"'=1/); // no formula for a spreadsheet
  const json = (await startBeltnet(['predict', 'runs/good', ...pictures, ...cpu, '--json'], { cwd }).finished).stdout;
  const files = json
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { file: string }).file);
  expect(files).toEqual(pictures);
});

function fixture(name: string): string {
  return new URL(`../fixtures/keras/${name}`, import.meta.url).pathname;
}

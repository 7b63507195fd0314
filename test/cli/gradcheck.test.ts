/** `beltnet gradcheck`: what it prints, what it finds, and its exit code when a kernel is wrong. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cropPicture, decode, resize } from 'beltnet';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, writeClasses, writeFiles } from './run-beltnet.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let cwd: string;
beforeAll(() => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-gradcheck-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('gradcheck', () => {
  test('everything on the cpu device, in a table', async () => {
    const output = await beltnetWorks(['gradcheck', '--device', 'cpu'], { cwd });
    expect(output).toMatch(/^Device: cpu/);
    expect(output).toMatch(/\nconv2d +\S+ +\S+ \S+ \S+ +\S+ +7\.6e-6 +ok\n/);
    expect(output).toMatch(/\nadam +\S+ +4\.8e-7 +ok\n/);
    expect(output).toMatch(/\ngradient of dense\.kernel +\S+ +3\.1e-5 +ok\n/);
    expect(output).not.toContain('FAILED');
  });

  test('--op --json: one object a line', async () => {
    const lines = jsonLines(await beltnetWorks(['gradcheck', '--device', 'cpu', '--op', 'tanh', '--json'], { cwd }));
    expect(lines.map(({ kind, name }) => [kind, name])).toEqual([
      [undefined, undefined],
      ['op', 'tanh'],
      ['kernel', 'tanh'],
      [undefined, undefined],
    ]);
    expect(lines[1]).toMatchObject({ passed: true, gradients: { 'input 0': expect.any(Number) } });
    expect(lines[3]).toEqual({ event: 'end', checks: 2, failed: 0, predictionsAgree: null });
  });

  test('on webgpu, one op', async () => {
    noteDevice('webgpu');
    const output = await beltnetWorks(['gradcheck', '--device', 'webgpu', '--op', 'gelu'], { cwd });
    expect(output).toMatch(/^Device: webgpu/);
    expect(output.match(/ ok\n/g)).toHaveLength(2);
  });

  test('--model compares the predictions of all devices', async () => {
    writeClasses(join(cwd, 'belt'), 6);
    const options = ['--size', '16x16', '--epochs', '1', '--name', 'first', '--device', 'cpu'];
    await beltnetWorks(['train', 'belt', ...options], { cwd });
    const args = ['gradcheck', '--device', 'cpu', '--op', 'relu', '--model', 'runs/first', 'belt'];
    const output = await beltnetWorks(args, { cwd });
    expect(output).toMatch(/Pictures: 6 of belt, decoded to 16x16; SHA-256 of all pixels:\n {2}[0-9a-f]{64}\n/);
    expect(output).toMatch(/\ncpu .* ok\nwebgpu .* ok\n/);
    const lines = jsonLines(await beltnetWorks([...args, '--json'], { cwd }));
    expect(lines.filter(({ rgbSha256 }) => rgbSha256 !== undefined)).toHaveLength(6);
    expect(lines.at(-1)).toMatchObject({ event: 'end', predictionsAgree: true });
  });

  test('--model compares the pictures that the model was trained on: region, EXIF and normalization', async () => {
    const options = [
      '--size',
      '12x12',
      '--roi',
      '3,2,20,18',
      '--resize',
      'bilinear',
      '--normalize',
      'featurewise',
      '--exif',
    ];
    const picture = readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url));
    writeClasses(join(cwd, 'prepared'), 6);
    writeFiles(cwd, { 'prepared/dark/turned.jpg': picture, 'one/turned.jpg': picture });
    const run = ['--epochs', '1', '--name', 'prepared', '--device', 'cpu'];
    await beltnetWorks(['train', 'prepared', ...options, ...run], { cwd });
    const args = ['gradcheck', '--device', 'cpu', '--op', 'relu', '--model', 'runs/prepared', 'one', '--json'];
    const lines = jsonLines(await beltnetWorks(args, { cwd }));
    const upright = cropPicture(decode(picture, 'x', { exif: true }), { x: 3, y: 2, width: 20, height: 18 });
    const { data } = resize(upright, { width: 12, height: 12 }, 'bilinear');
    expect(lines.find(({ rgbSha256 }) => rgbSha256 !== undefined)).toEqual({
      file: 'one/turned.jpg',
      rgbSha256: createHash('sha256').update(data).digest('hex'),
    });
    expect(lines.at(-1)).toMatchObject({ event: 'end', predictionsAgree: true });
  });

  test.each([
    [['--op', 'nothing'], /^beltnet: --op: expects one of conv2d, .*, got 'nothing'/],
    [['belt'], /^beltnet: gradcheck: expects --model MODEL with the folder belt, got none/],
    [['--model', 'x'], /^beltnet: gradcheck: expects a folder of pictures with --model, got none/],
  ])('%j is refused', async (args, message) => {
    const { code, stderr } = await beltnet(['gradcheck', ...args], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('a wrong kernel: exit code 12, and the case in words', async () => {
    // A copy of the built program, where the packages are found, with one sign changed.
    const copy = mkdtempSync(join(root, 'node_modules/.gradcheck-'));
    try {
      cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
      cpSync(join(root, 'package.json'), join(copy, 'package.json'));
      const right = 'dy.multiply(Expression.of(1).subtract(y).multiply(y.add(1)))';
      const parts = join(copy, 'dist/cli/parts');
      const files = readdirSync(parts).map((name) => join(parts, name));
      const [file, ...others] = files.filter((path) => readFileSync(path, 'utf8').includes(right));
      expect(others).toEqual([]);
      writeFileSync(file, readFileSync(file, 'utf8').replace(right, right.replace('subtract', 'add')));
      const run = promisify(execFile)(process.execPath, [
        ...[join(copy, 'dist/cli/main.js'), 'gradcheck', '--device', 'cpu', '--op', 'tanh'],
      ]);
      await expect(run).rejects.toMatchObject({
        code: 12,
        stdout: expect.stringMatching(/FAILED op tanh: the gradient rule is .* off its finite difference/) as string,
        stderr: expect.stringContaining('1 of 2 checks failed') as string,
      });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

/** The README's programs, run as they stand there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf, tinyModel } from './classifier/tiny-model.js';
import { noteDevice } from './support/devices.js';
import { synthesize } from '../src/data/belt/synthetic.node.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const programs = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
  ([, program]) => program,
);
// Inside the package, so that its own name leads to its dist.
const folder = mkdtempSync(join(root, 'test', '.readme-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => synthesize(join(folder, 'belt'), { count: 32, width: 64, height: 48, seed: 0 }));

function run(program: string): string {
  const path = join(folder, 'program.mjs'); // the programs have no types, so that JavaScript will do
  writeFileSync(path, program);
  return execFileSync(process.execPath, [path], { cwd: folder, encoding: 'utf8' });
}

test('there are four', () => expect(programs).toHaveLength(4));

test('a classifier', async () => {
  const jpeg = readFileSync(new URL('golden/images/jpeg_exif_6.jpg', import.meta.url));
  mkdirSync(join(folder, 'runs/first'), { recursive: true });
  writeFileSync(join(folder, 'runs/first/model.safetensors'), await bytesOf(tinyModel()));
  writeFileSync(join(folder, 'picture.jpg'), jpeg);
  expect(run(programs[0])).toMatch(/^(gap|ok) 0\.\d+ (true|false)\n\1\npicture 1: expects a JPEG, PNG or BMP .*\n$/);
});

test('training', () => {
  expect(run(programs[1])).toMatch(/^1 \d\.\d+\n2 \d\.\d+\n$/);
});

test('a graph', () => {
  expect(run(programs[2])).toMatch(/^add \(Add\) .* conv2d, conv2d_1\n[^]*\nTotal params: 885 /m);
});

test('a gradient', () => {
  expect(run(programs[3])).toMatch(/^relu \[3\] → \[3\]\nsum \[3\] → \[\]\n.*0, 0\.333\d*, 0\.333\d*/s);
});

test('from pictures to an alarm: train, evaluate, threshold, predict', async () => {
  noteDevice('cpu');
  const cwd = join(folder, 'alarm');
  await synthesize(join(cwd, 'belt'), { count: 64, width: 64, height: 48, seed: 1, workers: 0 });
  const [, block] = /\*\*From pictures to an alarm\*\*.*?```sh\n(.*?)```/s.exec(
    readFileSync(join(root, 'README.md'), 'utf8'),
  )!;
  const outputs: string[] = [];
  for (const line of block.trimEnd().split('\n')) {
    const [program, ...words] = line.replace(/ +#.*$/, '').split(' ');
    expect(program).toBe('beltnet');
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...words], {
      ...{ cwd, encoding: 'utf8', env: { ...process.env, BELTNET_CACHE: join(cwd, 'cache') } },
    });
    expect([line, status, stderr]).toEqual([
      line,
      words.includes('--exit-code') ? 10 : 0,
      expect.not.stringContaining('were in training'),
    ]);
    outputs.push(stdout);
  }
  const [, before, chosen, after, predicted] = outputs;
  expect(before).toContain('Data: belt/test_set\n');
  expect(chosen).toMatch(/Data: belt\/training_set \(those that did not train the model\)\n/);
  const threshold = /the alert is raised from ([\d.]+) on/.exec(chosen)![1];
  expect(before).toContain('from 0.5 on');
  expect(after).toContain(`from ${threshold} on`);
  expect(predicted).toContain('ALERT');
});

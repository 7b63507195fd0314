/** A build that nothing asks for does nothing, and one that is asked for takes nothing from under those who use the last one. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Build, isBuilt } from '../scripts/build-output.mjs';
import { temporaryFolder } from './data/make-pictures.js';

const sources = {
  'package.json': '{}',
  'package-lock.json': '{}',
  'tsconfig.json': '{}',
  'src/a.ts': 'a',
  'src/kernels/b.ts': 'b',
  'src/wasm.generated.ts': 'made',
  'cli/main.ts': 'main',
  'wasm/index.ts': 'wasm',
  'web/page/app.js': 'app',
  'scripts/build.mjs': 'build',
};

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** A project whose build makes two files. */
function project(): string {
  const root = temporaryFolder({});
  write(root, sources);
  build(root, { 'src/a.js': 'a', 'cli/main.js': 'main' });
  return root;
}

function build(root: string, outputs: Readonly<Record<string, string>>): void {
  const made = new Build(root);
  write(made.next, outputs);
  made.publish();
  made.end();
}

test('what was built from the very files that are there is built', () => {
  const root = project();
  expect(isBuilt(root)).toBe(true);
  expect(readdirSync(join(root, 'dist')).toSorted()).toEqual(['.built', 'cli', 'src']);
});

test.each<[string, (root: string) => void]>([
  ...Object.keys(sources).map((path): [string, (root: string) => void] => [
    `${path} changed`,
    (root) => writeFileSync(join(root, path), 'x'.repeat(statSync(join(root, path)).size + 1)),
  ]),
  [
    'a source changed to one of the same length and time',
    (root) => {
      const { atime, mtime } = statSync(join(root, 'src/a.ts'));
      writeFileSync(join(root, 'src/a.ts'), 'A');
      utimesSync(join(root, 'src/a.ts'), atime, mtime);
    },
  ],
  ['a new source', (root) => writeFileSync(join(root, 'src/kernels/new.ts'), '')],
  ['a source that moved', (root) => renameSync(join(root, 'src/a.ts'), join(root, 'src/c.ts'))],
  ['a source that is gone', (root) => rmSync(join(root, 'src/kernels/b.ts'))],
  ['an output that is gone', (root) => rmSync(join(root, 'dist/src/a.js'))],
  ['an output that was changed', (root) => writeFileSync(join(root, 'dist/src/a.js'), 'other')],
  ['an output that nobody made', (root) => writeFileSync(join(root, 'dist/src/old.js'), '')],
  ['no outputs', (root) => rmSync(join(root, 'dist'), { recursive: true })],
  ['a record that is cut off', (root) => writeFileSync(join(root, 'dist/.built'), '{"digest":')],
])('%s: to be built', (_, change) => {
  const root = project();
  change(root);
  expect(isBuilt(root)).toBe(false);
});

test('files that stay equal are not touched, others are replaced whole, and what is not made any more goes', () => {
  const root = project();
  const file = (path: string) => {
    const { ino, mtimeMs } = statSync(join(root, 'dist', path));
    return { ino, mtimeMs, text: readFileSync(join(root, 'dist', path), 'utf8') };
  };
  const [equal, other] = [file('src/a.js'), file('cli/main.js')];
  const made = new Build(root);
  write(made.next, { 'src/a.js': 'a', 'cli/main.js': 'changed' });
  // Until all is made, the last build is there.
  expect([file('src/a.js').text, file('cli/main.js').text]).toEqual(['a', 'main']);
  made.publish();
  expect(file('src/a.js')).toMatchObject({ ino: equal.ino, mtimeMs: equal.mtimeMs, text: 'a' });
  expect(file('cli/main.js').text).toBe('changed');
  expect(file('cli/main.js').ino).not.toBe(other.ino); // a new file under the name: whoever reads the old one reads it to its end
  made.end();
  build(root, { 'src/a.js': 'a' });
  expect(readdirSync(join(root, 'dist')).toSorted()).toEqual(['.built', 'cli', 'src']);
  expect(readdirSync(join(root, 'dist/cli'))).toEqual([]);
  expect(isBuilt(root)).toBe(true);
});

test('what a build that was ended left is removed, what one that runs makes is not', () => {
  const root = project();
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  write(root, { [`dist/.next-${ended}/a.js`]: '', [`dist/.next-${process.ppid}/a.js`]: '' });
  build(root, { 'src/a.js': 'a' });
  expect(readdirSync(join(root, 'dist')).filter((name) => name.startsWith('.next'))).toEqual([`.next-${process.ppid}`]);
});

test("npm's `prepare` leaves the build that is there, as it is", () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const states = () =>
    (readdirSync(join(root, 'dist'), { recursive: true }) as string[]).toSorted().map((path) => {
      const { ino, mtimeMs, size } = statSync(join(root, 'dist', path));
      return `${path} ${ino} ${mtimeMs} ${size}`;
    });
  expect(isBuilt(root)).toBe(true);
  const before = states();
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/prepare.mjs')], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(states()).toEqual(before);
});

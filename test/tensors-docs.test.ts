/** The programs of docs/tensors.md, run as they stand there. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const programs = [...readFileSync(join(root, 'docs/tensors.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
  ([, program]) => program,
);
// Inside the package, so that its own name leads to its dist.
const folder = mkdtempSync(join(root, 'test', '.tensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['a loss in one line', 0, 'function\n'],
  ['a loop with an optimizer', 1, '2.00 1.00\n'],
  ['a kernel of one’s own', 2, 'function\n'],
])('%s', (_, index, output) => {
  expect(programs).toHaveLength(3);
  const path = join(folder, 'program.mjs'); // the programs have no types, so that JavaScript will do
  writeFileSync(path, programs[index]);
  expect(execFileSync(process.execPath, [path], { cwd: folder, encoding: 'utf8' })).toBe(output);
});

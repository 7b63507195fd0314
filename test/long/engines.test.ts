/** `train --reproducible` in engines that share no code with Node's, and on another processor: the same hash of the weights. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, type Rollup } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findArm64Node, findFirefox, findJavaScriptCore } from '../../scripts/setup-engines.mjs';
import { servePage } from '../proof/page.js';
import { richTraining } from '../proof/same-bits.js';
import { noteDevice } from '../support/devices.js';

const inProject = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'beltnet-engines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Nothing here may hang: ten times what it takes at most. */
const limits = { timeout: 1_200_000, killSignal: 'SIGKILL' } as const;

let expected = '';
beforeAll(async () => {
  noteDevice('cpu');
  expected = (await richTraining()).hash;
});

/** The package and a program that prints the hash, in one module. */
async function bundle(): Promise<string> {
  const entry = join(folder, 'entry.js');
  writeFileSync(
    entry,
    `import { richTraining } from '${inProject('test/proof/same-bits.js')}';
const print = globalThis.print ?? console.log;
richTraining().then(({ hash }) => print(hash), (error) => print(String(error)));`,
  );
  const built = (await build({
    ...{ configFile: false, logLevel: 'error', root: folder },
    resolve: { alias: { beltnet: inProject('dist/src/index.js') } },
    build: { write: false, minify: false, rollupOptions: { input: entry, output: { codeSplitting: false } } },
  })) as Rollup.RollupOutput;
  const chunk = built.output.find((each): each is Rollup.OutputChunk => each.type === 'chunk' && each.isEntry);
  const path = join(folder, 'bundle.mjs');
  writeFileSync(path, readFileSync(inProject('test/proof/shell-globals.js'), 'utf8') + (chunk?.code ?? ''));
  return path;
}

test("JavaScriptCore's shell", async () => {
  const program = findJavaScriptCore();
  const { stdout } = await promisify(execFile)(program, ['-m', await bundle()], limits);
  expect(stdout.trim()).toBe(expected);
});

test('Node on arm64', async () => {
  const [program, ...args] = findArm64Node();
  const { stdout } = await promisify(execFile)(program, [...args, await bundle()], limits);
  expect(stdout.trim()).toBe(expected);
});

test('Firefox, with one thread and with two', async () => {
  const { url, close, reported } = await servePage();
  const args = ['--headless', '--no-remote', '--profile', folder, `${url}?threads=1,2`];
  const browser = spawn(findFirefox(), args, { env: { ...process.env, HOME: folder }, stdio: 'ignore' });
  try {
    expect(await reported).toBe(`${expected} ${expected}`);
  } finally {
    browser.kill('SIGKILL');
    await close();
  }
});

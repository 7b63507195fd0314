/**
 * Formats wasm/, or with --check tells what is not. AssemblyScript is TypeScript but for its decorators of functions, which the
 * formatter refuses: it is shown them as comments.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from './steps.mjs';

const check = process.argv.includes('--check');
const folder = mkdtempSync(join(tmpdir(), 'beltnet-format-'));
try {
  copyFileSync('.oxfmtrc.json', join(folder, '.oxfmtrc.json'));
  mkdirSync(join(folder, 'sources'));
  const names = readdirSync('wasm').filter((name) => name.endsWith('.ts'));
  for (const name of names) {
    const source = readFileSync(join('wasm', name), 'utf8');
    writeFileSync(join(folder, 'sources', name), source.replace(/^@(?=\w)/gm, '//@'));
  }
  const { status, stderr } = spawnSync(process.execPath, [tool('oxfmt/bin/oxfmt'), 'sources'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`oxfmt ended with ${status}: ${stderr}`);
  for (const name of names) {
    const formatted = readFileSync(join(folder, 'sources', name), 'utf8').replace(/^\/\/@(?=\w)/gm, '@');
    if (formatted === readFileSync(join('wasm', name), 'utf8')) continue;
    if (check) console.error(`wasm/${name}: is not formatted; run: npm run format`);
    if (check) process.exitCode = 1;
    else writeFileSync(join('wasm', name), formatted);
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** The README's walk from a training to its proof, command by command as it stands there, and what each leaves behind. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { synthesize } from '../../src/data/belt/synthetic.node.js';
import { beltnetWorks } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-walk-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
beforeAll(() => synthesize(join(cwd, 'belt'), { count: 60, width: 64, height: 48, seed: 0 }));

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [, block = ''] = /## The proof\n\n```sh\n([^]*?)```/.exec(readme) ?? [];
const commands = block.split('\n').filter((line) => line.startsWith('beltnet '));

test('train, report, explain, verify', async () => {
  noteDevice('cpu');
  expect(commands.map((line) => line.split(' ')[1])).toEqual(['keygen', 'train', 'report', 'explain', 'verify']);
  const said: string[] = [];
  for (const line of commands) {
    const [words] = line.split('#');
    said.push(await beltnetWorks(words.trim().split(/\s+/).slice(1), { cwd }));
  }
  expect(said.at(-1)).toMatch(/^ok +training: done again, with the same weights/m);
  expect(said.at(-1)).not.toContain('DIFFERS');
  expect(readFileSync(join(cwd, 'runs/proven/report.html'), 'utf8')).toContain('<title>');
  expect(readdirSync(join(cwd, 'explained')).filter((name) => name.endsWith('.png')).length).toBeGreaterThan(0);
  expect(readFileSync(join(cwd, 'runs/proven/card.md'), 'utf8')).toContain('The alarm is for __gap__');
});

/** `beltnet search`: however many processes share the work, and whichever of them are killed, the same trial wins, bit for bit. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findChromium } from '../../scripts/machine.mjs';
import { searchHtml, type SearchResult } from '../../src/index.node.js';
import { beltnet, beltnetWorks, startBeltnet, writeClasses, type Running } from './run-beltnet.js';

let folder: string;
let browser: Browser;
const on = { cwd: '' };
const running: Running[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-search-'));
  on.cwd = folder;
  writeClasses(join(folder, 'belt'), 80);
  const space = { lr: { from: 0.0003, to: 0.03, scale: 'log' }, batch: [4, 8], horizontalFlip: [true, false] };
  writeFileSync(join(folder, 'space.json'), JSON.stringify(space));
  await beltnetWorks(search('one'), on);
  browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
});
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

const search = (out: string, ...more: string[]): string[] => [
  ...['search', 'belt', '--space', 'space.json', '--trials', '5', '--epochs', '4', '--halving', '2', '--size', '16x16'],
  ...['--threads', '1', '--workers', '0', '--out', out, '--name', 's', '--alert-class', 'dark', ...more],
];

/** All that a search says, the folder's own name left out. */
const resultOf = (out: string): unknown =>
  JSON.parse(readFileSync(join(folder, out, 's', 'result.json'), 'utf8').replaceAll(join(out, 's'), 'S'));

const modelOf = (out: string): string => {
  const { winner } = resultOf(out) as { winner: number };
  return readFileSync(join(folder, out, 's', `trial-00${winner}`, 'best.safetensors')).toString('base64');
};

test('its winner is judged on pictures that chose nothing, and its optimism is told', async () => {
  const result = resultOf('one') as {
    trials: { index: number; epochs: number; best: object; test: { split: string; pictures: number } | null }[];
  };
  expect(result.trials.map(({ epochs }) => epochs)).toEqual([4, 2, 1, 1, 1]);
  expect(result.trials[0].test).toMatchObject({ split: 'test', pictures: 16 });
  // No picture of the test was among those that trained or chose.
  const { winner } = resultOf('one') as { winner: number };
  const run = join(folder, 'one', 's', `trial-00${winner}`);
  const lines = readFileSync(join(run, 'pictures.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { set: string; sha256: string });
  const digests = (isTest: boolean) =>
    lines.filter(({ set }) => (set === 'test') === isTest).map(({ sha256 }) => sha256);
  expect(digests(true).filter((digest) => digests(false).includes(digest))).toEqual([]);
  expect(lines).toHaveLength(80);
  // A trial is a run like any other.
  const loser = `one/s/trial-00${result.trials.at(-1)?.index}`;
  expect(await beltnetWorks(['train', '--resume', loser], on)).toContain('Epoch 4/4');
});

test('its page draws a line and a row for each trial, asks for nothing, and takes names for text', async () => {
  const hostile = '</script><img src=x onerror=alert(1)>';
  const page = await browser.newPage();
  const wrong: string[] = [];
  page.on('request', (request) => request.isNavigationRequest() || wrong.push(request.url()));
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  const path = join(folder, 'page.html');
  writeFileSync(
    path,
    searchHtml(hostile, JSON.parse(readFileSync(join(folder, 'one', 's', 'result.json'), 'utf8')) as SearchResult),
  );
  for (const name of ['s', hostile]) {
    if (name === 's') await beltnetWorks(['report', 'one/s'], on);
    await page.goto(pathToFileURL(name === 's' ? join(folder, 'one', 's', 'report.html') : path).href);
    expect(await page.locator('h1').textContent()).toBe(name);
    expect(await page.locator('polyline').count()).toBe(5);
    expect(await page.locator('tbody tr').count()).toBe(5);
    expect(await page.locator('polyline.winner').count()).toBe(1);
    const { winner } = resultOf('one') as { winner: number };
    expect(await page.locator('.verdict').textContent()).toContain(`trial-00${winner} won`);
  }
  await page.hover('tbody tr:nth-child(2)');
  expect(await page.locator('polyline.pointed').count()).toBe(1);
  await page.close();
  expect(wrong).toEqual([]);
});

test.each([[2], [4]])('%i processes come to the same', async (processes) => {
  const out = `of-${processes}`;
  const all = Array.from({ length: processes }, (_, n) =>
    beltnetWorks(search(out, '--shard', `${n}/${processes}`), on),
  );
  const told = await Promise.all(all);
  expect(resultOf(out)).toEqual(resultOf('one'));
  expect(modelOf(out)).toBe(modelOf('one'));
  const trained = told.flatMap((text) =>
    [...text.matchAll(/^(trial-\d+): epoch (\d)/gm)].map(([, name, epoch]) => `${name} ${epoch}`),
  );
  expect(new Set(trained).size).toBe(5 + 2 + 1); // each trial to each of its rungs …
});

test('a process that is killed leaves what another goes on with, and finds its place by the same line', async () => {
  const killed = startBeltnet(search('killed'), on);
  running.push(killed);
  await killed.until('trial-001: epoch 1');
  killed.child.kill('SIGKILL');
  await killed.finished;
  await beltnetWorks(search('killed'), on);
  expect(resultOf('killed')).toEqual(resultOf('one'));
  expect(modelOf('killed')).toBe(modelOf('one'));
  expect(readdirSync(join(folder, 'killed', 's')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('trials that all overflow are an error', async () => {
  writeFileSync(join(folder, 'large.json'), '{"lr": [1e37, 1e38]}');
  const all = ['search', 'belt', '--space', 'large.json', '--trials', '2', '--epochs', '1', '--size', '16x16'];
  const { code, stderr } = await beltnet([...all, '--threads', '1', '--workers', '0', '--out', 'large'], on);
  expect(stderr).toContain('expects trials whose numbers stay finite, got none; try smaller rates');
  expect(code).toBe(7);
});

test('what cannot be meant is told before a trial is begun', async () => {
  const other = await beltnet(search('one', '--seed', '1'), on);
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('its seed differs: 0, got 1; choose another --name'),
  });
  for (const [space, message] of [
    ['{"lr": [-1]}', 'trial-000 ({"lr":-1}): --lr: expects a number above 0'],
    ['{"seed": [1, 2]}', 'expects options of the training that may differ'],
    ['{"horizontal-flip": [true, false]}', "got 'horizontal-flip', which is called 'horizontalFlip' here"],
    ['{"base": ["darknet-tiny"]}', 'expects --fine-tune beside it'],
  ]) {
    writeFileSync(join(folder, 'wrong.json'), space);
    const { code, stderr } = await beltnet(['search', 'belt', '--space', 'wrong.json', '--out', 'wrong'], on);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  }
  expect(readdirSync(folder)).not.toContain('wrong');
});

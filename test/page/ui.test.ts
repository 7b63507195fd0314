/** `beltnet ui` as its users start it: what it serves, that a taken port is refused, and how much a first load takes. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unzip } from '../../src/data/sources/zip.js';
import { servePage } from '../../src/serve/page.node.js';
import type { Served } from '../../src/serve/server.node.js';
import { beltnet, startBeltnet } from '../cli/run-beltnet.js';
import { openBrowser, watchedPage } from './watched-page.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-ui-'));
let served: Served;

beforeAll(async () => {
  mkdirSync(join(cwd, 'a "run"'), { recursive: true });
  writeFileSync(join(cwd, 'a "run"', 'config.json'), '{}');
  writeFileSync(join(cwd, 'a "run"', 'last.state.safetensors'), 'large');
  writeFileSync(join(cwd, 'a "run"', '.lock'), 'locked');
  cpSync(join(cwd, 'a "run"', 'config.json'), join(cwd, 'a "run"', 'card.json'));
  // A picture as it was, one that was changed, one that is gone, and one that is none of the run's.
  writeFileSync(join(cwd, '1.jpg'), 'first');
  writeFileSync(join(cwd, '2.jpg'), 'changed');
  const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex').slice(0, 32);
  const lines = [
    { set: 'training', file: join(cwd, '1.jpg'), label: 'gap', sha256: sha256('first') },
    { set: 'validation', file: join(cwd, '2.jpg'), label: 'ok', sha256: sha256('second') },
    { set: 'test', file: join(cwd, 'gone/1.jpg'), label: 'gap', sha256: sha256('third') },
    { set: 'training', file: process.execPath, label: 'gap', sha256: sha256('fourth') },
    { set: 'training', file: join(cwd, 'other/1.jpg'), label: 'gap', sha256: sha256('first') },
  ];
  writeFileSync(join(cwd, 'a "run"', 'pictures.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  served = await servePage({ run: join(cwd, 'a "run"'), port: 0 });
});
afterAll(async () => {
  await served.close();
  rmSync(cwd, { recursive: true });
});

test('says where it is, and ends in order', async () => {
  const { child, until, finished } = startBeltnet(['ui', '--port', '0'], { cwd });
  await until('http://127.0.0.1:');
  child.kill('SIGINT');
  expect(await finished).toMatchObject({ code: 130, stdout: expect.stringContaining('Ctrl-C ends it') });
});

test('a port that is taken is refused, with the reason why no other is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await beltnet(['ui', '--port', String(port)], { cwd });
  other.close();
  expect([code, stderr]).toEqual([2, expect.stringMatching(new RegExp(`port ${port} is taken.*not seen there`))]);
  const { code: noRun, stderr: why } = await beltnet(['ui', 'nothing'], { cwd });
  expect([noRun, why]).toEqual([2, expect.stringContaining("config.json, got 'nothing'")]);
});

test('the page is marked, isolated and asks for no manifest; a run comes as a zip of what it is read by', async () => {
  const answer = await fetch(served.url);
  expect(answer.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
  const html = await answer.text();
  expect(html).toContain('<meta name="beltnet-served" content="run a &quot;run&quot;" />');
  expect(html).not.toContain('rel="manifest"');
  const zip = new Uint8Array(await (await fetch(`${served.url}/run.zip`)).arrayBuffer());
  const files = await unzip(
    zip,
    () => true,
    () => {},
  );
  expect([...files.keys()].toSorted()).toEqual(
    ['card.json', 'config.json', 'pictures.jsonl'].map((name) => `a "run"/${name}`),
  );
});

test('the pictures of a run are given as long as they are what they were, and nothing else is', async () => {
  const listed = (await (await fetch(`${served.url}/pictures.json`)).json()) as string[];
  const program = basename(process.execPath);
  expect(listed).toEqual([
    'train/gap/1.jpg',
    'val/ok/2.jpg',
    'test/gap/1.jpg',
    `train/gap/${program}`,
    'train/gap/1-2.jpg',
  ]);
  const answers = await Promise.all(
    [0, 1, 2, 3, 5, -1, 'x'].map(async (n) => {
      const answer = await fetch(`${served.url}/picture?n=${n}`);
      return [answer.status, await answer.text()] as const;
    }),
  );
  expect(answers.map(([status]) => status)).toEqual([200, 409, 404, 409, 404, 404, 404]);
  expect(answers[0][1]).toBe('first');
  expect(answers[1][1]).toMatch(/2\.jpg: was changed since the run was trained/);
  expect(answers[2][1]).toMatch(/is not where it was/);
});

test('a first load is under 300 KB compressed, and asks nobody else', async () => {
  const page = await servePage({ port: 0 });
  const browser = await openBrowser();
  try {
    const watched = await watchedPage(await browser.newContext(), page.url);
    const sizes: Promise<number>[] = [];
    watched.page.on('response', (response) => sizes.push(response.body().then((body) => gzipSync(body).length)));
    await watched.page.goto(page.url, { waitUntil: 'networkidle' });
    await watched.page.getByText('Show it what is right').waitFor();
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(100e3);
    expect(total).toBeLessThan(300e3);
    expect(watched.wrong).toEqual([]);
  } finally {
    await browser.close();
    await page.close();
  }
});

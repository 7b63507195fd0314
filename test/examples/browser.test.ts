/**
 * examples/browser in Chromium: the built package in a plain page and through Vite, on WebGPU and on the CPU device. Its
 * first ten losses are those of Node from the same seed.
 */
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright';
import { openClassifier, type Verdict } from 'beltnet';
import { createServer as createViteServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium } from '../../scripts/machine.mjs';
import { train } from '../../examples/browser/train.js';
import { bytesOf, tinyModel } from '../classifier/tiny-model.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { noteDevice } from '../support/devices.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

/** Serves files as they are, as any static host does. */
async function servePlain(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createHttpServer(({ url = '' }, response) => {
    const path = join(root, new URL(url, 'http://localhost').pathname);
    try {
      response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream').end(readFileSync(path));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/examples/browser/index.html`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A project of a user's own: the page and the package in node_modules, through Vite. */
async function serveVite(): Promise<{ url: string; close: () => Promise<void> }> {
  const folder = temporaryFolder({ 'node_modules/placeholder': '' });
  cpSync(join(root, 'examples/browser'), folder, { recursive: true });
  symlinkSync(root, join(folder, 'node_modules/beltnet'), 'junction');
  const server = await createViteServer({
    ...{ root: folder, configFile: false, logLevel: 'error', cacheDir: join(folder, 'cache') },
    server: { host: '127.0.0.1', port: 0, fs: { strict: false } },
  });
  await server.listen();
  const [url] = server.resolvedUrls?.local ?? [];
  return { url: `${url}index.html`, close: () => server.close() };
}

let browser: Browser;
const expected: number[] = [];
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: findChromium() ?? '',
    args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--disable-component-update'],
  });
  noteDevice('cpu');
  await train('cpu', (line: unknown) => {
    if (typeof line === 'number') expected.push(line);
  });
});
afterAll(() => browser.close());

const linesOf = (...files: string[]) =>
  files.flatMap((file) =>
    readFileSync(join(root, 'examples/browser', file), 'utf8')
      .trimEnd()
      .split('\n'),
  ).length;

test('the pages are short, scripts and all', () => {
  expect(linesOf('index.html', 'train.js')).toBeLessThan(40);
  expect(linesOf('classify.html')).toBeLessThan(20);
});

test('classify.html gives the verdict of Node on a picture that is chosen', async () => {
  const model = await bytesOf(tinyModel());
  const jpeg = readFileSync(join(root, 'test/golden/images/jpeg_exif_6.jpg'));
  const classifier = await openClassifier(model, { device: 'cpu' });
  const inNode = await classifier.classify(jpeg);
  await classifier.destroy();
  const { url, close } = await servePlain();
  const page = await browser.newPage();
  const verdictOf = async (buffer: Buffer): Promise<string> => {
    await page.locator('pre').evaluate((element) => (element.textContent = ''));
    await page.setInputFiles('input', { name: 'picture.jpg', mimeType: 'image/jpeg', buffer });
    await page.waitForFunction(() => document.querySelector('pre')?.textContent !== '', null, { timeout: 60_000 });
    return (await page.textContent('pre')) ?? '';
  };
  try {
    await page.route('**/model.safetensors', (route) => route.fulfill({ body: Buffer.from(model) }));
    await page.goto(url.replace('index.html', 'classify.html'));
    await page.waitForFunction(() => document.querySelector('input')?.onchange !== null);
    const { probabilities, ...verdict } = JSON.parse(await verdictOf(jpeg)) as Verdict;
    expect(verdict).toMatchObject({ class: inNode.class, alert: inNode.alert });
    expect(Math.abs(probabilities['ok'] - inNode.probabilities['ok'])).toBeLessThan(1e-4);
    expect(await verdictOf(jpeg.subarray(0, 300))).toMatch(/^picture: JPEG cannot be decoded/);
  } finally {
    await page.close();
    await close();
  }
});

describe.each([
  ['a plain page', servePlain],
  ['Vite', serveVite],
])('%s', (_, serve) => {
  test.each(['webgpu', 'cpu'])('on %s: the losses of Node', async (device) => {
    const { url, close } = await serve();
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    try {
      await page.goto(`${url}?device=${device}`);
      await page.waitForFunction(() => /done\n|rror/.test(document.querySelector('#log')?.textContent ?? ''), null, {
        timeout: 100_000,
      });
      const lines = ((await page.textContent('#log')) ?? '').trimEnd().split('\n');
      expect(errors).toEqual([]);
      expect(lines[0]).toMatch(new RegExp(`^${device} `));
      const losses = lines.slice(1, -1).map(Number);
      expect(losses).toHaveLength(10);
      for (const [step, loss] of losses.entries()) expect(Math.abs(loss - expected[step])).toBeLessThan(1e-4);
      expect(lines.at(-1)).toBe('done');
    } finally {
      await page.close();
      await close();
    }
  });
});

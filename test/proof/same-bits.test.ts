/** `train --reproducible`: one hash of the weights in Node and in Chromium, with one thread and with two. Other engines: test/long. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright';
import { loadModel, weightsHash } from 'beltnet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChromium } from '../../scripts/machine.mjs';
import { beltnetWorks, writeClasses } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { servePage } from './page.js';
import { richTraining } from './same-bits.js';

interface SameBits {
  rich(threads: number): Promise<string>;
  onFiles(files: object[], options: object, training: object): Promise<string>;
}

const folder = mkdtempSync(join(tmpdir(), 'beltnet-same-bits-'));
const closing: (() => Promise<unknown>)[] = [];
let page: Page;
beforeAll(async () => {
  noteDevice('cpu');
  writeClasses(join(folder, 'belt'), 24);
  const browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
  const { url, close } = await servePage(join(folder, 'belt'));
  closing.push(() => browser.close(), close);
  page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => document.title === 'ready');
});
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  rmSync(folder, { recursive: true });
});

test('a rich network: 20 steps in Node and in Chromium', async () => {
  const { hash, losses } = await richTraining(1);
  expect(losses?.at(-1)).toBeLessThan(losses?.[0] ?? 0); // it trains
  expect((await richTraining(2)).hash).toBe(hash);
  const inPage = (threads: number) => page.evaluate((count) => (window as unknown as SameBits).rich(count), threads);
  expect(await inPage(1)).toBe(hash);
  expect(await inPage(2)).toBe(hash);
});

test("the command's training on a folder, in the page from the same files", async () => {
  const options = ['--size', '24x20', '--resize', 'lanczos', '--rotation', '10', '--zoom', '0.2', '--horizontal-flip'];
  const training = [
    '--epochs',
    '3',
    '--batch',
    '5',
    '--seed',
    '4',
    '--normalize',
    'featurewise',
    '--optimizer',
    'adamW',
  ];
  await beltnetWorks(['train', 'belt', '--reproducible', '--name', 'run', ...options, ...training], { cwd: folder });
  const { model } = await loadModel(join(folder, 'runs/run/last.safetensors'));
  const files = ['bright', 'dark'].flatMap((label) =>
    readdirSync(join(folder, 'belt', label))
      .toSorted()
      .map((name) => ({ label, url: `/pictures/${label}/${name}` })),
  );
  expect(files).toHaveLength(24);
  const plan = {
    ...{
      size: { width: 24, height: 20 },
      interpolation: 'lanczos',
      seed: 4,
      normalize: 'featurewise',
      optimizer: 'adamW',
    },
    augmentation: { rotationRange: 10, zoomRange: [0.8, 1.2], horizontalFlip: true },
  };
  const inPage = await page.evaluate(
    (given) => (window as unknown as SameBits).onFiles(given.files, given.plan, { batchSize: 5, epochs: 3 }),
    { files, plan },
  );
  expect(inPage).toBe(await weightsHash(model));
});

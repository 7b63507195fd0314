/**
 * The page as its users go through it, with its real engine: collect by a camera, choose a folder, train, try, take the model out, and the
 * command line says the same of the same pictures. No error, no foreign request, no freeze; a reload finds everything.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beltPicture } from 'beltnet';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import { servePage } from '../../src/serve/page.node.js';
import type { Served } from '../../src/serve/server.node.js';
import { beltnetWorks } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { longestTask, openBrowser, watchedPage } from './watched-page.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-journey-'));
const labels = ['gap', 'ok'] as const;
let served: Served;
let browser: Browser;

const jpegOf = (label: (typeof labels)[number], index: number, width: number, height: number): Uint8Array =>
  encodeJpeg(beltPicture({ label, seed: 1, index, width, height }), 90);

beforeAll(async () => {
  noteDevice('cpu');
  for (const label of labels) {
    mkdirSync(join(cwd, 'belt', label), { recursive: true });
    for (let n = 0; n < 24; n++) writeFileSync(join(cwd, 'belt', label, `${n}.jpg`), jpegOf(label, n, 64, 48));
  }
  // A film is its pictures one after another; the camera begins anew at the end.
  const frames = Array.from({ length: 6 }, (_, n) => jpegOf(labels[n % 2], 100 + n, 320, 240));
  writeFileSync(join(cwd, 'film.mjpeg'), Buffer.concat(frames));
  served = await servePage({ port: 0 });
  browser = await openBrowser(join(cwd, 'film.mjpeg'));
});
afterAll(async () => {
  await browser.close();
  await served.close();
  rmSync(cwd, { recursive: true });
});

async function saved(page: Page, button: string, name: string): Promise<void> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ]);
  await download.saveAs(join(cwd, name));
}

test('camera, folder, training, verdict, export, command line', async () => {
  const { page, wrong } = await watchedPage(await browser.newContext({ permissions: ['camera'] }), served.url);
  page.setDefaultTimeout(60_000);
  await page.goto(served.url);

  await page.getByRole('button', { name: /Use the camera/ }).click();
  await page.getByLabel('Name of the new class').fill('gap');
  await page.keyboard.press('Enter');
  const hold = page.getByRole('button', { name: 'Hold to record gap' });
  await hold.hover();
  await page.mouse.down();
  await hold.getByText(/[3-9] recorded/).waitFor();
  await page.mouse.up();
  await page.getByRole('button', { name: 'Close' }).click();

  await page.getByRole('button', { name: 'Add pictures' }).click();
  const [folder] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: 'Folder', exact: true }).click(),
  ]);
  await folder.setFiles(join(cwd, 'belt'));
  await page.getByText('48 pictures added.').waitFor();

  await page.getByRole('button', { name: 'Train with these' }).click();
  await page.getByText('From scratch').click();
  await page.getByText('32', { exact: true }).click();
  await page.getByRole('spinbutton', { name: 'Epochs', exact: true }).fill('3');
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByRole('button', { name: 'Try the model' }).click();
  await page.locator('.matrix .cell').first().waitFor();
  const [picture] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: 'Choose a picture' }).click(),
  ]);
  await picture.setFiles(join(cwd, 'belt/gap/0.jpg'));
  await page.getByText(/judged in/).waitFor();
  const bars = await page.locator('.verdict .bars .number').allTextContents();

  await page.getByRole('link', { name: 'In and out' }).click();
  await saved(page, 'Download: Model: beltnet', 'model.safetensors');
  const stdout = await beltnetWorks(['predict', 'model.safetensors', 'belt/gap/0.jpg', '--json', '--device', 'cpu'], {
    cwd,
  });
  const { probabilities } = JSON.parse(stdout) as { probabilities: Record<string, number> };
  expect(bars).toEqual(labels.map((label) => `${(100 * probabilities[label]).toFixed(1)} %`));

  await page.reload();
  await page.getByRole('link', { name: /^Try/ }).click();
  await page.locator('.matrix .cell').first().waitFor();
  expect(await longestTask(page)).toBeLessThan(500);
  expect(wrong).toEqual([]);
});

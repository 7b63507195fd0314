/**
 * The page as its users go through it, with its real engine: collect by a camera, choose a folder, train, try, take the model out, and the
 * command line says the same of the same pictures. No error, no foreign request, no freeze; a reload finds everything.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

async function chosen(page: Page, button: string, path: string): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: button, exact: true }).click(),
  ]);
  await chooser.setFiles(path);
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
  await chosen(page, 'Folder', join(cwd, 'belt'));
  await page.getByText('48 pictures added.').waitFor();

  await page.getByRole('button', { name: 'Train with these' }).click();
  await page.getByText('From scratch').click();
  await page.getByText('32', { exact: true }).click();
  // More than any machine makes before its user has found the buttons
  await page.getByRole('spinbutton', { name: 'Epochs', exact: true }).fill('1000');
  await page.getByText('More settings').click();
  await page.getByText('The same bits on every computer').click();
  await page.getByRole('button', { name: 'Start training' }).click();
  // Paused, left, found again, gone on with, and stopped
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByText('Paused: nothing is lost').first().waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Go on', exact: true }).click();
  await page.getByRole('log').filter({ hasText: 'Epoch 2/1000' }).waitFor();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('button', { name: 'Try the model' }).click();
  await page.locator('.matrix .cell').first().waitFor();
  await chosen(page, 'Choose a picture', join(cwd, 'belt/gap/0.jpg'));
  await page.getByText(/judged in/).waitFor();
  const bars = await page.locator('.verdict .bars .number').allTextContents();

  await page.getByRole('link', { name: 'In and out' }).click();
  await saved(page, 'Download: Model: beltnet', 'model.safetensors');
  const stdout = await beltnetWorks(['predict', 'model.safetensors', 'belt/gap/0.jpg', '--json', '--device', 'cpu'], {
    cwd,
  });
  const { probabilities } = JSON.parse(stdout) as { probabilities: Record<string, number> };
  expect(bars).toEqual(labels.map((label) => `${(100 * probabilities[label]).toFixed(1)} %`));

  await page.getByRole('link', { name: 'Prove' }).click();
  await page.getByRole('button', { name: 'Train again' }).click();
  await page.getByText('The same bits.').waitFor();
  const line = await page.locator('.proof .command code').textContent();
  expect(line).toContain('--reproducible');
  expect(line).not.toContain('--epochs 1000'); // as far as it came

  await page.reload();
  await page.getByRole('link', { name: /^Try/ }).click();
  await page.locator('.matrix .cell').first().waitFor();
  expect(await longestTask(page)).toBeLessThan(2000); // a freeze
  expect(wrong).toEqual([]);
});

test('a run of the command line with its pictures: tried, compared, taken out and in again', async () => {
  // Three classes, as few pictures as hold some back
  for (const label of ['gap', 'ok', 'stain'])
    for (let n = 0; n < 20; n++) {
      mkdirSync(join(cwd, 'three', label), { recursive: true });
      writeFileSync(join(cwd, 'three', label, `${n}.jpg`), stained(label, n));
    }
  const pictures = join(cwd, 'three');
  await beltnetWorks(
    [
      'train',
      pictures,
      '--size',
      '32x32',
      '--epochs',
      '2',
      '--name',
      'there',
      '--alert-class',
      'gap',
      '--device',
      'cpu',
      '--no-cache',
    ],
    { cwd },
  );
  const run = join(cwd, 'runs/there');
  const table = join(run, 'predictions.csv');
  const ui = await servePage({ port: 0, run });
  try {
    const { page, wrong } = await watchedPage(await browser.newContext(), ui.url);
    page.setDefaultTimeout(60_000);
    await page.goto(ui.url);
    await page.getByText('60 pictures added.').waitFor();
    await page.locator('.matrix .cell').first().waitFor();
    expect(await page.locator('.matrix .cell').count()).toBe(9);
    await page.locator('.matrix .cell').first().click();

    // What a miss costs chooses a threshold, which the model takes with its reason.
    await page.getByRole('slider', { name: /A missed gap costs/ }).press('ArrowRight');
    await page.getByRole('button', { name: 'Use this threshold' }).click();
    await page.getByText('This is the threshold of the model.').waitFor();

    const compare = async (path: string, said: string): Promise<void> => {
      await page.getByRole('link', { name: 'Prove' }).click();
      await chosen(page, 'Choose predictions.csv', path);
      await page.getByText(said).waitFor();
    };
    await compare(table, 'The same: on 60 pictures');
    await page
      .getByRole('region', { name: /Differences/ })
      .getByText('equal')
      .nth(59)
      .waitFor();
    const spoiled = join(cwd, 'spoiled.csv');
    writeFileSync(spoiled, readFileSync(table, 'utf8').replace(/,(\d{10,}),0\./, ',1,0.'));
    await compare(spoiled, 'Not the same');

    // Out by the screens, in again by them, and each says what the command line said
    for (const [format, name] of [
      ['beltnet', 'out.safetensors'],
      ['Keras', 'out.keras'],
      ['ONNX', 'out.onnx'],
    ]) {
      await page.getByRole('link', { name: 'In and out' }).click();
      if (name !== 'out.safetensors') await page.getByRole('combobox', { name: 'Training' }).selectOption('there');
      await saved(page, `Download: Model: ${format}`, name);
      await chosen(page, 'Choose a file', join(cwd, name));
      await page.waitForURL(/#try$/); // where the page goes when it is open
      await compare(table, 'The same: on 60 pictures');
    }
    expect(wrong).toEqual([]);
  } finally {
    await ui.close();
  }
});

/** Another class than the belt's own has a bluish patch. */
function stained(label: string, index: number): Uint8Array {
  const picture = beltPicture({
    label: label === 'gap' ? 'gap' : 'ok',
    seed: 2,
    index: index + label.length * 100,
    width: 64,
    height: 48,
  });
  if (label === 'stain')
    for (let n = 10 * 64 + 20; n < 30 * 64; n++) if (n % 64 > 20 && n % 64 < 36) picture.data[3 * n + 2] = 250;
  return encodeJpeg(picture, 90);
}

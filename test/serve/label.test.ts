/** `beltnet label`: what is said of pictures is written down at once, nothing else is changed, and nobody reads what is not in the queue. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { beltPicture, LabelQueue, serveLabels } from 'beltnet';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import { readManifest } from '../../src/data/sources/manifest.node.js';
import type { Served } from '../../src/serve/server.node.js';
import { beltnet } from '../cli/run-beltnet.js';
import { openBrowser, seriousFaults, views, watchedPage } from '../page/watched-page.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-label-'));
afterAll(() => rmSync(cwd, { recursive: true }));
let place: string;
let served: Served | null = null;

const jpegOf = (index: number): Uint8Array =>
  encodeJpeg(beltPicture({ label: index % 2 === 0 ? 'gap' : 'ok', seed: 3, index, width: 64, height: 48 }), 90);

beforeEach(() => {
  place = mkdtempSync(join(cwd, 'record-'));
  mkdirSync(join(place, 'queue'));
  writeFileSync(join(place, 'secret.jpg'), 'nobody’s');
  const lines = Array.from({ length: 4 }, (_, n) => {
    writeFileSync(join(place, 'queue', `${n}.jpg`), jpegOf(n));
    const said = { class: n % 2 === 0 ? 'gap' : 'ok', probability: 0.55, unknown: n === 3 };
    const from = { camera: 'camera-1', source: 'film.mjpeg', region: 'belt', time: `2026-01-02T03:04:0${n}.000Z` };
    return JSON.stringify({
      id: String(n),
      file: `${n}.jpg`,
      ...from,
      ...said,
      reason: n === 3 ? 'unknown' : 'uncertain',
    });
  });
  const hostile = ['../secret.jpg', '/etc/hostname', '.hidden.jpg', 'gone.jpg', 7].map((file) =>
    JSON.stringify({ file }),
  );
  writeFileSync(join(place, 'queue/queue.jsonl'), [...lines, ...hostile, '{"file":"torn'].join('\n'));
});
afterEach(async () => {
  await served?.close();
  served = null;
});

const table = (): string => readFileSync(join(place, 'queue/labels.csv'), 'utf8');

test('labels are a manifest beside the pictures; what is not in the queue is not read, and without the token nothing is written', async () => {
  served = await serveLabels(place, { port: 0 });
  const { url, token } = served;
  const { pictures, classNames } = (await (await fetch(`${url}/queue.json`)).json()) as {
    pictures: { file: string; label: string | null }[];
    classNames: string[];
  };
  expect(pictures.map(({ file, label }) => [file, label])).toEqual([0, 1, 2, 3].map((n) => [`${n}.jpg`, null]));
  expect(classNames).toEqual(['gap', 'ok']);
  for (const file of ['../secret.jpg', '/etc/hostname', '.hidden.jpg', 'gone.jpg', '..', ''])
    expect((await fetch(`${url}/picture?file=${encodeURIComponent(file)}`)).status).toBe(404);
  const picture = await fetch(`${url}/picture?file=0.jpg`);
  expect([picture.headers.get('content-type'), new Uint8Array(await picture.arrayBuffer())]).toEqual([
    'image/jpeg',
    jpegOf(0),
  ]);

  const give = async (body: unknown, bearer = token): Promise<number> => {
    const headers = { authorization: `Bearer ${bearer}` };
    return (await fetch(`${url}/label`, { method: 'POST', headers, body: JSON.stringify(body) })).status;
  };
  expect(await give({ file: '0.jpg', label: 'gap' }, 'x'.repeat(24))).toBe(401);
  for (const bad of [
    { file: '../secret.jpg', label: 'gap' },
    { file: '0.jpg', label: '../gap' },
    { file: '0.jpg' },
    7,
    null,
  ])
    expect(await give(bad)).toBe(422);
  expect(() => table()).toThrow(/ENOENT/);
  // All at once: none is lost.
  const all = await Promise.all([
    give({ file: '0.jpg', label: 'gap' }),
    give({ file: '1.jpg', label: '=ok' }),
    give({ file: '2.jpg', label: 'stain' }),
  ]);
  expect(all).toEqual([200, 200, 200]);
  expect(await give({ file: '0.jpg', label: 'ok' })).toBe(200);
  expect(await give({ file: '2.jpg', label: null })).toBe(200);
  expect(table()).toBe("path,label,was\n1.jpg,'=ok,ok\n0.jpg,ok,gap\n");
  const { training } = await readManifest(join(place, 'queue/labels.csv'));
  expect(training?.files.map(({ path }) => path)).toEqual([join(place, 'queue/0.jpg'), join(place, 'queue/1.jpg')]);

  // A table that somebody has spoilt is not written over.
  writeFileSync(join(place, 'queue/labels.csv'), 'path,label,was\n0.jpg,,\n');
  expect(await give({ file: '1.jpg', label: 'ok' })).toBe(422);
  expect(table()).toBe('path,label,was\n0.jpg,,\n');
});

test('what is labelled is copied into class folders, and overwrites nothing', async () => {
  const queue = new LabelQueue(join(place, 'queue'));
  for (const [n, label] of ['gap', 'ok', 'stain'].entries()) await queue.set(`${n}.jpg`, label);
  mkdirSync(join(place, 'belt/ok'), { recursive: true });
  writeFileSync(join(place, 'belt/ok/1.jpg'), 'another');
  const { code, stdout } = await beltnet(['label', place, '--out', join(place, 'belt')], { cwd });
  expect([code, stdout]).toEqual([0, expect.stringContaining('2 pictures more, 1 were there already')]);
  expect(readFileSync(join(place, 'belt/ok/1.jpg'), 'utf8')).toBe('another');
  expect(new Uint8Array(readFileSync(join(place, 'belt/stain/2.jpg')))).toEqual(jpegOf(2));
  expect(await beltnet(['label', cwd], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('queue.jsonl'),
  });
});

test('on the page: keys, undo, another class, skipped ones, a server that is gone', async () => {
  served = await serveLabels(place, { port: 0 });
  const browser = await openBrowser();
  try {
    for (const view of ['phone', 'light'] as const) {
      const { page, wrong } = await watchedPage(await browser.newContext(views[view]), served.url);
      await page.goto(served.url);
      await page.getByAltText('Picture 0.jpg').waitFor();
      await page.getByText('The model says gap (55 %)').waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
        views[view].viewport.width,
      );
      expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0);
      const folder = process.env['BELTNET_SCREENSHOTS'];
      if (folder !== undefined) await page.screenshot({ path: join(folder, `label-${view}.png`) });
      expect(wrong).toEqual([]);
      if (view === 'phone') continue;

      await page.keyboard.press('1');
      await page.getByAltText('Picture 1.jpg').waitFor();
      await page.keyboard.press('1');
      await page.getByAltText('Picture 2.jpg').waitFor();
      await page.keyboard.press('z');
      await page.getByAltText('Picture 1.jpg').waitFor();
      expect(table()).toBe('path,label,was\n0.jpg,gap,gap\n');
      await page.keyboard.press('ArrowRight');
      await page.getByAltText('Picture 2.jpg').waitFor();
      await page.getByLabel('Another class').fill('stain');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Enter'); // the button of the new class has the focus
      await page.getByAltText('Picture 3.jpg').waitFor();
      await page.getByText('unlike the training').waitFor();
      await page.keyboard.press('2');
      await page.getByAltText('Picture 1.jpg').waitFor(); // what was skipped comes back
      await page.keyboard.press('ArrowRight');
      await page.getByText('1 without a label').waitFor();
      await page.keyboard.press('Enter');
      await page.getByAltText('Picture 1.jpg').waitFor();
      expect(table()).toBe('path,label,was\n0.jpg,gap,gap\n2.jpg,stain,gap\n3.jpg,ok,ok\n');
      await served.close();
      await page.keyboard.press('2');
      await page.getByText('The label is not written').waitFor();
      await page.getByAltText('Picture 1.jpg').waitFor();
      expect(table()).not.toContain('1.jpg');
    }
  } finally {
    await browser.close();
  }
});

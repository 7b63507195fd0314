/** The report in a real browser: what it shows, that it asks for nothing, that names are only text, and 10,000 pictures. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright';
import { readRecord, reportOf } from 'beltnet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import { findChromium } from '../../scripts/machine.mjs';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks, noisyPng, startBeltnet, writeFiles } from './run-beltnet.js';

const cwd = mkdtempSync(join(tmpdir(), 'beltnet-report-'));
const device = ['--device', 'cpu'];
const hostile = '<img src=x onerror=alert(1)>.png';
let browser: Browser;

beforeAll(async () => {
  noteDevice('cpu');
  const files: Record<string, Uint8Array> = {};
  for (let n = 0; n < 40; n++) {
    const label = n % 2 === 0 ? 'bright' : 'dark';
    // A fifth of val/ looks like the other class.
    const looks = n >= 20 && n % 10 < 2 ? (label === 'dark' ? 'bright' : 'dark') : label;
    const name = n === 21 ? hostile : `${n}.png`;
    files[`belt/${n < 20 ? 'train' : 'val'}/${label}/${name}`] = noisyPng(looks, n, 24, 20);
  }
  writeFiles(cwd, files);
  const options = ['--size', '16x16', '--epochs', '6', '--batch', '4', '--alert-class', 'dark', '--name', 'first'];
  await beltnetWorks(['train', 'belt', ...options, ...device], { cwd });
  await beltnetWorks(['report', 'runs/first', ...device], { cwd });
  browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser.close();
  rmSync(cwd, { recursive: true });
});

interface Opened {
  readonly page: Page;
  /** Requests and errors. */
  readonly wrong: string[];
}

async function open(url: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Opened> {
  const page = await browser.newPage(options);
  const wrong: string[] = [];
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.isNavigationRequest()) wrong.push(`asks for ${request.url()}`);
  });
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('dialog', (dialog) => {
    wrong.push(`says ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, wrong };
}

const urlOf = (run: string): string => pathToFileURL(join(cwd, 'runs', run, 'report.html')).href;

test('shows figures, curves, pictures with heat maps; asks for nothing; names are only text', async () => {
  const { page, wrong } = await open(urlOf('first'));
  expect(await page.title()).toBe('first · beltnet report');
  expect(await page.locator('.verdict').textContent()).toMatch(
    /^Of 10 pictures that show dark, .* of the 10 others, .* for nothing\.$/,
  );
  expect(await page.locator('.uplot').count()).toBeGreaterThanOrEqual(5);
  await page.getByRole('button', { name: 'bright taken for dark: 2 of 10' }).click();
  const pictures = page.locator('article.picture');
  expect(await pictures.count()).toBe(2);
  expect(await pictures.locator('canvas').count()).toBeGreaterThan(0);
  await page.getByRole('button', { name: /^All/ }).click();
  expect(await page.getByText(hostile).count()).toBe(1);
  expect(await page.locator('img[src="x"]').count()).toBe(0);
  await page.getByRole('button', { name: 'Enlarge 20.png' }).press('Enter');
  expect(await page.getByRole('dialog').locator('table').count()).toBe(1);
  await page.keyboard.press('Escape');
  expect(await page.getByRole('dialog').count()).toBe(0);
  const before = await page.locator('.outcome').textContent();
  await page.getByLabel('Threshold', { exact: true }).fill('399');
  expect(await page.locator('.outcome').textContent()).not.toBe(before);
  expect(await page.getByText('conv2d_1').count()).toBeGreaterThan(0); // the layers
  await page.getByText('Model card').click();
  expect(await page.getByRole('heading', { name: 'What was chosen, and on which pictures' }).count()).toBe(1);
  expect(await page.locator('#card strong').first().textContent()).toBe('dark');
  expect(wrong).toEqual([]);
  await page.close();
});

test('new labels are downloaded, and relabel makes a copy of them', async () => {
  const { page } = await open(urlOf('first'));
  await page.getByRole('button', { name: /^All/ }).click();
  await page.getByLabel(`New label of belt/val/dark/${hostile}`).selectOption('bright');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download relabel.csv' }).click(),
  ]);
  await download.saveAs(join(cwd, 'relabel.csv'));
  await page.close();
  expect(readFileSync(join(cwd, 'relabel.csv'), 'utf8')).toBe(`path,label,was\nbelt/val/dark/${hostile},bright,dark\n`);
  cpSync(join(cwd, 'runs/first'), join(cwd, 'runs/recorded'), { recursive: true });
  await beltnetWorks(['relabel', 'relabel.csv', 'belt', '--out', 'corrected', '--run', 'runs/recorded'], { cwd });
  const { entries, problems } = (await readRecord(join(cwd, 'runs/recorded'))) ?? { entries: [], problems: ['none'] };
  expect({ problems, last: entries.at(-1) }).toMatchObject({
    problems: [],
    last: { number: 2, event: 'relabel', facts: { source: 'belt', out: 'corrected', pictures: 40, changed: 1 } },
  });
  expect(statSync(join(cwd, 'corrected/val/bright', hostile)).size).toBe(
    statSync(join(cwd, 'belt/val/dark', hostile)).size,
  );
});

test('light, dark and on a phone: axe finds nothing serious, charts and page are as wide as there is room', async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const { page, wrong } = await open(urlOf('first'), { viewport: { width: 1280, height: 900 } });
  await page.evaluate(axe);
  const serious = () =>
    page.evaluate(async () => {
      const { axe: checker } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; impact: string }[] }> };
      };
      const { violations } = await checker.run();
      return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id);
    });
  const tooWide = () =>
    page.evaluate(() =>
      ['.uplot', 'html']
        .flatMap((each) => [...document.querySelectorAll(each)])
        .filter((each) =>
          each.matches('html')
            ? each.scrollWidth > innerWidth
            : each.clientWidth > (each.parentElement?.clientWidth ?? 0),
        )
        .map(({ className, tagName }) => `${tagName} ${className}`),
    );
  expect(await tooWide()).toEqual([]);
  expect(await serious()).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await serious()).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.waitForFunction(() => (document.querySelector('.uplot')?.clientWidth ?? 360) < 330);
  expect(await tooWide()).toEqual([]);
  expect(await serious()).toEqual([]);
  expect(wrong).toEqual([]);
  await page.close();
});

test('the mistakes of an evaluation are a picture, too', async () => {
  const evaluate = ['evaluate', 'runs/first', 'belt', '--sheet', 'mistakes.png', '--json', ...device];
  const { evidence } = JSON.parse(await beltnetWorks(evaluate, { cwd })) as {
    evidence: { mistakes: { file: string }[] };
  };
  expect(evidence.mistakes.map(({ file }) => file)).toContain(`belt/val/dark/${hostile}`);
  const { width, height } = decode(readFileSync(join(cwd, 'mistakes.png')), 'mistakes.png');
  expect(width).toBeGreaterThan(700);
  expect(height).toBeGreaterThan(200);
});

test('10,000 pictures stay usable, under 20 MB; what is left out is said', async () => {
  cpSync(join(cwd, 'runs/first'), join(cwd, 'runs/large'), { recursive: true });
  const table = join(cwd, 'runs/large/predictions.csv');
  const [head] = readFileSync(table, 'utf8').split('\n');
  writeFileSync(table, `${head}\n`);
  const line = (n: number): string => {
    const [label, file] = n % 2 === 0 ? ['bright', 'belt/val/bright/22.png'] : ['dark', 'belt/val/dark/23.png'];
    const dark = n % 4 === 0 ? 0.9 : n / 20_000; // a quarter of all is wrong
    return `${file},${label},test,${dark > 0.5 ? 'dark' : 'bright'},${dark > 0.5},,,,${1 - dark},${dark}\n`;
  };
  appendFileSync(table, Array.from({ length: 10_000 }, (_, n) => line(n)).join(''));
  const { stdout } = await beltnet(['report', 'runs/large', '--json', ...device], { cwd });
  const { bytes, pictures } = JSON.parse(stdout) as { bytes: number; pictures: number };
  expect(pictures).toBe(10_000);
  expect(bytes).toBeLessThan(20e6);
  const { page, wrong } = await open(urlOf('large'));
  expect(await page.locator('#summary').textContent()).toMatch(/more mistakes stand as rows without picture/);
  expect(await page.locator('#shown').textContent()).toMatch(
    /^Mistakes: \d,\d+ pictures; 1,0\d\d with the picture, [\d,]+ as rows below/,
  );
  expect(await page.locator('article.picture').count()).toBe(48);
  await page.getByRole('button', { name: 'More pictures' }).click();
  expect(await page.locator('article.picture').count()).toBe(96);
  expect(wrong).toEqual([]);
  await page.close();
});

test('live: epochs come into the open page, and the whole report at the end', async () => {
  const options = [
    '--size',
    '16x16',
    '--epochs',
    '60',
    '--batch',
    '4',
    '--alert-class',
    'dark',
    '--name',
    'live',
    '--live',
  ];
  const page = await browser.newPage(); // first: it takes as long as many epochs
  const { until, finished, child } = startBeltnet(['train', 'belt', ...options, ...device], { cwd });
  let said = '';
  child.stdout?.on('data', (text: string) => (said += text));
  await until('Live: http://127.0.0.1:');
  const url = /Live: (\S+)/.exec(said)?.[1] ?? '';
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url(), url).origin));
  await page.goto(url);
  await page.locator('.verdict').waitFor({ timeout: 110_000 });
  expect(await page.locator('article.picture').count()).toBeGreaterThan(0);
  expect(new Set(asked.filter((origin) => origin !== 'null'))).toEqual(new Set([url]));
  await page.close();
  expect((await finished).code).toBe(0);
  expect(statSync(join(cwd, 'runs/live/report.html')).size).toBeGreaterThan(100_000);
});

test('a torn table of predictions, or list of pictures, is named, and what is no run', async () => {
  cpSync(join(cwd, 'runs/first'), join(cwd, 'runs/torn'), { recursive: true });
  const torn = join(cwd, 'runs/torn');
  appendFileSync(join(torn, 'predictions.csv'), 'x"y,\n');
  const cpu = { device: 'cpu' } as const;
  await expect(reportOf(torn, cpu)).rejects.toThrow(/predictions.csv: expects \d+ cells in each row/);
  const compared = await beltnet(['compare', 'runs/first', 'runs/torn'], { cwd });
  expect(compared).toMatchObject({ code: 2, stderr: expect.stringMatching(/expects \d+ cells in each row/) });
  rmSync(join(torn, 'predictions.csv'));
  appendFileSync(join(torn, 'pictures.jsonl'), '{"pix');
  await expect(reportOf(torn, cpu)).rejects.toThrow(/pictures.jsonl: expects a picture a line/);
  const none = await beltnet(['report', 'belt', ...device], { cwd });
  expect(none).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("expects the folder of a run with its config.json, or of a search, got 'belt'"),
  });
});

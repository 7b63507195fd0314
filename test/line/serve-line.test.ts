/** A line over HTTP, as programs, Prometheus, curl and people at a wall screen meet it: a real line with a small model. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import parsePrometheus from 'parse-prometheus-text-format';
import { chromium, type Browser, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkLineConfig, serveLine, startLine, type Line, type LineState, type Served } from 'beltnet';
import { findChromium } from '../../scripts/machine.mjs';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import { noteDevice } from '../support/devices.js';
import { bytesOf, tinyModel } from '../classifier/tiny-model.js';
import { until } from './states.js';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'beltnet-serve-line-'));
const TOKEN = 'a-token-that-nobody-guesses';
let line: Line;
let served: Served;
let browser: Browser;

/** Noise, since a camera whose pictures stay the same would be a suspect. */
function picture(seed: number): Uint8Array {
  const data = Uint8Array.from(
    { length: 40 * 30 * 3 },
    (_, at) => (Math.imul(at + seed * 7919, 2654435761) >>> 24) & 255,
  );
  return encodeJpeg({ width: 40, height: 30, data }, 90);
}

const bearer = { authorization: `Bearer ${TOKEN}` };
const get = (path: string): Promise<Response> => fetch(served.url + path, { headers: bearer });
const post = (path: string, body?: Uint8Array): Promise<Response> =>
  fetch(served.url + path, { method: 'POST', headers: bearer, ...(body && { body: body as BodyInit }) });

beforeAll(async () => {
  noteDevice('cpu');
  const model = join(folder, 'model.safetensors');
  writeFileSync(model, await bytesOf(tinyModel()));
  writeFileSync(join(folder, 'token'), TOKEN, { mode: 0o600 });
  const given = {
    models: { belt: model },
    cameras: [
      {
        ...{ name: 'left', source: { kind: 'submit' }, noVerdictSeconds: 3600 },
        // Every picture is an alert, and one of them an alarm.
        alarm: { of: 1, raise: 1, clear: 0, threshold: 0, holdSeconds: 0 },
        suspects: { frozenSeconds: 0, quality: false, unlike: false },
      },
    ],
    record: { folder: join(folder, 'record'), pictures: 'none' },
    serve: { port: 0, tokenFile: join(folder, 'token') },
    device: 'cpu',
    heartbeatSeconds: 1,
  };
  line = await startLine(given);
  served = await serveLine(line, checkLineConfig(given, 'test', {}));
  browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser.close();
  await served.close();
  await line.close();
  rmSync(folder, { recursive: true });
});

test('is not ready before it has verdicts, and says nothing without the token', async () => {
  const ready = await fetch(`${served.url}/ready`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, problems: ['a region has no verdict, or an old one'] },
  ]);
  for (const path of ['/state', '/events', '/metrics', '/picture?camera=left&region=all', '/models', '/openapi.json'])
    expect([path, (await fetch(served.url + path)).status]).toEqual([path, 401]);
  expect((await fetch(`${served.url}/pictures?camera=left`, { method: 'POST' })).status).toBe(401);
  expect((await fetch(`${served.url}/health`)).status).toBe(200);
});

test('curl hands a picture in, and gets the verdict that the line records', async () => {
  const file = join(folder, 'picture.jpg');
  writeFileSync(file, picture(1));
  const { stdout } = await run('curl', [
    ...['-sS', '-H', `Authorization: Bearer ${TOKEN}`, '--data-binary', `@${file}`],
    `${served.url}/pictures?camera=left&name=first.jpg`,
  ]);
  const { verdicts } = JSON.parse(stdout) as { verdicts: { source: string; camera: string; alert: boolean }[] };
  expect(verdicts).toMatchObject([{ source: 'first.jpg', camera: 'left', alert: true }]);
  expect(line.state().cameras['left'].regions['all'].verdicts).toBe(1);
  expect((await get('/ready')).status).toBe(200);
  const shown = await get('/picture?camera=left&region=all');
  expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
  for (const [path, status] of [
    ['/pictures?camera=right', 404],
    ['/pictures?camera=__proto__', 404],
    ['/acknowledge?camera=left&region=none', 404],
    ['/models/reload?model=none', 422],
    ['/models/reload?model=belt', 422], // it has no stored verdicts
  ] as const)
    expect([path, (await post(path, picture(2))).status]).toEqual([path, status]);
  expect((await post('/pictures?camera=left', new Uint8Array(99))).status).toBe(422);
  const classified = (await (await post('/classify', picture(1))).json()) as { class: string; model: string };
  expect(classified).toMatchObject({ model: 'belt' });
  expect(line.state().cameras['left'].regions['all'].verdicts).toBe(1); // asked, not watched
});

test("Prometheus' format is read by another's parser, with the numbers of the line", async () => {
  const answer = await get('/metrics');
  const families = parsePrometheus(await answer.text());
  const valueOf = (name: string, labels: Record<string, string> = {}): number => {
    const samples = families.find((family) => family.name === `beltnet_${name}`)?.metrics ?? [];
    const found = samples.find((one) => Object.entries(labels).every(([key, value]) => one.labels?.[key] === value));
    return Number(found?.value);
  };
  expect(valueOf('alerts_total', { camera: 'left', region: 'all' })).toBe(1);
  expect(valueOf('lamp', { camera: 'left', region: 'all', lamp: 'alarm' })).toBe(1);
  expect(valueOf('lamp', { camera: '', lamp: 'ok' })).toBe(0);
  expect(valueOf('ready')).toBe(1);
  expect(valueOf('last_verdict_age_seconds', { camera: 'left' })).toBeGreaterThan(0);
  expect(families.find(({ name }) => name === 'beltnet_verdict_seconds')?.type).toBe('HISTOGRAM');
});

test('what happens is streamed, the past first, and an acknowledgement reaches everybody', async () => {
  const end = new AbortController();
  const answer = await fetch(`${served.url}/events`, { headers: bearer, signal: end.signal });
  let text = '';
  const reading = (async () => {
    for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) text += piece;
  })().catch(() => {});
  await until(() => text.includes('"kind":"alarm"'), 'the alarm of before');
  expect(text).toMatch(/^retry: 1000\n\nevent: view\ndata: \{"state":/);
  expect((await post('/acknowledge?camera=left&region=all&who=Kim')).status).toBe(200);
  await until(() => text.includes('"state":"acknowledged","reason":"acknowledged by Kim"'), 'the acknowledgement');
  end.abort();
  await reading;
  expect(line.state().cameras['left'].regions['all'].alarm.state).toBe('acknowledged');
});

describe('the wall screen', () => {
  const open = async (hash = `#token=${TOKEN}`): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    await page.goto(`${served.url}/${hash}`);
    return page;
  };
  const isShown = (page: Page, id: string): Promise<boolean> =>
    page.evaluate((name) => {
      const { visibility, opacity } = getComputedStyle(document.getElementById(name) as HTMLElement);
      return visibility === 'visible' && opacity === '1';
    }, id);

  test('shows the worst, its picture, and takes an acknowledgement with the token', async () => {
    await post('/pictures?camera=left', picture(3));
    const page = await open();
    await until(async () => (await page.textContent('#word')) === 'Alarm', 'the alarm');
    expect(page.url()).not.toContain(TOKEN); // it does not stay in the address
    expect(await isShown(page, 'lost')).toBe(false);
    await page.waitForSelector('.region img:not([hidden])');
    expect(await page.$eval('.region img', (image) => (image as HTMLImageElement).alt)).toBe(
      'The last picture of left',
    );
    expect((line.state() satisfies LineState).lamp).toBe('alarm');
    await page.close();
  });

  test('without the token it shows nothing of the line, and asks for it', async () => {
    const page = await open('');
    await until(() => isShown(page, 'lost'), 'its refusal');
    expect(await page.textContent('#reason')).toBe('The server wants a token.');
    expect(await page.isVisible('#enter-token')).toBe(true);
    await page.close();
  });

  test('a server that goes, or says nothing more, covers the screen, even where the script hangs', async () => {
    const page = await open();
    await until(async () => (await page.textContent('#word')) === 'Alarm', 'the alarm');
    // The style sheet alone, ten times as fast: no message puts it off any more, and no script sees that.
    await page.evaluate(() => ((globalThis as { fetch: unknown }).fetch = () => new Promise(() => {})));
    const session = await page.context().newCDPSession(page);
    await session.send('Animation.enable');
    await session.send('Animation.setPlaybackRate', { playbackRate: 10 });
    await session.send('Network.emulateNetworkConditions', {
      offline: true,
      latency: 0,
      downloadThroughput: 0,
      uploadThroughput: 0,
    });
    await until(() => isShown(page, 'lost'), 'the cover');
    await page.close();
    const other = await open();
    await until(async () => (await other.textContent('#word')) === 'Alarm', 'the alarm');
    await served.close();
    await until(() => isShown(other, 'lost'), 'the end of the server');
    expect(await other.title()).toBe('CONNECTION LOST');
    await other.close();
  });
});

/**
 * The page's engine in Chromium, without screens: it computes what the command line computes, loses nothing, and asks nobody. One
 * browser, one page after the other, each with a store of its own; what they train is tiny.
 */
import { createServer, type Server } from 'node:http';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, openClassifier, readPredictions, weightsHash, type ModelCard, type PredictionRow } from 'beltnet';
import { findChromium } from '../../scripts/machine.mjs';
import type {
  Compared,
  Engine,
  EngineEvents,
  TrainingOptions,
  TrainingStatus,
} from '../../web/page/engine/protocol.js';
import { beltnet } from '../cli/run-beltnet.js';

declare const openEngine: () => Promise<Engine>;

/** What a page under test keeps between calls. */
interface Opened {
  engine: Engine;
  readonly events: [string, unknown][];
}
declare const opened: Opened;

const root = mkdtempSync(join(tmpdir(), 'beltnet-page-'));
const built = join(root, 'built');
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
/** Whether the server isolates its pages, which gives them shared memory. */
let isIsolated = true;
let server: Server;
let browser: Browser;
let context: BrowserContext;
const requests: string[] = [];
const errors: string[] = [];

const address = (): string => `http://localhost:${(server.address() as AddressInfo).port}/`;

beforeAll(async () => {
  await build({
    configFile: join(import.meta.dirname, '../../web/page/vite.config.js'),
    root: join(import.meta.dirname, 'engine'),
    publicDir: false,
    build: { outDir: built },
  });
  server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', address()).pathname;
    try {
      const bytes = readFileSync(join(built, path === '/' ? 'index.html' : path));
      response.writeHead(200, {
        'content-type': types[extname(path) || '.html'] ?? 'application/octet-stream',
        ...(isIsolated && {
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-embedder-policy': 'require-corp',
        }),
      });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0);
  browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
});

afterAll(async () => {
  await browser?.close();
  server?.close();
  rmSync(root, { recursive: true, force: true });
});

/** What the pages complained of, and requests to anybody but their server, since it was last asked. */
const complaints = (): string[] => [
  ...errors.splice(0),
  ...requests.splice(0).filter((url) => !url.startsWith(address()) && !/^(blob|data):/.test(url)),
];

/**
 * @param spoil what is put before the worker's script: a browser that lacks something
 * @param quota bytes that the browser gives
 */
async function newPage(spoil = '', quota: number | null = null): Promise<Page> {
  context = await browser.newContext();
  const page = await context.newPage();
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  if (spoil !== '')
    await page.route(/\/worker-[^/]*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${spoil};\n${await response.text()}` });
    });
  if (quota !== null)
    await (
      await context.newCDPSession(page)
    ).send('Storage.overrideQuotaForOrigin', {
      ...{ origin: address().slice(0, -1), quotaSize: quota },
    });
  await openPage(page);
  return page;
}

async function openPage(page: Page): Promise<void> {
  await page.goto(address());
  await page.waitForFunction(() => typeof openEngine === 'function');
  await page.evaluate(async () => {
    const now: Opened = { engine: await openEngine(), events: [] };
    for (const name of ['training', 'epoch', 'trouble', 'storage'] as (keyof EngineEvents)[])
      now.engine.on(name, (event) => now.events.push([name, event]));
    Object.assign(globalThis, { opened: now });
  });
}

/** Trains to the end. */
const train = (page: Page, options: TrainingOptions): Promise<TrainingStatus> =>
  page.evaluate(async (given) => {
    const { engine } = opened;
    const ended = new Promise<void>((resolve) => {
      const off = engine.on('training', ({ phase }) => {
        if (!['finished', 'failed', 'stopped', 'paused'].includes(phase)) return;
        off();
        resolve();
      });
    });
    await engine.training.start(given);
    await ended;
    return engine.training.status();
  }, options);

/** A blob of the page's, in base64 on its way. */
async function bytesOf(
  page: Page,
  room: 'files' | 'projects',
  method: string,
  ...given: unknown[]
): Promise<Uint8Array> {
  const base64 = await page.evaluate(
    async ([where, what, ...rest]) => {
      const methods = opened.engine[where as 'files'] as unknown as Record<
        string,
        (...all: unknown[]) => Promise<{ blob: Blob }>
      >;
      const { blob } = await methods[what as string](...rest);
      const bytes = new Uint8Array(await blob.arrayBuffer());
      let binary = '';
      for (let at = 0; at < bytes.length; at += 0x8000)
        binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
      return btoa(binary);
    },
    [room, method, ...given],
  );
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

function unpack(zip: Uint8Array, folder: string): string {
  for (const [name, bytes] of Object.entries(unzipSync(zip))) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return folder;
}

const OPTIONS: TrainingOptions = {
  ...{ network: 'mission', size: { width: 32, height: 32 }, epochs: 2, batchSize: 8, reproducible: true, seed: 3 },
  augmentation: { horizontalFlip: true, zoom: 0.1, rotation: 5 },
};

const text = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));

const compare = (page: Page, table: string, pictures?: string): Promise<Compared> =>
  page.evaluate(
    ([csv, jsonl]) => opened.engine.proof.compare(new Blob([csv]), jsonl === undefined ? undefined : new Blob([jsonl])),
    [table, pictures].map((path) => (path === undefined ? undefined : readFileSync(path, 'utf8'))) as [
      string,
      string | undefined,
    ],
  );

describe('the page and the command line compute the same, both ways', () => {
  let page: Page;
  let here: string;
  let there: string;
  let hash: string;
  let own: readonly PredictionRow[];
  let judging: readonly PredictionRow[];
  let threshold: { threshold: number; reason: string | null };
  afterAll(() => context.close());

  test('the page trains, and decides on a threshold', async () => {
    page = await newPage();
    const device = await page.evaluate(() => opened.engine.machine.device());
    expect(device).toMatchObject({ kind: 'cpu', crossOriginIsolated: true });
    await page.evaluate(() => opened.engine.projects.createExample({ pictures: 56, seed: 5 }));
    const status = await train(page, OPTIONS);
    expect(status).toMatchObject({ phase: 'finished', run: 'run-1', epoch: 2 });
    const { alert } = await page.evaluate(() => opened.engine.trial.decide({ costMiss: 50, costFalse: 1 }));
    expect(alert.reason).toMatch(/50/);
    expect(alert.threshold).not.toBe(0.5);
    threshold = { threshold: alert.threshold, reason: alert.reason };
  });

  test('the saved project, trained by the line that the page says: the same bits', async () => {
    here = unpack(await bytesOf(page, 'projects', 'saveFile', 1), join(root, 'saved'));
    const { command } = await page.evaluate(() => opened.engine.training.status());
    const [, ...line] = (command ?? '').split(' ');
    expect(await beltnet([...line, '--name', 'there', '--no-cache'], { cwd: here })).toMatchObject({ code: 0 });
    there = join(here, 'runs/there');
    hash = await page.evaluate(() => opened.engine.proof.weightsHash());
    expect(hash).toBe(await weightsHash((await loadModel(join(there, 'best.safetensors'))).model));
    own = (await readPredictions(join(here, 'runs/run-1'))) ?? [];
    judging = own.filter(({ split }) => split === 'test');
    expect(judging.length).toBeGreaterThan(10);
    const theirs = await readPredictions(there);
    const told = ({ file, split, probabilities }: PredictionRow) => [file, split, probabilities];
    expect(own.map(told)).toEqual(theirs?.map(told));
    expect(text(join(here, 'runs/run-1/events.jsonl'))).toEqual(text(join(there, 'events.jsonl')));
  });

  test("the page's run is one as the command line leaves it: its record holds, and what is changed since is found out", async () => {
    const verified = await beltnet(['verify', 'runs/run-1', '--no-cache', '--json'], { cwd: here });
    expect(verified).toMatchObject({ code: 0 });
    const checked = JSON.parse(verified.stdout) as { checked: { what: string }[]; head: { count: number } };
    expect(checked.checked.map(({ what }) => what)).toEqual(['record', 'files', 'pictures', 'predictions', 'figures']);
    expect(checked.head.count).toBe(2); // the training, and the threshold that was decided on in the page
    const [own1, there1] = ['run-1', 'there'].map(
      (name) => JSON.parse(readFileSync(join(here, 'runs', name, 'card.json'), 'utf8')) as ModelCard,
    );
    expect(own1).toMatchObject({
      ...{ figures: there1.figures, data: there1.data, choices: there1.choices, warnings: there1.warnings },
      ...{ model: there1.model, software: { kernels: there1.software.kernels }, alert: threshold },
    });
    const table = join(here, 'runs/run-1/predictions.csv');
    const before = readFileSync(table, 'utf8');
    writeFileSync(table, before.replace('gap', 'ok'));
    expect(await beltnet(['verify', 'runs/run-1', '--record-only'], { cwd: here })).toMatchObject({ code: 12 });
    writeFileSync(table, before);
  });

  test('the same proof in the page: picture by picture, pixel by pixel, and trained once more', async () => {
    const compared = await compare(page, join(there, 'predictions.csv'), join(there, 'pictures.jsonl'));
    expect(compared).toMatchObject({ passed: true, onlyHere: [], onlyThere: [] });
    expect(compared.worstDifference).toBeLessThan(1e-6); // the page's own device has fused multiply-add
    expect(compared.pictures).toHaveLength(56);
    for (const { pixelsHere, pixelsThere } of compared.pictures) expect(pixelsThere).toBe(pixelsHere);
    const spoiled = join(root, 'spoiled.csv');
    writeFileSync(
      spoiled,
      readFileSync(join(there, 'predictions.csv'), 'utf8').replace(/(,0\.\d+,0\.\d+)\n/, ',0.25,0.75\n'),
    );
    expect(await compare(page, spoiled)).toMatchObject({ passed: false });
    const predicted = join(root, 'predicted.csv');
    const files = judging.map(({ file }) => file);
    writeFileSync(predicted, (await beltnet(['predict', 'runs/there', ...files, '--csv'], { cwd: here })).stdout);
    const told = await compare(page, predicted);
    expect(told).toMatchObject({ passed: true, onlyThere: [] });
    expect(told.pictures).toHaveLength(files.length);
    for (const { pixelsHere, pixelsThere } of told.pictures) expect(pixelsThere).toBe(pixelsHere);
    const again = await page.evaluate(() => opened.engine.proof.trainAgain());
    expect(again).toMatchObject({ weightsHash: hash, equal: true });
  });

  test("the page's model decides the same in Node", async () => {
    for (const format of ['safetensors', 'onnx', 'keras', 'torch-safetensors'])
      writeFileSync(join(root, `page.${format}`), await bytesOf(page, 'files', 'exportModel', format));
    const classifier = await openClassifier(readFileSync(join(root, 'page.safetensors')), { device: 'cpu' });
    const verdicts = await classifier.classify(judging.map(({ file }) => readFileSync(join(here, file))));
    await classifier.destroy();
    for (const [n, verdict] of verdicts.entries())
      expect(
        Math.abs(('error' in verdict ? NaN : verdict.probabilities['gap']) - judging[n].probabilities['gap']),
      ).toBeLessThan(1e-4);
  });

  test("the command line's run in the page, and what it says of itself", async () => {
    const files = [
      'config.json',
      'best.safetensors',
      'events.jsonl',
      'predictions.csv',
      'pictures.jsonl',
      'audit.json',
    ];
    const zip = zipSync(Object.fromEntries(files.map((name) => [`there/${name}`, readFileSync(join(there, name))])));
    const state = await page.evaluate(
      (base64) => opened.engine.files.importRun(new Blob([Uint8Array.from(atob(base64), (one) => one.charCodeAt(0))])),
      Buffer.from(zip).toString('base64'),
    );
    expect(state).toMatchObject({
      run: 'there',
      runs: [{ name: 'run-1' }, { name: 'there', imported: true, epochs: 2 }],
    });
    expect(await compare(page, join(there, 'predictions.csv'))).toMatchObject({ passed: true });
    const evaluated = await page.evaluate(() => opened.engine.trial.evaluation());
    expect(evaluated.use).toBe('test');
    expect(evaluated.confusion.flat().reduce((sum, one) => sum + one)).toBe(judging.length);
    expect(evaluated.pictures.every(({ id }) => id !== null)).toBe(true);
    const report = Buffer.from(await bytesOf(page, 'files', 'report')).toString('utf8');
    expect(report).toMatch(/^<!doctype html>/i);
    expect(report).toContain('"name":"there"');
    expect(report.match(/data:image\/jpeg/g)?.length).toBeGreaterThan(judging.length / 2);
    expect(complaints()).toEqual([]);
  });
});

describe('pages of their own', () => {
  afterEach(async () => {
    await context.close();
    isIsolated = true;
  });

  test('a reload in the midst of a training loses nothing, and it ends with the same bits', async () => {
    const options: TrainingOptions = { ...OPTIONS, size: { width: 16, height: 16 }, epochs: 20 };
    const page = await newPage();
    await page.evaluate(() => opened.engine.projects.createExample({ pictures: 32, seed: 6 }));
    await train(page, { ...options, name: 'whole' });
    const whole = await page.evaluate(() => opened.engine.proof.weightsHash());
    // Another is reloaded after its first epoch.
    await page.evaluate(async (given) => {
      const { engine } = opened;
      const first = new Promise<void>((resolve) => engine.on('epoch', ({ record }) => record.epoch === 1 && resolve()));
      await engine.training.start({ ...given, name: 'parted' });
      await first;
      await engine.training.pause();
    }, options);
    await openPage(page);
    const left = await page.evaluate(() => opened.engine.projects.open(1));
    expect(left).toMatchObject({ run: 'parted', training: { phase: 'paused' } });
    expect(left.classes.map(({ pictures }) => pictures)).toEqual([16, 16]);
    const done = await page.evaluate(async () => {
      const { engine } = opened;
      const ended = new Promise<void>((resolve) =>
        engine.on('training', ({ phase }) => phase === 'finished' && resolve()),
      );
      await engine.training.resume();
      await ended;
      return {
        status: await engine.training.status(),
        hash: await engine.proof.weightsHash(),
        epochs: await engine.training.epochs(),
      };
    });
    expect(done.status).toMatchObject({ phase: 'finished', epoch: options.epochs });
    expect(done.epochs.map(({ record }) => record.epoch)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(done.hash).toBe(whole);

    // A worker that is killed without a word: the training is there, and goes on from its last checkpoint.
    await page.evaluate(async (given) => {
      const { engine } = opened;
      const second = new Promise<void>((resolve) =>
        engine.on('epoch', ({ record }) => record.epoch === 2 && resolve()),
      );
      await engine.training.start({ ...given, name: 'killed' });
      await second;
      engine.close();
    }, options);
    await openPage(page);
    await page.evaluate(() => opened.engine.projects.open(1));
    const killed = await page.evaluate(async () => {
      const { engine } = opened;
      const ended = new Promise<void>((resolve) =>
        engine.on('training', ({ phase }) => phase === 'finished' && resolve()),
      );
      await engine.training.resume();
      await ended;
      return engine.proof.weightsHash();
    });
    expect(killed).toBe(whole);

    // The project as a file, under a new number, with the same pictures and runs
    const copied = await page.evaluate(async () => {
      const { engine } = opened;
      const before = await engine.pictures.list();
      const { blob } = await engine.projects.saveFile(1);
      const state = await engine.projects.openFile(blob);
      return { before, after: await engine.pictures.list(), state, hash: await engine.proof.weightsHash() };
    });
    const told = ({ file, part, partIsGiven, bytes }: (typeof copied.before)[number]) => [
      file,
      part,
      partIsGiven,
      bytes,
    ];
    expect(copied.state.id).not.toBe(1);
    expect(copied.state.runs.map(({ name }) => name)).toEqual(['killed', 'parted', 'whole']);
    expect(copied.after.map(told)).toEqual(copied.before.map(told));
    expect(copied.hash).toBe(whole);
    expect(complaints()).toEqual([]);
  });

  test('pictures: what cannot be used is refused by name, and nothing else is lost', async () => {
    const page = await newPage();
    const result = await page.evaluate(async () => {
      const { engine } = opened;
      await engine.projects.createExample({ pictures: 8 });
      const [first, second] = await engine.pictures.list();
      const { blob } = await engine.pictures.file(first.id);
      const added = await engine.pictures.add([
        { file: blob, path: 'more/gap/copy.jpg' },
        { file: new Blob(['no picture']), path: 'more/ok/broken.jpg' },
        { file: blob.slice(0, 500), path: 'more/ok/torn.jpg' },
        { file: blob, path: 'more/ok/.DS_Store' },
      ]);
      const frame = await engine.pictures.addFrame(new ImageData(40, 30), 'dark');
      const audited = await engine.pictures.audit();
      const listed = await engine.pictures.list();
      await engine.pictures.move([second.id], 'dark');
      await engine.pictures.remove([first.id]);
      const without = (await engine.pictures.list()).length;
      const back = await engine.pictures.restore();
      const thumbnails = await engine.pictures.thumbnails([first.id, second.id, 9999]);
      return {
        ...{ added, frame, audited: audited.findings.map(({ kind }) => kind), without, back },
        badges: listed.flatMap(({ file, badges }) =>
          badges.length > 0 ? [`${file} ${badges.map(({ kind }) => kind).join()}`] : [],
        ),
        classes: (await engine.projects.current())?.classes,
        thumbnails: thumbnails.map((one) => one && [one.width, one.height]),
      };
    });
    expect(result.added.ids).toHaveLength(1);
    expect(result.added.refused.map(({ path }) => path)).toEqual(['more/ok/broken.jpg', 'more/ok/torn.jpg']);
    expect(result.added.refused[0].reason).toMatch(/expects a JPEG, PNG or BMP picture/);
    expect(result.frame.ids).toHaveLength(1);
    expect(result.audited).toEqual(expect.arrayContaining(['leak', 'blank']));
    expect(result.badges).toEqual(expect.arrayContaining([expect.stringMatching(/copy\.jpg .*leak/)]));
    expect([result.without, result.back]).toEqual([9, 1]);
    expect(result.classes).toEqual([
      { name: 'dark', pictures: 2 },
      { name: 'gap', pictures: 5 },
      { name: 'ok', pictures: 3 },
    ]);
    expect(result.thumbnails).toEqual([[128, 96], [128, 96], null]);
    expect(complaints()).toEqual([]);
  });

  test('no room, no storage, no shared memory: it is said, and nothing is lost silently', async () => {
    const page = await newPage('', 60_000);
    await page.evaluate(() => opened.engine.projects.create('Full'));
    const full = await page.evaluate(async () => {
      const { engine, events } = opened;
      const noise = new Uint8ClampedArray(64 * 64 * 4).map((_, n) => (n * 7919) % 251);
      const added: { ids: readonly number[]; refused: readonly { reason: string }[] }[] = [];
      for (let n = 0; n < 30; n++) {
        noise[n] = 255 - noise[n];
        added.push(await engine.pictures.addFrame(new ImageData(noise, 64, 64), 'ok'));
      }
      const ids = added.flatMap((one) => one.ids);
      return {
        ...{ added, kept: (await engine.pictures.list()).map(({ id }) => id), ids },
        ...{ storage: await engine.machine.storage(), troubles: events.filter(([name]) => name === 'trouble') },
      };
    });
    expect(full.added.filter(({ refused }) => refused.length > 0).length).toBeGreaterThan(0);
    expect(full.added.find(({ refused }) => refused.length > 0)?.refused[0].reason).toMatch(/gives no more room/);
    expect(full.kept).toEqual(full.ids);
    expect(full.storage.warning).toMatch(/no more room/);
    expect(full.troubles.length).toBeGreaterThan(0);
    await context.close();

    isIsolated = false;
    const hidden = await newPage("Object.defineProperty(self, 'indexedDB', { value: undefined })");
    const alone = await hidden.evaluate(async () => {
      const { engine } = opened;
      const { id } = await engine.projects.createExample({ pictures: 8 });
      const { blob } = await engine.projects.saveFile(id);
      return { storage: await engine.machine.storage(), device: await engine.machine.device(), size: blob.size };
    });
    expect(alone.storage).toMatchObject({
      kind: 'memory',
      warning: expect.stringMatching(/Save the project as a file/) as string,
    });
    expect(alone.device).toMatchObject({ threads: 1, crossOriginIsolated: false });
    expect(alone.device.reason).toMatch(/on one thread/);
    expect(alone.size).toBeGreaterThan(20_000);
    expect(complaints()).toEqual([]);
  });
});

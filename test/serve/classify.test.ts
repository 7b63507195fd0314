/** A model over HTTP: asked by curl, attacked with what is no picture, and replaced while it answers. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DataFlow,
  ReferenceDevice,
  changeModelFile,
  decodeModel,
  openClassifier,
  readTlsFiles,
  readTokenFile,
  serveModel,
  withVerdicts,
  type ModelInfo,
  type ServedClassifier,
  type Verdict,
} from 'beltnet';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { bytesOf, info, SIDE, tinyModel } from '../classifier/tiny-model.js';
import { pngChunk } from '../data/make-pictures.js';
import { noteDevice } from '../support/devices.js';
import { makeCertificate } from './certificate.js';

/** BELTNET_MUTATIONS=1000 asks for more. */
const BODIES = Number(process.env['BELTNET_MUTATIONS'] ?? 120);

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'beltnet-classify-'));
const file = join(folder, 'model.safetensors');
let served: ServedClassifier;

/** A file with the verdicts that a plain device gives, computed without the server. */
async function modelWithVerdicts(seed: number): Promise<Uint8Array> {
  const model = tinyModel(1, seed);
  const path = join(folder, `${seed}.safetensors`);
  writeFileSync(path, await bytesOf(model));
  const pictures = Uint8Array.from({ length: 4 * SIDE * SIDE * 3 }, (_, at) => (at * (at % 97)) % 256);
  const { rescale, normalization = {} } = info.preprocessing;
  const fresh = decodeModel(readFileSync(path), 'model').model;
  fresh.compile({ device: new ReferenceDevice() });
  const set = { name: 'stored', pictures, pictureShape: [SIDE, SIDE, 3] as const };
  const scores = await fresh.predict(new DataFlow(set, { shuffle: false, rescale, normalization }));
  const probabilities = Float32Array.from([...scores].flatMap((p) => [1 - p, p]));
  await changeModelFile(path, path, (given) => withVerdicts(given, { pictures, probabilities }, SIDE, SIDE));
  return readFileSync(path);
}

const jpeg = (level: number): Uint8Array => {
  const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, at) => (level + at * 7) % 256);
  return encodeJpeg({ width: 40, height: 30, data }, 90);
};

const classify = (body: Uint8Array, init: RequestInit = {}): Promise<Response> =>
  fetch(`${served.url}/classify`, { method: 'POST', body: body as BodyInit, ...init });

const post = (path: string): Promise<Response> =>
  fetch(`${served.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${served.token}` } });

beforeAll(async () => {
  noteDevice('cpu');
  writeFileSync(file, await modelWithVerdicts(3));
  served = await serveModel(file, {
    mostTime: 2000,
    model: { device: 'cpu', threads: 1, pictures: { mostTime: 1500 } },
  });
});
afterAll(async () => {
  await served.close();
  rmSync(folder, { recursive: true });
});

test('curl gets the verdict that the library gives', async () => {
  const picture = join(folder, 'picture.jpg');
  writeFileSync(picture, jpeg(60));
  const { stdout } = await run('curl', ['-sS', '--data-binary', `@${picture}`, `${served.url}/classify`]);
  const classifier = await openClassifier(readFileSync(file), { device: 'cpu', threads: 1 });
  const expected = await classifier.classify(jpeg(60));
  await classifier.destroy();
  expect(JSON.parse(stdout)).toEqual({ ...expected, model: served.model.facts.name });
});

test('requests at the same time each get their own', async () => {
  const levels = Array.from({ length: 24 }, (_, n) => n * 10);
  const got = await Promise.all(levels.map(async (level) => (await classify(jpeg(level))).json() as Promise<Verdict>));
  const classifier = await openClassifier(readFileSync(file), { device: 'cpu', threads: 1 });
  for (const [n, level] of levels.entries())
    expect(got[n].probability).toBeCloseTo((await classifier.classify(jpeg(level))).probability, 5);
  await classifier.destroy();
  expect(new Set(got.map(({ probability }) => probability)).size).toBeGreaterThan(12);
});

test('the document describes every route, and nothing else', async () => {
  const document = (await (await fetch(`${served.url}/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      const { status } = await fetch(`${served.url}${path}`, { method: method.toUpperCase() });
      expect(Object.keys(responses), `${method} ${path}`).toContain(String(status));
    }
  }
  expect(Object.keys(document.paths).toSorted()).toEqual(
    ['/classify', '/health', '/model', '/model/reload', '/model/rollback', '/openapi.json', '/ready'].toSorted(),
  );
});

describe('what is no picture', () => {
  test(`${BODIES} mutated bodies: each a verdict or a reason, and the server goes on`, async () => {
    const random = new Random(7, RandomStream.synthetic);
    const sound = [jpeg(60), jpeg(200)];
    const counts: Record<number, number> = {};
    for (let n = 0; n < BODIES; n += 20) {
      const some = Array.from({ length: 20 }, async () => {
        const bytes = sound[random.integer(2)].slice(0, random.integer(3) === 0 ? random.integer(900) : undefined);
        for (let k = random.integer(8); k >= 0 && bytes.length > 0; k--)
          bytes[random.integer(bytes.length)] = random.integer(256);
        const answer = await classify(bytes);
        counts[answer.status] = (counts[answer.status] ?? 0) + 1;
        const text = await answer.text();
        expect(text).toMatch(answer.status === 200 ? /^\{"class":.*"alert":/ : /^picture: .+\n$/);
      });
      await Promise.all(some);
    }
    expect(Object.keys(counts).toSorted()).toEqual(['200', '422']);
    expect(counts[422]).toBeGreaterThan(BODIES / 10);
    expect((await classify(jpeg(60))).status).toBe(200);
  });

  test('a picture that would unpack to gigabytes is refused before it does', async () => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(30_000, 0);
    header.writeUInt32BE(30_000, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
    const bomb = Buffer.concat([
      signature,
      pngChunk('IHDR', header),
      pngChunk('IDAT', Buffer.alloc(1000)),
      pngChunk('IEND', Buffer.alloc(0)),
    ]);
    const answer = await classify(bomb);
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringMatching(/at most 24 megapixels/)]);
  });

  test('an empty body, and one that is too large', async () => {
    expect((await classify(new Uint8Array())).status).toBe(422);
    expect((await classify(new Uint8Array(2 ** 24 + 1))).status).toBe(413);
  });
});

test('while connections dribble, others get their verdicts (Slowloris)', async () => {
  const { hostname, port } = new URL(served.url);
  const sockets = Array.from({ length: 90 }, () => connect(Number(port), hostname));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write(`POST /classify HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 1000\r\n\r\nx`);
  }
  const dribble = setInterval(() => sockets.forEach((socket) => socket.write('x')), 200);
  try {
    for (let n = 0; n < 5; n++)
      expect((await classify(jpeg(60), { headers: { connection: 'close' } })).status).toBe(200);
  } finally {
    clearInterval(dribble);
    for (const socket of sockets) socket.destroy();
  }
});

test('who asks too often is told to wait', async () => {
  const greedy = await serveModel(file, { mostRequests: 5, model: { device: 'cpu', threads: 1 } });
  const answers = await Promise.all(Array.from({ length: 30 }, () => fetch(`${greedy.url}/health`)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(10);
  expect(refused[0].headers.get('retry-after')).toBe('1');
  await greedy.close();
});

describe('beyond this machine', () => {
  test('it listens only with a token and TLS', async () => {
    const token = 'a-token-that-nobody-guesses';
    await expect(serveModel(file, { host: '0.0.0.0', model: { device: 'cpu' } })).rejects.toThrow(/got neither/);
    await expect(serveModel(file, { host: '0.0.0.0', token, model: { device: 'cpu' } })).rejects.toThrow(/got no tls/);
    await expect(serveModel(file, { token: 'short', model: { device: 'cpu' } })).rejects.toThrow(/16 or more/);
  });

  test('curl with the certificate and the token gets an answer; without, or by http, nobody does', async () => {
    const { certificate, key } = makeCertificate(folder);
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'a-token-that-nobody-guesses\n', { mode: 0o644 });
    expect(() => readTokenFile(tokenFile)).toThrow(/only you can read/);
    chmodSync(tokenFile, 0o600);
    const token = readTokenFile(tokenFile);
    const secure = await serveModel(file, {
      ...{ host: '0.0.0.0', token, tls: readTlsFiles(certificate, key) },
      model: { device: 'cpu', threads: 1 },
    });
    const { port } = new URL(secure.url);
    const at = `https://127.0.0.1:${port}`;
    const curl = async (...args: string[]): Promise<string> => {
      const { stdout } = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', ...args]).catch(
        (error: { code: number }) => ({ stdout: `curl ${error.code}` }),
      );
      return stdout;
    };
    const picture = ['--data-binary', `@${join(folder, 'picture.jpg')}`];
    expect(
      await curl('--cacert', certificate, '-H', `Authorization: Bearer ${token}`, ...picture, `${at}/classify`),
    ).toBe('200');
    expect(await curl('--cacert', certificate, ...picture, `${at}/classify`)).toBe('401');
    expect(await curl('--cacert', certificate, `${at}/model`)).toBe('401');
    expect(await curl('--cacert', certificate, `${at}/health`)).toBe('200');
    expect(await curl(`${at}/health`)).toBe('curl 60'); // nobody vouches for it
    expect(await curl(`http://127.0.0.1:${port}/health`)).toMatch(/^(400|000|curl 52|curl 56)/);
    await secure.close();
  });
});

describe('another model', () => {
  test('goes live when it gives its stored verdicts again, without a missed picture, and can be taken back', async () => {
    const before = served.model.facts.name;
    const next = join(folder, 'next');
    writeFileSync(next, await modelWithVerdicts(4));
    const asking = new AbortController();
    const answers: { status: number; model?: string }[] = [];
    const askers = Array.from({ length: 4 }, async () => {
      while (!asking.signal.aborted) {
        const answer = await classify(jpeg(60));
        answers.push({ status: answer.status, ...(answer.ok && ((await answer.json()) as { model: string })) });
      }
    });
    renameSync(next, file);
    expect((await post('/model/reload')).status).toBe(200);
    const after = served.model.facts.name;
    expect(after).not.toBe(before);
    await classify(jpeg(60));
    expect((await post(`/model/rollback?name=${before}`)).status).toBe(200);
    await classify(jpeg(60));
    asking.abort();
    await Promise.all(askers);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ model }) => model))).toEqual(new Set([before, after]));
    expect(served.model.facts.name).toBe(before);
    expect((await post('/model/rollback?name=other')).status).toBe(422);
  });

  test.each([
    ['cut off', async () => (await modelWithVerdicts(5)).slice(0, 900), /expects .* bytes of safetensors header/],
    ['rubbish', () => Promise.resolve(new Uint8Array(5000).fill(66)), /expects/],
    ['empty', () => Promise.resolve(new Uint8Array()), /only 0 bytes/],
    ['without stored verdicts', () => bytesOf(tinyModel(1, 6)), /expects stored verdicts/],
    [
      'that says something else than where it was made',
      async () => {
        const path = join(folder, 'liar.safetensors');
        writeFileSync(path, await modelWithVerdicts(7));
        const spoil = (given: ModelInfo): ModelInfo => {
          const { pictures, probabilities } = given.sections?.['verdicts']?.tensors ?? {};
          const wrong = (probabilities.data as Float32Array).map((p, at) => (at === 0 ? p - 0.001 : p));
          return withVerdicts(given, { pictures: pictures.data as Uint8Array, probabilities: wrong }, SIDE, SIDE);
        };
        await changeModelFile(path, path, spoil);
        return readFileSync(path);
      },
      /stored verdicts within 0.0001, got a probability that differs by 0.00100/,
    ],
    [
      'of other classes',
      () =>
        bytesOf(tinyModel(1, 8), { ...info, classNames: ['cat', 'dog'], alert: { className: 'cat', threshold: 0.5 } }),
      /expects the classes gap, ok/,
    ],
  ])('a file that is %s is refused, loudly, and the old one goes on', async (_, make, reason) => {
    const { name } = served.model.facts;
    writeFileSync(file, await make());
    const answer = await post('/model/reload');
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringMatching(reason)]);
    expect(served.model.refused?.reason).toMatch(reason);
    const verdict = await classify(jpeg(60));
    expect([verdict.status, ((await verdict.json()) as { model: string }).model]).toEqual([200, name]);
  });
});

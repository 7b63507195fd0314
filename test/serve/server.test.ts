/** The server under attack: every refusal on the wire, as an attacker's page or program would ask. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from 'beltnet';
import { serve, type Served } from '../../src/serve/server.node.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-serve-'));
let server: Served;
let changed = 0;

beforeAll(async () => {
  mkdirSync(join(folder, 'root', 'sub'), { recursive: true });
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'root', 'page.html'), 'page');
  writeFileSync(join(folder, 'root', 'sub', 'a b.png'), 'png');
  writeFileSync(join(folder, 'root', '.secret.json'), 'secret');
  writeFileSync(join(folder, 'root', 'key.pem'), 'secret');
  writeFileSync(join(folder, 'secret.json'), 'secret');
  writeFileSync(join(folder, 'other', 'secret.json'), 'secret');
  symlinkSync(join(folder, 'secret.json'), join(folder, 'root', 'link.json'));
  symlinkSync(join(folder, 'other'), join(folder, 'root', 'linked'));
  server = await serve({
    roots: { '/files/': join(folder, 'root') },
    mostTime: 500,
    routes: [
      { method: 'GET', path: '/', answer: () => ({ type: 'text/html', body: '<p>page</p>' }) },
      { method: 'GET', path: '/slow', answer: () => new Promise(() => {}) },
      {
        method: 'GET',
        path: '/broken',
        answer: () => {
          throw new TypeError('inner secret');
        },
      },
      {
        method: 'GET',
        path: '/wrong',
        answer: () => {
          throw new UsageError('size: expects a number, got none');
        },
      },
      {
        method: 'POST',
        path: '/change',
        mostBytes: 1000,
        answer: ({ body }) => {
          changed++;
          return { type: 'text/plain', body: String(body.length) };
        },
      },
    ],
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Got {
  status: number;
  body: string;
  headers: Record<string, unknown>;
}

/** By node:http, which lets everything be forged; the path goes out as it is written. */
function ask(
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string | string[]>; body?: string } = {},
): Promise<Got> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Bytes as they are, and what comes back until the connection ends. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (piece: string) => (got += piece));
    socket.on('error', () => resolve(got)).on('close', () => resolve(got));
  });
}

const own = (): string => new URL(server.url).host;

test('answers, isolated from other pages, and kept nowhere', async () => {
  const { status, body, headers } = await ask('/');
  expect([status, body]).toEqual([200, '<p>page</p>']);
  expect(headers).toMatchObject({
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
  expect(headers['access-control-allow-origin']).toBeUndefined();
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/); // nobody else's machine can ask
  expect((await ask('/', { method: 'HEAD' })).body).toBe('');
});

describe('who may ask', () => {
  test.each(['evil.example', 'evil.example:80', 'localhost', '127.0.0.1.evil.example'])(
    'a name that leads here by DNS rebinding is refused: %j',
    async (host) => {
      expect((await ask('/', { headers: { host } })).status).toBe(421);
    },
  );
  test('and two names at once, or the right name with another port', async () => {
    const { port } = new URL(server.url);
    expect(await raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 4\d\d/);
    expect(await raw(`GET / HTTP/1.1\r\nHost: ${own()}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 4\d\d/,
    );
    expect((await ask('/', { headers: { host: `127.0.0.1:${Number(port) + 1}` } })).status).toBe(421);
    expect((await ask('/', { headers: { host: `LOCALHOST:${port}` } })).status).toBe(200);
  });
  test.each(['http://evil.example', 'null', 'https://127.0.0.1', 'file://'])('pages of %s may not', async (origin) => {
    expect((await ask('/', { headers: { origin } })).status).toBe(403);
    const headers = { origin, authorization: `Bearer ${server.token}` };
    expect((await ask('/change', { method: 'POST', headers })).status).toBe(403);
  });
  test('pages of its own may', async () => {
    expect((await ask('/', { headers: { origin: server.url } })).status).toBe(200);
  });
});

describe('what changes something', () => {
  test('needs the token, whole', async () => {
    const before = changed;
    for (const authorization of [
      '',
      'Bearer ',
      `Bearer ${server.token.slice(1)}`,
      server.token,
      `Bearer ${server.token}x`,
    ])
      expect((await ask('/change', { method: 'POST', headers: { authorization } })).status).toBe(401);
    expect(changed).toBe(before);
    const right = { authorization: `Bearer ${server.token}` };
    expect(await ask('/change', { method: 'POST', headers: right, body: 'abc' })).toMatchObject({
      status: 200,
      body: '3',
    });
    expect(changed).toBe(before + 1);
  });
  test('is not done by GET, nor by methods that nobody knows', async () => {
    for (const [method, status] of [
      ['GET', 405],
      ['PUT', 405],
      ['DELETE', 405],
      ['OPTIONS', 405],
    ] as const)
      expect((await ask('/change', { method })).status).toBe(status);
  });
  test('takes no body beyond its limit, said or not', async () => {
    const before = changed;
    const head = `POST /change HTTP/1.1\r\nHost: ${own()}\r\nAuthorization: Bearer ${server.token}\r\n`;
    expect(await raw(`${head}Content-Length: 1001\r\n\r\n`)).toMatch(/^HTTP\/1.1 413/);
    expect(await raw(`${head}Content-Length: 99999999999\r\n\r\nabc`)).toMatch(/^HTTP\/1.1 413/);
    const chunk = `200\r\n${'x'.repeat(512)}\r\n`;
    expect(await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}`)).toMatch(/^HTTP\/1.1 413/);
    expect(changed).toBe(before);
  });
});

describe('time', () => {
  test('a body that does not come is not waited for', async () => {
    const head = `POST /change HTTP/1.1\r\nHost: ${own()}\r\nAuthorization: Bearer ${server.token}\r\nContent-Length: 10\r\n\r\nabc`;
    expect(await raw(head)).toMatch(/^HTTP\/1.1 408/);
  });
  test('nor headers', async () => {
    expect(await raw('GET / HTTP/1.1\r\nHost: ')).toMatch(/^HTTP\/1.1 408|^$/);
  });
  test('an answer that takes too long is none, and others are answered meanwhile', async () => {
    const slow = ask('/slow');
    expect((await ask('/')).status).toBe(200);
    expect((await slow).status).toBe(408);
  });
  test('what is no HTTP, or has endless headers, is refused', async () => {
    expect(await raw('\x16\x03\x01\x02\x00\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
    expect(await raw(`GET / HTTP/1.1\r\nHost: ${own()}\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 4/);
  });
});

describe('files', () => {
  test('of the root are there', async () => {
    expect(await ask('/files/page.html')).toMatchObject({ status: 200, body: 'page' });
    expect(await ask('/files/sub/a%20b.png')).toMatchObject({ status: 200, body: 'png' });
  });
  test.each([
    ...[
      '../secret.json',
      '..%2fsecret.json',
      '%2e%2e/secret.json',
      '%2e%2e%2fsecret.json',
      '..%5csecret.json',
      '..\\secret.json',
    ],
    ...[
      'sub/../../secret.json',
      'sub/%2e%2e/%2e%2e/secret.json',
      '%252e%252e%252fsecret.json',
      '//secret.json',
      '/etc/passwd',
    ],
    ...['.secret.json', 'sub/./a%20b.png', 'page.html%00.png', 'page.html/', 'page.html::$DATA', 'C:/secret.json'],
    ...['link.json', 'linked/secret.json', 'key.pem', 'sub', 'sub/', '', '.', '..'],
  ])('nothing leads out of it, and nothing is listed: %s', async (path) => {
    const { status, body } = await ask(`/files/${path}`);
    expect(status).toBe(404);
    expect(body).not.toContain('secret');
  });
  test('paths that are none', async () => {
    expect((await ask('/files/%ff')).status).toBe(400);
    expect(await raw(`GET http://evil.example/ HTTP/1.1\r\nHost: ${own()}\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 400/,
    );
  });
});

test('what goes wrong inside is not told; what the asker did wrong is', async () => {
  expect(await ask('/broken')).toMatchObject({ status: 500, body: 'a defect of beltnet\n' });
  expect(await ask('/wrong')).toMatchObject({ status: 422, body: 'size: expects a number, got none\n' });
});

test('a port that is taken is an error in words', async () => {
  const port = Number(new URL(server.url).port);
  await expect(serve({ routes: [], port })).rejects.toThrow(
    /serve: expects to listen on 127.0.0.1, port \d+, got EADDRINUSE/,
  );
});

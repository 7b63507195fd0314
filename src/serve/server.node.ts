/**
 * The one server of beltnet: for the live report, the page and the line. Who may ask, and what may be asked, is decided here and nowhere
 * else; docs/report.md says against what. Routes say what they answer, and roots which folders' files may be read.
 */
import { expectArray, expectText, expectWhole, objectWith, perhaps } from '../expect.js';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BeltnetError, UsageError } from '../errors.js';
import { Refused, type Answer } from './answers.js';
import { fileAnswer } from './static-files.node.js';

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  /** Empty for GET. */
  readonly body: Uint8Array;
}

export interface Route {
  /** POST is for what changes something: it needs the token. */
  readonly method: 'GET' | 'POST';
  /** Exactly. */
  readonly path: string;
  /** Bytes of a body. Default 1 MiB. */
  readonly mostBytes?: number;
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
}

export interface ServeOptions {
  readonly routes: readonly Route[];
  /** Folders whose files may be read, by the paths under which they are: `{ '/assets/': 'dist/page' }`. */
  readonly roots?: Readonly<Record<string, string>>;
  /** Default 127.0.0.1: nobody but this machine can ask. */
  readonly host?: string;
  /** Default: one that is free. */
  readonly port?: number;
  /** Names by which the server may be called, beside its address and localhost: `belt-3.factory`. */
  readonly names?: readonly string[];
  /** Whether Node may end while the server is open. Default false. */
  readonly isInBackground?: boolean;
  /** Milliseconds for a request to arrive, and for its answer. Default 10,000. */
  readonly mostTime?: number;
}

export interface Served {
  /** `http://127.0.0.1:49152` */
  readonly url: string;
  /** For requests that change something, in the header `authorization: Bearer …`. New for every server. */
  readonly token: string;
  /** Ends open connections, too. */
  close(): Promise<void>;
}

const MOST_BYTES = 2 ** 20;
const MOST_CONNECTIONS = 64;

/** Scripts, styles and pictures from here only; WebAssembly may be compiled, and workers may be made of blobs. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
  "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** On every answer, refusals included: isolated from other pages (which also gives shared memory), kept nowhere. */
const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/**
 * Starts a server.
 * @throws UsageError when it cannot listen there
 */
export async function serve(options: ServeOptions): Promise<Served> {
  objectWith({ routes: expectArray, host: perhaps(expectText) })(options, 'serve: options');
  const { host = '127.0.0.1', port = 0, mostTime = 10_000 } = options;
  expectWhole(port, 'serve: port', 0, 65_535);
  expectWhole(mostTime, 'serve: mostTime', 1, 2 ** 31 - 1);
  const token = randomBytes(24).toString('base64url');
  let allowed: ReadonlySet<string> = new Set();
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      requestTimeout: mostTime,
      headersTimeout: mostTime,
      connectionsCheckingInterval: Math.min(1000, mostTime),
    },
    (request, response) => {
      void respond(request, response, { ...options, mostTime, token, allowed });
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.keepAliveTimeout = 5000;
  if (options.isInBackground) {
    server.unref();
    server.on('connection', (socket) => socket.unref());
  }
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    const status = code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`serve: expects to listen on ${host}, port ${port}, got ${error.code}: ${error.message}`)),
    );
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  const written = host.includes(':') ? `[${host}]` : host;
  const names = [written, 'localhost', '127.0.0.1', '[::1]', ...(options.names ?? [])];
  allowed = new Set(names.flatMap((name) => [`${name}:${actual}`, ...(actual === 80 ? [name] : [])]));
  return {
    url: `http://${written}:${actual}`,
    token,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Context extends ServeOptions {
  readonly mostTime: number;
  readonly token: string;
  readonly allowed: ReadonlySet<string>;
}

async function respond(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  let answer: Answer;
  try {
    answer = await inTime(answerTo(request, context), context.mostTime);
  } catch (error) {
    answer = refusal(error);
    if (!request.complete) response.setHeader('connection', 'close'); // what is left of its body is not wanted
  }
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status ?? 200, {
    ...headers,
    'content-security-policy': answer.contentPolicy ?? CONTENT_POLICY,
    'content-type': answer.type,
    'content-length': body.length,
  });
  const socket = request.socket as Socket | null; // null where the asker has gone
  if (response.getHeader('connection') === 'close') response.once('finish', () => socket?.destroySoon());
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** What went wrong, as far as it is the asker's business. */
function refusal(error: unknown): Answer {
  const type = 'text/plain; charset=utf-8';
  if (error instanceof Refused) return { status: error.status, type, body: `${error.message}\n` };
  if (error instanceof BeltnetError) return { status: 422, type, body: `${error.message}\n` };
  return { status: 500, type, body: 'a defect of beltnet\n' };
}

async function answerTo(request: IncomingMessage, context: Context): Promise<Answer> {
  checkAsker(request, context.allowed);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== 'GET' && method !== 'POST') throw new Refused(405, `expects GET or POST, got ${request.method}`);
  const { path, query } = placeOf(request.url ?? '');
  const route = context.routes.find((each) => each.path === path && each.method === method);
  if (route) {
    if (method === 'POST') checkToken(request, context.token);
    const body = method === 'POST' ? await bodyOf(request, route.mostBytes ?? MOST_BYTES) : new Uint8Array();
    return route.answer({ method, path, query, body });
  }
  if (context.routes.some((each) => each.path === path)) throw new Refused(405, `${method} is not for this`);
  const root = Object.entries(context.roots ?? {}).find(([prefix]) => path.startsWith(prefix));
  if (!root || method !== 'GET') throw new Refused(404, 'there is nothing here');
  return fileAnswer(root[1], path.slice(root[0].length));
}

/**
 * A page of another name that leads to this address (DNS rebinding) calls by that name; a page of another origin (cross-site request
 * forgery) says its own.
 */
function checkAsker({ headers: given, rawHeaders }: IncomingMessage, allowed: ReadonlySet<string>): void {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
  if (hosts !== 1 || !allowed.has((given.host ?? '').toLowerCase()))
    throw new Refused(421, 'this server is not called by that name');
  const { origin } = given;
  const isOwn = origin === undefined || (origin.startsWith('http://') && allowed.has(origin.slice(7).toLowerCase()));
  if (!isOwn) throw new Refused(403, 'pages of other origins may not ask');
}

function checkToken({ headers: given }: IncomingMessage, token: string): void {
  const said = Buffer.from(given.authorization ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  if (said.length !== expected.length || !timingSafeEqual(said, expected))
    throw new Refused(401, 'expects the token that the server said at its start');
}

/** @throws Refused for what is no path */
function placeOf(target: string): { path: string; query: URLSearchParams } {
  const [raw, query = ''] = target.split('?', 2);
  if (!raw.startsWith('/')) throw new Refused(400, 'expects a path');
  try {
    return { path: decodeURIComponent(raw), query: new URLSearchParams(query) };
  } catch {
    throw new Refused(400, 'expects a path in UTF-8');
  }
}

async function bodyOf(request: IncomingMessage, mostBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new Refused(413, `expects at most ${mostBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > mostBytes) throw tooLarge();
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

async function inTime<Result>(work: Promise<Result>, mostTime: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refused(408, `expects to be done in ${mostTime} ms`)), mostTime);
  });
  work.catch(() => {}); // what comes of it later is nobody's
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

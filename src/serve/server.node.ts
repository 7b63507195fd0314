/**
 * The one server of beltnet: for the live report, the page and the line. Who may ask, and what may be asked, is decided here and nowhere
 * else; docs/report.md says against what. Routes say what they answer, and roots which folders' files may be read.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { BeltnetError, UsageError } from '../errors.js';
import { expectArray, expectObject, expectText, expectWhole, listOf, objectWith, perhaps } from '../expect.js';
import { Refused, type Answer } from './answers.js';
import { checkNames, expectToken, hasToken, inAddress, isLoopback, Rate } from './asker.node.js';
import { limitConnections } from './connections.node.js';
import { fileAnswer } from './static-files.node.js';

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  /** Empty for GET. */
  readonly body: Uint8Array;
  /** Aborted when the asker has gone, or the server ends. */
  readonly signal: AbortSignal;
}

/**
 * Who may ask. `anybody` needs no token, wherever the server listens: for what says nothing. `reader` needs a token where the server was
 * given one. `writer` needs the one that may change things, always.
 */
export type Access = 'anybody' | 'reader' | 'writer';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Exactly. */
  readonly path: string;
  /** Default: readers may GET, writers POST. */
  readonly access?: Access;
  /** Bytes of a body. Default 1 MiB. */
  readonly mostBytes?: number;
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
}

export interface ServeOptions {
  readonly routes: readonly Route[];
  /** Folders whose files readers may have, by the paths under which they are: `{ '/assets/': 'dist/page' }`. */
  readonly roots?: Readonly<Record<string, string>>;
  /** Default 127.0.0.1: nobody but this machine can ask. Any other wants `tls` and `token`. */
  readonly host?: string;
  /** Default: one that is free. */
  readonly port?: number;
  /** Names by which the server may be called, beside its address and localhost: `belt-3.factory`. */
  readonly names?: readonly string[];
  /** Who says it may do everything; readers need it, too, then. Default: a new one, which only writers need. */
  readonly token?: string | undefined;
  /** Who says it may read, and change nothing: for wall screens. */
  readonly readToken?: string | undefined;
  /** A certificate (with those that lead to its root) and its private key, in PEM. */
  readonly tls?: { readonly certificate: string | Uint8Array; readonly key: string | Uint8Array } | undefined;
  /** Requests a second of one address. Default 1,000. */
  readonly mostRequests?: number;
  /** Whether Node may end while the server is open. Default false. */
  readonly isInBackground?: boolean;
  /** Milliseconds for a request to arrive, and for its answer. Default 10,000. */
  readonly mostTime?: number;
}

export interface Served {
  /** `http://127.0.0.1:49152` */
  readonly url: string;
  /** For requests that change something, in the header `authorization: Bearer …`. */
  readonly token: string;
  /** @param drainTime milliseconds that requests under way have to come to their end; default 0 ends them */
  close(drainTime?: number): Promise<void>;
}

const MOST_BYTES = 2 ** 20;
/** Of all bodies that are arriving or being answered. */
const MOST_BYTES_OF_ALL = 2 ** 28;

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

const expectOptions = objectWith({
  routes: expectArray,
  host: perhaps(expectText),
  names: perhaps(listOf(expectText)),
  token: perhaps(expectToken),
  readToken: perhaps(expectToken),
  tls: perhaps(expectObject),
});

/**
 * Starts a server.
 * @throws UsageError when it cannot listen there, or would tell a network what is for this machine
 */
export async function serve(options: ServeOptions): Promise<Served> {
  expectOptions(options, 'serve: options');
  const { host = '127.0.0.1', port = 0, mostTime = 10_000, mostRequests = 1000, tls } = options;
  expectWhole(port, 'serve: port', 0, 65_535);
  expectWhole(mostTime, 'serve: mostTime', 1, 2 ** 30);
  expectWhole(mostRequests, 'serve: mostRequests', 1, 2 ** 30);
  if (!isLoopback(host) && (tls === undefined || options.token === undefined))
    throw new UsageError(
      `serve: expects tls (a certificate and its key) and a token to listen on ${host}, got ${
        tls ? 'no token' : options.token === undefined ? 'neither' : 'no tls'
      }; without them only 127.0.0.1 is safe`,
    );
  const token = options.token ?? randomBytes(24).toString('base64url');
  const closing = new AbortController();
  const context: Context = {
    ...options,
    mostTime,
    token,
    isGuarded: options.token !== undefined,
    scheme: tls ? 'https' : 'http',
    allowed: new Set(),
    rate: new Rate(mostRequests),
    bytes: { held: 0 },
    closing: closing.signal,
  };
  const server = openServer(tls, mostTime, (request, response) => void respond(request, response, context));
  limitConnections(server);
  endSlowOnes(server, mostTime);
  if (options.isInBackground) {
    server.unref();
    server.on('connection', (socket) => socket.unref());
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UsageError(`serve: expects to listen on ${host}, port ${port}, got ${error.code}: ${error.message}`)),
    );
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  const written = inAddress(host);
  const names = [
    written,
    'localhost',
    '127.0.0.1',
    '[::1]',
    ...(options.names ?? []).map((name) => name.toLowerCase()),
  ];
  const usual = tls ? 443 : 80;
  for (const name of names) {
    context.allowed.add(`${name}:${actual}`);
    if (actual === usual) context.allowed.add(name);
  }
  return {
    url: `${context.scheme}://${written}:${actual}`,
    token,
    async close(drainTime = 0) {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      closing.abort();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), drainTime);
      await closed;
      clearTimeout(timer);
    },
  };
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** @throws UsageError for a certificate or key that cannot be used */
function openServer(tls: ServeOptions['tls'], mostTime: number, listener: Listener): Server {
  const limits: ServerOptions = {
    maxHeaderSize: 16_384,
    requestTimeout: mostTime,
    headersTimeout: mostTime,
    connectionsCheckingInterval: Math.min(1000, mostTime),
    keepAliveTimeout: 5000,
  };
  if (!tls) return createServer(limits, listener);
  try {
    const { certificate: cert, key } = tls as { certificate: Buffer; key: Buffer };
    return createTlsServer({ ...limits, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: mostTime }, listener);
  } catch (error) {
    throw new UsageError(`serve: expects in tls a certificate and its key in PEM, got: ${(error as Error).message}`);
  }
}

function endSlowOnes(server: Server, mostTime: number): void {
  server.setTimeout(2 * mostTime); // nothing goes in or out: whoever does not read an answer
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    const status = code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
    if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
  });
}

interface Context extends ServeOptions {
  readonly mostTime: number;
  readonly token: string;
  readonly scheme: 'http' | 'https';
  readonly allowed: Set<string>;
  readonly rate: Rate;
  /** Of all bodies together. */
  readonly bytes: { held: number };
  readonly closing: AbortSignal;
  /** Whether readers need a token. */
  readonly isGuarded: boolean;
}

async function respond(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const { mostTime, bytes, closing } = context;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const held = { bytes: 0 };
  let answer: Answer;
  try {
    answer = await inTime(answerTo(request, context, signal, held), mostTime);
  } catch (error) {
    answer = refusal(error);
    if (error instanceof Refused && error.retryAfter !== null) response.setHeader('retry-after', error.retryAfter);
    if (error instanceof Refused && error.status === 401) response.setHeader('www-authenticate', 'Bearer');
    if (!request.complete) response.setHeader('connection', 'close'); // what is left of its body is not wanted
  } finally {
    bytes.held -= held.bytes;
  }
  if (closing.aborted) response.setHeader('connection', 'close');
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status ?? 200, {
    ...headers,
    'content-security-policy': answer.contentPolicy ?? CONTENT_POLICY,
    'content-type': answer.type,
    ...(body instanceof Uint8Array && { 'content-length': body.length }),
  });
  const socket = request.socket as Socket | null; // null where the asker has gone
  if (response.getHeader('connection') === 'close') response.once('finish', () => socket?.destroySoon());
  if (request.method === 'HEAD') response.end();
  else if (body instanceof Uint8Array) response.end(body);
  else await sendPieces(response, body, signal, mostTime);
}

/** Whoever does not take the pieces in time is let go: nothing piles up for one that sleeps. */
async function sendPieces(
  response: ServerResponse,
  pieces: AsyncIterable<string>,
  signal: AbortSignal,
  mostTime: number,
): Promise<void> {
  response.flushHeaders();
  try {
    for await (const piece of pieces) {
      if (signal.aborted) break;
      const isTaken = response.write(piece);
      if (!isTaken) await once(response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(mostTime)]) });
    }
    response.end();
  } catch {
    response.destroy(); // an end that the asker sees: the answer is not whole
  }
}

/** What went wrong, as far as it is the asker's business. */
function refusal(error: unknown): Answer {
  const type = 'text/plain; charset=utf-8';
  if (error instanceof Refused) return { status: error.status, type, body: `${error.message}\n` };
  if (error instanceof BeltnetError) return { status: 422, type, body: `${error.message}\n` };
  return { status: 500, type, body: 'a defect of beltnet\n' };
}

async function answerTo(
  request: IncomingMessage,
  context: Context,
  signal: AbortSignal,
  held: { bytes: number },
): Promise<Answer> {
  context.rate.take(request.socket.remoteAddress ?? '');
  checkNames(request, context.scheme, context.allowed);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== 'GET' && method !== 'POST') throw new Refused(405, `expects GET or POST, got ${request.method}`);
  const { path, query } = placeOf(request.url ?? '');
  const route = context.routes.find((each) => each.path === path && each.method === method);
  if (route) {
    checkToken(request, route.access ?? (method === 'POST' ? 'writer' : 'reader'), context);
    const body =
      method === 'POST' ? await bodyOf(request, route.mostBytes ?? MOST_BYTES, context, held) : new Uint8Array();
    return route.answer({ method, path, query, body, signal });
  }
  if (context.routes.some((each) => each.path === path)) throw new Refused(405, `${method} is not for this`);
  const root = Object.entries(context.roots ?? {}).find(([prefix]) => path.startsWith(prefix));
  if (!root || method !== 'GET') throw new Refused(404, 'there is nothing here');
  checkToken(request, 'reader', context);
  return fileAnswer(root[1], path.slice(root[0].length));
}

/** @throws Refused */
function checkToken(request: IncomingMessage, access: Access, { token, readToken, ...context }: Context): void {
  const isFree = access === 'anybody' || (access === 'reader' && !context.isGuarded);
  if (isFree || hasToken(request, access === 'reader' && readToken !== undefined ? [token, readToken] : [token]))
    return;
  throw new Refused(401, 'expects the token of the server');
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

/** @param held counts what it holds, until the answer is there */
async function bodyOf(
  request: IncomingMessage,
  mostBytes: number,
  { bytes }: Context,
  held: { bytes: number },
): Promise<Uint8Array> {
  const tooLarge = () => new Refused(413, `expects at most ${mostBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) {
    held.bytes += piece.length;
    bytes.held += piece.length;
    if (held.bytes > mostBytes) throw tooLarge();
    if (bytes.held > MOST_BYTES_OF_ALL) throw new Refused(503, 'there are too many bodies at once', 1);
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

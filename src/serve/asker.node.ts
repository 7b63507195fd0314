/** Who may ask: by which name, from which page, with which token, and how often. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import { UsageError } from '../errors.js';
import { Refused } from './answers.js';

/** Shorter tokens can be guessed. */
const LEAST_TOKEN = 16;

/** @throws UsageError for what is no token, or could be guessed */
export function expectToken(value: unknown, what: string): asserts value is string {
  if (typeof value !== 'string' || value.length < LEAST_TOKEN || !/^[\x21-\x7e]+$/.test(value))
    throw new UsageError(
      `${what} expects a token of ${LEAST_TOKEN} or more letters, digits and signs without spaces (openssl rand -hex 24 makes one), ` +
        `got ${typeof value === 'string' ? `one of ${value.length}` : typeof value}`,
    );
}

/** Whether nobody but this machine can reach what listens there. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** As it stands in an address. */
export const inAddress = (host: string): string => (isIPv6(host) ? `[${host}]` : host);

/**
 * A page of another name that leads to this address (DNS rebinding) calls by that name; a page of another origin (cross-site request
 * forgery) says its own.
 * @param allowed names with their ports
 * @throws Refused
 */
export function checkNames(
  { headers, rawHeaders, socket }: IncomingMessage,
  scheme: 'http' | 'https',
  allowed: ReadonlySet<string>,
): void {
  // The address that was called is no name that could lead elsewhere: a server on all addresses is called by each.
  const { localAddress = '', localPort = 0 } = socket;
  const address = `${inAddress(localAddress.replace(/^::ffff:/, ''))}:${localPort}`;
  const isOurs = (name: string): boolean => allowed.has(name) || name === address;
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
  if (hosts !== 1 || !isOurs((headers.host ?? '').toLowerCase()))
    throw new Refused(421, 'this server is not called by that name');
  const { origin } = headers;
  const start = `${scheme}://`;
  const isOwn = origin === undefined || (origin.startsWith(start) && isOurs(origin.slice(start.length).toLowerCase()));
  if (!isOwn) throw new Refused(403, 'pages of other origins may not ask');
}

/** Whether the request says one of these tokens. The time that it takes tells nothing of them. */
export function hasToken({ headers }: IncomingMessage, tokens: readonly string[]): boolean {
  const said = Buffer.from(headers.authorization ?? '');
  let has = false;
  for (const token of tokens) {
    const expected = Buffer.from(`Bearer ${token}`);
    if (said.length === expected.length && timingSafeEqual(said, expected)) has = true;
  }
  return has;
}

/** Requests that each address may make: so many a second, and as many at once as two seconds bring (a token bucket). */
export class Rate {
  readonly #perSecond: number;
  /** What each address has left, and when that was counted, ms. */
  readonly #left = new Map<string, { readonly requests: number; readonly at: number }>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** @param now milliseconds that never go back @throws Refused when there have been too many */
  take(address: string, now = performance.now()): void {
    const most = 2 * this.#perSecond;
    const { requests, at } = this.#left.get(address) ?? { requests: most, at: now };
    const left = Math.min(most, requests + ((now - at) / 1000) * this.#perSecond);
    if (left < 1) throw new Refused(429, `expects at most ${this.#perSecond} requests a second`, 1);
    this.#left.delete(address); // those that asked last stand last
    this.#left.set(address, { requests: left - 1, at: now });
    // Who has not asked for two seconds has all again, and need not be remembered.
    for (const [each, { at: asked }] of this.#left) {
      if (now - asked < 2000) break;
      this.#left.delete(each);
    }
  }
}

/** A camera that answers an HTTP request with one picture. */
import { setTimeout as wait } from 'node:timers/promises';
import { DataError, UsageError } from '../../errors.js';
import type { SourceOf } from '../config.js';
import type { Frame, Source, SourceContext } from '../source.js';

const MOST_BYTES = 2 ** 26;

export class SnapshotSource implements Source {
  readonly #config: SourceOf<'snapshot'>;
  readonly #context: SourceContext;
  readonly #url: URL;
  readonly #headers: Headers;
  readonly #closed = new AbortController();
  #askedAt = -Infinity;

  /** @throws UsageError for what is no address */
  constructor(config: SourceOf<'snapshot'>, context: SourceContext) {
    this.#config = config;
    this.#context = context;
    if (!URL.canParse(config.url) || !/^https?:/.test(config.url))
      throw new UsageError(`camera ${context.name}: expects an address that begins with http:// or https://`);
    this.#url = new URL(config.url);
    this.#headers = new Headers(config.headers);
    const { username, password } = this.#url;
    if (username !== '') {
      const user = [username, password].map(decodeURIComponent).join(':');
      this.#headers.set('authorization', `Basic ${Buffer.from(user).toString('base64')}`);
      this.#url.username = this.#url.password = '';
    }
  }

  async next(): Promise<readonly Frame[]> {
    const { everySeconds, timeoutSeconds } = this.#config;
    const { now, fault } = this.#context;
    while (!this.#closed.signal.aborted) {
      const pause = this.#askedAt + everySeconds * 1000 - now();
      if (pause > 0) await wait(pause, null, { signal: this.#closed.signal }).catch(() => {});
      if (this.#closed.signal.aborted) break;
      this.#askedAt = now();
      try {
        const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(timeoutSeconds * 1000)]);
        return [await this.#ask(signal)];
      } catch (error) {
        if (this.#closed.signal.aborted) break;
        if (error instanceof DataError) fault('unreadable', true, error.message);
        else fault('camera-lost', true, `${this.#url.href}: ${reasonOf(error)}`);
      }
    }
    return [];
  }

  async #ask(signal: AbortSignal): Promise<Frame> {
    const { now, look, name } = this.#context;
    const answer = await fetch(this.#url, { headers: this.#headers, signal });
    if (!answer.ok || !answer.body) {
      await answer.body?.cancel();
      const wants = answer.headers.get('www-authenticate') ?? '';
      const isDigest = answer.status === 401 && /^digest/i.test(wants);
      throw new Error(
        isDigest
          ? 'it wants digest authentication, which snapshots cannot give; take its RTSP or MJPEG address with the kind stream, or let it take basic authentication'
          : `it answered ${answer.status}`,
      );
    }
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > MOST_BYTES) throw new Error(`it answered more than ${MOST_BYTES} bytes`);
      parts.push(part);
    }
    const bytes = new Uint8Array(Buffer.concat(parts));
    const arrivedAt = now();
    const takenAt = new Date().toISOString();
    const seen = await look(bytes, name);
    // Both by the camera's own clock.
    const [asked, changed] = ['date', 'last-modified'].map((header) => Date.parse(answer.headers.get(header) ?? ''));
    const late = asked - changed;
    return {
      name: 'snapshot',
      ...seen,
      bytes,
      takenAt,
      arrivedAt,
      lateMilliseconds: Number.isFinite(late) ? Math.max(0, late) : 0,
    };
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }
}

function reasonOf(error: unknown): string {
  const { message, cause, name } = error as Error;
  if (name === 'TimeoutError') return 'no answer in time';
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

/**
 * Events by HTTP POST, as JSON, from a queue on disk: each until it is taken (2xx). The id stands in the header `idempotency-key`, and with
 * a secret `x-beltnet-signature` is `sha256=` and the HMAC of the body, so that the receiver knows who sent it. Heartbeats are sent as
 * they come and never queued.
 */
import { createHmac } from 'node:crypto';
import * as v from 'valibot';
import type { LineEvent } from '../events.js';
import type { LineState } from '../state.js';
import { AskLater, Delivery, Undeliverable } from './delivery.node.js';
import { EventQueue } from './event-queue.node.js';
import { Peer } from './peer.js';
import { queueFolder, queueSettings } from './queue-settings.node.js';
import { isSent, type OutputContext, type OutputHealth, type WatchedOutput } from './watched-output.js';

const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));

export const webhookSchema = v.strictObject({
  url: v.pipe(text, v.regex(/^https?:\/\//, 'http:// or https://')),
  headers: v.optional(v.record(text, text), {}),
  /** Signs the bodies. */
  secret: v.optional(text),
  timeoutSeconds: v.optional(v.pipe(v.number('seconds'), v.minValue(0.05, 'seconds from 0.05')), 10),
  heartbeat: v.optional(v.boolean('true or false'), true),
  graceSeconds: v.optional(v.pipe(v.number('seconds'), v.minValue(0, 'seconds from 0')), 30),
  ...queueSettings,
});
export type WebhookConfig = v.InferOutput<typeof webhookSchema>;

/** Answers that may be others next time, although they blame the asker. */
const ASK_AGAIN = [401, 403, 404, 408, 409, 423, 425, 429];

export class WebhookOutput implements WatchedOutput {
  readonly name: string;
  readonly #config: WebhookConfig;
  readonly #peer: Peer;
  readonly #delivery: Delivery;
  readonly #clean: (text: string) => string;

  private constructor(config: WebhookConfig, { name, clean, onProblem }: OutputContext, queue: EventQueue) {
    this.name = name;
    this.#config = config;
    this.#clean = clean;
    this.#peer = new Peer(clean(`the webhook ${config.url}`), { grace: config.graceSeconds, longestWait: 60 });
    this.#peer.worked(); // nobody has asked it yet
    this.#delivery = new Delivery(queue, this.#peer, (event) => this.#post(event), onProblem);
  }

  static async open(config: WebhookConfig, context: OutputContext): Promise<WebhookOutput> {
    return new WebhookOutput(config, context, await EventQueue.open(queueFolder(config, context)));
  }

  /** States are not sent. @throws Error while nobody takes the events */
  state(_state: LineState): void {
    this.#peer.throwTrouble();
  }

  /** @throws as `state`: one call that went well would be taken for the end of the trouble */
  async event(event: LineEvent): Promise<void> {
    const isFree = this.#delivery.counts.waiting === 0;
    if (event.kind === 'heartbeat') {
      if (this.#config.heartbeat && isFree) void this.#beat(event);
    } else if (isSent(event, this.#config.events)) await this.#delivery.push(event);
    this.#peer.throwTrouble();
  }

  health(): OutputHealth {
    return this.#peer.health(this.#delivery.counts);
  }

  async #beat(event: LineEvent): Promise<void> {
    try {
      await this.#post(event);
      this.#peer.worked();
    } catch (error) {
      this.#peer.failed((error as Error).message);
    }
  }

  /** @throws Undeliverable, AskLater, Error */
  async #post(event: LineEvent): Promise<void> {
    const { url, headers, secret, timeoutSeconds } = this.#config;
    const body = JSON.stringify(event);
    const signature = secret === undefined ? null : createHmac('sha256', secret).update(body).digest('hex');
    let answer: Response;
    try {
      answer = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': event.id,
          ...(signature !== null && { 'x-beltnet-signature': `sha256=${signature}` }),
          ...headers,
        },
        body,
        redirect: 'manual', // what is sent there is for nobody else
        signal: AbortSignal.timeout(1000 * timeoutSeconds),
      });
      await answer.body?.cancel();
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string } };
      throw new Error(this.#clean(cause?.code ?? message), { cause: error });
    }
    const { status } = answer;
    if (answer.ok) return;
    const wait = 1000 * (Number(answer.headers.get('retry-after')) || 0);
    if (status >= 400 && status < 500 && !ASK_AGAIN.includes(status)) throw new Undeliverable(`HTTP ${status}`);
    throw new AskLater(`HTTP ${status}`, Math.min(wait, 600_000));
  }

  async close(): Promise<void> {
    await this.#delivery.close();
  }
}

/** Hands the events of a queue to somebody, one after the other, again and again until each has arrived. */
import type { LineEvent } from '../events.js';
import { EventQueue } from './event-queue.node.js';
import { Peer, Wake } from './peer.js';

/** What is sent: the event, and how old it is. By its id whoever gets it twice drops the second. */
export type SentEvent = LineEvent & { readonly ageSeconds: number };

/** What nobody will ever take: a request that is refused for what it is. */
export class Undeliverable extends Error {}

/** The other end says when to ask again. */
export class AskLater extends Error {
  readonly milliseconds: number;

  constructor(message: string, milliseconds: number) {
    super(message);
    this.milliseconds = milliseconds;
  }
}

export class Delivery {
  readonly #queue: EventQueue;
  readonly #peer: Peer;
  readonly #send: (event: SentEvent) => Promise<void>;
  readonly #onProblem: (problem: string) => void;
  readonly #wake = new Wake();
  readonly #done: Promise<void>;
  #isClosed = false;
  #isIdle = false;
  #delivered = 0;
  #refused = 0;

  /** @param send settles when the event has arrived; throws Undeliverable, AskLater, or anything else for another try */
  constructor(
    queue: EventQueue,
    peer: Peer,
    send: (event: SentEvent) => Promise<void>,
    onProblem: (problem: string) => void,
  ) {
    this.#queue = queue;
    this.#peer = peer;
    this.#send = send;
    this.#onProblem = onProblem;
    this.#done = this.#run();
  }

  get counts(): {
    readonly waiting: number;
    readonly delivered: number;
    readonly refused: number;
    readonly lost: number;
  } {
    const { expired, overflowed } = this.#queue.lost;
    return {
      waiting: this.#queue.length,
      delivered: this.#delivered,
      refused: this.#refused,
      lost: expired + overflowed + this.#refused,
    };
  }

  async push(event: LineEvent): Promise<void> {
    await this.#queue.push(event);
    if (this.#isIdle) this.#wake.now(); // one that waits for its next try goes on waiting
  }

  /** There is reason to try at once: the peer is back. */
  wake(): void {
    this.#wake.now();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const next = this.#queue.next();
      if (!next) {
        this.#isIdle = true;
        await this.#wake.wait(60_000);
        this.#isIdle = false;
        continue;
      }
      const { event, ageSeconds } = next;
      try {
        await this.#send({ ...event, ageSeconds: Math.round(ageSeconds * 1000) / 1000 });
        this.#peer.worked();
        this.#delivered++;
        this.#queue.done(event.id);
      } catch (error) {
        const { message } = error as Error;
        if (error instanceof Undeliverable) {
          this.#refused++;
          this.#onProblem(`${event.id} was refused and is lost: ${message}`);
          this.#queue.done(event.id);
          continue;
        }
        const wait = this.#peer.failed(message);
        await this.#wake.wait(error instanceof AskLater ? Math.max(wait, error.milliseconds) : wait);
      }
    }
  }

  /** Has a moment for what waits; the rest stays on the disk. */
  async close(milliseconds = 2000): Promise<void> {
    const until = performance.now() + milliseconds;
    while (this.#queue.length > 0 && this.#peer.isThere && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    this.#isClosed = true;
    this.#wake.now();
    await Promise.race([this.#done, new Promise((resolve) => setTimeout(resolve, 500))]);
    await this.#queue.close();
  }
}

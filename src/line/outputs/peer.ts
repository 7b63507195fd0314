/** Whether somebody at the other end is there: how long to wait before the next try, and since when it has not worked. */
import type { OutputHealth } from './watched-output.js';

/** Seconds. */
const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 30;

export class Peer {
  readonly #name: string;
  readonly #grace: number;
  readonly #longestWait: number;
  #failedAt: number | null;
  #reason = 'no answer yet';
  #failures = 0;
  #wait = FIRST_WAIT;

  /**
   * @param name for messages: `the PLC at 10.0.0.7:502`
   * @param grace seconds without it that are no trouble yet
   */
  constructor(name: string, { grace = 5, longestWait = LONGEST_WAIT }: { grace?: number; longestWait?: number } = {}) {
    this.#name = name;
    this.#grace = grace;
    this.#longestWait = longestWait;
    this.#failedAt = performance.now();
  }

  worked(): void {
    this.#failedAt = null;
    this.#wait = FIRST_WAIT;
  }

  /** @returns milliseconds to wait before the next try */
  failed(reason: string): number {
    this.#failedAt ??= performance.now();
    this.#reason = reason;
    this.#failures++;
    const wait = this.#wait;
    this.#wait = Math.min(this.#longestWait, 2 * wait);
    return 1000 * wait;
  }

  get isThere(): boolean {
    return this.#failedAt === null;
  }

  get failures(): number {
    return this.#failures;
  }

  /** In words; null while all is well. */
  trouble(): string | null {
    const seconds = this.#failedAt === null ? 0 : (performance.now() - this.#failedAt) / 1000;
    return seconds > this.#grace ? `${this.#name} does not answer: ${this.#reason}` : null;
  }

  /** @param counts of events; outputs of states alone have none */
  health({ waiting, delivered, lost } = { waiting: 0, delivered: 0, lost: 0 }): OutputHealth {
    return { isThere: this.isThere, trouble: this.trouble(), failures: this.#failures, waiting, delivered, lost };
  }

  /** @throws Error while there is trouble, which has the line say so */
  throwTrouble(): void {
    const trouble = this.trouble();
    if (trouble !== null) throw new Error(trouble);
  }
}

/** A wait that can be ended. */
export class Wake {
  #resolve: (() => void) | null = null;
  #isDue = false;

  /** Ends the wait, or the next one. */
  now(): void {
    this.#isDue = true;
    this.#resolve?.();
  }

  async wait(milliseconds: number): Promise<void> {
    if (!this.#isDue) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        timer = setTimeout(resolve, milliseconds);
      });
      clearTimeout(timer);
    }
    this.#isDue = false;
  }
}

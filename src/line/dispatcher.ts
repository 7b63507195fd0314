/**
 * Tells outputs, and never waits for them: each has a row of its own, gets one call after the other, and of states only the newest. What
 * it throws is counted; while it hangs nothing more is asked of it, and what it has missed is counted.
 */
import type { LineEvent } from './events.js';
import type { Output } from './output.js';
import type { LineState } from './state.js';

/** Events that wait for an output; of more the oldest are lost to it. */
const MOST_WAITING = 10_000;
const HUNG_AFTER_MILLISECONDS = 30_000;

/** Told when an output begins or ceases to work. */
type OnFault = (output: string, isFailing: boolean, detail: string) => void;

export class Dispatcher {
  readonly #rows: readonly OutputRow[];

  constructor(outputs: readonly Output[], onFault: OnFault) {
    this.#rows = outputs.map((output) => new OutputRow(output, onFault));
  }

  tell(event: LineEvent, state: LineState): void {
    for (const row of this.#rows) row.tell(event, state);
  }

  /** @param milliseconds that each has at most to end what it does, and itself */
  async close(milliseconds: number): Promise<void> {
    await Promise.all(this.#rows.map((row) => row.close(milliseconds)));
  }
}

class OutputRow {
  readonly #output: Output;
  readonly #onFault: OnFault;
  readonly #events: LineEvent[] = [];
  #state: LineState | null = null;
  #working: Promise<void> | null = null;
  #isFailing = false;
  #lost = 0;

  constructor(output: Output, onFault: OnFault) {
    this.#output = output;
    this.#onFault = onFault;
  }

  tell(event: LineEvent, state: LineState): void {
    this.#state = state;
    this.#events.push(event);
    if (this.#events.length > MOST_WAITING) {
      this.#events.shift();
      this.#lost++;
    }
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // what happens in the same turn is one state
    while (this.#state !== null || this.#events.length > 0) {
      const state = this.#state;
      this.#state = null;
      if (state) await this.#call(() => this.#output.state(state));
      const event = this.#events.shift();
      if (event) await this.#call(() => this.#output.event(event));
    }
    this.#working = null; // in the same turn as the last look
  }

  async #call(call: () => void | Promise<void>): Promise<void> {
    const hung = setTimeout(
      () => this.#tell(true, `takes longer than ${HUNG_AFTER_MILLISECONDS / 1000} s`),
      HUNG_AFTER_MILLISECONDS,
    );
    try {
      await call();
      if (this.#isFailing) this.#tell(false, `works again${this.#lost > 0 ? `; it missed ${this.#lost} events` : ''}`);
    } catch (error) {
      this.#tell(true, error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(hung);
    }
  }

  #tell(isFailing: boolean, detail: string): void {
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    this.#onFault(this.#output.name, isFailing, detail);
  }

  async close(milliseconds: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    const ended = async (): Promise<void> => {
      await this.#working;
      await this.#call(() => this.#output.close());
    };
    await Promise.race([ended(), late]);
    clearTimeout(timer);
  }
}

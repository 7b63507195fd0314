/**
 * What only one may do at a time. Two trainings of one model would mix their steps; an evaluation during one would take rows of
 * the same table of figures. Who comes second is refused, not queued: a callback that waited for an evaluation queued behind
 * its own training would wait for ever.
 */
import { UsageError } from '../../errors.js';

export class Exclusive {
  #holder: string | null = null;
  #ended: Promise<unknown> = Promise.resolve();

  /** @throws UsageError when somebody is at it */
  check(method: string): void {
    if (this.#holder === null) return;
    throw new UsageError(
      `${method}: expects a model that is not busy, got one in ${this.#holder}(); await that first, call it at an 'epoch' event, ` +
        'or use a second model (predicting is allowed at any time)',
    );
  }

  /** @throws UsageError when somebody is at it */
  async run<Result>(method: string, body: () => Promise<Result>): Promise<Result> {
    this.check(method);
    this.#holder = method;
    const running = body().finally(() => (this.#holder = null));
    this.#ended = running.catch(() => {}); // whoever called hears of it
    return running;
  }

  /** Runs when whoever is at it has ended. */
  async runAfter<Result>(method: string, body: () => Promise<Result>): Promise<Result> {
    while (this.#holder !== null) await this.#ended;
    return this.run(method, body);
  }
}

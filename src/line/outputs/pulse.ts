/**
 * Whether the line behind an output lives: it says so by heartbeats, and one that is silent for three times their period is not believed.
 * So an output whose own timers go on does not vouch for a line that has stopped.
 */
import type { LineEvent } from '../events.js';

export class Pulse {
  readonly #longestSilence: number;
  #heardAt = performance.now();

  /** @param seconds between the heartbeats of the line */
  constructor(seconds: number) {
    this.#longestSilence = 3000 * seconds;
  }

  hear(event: LineEvent): void {
    if (event.kind === 'heartbeat') this.#heardAt = performance.now();
  }

  get isBeating(): boolean {
    return performance.now() - this.#heardAt <= this.#longestSilence;
  }
}

/** When a training keeps where it stands: so seldom that this takes little of its time. Times are milliseconds of one clock. */

/** Part of the time that checkpoints may take, the first and the last one apart. */
const MOST_TIME = 0.02;
/** Where nobody asks for another time: between two within an epoch, at least. */
const WITHIN_EPOCH = 10_000;

export class CheckpointSpacing {
  readonly #asked: number | undefined;
  #savedAt: number;
  /** From one to the next, so that they take MOST_TIME. */
  #rest = 0;

  /** @param asked from one to the next, where that is not too often; 0: as often as may be, whatever it takes */
  constructor(asked: number | undefined, start: number) {
    this.#asked = asked;
    this.#savedAt = start;
  }

  /** After an epoch, or after a step within one. */
  isDue(after: 'epoch' | 'step', now: number): boolean {
    const least = this.#asked ?? (after === 'epoch' ? 0 : WITHIN_EPOCH);
    return now - this.#savedAt >= (this.#asked === 0 ? 0 : Math.max(this.#rest, least));
  }

  saved(start: number, end: number): void {
    this.#savedAt = end;
    this.#rest = (end - start) * (1 / MOST_TIME - 1);
  }
}

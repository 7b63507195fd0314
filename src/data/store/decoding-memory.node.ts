/**
 * How the threads of a load share its memory: each may take a small share at any time, and one of them, which holds the lane,
 * as much as a picture may take at most. So however many large pictures come, they are decoded one after the other, and which are
 * refused does not depend on the number of threads.
 */

/** Of one picture, file and decoder together: half of the limit, the other half is shared by all threads. */
export const mostForOnePicture = (limit: number): number => Math.min(2 ** 30, Math.floor(limit / 2));

export class DecodingMemory {
  readonly #lane: Int32Array;
  readonly #share: number;
  #isHeld = false;

  /** @param lane one int32 that all threads share: 0 while nobody is in it */
  constructor(lane: Int32Array, limit: number, threads: number) {
    this.#lane = lane;
    this.#share = limit / 2 / threads;
  }

  /** Called before so many bytes are taken for a picture; waits for the lane where that is more than the share. */
  reserve(bytes: number): void {
    if (this.#isHeld || bytes <= this.#share) return;
    while (Atomics.compareExchange(this.#lane, 0, 0, 1) !== 0) Atomics.wait(this.#lane, 0, 1);
    this.#isHeld = true;
  }

  /** The picture is done. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    Atomics.store(this.#lane, 0, 0);
    Atomics.notify(this.#lane, 0, 1);
  }
}

/**
 * Processes that train one model together. Each has a rank, from 0; what they must agree on goes through a `Group`. Every rank must
 * make the same calls in the same order, so that what decides whether a call is made is the same on all of them: figures that
 * were summed, a wish that was summed, the number of the step.
 */

import { expectCount, expectFunction, expectText, objectWith } from '../expect.js';

/** What is added up: float32 on most devices, float64 on the reference device and for sums that must not round. */
export type Summands = Float32Array | Float64Array;

/** What a call is about: messages of a stalled rank name it. */
export const purposes = [
  'start',
  'gradients and figures',
  'batch normalization',
  'figures',
  'parameters',
  'comparison of parameters',
  'waiting for the others',
  'end',
] as const;
export type Purpose = (typeof purposes)[number];

export interface Group {
  readonly rank: number;
  readonly size: number;
  /** For messages: the library that connects the ranks. */
  readonly description: string;
  /**
   * Adds up over all ranks, element by element, in place: each rank has the same bits afterwards. A blocking group is done when it
   * returns, another gives a promise. As all calls, it may end the process where a rank does not come: see `stallSeconds`.
   */
  sum(values: Summands, purpose: Purpose): void | Promise<void>;
  /** Gives all ranks rank 0's bytes, in place; all have as many. */
  broadcast(bytes: Uint8Array, purpose: Purpose): void | Promise<void>;
  barrier(purpose: Purpose): void | Promise<void>;
  /** The step that what follows belongs to, for messages. */
  at(step: number): void;
  /** Leaves, when all ranks do. */
  close(): Promise<void>;
  /** Ends all ranks at once, with this exit code. */
  abort(exitCode: number): void;
}

/** @throws UsageError unless it is a group */
export const expectGroup = objectWith({
  rank: expectCount,
  size: expectCount,
  sum: expectFunction,
  broadcast: expectFunction,
});

/** A group of one. */
export const alone: Group = {
  rank: 0,
  size: 1,
  description: 'alone',
  sum: () => {},
  broadcast: () => {},
  barrier: () => {},
  at: () => {},
  close: () => Promise.resolve(),
  abort: () => {},
};

/** The numbers of all ranks, by rank. */
export async function gather(group: Group, value: number, purpose: Purpose): Promise<Float64Array> {
  expectGroup(group, 'gather: group');
  const values = new Float64Array(group.size);
  values[group.rank] = value;
  await group.sum(values, purpose);
  return values;
}

/** Rank 0's JSON; the others' is not looked at. */
export async function share<Value>(group: Group, value: Value, purpose: Purpose): Promise<Value> {
  expectGroup(group, 'share: group');
  expectText(purpose, 'share: purpose');
  if (group.size === 1) return value;
  const written = new TextEncoder().encode(JSON.stringify(value ?? null));
  const length = Float64Array.of(group.rank === 0 ? written.length : 0);
  await group.sum(length, purpose);
  const bytes = group.rank === 0 ? written : new Uint8Array(length[0]);
  await group.broadcast(bytes, purpose);
  return JSON.parse(new TextDecoder().decode(bytes)) as Value;
}

/** Between two meetings, and between those of a rank that is done and waits. */
const MILLISECONDS_BETWEEN_MEETINGS = { working: 500, done: 100 };

/**
 * Keeps the ranks in touch while each works by itself for a time that nobody knows (pictures are decoded, files written): they meet every
 * half a second, so that one that is no longer there is noticed as in a step. It goes on until all have called `end`.
 */
export class Meantime {
  readonly #group: Group;
  #isDone = false;
  #isLeft = false;
  readonly #over: Promise<void>;

  constructor(group: Group) {
    expectGroup(group, 'Meantime: group');
    this.#group = group;
    this.#over = group.size === 1 ? Promise.resolve() : this.#meet();
    this.#over.catch(() => {}); // whoever waits for the end hears of it
  }

  async #meet(): Promise<void> {
    for (;;) {
      const { working, done } = MILLISECONDS_BETWEEN_MEETINGS;
      await new Promise((resolve) => setTimeout(resolve, this.#isDone ? done : working));
      if (this.#isLeft) return;
      const busy = Float64Array.of(this.#isDone ? 0 : 1);
      await this.#group.sum(busy, 'waiting for the others');
      if (busy[0] === 0) return;
    }
  }

  /** Resolves when all ranks have come here. */
  end(): Promise<void> {
    this.#isDone = true;
    return this.#over;
  }

  /** Meets nobody any more: the process is about to end. */
  leave(): void {
    this.#isLeft = true;
  }
}

/** Runs work during which the ranks keep in touch. */
export async function together<Result>(group: Group, work: () => Promise<Result>): Promise<Result> {
  expectFunction(work, 'together: work');
  const meantime = new Meantime(group);
  try {
    const result = await work();
    await meantime.end();
    return result;
  } catch (error) {
    meantime.leave();
    throw error;
  }
}

/**
 * Processes that train one model together. Each has a rank, from 0; what they must agree on goes through a `Group`. Every rank must
 * make the same calls in the same order, so that what decides whether a call is made is the same on all of them: figures that
 * were summed, a wish that was summed, the number of the step.
 */

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
  const values = new Float64Array(group.size);
  values[group.rank] = value;
  await group.sum(values, purpose);
  return values;
}

/** Rank 0's JSON; the others' is not looked at. */
export async function share<Value>(group: Group, value: Value, purpose: Purpose): Promise<Value> {
  if (group.size === 1) return value;
  const bytes = await shareBytes(group, new TextEncoder().encode(JSON.stringify(value ?? null)), purpose);
  return JSON.parse(new TextDecoder().decode(bytes)) as Value;
}

/** Rank 0's bytes; the others' are not looked at. */
export async function shareBytes(group: Group, given: Uint8Array, purpose: Purpose): Promise<Uint8Array> {
  const length = Float64Array.of(group.rank === 0 ? given.length : 0);
  await group.sum(length, purpose);
  const bytes = group.rank === 0 ? given : new Uint8Array(length[0]);
  await group.broadcast(bytes, purpose);
  return bytes;
}

/** Between two questions whether all are done. */
const MILLISECONDS_BETWEEN_BEATS = 500;

/**
 * Runs work of which nobody knows how long it takes on which rank (pictures that are decoded, files that are written) and waits for
 * that of all. Meanwhile the ranks meet every half a second, so that one that is no longer there is noticed as in a step.
 */
export async function together<Result>(group: Group, work: () => Promise<Result>): Promise<Result> {
  if (group.size === 1) return work();
  let isDone = false;
  const running = work();
  running.then(
    () => void (isDone = true),
    () => {}, // awaited below; until then the others wait, and this rank's failure ends them
  );
  for (;;) {
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, MILLISECONDS_BETWEEN_BEATS))]);
    const waiting = Float64Array.of(isDone ? 0 : 1);
    await group.sum(waiting, 'waiting for the others');
    if (waiting[0] === 0) return running;
  }
}

/** Ranks within one process: a group whose sums wait, by promises, until all have come. */
import type { Group, Summands } from '../../src/distributed/group.js';

/** Adds up in the order of the ranks. */
export function groupsOf(size: number): Group[] {
  let waiting: { rank: number; values: Summands | Uint8Array; resolve: () => void }[] = [];
  const meet = (
    rank: number,
    values: Summands | Uint8Array,
    act: (all: (Summands | Uint8Array)[]) => void,
  ): Promise<void> =>
    new Promise((resolve) => {
      waiting.push({ rank, values, resolve });
      if (waiting.length < size) return;
      const present = waiting.toSorted((a, b) => a.rank - b.rank);
      waiting = [];
      const lengths = new Set(present.map((each) => `${each.values.constructor.name} ${each.values.length}`));
      if (lengths.size > 1) throw new Error(`the ranks came with ${[...lengths].join(' and ')}`);
      act(present.map((each) => each.values));
      for (const each of present) each.resolve();
    });
  const sum = ([first, ...others]: (Summands | Uint8Array)[]): void => {
    for (const other of others) for (let i = 0; i < first.length; i++) first[i] += other[i];
    for (const other of others) other.set(first);
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    description: 'ranks within one process',
    sum: (values) => meet(rank, values, sum),
    broadcast: (bytes) => meet(rank, bytes, ([first, ...others]) => others.forEach((other) => other.set(first))),
    barrier: () => meet(rank, new Uint8Array(), () => {}),
    at: () => {},
    close: () => Promise.resolve(),
    abort: (code) => {
      throw new Error(`aborted with ${code}`);
    },
  }));
}

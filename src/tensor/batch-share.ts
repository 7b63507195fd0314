/**
 * Where several processes train on one batch, each computes its share of it. Most ops treat samples one by one and need not know;
 * those that do not ask here while a step is recorded: what they draw by the place of a sample in the batch, and what they sum over it,
 * is then as if one process had all of it.
 */

export interface BatchShare {
  /** Samples of the whole batch. */
  readonly samples: number;
  /** Sample n of the share is sample `first + n · every` of the batch. */
  readonly first: number;
  readonly every: number;
  /** False for a share without samples (a batch smaller than there are processes): one is computed all the same, and counts for nothing. */
  readonly counts: boolean;
  /** Adds up over all shares, in place; null where each process goes by its own share. */
  readonly sum: ((values: Float64Array) => void | Promise<void>) | null;
}

let current: BatchShare | null = null;

/** The share that what is computed now belongs to; null for whole batches. */
export const batchShare = (): BatchShare | null => current;

/** Runs `body`, whose computation is on a share of a batch. */
export function onShare<Result>(share: BatchShare | null, body: () => Result): Result {
  const outer = current;
  current = share;
  try {
    return body();
  } finally {
    current = outer;
  }
}

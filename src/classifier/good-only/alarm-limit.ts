/**
 * From which distance on a picture is no good one: a quantile of good pictures from which nothing was learned, by its rank. Of n of them
 * and one more, all as likely as the others to be the farthest, the share beyond the k-th smallest is Beta(n − k + 1, k) distributed
 * (Wilks, "Determination of sample sizes for setting tolerance limits", 1941): that is the interval which is told.
 */
import { UsageError } from '../../errors.js';
import { expectList, received } from '../../expect.js';
import { clopperPearson, type Interval } from '../figures/binomial.js';

export interface AlarmLimit {
  readonly distance: number;
  /** Of the good pictures that were held back, how many there are and how many lie beyond. */
  readonly heldBack: number;
  readonly beyond: number;
  /** Holds the share of false alarms among fresh good pictures of the same kind with 95 %. */
  readonly falseAlarms: Interval;
  /** True where there are too few pictures for the wanted rate: the limit then lies beyond the farthest of all. */
  readonly isBeyondAll: boolean;
}

/** How far beyond the farthest the limit lies then. */
const BEYOND = 1.05;

/**
 * @param distances of good pictures that were held back
 * @param rate of false alarms that is wanted, above 0 and below 1
 */
export function alarmLimit(distances: ArrayLike<number>, rate: number): AlarmLimit {
  expectList(distances, 'alarmLimit: distances');
  const n = distances.length;
  if (typeof rate !== 'number' || !(rate > 0 && rate < 1))
    throw new UsageError(`alarmLimit: rate expects a number above 0 and below 1, got ${received(rate)}`);
  if (n === 0) throw new UsageError('good only: expects good pictures that are held back, got none');
  const sorted = Float64Array.from(distances).toSorted();
  const wanted = Math.ceil((n + 1) * (1 - rate));
  const isBeyondAll = wanted >= n;
  const k = Math.min(wanted, n);
  const distance = isBeyondAll ? sorted[n - 1] * BEYOND : (sorted[k - 1] + sorted[k]) / 2;
  const beyond = n - k;
  return {
    distance,
    heldBack: n,
    beyond,
    falseAlarms: { low: clopperPearson(beyond + 1, n).low, high: clopperPearson(beyond, n).high },
    isBeyondAll,
  };
}

/** Intervals in words. */
import type { IntervalOrReason } from '../../src/index.node.js';

/** "0.9123 to 0.9876 (95 %)", or why there is none. */
export const inWords = (interval: IntervalOrReason, digits = 4): string =>
  'reason' in interval
    ? `no interval, ${interval.reason}`
    : `${interval.low.toFixed(digits)} to ${interval.high.toFixed(digits)} (95 %)`;

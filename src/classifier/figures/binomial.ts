/** Exact tests and intervals of counts: binomial tails, Clopper and Pearson's interval, McNemar's test. */
import { UsageError } from '../../errors.js';
import { expectList, received } from '../../expect.js';
import { square } from '../../tensor/exact-math.js';
import { erfc } from './normal.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * P(X ≤ k) of X ~ Binomial(n, p). The terms are taken by their ratios from the most probable one on and divided by their sum:
 * no factorial, nothing cancels, and far terms underflow to the 0 that they are.
 */
export function binomialTail(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  let [below, above] = mode <= k ? [1, 0] : [0, 1];
  for (let i = mode, term = 1; i > 0 && term > 0; i--) {
    term *= i / (n - i + 1) / odds;
    if (i - 1 <= k) below += term;
    else above += term;
  }
  for (let i = mode, term = 1; i < n && term > 0; i++) {
    term *= ((n - i) / (i + 1)) * odds;
    if (i + 1 <= k) below += term;
    else above += term;
  }
  return below / (below + above);
}

/** Each halving sums the terms up to the successes one by one. */
const MOST_TRIALS = 1e7;

/**
 * The interval of a proportion that holds it with at least the asked probability, whatever it is (Clopper and Pearson, 1934).
 *
 * @throws UsageError unless 0 ≤ successes ≤ trials are whole numbers and the confidence is between 0 and 1
 */
export function clopperPearson(successes: number, trials: number, confidence = 0.95): Interval {
  if (!Number.isInteger(trials) || !Number.isInteger(successes) || successes < 0 || successes > trials)
    throw new UsageError(
      `clopperPearson: expects 0 to ${received(trials)} successes of ${received(trials)} trials, got ${received(successes)}`,
    );
  if (trials > MOST_TRIALS)
    throw new UsageError(
      `clopperPearson: expects at most ${MOST_TRIALS} trials, whose sums take a second, got ${trials}`,
    );
  checkConfidence('clopperPearson', confidence);
  const tail = (1 - confidence) / 2;
  return {
    low: successes === 0 ? 0 : proportionWhere(successes - 1, trials, 1 - tail),
    high: successes === trials ? 1 : proportionWhere(successes, trials, tail),
  };
}

/** @throws UsageError */
export function checkConfidence(name: string, confidence: number): void {
  if (!(typeof confidence === 'number' && confidence > 0 && confidence < 1))
    throw new UsageError(`${name}: expects a confidence between 0 and 1, such as 0.95, got ${received(confidence)}`);
}

/** The p for which P(X ≤ k) is `probability`: it falls with p, so halving finds it. */
function proportionWhere(k: number, n: number, probability: number): number {
  let [low, high] = [0, 1];
  for (let middle = 0.5; middle > low && middle < high; middle = (low + high) / 2) {
    if (binomialTail(k, n, middle) > probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Two models on the same samples. */
export interface McNemar {
  /** Samples that only the first has right, and only the second. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Probability of so unequal counts, either way, if the models were equally good: from the binomial distribution. */
  readonly exact: number;
  /** The same by chi-square with continuity correction, for many samples; and its statistic. */
  readonly chiSquare: number;
  readonly statistic: number;
}

/**
 * Whether two models differ on the same samples (McNemar, 1947; the correction is Edwards', 1948).
 *
 * @param first whether the first model has each sample right, [N]
 */
export function mcNemar(first: ArrayLike<boolean>, second: ArrayLike<boolean>): McNemar {
  expectList(first, 'mcNemar: first');
  expectList(second, 'mcNemar: second');
  if (first.length !== second.length)
    throw new UsageError(`mcNemar: expects two models on the same samples, got ${first.length} and ${second.length}`);
  let [onlyFirst, onlySecond] = [0, 0];
  for (let n = 0; n < first.length; n++) {
    if (first[n] && !second[n]) onlyFirst++;
    if (!first[n] && second[n]) onlySecond++;
  }
  const differ = onlyFirst + onlySecond;
  const statistic = differ === 0 ? 0 : square(Math.max(0, Math.abs(onlyFirst - onlySecond) - 1)) / differ;
  return {
    onlyFirst,
    onlySecond,
    statistic,
    exact: Math.min(1, 2 * binomialTail(Math.min(onlyFirst, onlySecond), differ, 0.5)),
    chiSquare: differ === 0 ? 1 : erfc(Math.sqrt(statistic / 2)),
  };
}

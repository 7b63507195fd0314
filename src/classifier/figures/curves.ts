/**
 * Figures of one class against the rest, over all thresholds: ROC and precision-recall curves and their areas, as scikit-learn
 * defines them. Samples of one score pass a threshold together, so ties never depend on an order.
 */
import { expectArray, expectFunction } from '../../expect.js';
import { checkBinary, checkProbabilities } from './checks.js';

/** Samples by falling score. */
export interface Ranking {
  readonly labels: ArrayLike<number>;
  /** The different scores, falling. */
  readonly thresholds: Float64Array;
  /** Samples by falling score, [N] */
  readonly order: Uint32Array;
  /** Behind the last sample of each different score in `order`. */
  readonly ends: Uint32Array;
}

/** How many samples score at least so much, for each different score. */
export interface Alerts {
  readonly thresholds: Float64Array;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

/**
 * @param labels 1 for the class, 0 for the rest
 * @param scores its probabilities, or anything that grows with them
 * @throws UsageError for what is neither
 */
export function rank(labels: ArrayLike<number>, scores: ArrayLike<number>, name = 'rank'): Ranking {
  checkBinary(name, labels, scores);
  const order = Uint32Array.from({ length: labels.length }, (_, n) => n).toSorted((a, b) => scores[b] - scores[a]);
  const thresholds: number[] = [];
  const ends: number[] = [];
  for (const [position, n] of order.entries()) {
    if (thresholds.at(-1) !== scores[n]) {
      thresholds.push(scores[n]);
      ends.push(position);
    }
    ends[ends.length - 1] = position + 1;
  }
  return { labels, thresholds: Float64Array.from(thresholds), order, ends: Uint32Array.from(ends) };
}

/** @param weights how often each sample counts, [N]; default once */
export function alertsOf({ labels, thresholds, order, ends }: Ranking, weights?: ArrayLike<number>): Alerts {
  const positives = new Float64Array(ends.length);
  const negatives = new Float64Array(ends.length);
  const passed = [0, 0];
  let position = 0;
  for (const [step, end] of ends.entries()) {
    for (; position < end; position++) {
      const n = order[position];
      passed[labels[n]] += weights ? weights[n] : 1;
    }
    [negatives[step], positives[step]] = passed;
  }
  return { thresholds, positives, negatives };
}

const last = (counts: Float64Array): number => counts.at(-1) ?? 0;

/** See {@link rocAuc}. */
export function areaUnderRoc({ positives, negatives }: Alerts): number {
  let area = 0;
  let [p, n] = [0, 0];
  for (let step = 0; step < positives.length; step++) {
    area += (negatives[step] - n) * (p + positives[step]);
    [p, n] = [positives[step], negatives[step]];
  }
  return p > 0 && n > 0 ? area / (2 * p * n) : Number.NaN;
}

/** See {@link averagePrecision}. */
export function averagePrecisionOf({ positives, negatives }: Alerts): number {
  let sum = 0;
  let found = 0;
  for (let step = 0; step < positives.length; step++) {
    const p = positives[step];
    if (p > found) sum += (p - found) * (p / (p + negatives[step]));
    found = p;
  }
  return found > 0 ? sum / found : Number.NaN;
}

/**
 * Area under the receiver operating characteristic: the probability that a positive scores higher than a negative, ties
 * counting half (Hanley and McNeil, 1982). NaN without both kinds.
 *
 * @param labels 1 for the class, 0 for the rest
 * @param scores its probabilities
 */
export const rocAuc = (labels: ArrayLike<number>, scores: ArrayLike<number>): number =>
  areaUnderRoc(alertsOf(rank(labels, scores, 'rocAuc')));

/**
 * Average precision: Σ (recall_k − recall_k−1) · precision_k over the different scores, without interpolation, as
 * scikit-learn computes it. NaN without positives.
 */
export const averagePrecision = (labels: ArrayLike<number>, scores: ArrayLike<number>): number =>
  averagePrecisionOf(alertsOf(rank(labels, scores, 'averagePrecision')));

/** The mean over all classes, each against the rest (one-vs-rest, macro). NaN when one has no sample. @param probabilities [N][classes] */
export function meanOverClasses(
  figure: (labels: ArrayLike<number>, scores: ArrayLike<number>) => number,
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
): number {
  expectFunction(figure, 'meanOverClasses: figure');
  expectArray(probabilities, 'meanOverClasses: probabilities');
  checkProbabilities('meanOverClasses', labels, probabilities);
  const classes = probabilities[0]?.length ?? 0;
  let sum = 0;
  for (let label = 0; label < classes; label++)
    sum += figure(
      Array.from(labels, (each) => Number(each === label)),
      probabilities.map((row) => row[label]),
    );
  return sum / classes;
}

export interface RocPoint {
  /** From this score on it is the class; Infinity at the first point, where nothing is. */
  readonly threshold: number;
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
}

/** From (0, 0) to (1, 1), a point for each different score. */
export function rocCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): RocPoint[] {
  const { thresholds, positives, negatives } = alertsOf(rank(labels, scores, 'rocCurve'));
  return [
    { threshold: Infinity, falsePositiveRate: 0, truePositiveRate: 0 },
    ...Array.from(thresholds, (threshold, step) => ({
      threshold,
      falsePositiveRate: negatives[step] / last(negatives),
      truePositiveRate: positives[step] / last(positives),
    })),
  ];
}

export interface PrecisionRecallPoint {
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
}

/** From recall 0, where the precision is 1 by convention, to recall 1, a point for each different score. */
export function precisionRecallCurve(labels: ArrayLike<number>, scores: ArrayLike<number>): PrecisionRecallPoint[] {
  const { thresholds, positives, negatives } = alertsOf(rank(labels, scores, 'precisionRecallCurve'));
  return [
    { threshold: Infinity, precision: 1, recall: 0 },
    ...Array.from(thresholds, (threshold, step) => ({
      threshold,
      precision: positives[step] / (positives[step] + negatives[step]),
      recall: positives[step] / last(positives),
    })),
  ];
}

export interface AlarmErrors {
  readonly positives: number;
  readonly negatives: number;
  /** Positives below the threshold. */
  readonly missed: number;
  /** Negatives at the threshold or above. */
  readonly falseAlarms: number;
}

/** What an alarm at `threshold` gets wrong. */
export function alarmErrors(labels: ArrayLike<number>, scores: ArrayLike<number>, threshold: number): AlarmErrors {
  checkBinary('alarmErrors', labels, scores);
  let [positives, missed, falseAlarms] = [0, 0, 0];
  for (let n = 0; n < labels.length; n++) {
    positives += labels[n];
    if (labels[n] === 1 && scores[n] < threshold) missed++;
    if (labels[n] === 0 && scores[n] >= threshold) falseAlarms++;
  }
  return { positives, negatives: labels.length - positives, missed, falseAlarms };
}

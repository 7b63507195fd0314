/**
 * From which probability on the alarm is raised: chosen by what mistakes cost, by how many false alarms a shift bears, or by the
 * part that may be missed, on labelled pictures that the model was not trained on; and what these cannot tell.
 */
import { atOnce, inTurns, type Stepwise } from '../../turns.js';
import { expectObject, received } from '../../expect.js';
import { DataError, UsageError } from '../../errors.js';
import { log, log1p } from '../../tensor/exact-math.js';
import { alarmErrors, type AlarmErrors } from './curves.js';
import {
  FEWEST_GROUPS,
  percentileInterval,
  proportionInterval,
  resampleStepwise,
  type BootstrapOptions,
  type IntervalOrReason,
} from './intervals.js';
import { smoother, THRESHOLDS, thresholdAt, type SmoothRates } from './smooth-rates.js';

/** The least expected cost. */
export interface CostCriterion {
  readonly costMiss: number;
  readonly costFalse: number;
  /** Part of the belt's pictures that are of the class; default: as among the pictures given. */
  readonly prevalence?: number | undefined;
}

/** The fewest misses with at most so many false alarms. Nearly all pictures of a shift are taken to be good. */
export interface ShiftCriterion {
  readonly falsePerShift: number;
  readonly picturesPerShift: number;
}

/** The fewest false alarms with at most this part missed. */
export interface MissCriterion {
  readonly maximumMissRate: number;
}

export type ThresholdCriterion = CostCriterion | ShiftCriterion | MissCriterion;

/** What is to be expected of an alarm at a threshold, on pictures that are yet to come. */
export interface ThresholdPoint {
  readonly threshold: number;
  readonly missRate: number;
  readonly falseAlarmRate: number;
  /** Of a picture; null where nothing is said of costs. */
  readonly cost: number | null;
}

export interface ThresholdChoice {
  readonly threshold: number;
  /** Where the threshold falls when the pictures are drawn again, in 95 of 100 draws. */
  readonly interval: IntervalOrReason;
  readonly expected: ThresholdPoint;
  /** Of the expected cost. */
  readonly costInterval: IntervalOrReason | null;
  /** The same at 0.5, to compare. */
  readonly atHalf: ThresholdPoint;
  /** What the alarm does on the pictures given. */
  readonly counted: AlarmErrors & {
    readonly missRate: IntervalOrReason;
    readonly falseAlarmRate: IntervalOrReason;
  };
  /** Over rising thresholds. */
  readonly curve: readonly ThresholdPoint[];
  /** Sentences. */
  readonly cannotKnow: readonly string[];
}

/** Of the curve: every fifth threshold, a quarter in log odds. */
const CURVE_STEP = 5;

/**
 * @param labels 1 for the alert's class, 0 for the rest
 * @param scores probability of the alert's class
 * @throws UsageError for a criterion that cannot be meant; DataError for pictures of one kind only
 */
export function chooseThreshold(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  criterion: ThresholdCriterion,
  options: BootstrapOptions = {},
): ThresholdChoice {
  return atOnce(thresholdStepwise(labels, scores, criterion, options));
}

/** The same with turns of the event loop: of a hundred thousand pictures it takes many seconds. */
export function chooseThresholdInTurns(...given: Parameters<typeof chooseThreshold>): Promise<ThresholdChoice> {
  return inTurns(thresholdStepwise(...given));
}

function* thresholdStepwise(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  criterion: ThresholdCriterion,
  given: BootstrapOptions = {},
): Stepwise<ThresholdChoice> {
  checkCriterion(criterion);
  expectObject(given, 'chooseThreshold: options');
  const { resamples = 500, ...options } = given;
  const { positives, negatives } = alarmErrors(labels, scores, 0.5);
  if (positives === 0 || negatives === 0)
    throw new DataError(
      `threshold: expects pictures with the alert's class and without, got ${positives} and ${negatives}; add what is missing`,
    );
  const ratesOf = smoother(labels, scores);
  const cost = costOf(criterion, positives / (positives + negatives));
  const rates = ratesOf(new Uint8Array(labels.length).fill(1));
  const index = bestIndex(rates, criterion, cost);
  const point = (at: number, threshold = thresholdAt(at)): ThresholdPoint => {
    const [missRate, falseAlarmRate] = [rates.miss[at], rates.falseAlarm[at]];
    return { threshold, missRate, falseAlarmRate, cost: cost && cost(missRate, falseAlarmRate) };
  };
  const expected = point(index);
  const { threshold } = expected;

  const thresholds: number[] = [];
  const costs: number[] = [];
  yield* resampleStepwise(labels, { ...options, resamples }, (weights) => {
    const drawn = ratesOf(weights);
    thresholds.push(thresholdAt(bestIndex(drawn, criterion, cost)));
    if (cost) costs.push(cost(drawn.miss[index], drawn.falseAlarm[index]));
  });
  const few = [1, 0].map((label) => groupsWith(labels, label, options.groups));
  const fewest = Math.min(...few);
  const what = options.groups === undefined ? 'pictures' : 'groups';
  const reason = `too few ${what} (${few[0]} with the class, ${few[1]} without)`;
  const spread = (values: readonly number[]): IntervalOrReason =>
    fewest < FEWEST_GROUPS ? { reason } : percentileInterval(values, options.confidence);

  const part = (label: number, holds: (score: number) => boolean): IntervalOrReason => {
    const { groups, ...rest } = options;
    const samples = Array.from(labels, (_, n) => n).filter((n) => labels[n] === label);
    const held = samples.map((n) => holds(scores[n]));
    return proportionInterval(held, { ...rest, groups: groups && samples.map((n) => groups[n]) });
  };
  const counted = {
    ...alarmErrors(labels, scores, threshold),
    missRate: part(1, (score) => score < threshold),
    falseAlarmRate: part(0, (score) => score >= threshold),
  };
  const curve: ThresholdPoint[] = [];
  for (let at = 0; at < THRESHOLDS; at += CURVE_STEP) curve.push(point(at));
  return {
    threshold,
    interval: spread(thresholds),
    expected,
    costInterval: cost && spread(costs),
    atHalf: point((THRESHOLDS - 1) / 2, 0.5),
    counted,
    curve,
    cannotKnow: [
      ...(fewest < FEWEST_GROUPS ? [`${reason}: another ${few[0]} might give quite another threshold`] : []),
      ...limitsOf(criterion, counted, threshold),
    ],
  };
}

type Cost = (missRate: number, falseAlarmRate: number) => number;

/** Expected cost of a picture. */
function costOf(criterion: ThresholdCriterion, share: number): Cost | null {
  if (!('costMiss' in criterion)) return null;
  const { costMiss, costFalse, prevalence = share } = criterion;
  return (missRate, falseAlarmRate) => costMiss * prevalence * missRate + costFalse * (1 - prevalence) * falseAlarmRate;
}

/** Misses grow with the threshold, false alarms fall. */
function bestIndex({ miss, falseAlarm }: SmoothRates, criterion: ThresholdCriterion, cost: Cost | null): number {
  if ('maximumMissRate' in criterion)
    return Math.max(
      0,
      miss.findLastIndex((rate) => rate <= criterion.maximumMissRate),
    );
  if ('falsePerShift' in criterion) {
    const allowed = criterion.falsePerShift / criterion.picturesPerShift;
    return falseAlarm.findIndex((rate) => rate <= allowed);
  }
  const costs = Array.from(miss, (rate, index) => (cost as Cost)(rate, falseAlarm[index]));
  const least = Math.min(...costs);
  // Far from all pictures costs are equal to the last digit: the middle between both kinds.
  const first = costs.findIndex((each) => each <= least * (1 + 1e-9) + 1e-12);
  let last = first;
  while (last + 1 < costs.length && costs[last + 1] <= least * (1 + 1e-9) + 1e-12) last++;
  return Math.round((first + last) / 2);
}

function groupsWith(labels: ArrayLike<number>, label: number, groups: BootstrapOptions['groups']): number {
  const found = new Set<string | number>();
  for (let n = 0; n < labels.length; n++) if (labels[n] === label) found.add(groups ? groups[n] : n);
  return found.size;
}

/** What the pictures cannot tell: where the interval of a rate reaches beyond what is asked for. */
function limitsOf(
  criterion: ThresholdCriterion,
  { positives, negatives, missRate, falseAlarmRate }: ThresholdChoice['counted'],
  threshold: number,
): string[] {
  if ('maximumMissRate' in criterion) {
    const { maximumMissRate: asked } = criterion;
    const sees = `${positives} with the class`;
    return beyond(asked, missRate, `that at most ${percent(asked)} are missed`, sees, (rate) => percent(rate));
  }
  if ('falsePerShift' in criterion) {
    const { falsePerShift, picturesPerShift } = criterion;
    const claim = `that a shift has at most ${falsePerShift} false alarms`;
    const perShift = (rate: number): string => String(Math.ceil(rate * picturesPerShift));
    return beyond(falsePerShift / picturesPerShift, falseAlarmRate, claim, `${negatives} without it`, perShift);
  }
  if (threshold === 0)
    return ['at these costs an alarm that is always raised is the cheapest: the model is of no use for them'];
  if (threshold === 1)
    return ['at these costs an alarm that is never raised is the cheapest: the model is of no use for them'];
  return criterion.prevalence === undefined
    ? [
        `how often the class is on the belt: ${percent(positives / (positives + negatives))} is taken, as in these pictures`,
      ]
    : [];
}

function beyond(
  asked: number,
  rate: IntervalOrReason,
  claim: string,
  pictures: string,
  inWords: (rate: number) => string,
): string[] {
  if ('reason' in rate) return [`${claim}: ${rate.reason}`];
  if (rate.high <= asked) return [];
  const needed = Math.ceil(log(0.025) / log1p(-asked));
  const way = asked > 0 ? `; it takes ${needed} without such a mistake` : '; no number of pictures shows that';
  return [`${claim}: of pictures like these ${pictures} it may be up to ${inWords(rate.high)}${way}`];
}

const percent = (part: number): string => `${Number((100 * part).toPrecision(2))} %`;

/** @throws UsageError for a criterion that cannot be meant */
function checkCriterion(criterion: ThresholdCriterion): void {
  expectObject(criterion, 'threshold: criterion');
  const isAbove0 = (value: number): boolean => value > 0 && value < Infinity;
  const expect = (name: string, value: number, what: string, holds: (value: number) => boolean): void => {
    if (typeof value !== 'number' || !holds(value))
      throw new UsageError(`threshold: expects ${what} as ${name}, got ${received(value)}`);
  };
  if ('maximumMissRate' in criterion) {
    const { maximumMissRate: rate } = criterion;
    return expect('maximumMissRate', rate, 'a part from 0 to below 1', (part) => part >= 0 && part < 1);
  }
  if ('falsePerShift' in criterion) {
    const { falsePerShift, picturesPerShift } = criterion;
    expect('picturesPerShift', picturesPerShift, 'a number above 0', isAbove0);
    const what = `a number from 0 to the ${picturesPerShift} pictures of a shift`;
    return expect('falsePerShift', falsePerShift, what, (value) => value >= 0 && value <= picturesPerShift);
  }
  const { costMiss, costFalse, prevalence = 0.5 } = criterion;
  for (const [name, value] of Object.entries({ costMiss, costFalse }))
    expect(name, value, 'a number above 0', isAbove0);
  expect('prevalence', prevalence, 'a part above 0 and below 1', (part) => part > 0 && part < 1);
}

/** Why the threshold is what it is, in a sentence. */
export function reasonOf(criterion: ThresholdCriterion): string {
  checkCriterion(criterion);
  if ('maximumMissRate' in criterion)
    return `the fewest false alarms with at most ${percent(criterion.maximumMissRate)} missed`;
  if ('falsePerShift' in criterion)
    return `the fewest misses with at most ${criterion.falsePerShift} false alarms in ${criterion.picturesPerShift} pictures`;
  const { costMiss, costFalse, prevalence } = criterion;
  const share = prevalence === undefined ? '' : ` and ${percent(prevalence)} of the pictures of the class`;
  return `the least expected cost, with ${costMiss} for a miss, ${costFalse} for a false alarm${share}`;
}

/** Thresholds: against scores whose best threshold is known, and what too few pictures cannot tell. */
import { describe, expect, test } from 'vitest';
import { smoother, THRESHOLDS, thresholdAt } from '../../src/classifier/figures/smooth-rates.js';
import { chooseThreshold, reasonOf, type ThresholdCriterion } from '../../src/classifier/figures/threshold.js';
import { normalTail } from '../../src/classifier/figures/normal.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const logit = (p: number): number => Math.log(p / (1 - p));

/** Log odds are normal, of deviation 1, about −2 without the class and 2 with it. */
function drawn(positives: number, negatives: number, seed = 0): { labels: number[]; scores: number[] } {
  const random = new Random(seed, RandomStream.synthetic, positives, negatives);
  const labels = Array.from({ length: positives + negatives }, (_, n) => Number(n < positives));
  return { labels, scores: labels.map((label) => sigmoid(random.normal() + 4 * label - 2)) };
}
const [missOf, falseOf] = [(t: number) => normalTail(logit(t) - 2), (t: number) => 1 - normalTail(logit(t) + 2)];
const costs = { costMiss: 50, costFalse: 1, prevalence: 0.01 };
const quick = { resamples: 40 };

describe('chooseThreshold', () => {
  test('by cost: near the best that there is, t where densities are as the costs (from many pictures)', () => {
    // cm · π · φ(x − 2) = cf · (1 − π) · φ(x + 2) ⇔ 4x = log(cf · (1 − π) / (cm · π))
    const best = Math.log((1 - costs.prevalence) / (50 * costs.prevalence)) / 4;
    const { labels, scores } = drawn(20_000, 20_000);
    const choice = chooseThreshold(labels, scores, costs, quick);
    expect(Math.abs(logit(choice.threshold) - best)).toBeLessThan(0.2);
    const { expected, interval, costInterval, atHalf } = choice;
    expect(expected.missRate).toBeCloseTo(missOf(choice.threshold), 2);
    expect(expected.falseAlarmRate).toBeCloseTo(falseOf(choice.threshold), 2);
    expect(expected.cost).toBeCloseTo(0.5 * expected.missRate + 0.99 * expected.falseAlarmRate, 12);
    expect(expected.cost).toBeLessThanOrEqual(atHalf.cost ?? 0);
    if (!('low' in interval) || !costInterval || !('low' in costInterval))
      throw new Error('no interval of many pictures');
    expect(interval.low).toBeLessThanOrEqual(choice.threshold);
    expect(interval.high).toBeGreaterThanOrEqual(choice.threshold);
    expect(costInterval.low).toBeLessThan(expected.cost ?? 0);
    expect(choice.cannotKnow).toEqual([]);
  });

  test('by cost from 50 + 50: the cost of fresh pictures is at most 0.7 of that at 0.5, in 9 of 10 draws', () => {
    const dear = { costMiss: 50, costFalse: 1, prevalence: 0.5 };
    const fresh = (t: number): number => 25 * missOf(t) + 0.5 * falseOf(t);
    const ratios = Array.from({ length: 20 }, (_, seed) => {
      const { labels, scores } = drawn(50, 50, seed);
      return fresh(chooseThreshold(labels, scores, dear, { resamples: 1 }).threshold) / fresh(0.5);
    }).toSorted((a, b) => a - b);
    expect(ratios[17]).toBeLessThanOrEqual(0.7);
  });

  test('by misses: the part that is missed of fresh pictures is about what is asked for', () => {
    const { labels, scores } = drawn(1000, 1000);
    const choice = chooseThreshold(labels, scores, { maximumMissRate: 0.05 }, quick);
    expect(missOf(choice.threshold)).toBeGreaterThan(0.03);
    expect(missOf(choice.threshold)).toBeLessThan(0.065);
    expect(choice.expected.cost).toBeNull();
    expect(choice.costInterval).toBeNull();
  });

  test('by false alarms of a shift', () => {
    const { labels, scores } = drawn(1000, 1000);
    const choice = chooseThreshold(labels, scores, { falsePerShift: 300, picturesPerShift: 28_800 }, quick);
    expect(falseOf(choice.threshold)).toBeGreaterThan(0.005);
    expect(falseOf(choice.threshold)).toBeLessThan(0.016);
  });

  test('says what few pictures cannot tell, and how many it takes', () => {
    const { labels, scores } = drawn(50, 400);
    expect(chooseThreshold(labels, scores, { maximumMissRate: 0.01 }, quick).cannotKnow).toEqual([
      expect.stringMatching(
        /^that at most 1 % are missed: of pictures like these 50 with the class it may be up to [\d.]+ %; it takes 368 without such a mistake$/,
      ),
    ]);
    const shift = chooseThreshold(labels, scores, { falsePerShift: 2, picturesPerShift: 28_800 }, quick);
    expect(shift.cannotKnow[0]).toMatch(
      /^that a shift has at most 2 false alarms: .* up to \d+; it takes 53119 without/,
    );
    const { costMiss, costFalse } = costs;
    expect(chooseThreshold(labels, scores, { costMiss, costFalse }, quick).cannotKnow).toEqual([
      'how often the class is on the belt: 11 % is taken, as in these pictures',
    ]);
    const few = drawn(4, 100);
    const choice = chooseThreshold(few.labels, few.scores, costs, quick);
    expect(choice.interval).toEqual({ reason: 'too few pictures (4 with the class, 100 without)' });
    expect(choice.cannotKnow[0]).toContain('another 4 might give quite another threshold');
    const groups = labels.map((_, n) => n % 5);
    expect(chooseThreshold(labels, scores, costs, { ...quick, groups }).interval).toEqual({
      reason: 'too few groups (5 with the class, 5 without)',
    });
  });

  test('a model that knows nothing: always, or never', () => {
    const labels = Array.from({ length: 80 }, (_, n) => n % 2);
    const scores = labels.map((_, n) => sigmoid((((n >> 1) * 7) % 40) / 10 - 2));
    const always = chooseThreshold(labels, scores, { ...costs, prevalence: 0.5 }, quick);
    expect(always.threshold).toBeLessThan(Math.min(...scores));
    const never = chooseThreshold(labels, scores, { costMiss: 1, costFalse: 50, prevalence: 0.5 }, quick);
    expect(never.threshold).toBeGreaterThan(Math.max(...scores));
  });

  test('scores of exactly 0 and 1, and perfect ones: between both', () => {
    const labels = Array.from({ length: 80 }, (_, n) => n % 2);
    const { threshold, expected } = chooseThreshold(labels, labels, costs, quick);
    expect(threshold).toBeGreaterThan(0.01);
    expect(threshold).toBeLessThan(0.99);
    expect(expected.cost).toBeCloseTo(0, 9);
  });

  test.each<[ThresholdCriterion, string]>([
    [{ costMiss: 0, costFalse: 1 }, 'expects a number above 0 as costMiss, got 0'],
    [{ costMiss: 1, costFalse: 1, prevalence: 1 }, 'expects a part above 0 and below 1 as prevalence, got 1'],
    [{ maximumMissRate: 1 }, 'expects a part from 0 to below 1 as maximumMissRate, got 1'],
    [
      { falsePerShift: 3, picturesPerShift: 2 },
      'expects a number from 0 to the 2 pictures of a shift as falsePerShift, got 3',
    ],
  ])('refuses %j', (criterion, message) => {
    expect(() => chooseThreshold([0, 1], [0.1, 0.9], criterion)).toThrow(message);
  });

  test('refuses pictures of one kind', () => {
    expect(() => chooseThreshold([1, 1], [0.1, 0.9], costs)).toThrow(
      "expects pictures with the alert's class and without, got 2 and 0",
    );
  });

  test('has its reason in words', () => {
    expect(reasonOf(costs)).toBe(
      'the least expected cost, with 50 for a miss, 1 for a false alarm and 1 % of the pictures of the class',
    );
    expect(reasonOf({ maximumMissRate: 0.01 })).toBe('the fewest false alarms with at most 1 % missed');
  });
});

test('thresholds rise from 0 to 1, and are the half in the middle', () => {
  for (let index = 1; index < THRESHOLDS; index++) expect(thresholdAt(index)).toBeGreaterThan(thresholdAt(index - 1));
  expect([thresholdAt(0), thresholdAt((THRESHOLDS - 1) / 2), thresholdAt(THRESHOLDS - 1)]).toEqual([0, 0.5, 1]);
});

test('smooth rates are between nothing and all, and fall or rise with the threshold', () => {
  const { labels, scores } = drawn(30, 40);
  const { miss, falseAlarm } = smoother(labels, scores)(labels.map(() => 1));
  expect([miss[0], falseAlarm[0], miss.at(-1), falseAlarm.at(-1)]).toEqual([0, 1, 1, 0]);
  for (let index = 1; index < THRESHOLDS; index++) {
    expect(miss[index]).toBeGreaterThanOrEqual(miss[index - 1]);
    expect(falseAlarm[index]).toBeLessThanOrEqual(falseAlarm[index - 1]);
  }
});

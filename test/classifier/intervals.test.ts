/** Intervals: how often they hold the truth, simulated; test/long/coverage.test.ts does so at more places and more often. */
import { describe, expect, test } from 'vitest';
import { clopperPearson, type Interval } from '../../src/classifier/figures/binomial.js';
import {
  averagePrecisionInterval,
  FEWEST_GROUPS,
  proportionInterval,
  resample,
  rocAucInterval,
} from '../../src/classifier/figures/intervals.js';
import { areaCoverage, clusterCoverage, proportionCoverage } from './coverage.js';

describe('coverage of 95 % intervals', () => {
  test.each([0.5, 0.95, 0.99])('proportions of %d', (p) => {
    for (const n of [20, 50, 100, 500]) expect(proportionCoverage(p, n)).toBeGreaterThanOrEqual(0.95);
  });

  test('proportions of groups', () => {
    expect(clusterCoverage(0.95, 40, 10, 0.5, 300)).toBeGreaterThanOrEqual(0.93);
  });

  test('areas under the ROC curve, near 1 and of unequal classes', () => {
    expect(areaCoverage(0.95, 20, 60, { sets: 100, resamples: 200 })).toBeGreaterThanOrEqual(0.93);
    expect(areaCoverage(0.99, 20, 20, { sets: 100, resamples: 200 })).toBeGreaterThanOrEqual(0.93);
  });
});

describe('intervals', () => {
  const labels = Array.from({ length: 60 }, (_, n) => n % 2);
  const scores = labels.map((label, n) => ((n * 37) % 60) / 60 + label / 4);
  const isInterval = (given: object): Interval => {
    expect(given).toHaveProperty('low');
    return given as Interval;
  };

  test('of independent samples are Clopper and Pearson’s', () => {
    const holds = labels.map((label) => label === 1);
    expect(proportionInterval(holds)).toEqual(clopperPearson(30, 60));
    expect(proportionInterval(holds, { groups: labels.map((_, n) => n), confidence: 0.9 })).toEqual(
      clopperPearson(30, 60, 0.9),
    );
  });

  test('of 100 copies of each of 25 pictures are those of 25, not of 2500', () => {
    const holds = Array.from({ length: 2500 }, (_, n) => n % 25 !== 0);
    const groups = holds.map((_, n) => n % 25);
    const { low, high } = isInterval(proportionInterval(holds, { groups }));
    const once = clopperPearson(24, 25);
    expect(low).toBeGreaterThan(once.low - 0.05);
    expect(low).toBeLessThan(once.low + 0.01);
    expect(high).toBeGreaterThan(0.99);
    const all = isInterval(proportionInterval(holds.map(() => true), { groups })); // prettier-ignore
    expect(all).toEqual(clopperPearson(25, 25));
  });

  test('there are none of too few groups, and why', () => {
    const groups = labels.map((_, n) => n % 4);
    expect(proportionInterval(labels.map(Boolean), { groups })).toEqual({ reason: 'too few groups (4)' });
    expect(rocAucInterval(labels, scores, { groups })).toEqual({ reason: 'too few groups of the class (2)' });
    expect(rocAucInterval([1, 0, 0], [1, 0, 0])).toEqual({ reason: 'too few pictures of the class (1)' });
    const mostly = [0, ...Array<number>(FEWEST_GROUPS).fill(1)];
    expect(rocAucInterval(mostly, mostly)).toEqual({ reason: 'too few pictures of the others (1)' });
    expect(proportionInterval([])).toEqual({ reason: 'no pictures' });
  });

  test('perfect order is worth as many trials as there are pairs without a picture in common', () => {
    expect(rocAucInterval(labels, labels)).toEqual(clopperPearson(30, 30));
    expect(averagePrecisionInterval(labels, labels)).toEqual(clopperPearson(30, 30));
  });

  test('depend on the seed alone, and get wider by groups that are alike', () => {
    const alone = isInterval(rocAucInterval(labels, scores, { resamples: 300 }));
    expect(rocAucInterval(labels, scores, { resamples: 300 })).toEqual(alone);
    expect(rocAucInterval(labels, scores, { resamples: 300, seed: 1 })).not.toEqual(alone);
    const fourTimes = <Value>(values: readonly Value[]): Value[] => [...values, ...values, ...values, ...values];
    const groups = fourTimes(labels.map((_, n) => n));
    const copies = isInterval(rocAucInterval(fourTimes(labels), fourTimes(scores), { resamples: 300, groups }));
    expect(copies.low).toBeCloseTo(alone.low, 1);
    const believed = isInterval(rocAucInterval(fourTimes(labels), fourTimes(scores), { resamples: 300 }));
    expect(believed.high - believed.low).toBeLessThan((alone.high - alone.low) * 0.65);
  });

  test('groups are drawn whole, on either side as many as there are', () => {
    const groups = labels.map((_, n) => Math.floor(n / 4)); // each with two of the class, two without
    resample(labels, { groups, resamples: 20 }, (weights) => {
      for (let n = 0; n < 60; n++) expect(weights[n]).toBe(weights[n - (n % 4)]);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(60);
    });
    resample(labels, { resamples: 20 }, (weights) => {
      expect(weights.reduce((sum, weight, n) => sum + weight * labels[n], 0)).toBe(30);
    });
    expect(() => rocAucInterval(labels, scores, { groups: [1] })).toThrow(
      'expects a group for each of 60 samples, got 1',
    );
  });
});

/** Coverage of the 95 % intervals at many places: never below 93 %. */
import { describe, expect, test } from 'vitest';
import { areaCoverage, clusterCoverage, proportionCoverage } from '../classifier/coverage.js';

describe('95 % intervals hold the truth in 93 % of sets or more', () => {
  test.each([0.5, 0.95, 0.99])('proportions of %d, exactly, n = 20 … 500', (p) => {
    for (let n = 20; n <= 500; n += 20) expect(proportionCoverage(p, n), `n = ${n}`).toBeGreaterThanOrEqual(0.95);
  });

  test.each([0.5, 0.95, 0.99] as const)('proportions of %d in groups', (p) => {
    for (const groups of [20, 50])
      for (const alike of [0, 0.3, 0.5, 1])
        expect(clusterCoverage(p, groups, 10, alike, 2000), `${groups} groups, ${alike}`).toBeGreaterThanOrEqual(0.93);
  });

  test.each([0.5, 0.9, 0.95, 0.99] as const)('areas of %d', (area) => {
    for (const [positives, negatives] of [
      [20, 20],
      [20, 80],
      [50, 50],
      [100, 400],
    ] as const)
      expect(
        areaCoverage(area, positives, negatives, { sets: 1000, resamples: 300 }),
        `${positives} + ${negatives}`,
      ).toBeGreaterThanOrEqual(0.93);
  });
});

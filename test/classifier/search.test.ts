/** Search: points that spread evenly, trials that depend on their numbers alone, rungs, and the optimism of choosing. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EpochRecord } from '../../src/classifier/epoch-record.js';
import { optimismOf, ranked, rungsOf, type TrialEpochs } from '../../src/classifier/search/rungs.js';
import { MOST_DIMENSIONS, sobolBits, sobolPoint } from '../../src/classifier/search/sobol.js';
import { parseSpace, trialValues } from '../../src/classifier/search/space.js';

describe("Sobol's sequence", () => {
  test('is that of SciPy, in all dimensions', () => {
    const expected = JSON.parse(
      readFileSync(new URL('search.reference.json', import.meta.url), 'utf8'),
    ) as readonly (readonly number[])[];
    expect(expected[0]).toHaveLength(MOST_DIMENSIONS);
    for (const [index, point] of expected.entries())
      expect(point.map((_, dimension) => sobolBits(index, dimension))).toEqual(point);
  });

  test('has one of 2^m points in each of 2^m intervals of each dimension, whatever the seed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 7 }), (seed, m) => {
        const points = Array.from({ length: 2 ** m }, (_, index) => sobolPoint(seed, index, MOST_DIMENSIONS));
        for (let dimension = 0; dimension < MOST_DIMENSIONS; dimension++)
          expect(new Set(points.map((point) => Math.floor(point[dimension] * 2 ** m))).size).toBe(2 ** m);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a space', () => {
  const space = parseSpace(
    '{"zoom": {"from": 0, "to": 0.5}, "lr": {"from": 1e-5, "to": 1, "scale": "log"}, "batch": [16, 32], "epochs": {"from": 1, "to": 3, "whole": true}}',
    'space.json',
  );

  test('gives values that are in it, and all of it', () => {
    for (const method of ['sobol', 'random'] as const) {
      const all = Array.from({ length: 256 }, (_, index) => trialValues(space, { method, seed: 5, index }));
      for (const { zoom, lr } of all as { zoom: number; lr: number }[]) {
        expect(zoom >= 0 && zoom <= 0.5 && lr >= 1e-5 && lr <= 1).toBe(true);
        expect(Number(lr.toPrecision(6))).toBe(lr);
      }
      expect(new Set(all.map(({ batch }) => batch))).toEqual(new Set([16, 32]));
      expect(new Set(all.map(({ epochs }) => epochs))).toEqual(new Set([1, 2, 3]));
      // A log scale: as many in each decade.
      const decades = [0, 1, 2, 3, 4].map(
        (n) => all.filter(({ lr }) => Math.floor(Math.log10(Number(lr))) === n - 5).length,
      );
      for (const amount of decades) expect(Math.abs(amount - 51)).toBeLessThan(method === 'sobol' ? 3 : 25);
    }
  });

  test('gives the same values in whatever order it is written; others by another seed', () => {
    const turned = parseSpace(
      '{"epochs": {"from": 1, "to": 3, "whole": true}, "batch": [16, 32], "lr": {"from": 1e-5, "to": 1, "scale": "log"}, "zoom": {"from": 0, "to": 0.5}}',
      'space.json',
    );
    const at = (of: typeof space, seed: number) => trialValues(of, { method: 'sobol', seed, index: 9 });
    expect(at(turned, 3)).toEqual(at(space, 3));
    expect(at(space, 4)).not.toEqual(at(space, 3));
  });

  test.each([
    ['[]', 'expects an object of options'],
    ['{}', 'expects an object of options'],
    ['{', 'space.json: expects JSON'],
    ['{"lr": 3}', 'space.json, lr: expects [16, 32, 64], or'],
    ['{"lr": []}', 'expects values such as'],
    ['{"lr": [null]}', 'expects values such as'],
    ['{"lr": [1, 1]}', 'expects each value once'],
    ['{"lr": {"from": 2, "to": 1}}', 'expects numbers with from below to'],
    ['{"lr": {"from": 0, "to": 1, "scale": "log"}}', 'expects from above 0 on a log scale'],
    ['{"lr": {"from": 0, "to": 1, "scale": "cubic"}}', 'expects the scale linear or log'],
    ['{"lr": {"from": 0, "to": 1.5, "whole": true}}', 'expects whole numbers'],
    ['{"lr": {"from": 0, "to": 1, "step": 2}}', 'expects from, to, scale and whole'],
  ])('%s is refused', (text, message) => expect(() => parseSpace(text, 'space.json')).toThrow(message));
});

const epoch = (number: number, balancedAccuracy: number, valLoss = 1): EpochRecord => ({
  ...{ epoch: number, balancedAccuracy, valLoss },
  ...{ loss: 1, accuracy: 1, seconds: 1, learningRate: 1 },
});

describe('successive halving', () => {
  test.each([
    [
      64,
      27,
      3,
      [
        [64, 1],
        [21, 3],
        [7, 9],
        [2, 27],
      ],
    ],
    [
      16,
      25,
      3,
      [
        [16, 3],
        [5, 9],
        [1, 25],
      ],
    ],
    [10, 5, 1, [[10, 5]]],
    [1, 9, 3, [[1, 9]]],
    [8, 1, 2, [[8, 1]]],
  ])('%i trials, %i epochs, by %i', (trials, epochs, by, expected) => {
    expect(rungsOf(trials, epochs, by).map((rung) => [rung.trials, rung.epochs])).toEqual(expected);
  });

  test('orders by the best epoch up to the rung; what was trained further, or looked at in another order, changes nothing', () => {
    const trials = fc.array(
      fc.array(fc.record({ accuracy: fc.integer({ min: 0, max: 4 }), loss: fc.integer({ min: 0, max: 3 }) }), {
        minLength: 3,
        maxLength: 6,
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(trials, fc.integer({ min: 1, max: 3 }), fc.infiniteStream(fc.nat()), (given, last, random) => {
        const all = given.map((epochs, index): TrialEpochs => ({
          index,
          epochs: epochs.map(({ accuracy, loss }, n) => epoch(n + 1, accuracy, loss)),
        }));
        const cut = all.map(({ index, epochs }): TrialEpochs => ({ index, epochs: epochs?.slice(0, last) ?? null }));
        const shuffled = cut
          .map((one) => ({ one, key: random.next().value as number }))
          .toSorted((a, b) => a.key - b.key);
        const order = (some: readonly TrialEpochs[]): number[] => ranked(some, last).map(({ index }) => index);
        expect(order(shuffled.map(({ one }) => one))).toEqual(order(all));
        const best = (index: number): [number, number] => {
          const sorted = given[index].slice(0, last).toSorted((a, b) => b.accuracy - a.accuracy || a.loss - b.loss);
          return [sorted[0].accuracy, sorted[0].loss];
        };
        const bests = order(all).map(best);
        for (const [n, [accuracy, loss]] of bests.slice(1).entries())
          expect(bests[n][0] > accuracy || (bests[n][0] === accuracy && bests[n][1] <= loss)).toBe(true);
      }),
    );
  });

  test('puts trials whose numbers overflowed last', () => {
    const trials = [
      { index: 0, epochs: null },
      { index: 1, epochs: [epoch(1, 0.5)] },
      { index: 2, epochs: [epoch(1, 0.9)] },
    ];
    expect(ranked(trials, 1).map(({ index }) => index)).toEqual([2, 1, 0]);
  });
});

describe('optimism', () => {
  test('of figures that agree is none, of a constant gap that gap', () => {
    const trials = [0.5, 0.7, 0.9].map((validation) => ({ validation, test: validation - 0.05 }));
    const { winner, mean, search } = optimismOf(trials, 0) ?? {};
    for (const value of [winner, mean, search?.mean, search?.low, search?.high]) expect(value).toBeCloseTo(0.05, 12);
    expect(optimismOf(trials.slice(1, 2), 0)).toBeNull();
  });

  test('of trials that are all alike but for noise is that of the best of so many', () => {
    // Validation is the truth and noise of two values; the best of n has the upper one but in 2^-n of cases.
    const trials = Array.from({ length: 16 }, (_, n) => ({ validation: 0.8 + (n % 2 === 0 ? 0.1 : -0.1), test: 0.8 }));
    const told = optimismOf(trials, 1);
    expect(told?.winner).toBeCloseTo(0.1, 12);
    expect(told?.mean).toBeCloseTo(0, 12);
    expect(told?.search.mean).toBeCloseTo(0.1, 3);
  });
});

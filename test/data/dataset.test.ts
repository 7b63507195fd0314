import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classCounts, split, subset } from '../../src/data/dataset.js';
import { DataError, UsageError } from '../../src/errors.js';
import { smallDataset } from './small-dataset.js';

test('classCounts counts', () => {
  expect(classCounts(smallDataset([3, 5]))).toEqual([3, 5]);
  expect(classCounts(smallDataset([0, 2]))).toEqual([0, 2]);
});

test('subset takes pictures, labels and files in the order of the indices', () => {
  const part = subset(smallDataset([3, 5]), [6, 1]);
  expect(Array.from(part.pictures as Uint8Array)).toEqual([...Array(18).fill(6), ...Array(18).fill(1)]);
  expect(Array.from(part.labels)).toEqual([1, 0]);
  expect(part.files).toEqual(['picture6', 'picture1']);
  expect(() => subset(smallDataset([3, 5]), [8])).toThrow(UsageError);
  expect(() => subset(smallDataset([3, 5]), [-1])).toThrow(/from 0 to 7, got -1/);
});

describe('split', () => {
  const splitArguments = [
    fc.integer({ min: 2, max: 60 }),
    fc.integer({ min: 2, max: 60 }),
    fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    fc.nat(),
  ] as const;

  test('holds each sample once and takes the same fraction of each class', () => {
    fc.assert(
      fc.property(...splitArguments, (first, second, fraction, seed) => {
        const dataset = smallDataset([first, second]);
        const { training, validation } = split(dataset, fraction, seed);
        expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual(dataset.files.map((_, index) => index));
        for (const [label, count] of [first, second].entries()) {
          const taken = validation.filter((index) => dataset.labels[index] === label).length;
          expect(taken).toBeGreaterThan(0);
          expect(taken).toBeLessThan(count);
          // Rounded to whole pictures, and moved by the rule of at least one on each side.
          expect(Math.abs(taken - count * fraction)).toBeLessThanOrEqual(1);
        }
        expect(training).toEqual(training.toSorted((a, b) => a - b));
      }),
    );
  });

  test('depends on the seed, and a class on nothing but its own samples', () => {
    const one = split(smallDataset([50, 50]), 0.2, 1);
    expect(split(smallDataset([50, 50]), 0.2, 1)).toEqual(one);
    expect(split(smallDataset([50, 50]), 0.2, 2)).not.toEqual(one);
    const firstClass = (indices: number[]) => indices.filter((index) => index < 50);
    expect(firstClass(split(smallDataset([50, 9]), 0.2, 1).validation)).toEqual(firstClass(one.validation));
  });

  test('takes every sample with the same probability', () => {
    const seeds = 2000;
    const taken = Array<number>(10).fill(0);
    for (let seed = 0; seed < seeds; seed++) {
      for (const index of split(smallDataset([10, 2]), 0.3, seed).validation) if (index < 10) taken[index]++;
    }
    const deviation = Math.sqrt(seeds * 0.3 * 0.7);
    for (const count of taken) expect(Math.abs(count - seeds * 0.3)).toBeLessThan(4.5 * deviation); // 1 in 15,000 beyond
  });

  test('refuses fractions and classes that cannot be split', () => {
    for (const fraction of [0, 1, -0.2, NaN, 20]) {
      expect(() => split(smallDataset([5, 5]), fraction, 0)).toThrow(UsageError);
    }
    expect(() => split(smallDataset([5, 1]), 0.2, 0)).toThrow(DataError);
    expect(() => split(smallDataset([5, 1]), 0.2, 0)).toThrow(/class 'class1' has 1 picture/);
  });
});

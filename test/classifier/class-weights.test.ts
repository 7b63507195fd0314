import { expect, test } from 'vitest';
import { classWeightsFor, unevenClasses } from '../../src/classifier/class-weights.js';
import { UsageError } from '../../src/errors.js';

const data = (...counts: number[]) => ({
  labels: counts.flatMap((count, label) => Array.from({ length: count }, () => label)),
  classNames: ['gap', 'ok', 'wet'].slice(0, counts.length),
});

test('balanced weights are those of compute_class_weight in scikit-learn 1.7', () => {
  expect(classWeightsFor('balanced', data(2, 10))).toEqual([3, 0.6]);
  const three = classWeightsFor('balanced', data(1, 2, 5));
  for (const [label, weight] of [2.6666666666666665, 1.3333333333333333, 0.5333333333333333].entries())
    expect(three[label]).toBeCloseTo(weight, 14);
});

test('weights by name; none; a name that is no class', () => {
  expect(classWeightsFor({ ok: 5 }, data(2, 10))).toEqual([1, 5]);
  expect(classWeightsFor('none', data(2, 10))).toEqual([1, 1]);
  expect(() => classWeightsFor({ gup: 5 }, data(2, 10))).toThrow(UsageError);
});

test('classes are uneven from 5 : 1 on', () => {
  expect(unevenClasses(data(2, 9))).toBeNull();
  expect(unevenClasses(data(2, 10))).toEqual({ most: 'ok', least: 'gap', ratio: 5 });
});

/**
 * Figures against scikit-learn's, intervals and tests against scipy's, in figures.reference.json (figures.py makes it): three sets
 * of probabilities with ties, of two and four classes.
 */
import { describe, expect, test } from 'vitest';
import { clopperPearson, mcNemar } from '../../src/classifier/figures/binomial.js';
import {
  accuracy,
  balancedAccuracy,
  classScores,
  confusionMatrix,
  majorityAccuracy,
} from '../../src/classifier/figures/confusion.js';
import {
  alarmErrors,
  averagePrecision,
  meanOverClasses,
  precisionRecallCurve,
  rocAuc,
  rocCurve,
} from '../../src/classifier/figures/curves.js';
import {
  brierScore,
  calibrationBins,
  expectedCalibrationError,
  logLoss,
} from '../../src/classifier/figures/probability-scores.js';
import { fitTemperature, withTemperature } from '../../src/classifier/figures/temperature.js';
import reference from './figures.reference.json' with { type: 'json' };

/** To 1e-9. */
const near = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 9) as unknown);
const isClass = (labels: readonly number[], label: number): number[] => labels.map((each) => Number(each === label));

describe.each(reference.sets.map((set, index) => ({ set, index })))('set $index', ({ set }) => {
  const { labels, probabilities } = set;
  const predicted = probabilities.map((row) => row.indexOf(Math.max(...row)));
  const matrix = confusionMatrix(labels, predicted, probabilities[0].length);

  test('the most probable class', () => {
    expect(matrix).toEqual(set.confusion);
    expect(accuracy(matrix)).toBeCloseTo(set.accuracy, 9);
    expect(balancedAccuracy(matrix)).toBeCloseTo(set.balancedAccuracy, 9);
    for (const [label, scores] of classScores(matrix).entries()) {
      const { precision, recall, f1, support } = set.classes[label];
      expect([scores.precision, scores.recall, scores.f1, scores.support]).toEqual(
        near([precision, recall, f1, support]),
      );
    }
    expect(majorityAccuracy(matrix)).toBeCloseTo(
      Math.max(...set.classes.map(({ support }) => support)) / labels.length,
      9,
    );
  });

  test('curves and their areas', () => {
    for (const [label, curve] of set.curves.entries()) {
      const one = isClass(labels, label);
      const scores = probabilities.map((row) => row[label]);
      expect(rocAuc(one, scores)).toBeCloseTo(curve.rocAuc, 9);
      expect(averagePrecision(one, scores)).toBeCloseTo(curve.averagePrecision, 9);
      const roc = rocCurve(one, scores);
      expect(roc.map((point) => point.falsePositiveRate)).toEqual(near(curve.falsePositiveRate));
      expect(roc.map((point) => point.truePositiveRate)).toEqual(near(curve.truePositiveRate));
      const recall = precisionRecallCurve(one, scores);
      expect(recall.map((point) => point.precision)).toEqual(near(curve.precision));
      expect(recall.map((point) => point.recall)).toEqual(near(curve.recall));
    }
    expect(meanOverClasses(rocAuc, labels, probabilities)).toBeCloseTo(set.rocAuc, 9);
    expect(meanOverClasses(averagePrecision, labels, probabilities)).toBeCloseTo(set.averagePrecision, 9);
  });

  test('what probabilities are worth', () => {
    expect(brierScore(labels, probabilities)).toBeCloseTo(set.brier, 9);
    expect(logLoss(labels, probabilities)).toBeCloseTo(set.logLoss, 9);
    expect(expectedCalibrationError(labels, probabilities, 10)).toBeCloseTo(set.calibrationError10, 9);
    expect(expectedCalibrationError(labels, probabilities)).toBeCloseTo(set.calibrationError15, 9);
    expect(logLoss(labels, probabilities)).toBeCloseTo(fitTemperature(labels, probabilities).logLoss.before, 9);
  });
});

describe('figures', () => {
  test('have no area without both classes', () => {
    expect(rocAuc([1, 1], [0.2, 0.3])).toBeNaN();
    expect(averagePrecision([0, 0], [0.2, 0.3])).toBeNaN();
    expect(meanOverClasses(rocAuc, [0, 1], [[1, 0, 0], [0, 1, 0]])).toBeNaN(); // prettier-ignore
  });

  test('bins hold their upper edge, and all samples', () => {
    for (const bins of [1, 3, 7, 10, 15, 49]) {
      const edges = Array.from({ length: bins }, (_, bin) => (bin + 1) / bins).filter((edge) => edge >= 0.5);
      const found = calibrationBins(
        edges.map(() => 0),
        edges.map((edge) => [edge, 1 - edge]),
        bins,
      );
      for (const { from, to, count, confidence } of found.filter((bin) => bin.to >= 0.5)) {
        expect(count).toBe(1);
        expect(confidence).toBeGreaterThan(from);
        expect(confidence).toBe(to);
      }
    }
  });

  test('an alarm is raised at its threshold', () => {
    const errors = { positives: 3, negatives: 2 };
    expect(alarmErrors([1, 1, 1, 0, 0], [0.2, 0.5, 0.9, 0.5, 0.1], 0.5)).toEqual({
      ...errors,
      missed: 1,
      falseAlarms: 1,
    });
  });

  test('refuse what does not fit', () => {
    expect(() => rocAuc([1, 0], [0.5])).toThrow('rocAuc: expects a score for each label, got 1 for 2');
    expect(() => rocAuc([1, 0], [0.5, Number.NaN])).toThrow('rocAuc: expects numbers as scores, got NaN at 1');
    expect(() => rocAuc([1, 2], [0.5, 0.1])).toThrow('expects labels 1 (the class) and 0 (the rest), got 2 at 1');
    expect(() => confusionMatrix([0, 2], [0, 1], 2)).toThrow('expects classes 0 to 1, got 2 taken for 1');
    expect(() => brierScore([0], [[0.5, 0.6]])).toThrow(
      'expects probabilities of 2 classes that sum to 1, got 0.5, 0.6',
    );
    expect(() => logLoss([2], [[0.5, 0.5]])).toThrow('logLoss: expects classes 0 to 1, got 2 at 0');
    expect(() => logLoss([0], [[-0.5, 1.5]])).toThrow('expects probabilities of 2 classes that sum to 1');
    expect(() => logLoss([], [])).toThrow('expects probabilities for each of one or more labels, got 0 for 0');
  });
});

describe('temperature', () => {
  test.each(reference.sets)("is that of scipy's minimum", ({ labels, probabilities, temperature, temperatureLoss }) => {
    const found = fitTemperature(labels, probabilities);
    expect(Math.abs(found.temperature / temperature - 1)).toBeLessThan(1e-6); // a minimum is flat: half of the digits
    expect(found.logLoss.after).toBeCloseTo(temperatureLoss, 9);
    expect(found.logLoss.after).toBeLessThan(found.logLoss.before);
    expect(found.pictures).toBe(labels.length);
    const again = fitTemperature(
      labels,
      probabilities.map((row) => withTemperature(row, found.temperature)),
    );
    expect(again.temperature).toBeCloseTo(1, 6);
  });

  test('is the logit divided, keeps the order, and leaves all as it is at 1', () => {
    const [, p] = withTemperature([0.1, 0.9], 2);
    expect(Math.log(p / (1 - p))).toBeCloseTo(Math.log(9) / 2, 12);
    const softened = withTemperature([0.7, 0, 0.3], 5);
    expect(softened.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 12);
    expect(softened[0]).toBeGreaterThan(softened[2]);
    expect(softened[2]).toBeGreaterThan(softened[1]);
    expect(withTemperature([1, 0], 1)).toEqual([1, 0]);
    for (const bad of [0, -1, Number.NaN])
      expect(() => withTemperature([1, 0], bad)).toThrow('withTemperature: expects a number above 0');
  });

  test('cannot be had where no picture is misjudged, or all might as well be', () => {
    const sure = [
      [0.9, 0.1],
      [0.2, 0.8],
    ];
    expect(() => fitTemperature([0, 1], sure)).toThrow(
      'expects pictures of which some are misjudged, got 2 of which none is',
    );
    expect(() => fitTemperature([1, 0], sure)).toThrow('expects probabilities that say something about the pictures');
  });
});

describe('counts', () => {
  test.each(reference.intervals)(
    '$successes of $trials at $confidence',
    ({ successes, trials, confidence, low, high }) => {
      const found = clopperPearson(successes, trials, confidence);
      expect(found.low).toBeCloseTo(low, 9);
      expect(found.high).toBeCloseTo(high, 9);
    },
  );

  test.each(reference.mcnemar)(
    '$onlyFirst against $onlySecond',
    ({ onlyFirst, onlySecond, exact, chiSquare, statistic }) => {
      const first = [...Array<boolean>(onlyFirst).fill(true), ...Array<boolean>(onlySecond).fill(false), true, false];
      const second = [...Array<boolean>(onlyFirst).fill(false), ...Array<boolean>(onlySecond).fill(true), true, false];
      const found = mcNemar(first, second);
      expect(found).toMatchObject({ onlyFirst, onlySecond });
      expect(found.exact).toBeCloseTo(exact, 9);
      expect(found.chiSquare).toBeCloseTo(chiSquare, 9);
      expect(found.statistic).toBeCloseTo(statistic, 9);
      expect(found.exact / exact).toBeCloseTo(1, 9); // small ones, too
    },
  );

  test('refuse what does not fit', () => {
    expect(() => clopperPearson(3, 2)).toThrow('clopperPearson: expects 0 to 2 successes of 2 trials, got 3');
    expect(() => clopperPearson(1, 2, 95)).toThrow('expects a confidence between 0 and 1, such as 0.95, got 95');
    expect(() => mcNemar([true], [])).toThrow('mcNemar: expects two models on the same samples, got 1 and 0');
  });
});

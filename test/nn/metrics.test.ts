/** Metrics over a set against scikit-learn 1.9.1's, in metrics.reference.json (random labels and scores, some with ties). */
import { describe, expect, test } from 'vitest';
import { accuracy, averagePrecision, classScores, confusionMatrix, rocAuc } from '../../src/nn/metrics.js';
import reference from './metrics.reference.json' with { type: 'json' };

describe('metrics', () => {
  test('curves, with and without ties', () => {
    for (const one of reference.curves) {
      expect(rocAuc(one.labels, one.scores)).toBeCloseTo(one.rocAuc, 12);
      expect(averagePrecision(one.labels, one.scores)).toBeCloseTo(one.averagePrecision, 12);
    }
  });

  test('curves have no value without both classes, and say so', () => {
    expect(rocAuc([1, 1], [0.2, 0.3])).toBeNaN();
    expect(averagePrecision([0, 0], [0.2, 0.3])).toBeNaN();
  });

  test('the confusion matrix, and what follows from it, with a class that nothing is taken for', () => {
    const { labels, predicted, confusion, precision, recall, f1, support } = reference.multiclass;
    const matrix = confusionMatrix(labels, predicted, 4);
    expect(matrix).toEqual(confusion);
    expect(accuracy(matrix)).toBeCloseTo(reference.multiclass.accuracy, 12);
    for (const [index, scores] of classScores(matrix).entries()) {
      expect(scores.precision).toBeCloseTo(precision[index], 12);
      expect(scores.recall).toBeCloseTo(recall[index], 12);
      expect(scores.f1).toBeCloseTo(f1[index], 12);
      expect(scores.support).toBe(support[index]);
    }
  });

  test('refuse what does not fit', () => {
    expect(() => rocAuc([1, 0], [0.5])).toThrow('expects a score for each label, got 1 for 2');
    expect(() => confusionMatrix([0, 2], [0, 1], 2)).toThrow('expects classes 0 to 1, got 2 taken for 1');
  });
});

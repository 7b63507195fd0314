/** Figures counted by hand, and the two rules kept apart: the most probable class, and the alarm's threshold. */
import { figuresOf, judge, onlyClass, type ModelInfo } from 'beltnet';
import { describe, expect, test } from 'vitest';

const info: ModelInfo = {
  classNames: ['gap', 'ok', 'tear'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'gap', threshold: 0.5 },
};
/** Of a model that cannot tell unknown pictures. */
const without = (probabilities: number[]) => ({ probabilities, unlike: null });
const verdict = (...probabilities: number[]) => judge(without(probabilities), info, 'x');

describe('figures', () => {
  // Three gaps: one sure, one most probable but below the threshold, one taken for ok. Two others: one false alarm.
  const verdicts = [
    verdict(0.9, 0.1, 0),
    verdict(0.4, 0.3, 0.3),
    verdict(0.1, 0.8, 0.1),
    verdict(0.6, 0.4, 0),
    verdict(0, 0, 1),
  ];
  const figures = figuresOf([0, 0, 0, 1, 2], verdicts, info);

  test('classes go by the most probable one', () => {
    expect(figures.classes['gap']).toEqual({
      ...{ pictures: 3, correct: 2, takenFor: { gap: 2, ok: 1, tear: 0 } },
      ...{ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
    });
    expect(figures.accuracy).toBe(3 / 5);
  });

  test('the alarm goes by its threshold, and says how many the table has as found', () => {
    expect(figures.alert).toMatchObject({
      class: 'gap',
      threshold: 0.5,
      pictures: 3,
      missed: 2,
      missedOfThatClass: 1,
      falseAlarms: 1,
      falseAlarmsOfOthers: 0,
    });
    // Pairs (gap, other) ordered rightly: 0.9 > 0.6 and 0; 0.4 > 0; 0.1 > 0 → 4 of 6
    expect(figures.alert.rocAuc).toBeCloseTo(4 / 6, 12);
  });

  test('with a low threshold alarms are counted that the tables do not have', () => {
    const low = { ...info, alert: { className: 'gap', threshold: 0.3 } };
    const cautious = [judge(without([0.4, 0.6, 0]), low, 'x'), judge(without([0.4, 0.5, 0.1]), low, 'x')];
    expect(figuresOf([0, 1], cautious, low).alert).toMatchObject({ missed: 0, falseAlarms: 1, falseAlarmsOfOthers: 1 });
  });

  test('no curve where all are of one kind', () => {
    expect(figuresOf([1, 2], verdicts.slice(3), info).alert).toMatchObject({
      rocAuc: null,
      averagePrecision: null,
      pictures: 0,
    });
  });

  test('a model that takes everything for one class is told', () => {
    expect(onlyClass(figures)).toBeNull();
    expect(onlyClass(figuresOf([0, 1], [verdict(0, 1, 0), verdict(0.2, 0.8, 0)], info))).toBe('ok');
    expect(onlyClass(figuresOf([1, 1], [verdict(0, 1, 0), verdict(0.2, 0.8, 0)], info))).toBeNull(); // there was nothing else
  });
});

describe('judge', () => {
  test('ties go to the first class; the alert is at the threshold', () => {
    expect(verdict(0.5, 0.5, 0)).toMatchObject({ class: 'gap', alert: true });
    expect(judge(without([0.4, 0.3, 0.3]), { ...info, alert: { className: 'gap', threshold: 0.3 } }, 'x').alert).toBe(
      true,
    );
  });

  test('what is unlike the training is unknown beyond the threshold; the verdict stands', () => {
    const probabilities = [0.9, 0.1, 0];
    expect(judge({ probabilities, unlike: 1 }, info, 'x')).toMatchObject({ alert: true, unlike: 1, unknown: false });
    expect(judge({ probabilities, unlike: 1.01 }, info, 'x')).toMatchObject({ alert: true, unknown: true });
    expect(() => judge({ probabilities, unlike: NaN }, info, 'x')).toThrow(/no verdict/);
    expect(judge(without(probabilities), info, 'x')).not.toHaveProperty('unknown');
  });

  test.each([NaN, Infinity, -Infinity])('%s is no verdict, in whatever place', (bad) => {
    for (const scores of [
      [bad, 0.5, 0.5],
      [0.5, 0.5, bad],
    ])
      expect(() => judge(without(scores), info, 'belt.png')).toThrow(
        /^belt\.png: expects probabilities, got .*no verdict/,
      );
  });
});

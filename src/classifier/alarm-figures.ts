/**
 * How often a model is right, class by class, and how often its alarm is. Two rules, which need not agree: a picture's
 * class is the most probable one; its alarm is raised when the probability of the alert's class reaches the threshold.
 * The alarm's figures follow the second alone, since that is what a belt stops on.
 */
import { expectArray, expectObject, expectText, listOf, objectWith } from '../expect.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { accuracy, classScores, confusionMatrix } from './figures/confusion.js';
import { averagePrecision, rocAuc } from './figures/curves.js';
import type { Verdict } from './verdict.js';

/** By the most probable class. */
export interface ClassFigures {
  readonly pictures: number;
  readonly correct: number;
  /** Pictures of this class by the class that they were taken for. */
  readonly takenFor: Readonly<Record<string, number>>;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** By the probability of the alert's class. */
export interface AlarmFigures {
  readonly class: string;
  readonly threshold: number;
  /** Pictures of that class. */
  readonly pictures: number;
  /** Those of them that raised no alert. */
  readonly missed: number;
  /** Those of the missed whose most probable class is the alert's all the same. */
  readonly missedOfThatClass: number;
  /** Alerts on pictures of the other classes. */
  readonly falseAlarms: number;
  /** Those of them whose most probable class is another all the same. */
  readonly falseAlarmsOfOthers: number;
  /** How well that probability tells its pictures from the others; null when all are of one kind. */
  readonly rocAuc: number | null;
  readonly averagePrecision: number | null;
}

export interface Figures {
  readonly accuracy: number;
  readonly classes: Readonly<Record<string, ClassFigures>>;
  readonly alert: AlarmFigures;
}

/** The classes that no picture was taken for although there are some of theirs. */
export function neverPredicted(classes: Figures['classes']): string[] {
  expectObject(classes, 'neverPredicted: classes');
  for (const one of Object.values(classes)) objectWith({ takenFor: expectObject })(one, 'neverPredicted: a class');
  return Object.entries(classes).flatMap(([name, { pictures }]) =>
    pictures > 0 && Object.values(classes).every(({ takenFor }) => takenFor[name] === 0) ? [name] : [],
  );
}

const expectVerdicts = listOf(objectWith({ class: expectText, probabilities: expectObject }));

/** @param labels class index of each verdict's picture */
export function figuresOf(labels: readonly number[], verdicts: readonly Verdict[], info: ModelInfo): Figures {
  expectArray(labels, 'figuresOf: labels');
  expectArray(verdicts, 'figuresOf: verdicts');
  expectVerdicts(verdicts, 'figuresOf: verdicts');
  expectInfo(info, 'figuresOf');
  const { classNames, alert } = info;
  const predicted = verdicts.map((verdict) => classNames.indexOf(verdict.class));
  const matrix = confusionMatrix(labels, predicted, classNames.length);
  const alertLabel = classNames.indexOf(alert.className);
  const isAlert = labels.map((label) => Number(label === alertLabel));
  const scores = verdicts.map(({ probabilities }) => probabilities[alert.className]);
  const missed = verdicts.filter((verdict, n) => isAlert[n] === 1 && !verdict.alert);
  const falseAlarms = verdicts.filter((verdict, n) => isAlert[n] === 0 && verdict.alert);
  const orNull = (area: number): number | null => (Number.isNaN(area) ? null : area);
  return {
    accuracy: accuracy(matrix),
    classes: Object.fromEntries(
      classScores(matrix).map(({ precision, recall, f1, support }, label) => {
        const takenFor = Object.fromEntries(classNames.map((other, index) => [other, matrix[label][index]]));
        return [
          classNames[label],
          { pictures: support, correct: matrix[label][label], takenFor, precision, recall, f1 },
        ];
      }),
    ),
    alert: {
      class: alert.className,
      threshold: alert.threshold,
      pictures: isAlert.reduce((sum, one) => sum + one, 0),
      missed: missed.length,
      missedOfThatClass: missed.filter((verdict) => verdict.class === alert.className).length,
      falseAlarms: falseAlarms.length,
      falseAlarmsOfOthers: falseAlarms.filter((verdict) => verdict.class !== alert.className).length,
      rocAuc: orNull(rocAuc(isAlert, scores)),
      averagePrecision: orNull(averagePrecision(isAlert, scores)),
    },
  };
}

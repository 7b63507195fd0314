/** What the figures of an evaluation are worth: how sure they are, what guessing would reach, and which pictures were wrong. */
import { atOnce, type Stepwise } from '../turns.js';
import { expectCount, objectWith, expectArray, expectObject, listOf, perhaps } from '../expect.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { balancedAccuracy, confusionMatrix, majorityAccuracy } from './figures/confusion.js';
import { averagePrecision, rocAuc } from './figures/curves.js';
import {
  FEWEST_GROUPS,
  proportionInterval,
  type IntervalOrReason,
  averagePrecisionStepwise,
  rocAucStepwise,
} from './figures/intervals.js';
import { brierScore, CALIBRATION_BINS, expectedCalibrationError, logLoss } from './figures/probability-scores.js';
import type { Verdict } from './verdict.js';

/** A picture that was taken for another class. */
export interface Mistake {
  readonly file: string;
  readonly label: string;
  readonly class: string;
  /** Of the class that was taken. */
  readonly probability: number;
}

/** Intervals are of 95 %; areas are null when all pictures are of one kind. */
export interface Evidence {
  /** Pictures that differ in what the model sees of them. */
  readonly distinctPictures: number;
  /** Groups of pictures that the intervals keep together; null where each stands for itself. */
  readonly groups: number | null;
  readonly accuracy: IntervalOrReason;
  /** Of who takes every picture for the most frequent class. */
  readonly majorityAccuracy: number;
  readonly balancedAccuracy: number;
  readonly missRate: IntervalOrReason;
  readonly falseAlarmRate: IntervalOrReason;
  readonly rocAuc: IntervalOrReason;
  readonly averagePrecision: IntervalOrReason;
  /** Each class against the rest. */
  readonly areas: Readonly<
    Record<string, { readonly rocAuc: number | null; readonly averagePrecision: number | null }>
  >;
  readonly brierScore: number;
  readonly logLoss: number;
  readonly expectedCalibrationError: number;
  readonly calibrationBins: number;
  /** Those of the least probability for what they are first. */
  readonly mistakes: readonly Mistake[];
}

/** Pictures with their labels, verdicts, and what they have in common. */
export interface JudgedPictures {
  readonly labels: readonly number[];
  readonly verdicts: readonly Verdict[];
  readonly files: readonly string[];
  /** Equal for copies of a picture; see {@link pixelHashes}. */
  readonly pixels: readonly (string | number)[];
  /** What belongs together beyond that: a belt, a day. */
  readonly groups?: readonly string[] | undefined;
}

const expectJudged = objectWith({
  labels: listOf(expectCount),
  verdicts: listOf(objectWith({ probabilities: expectObject })),
  files: expectArray,
  pixels: expectArray,
  groups: perhaps(expectArray),
});

/** @returns null without pictures */
export const evidenceOf = (pictures: JudgedPictures, info: ModelInfo): Evidence | null =>
  atOnce(evidenceStepwise(pictures, info));

/** The same step by step: of very many pictures it takes minutes. */
export function* evidenceStepwise(pictures: JudgedPictures, info: ModelInfo): Stepwise<Evidence | null> {
  expectJudged(pictures, 'evidenceOf: pictures');
  expectInfo(info, 'evidenceOf');
  const { labels, verdicts, files, pixels, groups } = pictures;
  if (labels.length === 0) return null;
  const { classNames, alert } = info;
  const distinctPictures = new Set(pixels).size;
  const together = groups ?? (distinctPictures < pixels.length ? pixels : undefined);
  const rows = verdicts.map(({ probabilities }) => classNames.map((name) => probabilities[name]));
  const right = verdicts.map((verdict, n) => verdict.class === classNames[labels[n]]);
  const matrix = confusionMatrix(
    labels,
    verdicts.map((verdict) => classNames.indexOf(verdict.class)),
    classNames.length,
  );
  const isClass = (label: number): number[] => labels.map((each) => Number(each === label));
  const alertLabel = classNames.indexOf(alert.className);
  const scores = rows.map((row) => row[alertLabel]);
  const rate = (holds: (n: number) => boolean, isAlert: boolean): IntervalOrReason => {
    const samples = labels.flatMap((label, n) => ((label === alertLabel) === isAlert ? [n] : []));
    return proportionInterval(samples.map(holds), { groups: together && samples.map((n) => together[n]) });
  };
  const orNull = (area: number): number | null => (Number.isNaN(area) ? null : area);
  const mistakes = [...labels.keys()]
    .filter((n) => !right[n])
    .toSorted((a, b) => rows[a][labels[a]] - rows[b][labels[b]])
    .map((n) => ({
      file: files[n],
      label: classNames[labels[n]],
      class: verdicts[n].class,
      probability: verdicts[n].probability,
    }));
  return {
    distinctPictures,
    groups: together ? new Set(together).size : null,
    accuracy: proportionInterval(right, { groups: together }),
    majorityAccuracy: majorityAccuracy(matrix),
    balancedAccuracy: balancedAccuracy(matrix),
    missRate: rate((n) => !verdicts[n].alert, true),
    falseAlarmRate: rate((n) => verdicts[n].alert, false),
    rocAuc: yield* rocAucStepwise(isClass(alertLabel), scores, { groups: together }),
    averagePrecision: yield* averagePrecisionStepwise(isClass(alertLabel), scores, { groups: together }),
    areas: Object.fromEntries(
      classNames.map((name, label) => {
        const ofClass = rows.map((row) => row[label]);
        return [
          name,
          {
            rocAuc: orNull(rocAuc(isClass(label), ofClass)),
            averagePrecision: orNull(averagePrecision(isClass(label), ofClass)),
          },
        ];
      }),
    ),
    brierScore: brierScore(labels, rows),
    logLoss: logLoss(labels, rows),
    expectedCalibrationError: expectedCalibrationError(labels, rows),
    calibrationBins: CALIBRATION_BINS,
    mistakes,
  };
}

/** Whether so few different pictures say nothing about others. */
export function isNoEvidence(evidence: Evidence): boolean {
  objectWith({ distinctPictures: expectCount })(evidence, 'isNoEvidence: evidence');
  return evidence.distinctPictures < FEWEST_GROUPS;
}

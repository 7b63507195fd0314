/** What a report shows, as the page gets it: JSON, and names of all kinds in it are only text. */
import type { EpochRecord } from '../epoch-record.js';
import type { IntervalOrReason } from '../figures/intervals.js';
import type { PictureUse } from '../picture-manifest.js';
import type { CalibrationBin } from '../figures/probability-scores.js';

/** What the model says of one set's pictures. All arrays are [N], one entry a picture. */
export interface ReportedSet {
  readonly use: PictureUse;
  readonly files: readonly string[];
  /** Class indices. */
  readonly labels: readonly number[];
  readonly taken: readonly number[];
  readonly alerts: readonly (0 | 1)[];
  /** [N][classes], 5 digits. */
  readonly probabilities: readonly (readonly number[])[];
  /** Above 1 the picture is unlike the training's; null for a model that cannot tell. */
  readonly unlike: readonly number[] | null;
  /** Pictures whose scores are no numbers. */
  readonly unjudged: readonly string[];
  readonly figures: Readonly<
    Record<'accuracy' | 'missRate' | 'falseAlarmRate' | 'rocAuc' | 'averagePrecision', IntervalOrReason>
  > & {
    readonly balancedAccuracy: number;
    readonly expectedCalibrationError: number;
    readonly distinctPictures: number;
  };
  /** [falsePositiveRate, truePositiveRate], and [recall, precision]. */
  readonly roc: readonly (readonly [number, number])[];
  readonly precisionRecall: readonly (readonly [number, number])[];
  readonly reliability: readonly Pick<CalibrationBin, 'from' | 'to' | 'count' | 'confidence' | 'accuracy'>[];
  /** By a picture's place in the set. */
  readonly pictures: Readonly<Record<number, ReportedPicture>>;
  readonly leftOut: { readonly mistakes: number; readonly unreadable: number };
}

export interface ReportedPicture {
  /** A JPEG as a data: URL. */
  readonly image: string;
  /** Bytes in base64, [side, side], 255 where most speaks for the class that was taken. Left out where nothing does. */
  readonly heat?: string;
}

export interface ReportedRun {
  readonly name: string;
  readonly started: string;
  readonly epochs: number;
  readonly bestEpoch: number | null;
  readonly valAccuracy: number | null;
  readonly valLoss: number | null;
  readonly balancedAccuracy: number | null;
  readonly missedAlerts: number | null;
  readonly parameters: number | null;
  readonly size: string;
  readonly isThis: boolean;
}

export interface ReportData {
  readonly name: string;
  readonly made: string;
  readonly version: string;
  /** While the training goes on: epochs in all. */
  readonly live: { readonly epochs: number } | null;
  readonly classNames: readonly string[];
  readonly alert: { readonly className: string; readonly threshold: number; readonly reason: string | null } | null;
  readonly epochs: readonly EpochRecord[];
  readonly bestEpoch: number | null;
  /** Those that judge first. */
  readonly sets: readonly ReportedSet[];
  /** Side of heat maps. */
  readonly heatSide: number;
  readonly augmented: { readonly image: string; readonly words: string } | null;
  readonly layers: readonly {
    readonly name: string;
    readonly kind: string;
    readonly shape: string;
    readonly parameters: number;
  }[];
  readonly audit:
    | readonly {
        readonly kind: string;
        readonly severity: string;
        readonly message: string;
        readonly advice: string;
        readonly files: number;
      }[]
    | null;
  readonly card: string | null;
  readonly settings: readonly (readonly [string, string])[];
  readonly runs: readonly ReportedRun[];
  /** What could not be had, in words. */
  readonly notes: readonly string[];
}

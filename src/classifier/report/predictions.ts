/** What a run's best model said of its pictures, set by set. */
import { UsageError } from '../../errors.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { PictureUse } from '../picture-manifest.js';
import { rowsAsNow, type PredictionRow } from '../predictions-table.js';
import type { Verdict } from '../verdict.js';

export interface PredictedPicture {
  readonly file: string;
  readonly label: number;
  /** Null where the scores are no numbers. */
  readonly verdict: Verdict | null;
}

export type Predictions = ReadonlyMap<PictureUse, readonly PredictedPicture[]>;

const uses = ['test', 'validation', 'training'] as const;

/** What stands in predictions.csv, with the model's temperature and threshold of now; null where the run has none. @throws UsageError for the table of another model */
export function predictionsOf(
  directory: string,
  rows: readonly PredictionRow[] | null,
  info: ModelInfo,
): Predictions | null {
  if (rows === null) return null;
  const { classNames } = info;
  const missing = classNames.find((name) => rows.length > 0 && !(name in rows[0].probabilities));
  if (missing !== undefined)
    throw new UsageError(
      `${directory}/predictions.csv: expects the column p(${missing}), got none; it is of another model`,
    );
  return grouped(
    rowsAsNow(rows, info).map(({ file, label, split, class: taken, ...row }) => ({
      use: split,
      file,
      label: classNames.indexOf(label),
      verdict: taken === '' ? null : { ...row, class: taken, probability: row.probabilities[taken] },
    })),
  );
}

export function grouped(rows: readonly ({ use: PictureUse } & PredictedPicture)[]): Predictions {
  const of = (use: PictureUse): PredictedPicture[] => rows.filter((row) => row.use === use && row.label >= 0);
  return new Map(uses.map((use) => [use, of(use)] as const).filter(([, some]) => some.length > 0));
}

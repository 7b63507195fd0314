/** predictions.csv, read again: its rows, and their figures. */
import { expectArray, expectNumber, expectObject, expectText, listOf, objectWith } from '../expect.js';
import { UsageError } from '../errors.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { accuracy, balancedAccuracy, confusionMatrix } from './figures/confusion.js';
import { rocAuc } from './figures/curves.js';
import { withTemperature } from './figures/temperature.js';
import type { PictureUse } from './picture-manifest.js';
import { temperatureOf } from './tuning.js';

/** What a run's best model said of one of its pictures. */
export interface PredictionRow {
  readonly file: string;
  readonly label: string;
  readonly split: PictureUse;
  /** Empty where there was no verdict. */
  readonly class: string;
  readonly alert: boolean;
  readonly probabilities: Readonly<Record<string, number>>;
  /** Of the class that was taken, where the table says it: `predict --csv` says nothing of the others. */
  readonly probability?: number;
  /** How unlike the training's, and whether beyond the limit: of models that can tell. */
  readonly unlike?: number;
  readonly unknown?: boolean;
  /** Hash of what the model saw of it, as in pictures.jsonl; not in older tables. */
  readonly pixels?: number;
}

/** Names that a spreadsheet would take for formulas have an apostrophe before them; see csv.ts. */
const unquoted = (text: string): string => text.replace(/^'(?=[=+\-@])/, '');

/**
 * The rows of such a table.
 * @param path what messages call it
 * @param options `isOfRun`: whether labels and parts must be there, which `predict --csv` does not write; default true
 * @throws UsageError for another table, or a torn one
 */
export async function parsePredictions(
  text: string,
  path: string,
  options: { readonly isOfRun?: boolean } = {},
): Promise<PredictionRow[]> {
  expectText(text, 'parsePredictions: text');
  expectText(path, 'parsePredictions: path');
  expectObject(options, 'parsePredictions: options');
  const { isOfRun = true } = options;
  const { parse } = (await import('papaparse')).default; // with those who read such tables
  const { data, meta } = parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: true,
  });
  const columns = meta.fields ?? [];
  const wanted = isOfRun ? ['file', 'label', 'split', 'class', 'alert'] : ['file'];
  const missing = wanted.find((name) => !columns.includes(name));
  if (missing !== undefined)
    throw new UsageError(`${path}: expects the predictions of a run, got a table without the column '${missing}'`);
  const classNames = columns.flatMap((name) => /^p\((.*)\)$/s.exec(name)?.[1] ?? []);
  const torn = data.findIndex((row) => !columns.every((name) => name in row));
  if (torn >= 0)
    throw new UsageError(
      `${path}: expects ${columns.length} cells in each row, got fewer in row ${torn + 1}; take it away, and its pictures are judged anew`,
    );
  return data.map((row) => ({
    file: unquoted(row['file']),
    label: unquoted(row['label'] ?? ''),
    split: row['split'] as PictureUse,
    class: unquoted(row['class'] ?? ''),
    alert: row['alert'] === 'true',
    ...(row['probability'] && { probability: Number(row['probability']) }),
    ...(row['unlike'] && { unlike: Number(row['unlike']), unknown: row['unknown'] === 'true' }),
    ...(row['pixels'] && { pixels: Number(row['pixels']) }),
    probabilities: Object.fromEntries(classNames.map((name) => [name, Number(row[`p(${name})`] || Number.NaN)])),
  }));
}

/**
 * The rows as the model says them now: predictions.csv holds what it said when it was trained, and a temperature and a threshold may
 * have been put into it since.
 */
export function rowsAsNow(rows: readonly PredictionRow[], info: ModelInfo): PredictionRow[] {
  expectArray(rows, 'rowsAsNow: rows');
  listOf(objectWith({ class: expectText, probabilities: expectObject }))(rows, 'rowsAsNow: rows');
  expectInfo(info, 'rowsAsNow');
  const { classNames, alert } = info;
  const temperature = temperatureOf(info);
  return rows.map((row) => {
    if (row.class === '') return row;
    const values = withTemperature(
      classNames.map((name) => row.probabilities[name]),
      temperature,
    );
    const probabilities = Object.fromEntries(classNames.map((name, n) => [name, values[n]]));
    return { ...row, probabilities, alert: probabilities[alert.className] >= alert.threshold };
  });
}

/** On pictures that did not train the model. */
export interface RunFigures {
  readonly split: PictureUse;
  readonly pictures: number;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly missedAlerts: number;
  readonly falseAlarms: number;
  /** Pictures of the alert's class. */
  readonly alertPictures: number;
  /** Null when all are of one kind. */
  readonly rocAuc: number | null;
}

/** Figures of those that have a verdict; null without such. */
export function figuresOfRows(all: readonly PredictionRow[], alert: ModelInfo['alert']): RunFigures | null {
  expectArray(all, 'figuresOfRows: rows');
  listOf(objectWith({ class: expectText, label: expectText, probabilities: expectObject }))(all, 'figuresOfRows: rows');
  objectWith({ className: expectText, threshold: expectNumber })(alert, 'figuresOfRows: alert');
  const rows = all.filter((row) => row.class !== '');
  if (rows.length === 0) return null;
  const classNames = Object.keys(rows[0].probabilities);
  const indices = (pick: (row: PredictionRow) => string): number[] => rows.map((row) => classNames.indexOf(pick(row)));
  const matrix = confusionMatrix(
    indices((row) => row.label),
    indices((row) => row.class),
    classNames.length,
  );
  const isAlert = rows.map((row) => Number(row.label === alert.className));
  const area = rocAuc(
    isAlert,
    rows.map((row) => row.probabilities[alert.className]),
  );
  return {
    split: rows[0].split,
    pictures: rows.length,
    accuracy: accuracy(matrix),
    balancedAccuracy: balancedAccuracy(matrix),
    missedAlerts: rows.filter((row, n) => isAlert[n] === 1 && !row.alert).length,
    falseAlarms: rows.filter((row, n) => isAlert[n] === 0 && row.alert).length,
    alertPictures: isAlert.reduce((sum, one) => sum + one, 0),
    rocAuc: Number.isNaN(area) ? null : area,
  };
}

/** Those of the test, else those of the validation, else those of the training. */
export function judgingRows(rows: readonly PredictionRow[]): PredictionRow[] {
  const splits = (['test', 'validation', 'training'] as const).map((use) => rows.filter(({ split }) => split === use));
  return splits.find(({ length }) => length > 0) ?? [];
}

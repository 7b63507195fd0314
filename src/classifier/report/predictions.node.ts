/** What a run's best model says of its pictures: read from predictions.csv, or asked anew where a run has none. */
import { UsageError } from '../../errors.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { NodeClassifier } from '../classifier.node.js';
import type { PictureUse } from '../picture-manifest.node.js';
import type { Verdict } from '../verdict.js';
import { readText } from './read-run.node.js';

export interface PredictedPicture {
  readonly file: string;
  readonly label: number;
  /** Null where the scores are no numbers. */
  readonly verdict: Verdict | null;
}

export type Predictions = ReadonlyMap<PictureUse, readonly PredictedPicture[]>;

const uses = ['test', 'validation', 'training'] as const;

/** A table of predictionsTable. @throws UsageError for another */
export async function readPredictions(directory: string, { classNames }: ModelInfo): Promise<Predictions | null> {
  const text = await readText(directory, 'predictions.csv');
  if (text === null) return null;
  const { parse } = (await import('papaparse')).default;
  const rows = parse<Record<string, string>>(text, { header: true, skipEmptyLines: true }).data;
  const columns = classNames.map((name) => `p(${name})`);
  const missing = ['file', 'label', 'split', 'class', ...columns].find((name) => rows.length > 0 && !(name in rows[0]));
  if (missing !== undefined)
    throw new UsageError(
      `${directory}/predictions.csv: expects the column ${missing}, got none; it is of another model`,
    );
  const torn = rows.findIndex((row) => ['file', 'label', 'split', 'class', ...columns].some((name) => !(name in row)));
  if (torn >= 0)
    throw new UsageError(
      `${directory}/predictions.csv: expects ${Object.keys(rows[0]).length} cells in each row, got fewer in row ${torn + 1}; take it away, and its pictures are judged anew`,
    );
  return grouped(
    rows.map((row) => ({ use: row['split'] as PictureUse, file: unquoted(row['file']), ...readRow(row, classNames) })),
  );
}

/** Names that a spreadsheet would take for formulas have an apostrophe before them; see csv.ts. */
const unquoted = (text: string): string => text.replace(/^'(?=[=+\-@])/, '');

function readRow(row: Readonly<Record<string, string>>, classNames: readonly string[]): Omit<PredictedPicture, 'file'> {
  const label = classNames.indexOf(unquoted(row['label']));
  if (row['class'] === '') return { label, verdict: null };
  const probabilities = Object.fromEntries(classNames.map((name) => [name, Number(row[`p(${name})`])]));
  const taken = unquoted(row['class']);
  return {
    label,
    verdict: {
      ...{ class: taken, probability: probabilities[taken], probabilities, alert: row['alert'] === 'true' },
      ...(row['unlike'] && { unlike: Number(row['unlike']), unknown: row['unknown'] === 'true' }),
    },
  };
}

/** Asks the model about the pictures of pictures.jsonl. */
export async function predictAgain(directory: string, classifier: NodeClassifier): Promise<Predictions> {
  const lines = ((await readText(directory, 'pictures.jsonl')) ?? '').split('\n').filter((line) => line !== '');
  const listed = lines.map((line, at) => {
    try {
      return JSON.parse(line) as { set: PictureUse; file: string; label: string };
    } catch {
      throw new UsageError(`${directory}/pictures.jsonl: expects a picture a line, got a torn line ${at + 1}`);
    }
  });
  const found: ({ use: PictureUse } & PredictedPicture)[] = [];
  const wanted = listed.some(({ set }) => set !== 'training') ? listed.filter(({ set }) => set !== 'training') : listed;
  const byFile = new Map(wanted.map((line) => [line.file, line]));
  if (byFile.size === 0) return new Map();
  await classifier.classifyPaths([...byFile.keys()], {
    onResult: (result) => {
      const line = byFile.get(result.file);
      if (!line) return;
      const label = classifier.info.classNames.indexOf(line.label);
      found.push({ use: line.set, file: result.file, label, verdict: 'error' in result ? null : result });
    },
  });
  return grouped(found);
}

function grouped(rows: readonly ({ use: PictureUse } & PredictedPicture)[]): Predictions {
  const of = (use: PictureUse): PredictedPicture[] => rows.filter((row) => row.use === use && row.label >= 0);
  return new Map(uses.map((use) => [use, of(use)] as const).filter(([, some]) => some.length > 0));
}

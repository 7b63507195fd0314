/** What a run's best model says of its pictures: read from predictions.csv, or asked anew where a run has none. */
import { UsageError } from '../../errors.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { NodeClassifier } from '../classifier.node.js';
import type { PictureUse } from '../picture-manifest.js';
import type { Verdict } from '../verdict.js';
import { readPredictions } from '../run-predictions-file.node.js';
import { readText } from './read-run.node.js';

export interface PredictedPicture {
  readonly file: string;
  readonly label: number;
  /** Null where the scores are no numbers. */
  readonly verdict: Verdict | null;
}

export type Predictions = ReadonlyMap<PictureUse, readonly PredictedPicture[]>;

const uses = ['test', 'validation', 'training'] as const;

/** What stands in predictions.csv; null where the run has none. @throws UsageError for the table of another model */
export async function predictionsOf(directory: string, { classNames }: ModelInfo): Promise<Predictions | null> {
  const rows = await readPredictions(directory);
  if (rows === null) return null;
  const missing = classNames.find((name) => rows.length > 0 && !(name in rows[0].probabilities));
  if (missing !== undefined)
    throw new UsageError(
      `${directory}/predictions.csv: expects the column p(${missing}), got none; it is of another model`,
    );
  return grouped(
    rows.map(({ file, label, split, class: taken, ...row }) => ({
      use: split,
      file,
      label: classNames.indexOf(label),
      verdict: taken === '' ? null : { ...row, class: taken, probability: row.probabilities[taken] },
    })),
  );
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

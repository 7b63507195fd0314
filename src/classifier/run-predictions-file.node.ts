/** predictions.csv of runs on the disk, and two runs on the same pictures. */
import { expectPath } from '../expect.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { readWholeFile } from '../files.node.js';
import { pictureDigests } from './picture-manifest.node.js';
import { parsePredictions, type PredictionRow } from './predictions-table.js';

/** @returns null where the run has none: it did not come to its end, or is of an older version. @throws UsageError */
export async function readPredictions(run: string): Promise<PredictionRow[] | null> {
  expectPath(run, 'readPredictions: run');
  const path = join(run, 'predictions.csv');
  if (!existsSync(path)) return null;
  const refuse = (message: string): Error => new UsageError(message);
  const bytes = await readWholeFile(path, { what: 'the predictions of a run', mostBytes: 2 ** 31, refuse });
  return parsePredictions(Buffer.from(bytes).toString('utf8'), path);
}

/** The pictures that trained neither of the runs, by what is in their files, whatever the files are called. */
export async function sharedPictures(
  runs: readonly { readonly directory: string; readonly rows: readonly PredictionRow[] }[],
): Promise<PredictionRow[][]> {
  const keyed = await Promise.all(
    runs.map(async ({ directory, rows }) => {
      const digests = await pictureDigests(directory);
      const judging = rows.filter(({ split, class: taken }) => split !== 'training' && taken !== '');
      return new Map(judging.map((row) => [`${digests.get(row.file) ?? row.file}\n${row.label}`, row]));
    }),
  );
  const keys = [...(keyed[0]?.keys() ?? [])].filter((key) => keyed.every((rows) => rows.has(key)));
  return keyed.map((rows) => keys.map((key) => rows.get(key) as PredictionRow));
}

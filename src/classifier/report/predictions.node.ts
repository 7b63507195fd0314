/** What a run's best model says of its pictures, asked anew where a run has no predictions.csv. */
import { UsageError } from '../../errors.js';
import type { NodeClassifier } from '../classifier.node.js';
import type { PictureUse } from '../picture-manifest.js';
import { grouped, type PredictedPicture, type Predictions } from './predictions.js';
import { readText } from './read-run.node.js';

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

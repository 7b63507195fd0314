/** `train --repeats` and `--folds`: several trainings of the same kind, each a run of its own in one folder, and how far they differ. */
import { join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import {
  bestEpoch,
  openRun,
  readEpochs,
  spreadOf,
  summarizeRun,
  writeFileAtomically,
  type EpochRecord,
  type RunFigures,
} from '../../src/index.node.js';
import { count, fittingTable, noteLeftovers, Output } from './output.js';

/** What of `train`'s options this file looks at. */
interface RepeatedOptions {
  readonly repeats: number | undefined;
  readonly folds: number | undefined;
  readonly out: string;
  readonly name: string | undefined;
  readonly resumeOrStart: boolean;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/**
 * Seeds `seed`, `seed + 1`, …, of which each training's best epoch counts; or the folds of a cross-validation, of which the last epoch does,
 * since on its own fold nothing may be chosen.
 *
 * @param train one of them, as a run of that name in that folder; its exit code
 * @returns the exit code; that of the first which did not come to its end
 */
export async function trainRepeatedly<Options extends RepeatedOptions>(
  options: Options,
  train: (options: Options, fold: { index: number; of: number } | null) => Promise<number>,
): Promise<number> {
  const { repeats, folds } = options;
  if (repeats !== undefined && folds !== undefined)
    throw new UsageError('--repeats: expects no --folds beside it; a fold is trained once');
  if (options.resumeOrStart)
    throw new UsageError('--resume-or-start: is for one training; each of these is a run that --resume takes');
  const output = new Output(options);
  const { directory } = await openRun(options.out, options.name, noteLeftovers);
  const amount = folds ?? repeats ?? 1;
  const records: { run: string; record: EpochRecord | RunFigures }[] = [];
  for (let index = 0; index < amount; index++) {
    const seed = folds === undefined ? options.seed + index : options.seed;
    const name = folds === undefined ? `seed-${seed}` : `fold-${index + 1}`;
    const code = await train(
      { ...options, seed, out: directory, name },
      folds === undefined ? null : { index, of: folds },
    );
    if (code !== 0) return code;
    const run = join(directory, name);
    const epochs = await readEpochs(run);
    const epoch = folds === undefined ? bestEpoch(epochs) : epochs.at(-1);
    const record = epoch ?? (await summarizeRun(run)).figures; // a head on a base has no epochs
    if (record) records.push({ run, record });
    output.say();
  }
  const hasEpochs = records.some(({ record }) => 'epoch' in record);
  const figures = spreadOf(records.map(({ record }) => record));
  const summary = { [folds === undefined ? 'repeats' : 'folds']: amount, figures, runs: records };
  await writeFileAtomically(join(directory, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  output.emit({ event: 'summary', directory, ...summary });
  output.say(
    folds === undefined
      ? `${count(amount, 'training')} with seeds ${options.seed} to ${options.seed + amount - 1}${hasEpochs ? ', the best epoch of each' : ''}:`
      : `${count(amount, 'fold')}${hasEpochs ? ', the last epoch of each' : ''} (nothing was chosen on them):`,
  );
  const rows = Object.entries(figures).map(([name, { mean, least, most }]) => [
    name,
    ...[mean, least, most].map((value) => value.toFixed(4)),
  ]);
  for (const line of fittingTable([['figure', 'mean', 'least', 'most'], ...rows], { rightFrom: 1 })) output.say(line);
  output.say(`Summary: ${join(directory, 'summary.json')}`);
  return 0;
}

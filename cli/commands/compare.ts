/** `beltnet compare`: runs on the same pictures, whether they differ by more than chance, and what was done otherwise. */
import { compareRuns, type ComparedRun } from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import { count, fittingTable, note, Output, wrapped } from '../terminal/output.js';
import { figureCells, figureColumns } from './runs.js';

/** Less often than this, chance alone would make two equally good models differ so much. */
const CHANCE = 0.05;

export const command = defineCommand({
  operands: { '<runs...>': 'folders of two runs or more; the others are compared with the first' },
  flags: { json: toggle('one JSON object on stdout') },
  notes:
    'Compared are the pictures that all of the runs judged and none was trained on, told by what is in their files. The test is McNemar’s,\n' +
    'exact: how often two equally good models would differ as much on these pictures.',
  examples: ['beltnet compare runs/run-1 runs/run-2'],
  async run(directories, options) {
    const output = new Output(options);
    const comparison = await compareRuns(directories);
    const { runs, sharedPictures, differences } = comparison;
    output.emit(comparison);
    output.say(`Pictures that all judged and none was trained on: ${sharedPictures}`);
    // The last column is how many pictures of which part: here they are the same in all, of several parts.
    const rows = [['run', ...figureColumns], ...runs.map(({ run, shared }) => [run, ...figureCells(shared)])];
    for (const line of fittingTable(rows.map((row) => row.slice(0, -1)))) output.say(line);
    output.say();
    for (const run of runs.filter(({ mcNemar }) => mcNemar))
      for (const line of wrapped(sentence(run, runs[0], sharedPictures), { indent: '  ' })) output.say(line);
    const named = Object.entries(differences);
    const isSame = 'Nothing was done otherwise: options, pictures and device are the same.';
    for (const line of wrapped(named.length === 0 ? isSame : 'Done otherwise:')) output.say(line);
    for (const [name, values] of named) output.say(`  ${name}: ${values.map(inWords).join(' | ')}`);
    for (const { run, figures, state } of runs)
      if (!figures)
        note(
          `note: ${run} has no predictions.csv (${state}), so it has no figures; train --resume brings it to its end`,
        );
    return 0;
  },
});

function sentence(run: ComparedRun, first: ComparedRun, pictures: number): string {
  const { mcNemar, decidedOtherwise, largestDifference } = run;
  if (!mcNemar || decidedOtherwise === null || largestDifference === null) return '';
  const { onlyFirst, onlySecond, exact } = mcNemar;
  if (decidedOtherwise === 0)
    return (
      `${run.run} decides ${pictures === 1 ? 'the picture' : `all ${pictures} pictures`} as ${first.run} does, ` +
      (largestDifference === 0
        ? 'with the same probabilities'
        : `with probabilities within ${largestDifference.toPrecision(2)}`)
    );
  if (onlyFirst + onlySecond === 0)
    return `${run.run} is right on the same pictures as ${first.run}; ${decidedOtherwise} of ${pictures} it decides otherwise`;
  const verdict = exact < CHANCE ? 'more than chance' : 'may be chance';
  return (
    `${run.run} is right on ${count(onlySecond, 'picture')} where ${first.run} is wrong, and wrong on ${onlyFirst} where that is right: ` +
    `p = ${exact < 0.0001 ? exact.toExponential(1) : exact.toFixed(4)}, ${verdict}`
  );
}

const inWords = (value: unknown): string =>
  value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);

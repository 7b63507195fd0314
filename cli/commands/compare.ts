/** `beltnet compare`: runs on the same pictures, whether they differ by more than chance, and what was done otherwise. */
import { compareRuns, type ComparedRun } from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import { count, note, Output, outputColumns, tableWithin } from '../terminal/output.js';
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
    const rows = runs.map(({ run, shared }) => [run, ...figureCells(shared)]);
    for (const line of tableWithin(outputColumns(), [['run', ...figureColumns], ...rows])) output.say(line);
    output.say();
    for (const run of runs) if (run.mcNemar) output.say(sentence(run, runs[0]));
    const named = Object.entries(differences);
    output.say(
      named.length === 0 ? 'Nothing was done otherwise: options, pictures and device are the same.' : 'Done otherwise:',
    );
    for (const [name, values] of named) output.say(`  ${name}: ${values.map(inWords).join(' | ')}`);
    for (const { run, figures, state } of runs)
      if (!figures)
        note(
          `note: ${run} has no predictions.csv (${state}), so it has no figures; train --resume brings it to its end`,
        );
    return 0;
  },
});

function sentence({ run, mcNemar }: ComparedRun, first: ComparedRun): string {
  if (!mcNemar) return '';
  const { onlyFirst, onlySecond, exact } = mcNemar;
  const verdict = exact < CHANCE ? 'more than chance' : 'may be chance';
  return (
    `${run} is right on ${count(onlySecond, 'picture')} where ${first.run} is wrong, and wrong on ${onlyFirst} where that is right: ` +
    `p = ${exact < 0.0001 ? exact.toExponential(1) : exact.toFixed(4)}, ${verdict}`
  );
}

const inWords = (value: unknown): string =>
  value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);

/** `beltnet runs`: what each run of a folder came to. */
import { listRuns, type RunFigures, type RunSummary } from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import { count, fittingTable, note, Output, quoted } from '../terminal/output.js';

export const command = defineCommand({
  operands: { '[dir]': 'folder of runs, or one run (default: runs)' },
  flags: { json: toggle('one JSON object a run on stdout') },
  notes:
    'Figures are of the best model on the pictures of a test, else those for validation, else those for training, as predictions.csv has\n' +
    'them. Runs are sorted by the folder of their pictures, then by balanced accuracy, the best first.',
  examples: ['beltnet runs', 'beltnet runs experiments --json'],
  async run([directory = 'runs'], options) {
    const output = new Output(options);
    const runs = await listRuns(directory);
    for (const run of runs) output.emit(run);
    if (runs.length === 0) note(`note: ${directory} holds no runs`);
    const folders = [...new Set(runs.map(({ data }) => data))];
    for (const [n, data] of folders.entries()) {
      if (n > 0) output.say();
      output.say(`Pictures: ${data ?? 'unknown'}`);
      const rows = runs.filter((run) => run.data === data).map(runRow);
      const header = ['run', 'state', ...figureColumns, 'epochs', 'started'];
      for (const line of fittingTable([header, ...rows])) output.say(line);
    }
    for (const run of runs) {
      const { state, epochs, ofEpochs, problem } = run;
      if (state === 'damaged') note(`beltnet: ${problem ?? run.run}`);
      if (state === 'stopped')
        note(
          `note: ${run.run} stopped after ${count(epochs, 'epoch')}${ofEpochs === null ? '' : ` of ${ofEpochs}`}; ` +
            `beltnet train --resume ${quoted(run.run)} goes on`,
        );
    }
    return 0;
  },
});

/** Of what `figureCells` gives. */
export const figureColumns = ['balanced', 'missed', 'false', 'accuracy', 'AUC', 'pictures'];

/** Balanced accuracy, missed alerts, false alarms, accuracy, ROC-AUC, and of how many pictures. */
export function figureCells(figures: RunFigures | null): string[] {
  if (!figures) return figureColumns.map(() => '-');
  const { pictures, split, accuracy, balancedAccuracy, missedAlerts, falseAlarms, alertPictures, rocAuc } = figures;
  return [
    balancedAccuracy.toFixed(4),
    `${missedAlerts} of ${alertPictures}`,
    `${falseAlarms} of ${pictures - alertPictures}`,
    accuracy.toFixed(4),
    rocAuc === null ? '-' : rocAuc.toFixed(4),
    `${pictures} ${split}`,
  ];
}

function runRow({ run, state, figures, epochs, ofEpochs, started }: RunSummary): string[] {
  const when = started?.slice(0, 16).replace('T', ' ') ?? '-';
  return [run, state, ...figureCells(figures), ofEpochs === null ? '-' : `${epochs}/${ofEpochs}`, when];
}

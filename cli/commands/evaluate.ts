/** `beltnet evaluate`: a model's loss, accuracy and mistakes on labelled pictures. */
import { DataError } from '../../src/errors.js';
import {
  evaluateClassifier,
  loadClassifier,
  onlyClass,
  openSplits,
  type AlarmFigures,
  type Evaluation,
  type FileList,
  type ModelInfo,
} from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import {
  batchFlag,
  cacheFlags,
  deviceFlags,
  difficultyFlag,
  onBadFlag,
  seedFlag,
  splitFlags,
  workersFlag,
} from '../terminal/common-flags.js';
import { loadAndReport, noteSkipped, openCache } from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { figure } from '../terminal/epoch-log.js';
import { count, note, Output, table } from '../terminal/output.js';

export const command = defineCommand({
  operands: {
    '<model>': 'model.safetensors, or the folder of a run',
    '<dir>': 'folder with the class folders; of a divided data set its validation or test pictures are taken',
  },
  flags: {
    ...splitFlags('only the part that train --split keeps for validation'),
    difficulty: difficultyFlag,
    seed: seedFlag('of that split, and of the defects that --difficulty draws'),
    batch: batchFlag,
    ...deviceFlags,
    workers: workersFlag,
    ...cacheFlags,
    onBad: onBadFlag,
    json: toggle('one JSON object on stdout'),
  },
  notes: 'The exit code is 7 when a picture has no verdict, since its scores are NaN.',
  examples: ['beltnet evaluate runs/first/best.safetensors belt/test_set'],
  async run([model, directory], options) {
    const { split, groupBy, seed, difficulty, batch: batchSize } = options;
    const output = new Output(options);
    return withDevice(options, async (device, facts) => {
      const classifier = await loadClassifier(model, { device });
      const { info, name, preparation } = classifier;
      const { training, validation } = await openSplits(directory, {
        seed,
        ...(split !== undefined && { split }),
        ...(groupBy && { groupBy }),
      });
      const files = validation ?? training;
      checkClasses(files, info, name);
      const cache = openCache(options, [directory]);
      const loading = { ...preparation.picture, onBad: options.onBad, workers: options.workers, cache };
      const dataset = await loadAndReport(files, loading, output);
      const evaluation = await evaluateClassifier(classifier, dataset, {
        batchSize,
        seed,
        difficulty,
      });

      const { pictures, loss, accuracy, classes, alert, unjudged } = evaluation;
      output.emit({
        ...{ model: name, data: files.name, ...(split !== undefined && { split, seed }), difficulty },
        ...{ pictures, ...(loss !== null && { loss }), accuracy, classes, alert },
        ...(unjudged.length > 0 && { unjudged: unjudged.map(({ file, error }) => ({ file, error: error.message })) }),
        ...{ skipped: dataset.skipped, device: facts },
      });
      const taken = split === undefined ? '' : ` (the ${split} that --split and --seed ${seed} keep for validation)`;
      for (const line of [
        `Data: ${files.name}${taken}${difficulty > 0 ? `, difficulty ${difficulty}` : ''}`,
        `Model: ${name}`,
        `Device: ${describeDevice(facts)}`,
        '',
        ...evaluationLines(evaluation, info.classNames),
      ]) {
        output.say(line);
      }
      for (const { error } of unjudged) note(`beltnet: ${error.message}`);
      const only = onlyClass(evaluation);
      if (only !== null) note(`warning: the model takes every picture for '${only}'`);
      noteSkipped([dataset]);
      return unjudged.length > 0 ? unjudged[0].error.exitCode : 0;
    });
  },
});

/** The tables, and below them the alarm, which follows a rule of its own. */
function evaluationLines(evaluation: Evaluation, names: readonly string[]): string[] {
  const { pictures, loss, accuracy, classes, alert, unjudged } = evaluation;
  return [
    ...table([
      ['pictures', 'loss', 'accuracy'],
      [String(pictures), loss === null ? 'none' : figure(loss), accuracy.toFixed(4)],
    ]),
    '',
    'By the most probable class:',
    ...table([
      ['class', 'correct', 'of', 'precision', 'recall', 'F1'],
      ...Object.entries(classes).map(([name, { correct, pictures: of, precision, recall, f1 }]) => [
        ...[name, correct, of],
        ...[precision, recall, f1].map((value) => value.toFixed(4)),
      ]),
    ]),
    '',
    ...table([
      ['taken for', ...names],
      ...Object.entries(classes).map(([name, { takenFor }]) => [name, ...names.map((other) => takenFor[other])]),
    ]),
    '',
    ...alarmLines(alert, pictures),
    ...(unjudged.length > 0
      ? [`${count(unjudged.length, 'picture')} without a verdict, named below; all figures are of the others`]
      : []),
  ];
}

function alarmLines(alert: AlarmFigures, pictures: number): string[] {
  const { class: name, threshold, missed, missedOfThatClass, falseAlarms, falseAlarmsOfOthers } = alert;
  const differ = [
    ...(missedOfThatClass > 0 ? [`${missedOfThatClass} of the missed as '${name}'`] : []),
    ...(falseAlarmsOfOthers > 0 ? [`${falseAlarmsOfOthers} of the false alarms as another class`] : []),
  ];
  return [
    `Alert '${name}' (raised by its probability from ${threshold} on): ` +
      `${missed} of ${count(alert.pictures, 'picture')} missed, ` +
      `${count(falseAlarms, 'false alarm')} on the other ${pictures - alert.pictures}`,
    ...(differ.length > 0
      ? [
          `  (the alarm follows that probability alone; the tables, by the most probable class, have ${differ.join(' and ')})`,
        ]
      : []),
    `At every threshold: ROC-AUC ${area(alert.rocAuc)}, average precision ${area(alert.averagePrecision)}`,
  ];
}

/** An area under a curve; there is none when all pictures are of one kind. */
const area = (value: number | null): string => (value === null ? 'none' : value.toFixed(4));

function checkClasses(files: FileList, { classNames }: ModelInfo, path: string): void {
  if (files.classNames.join('/') === classNames.join('/')) return;
  throw new DataError(
    `${files.name}: expected the classes of ${path} (${classNames.join(', ')}), got ${files.classNames.join(', ')}; ` +
      'give the folders those names, or take the model of these classes',
  );
}

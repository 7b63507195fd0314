/** `beltnet evaluate`: a model's loss, accuracy and mistakes on labelled pictures. */
import { DataError } from '../../src/errors.js';
import {
  epochFigure,
  changeModelFile,
  isNoEvidence,
  KNOWN_SECTIONS,
  mistakesSheet,
  onlyClass,
  withCalibration,
  writeFileAtomically,
  type AlarmFigures,
  type Author,
  type Calibration,
  type Evaluation,
  type Evidence,
  type ModelInfo,
  type ShardFile,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { probability } from '../terminal/common-flags.js';
import { noteSkipped } from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { inWords } from '../terminal/intervals.js';
import {
  judgeFolder,
  judgingFlags,
  judgingOperands,
  warnOfSeen,
  type JudgedFolder,
  type ToldEvaluation,
} from '../terminal/judging.js';
import { judgedInShards, judgeShard } from '../terminal/judging-shards.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath } from '../terminal/options.js';
import { count, fittingTable, note, Output, wrapped } from '../terminal/output.js';
import { authorOf, keyFlag, recorded } from '../terminal/proof.js';
import { shardFlags, shardOf } from '../terminal/shards.js';

const flags = {
  ...judgingFlags,
  threshold: flag('<p>', "raise the alert from this probability on, in place of the model's own", probability),
  calibrate: toggle(
    'fit the temperature of the probabilities to these pictures and write it into the model file; they can no longer judge it',
  ),
  sheet: flag(
    '<file>',
    'also show the mistakes, the worst ones first, with heat maps on a contact sheet in this new file',
    filePath,
  ),
  ...shardFlags,
  key: keyFlag,
  json: toggle('one JSON object on stdout'),
};

export const command = defineCommand({
  operands: judgingOperands('the test pictures are taken, else those for validation'),
  flags,
  notes:
    'Of class folders that are not divided, pictures that trained the model are left out where its run tells. --calibrate takes the pictures\n' +
    'for validation, never those of a test unless --part test insists; the model file says so then.\n' +
    'Intervals are of 95 %. Copies of a picture count once in them, and so do pictures of one group (--group-by).\n' +
    'The exit code is 7 when a picture has no verdict, since its scores are NaN.\n' +
    'With --shard only a share of the pictures is judged and kept in --out; "beltnet merge" tells the figures of all (docs/scale.md).',
  examples: [
    'beltnet evaluate runs/first belt',
    'beltnet evaluate runs/first belt --sheet mistakes.png',
    'beltnet evaluate runs/first belt --calibrate',
  ],
  async run(operands, options) {
    const { split, seed, difficulty, threshold } = options;
    const author = authorOf(options);
    const output = new Output(options);
    const { sheet: place } = options;
    const purpose = options.calibrate ? 'choose' : 'judge';
    const whole = { '--calibrate': options.calibrate, '--difficulty': difficulty > 0 || undefined, '--sheet': place };
    const shard = shardOf(options, whole);
    if (place !== undefined) refuseExisting('--sheet', place);
    return withDevice(options, async (device, facts) => {
      if (shard) return judgeShard(shard, operands, options, { purpose, device, facts, output, threshold });
      const judged = await judgeFolder(operands, options, { purpose, device, output, threshold });
      const { classifier, dataset } = judged;
      const calibration = options.calibrate ? await calibrate(judged, author) : null;
      const { evidence } = judged.evaluation;
      const sheet = place === undefined ? null : await mistakesSheet(classifier, evidence?.mistakes ?? [], judged.data);
      if (sheet && place !== undefined) await writeFileAtomically(place, sheet.png);
      const code = tell(
        {
          ...{ ...judged, calibration, split, seed, difficulty, facts },
          model: classifier.name,
          classNames: classifier.info.classNames,
          set: { name: dataset.name, skipped: dataset.skipped, labels: dataset.labels },
        },
        output,
      );
      if (sheet) output.say(`Mistakes: ${place} (${sheet.shown} of ${evidence?.mistakes.length})`);
      else if (place !== undefined) output.say('No contact sheet: there are no mistakes in files that can be shown.');
      return code;
    });
  },
});

/** Tells of merged shards what one process would have told. @returns the exit code */
export async function mergeEvaluation(
  shards: readonly ShardFile[],
  options: { readonly json: boolean },
): Promise<number> {
  const output = new Output(options);
  return tell(await judgedInShards(shards, output), output);
}

/** @returns the exit code */
function tell(told: ToldEvaluation, output: Output): number {
  const { model, classNames, set, evaluation, part, inTraining, data, facts, calibration, split, seed } = told;
  const { pictures, loss, accuracy, classes, alert, unjudged, unknown, faults, evidence } = evaluation;
  output.emit({
    model,
    data: set.name,
    part,
    ...(split !== undefined && { split, seed }),
    difficulty: told.difficulty,
    ...(inTraining !== null && { inTraining }),
    pictures,
    ...(loss !== null && { loss }),
    accuracy,
    classes,
    alert,
    evidence,
    ...(calibration && { calibration }),
    ...(unjudged.length > 0 && { unjudged: unjudged.map(({ file, error }) => ({ file, error: error.message })) }),
    ...(unknown !== undefined && { unknown }),
    ...(faults && { faults }),
    ...{ skipped: set.skipped, device: facts },
  });
  for (const line of [
    `Data: ${data}`,
    `Model: ${model}`,
    `Device: ${describeDevice(facts)}`,
    '',
    ...evaluationLines(evaluation, classNames),
    ...(calibration ? ['', ...calibrationLines(calibration, model).flatMap(prose)] : []),
  ]) {
    output.say(line);
  }
  if (unknown !== undefined)
    output.say(`Unlike the pictures of the training (unknown): ${unknown} of ${count(pictures, 'picture')}`);
  if (faults && Object.keys(faults).length > 0)
    output.say(
      `Faults of pictures: ${Object.entries(faults)
        .map((each) => each.join(' '))
        .join(', ')}`,
    );
  for (const { error } of unjudged) note(`beltnet: ${error.message}`);
  const only = onlyClass(evaluation);
  if (only !== null) note(`warning: the model takes every picture for '${only}'`);
  if (evidence && isNoEvidence(evidence))
    note(`warning: ${count(evidence.distinctPictures, 'distinct picture')}: this accuracy is not evidence`);
  warnOfSeen({ inTraining, dataset: set }, 'these figures are not evidence');
  noteSkipped([set]);
  return unjudged.length > 0 ? unjudged[0].error.exitCode : 0;
}

/** Writes the model file anew, with the temperature. */
async function calibrate({ classifier, evaluation, part, data }: JudgedFolder, author: Author): Promise<Calibration> {
  const { labels, verdicts } = evaluation.judged;
  const { evidence } = evaluation;
  if (labels.length === 0) throw new DataError(`--calibrate: expects pictures with a verdict, got none in ${data}`);
  const rows = verdicts.map(({ probabilities }) => classifier.info.classNames.map((each) => probabilities[each]));
  let calibration: Calibration | null = null;
  const { name } = classifier;
  const change = (info: ModelInfo): ModelInfo => {
    const tuned = withCalibration(info, labels, rows, {
      data,
      part,
      ...(evidence && { distinctPictures: evidence.distinctPictures }),
    });
    calibration = tuned.calibration;
    return tuned.info;
  };
  await recorded(name, 'calibrate', author, async () => {
    await changeModelFile(name, name, change, { knownSections: KNOWN_SECTIONS });
    return { model: name, ...calibration, data, part };
  });
  return calibration as unknown as Calibration;
}

function calibrationLines(
  { temperature, logLoss, expectedCalibrationError: error }: Calibration,
  name: string,
): string[] {
  const change = ({ before, after }: { before: number; after: number }): string =>
    `${before.toFixed(4)} → ${after.toFixed(4)}`;
  return [
    `Temperature ${temperature.toPrecision(4)}, written to ${name}: log loss ${change(logLoss)}, expected calibration error ${change(error)}`,
    '  (on these pictures, from which it was learned; the probabilities are others from now on; of two classes the threshold moved along)',
  ];
}

const prose = (line: string): string[] => wrapped(line, { indent: '  ' });

/** The tables, and below them the alarm, which follows a rule of its own. */
function evaluationLines(evaluation: Evaluation, names: readonly string[]): string[] {
  const { pictures, loss, accuracy, classes, alert, unjudged, evidence } = evaluation;
  return [
    ...fittingTable([
      ['pictures', 'loss', 'accuracy'],
      [String(pictures), loss === null ? 'none' : epochFigure(loss), accuracy.toFixed(4)],
    ]),
    ...(evidence ? accuracyLines(evidence).flatMap(prose) : []),
    '',
    'By the most probable class:',
    ...fittingTable([
      ['class', 'correct', 'of', 'precision', 'recall', 'F1', 'ROC-AUC', 'avg. precision'],
      ...Object.entries(classes).map(([name, { correct, pictures: of, precision, recall, f1 }]) => [
        name,
        correct,
        of,
        ...[precision, recall, f1].map((value) => value.toFixed(4)),
        ...[evidence?.areas[name].rocAuc, evidence?.areas[name].averagePrecision].map((value) => area(value ?? null)),
      ]),
    ]),
    '',
    ...fittingTable([
      ['taken for', ...names],
      ...Object.entries(classes).map(([name, { takenFor }]) => [name, ...names.map((other) => takenFor[other])]),
    ]),
    '',
    ...alarmLines(alert, pictures, evidence).flatMap(prose),
    ...(evidence ? ['', ...probabilityLines(evidence).flatMap(prose), ...mistakeLines(evidence)] : []),
    ...(unjudged.length > 0
      ? [`${count(unjudged.length, 'picture')} without a verdict, named below; all figures are of the others`]
      : []),
  ];
}

function alarmLines(alert: AlarmFigures, pictures: number, evidence: Evidence | null): string[] {
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
    ...(evidence
      ? [
          `  (the part missed: ${inWords(evidence.missRate)}; false alarms of the others: ${inWords(evidence.falseAlarmRate)})`,
        ]
      : []),
    `At every threshold: ROC-AUC ${area(alert.rocAuc)}, average precision ${area(alert.averagePrecision)}`,
    ...(evidence ? [areaIntervals(evidence)] : []),
  ];
}

/** Both, or why there is neither. */
function areaIntervals({ rocAuc, averagePrecision }: Evidence): string {
  const [first, second] = [inWords(rocAuc), inWords(averagePrecision)];
  return first === second ? `  (${first})` : `  (ROC-AUC: ${first}; average precision: ${second})`;
}

/** An area under a curve; there is none when all pictures are of one kind. */
const area = (value: number | null): string => (value === null ? 'none' : value.toFixed(4));

function accuracyLines({ accuracy, majorityAccuracy, balancedAccuracy, groups }: Evidence): string[] {
  return [
    `Accuracy: ${inWords(accuracy)}${groups === null ? '' : `, by ${count(groups, 'group')} of pictures`}; ` +
      `${majorityAccuracy.toFixed(4)} by always saying the most frequent class; balanced accuracy ${balancedAccuracy.toFixed(4)}`,
  ];
}

function probabilityLines(evidence: Evidence): string[] {
  const { brierScore, logLoss, expectedCalibrationError, calibrationBins } = evidence;
  return [
    `Probabilities: Brier score ${epochFigure(brierScore)}, log loss ${epochFigure(logLoss)}, ` +
      `expected calibration error ${epochFigure(expectedCalibrationError)} (${calibrationBins} bins)`,
  ];
}

const MOST_MISTAKES = 20;

function mistakeLines({ mistakes }: Evidence): string[] {
  if (mistakes.length === 0) return [];
  const shown = mistakes.slice(0, MOST_MISTAKES);
  const more = mistakes.length - shown.length;
  return [
    '',
    `${mistakes.length === 1 ? '1 mistake' : `${count(mistakes.length, 'mistake')}, worst first`}:`,
    ...fittingTable([
      ['file', 'is', 'taken for', 'probability'],
      ...shown.map((each) => [each.file, each.label, each.class, each.probability.toFixed(4)]),
    ]),
    ...(more > 0 ? [`… and ${more} more: --json has all`] : []),
  ];
}

/** `beltnet threshold`: from which probability on the alarm is raised, by what mistakes cost; written into the model file if asked to. */
import { UsageError } from '../../src/errors.js';
import {
  changeModelFile,
  chooseThresholdInTurns,
  KNOWN_SECTIONS,
  reasonOf,
  withDecision,
  type ThresholdChoice,
  type ThresholdCriterion,
  type ThresholdPoint,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { above0, positive, probability } from '../terminal/common-flags.js';
import { noteSkipped } from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { inWords } from '../terminal/intervals.js';
import { judgeFolder, judgingFlags, judgingOperands, warnOfSeen } from '../terminal/judging.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath, numberWhere } from '../terminal/options.js';
import { count, fittingTable, note, noteUnknowable, Output, wrapped } from '../terminal/output.js';
import { authorOf, keyFlag, recorded } from '../terminal/proof.js';
import { plot } from '../terminal/plot.js';

export const command = defineCommand({
  operands: judgingOperands('the pictures for validation are taken'),
  flags: {
    costMiss: flag('<cost>', 'what a missed alert costs, in any unit', above0),
    costFalse: flag('<cost>', 'what a false alarm costs, in the same', above0),
    prevalence: flag(
      '<part>',
      "part of the belt's pictures that should raise the alert (default: as in these)",
      (name) => numberWhere(name, 'a part above 0 and below 1, such as 0.001', (given) => given > 0 && given < 1),
    ),
    falsePerShift: flag('<n>', 'so many false alarms a shift are borne, …', (name) =>
      numberWhere(name, 'a number from 0', (given) => given >= 0),
    ),
    picturesPerShift: flag('<n>', '… of so many pictures', positive),
    maxMiss: flag('<part>', 'so many of the alerts may be missed, such as 0.01', probability),
    write: toggle('write the threshold and its reason into the model file', { conflicts: 'output' }),
    output: flag('<file>', 'write them into a new model file', filePath, { short: 'o' }),
    key: keyFlag,
    ...judgingFlags,
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'Taken are pictures that neither trained the model nor will judge it: val/, or what the run kept from its training; those of a test only\n' +
    'where --part test insists, and the model file says so then. By cost, by false alarms of a shift, or by misses: one of the three.\n' +
    'All figures but those that are counted are what is to be expected of pictures that are yet to come; intervals are of 95 %.',
  examples: [
    'beltnet threshold runs/first belt --cost-miss 50 --cost-false 1 --prevalence 0.001',
    'beltnet threshold runs/first belt --false-per-shift 2 --pictures-per-shift 28800 --write',
  ],
  async run(operands, options) {
    const criterion = criterionOf(options);
    if (options.output !== undefined) refuseExisting('--output', options.output);
    const author = authorOf(options);
    const output = new Output(options);
    return withDevice(options, async (device, facts) => {
      const judged = await judgeFolder(operands, options, { purpose: 'choose', device, output });
      const { classifier, dataset, evaluation, part, inTraining, data } = judged;
      const { info, name } = classifier;
      const { labels, verdicts, pixels, groups } = evaluation.judged;
      const { className, threshold: before } = info.alert;
      const alertLabel = info.classNames.indexOf(className);
      const choice = await chooseThresholdInTurns(
        labels.map((label) => Number(label === alertLabel)),
        verdicts.map(({ probabilities }) => probabilities[className]),
        criterion,
        { seed: options.seed, groups: groups ?? (new Set(pixels).size < pixels.length ? pixels : undefined) },
      );
      const target = options.output ?? (options.write ? name : null);
      if (target !== null)
        await recorded(name, 'threshold', author, async () => {
          await changeModelFile(name, target, (given) => withDecision(given, criterion, choice, { data, part }), {
            knownSections: KNOWN_SECTIONS,
          });
          return { model: target, before, threshold: choice.threshold, reason: reasonOf(criterion), data, part };
        });
      output.emit({
        model: name,
        data: dataset.name,
        part,
        class: className,
        criterion,
        reason: reasonOf(criterion),
        ...(inTraining !== null && { inTraining }),
        before,
        ...choice,
        written: target,
        skipped: dataset.skipped,
        device: facts,
      });
      for (const line of [
        `Data: ${data}`,
        `Model: ${name}`,
        `Device: ${describeDevice(facts)}`,
        '',
        ...choiceLines(choice, criterion, className, before),
        ...(target === null
          ? wrapped('Nothing is written; --write puts it into the model file, --output FILE into a copy of it')
          : [`Written to ${target}: the alert is raised from ${choice.threshold} on`]),
      ])
        output.say(line);
      for (const { error } of evaluation.unjudged) note(`beltnet: ${error.message}`);
      warnOfSeen(judged, 'a threshold that is chosen on them is not to be trusted');
      noteUnknowable(choice.cannotKnow);
      noteSkipped([dataset]);
      return evaluation.unjudged.length > 0 ? evaluation.unjudged[0].error.exitCode : 0;
    });
  },
});

interface CriterionOptions {
  readonly costMiss: number | undefined;
  readonly costFalse: number | undefined;
  readonly prevalence: number | undefined;
  readonly falsePerShift: number | undefined;
  readonly picturesPerShift: number | undefined;
  readonly maxMiss: number | undefined;
}

/** @throws UsageError unless exactly one of the three is given, and whole */
function criterionOf(options: CriterionOptions): ThresholdCriterion {
  const { costMiss, costFalse, prevalence, falsePerShift, picturesPerShift, maxMiss } = options;
  const ways = [[costMiss, costFalse, prevalence], [falsePerShift, picturesPerShift], [maxMiss]].filter((values) =>
    values.some((value) => value !== undefined),
  );
  if (ways.length === 1) {
    if (costMiss !== undefined && costFalse !== undefined) return { costMiss, costFalse, prevalence };
    if (falsePerShift !== undefined && picturesPerShift !== undefined) return { falsePerShift, picturesPerShift };
    if (maxMiss !== undefined) return { maximumMissRate: maxMiss };
  }
  const given = Object.keys(options).filter((key) => options[key as keyof CriterionOptions] !== undefined);
  const names = ['costMiss', 'costFalse', 'prevalence', 'falsePerShift', 'picturesPerShift', 'maxMiss'];
  const flags = names
    .filter((key) => given.includes(key))
    .map((key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new UsageError(
    'threshold: expects --cost-miss with --cost-false, or --false-per-shift with --pictures-per-shift, or --max-miss, got ' +
      (flags.length > 0 ? flags.join(', ') : 'none of them'),
  );
}

function choiceLines(
  choice: ThresholdChoice,
  criterion: ThresholdCriterion,
  className: string,
  before: number,
): string[] {
  const { threshold, interval, expected, costInterval, atHalf, counted, curve } = choice;
  const row = (
    name: string,
    { threshold: at, missRate, falseAlarmRate, cost }: ThresholdPoint,
  ): (string | number)[] => [
    name,
    at,
    percent(missRate),
    percent(falseAlarmRate),
    ...(cost === null ? [] : [cost.toPrecision(4)]),
  ];
  const hasCost = expected.cost !== null;
  const heightOf = ({ cost, missRate, falseAlarmRate }: ThresholdPoint): number => cost ?? missRate + falseAlarmRate;
  const shown = whereItChanges(curve, heightOf, threshold);
  const marked = Math.max(
    0,
    shown.findLastIndex((point) => point.threshold <= threshold),
  );
  return [
    ...wrapped(`Alert '${className}': ${reasonOf(criterion)}`, { indent: '  ' }),
    ...wrapped(`Threshold ${threshold} (it was ${before}); drawn from other such pictures: ${inWords(interval)}`, {
      indent: '  ',
    }),
    '',
    ...fittingTable(
      [
        ['', 'threshold', 'missed', 'false alarms', ...(hasCost ? ['cost of a picture'] : [])],
        row('chosen', expected),
        row('one half', atHalf),
      ],
      { rightFrom: 1 },
    ),
    ...(costInterval ? wrapped(`Cost of a picture at ${threshold}: ${inWords(costInterval)}`, { indent: '  ' }) : []),
    ...wrapped(
      `Counted at ${threshold}: ${counted.missed} of ${count(counted.positives, 'picture')} missed (${inWords(counted.missRate)}), ` +
        `${count(counted.falseAlarms, 'false alarm')} on the other ${counted.negatives} (${inWords(counted.falseAlarmRate)})`,
      { indent: '  ' },
    ),
    '',
    ...wrapped(
      `${hasCost ? 'Expected cost of a picture' : 'Missed and false alarms together'} by threshold (both axes logarithmic, to the right in odds):`,
    ),
    ...plot(shown.map(heightOf), {
      marked,
      ends: [shown[0], shown[shown.length - 1]].map((point) => String(point.threshold)) as [string, string],
    }),
    '',
  ];
}

/** Beyond, nothing happens that is more than this part of what stands at the end. */
const LEVEL = 0.01;

/** The thresholds between which the curve rises and falls, with the chosen one, and a little more on either side. */
function whereItChanges(
  curve: readonly ThresholdPoint[],
  heightOf: (point: ThresholdPoint) => number,
  chosen: number,
): ThresholdPoint[] {
  const heights = curve.map(heightOf);
  const isLevelWith = (end: number) => (height: number) => Math.abs(height - end) <= LEVEL * end;
  const [fromLeft, fromRight] = [isLevelWith(heights[0]), isLevelWith(heights[heights.length - 1])];
  const [first, last] = [heights.findIndex((one) => !fromLeft(one)), heights.findLastIndex((one) => !fromRight(one))];
  if (first < 0) return [...curve];
  const at = Math.max(
    0,
    curve.findLastIndex(({ threshold }) => threshold <= chosen),
  );
  const [left, right] = [Math.min(first, last, at), Math.max(first, last, at)];
  const more = Math.max(4, Math.round((right - left) / 10));
  return curve.slice(Math.max(0, left - more), right + more + 1);
}

const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;

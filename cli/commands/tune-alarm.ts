/** `beltnet tune-alarm`: replays a recorded, labelled shift, and chooses how many frames of how many raise the alarm, and from which probability on. */
import { basename } from 'node:path';
import {
  classifyLabelled,
  loadClassifier,
  measureAlarm,
  tuneAlarm,
  type AlarmPerformance,
  type NodeClassifier,
  type ShiftFrame,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { above0, batchFlag, deviceFlags, workersFlag } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { filePath } from '../terminal/options.js';
import { fittingTable, noteUnknowable, Output, showProgress, wrapped } from '../terminal/output.js';

export const command = defineCommand({
  operands: {
    '<model>': 'model.safetensors, or the folder of a run',
    '<recording>':
      'a shift: class folders or a manifest; frames in the order of their names, whatever folder they lie in',
  },
  flags: {
    falsePerShift: flag('<n>', 'so many false alarms a shift are borne', above0, { required: true }),
    shiftHours: flag('<h>', 'hours of a shift', above0, { default: 8 }),
    framesPerSecond: flag('<n>', 'of the recording', above0, { default: 5 }),
    judge: flag('<recording>', 'another shift, on which the chosen rule is measured', filePath),
    batch: batchFlag,
    ...deviceFlags,
    workers: workersFlag,
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'A false alarm is one that is raised where nothing was to be noticed. One that stands there counts once more for every minute, and\n' +
    'notices nothing until it is over: nobody believes it. The delay is from the first frame of what is to be noticed to the alarm.\n' +
    'Intervals are of 95 %. The rule goes into line.json: "alarm": { … }.',
  examples: [
    'beltnet tune-alarm runs/first recording --false-per-shift 1',
    'beltnet tune-alarm runs/first monday.csv --false-per-shift 1 --judge tuesday.csv',
  ],
  async run([model, recording], options) {
    const { falsePerShift, shiftHours, framesPerSecond, judge } = options;
    const output = new Output(options);
    return withDevice(options, async (device) => {
      const classifier = await loadClassifier(model, { device, batchSize: options.batch });
      const { className, threshold } = classifier.info.alert;
      const replayed = await replayedFrames(classifier, recording, options.workers);
      const tuned = tuneAlarm(replayed, threshold, { framesPerSecond, falsePerShift, shiftHours });
      const { chosen, everyFrame, cannotKnow } = tuned;
      const judged = judge === undefined ? null : await replayedFrames(classifier, judge, options.workers);
      const measure = (rule: AlarmPerformance['rule']): AlarmPerformance | null =>
        judged && measureAlarm(judged, rule, { framesPerSecond, shiftHours });
      const [chosenThere, everyThere] = [measure(chosen.rule), measure(everyFrame.rule)];
      output.emit({
        model: classifier.name,
        class: className,
        recording,
        frames: replayed.length,
        ...tuned,
        judged: chosenThere,
      });
      for (const line of wrapped(`Alarm '${className}': ${ruleInWords(chosen.rule)}`)) output.say(line);
      output.say(`In line.json: "alarm": ${JSON.stringify(chosen.rule)}`);
      const compare = (name: string, rule: AlarmPerformance, ofModel: AlarmPerformance): void => {
        const rows = [['', 'chosen', 'every frame'], ...performanceRows(rule, ofModel)];
        for (const line of ['', `On ${name}:`, ...fittingTable(rows)]) output.say(line);
      };
      compare(recording, chosen, everyFrame);
      if (judge !== undefined && chosenThere && everyThere) compare(judge, chosenThere, everyThere);
      noteUnknowable(cannotKnow);
      return 0;
    });
  },
});

function ruleInWords({ of, raise, clear, threshold }: AlarmPerformance['rule']): string {
  if (of === 1) return `raised by one frame from ${threshold} on, over with the next one below`;
  const over = clear === 0 ? 'none of them is' : `no more than ${clear} of them are`;
  return `raised when ${raise} of the last ${of} frames are at ${threshold} or above, over when ${over}`;
}

/** What is told of two rules on one recording, a line each. */
function performanceRows(...rules: readonly AlarmPerformance[]): string[][] {
  type Told = Pick<AlarmPerformance, 'delaySeconds' | 'falsePerHour'>;
  const range = ({ estimate, low, high }: Told['falsePerHour']): string =>
    `${rounded(estimate)} (${rounded(low)} to ${rounded(high)})`;
  const delay = ({ delaySeconds: it }: Told): string =>
    it ? `${it.mean.toFixed(2)} s (${it.low.toFixed(2)} to ${it.high.toFixed(2)})` : '-';
  return [
    ['false alarms', ...rules.map((one) => `${one.falseAlarms} in ${duration(one.quietHours)}`)],
    ['  an hour', ...rules.map((one) => range(one.falsePerHour))],
    ['  a shift', ...rules.map((one) => range(one.falsePerShift))],
    ['missed', ...rules.map(({ missed, events }) => `${missed} of ${events}`)],
    ['delay', ...rules.map(delay)],
    ['  at worst', ...rules.map(({ delaySeconds: it }) => (it ? `${it.worst.toFixed(1)} s` : '-'))],
  ];
}

/** Two digits, without an exponent. */
const rounded = (value: number): string => String(Number(value.toPrecision(2)));

function duration(hours: number): string {
  if (hours >= 1) return `${hours.toFixed(1)} h`;
  return hours >= 1 / 60 ? `${(60 * hours).toFixed(0)} min` : `${(3600 * hours).toFixed(0)} s`;
}

/** In the order of their names. @throws DataError for a picture that cannot be used: a shift with holes is another one */
async function replayedFrames(
  classifier: NodeClassifier,
  recording: string,
  workers: number | undefined,
): Promise<ShiftFrame[]> {
  const { className } = classifier.info.alert;
  let done = 0;
  const frames = await classifyLabelled(classifier, recording, {
    ...(workers !== undefined && { workers }),
    onResult(_, total) {
      done++;
      showProgress(() => `Replaying ${done}/${total}`);
    },
  });
  return frames
    .toSorted((a, b) => (basename(a.path) < basename(b.path) ? -1 : 1))
    .map(({ isAlert, verdict }) => ({ isAlert, probability: verdict.probabilities[className] }));
}

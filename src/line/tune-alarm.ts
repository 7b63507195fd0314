/**
 * Which k of n, and which threshold: a recorded, labelled shift is replayed through every rule of a grid, and the one is taken that
 * notices soonest what it should notice and bears no more false alarms than asked.
 *
 * Frames of one shift are not independent of each other, so nothing is multiplied up from rates of single frames: alarms are counted
 * in the replay. A rule that is chosen among many looks better on its own recording than it is. So false alarms are counted at a
 * threshold that is lower than the one that is chosen, and `measureAlarm` of another shift says what the rule is worth.
 */
import { clopperPearson, type Interval } from '../classifier/figures/binomial.js';
import { percentileInterval } from '../classifier/figures/intervals.js';
import { UsageError } from '../errors.js';
import { expectArray, expectNumber, expectObject, listOf, objectWith } from '../expect.js';
import { exp, log } from '../tensor/exact-math.js';
import { Random, RandomStream } from '../tensor/random.js';

/** In their order in time, at even distances. */
export interface ShiftFrame {
  /** Whether there was something to be noticed. */
  readonly isAlert: boolean;
  /** Of the class that raises the alert. */
  readonly probability: number;
}

export interface AlarmRule {
  readonly of: number;
  readonly raise: number;
  readonly clear: number;
  readonly threshold: number;
}

export interface AlarmPerformance {
  readonly rule: AlarmRule;
  /** Raised where there was nothing to be noticed; one that stands there counts once more for every minute (or window, where that is longer). */
  readonly falseAlarms: number;
  /** Hours in which there was nothing to be noticed. */
  readonly quietHours: number;
  readonly falsePerHour: Interval & { readonly estimate: number };
  readonly falsePerShift: Interval & { readonly estimate: number };
  /** Runs of frames with something to be noticed. */
  readonly events: number;
  /** Those of them without an alarm, or under one that had stood for nothing for more than a minute: nobody believes that one. */
  readonly missed: number;
  readonly missedPart: Interval;
  /** From the first frame of an event to its alarm, of those that were noticed; null without. */
  readonly delaySeconds: (Interval & { readonly mean: number; readonly worst: number }) | null;
}

export interface TuneOptions {
  readonly framesPerSecond: number;
  /** So many false alarms a shift are borne. */
  readonly falsePerShift: number;
  readonly shiftHours?: number;
}

export interface TunedAlarm {
  readonly chosen: AlarmPerformance;
  /** What it would be if every frame whose probability reaches the threshold raised an alarm. */
  readonly everyFrame: AlarmPerformance;
  /** What the recording is too short or too quiet to tell, a sentence each. */
  readonly cannotKnow: readonly string[];
}

const WINDOWS = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30];
const THRESHOLDS = Array.from({ length: 29 }, (_, n) => sigmoid((n - 14) / 2));
/** False alarms are counted at a threshold that is lower by this, in log odds. */
const MARGIN = 0.5;
const PATIENCE_SECONDS = 60;
const RESAMPLES = 2000;

function sigmoid(logOdds: number): number {
  return Number((1 / (1 + exp(-logOdds))).toPrecision(3));
}

const lowered = (threshold: number): number => sigmoid(log(threshold / (1 - threshold)) - MARGIN);

const expectFrames = listOf(objectWith({ probability: expectNumber }));

/** What a replay gives: how often an alarm was for nothing, and when each event was noticed. */
interface Replay {
  readonly falseAlarms: number;
  /** In frames from an event's first; null for one that was missed. */
  readonly delays: readonly (number | null)[];
}

interface Shift {
  readonly probabilities: Float64Array;
  /** First and last frame of each event. */
  readonly events: readonly (readonly [first: number, last: number])[];
  /** Whoever has seen an alarm stand for nothing for so many frames (a minute) believes it no more. */
  readonly patience: number;
}

/**
 * Without hold and acknowledging, which only make fewer alarms of as many. An alarm that stands while nothing is to be noticed is
 * counted once more whenever patience ends, and notices nothing from then on until it is over: else the rule that always alarms would
 * be the best one.
 */
function replay({ probabilities, events, patience }: Shift, { of, raise, clear, threshold }: AlarmRule): Replay {
  const delays: (number | null)[] = events.map(() => null);
  const mostIdle = Math.max(patience, of);
  let [falseAlarms, alerts, stands, event] = [0, 0, false, 0];
  /** Frames for which the alarm has stood for nothing, and whether anybody believes it still. */
  let [idle, isBelieved] = [0, true];
  for (let n = 0; n < probabilities.length; n++) {
    alerts += Number(probabilities[n] >= threshold);
    if (n >= of) alerts -= Number(probabilities[n - of] >= threshold);
    // Frames of an event are in the window for a while after its end.
    while (event < events.length && n > events[event][1] + of - 1) event++;
    const isQuiet = event === events.length || n < events[event][0];
    if (!stands && alerts >= raise) {
      [stands, idle, isBelieved] = [true, 0, true];
      if (isQuiet) falseAlarms++;
    } else if (stands && alerts <= clear) stands = false;
    if (!stands) continue;
    if (!isQuiet) idle = 0;
    else if (++idle > mostIdle) {
      falseAlarms++;
      [idle, isBelieved] = [1, false];
    }
    if (!isBelieved) continue;
    // The next event may have begun while the last one is still in the window.
    for (let each = event; each < events.length && n >= events[each][0]; each++)
      if (n <= events[each][1] + of - 1) delays[each] ??= n - events[each][0];
  }
  return { falseAlarms, delays };
}

function shiftOf(frames: readonly ShiftFrame[], framesPerSecond: number): Shift {
  const events: [number, number][] = [];
  for (const [n, { isAlert }] of frames.entries()) {
    if (!isAlert) continue;
    const last = events.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else events.push([n, n]);
  }
  return {
    probabilities: Float64Array.from(frames, ({ probability }) => probability),
    events,
    patience: Math.ceil(PATIENCE_SECONDS * framesPerSecond),
  };
}

/** What a rule does on a recorded shift. Intervals are of 95 %. */
export function measureAlarm(
  frames: readonly ShiftFrame[],
  rule: AlarmRule,
  options: Omit<TuneOptions, 'falsePerShift'>,
): AlarmPerformance {
  expectArray(frames, 'measureAlarm: frames');
  expectFrames(frames, 'measureAlarm: frames');
  objectWith({ of: expectNumber, raise: expectNumber, clear: expectNumber, threshold: expectNumber })(
    rule,
    'measureAlarm: rule',
  );
  objectWith({ framesPerSecond: expectNumber })(options, 'measureAlarm: options');
  const { framesPerSecond, shiftHours = 8 } = options;
  const shift = shiftOf(frames, framesPerSecond);
  const { falseAlarms, delays } = replay(shift, rule);
  const quiet = frames.length - shift.events.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const quietHours = quiet / framesPerSecond / 3600;
  const perFrame = quiet === 0 ? { low: 0, high: 1 } : clopperPearson(Math.min(falseAlarms, quiet), quiet);
  const times = (hours: number): Interval & { estimate: number } => {
    const factor = hours * 3600 * framesPerSecond;
    return {
      estimate: quiet === 0 ? 0 : (falseAlarms / quiet) * factor,
      low: perFrame.low * factor,
      high: perFrame.high * factor,
    };
  };
  const noticed = delays.filter((delay) => delay !== null).map((delay) => delay / framesPerSecond);
  const missed = delays.length - noticed.length;
  return {
    rule,
    falseAlarms,
    quietHours,
    falsePerHour: times(1),
    falsePerShift: times(shiftHours),
    events: delays.length,
    missed,
    missedPart: delays.length === 0 ? { low: 0, high: 1 } : clopperPearson(missed, delays.length),
    delaySeconds:
      noticed.length === 0 ? null : { mean: mean(noticed), ...meanInterval(noticed), worst: Math.max(...noticed) },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of a mean: events drawn again and again, with replacement. */
function meanInterval(values: readonly number[]): Interval {
  const means = Array.from({ length: RESAMPLES }, (_, round) => {
    const random = new Random(0, RandomStream.bootstrap, round);
    let sum = 0;
    for (let n = 0; n < values.length; n++) sum += values[random.integer(values.length)];
    return sum / values.length;
  });
  return percentileInterval(means);
}

/**
 * Chooses k, n and threshold.
 * @param ofModel the model's own threshold, for comparison
 * @throws UsageError for a recording in which nothing was to be noticed, or nothing else
 */
export function tuneAlarm(frames: readonly ShiftFrame[], ofModel: number, options: TuneOptions): TunedAlarm {
  expectArray(frames, 'tuneAlarm: frames');
  expectFrames(frames, 'tuneAlarm: frames');
  expectNumber(ofModel, 'tuneAlarm: ofModel');
  expectObject(options, 'tuneAlarm: options');
  const { framesPerSecond, falsePerShift, shiftHours = 8 } = options;
  for (const [name, value] of Object.entries({ framesPerSecond, falsePerShift, shiftHours }))
    if (!(value > 0 && Number.isFinite(value)))
      throw new UsageError(`tuneAlarm: ${name} expects a number above 0, got ${String(value)}`);
  const shift = shiftOf(frames, framesPerSecond);
  const alerts = frames.filter(({ isAlert }) => isAlert).length;
  if (alerts === 0 || alerts === frames.length)
    throw new UsageError(
      `tuneAlarm: expects a recording with and without what is to be noticed, got ${frames.length} frames, ${alerts} with`,
    );
  const shifts = (frames.length - alerts) / framesPerSecond / 3600 / shiftHours;
  const candidates = WINDOWS.flatMap((of) =>
    Array.from({ length: of }, (_, n) => n + 1)
      .filter((raise) => raise > of / 3)
      .flatMap((raise) => THRESHOLDS.map((threshold) => ({ of, raise, clear: 0, threshold }))),
  ).map((rule) => {
    const { delays } = replay(shift, rule);
    const { falseAlarms } = replay(shift, { ...rule, threshold: lowered(rule.threshold) });
    const noticed = delays.filter((delay) => delay !== null);
    return {
      rule,
      falsePerShift: falseAlarms / shifts,
      missed: delays.length - noticed.length,
      delay: noticed.length === 0 ? Infinity : Math.round(4 * mean(noticed)) / 4, // quarters of a frame
    };
  });
  type Candidate = (typeof candidates)[number];
  const isBetter = (a: Candidate, b: Candidate): number =>
    a.missed - b.missed ||
    a.delay - b.delay ||
    a.falsePerShift - b.falsePerShift ||
    b.rule.threshold - a.rule.threshold;
  const bearable = candidates.filter((one) => one.falsePerShift <= falsePerShift);
  const [best] =
    bearable.length > 0
      ? bearable.toSorted(isBetter)
      : candidates.toSorted((a, b) => a.falsePerShift - b.falsePerShift || isBetter(a, b));
  const chosen = measureAlarm(frames, best.rule, options);
  return {
    chosen,
    everyFrame: measureAlarm(frames, { of: 1, raise: 1, clear: 0, threshold: ofModel }, options),
    cannotKnow: [
      ...(bearable.length === 0
        ? [`no rule bears at most ${falsePerShift} false alarms a shift on this recording; the quietest one is taken`]
        : []),
      ...(chosen.falsePerShift.high > falsePerShift
        ? [
            `${Number(chosen.quietHours.toPrecision(2))} quiet hours are too few to promise ${falsePerShift} a shift: up to ` +
              `${Number(chosen.falsePerShift.high.toPrecision(2))} fit what was counted; ${((3.7 * shiftHours) / falsePerShift).toFixed(0)} hours without one would do`,
          ]
        : []),
      ...(chosen.events < 20
        ? [
            `what is missed, and how late an alarm may come: something was to be noticed ${chosen.events === 1 ? 'once' : `${chosen.events} times`}, which is few`,
          ]
        : []),
      'the rule was chosen on these frames and looks better on them than it is; measure it on another shift (--judge)',
    ],
  };
}

/** What a model says about a picture: its class, and whether the alarm is raised. */
import { preview } from '../options.js';
import {
  expectArray,
  expectNumber,
  orNull,
  expectList,
  expectText,
  expectWhole,
  listOf,
  objectWith,
  received,
} from '../expect.js';
import { NotANumberError, UsageError, type BeltnetError } from '../errors.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { withTemperature } from './figures/temperature.js';
import type { PictureFault } from './picture-faults.js';
import { temperatureOf } from './tuning.js';

export interface Verdict {
  /** The most probable class; a tie goes to the first, as in the accuracy. */
  readonly class: string;
  /** Of that class. */
  readonly probability: number;
  /** Of every class. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Whether the probability of the alert's class reaches its threshold, whatever the most probable class is. */
  readonly alert: boolean;
  /** Of models that can tell: how unlike the training's pictures this one is, 1 at the threshold. */
  readonly unlike?: number;
  /** Of models that can tell: true beyond the threshold. The verdict stands, but the model was not trained on such pictures. */
  readonly unknown?: boolean;
  /** Of models that know their training's light and focus: what is wrong with the picture, whatever is in it. The verdict stands. */
  readonly faults?: readonly PictureFault[];
}

/** No verdict, and why: a picture that cannot be used (DataError), or scores that are no numbers (NotANumberError). */
export interface NoVerdict {
  readonly error: BeltnetError;
}

/** One of many pictures: what is wrong with it keeps no other from its verdict. */
export type Classification = Verdict | NoVerdict;

/** What a model says about a picture, before anybody has looked at the numbers: they may be NaN. */
export interface Prediction {
  /** Of every class. */
  readonly probabilities: readonly number[];
  /** Above 1 the picture is unlike what the model was trained on; null for a model that cannot tell. */
  readonly unlike: number | null;
  /** Left out for a model that knows no limits. */
  readonly faults?: readonly PictureFault[];
}

/** What `model.predict` gives, as the probabilities of all classes for each picture: of one sigmoid unit, 1 − p and p. */
export function classProbabilities(scores: Float32Array, units: number): number[][] {
  expectList(scores, 'classProbabilities: scores');
  expectWhole(units, 'classProbabilities: units', 1, 2 ** 20);
  return Array.from({ length: Math.floor(scores.length / units) }, (_, n) =>
    units === 1 ? [1 - scores[n], scores[n]] : [...scores.subarray(n * units, (n + 1) * units)],
  );
}

/**
 * @param prediction what the network says; a calibrated model's probabilities are calibrated here
 * @param name what messages call the picture
 * @throws NotANumberError when one of the numbers is NaN or infinite: that is never "no alert"
 */
export function judge(prediction: Prediction, info: ModelInfo, name: string): Verdict {
  objectWith({ probabilities: expectArray, unlike: orNull(expectNumber) })(prediction, 'judge: prediction');
  expectInfo(info, 'judge');
  const { probabilities: given, unlike, faults } = prediction;
  const { classNames, alert } = info;
  const wrong = [...given, unlike ?? 0].find((value) => !Number.isFinite(value));
  if (wrong !== undefined)
    throw new NotANumberError(
      `${name}: expects probabilities, got ${received(wrong)}, so there is no verdict; the model's numbers overflow on this picture: ` +
        'train it anew with a smaller learning rate, or look at the picture',
    );
  const probabilities = withTemperature(given, temperatureOf(info));
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  return {
    class: classNames[predicted],
    probability: probabilities[predicted],
    probabilities: Object.fromEntries(classNames.map((each, index) => [each, probabilities[index]])),
    alert: probabilities[classNames.indexOf(alert.className)] >= alert.threshold,
    ...(unlike !== null && { unlike, unknown: unlike > 1 }),
    ...(faults && { faults }),
  };
}

/**
 * The class that raises the alert: the one asked for, else the second.
 * @throws UsageError for a name that is none of the classes'
 */
export function alertClassOf(classNames: readonly string[], given: string | undefined): string {
  expectArray(classNames, 'alertClassOf: classNames');
  listOf(expectText)(classNames, 'alertClassOf: classNames');
  if (given === undefined) return classNames[1];
  if (classNames.includes(given)) return given;
  throw new UsageError(
    `alertClass: expects one of the classes ${classNames.map((name) => `'${name}'`).join(', ')}, got ${preview(given)}`,
  );
}

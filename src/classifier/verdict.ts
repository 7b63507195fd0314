/** What a model says about a picture: its class, and whether the alarm is raised. */
import { NotANumberError, UsageError, type BeltnetError } from '../errors.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { withTemperature } from './figures/temperature.js';
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
}

/** No verdict, and why: a picture that cannot be used (DataError), or scores that are no numbers (NotANumberError). */
export interface NoVerdict {
  readonly error: BeltnetError;
}

/** One of many pictures: what is wrong with it keeps no other from its verdict. */
export type Classification = Verdict | NoVerdict;

/** What `model.predict` gives, as the probabilities of all classes for each picture: of one sigmoid unit, 1 − p and p. */
export function classProbabilities(scores: Float32Array, units: number): number[][] {
  return Array.from({ length: scores.length / units }, (_, n) =>
    units === 1 ? [1 - scores[n], scores[n]] : [...scores.subarray(n * units, (n + 1) * units)],
  );
}

/**
 * @param given probabilities of all classes as the network says them; a calibrated model's are calibrated here
 * @param name what messages call the picture
 * @throws NotANumberError when one of them is NaN or infinite: that is never "no alert"
 */
export function judge(given: readonly number[], info: ModelInfo, name: string): Verdict {
  const { classNames, alert } = info;
  const wrong = given.find((probability) => !Number.isFinite(probability));
  if (wrong !== undefined)
    throw new NotANumberError(
      `${name}: expected probabilities, got ${wrong}, so there is no verdict; the model's numbers overflow on this picture: ` +
        'train it anew with a smaller learning rate, or look at the picture',
    );
  const probabilities = withTemperature(given, temperatureOf(info));
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  return {
    class: classNames[predicted],
    probability: probabilities[predicted],
    probabilities: Object.fromEntries(classNames.map((each, index) => [each, probabilities[index]])),
    alert: probabilities[classNames.indexOf(alert.className)] >= alert.threshold,
  };
}

/**
 * The class that raises the alert: the one asked for, else the second.
 * @throws UsageError for a name that is none of the classes'
 */
export function alertClassOf(classNames: readonly string[], given: string | undefined): string {
  if (given === undefined) return classNames[1];
  if (classNames.includes(given)) return given;
  throw new UsageError(
    `alertClass: expects one of the classes ${classNames.map((name) => `'${name}'`).join(', ')}, got '${given}'`,
  );
}

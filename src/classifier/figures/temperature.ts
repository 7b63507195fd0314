/**
 * Temperature calibration: one number that makes a network's probabilities mean what they say, without changing which class is
 * the most probable (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017).
 */
import { expectNumber, listOf, received } from '../../expect.js';
import { DataError, UsageError } from '../../errors.js';
import { exp, log } from '../../tensor/exact-math.js';
import { checkProbabilities } from './checks.js';
import { expectedCalibrationError, logLoss } from './probability-scores.js';

/** Next to 1 float32 tells no smaller difference: what it calls 0 may be so much. */
const LEAST_PROBABILITY = 2 ** -25;
const [LEAST_TEMPERATURE, GREATEST_TEMPERATURE] = [0.01, 100];

const logitsOf = (probabilities: ArrayLike<number>): number[] =>
  Array.from(probabilities, (p) => log(Math.max(p, LEAST_PROBABILITY)));

/** softmax(logits / temperature) */
function softmax(logits: readonly number[], temperature: number): number[] {
  const greatest = Math.max(...logits);
  const powers = logits.map((logit) => exp((logit - greatest) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * softmax(log p / temperature): of two classes sigmoid(logit / temperature). Above 1 probabilities move together, below 1 apart.
 *
 * @param probabilities of all classes
 */
export function withTemperature(probabilities: ArrayLike<number>, temperature: number): number[] {
  listOf(expectNumber)(probabilities, 'withTemperature: probabilities');
  if (typeof temperature !== 'number' || !(temperature > 0))
    throw new UsageError(`withTemperature: expects a number above 0, got ${received(temperature)}`);
  return temperature === 1 ? Array.from(probabilities) : softmax(logitsOf(probabilities), temperature);
}

/** What the model file's section `calibration` holds. */
export interface Calibration {
  readonly temperature: number;
  /** How many pictures it was fitted on, … */
  readonly pictures: number;
  /** … and what it did there. */
  readonly logLoss: { readonly before: number; readonly after: number };
  readonly expectedCalibrationError: { readonly before: number; readonly after: number };
}

/**
 * The temperature of the least log loss.
 *
 * @param labels of pictures that the model was not trained on
 * @param probabilities [N][classes], as the network gives them
 * @throws DataError when there is none: all pictures are judged rightly, or the probabilities say nothing about them
 */
export function fitTemperature(labels: ArrayLike<number>, probabilities: readonly ArrayLike<number>[]): Calibration {
  checkProbabilities('fitTemperature', labels, probabilities);
  const logits = probabilities.map(logitsOf);
  // d loss / d (1 / temperature) = Σ (expected logit − the label's logit) grows with 1 / temperature: the loss is convex in it.
  const slope = (temperature: number): number => {
    let sum = 0;
    for (const [n, row] of logits.entries())
      for (const [k, p] of softmax(row, temperature).entries()) sum += p * (row[k] - row[labels[n]]);
    return sum;
  };
  if (!(slope(LEAST_TEMPERATURE) > 0))
    throw new DataError(
      `temperature: expects pictures of which some are misjudged, got ${labels.length} of which none is: they can't tell how sure is ` +
        'too sure; take more pictures, or harder ones',
    );
  if (!(slope(GREATEST_TEMPERATURE) < 0))
    throw new DataError(
      'temperature: expects probabilities that say something about the pictures, got some that are no better than the same for all; ' +
        'train longer, or look whether the classes have their right names',
    );
  let [low, high] = [log(LEAST_TEMPERATURE), log(GREATEST_TEMPERATURE)];
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (slope(exp(middle)) > 0) low = middle;
    else high = middle;
  }
  const temperature = exp((low + high) / 2);
  const calibrated = probabilities.map((row) => withTemperature(row, temperature));
  const both = (figure: typeof logLoss): { before: number; after: number } => ({
    before: figure(labels, probabilities),
    after: figure(labels, calibrated),
  });
  return {
    temperature,
    pictures: labels.length,
    logLoss: both(logLoss),
    expectedCalibrationError: both(expectedCalibrationError),
  };
}

/**
 * Successive halving: all trials are trained a little, the best part of them more, and so on; the last ones to the end. What is decided at a
 * rung is decided when all of its trials have reached it, by their figures up to there alone: not by who was there first.
 * Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016.
 */
import { UsageError } from '../../errors.js';
import { expectArray, expectCount, expectNumber, expectWhole, listOf, objectWith, orNull } from '../../expect.js';
import { Random, RandomStream } from '../../tensor/random.js';
import { bestEpoch, isBetter, type EpochRecord } from '../epoch-record.js';

export interface Rung {
  /** How many trials are trained … */
  readonly trials: number;
  /** … up to this epoch. */
  readonly epochs: number;
}

/** @param by a rung has so many times as many epochs as the one before, and so many times fewer trials; 1: one rung */
export function rungsOf(trials: number, epochs: number, by: number): Rung[] {
  expectWhole(trials, 'rungsOf: trials', 1, 2 ** 20);
  expectWhole(epochs, 'rungsOf: epochs', 1, 2 ** 20);
  expectWhole(by, 'rungsOf: by', 1, 2 ** 20);
  if (by === 1) return [{ trials, epochs }];
  const powers: number[] = []; // of `by`, from 1: whole numbers, which are exact
  for (let power = 1; power <= trials && power <= epochs; power *= by) powers.push(power);
  return powers.map((power, n) => ({
    trials: Math.floor(trials / power),
    epochs: Math.ceil(epochs / powers[powers.length - 1 - n]),
  }));
}

/** A trial and its epochs; null where it came to nothing: its numbers overflowed. */
export interface TrialEpochs {
  readonly index: number;
  readonly epochs: readonly EpochRecord[] | null;
}

/** @throws UsageError unless it is a trial with its epochs */
export const expectTrial = objectWith({ index: expectCount, epochs: orNull(expectArray) });

/** The best epoch of a trial up to one. */
export function bestUpTo(trial: TrialEpochs, last: number): EpochRecord | null {
  expectTrial(trial, 'bestUpTo: trial');
  return bestEpoch(trial.epochs?.filter(({ epoch }) => epoch <= last) ?? []) ?? null;
}

/** The trials by their best epochs up to one, the best first, of equal ones the earlier trial. */
export function ranked(trials: readonly TrialEpochs[], epochs: number): TrialEpochs[] {
  listOf(expectTrial)(trials, 'ranked: trials');
  expectArray(trials, 'ranked: trials');
  const best = new Map(trials.map((trial) => [trial, bestUpTo(trial, epochs)]));
  return trials.toSorted((a, b) => {
    const [one, other] = [best.get(a) ?? null, best.get(b) ?? null];
    if (one === null || other === null) return Number(one === null) - Number(other === null) || a.index - b.index;
    return Number(isBetter(other, one)) - Number(isBetter(one, other)) || a.index - b.index;
  });
}

/** A trial that came to the end: its figure on the pictures that chose it, and on others. */
export interface FinishedTrial {
  readonly validation: number;
  readonly test: number;
}

export interface Optimism {
  /** What the winner's figure on the validation pictures is above that on the others. */
  readonly winner: number;
  /** The mean of that over all trials that came to the end: what choosing among epochs, and chance of the division, make of it. */
  readonly mean: number;
  /** … of the best of as many trials drawn again from them: what a search like this one gives; with its 95 % interval. */
  readonly search: { readonly mean: number; readonly low: number; readonly high: number };
}

const RESAMPLES = 2000;

/** By how much the figures that chose flatter the chosen: bootstrap over trials. Null for fewer than two. */
export function optimismOf(trials: readonly FinishedTrial[], seed: number): Optimism | null {
  listOf(objectWith({ validation: expectNumber, test: expectNumber }))(trials, 'optimismOf: trials');
  if (trials.length < 2) return null;
  if (trials.some(({ validation, test }) => !Number.isFinite(validation + test)))
    throw new UsageError('optimismOf: expects finite figures');
  const bestOf = (some: readonly FinishedTrial[]): number => {
    const best = some.reduce((chosen, one) => (one.validation > chosen.validation ? one : chosen));
    return best.validation - best.test;
  };
  const random = new Random(seed, RandomStream.bootstrap, trials.length);
  const gaps = Array.from({ length: RESAMPLES }, () =>
    bestOf(trials.map(() => trials[random.integer(trials.length)])),
  ).toSorted((a, b) => a - b);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    winner: bestOf(trials),
    mean: mean(trials.map(({ validation, test }) => validation - test)),
    search: { mean: mean(gaps), low: gaps[RESAMPLES * 0.025], high: gaps[RESAMPLES * 0.975 - 1] },
  };
}

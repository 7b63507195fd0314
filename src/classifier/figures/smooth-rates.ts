/**
 * Rates of misses and false alarms over all thresholds, estimated for pictures that are yet to come. What was counted is a
 * staircase: below the least certain of 50 positives it says that nothing is missed, where 1 of 51 is to be expected. So each
 * picture stands for a normal distribution about its log odds (Zou, Hall, Shapiro, "Smooth non-parametric receiver operating
 * characteristic curves for continuous diagnostic tests", 1997), as wide as Silverman's rule says.
 */
import { exp, log, log1p, pow, square } from '../../tensor/exact-math.js';
import { normalTail } from './normal.js';

/** Log odds of the least and greatest probability that is told from 0 and 1 (2⁻²⁵), and the step between thresholds. */
const LIMIT = log(2 ** 25 - 1);
const STEP = 0.05;
const COUNT = 2 * Math.ceil(LIMIT / STEP) + 1;
const MIDDLE = (COUNT - 1) / 2;

export const THRESHOLDS = COUNT;

/** The threshold of an index. The first is 0, where every picture raises the alarm; the last 1. In as few digits as tell it from the next. */
export function thresholdAt(index: number): number {
  if (index <= 0) return 0;
  if (index >= COUNT - 1) return 1;
  const odds = exp((index - MIDDLE) * STEP);
  if (odds <= 1) return Number((odds / (1 + odds)).toPrecision(3));
  return Number((1 - Number((1 / (1 + odds)).toPrecision(3))).toFixed(12));
}

const indexOf = (probability: number): number => {
  const logOdds = log(probability) - log1p(-probability);
  return Math.round(Math.min(LIMIT, Math.max(-LIMIT, logOdds)) / STEP) + MIDDLE;
};

/** The parts of positives below, and of negatives at or above the threshold of each index. */
export interface SmoothRates {
  readonly miss: Float64Array;
  readonly falseAlarm: Float64Array;
}

/** @returns from how often each picture counts to the rates */
export function smoother(
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
): (weights: ArrayLike<number>) => SmoothRates {
  const places = Uint32Array.from(scores, indexOf);
  const below = [0, 1].map((label) => tailsOf(bandwidth([...places].filter((_, n) => labels[n] === label))));
  return (weights) => {
    const [negatives, positives] = [0, 1].map((label) => {
      const counts = new Float64Array(COUNT);
      let sum = 0;
      for (const [n, place] of places.entries()) {
        if (labels[n] !== label) continue;
        counts[place] += weights[n];
        sum += weights[n];
      }
      return partsBelow(counts, sum, below[label]);
    });
    return { miss: positives, falseAlarm: negatives.map((part) => Math.max(0, 1 - part)) };
  };
}

/** P(a picture at distance 0 is below a threshold at distance d − COUNT), [2 · COUNT] */
function tailsOf(width: number): Float64Array {
  return Float64Array.from({ length: 2 * COUNT }, (_, d) => normalTail((d - COUNT) / width));
}

function partsBelow(counts: Float64Array, sum: number, tails: Float64Array): Float64Array {
  const parts = new Float64Array(COUNT);
  for (let place = 0; place < COUNT; place++) {
    if (counts[place] === 0) continue;
    const part = counts[place] / sum;
    for (let index = 1; index < COUNT - 1; index++) parts[index] += part * tails[index - place + COUNT];
  }
  parts[COUNT - 1] = 1;
  return parts;
}

/** Silverman's rule: 0.9 · min(deviation, quartiles' distance / 1.34) · N^−1/5; in steps, and at least one. */
function bandwidth(places: readonly number[]): number {
  const sorted = places.toSorted((a, b) => a - b);
  const mean = sorted.reduce((sum, place) => sum + place, 0) / sorted.length;
  const variance = sorted.reduce((sum, place) => sum + square(place - mean), 0) / Math.max(1, sorted.length - 1);
  const quartile = (part: number): number => sorted[Math.round(part * (sorted.length - 1))];
  const spread = Math.min(Math.sqrt(variance), (quartile(0.75) - quartile(0.25)) / 1.34 || Infinity);
  return Math.max(1, 0.9 * spread * pow(sorted.length, -0.2));
}

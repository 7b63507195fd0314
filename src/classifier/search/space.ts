/** What is searched: a file of JSON with the values that options of the training may take, and the values of each trial. */
import { UsageError } from '../../errors.js';
import { expectCount, expectObject, expectText, listOf, objectWith } from '../../expect.js';
import { preview } from '../../options.js';
import { exp, log } from '../../tensor/exact-math.js';
import { MOST_DIMENSIONS, randomPoint, sobolPoint } from './sobol.js';

export type TrialValue = string | number | boolean;

/** Values of one option: some, or a range. */
export type Dimension =
  | { readonly name: string; readonly values: readonly TrialValue[] }
  | {
      readonly name: string;
      readonly from: number;
      readonly to: number;
      readonly scale: 'linear' | 'log';
      readonly whole: boolean;
    };

export const searchMethods = ['sobol', 'random'] as const;
export type SearchMethod = (typeof searchMethods)[number];

const FORM = '[16, 32, 64], or {"from": 0.0001, "to": 0.01, "scale": "log"}, or {"from": 1, "to": 8, "whole": true}';

/**
 * @param text JSON: an object of options by their names, each with a list of values or a range
 * @param name of the file, for messages
 * @throws UsageError
 */
export function parseSpace(text: string, name: string): Dimension[] {
  expectText(text, 'parseSpace: text');
  expectText(name, 'parseSpace: name');
  let space: unknown;
  try {
    space = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name}: expects JSON, got ${(error as Error).message}`);
  }
  if (typeof space !== 'object' || space === null || Array.isArray(space) || Object.keys(space).length === 0)
    throw new UsageError(
      `${name}: expects an object of options, such as {"lr": ${FORM.split(', or ')[1]}}, got ${preview(space)}`,
    );
  const dimensions = Object.entries(space).map(([option, given]) => dimensionOf(option, given, name));
  if (dimensions.length > MOST_DIMENSIONS)
    throw new UsageError(
      `${name}: expects at most ${MOST_DIMENSIONS} options, got ${dimensions.length}; leave some out`,
    );
  return dimensions.toSorted((a, b) => (a.name < b.name ? -1 : 1)); // the order in the file means nothing
}

function dimensionOf(name: string, given: unknown, file: string): Dimension {
  const refuse = (what: string, got: unknown): never => {
    throw new UsageError(`${file}, ${name}: expects ${what}, got ${preview(got)}`);
  };
  if (Array.isArray(given)) {
    const fits = given.every((value) => ['string', 'number', 'boolean'].includes(typeof value));
    if (!fits || given.length === 0) return refuse(`values such as ${FORM}`, given);
    if (new Set(given).size < given.length) return refuse('each value once', given);
    return { name, values: given as TrialValue[] };
  }
  if (typeof given !== 'object' || given === null) return refuse(FORM, given);
  const { from, to, scale = 'linear', whole = false, ...others } = given as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return refuse(`from, to, scale and whole`, unknown);
  if (typeof from !== 'number' || typeof to !== 'number' || !(from < to))
    return refuse('numbers with from below to', given);
  if (scale !== 'linear' && scale !== 'log') return refuse('the scale linear or log', scale);
  if (scale === 'log' && from <= 0) return refuse('from above 0 on a log scale', from);
  if (typeof whole !== 'boolean') return refuse('whole to be true or false', whole);
  if (whole && !(Number.isInteger(from) && Number.isInteger(to))) return refuse('whole numbers as from and to', given);
  return { name, from, to, scale, whole };
}

/** Digits that a value has: enough to differ, few enough to be read and to be the same in all programs. */
const DIGITS = 6;

/** The values of a trial: they follow from seed and index, whoever makes it and when. */
export function trialValues(
  space: readonly Dimension[],
  trial: { readonly method: SearchMethod; readonly seed: number; readonly index: number },
): Record<string, TrialValue> {
  listOf(objectWith({ name: expectText }))(space, 'trialValues: space');
  expectObject(trial, 'trialValues: trial');
  const { method, seed, index } = trial;
  expectCount(index, 'trialValues: index');
  const point = (method === 'sobol' ? sobolPoint : randomPoint)(seed, index, space.length);
  return Object.fromEntries(space.map((dimension, n) => [dimension.name, valueAt(dimension, point[n])]));
}

/** @param u in [0, 1) */
function valueAt(dimension: Dimension, u: number): TrialValue {
  if ('values' in dimension) return dimension.values[Math.floor(u * dimension.values.length)];
  const { from, to, scale, whole } = dimension;
  if (whole && scale === 'linear') return from + Math.floor(u * (to - from + 1));
  const value = scale === 'log' ? exp(log(from) + u * (log(to) - log(from))) : from + u * (to - from);
  const rounded = whole ? Math.round(value) : Number(value.toPrecision(DIGITS));
  return Math.min(Math.max(rounded, from), to);
}

/**
 * Options by a schema: what each may be, and what it is when it is not given. A layer's schema is read by its constructor and by
 * model files, and TypeScript's types of the options come from it, so that none of the three can drift from the others.
 */
import { UsageError } from './errors.js';

/** What an option may be. */
export interface Kind<Given = unknown, Value = Given> {
  /** What messages say was expected. */
  readonly expects: string;
  /** The value in the form in which it is kept; undefined for one that is refused. */
  readonly read: (given: unknown) => Value | undefined;
  /** Never there: what may be given, for the types. */
  readonly given?: Given;
}

/** An option that may be left out. */
export interface Optional<Given = unknown, Value = Given> extends Kind<Given, Value> {
  /** What it is then, or how it follows from the options before it. */
  readonly fallback: Value | ((earlier: never) => Value);
  /** True for options that older model files do not have; see `added`. */
  readonly isAdded: boolean;
}

export type Schema = Readonly<Record<string, Kind | Optional>>;

type OptionalNames<Options extends Schema> = {
  [Name in keyof Options]: Options[Name] extends Optional ? Name : never;
}[keyof Options];
type GivenFor<One> = One extends Kind<infer What, unknown> ? What : never;

/** What callers may give. */
export type GivenOptions<Options extends Schema> = {
  readonly [Name in keyof Options as Name extends OptionalNames<Options> ? never : Name]: GivenFor<Options[Name]>;
} & {
  readonly [Name in keyof Options as Name extends OptionalNames<Options> ? Name : never]?: GivenFor<Options[Name]>;
};

/** What is read from it: every option, in one form. */
export type ReadOptions<Options extends Schema> = {
  readonly [Name in keyof Options]: Options[Name] extends Kind<unknown, infer Value> ? Value : never;
};

export const optional = <What, Value>(
  kind: Kind<What, Value>,
  fallback: Value | ((earlier: never) => Value),
): Optional<What, Value> => ({ ...kind, fallback, isAdded: false });

/** An option that came later: model files without it mean the fallback, and it is left out where it is that, so that files stay as they were. */
export const added = <What, Value>(kind: Kind<What, Value>, fallback: Value): Optional<What, Value> => ({
  ...kind,
  fallback,
  isAdded: true,
});

// --- kinds

const where = <Value>(expects: string, holds: (given: unknown) => boolean): Kind<Value> => ({
  expects,
  read: (given) => (holds(given) ? (given as Value) : undefined),
});

/** Larger counts are mistakes, or a file that wants to exhaust the memory. */
const MOST = 2 ** 20;

const isInteger = (given: unknown, least: number, most: number): boolean =>
  Number.isInteger(given) && (given as number) >= least && (given as number) <= most;

export const flag = where<boolean>('true or false', (given) => typeof given === 'boolean');

export const text = where<string>('a text', (given) => typeof given === 'string');

export const count = where<number>(`an integer from 1 to ${MOST}`, (given) => isInteger(given, 1, MOST));

export const oneOf = <const Name extends string>(names: readonly Name[]): Kind<Name> =>
  where(`one of ${names.join(', ')}`, (given) => names.includes(given as Name));

/** Numbers that are finite and fulfil a condition, which `expects` says in words. */
export const number = (expects = 'a number', holds: (given: number) => boolean = () => true): Kind<number> =>
  where(expects, (given) => Number.isFinite(given) && holds(given as number));

export const numberFrom0 = number('a number of at least 0', (given) => given >= 0);

/** Null or what `kind` takes. */
export const orNull = <What, Value>(kind: Kind<What, Value>): Kind<What | null, Value | null> => ({
  expects: `${kind.expects}, or null`,
  read: (given) => (given === null ? null : kind.read(given)),
});

/** Lengths of axes. */
export const lengths = where<readonly number[]>(
  `a list of up to 8 integers from 1 to ${MOST}`,
  (given) => Array.isArray(given) && given.length <= 8 && given.every((length) => isInteger(length, 1, MOST)),
);

/** One number for rows and columns, or two. */
export const pairOf = (least: number): Kind<number | readonly [number, number], readonly [number, number]> => ({
  expects: `an integer from ${least} to 4096 or two of them, of rows and columns`,
  read(given) {
    const pair: unknown = typeof given === 'number' ? [given, given] : given;
    const holds = Array.isArray(pair) && pair.length === 2 && pair.every((side) => isInteger(side, least, 4096));
    return holds ? (pair as [number, number]) : undefined;
  },
});

// --- reading

/** A value as messages show it. */
export function preview(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return `'${value.slice(0, 80)}'`;
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, 100);
  } catch {
    return typeof value; // what only programs give
  }
}

/**
 * Options by their schema, each in one form.
 * @param place whose options they are, for messages
 * @throws UsageError naming the option that is unknown, missing or not what was expected
 */
export function readOptions<Options extends Schema>(
  place: string,
  schema: Options,
  given: unknown,
): ReadOptions<Options> {
  checkNames(place, given as object, schema);
  const options: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(schema)) {
    const value = (given as Record<string, unknown>)[name];
    if (value === undefined && 'fallback' in kind) {
      const { fallback } = kind;
      options[name] = typeof fallback === 'function' ? fallback(options) : fallback;
      continue;
    }
    const read = kind.read(value);
    if (read === undefined) throw new UsageError(`${place}: ${name} expects ${kind.expects}, got ${preview(value)}`);
    options[name] = read;
  }
  return options as ReadOptions<Options>;
}

/**
 * For options that have no schema: refuses what is misspelt. The type demands every name that `given` may have.
 * @throws UsageError naming what is not known, with the nearest known name
 */
export function checkNames<Options extends object>(
  place: string,
  given: Options,
  known: { readonly [Name in keyof Required<Options>]: unknown },
): void {
  const names = Object.keys(known);
  const isOptions = typeof given === 'object' && given !== null && !Array.isArray(given);
  if (!isOptions)
    throw new UsageError(
      `${place}: expects an object of options, for example { ${names[0]}: … }, got ${preview(given)}`,
    );
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(known, name) || value === undefined) continue;
    const nearest = nearestOf(name, names);
    throw new UsageError(
      `${place}: expects the options ${names.join(', ')}, got '${name.slice(0, 80)}'${nearest ? `; did you mean '${nearest}'?` : ''}`,
    );
  }
}

/** The name that is meant, if one is near enough: by the letters to insert, drop or change, upper case being lower. */
export function nearestOf(name: string, names: readonly string[]): string | null {
  if (name.length > 40) return null; // no time for what a damaged file says
  const plain = (one: string): string => one.toLowerCase().replaceAll('_', '');
  const distances = names.map((known) => distance(plain(name), plain(known)));
  const least = Math.min(...distances);
  return least < Math.min(3, name.length / 2) ? names[distances.indexOf(least)] : null;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

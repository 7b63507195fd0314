/** From the parts that somebody made of labelled pictures to those that train, that choose, and that judge. */
import { expectArray, expectObject, expectText, listOf, objectWith, refuse } from '../../expect.js';
import { DataError, UsageError } from '../../errors.js';
import { classCounts, foldOf, splitByGroup, split as splitEvenly } from '../dataset.js';
import { type FileList, MOST_CLASSES } from './file-list.js';
import { turns } from '../../turns.js';

export interface SplitOptions {
  /** Fraction for validation, stratified; only where the data is not divided already. */
  readonly split?: number | undefined;
  /**
   * Fraction of the training pictures, stratified, that are the validation where there are no others for that; 'auto' is `HOLD_BACK`, of
   * sets of which that leaves enough to choose by. Default 0.
   */
  readonly holdBack?: number | 'auto' | undefined;
  /** The validation is this fold of the training pictures: see `foldOf`. */
  readonly fold?: { readonly index: number; readonly of: number } | undefined;
  /** The pictures for a last test are the validation: they choose, and are no evidence any more. */
  readonly validateOnTest?: boolean | undefined;
  /** Default 0. */
  readonly seed?: number;
  /**
   * A regular expression on each picture's path (with '/' between folders); pictures for which its first group (or the whole
   * match) is equal stay together. Default: the manifest's column 'group', where there is one.
   */
  readonly groupBy?: RegExp | undefined;
}

export interface Splits {
  readonly training: FileList;
  /** They choose between models (the best epoch, when to stop), and are no judges of what they chose. */
  readonly validation: FileList | null;
  /** For a last test: they judge, and choose nothing. */
  readonly test: FileList | null;
  /** Where the validation comes from; null where there is none. */
  readonly validationFrom: 'the data' | 'split' | 'held back' | 'fold' | 'test' | null;
  /** Part of the training pictures that was held back. */
  readonly holdBack: number;
  /** All of it in words. */
  readonly layout: string;
}

/** Part of the training pictures that is held back by default … */
export const HOLD_BACK = 0.15;
/** … where each class has so many pictures: fewer than three of one class held back choose by chance. */
export const FEWEST_TO_HOLD_BACK = 20;

/** The pictures as they are given: those for training, and what was put aside. */
export interface GivenParts {
  readonly training: FileList;
  readonly validation: FileList | null;
  readonly test: FileList | null;
}

const expectParts = objectWith({ training: objectWith({ files: expectArray, classNames: expectArray }) });

/**
 * @param name of it all, for messages
 * @throws DataError for classes that cannot be split; UsageError for a split or groups where nothing is to split
 */
export async function divideParts(name: string, parts: GivenParts, options: SplitOptions = {}): Promise<Splits> {
  expectText(name, 'divideParts: name');
  expectParts(parts, 'divideParts: parts');
  expectObject(options, 'divideParts: options');
  checkParts(parts);
  const { split, groupBy, holdBack = 0, validateOnTest = false } = options;
  if (groupBy && split === undefined && holdBack === 0 && !options.fold)
    throw new UsageError('group-by: says what must stay together in a split, and there is none; add --split 0.2');
  const { training, validation, test } = parts;
  const own = validation ?? test;
  if (split !== undefined && own) {
    const kind = validation ? 'validation' : 'test';
    throw new UsageError(
      `${name}: has its own ${kind} pictures (${own.name}), so there is nothing to split; leave the split out, ` +
        `or give ${training.name} to split that`,
    );
  }
  if (split !== undefined && typeof holdBack === 'number' && holdBack > 0)
    throw new UsageError('hold-back: says how many of the training pictures choose, as the split does; leave one out');
  const left = test ? `, ${test.name} left for evaluate` : '';
  if (split !== undefined) {
    const { groups, ...divided } = await divide(training, split, options);
    const layout = `${training.name}, ${split} of it for validation${groups}`;
    return { ...divided, test: null, validationFrom: 'split', holdBack: 0, layout };
  }
  if (options.fold) {
    if (validation || validateOnTest)
      throw new UsageError(
        `folds: expects data without validation pictures of its own, got ${name}; give ${training.name}`,
      );
    const { groups, ...divided } = await divide(training, 0, options);
    const layout = `${training.name}, fold ${options.fold.index + 1} of ${options.fold.of} for validation${groups}${left}`;
    return { ...divided, test, validationFrom: 'fold', holdBack: 0, layout };
  }
  if (validateOnTest) {
    if (!test)
      throw new UsageError(`validate-on-test: expects pictures for a test, and ${name} has none; leave it out`);
    const layout = `training on ${training.name}, validating on ${test.name}`;
    return { training, validation: test, test: null, validationFrom: 'test', holdBack: 0, layout };
  }
  if (validation) {
    const layout = `training on ${training.name}, validating on ${validation.name}${left}`;
    return { ...parts, validationFrom: 'the data', holdBack: 0, layout };
  }
  const held = await holdBackSome(training, options);
  if (held) {
    const layout = `training on ${training.name}, ${held.fraction} of it held back for validation${held.groups}${left}`;
    const { training: rest, validation: some } = held;
    return { training: rest, validation: some, test, validationFrom: 'held back', holdBack: held.fraction, layout };
  }
  if (groupBy)
    throw new UsageError(
      'group-by: says what must stay together in a split, and there are too few pictures to hold some back by themselves; ' +
        'add --split 0.2',
    );
  const layout = `training on ${training.name}, no validation${left}`;
  return { ...parts, validationFrom: null, holdBack: 0, layout };
}

/** @throws DataError for parts with other classes than the training's, or too few or too many classes, or one without pictures */
export function checkParts({ training, validation, test }: GivenParts): void {
  checkClasses(training, validation || test ? ' for training' : '');
  for (const [other, purpose] of [
    [validation, ' for validation'],
    [test, ' for a test'],
  ] as const) {
    if (!other) continue;
    checkSameClasses(training, other);
    checkClasses(other, purpose);
  }
}

function checkSameClasses(training: FileList, other: FileList): void {
  if (training.classNames.join('/') === other.classNames.join('/')) return;
  throw new DataError(
    `${other.name}: expects the classes of ${training.name} (${training.classNames.join(', ')}), ` +
      `got ${other.classNames.join(', ')}; give the class folders the same names`,
  );
}

/** @throws DataError for too few or too many classes, or one without pictures */
export function checkClasses({ name, classNames, files }: FileList, purpose: string): void {
  if (classNames.length < 2 || classNames.length > MOST_CLASSES) {
    const received = `${classNames.length}: ${classNames.slice(0, 5).join(', ')}`;
    throw new DataError(`${name}: expects 2 to ${MOST_CLASSES} classes, got ${received}; look at its labels`);
  }
  const present = new Set(files.map(({ label }) => label));
  const missing = classNames.find((_, label) => !present.has(label));
  if (missing === undefined) return;
  throw new DataError(`${name}: expects pictures of every class${purpose}, got none of '${missing}'; add some`);
}

export interface DividedList {
  readonly training: FileList;
  readonly validation: FileList;
  /** In words; empty without groups. */
  readonly groups: string;
}

/** The pictures of a list in two parts, groups together. @param fraction for validation */
export async function divide(
  all: FileList,
  fraction: number,
  { seed = 0, groupBy, fold }: Pick<SplitOptions, 'seed' | 'groupBy' | 'fold'>,
): Promise<DividedList> {
  const groups = await groupsOf(all, groupBy);
  const data = { labels: all.files.map(({ label }) => label), classNames: all.classNames };
  const parts = fold
    ? foldOf({ ...data, groups }, fold, seed)
    : groups
      ? splitByGroup({ ...data, groups }, fraction, seed)
      : splitEvenly(data, fraction, seed);
  return {
    training: { ...all, files: parts.training.map((index) => all.files[index]) },
    // What was skipped is reported once, with the training files.
    validation: { ...all, files: parts.validation.map((index) => all.files[index]), skipped: [], notes: [] },
    groups: groups ? `, ${new Set(groups).size} groups kept together` : '',
  };
}

async function holdBackSome(
  all: FileList,
  options: SplitOptions,
): Promise<(DividedList & { readonly fraction: number }) | null> {
  const { holdBack = 0 } = options;
  if (holdBack === 0) return null;
  if (holdBack !== 'auto') return { ...(await divide(all, holdBack, options)), fraction: holdBack };
  const counts = classCounts({ labels: all.files.map(({ label }) => label), classNames: all.classNames });
  if (Math.min(...counts) < FEWEST_TO_HOLD_BACK) return null;
  try {
    return { ...(await divide(all, HOLD_BACK, options)), fraction: HOLD_BACK };
  } catch (error) {
    if (error instanceof DataError && !options.groupBy) return null; // groups that cannot be parted, and nobody asked for it
    throw error;
  }
}

/** The group of each picture, or null where there are none. */
export async function groupsOf(list: FileList, groupBy?: RegExp): Promise<string[] | null> {
  objectWith({ files: listOf(objectWith({ path: expectText })) })(list, 'groupsOf: list');
  if (groupBy !== undefined && !(groupBy instanceof RegExp))
    refuse(groupBy, 'groupsOf: groupBy', 'a regular expression');
  const { name, files } = list;
  if (groupBy) {
    const groupOf = await linearMatcher(groupBy);
    const turn = turns();
    const groups: string[] = [];
    for (const { path } of files) {
      const group = groupOf(path);
      if (group === null) {
        throw new DataError(
          `${path}: expects a path that matches ${String(groupBy)}, which says what belongs together; ` +
            'give an expression that all paths match',
        );
      }
      groups.push(group);
      await turn();
    }
    return groups;
  }
  if (files.every(({ group }) => group === undefined || group === '')) return null;
  const without = files.find(({ group }) => group === undefined || group === '');
  if (without) throw new DataError(`${name}: expects a group for every picture, got none for ${without.path}`);
  return files.map(({ group }) => group as string);
}

/**
 * The first group of the expression in a text, or the whole match; null for no match. JavaScript's own engine may take longer than the
 * world will last for some expressions; this one takes time in proportion to the text.
 *
 * @throws UsageError for what only backtracking can match: back-references and look-around
 */
async function linearMatcher(expression: RegExp): Promise<(text: string) => string | null> {
  const { RE2JS } = await import('re2js');
  const flags =
    (expression.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) |
    (expression.multiline ? RE2JS.MULTILINE : 0) |
    (expression.dotAll ? RE2JS.DOTALL : 0);
  let compiled: InstanceType<typeof RE2JS>;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(expression.source), flags);
  } catch (cause) {
    throw new UsageError(
      `group-by: expects an expression without back-references, look-around and repetitions above 1000, got ` +
        `${String(expression)} (${(cause as Error).message})`,
      { cause },
    );
  }
  return (text) => {
    const matcher = compiled.matcher(text);
    if (!matcher.find()) return null;
    return (compiled.groupCount() > 0 ? matcher.group(1) : null) ?? matcher.group(0);
  };
}

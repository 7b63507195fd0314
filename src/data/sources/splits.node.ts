/** From what a user gives as data (class folders, a manifest, a practice set) to training and validation pictures. */
import { DataError, UsageError } from '../../errors.js';
import { listArraySet, openArraySet } from './array-files.node.js';
import { splitByGroup, split as splitEvenly } from '../dataset.js';
import {
  type FileList,
  listClassFolders,
  MOST_CLASSES,
  resolveSplits,
  type Splits,
  withSlashes,
} from './folder.node.js';
import { isManifest, readManifest } from './manifest.node.js';
import { turns } from '../../turns.js';

export interface SplitOptions {
  /** Fraction for validation, stratified; only where the data is not divided already. */
  readonly split?: number;
  /** Default 0. */
  readonly seed?: number;
  /**
   * A regular expression on each picture's path (with '/' between folders); pictures for which its first group (or the whole
   * match) is equal stay together in the split. Default: the manifest's column 'group', where there is one.
   */
  readonly groupBy?: RegExp;
}

/**
 * Training and validation pictures of class folders (see `resolveSplits`), a manifest, or a practice set.
 *
 * @throws DataError for data that cannot be used; UsageError for a split or groups where nothing is to split
 */
export async function openSplits(given: string, options: SplitOptions = {}): Promise<Splits> {
  const path = withSlashes(given);
  const { split, groupBy } = options;
  if (groupBy && split === undefined) {
    throw new UsageError('group-by: says what must stay together in a split, and there is none; add --split 0.2');
  }
  const divided = await openDivided(path);
  if (!divided) {
    const folders = resolveSplits(path, groupBy || split === undefined ? {} : options);
    if (split === undefined || !groupBy) return folders;
    if (folders.validation) return resolveSplits(path, options); // says that there is nothing to split
    return divide(folders.training, split, options);
  }
  const { training, validation, mayChoose } = divided;
  if (validation) {
    if (split !== undefined) {
      throw new UsageError(
        `${path}: has its own validation pictures, so there is nothing to split; leave the split out`,
      );
    }
    return {
      training,
      validation,
      mayChoose,
      layout: `training on ${training.name}, validating on ${validation.name}`,
    };
  }
  if (split === undefined)
    return { training, validation: null, mayChoose, layout: `training on ${training.name}, no validation` };
  return divide(training, split, options);
}

/**
 * The same training pictures, a part of which is held back to choose by, in place of validation pictures that may choose nothing.
 * @param fraction stratified, or by groups as in `openSplits`
 */
export async function holdBack(
  splits: Splits,
  fraction: number,
  options: Omit<SplitOptions, 'split'> = {},
): Promise<Splits> {
  if (splits.mayChoose) return splits;
  return divide(splits.training, fraction, options);
}

/** All labelled pictures in one place: class folders, or the training part of a manifest or practice set. */
export async function listLabelled(given: string): Promise<FileList> {
  const path = withSlashes(given);
  const divided = await openDivided(path);
  return divided ? divided.training : listClassFolders(path);
}

type Divided = Omit<Splits, 'layout'>;

async function openDivided(path: string): Promise<Divided | null> {
  const divided = isManifest(path) ? await fromManifest(path) : await fromArrays(path);
  if (!divided) return null;
  const { training, validation } = divided;
  checkLabels(training, validation ? ' for training' : '');
  if (validation) checkLabels(validation, ' for validation');
  return divided;
}

/** Folders are checked where they are listed. */
function checkLabels({ name, classNames, files }: FileList, purpose: string): void {
  if (classNames.length < 2 || classNames.length > MOST_CLASSES) {
    const received = `${classNames.length}: ${classNames.slice(0, 5).join(', ')}`;
    throw new DataError(`${name}: expected 2 to ${MOST_CLASSES} classes, received ${received}; look at its labels`);
  }
  const present = new Set(files.map(({ label }) => label));
  const missing = classNames.find((_, label) => !present.has(label));
  if (missing === undefined) return;
  throw new DataError(`${name}: expected pictures of every class${purpose}, received none of '${missing}'; add some`);
}

async function fromManifest(path: string): Promise<Divided> {
  const { training, validation, test } = await readManifest(path);
  const only = training ? null : (validation ?? test);
  if (only) {
    const note = `${path}: has no training pictures; its pictures for validation or test are taken (${only.files.length})`;
    return { training: { ...only, notes: [note] }, validation: null, mayChoose: false };
  }
  return {
    training: { ...(training as FileList), notes: leftNotes(path, validation, test) },
    validation: validation ?? test,
    mayChoose: validation !== null,
  };
}

async function fromArrays(path: string): Promise<Divided | null> {
  const set = await openArraySet(path);
  if (!set) return null;
  const { training, validation, test } = listArraySet(set);
  if (training)
    return {
      training: { ...training, notes: leftNotes(path, validation, test) },
      validation: validation ?? test,
      mayChoose: validation !== null,
    };
  const only = validation ?? test;
  return only && { training: only, validation: null, mayChoose: false };
}

/** Of validation and test pictures the former steer the training. */
function leftNotes(path: string, validation: FileList | null, test: FileList | null): string[] {
  return validation && test ? [`${path}: its test pictures are left for a last test (${test.files.length})`] : [];
}

async function divide(all: FileList, fraction: number, { seed = 0, groupBy }: SplitOptions): Promise<Splits> {
  const groups = await groupsOf(all, groupBy);
  const data = { labels: all.files.map(({ label }) => label), classNames: all.classNames };
  const parts = groups ? splitByGroup({ ...data, groups }, fraction, seed) : splitEvenly(data, fraction, seed);
  const training = { ...all, files: parts.training.map((index) => all.files[index]) };
  // What was skipped is reported once, with the training files.
  const validation = { ...all, files: parts.validation.map((index) => all.files[index]), skipped: [], notes: [] };
  const grouped = groups ? `, ${new Set(groups).size} groups kept together` : '';
  const layout = `${all.name}, ${fraction} of it for validation${grouped}`;
  return { training, validation, mayChoose: true, layout };
}

/** The group of each picture, or null where there are none. */
export async function groupsOf({ name, files }: FileList, groupBy?: RegExp): Promise<string[] | null> {
  if (groupBy) {
    const groupOf = await linearMatcher(groupBy);
    const turn = turns();
    const groups: string[] = [];
    for (const { path } of files) {
      const group = groupOf(path);
      if (group === null) {
        throw new DataError(
          `${path}: expected a path that matches ${String(groupBy)}, which says what belongs together; ` +
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
  if (without) throw new DataError(`${name}: expected a group for every picture, received none for ${without.path}`);
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
      `group-by: expected an expression without back-references, look-around and repetitions above 1000, got ` +
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

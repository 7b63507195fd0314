/** The audit of what is on disk: folders in the layouts that training reads, and any others with pictures. */
import { expectArray, expectCount, expectObject, expectText, listOf, objectWith, type Check } from '../../expect.js';
import { createHash } from 'node:crypto';
import { DataError } from '../../errors.js';
import { inWords } from '../../files.node.js';
import { MemoryBudget } from '../../memory.node.js';
import { listArraySet, openArraySet } from '../sources/array-files.node.js';
import { audit, type AuditOptions } from './audit.js';
import type { AuditedPicture, AuditedSet, AuditReport } from './report.js';
import type { PictureCache } from '../store/cache.node.js';
import { expectDataset, type Dataset } from '../dataset.js';
import { fileKind, findPictures, roleOf, subfolders, withSlashes } from '../sources/folder.node.js';
import type { FileList, LabelledFile } from '../sources/file-list.js';
import { load, type LoadOptions } from '../store/load-dataset.node.js';
import { isManifest, type Manifest, readManifest } from '../sources/manifest.node.js';
import { auditDatasets as auditAnywhere, digestText } from './audit-datasets.js';
import { readFacts } from './picture-facts.js';

/** A list of pictures and what it is for; `classNames` are empty where there are no labels. */
export interface AuditedList extends FileList {
  readonly role: AuditedSet['role'];
}

export interface AuditFoldersOptions extends AuditOptions, LoadOptions {
  readonly cache?: PictureCache | null;
  readonly onNote?: (note: string) => void;
}

/**
 * Lists the sets in folders: of a divided data set its parts, and other folders of pictures beside them (to predict, say);
 * else the class folders; else all pictures. Manifests and practice sets are listed by their parts.
 *
 * @throws DataError for what does not exist or holds no pictures
 */
export async function listSets(paths: readonly string[]): Promise<AuditedList[]> {
  expectArray(paths, 'listSets: paths');
  listOf(expectText)(paths, 'listSets: paths');
  const lists: AuditedList[] = [];
  const budget = new MemoryBudget();
  for (const path of paths.map(withSlashes)) {
    const found = isManifest(path)
      ? partSets(await readManifest(path), (_, part) => `${path} (${part})`)
      : ((await arraySets(path, budget)) ?? folderSets(path)).filter(
          ({ files, skipped }) => files.length + skipped.length > 0,
        );
    if (found.length === 0) throw new DataError(`${path}: expects a folder with pictures, found none`);
    for (const list of found) lists.push(list);
  }
  return lists;
}

const partRoles = { training: 'training', validation: 'validation', test: 'validation' } as const;

/** The parts of a manifest or a practice set that are there. */
function partSets(parts: Manifest, nameOf: (list: FileList, part: keyof Manifest) => string): AuditedList[] {
  return (['training', 'validation', 'test'] as const).flatMap((part) => {
    const list = parts[part];
    return list ? [{ ...list, name: nameOf(list, part), role: partRoles[part] }] : [];
  });
}

async function arraySets(path: string, budget: MemoryBudget): Promise<AuditedList[] | null> {
  const set = await openArraySet(path, budget);
  return set && partSets(listArraySet(set), ({ name }) => name);
}

function folderSets(directory: string): AuditedList[] {
  if (fileKind(directory) !== 'folder') {
    throw new DataError(
      `${directory}: expects a folder, a manifest or a practice set, got ${inWords(fileKind(directory))}; check the path`,
    );
  }
  const folders = subfolders(directory).filter((name) => !name.startsWith('.'));
  if (folders.every((name) => roleOf(name) === 'pictures')) return [labelledSet(directory, roleOf(directory))];
  return folders.map((name) => {
    const role = roleOf(name);
    const path = `${directory}/${name}`;
    return role === 'pictures' ? plainSet(path) : labelledSet(path, role);
  });
}

/** With its subfolders as classes, if there are two or more with pictures. */
function labelledSet(directory: string, role: AuditedList['role']): AuditedList {
  const classes = subfolders(directory)
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ name, ...findPictures(`${directory}/${name}`) }))
    .filter(({ paths, skipped }) => paths.length + skipped.length > 0);
  if (classes.length < 2) return { ...plainSet(directory), role };
  return {
    name: directory,
    role,
    classNames: classes.map(({ name }) => name),
    files: classes.flatMap(({ paths }, label) => paths.map((path): LabelledFile => ({ path, label }))),
    skipped: classes.flatMap(({ skipped }) => skipped),
    notes: classes.flatMap(({ notes }) => notes),
  };
}

function plainSet(directory: string): AuditedList {
  const { paths, skipped, notes } = findPictures(directory);
  const files = paths.map((path): LabelledFile => ({ path, label: 0 }));
  return { name: directory, role: 'pictures', classNames: [], files, skipped, notes };
}

/** @throws UsageError unless they are what `listSets` gives */
export const expectLists: Check = listOf(
  objectWith({
    classNames: listOf(expectText),
    files: listOf(objectWith({ path: expectText, label: expectCount })),
    skipped: expectArray,
  }),
);

/**
 * Audits sets of pictures. Nothing of theirs is changed.
 *
 * @throws DataError when a worker thread dies; UsageError for options out of range
 */
export async function auditSets(lists: readonly AuditedList[], options: AuditFoldersOptions): Promise<AuditReport> {
  expectArray(lists, 'auditSets: lists');
  expectLists(lists, 'auditSets: lists');
  expectObject(options, 'auditSets: options');
  const sets: AuditedSet[] = [];
  const total = lists.reduce((sum, { files }) => sum + files.length, 0);
  let before = 0;
  for (const list of lists) {
    const { onProgress } = options;
    const loading = {
      ...options,
      ...(onProgress && { onProgress: (done: number) => onProgress(before + done, total) }),
    };
    const { errors, records } = await load(list, loading, options.cache ?? null);
    before += list.files.length;
    const good = list.files.filter((_, index) => errors[index] === null);
    const skipped = errors.flatMap((error, index) => (error === null ? [] : [{ file: list.files[index].path, error }]));
    const pictures = good.map(({ path, label, group }, index): AuditedPicture => ({
      file: path,
      label,
      digest: digestText(records.digest(index)),
      facts: readFacts(records.facts(index)),
      ...(group !== undefined && { group }),
    }));
    const { name, role, classNames } = list;
    sets.push({ name, role, classNames, pictures, skipped: [...list.skipped, ...skipped] });
  }
  return audit(sets, options);
}

/** Changes whenever an audit of the same pictures finds something else. */
const AUDIT_VERSION = 4;

/**
 * The audit of loaded sets, as it is made before a training: nothing is read again, and with a cache nothing computed twice.
 *
 * @param others what is to choose or to judge: none of it should be among the training's
 * @param exif whether the pictures were turned as their EXIF says, by which a remembered report is found
 */
export async function auditDatasets(
  training: Dataset,
  others: readonly Dataset[],
  cache: PictureCache | null = null,
  exif = false,
): Promise<AuditReport> {
  expectDataset(training, 'auditDatasets: training');
  expectArray(others, 'auditDatasets: others');
  for (const other of others) expectDataset(other, 'auditDatasets: another');
  const make = (): Promise<AuditReport> => auditAnywhere(training, others);
  if (!cache) return make();
  const datasets = [training, ...others];
  const names = datasets.map(({ name, files, classNames, skipped }) => [name, files, classNames, skipped]);
  const hash = createHash('sha256').update(JSON.stringify([AUDIT_VERSION, exif, names]));
  for (const { labels, records } of datasets) {
    hash.update(labels);
    if (records) for (let index = 0; index < labels.length; index++) hash.update(records.digest(index));
  }
  return cache.remember(hash.digest(), make);
}

/** From what a user gives as data (class folders, a manifest, a practice set) to pictures that train, that choose, and that judge. */
import { expectObject, expectText } from '../../expect.js';
import { openArraySet } from './array-files.node.js';
import { checkClasses, checkParts, divideParts, type GivenParts, type SplitOptions, type Splits } from './divide.js';
import type { FileList } from './file-list.js';
import { fileKind, listClassFolders, withSlashes } from './folder.node.js';
import { isManifest } from './manifest.node.js';
import { openParts, type PartName } from './parts.node.js';

/**
 * Pictures of class folders, undivided or in parts, of a manifest, or of a practice set: see `openParts`.
 *
 * @throws DataError for data that cannot be used; UsageError for a split or groups where nothing is to split
 */
export async function openSplits(given: string, options: SplitOptions = {}): Promise<Splits> {
  expectObject(options, 'openSplits: options');
  const path = withSlashes(given);
  return divideParts(path, await partsOf(path), options);
}

/** All labelled pictures in one place: class folders, or the training part of a divided set. */
export async function listLabelled(given: string): Promise<FileList> {
  expectText(given, 'listLabelled: path');
  return isManifest(given) || (await openArraySet(withSlashes(given)))
    ? (await partsOf(given)).training
    : listClassFolders(given);
}

/** @throws DataError for classes that differ, or have no pictures */
async function partsOf(given: string): Promise<GivenParts> {
  const path = withSlashes(given);
  const { isDivided, names, list } = await openParts(path);
  const part = (name: PartName): FileList | null => (names.includes(name) ? list(name) : null);
  const [training, validation, test] = [part('training'), part('validation'), part('test')];
  if (!training) {
    if (isFolder(path) && isDivided) listClassFolders(path); // says which of its folders to give
    const only = (validation ?? test) as FileList;
    checkClasses(only, '');
    const note = `${path}: has no training pictures; its pictures for validation or test are taken (${only.files.length})`;
    return { training: isManifest(path) ? { ...only, notes: [note] } : only, validation: null, test: null };
  }
  checkParts({ training, validation, test });
  return { training, validation, test };
}

const isFolder = (path: string): boolean => fileKind(path) === 'folder';

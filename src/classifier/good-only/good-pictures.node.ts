/** Folders of good pictures: pictures alone, or class folders of which one is good and the others show defects. */
import { DataError, UsageError } from '../../errors.js';
import {
  findPictures,
  listClassFolders,
  subfolders,
  withSlashes,
  type FileList,
} from '../../data/sources/folder.node.js';

/** Names of a class that need no saying. */
const GOOD_NAMES = ['good', 'ok', 'normal', 'fine', 'pass', 'gut'];

export interface GoodPictures {
  readonly good: FileList;
  /** Pictures to measure by; null where there are none. */
  readonly defects: FileList | null;
}

/**
 * @param goodClass name of the good class folder; by default one of good, ok, normal, fine, pass, gut
 * @throws DataError for a folder without pictures; UsageError where it is not clear which class is the good one
 */
export function listGoodPictures(given: string, goodClass?: string): GoodPictures {
  const directory = withSlashes(given);
  const folders = subfolders(directory).filter((name) => !name.startsWith('.'));
  const named = goodClass ?? folders.find((name) => GOOD_NAMES.includes(name.toLowerCase()));
  if (goodClass !== undefined && !folders.includes(goodClass))
    throw new UsageError(
      `--good-class: expected a folder in ${directory} (${folders.join(', ') || 'none'}), got '${goodClass}'`,
    );
  if (folders.length < 2 || named === undefined) {
    if (folders.length >= 2)
      throw new UsageError(
        `--good-only: expected good pictures, or class folders with --good-class NAME, got ${directory} with the folders ${folders.slice(0, 9).join(', ')}`,
      );
    return { good: labelled(directory, findPictures(directory), ['defect', 'good'], 1), defects: null };
  }
  const list = listClassFolders(directory);
  const others = list.classNames.filter((name) => name !== named);
  const defect = others.length === 1 ? others[0] : 'defect';
  const classNames = [named, defect].toSorted();
  const label = classNames.indexOf(named);
  const old = list.classNames.indexOf(named);
  const part = (isGood: boolean): FileList => ({
    ...list,
    name: isGood ? `${directory}/${named}` : `${directory} (${others.join(', ')})`,
    classNames,
    files: list.files
      .filter((file) => (file.label === old) === isGood)
      .map((file) => ({ ...file, label: isGood ? label : 1 - label })),
    skipped: isGood ? list.skipped : [],
    notes: isGood ? list.notes : [],
  });
  return { good: part(true), defects: part(false) };
}

function labelled(
  name: string,
  { paths, skipped, notes }: ReturnType<typeof findPictures>,
  classNames: readonly string[],
  label: number,
): FileList {
  if (paths.length === 0) throw new DataError(`${name}: expected .jpg, .png or .bmp pictures, found none`);
  return { name, classNames, files: paths.map((path) => ({ path, label })), skipped, notes };
}

/** Folders of good pictures: pictures alone, or class folders of which one is good and the others show defects. */
import { DataError, UsageError } from '../../errors.js';
import { expectObject, expectText, perhaps } from '../../expect.js';
import { divide, type SplitOptions, type Splits } from '../../data/sources/divide.js';
import type { FileList } from '../../data/sources/file-list.js';
import { findPictures, listClassFolders, subfolders, withSlashes } from '../../data/sources/folder.node.js';
import { HELD_BACK } from './train-good-only.js';

/** Names of a class that need no saying. */
const GOOD_NAMES = ['good', 'ok', 'normal', 'fine', 'pass', 'gut'];

/** Good pictures to learn from; those that are held back for the limit, and defects to measure by, are the validation. */
export interface GoodPictures extends Splits {
  readonly validation: FileList;
  /** Which of the two classes is the good one. */
  readonly goodLabel: 0 | 1;
  readonly hasDefects: boolean;
}

export interface GoodPicturesOptions extends Pick<SplitOptions, 'seed' | 'groupBy'> {
  /** Name of the good class folder; by default one of good, ok, normal, fine, pass, gut. */
  readonly goodClass?: string | undefined;
}

/**
 * @throws DataError for a folder without pictures; UsageError where it is not clear which class is the good one
 */
export async function listGoodPictures(given: string, options: GoodPicturesOptions = {}): Promise<GoodPictures> {
  expectObject(options, 'listGoodPictures: options');
  perhaps(expectText)(options.goodClass, 'listGoodPictures: goodClass');
  const directory = withSlashes(given);
  const good = goodFolder(directory, options.goodClass);
  const all = good === null ? onlyGood(directory) : listClassFolders(directory);
  const goodClass = good ?? 'good';
  const others = all.classNames.filter((name) => name !== goodClass);
  const defect = others.length === 1 ? others[0] : 'defect';
  const classNames = [goodClass, defect].toSorted();
  const goodLabel = goodClass < defect ? 0 : 1;
  const isGood = (label: number): boolean => all.classNames[label] === goodClass;
  const defects = all.files.filter(({ label }) => !isGood(label)).map((file) => ({ ...file, label: 1 - goodLabel }));
  const list = {
    ...all,
    name: good === null ? directory : `${directory}/${good}`,
    classNames: [goodClass],
    mayLackClasses: true,
    files: all.files.filter(({ label }) => isGood(label)).map((file) => ({ ...file, label: 0 })),
  };
  const { training, validation, groups } = await divide(list, HELD_BACK, options);
  const labelled = (files: FileList['files']): FileList['files'] =>
    files.map((file) => ({ ...file, label: goodLabel }));
  return {
    training: { ...training, classNames, files: labelled(training.files) },
    validation: { ...validation, name: directory, classNames, files: [...labelled(validation.files), ...defects] },
    test: null,
    validationFrom: 'held back',
    holdBack: HELD_BACK,
    goodLabel,
    hasDefects: defects.length > 0,
    layout:
      `good pictures of ${list.name}, ${HELD_BACK} of them held back for the limit${groups}` +
      (defects.length > 0 ? `, defects of ${others.map((name) => `${directory}/${name}`).join(', ')}` : ''),
  };
}

/** The good one of the class folders; null of a folder of good pictures alone. */
function goodFolder(directory: string, goodClass: string | undefined): string | null {
  const folders = subfolders(directory).filter((name) => !name.startsWith('.'));
  if (goodClass !== undefined && !folders.includes(goodClass))
    throw new UsageError(
      `--good-class: expects a folder in ${directory} (${folders.join(', ') || 'none'}), got '${goodClass}'`,
    );
  if (folders.length < 2) return null;
  const good = goodClass ?? folders.find((name) => GOOD_NAMES.includes(name.toLowerCase()));
  if (good !== undefined) return good;
  throw new UsageError(
    `--good-only: expects good pictures, or class folders with --good-class NAME, got ${directory} with the folders ${folders.slice(0, 9).join(', ')}`,
  );
}

function onlyGood(directory: string): FileList {
  const { paths, skipped, notes } = findPictures(directory);
  if (paths.length === 0) throw new DataError(`${directory}: expects .jpg, .png or .bmp pictures, found none`);
  return { name: directory, classNames: ['good'], files: paths.map((path) => ({ path, label: 0 })), skipped, notes };
}

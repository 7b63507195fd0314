/** Folders of good pictures: pictures alone, or class folders of which one is good and the others show defects. */
import { DataError, UsageError } from '../../errors.js';
import { expectList, expectObject, expectText, perhaps, received } from '../../expect.js';
import type { Dataset } from '../../data/dataset.js';
import {
  findPictures,
  listClassFolders,
  subfolders,
  withSlashes,
  type FileList,
  type LabelledFile,
} from '../../data/sources/folder.node.js';

/** Names of a class that need no saying. */
const GOOD_NAMES = ['good', 'ok', 'normal', 'fine', 'pass', 'gut'];

export interface GoodPictures {
  /** Of one class, as the others are. */
  readonly good: FileList;
  /** Pictures to measure by; null where there are none. */
  readonly defects: FileList | null;
  /** Sorted: the good class and the defects. */
  readonly classNames: readonly [string, string];
  /** Which of them is the good one. */
  readonly goodLabel: 0 | 1;
}

/** Pictures of one class, loaded, as a class of two. */
export function labelledAs(dataset: Dataset, classNames: readonly string[], label: number): Dataset {
  expectObject(dataset, 'labelledAs: dataset');
  expectList(dataset.labels, 'labelledAs: the labels of dataset');
  if (!Number.isInteger(label)) throw new UsageError(`labelledAs: label expects an integer, got ${received(label)}`);
  return { ...dataset, classNames, labels: new Uint8Array(dataset.labels.length).fill(label) };
}

/**
 * @param goodClass name of the good class folder; by default one of good, ok, normal, fine, pass, gut
 * @throws DataError for a folder without pictures; UsageError where it is not clear which class is the good one
 */
export function listGoodPictures(given: string, goodClass?: string): GoodPictures {
  perhaps(expectText)(goodClass, 'listGoodPictures: goodClass');
  const directory = withSlashes(given);
  const folders = subfolders(directory).filter((name) => !name.startsWith('.'));
  const named = goodClass ?? folders.find((name) => GOOD_NAMES.includes(name.toLowerCase()));
  if (goodClass !== undefined && !folders.includes(goodClass))
    throw new UsageError(
      `--good-class: expects a folder in ${directory} (${folders.join(', ') || 'none'}), got '${goodClass}'`,
    );
  if (folders.length < 2 || named === undefined) {
    if (folders.length >= 2)
      throw new UsageError(
        `--good-only: expects good pictures, or class folders with --good-class NAME, got ${directory} with the folders ${folders.slice(0, 9).join(', ')}`,
      );
    return {
      good: alone(directory, 'good', findPictures(directory)),
      defects: null,
      classNames: ['defect', 'good'],
      goodLabel: 1,
    };
  }
  const list = listClassFolders(directory);
  const others = list.classNames.filter((name) => name !== named);
  const defect = others.length === 1 ? others[0] : 'defect';
  const classNames: [string, string] = named < defect ? [named, defect] : [defect, named];
  const isGood = ({ label }: LabelledFile): boolean => list.classNames[label] === named;
  const part = (name: string, title: string, takes: (file: LabelledFile) => boolean): FileList => ({
    name: title,
    classNames: [name],
    files: list.files.filter(takes).map(({ path }) => ({ path, label: 0 })),
    skipped: [],
    notes: [],
  });
  return {
    good: { ...part(named, `${directory}/${named}`, isGood), skipped: list.skipped, notes: list.notes },
    defects: part(defect, `${directory} (${others.join(', ')})`, (file) => !isGood(file)),
    classNames,
    goodLabel: named < defect ? 0 : 1,
  };
}

function alone(name: string, className: string, { paths, skipped, notes }: ReturnType<typeof findPictures>): FileList {
  if (paths.length === 0) throw new DataError(`${name}: expects .jpg, .png or .bmp pictures, found none`);
  return { name, classNames: [className], files: paths.map((path) => ({ path, label: 0 })), skipped, notes };
}

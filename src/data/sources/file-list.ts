/** Lists of labelled picture files, and what the folders that they are in say of them: in Node's folders and in those that a page is given. */
import type { SkippedFile } from '../dataset.js';
import type { PictureArray } from './picture-array.js';

/** A picture file and the index of its class. */
export interface LabelledFile {
  /** Folder as given, then '/' separators. */
  readonly path: string;
  readonly label: number;
  /** What it must not be parted from: a shift, a camera, a day. */
  readonly group?: string;
  /** In the list's array, where the pictures are not files of their own. */
  readonly row?: number;
}

/** The picture files of all classes. */
export interface FileList {
  /** What messages call it. */
  readonly name: string;
  /** Sorted; a label is an index into it. */
  readonly classNames: readonly string[];
  /** Class by class, each sorted by path. */
  readonly files: readonly LabelledFile[];
  /** Pictures that cannot be used, and why. */
  readonly skipped: readonly SkippedFile[];
  /** What else was passed over, one sentence each. */
  readonly notes: readonly string[];
  /** Pictures of a practice set, in place of files. */
  readonly array?: PictureArray;
  /** Whether a class may have no pictures, as where defects are not there to be shown. */
  readonly mayLackClasses?: boolean;
}

const trainingFolders = ['training_set', 'train'];
const testFolders = ['test_set', 'test'];
const choosingFolders = ['val', 'validation'];

/** The parts of a data set, and the names of their folders. */
export const partFolders = { training: trainingFolders, validation: choosingFolders, test: testFolders } as const;

/** Labels are kept as bytes. */
export const MOST_CLASSES = 256;

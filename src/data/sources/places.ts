/** Where the pictures of some files belong, by the folders that they are in: what a page is given has paths, and no disk behind them. */
import { expectText, listOf } from '../../expect.js';
import { partFolders } from './file-list.js';

/** What a picture's path says of it. */
export interface PicturePlace {
  /** Null where no folder says it: the parts are made by a split then. */
  readonly part: keyof typeof partFolders | null;
  /** The folder of its class; null for a file in no folder. */
  readonly className: string | null;
  /** The rest: the file's name, perhaps with folders before it. */
  readonly name: string;
}

const partNamed = (folder: string): PicturePlace['part'] =>
  (Object.keys(partFolders) as (keyof typeof partFolders)[]).find((part) =>
    (partFolders[part] as readonly string[]).includes(folder.toLowerCase()),
  ) ?? null;

/**
 * As the folders of a data set are read from a disk: under the folder of a part (`train`, `training_set`, `val`, `test`, …) stand those of
 * the classes; without parts, the classes stand where the paths begin to differ. Files of one folder only are of the class of its name.
 *
 * @param paths with '/' between folders
 */
export function placesOf(paths: readonly string[]): PicturePlace[] {
  listOf(expectText)(paths, 'placesOf: paths');
  const split = paths.map((path) => path.split('/').filter((name) => name !== '' && name !== '.'));
  const folders = split.map((names) => names.slice(0, -1));
  const [first = []] = folders;
  const shortest = Math.max(0, Math.min(...folders.map(({ length }) => length)) - 1); // each keeps a folder for its class
  const differs = first.findIndex((name, depth) => folders.some((names) => names[depth] !== name));
  const common = differs < 0 ? shortest : Math.min(differs, shortest);
  return split.map((names, n): PicturePlace => {
    const own = folders[n];
    // A folder of a part has a class folder in it; else it is a class that is called so.
    const at = own.findIndex((name, depth) => depth < own.length - 1 && partNamed(name) !== null);
    const start = at >= 0 ? at + 1 : Math.min(common, own.length - 1);
    return {
      part: at >= 0 ? partNamed(own[at]) : null,
      className: own[start] ?? null,
      name: names.slice(Math.max(start, 0) + (own.length > 0 ? 1 : 0)).join('/'),
    };
  });
}

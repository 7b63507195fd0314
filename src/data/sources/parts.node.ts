/** The parts of a data set as whoever made it divided it: each for itself, none in another's place. */
import { basename } from 'node:path';
import { listArraySet, openArraySet } from './array-files.node.js';
import { listClassFolders, subfolders, withSlashes } from './folder.node.js';
import { type FileList, partFolders } from './file-list.js';
import { isManifest, type Manifest, readManifest } from './manifest.node.js';

export type PartName = keyof typeof partFolders;

export interface Parts {
  /** False for class folders (and the like) as they are: they are one part, the one that the folder's own name tells, else `training`. */
  readonly isDivided: boolean;
  /** The parts that are there. */
  readonly names: readonly PartName[];
  /** The pictures of one of them. @throws DataError for folders that cannot be used */
  readonly list: (part: PartName) => FileList;
}

const allNames = Object.keys(partFolders) as PartName[];

/**
 * Class folders, undivided or in `train/`, `val/` and `test/` ; a manifest; or a practice set.
 *
 * @throws DataError for what cannot be used
 */
export async function openParts(given: string): Promise<Parts> {
  const path = withSlashes(given);
  if (isManifest(path)) return partsOf(await readManifest(path));
  const arrays = await openArraySet(path);
  return arrays ? partsOf(listArraySet(arrays)) : partsOfFolder(path);
}

function partsOf(lists: Manifest): Parts {
  const names = allNames.filter((part) => lists[part]);
  return { isDivided: names.some((part) => part !== 'training'), names, list: (part) => lists[part] as FileList };
}

function partsOfFolder(directory: string): Parts {
  const folders = subfolders(directory).filter((name) => !name.startsWith('.'));
  const found = new Map<PartName, string>();
  for (const part of allNames) {
    const known = partFolders[part].find((name) => folders.some((folder) => folder.toLowerCase() === name));
    if (known !== undefined) found.set(part, folders.find((folder) => folder.toLowerCase() === known) as string);
  }
  // A class may be called `test`, too: parts stand beside a training folder, or alone.
  const isDivided =
    found.has('training') || (found.size > 0 && folders.every((name) => [...found.values()].includes(name)));
  if (!isDivided)
    return { isDivided, names: [partOf(directory) ?? 'training'], list: () => listClassFolders(directory) };
  const list = (part: PartName): FileList => listClassFolders(`${directory}/${found.get(part) ?? part}`);
  return { isDivided, names: [...found.keys()], list };
}

/** What a folder's name says of the pictures in it; null for any other name. */
function partOf(directory: string): PartName | null {
  const name = basename(directory).toLowerCase();
  return allNames.find((part) => partFolders[part].some((known) => known === name)) ?? null;
}

/**
 * Finding pictures on disk: a folder with one folder per class, in the layouts that people have. Nothing is decoded here,
 * and nothing is ever written. Order is that of the paths' UTF-16 code units, the same on every system.
 */
import { expectText } from '../../expect.js';
import { type Dirent, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, extname, sep } from 'node:path';
import { DataError } from '../../errors.js';
import { ExhaustedError, inWords, kindOf, lackOf, missingAdvice } from '../../files.node.js';
import { HOW_TO_CONVERT } from '../pictures/format.js';
import type { SkippedFile } from '../dataset.js';
import { type FileList, type LabelledFile, MOST_CLASSES, partFolders } from './file-list.js';

const pictureExtensions = new Set(['.jpg', '.jpeg', '.png', '.bmp']);
const otherPictureExtensions = new Set(
  '.gif .webp .tif .tiff .heic .heif .avif .jxl .jp2 .ppm .pgm .tga .psd'.split(' '),
);

/** What a walk through a folder finds. */
export interface FoundPictures {
  readonly paths: string[];
  readonly skipped: SkippedFile[];
  readonly notes: string[];
}

/**
 * Finds all pictures (.jpg, .jpeg, .png, .bmp in any case) in a folder and its subfolders, sorted by path. Symbolic links are
 * followed, each folder is visited once. Names that start with a dot are ignored, folders whose names are not UTF-8 skipped.
 *
 * @throws DataError when the folder or a subfolder cannot be read
 */
export function findPictures(directory: string): FoundPictures {
  const found: FoundPictures = { paths: [], skipped: [], notes: [] };
  const otherFiles: string[] = [];
  const visited = new Set<string>();
  const visit = (folder: string): void => {
    const entries = readEntries(folder);
    const realPath = realpathSync(folder);
    if (visited.has(realPath)) return; // a link that leads back, or a second way to the same pictures
    visited.add(realPath);
    for (const entry of entries) {
      const { name } = entry;
      const path = `${folder}/${name}`;
      const kind = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : fileKind(path);
      const extension = extname(name).toLowerCase();
      if (name.startsWith('.')) {
        if (kind === 'folder') found.notes.push(`${path}: ignored, its name starts with a dot`);
      } else if (kind === 'folder' && isLost(path)) found.skipped.push(lostFolder(path));
      else if (kind === 'folder') visit(path);
      else if (otherPictureExtensions.has(extension)) {
        found.skipped.push({
          file: path,
          error: `${path}: expects JPEG, PNG or BMP, got ${extension}; ${HOW_TO_CONVERT}`,
        });
      } else if (!pictureExtensions.has(extension)) otherFiles.push(path);
      else if (kind === 'file') found.paths.push(path);
      else found.skipped.push({ file: path, error: `${path}: expects a picture file, got ${kind}` });
    }
  };
  const top = withSlashes(directory);
  if (isLost(top)) return { ...found, skipped: [lostFolder(top)] };
  visit(top);
  if (otherFiles.length > 0) {
    found.notes.push(
      `${directory}: ignored ${otherFiles.length} file(s) that are no pictures, such as ${otherFiles[0]}`,
    );
  }
  found.paths.sort();
  return found;
}

/**
 * Lists the pictures of a folder that has one folder per class (two at least), with classes sorted by name.
 *
 * @throws DataError when the folder is missing, is a file, has fewer than two or more than 256 class folders, or a class without pictures
 */
export function listClassFolders(given: string): FileList {
  const directory = withSlashes(given);
  const names = subfolders(directory);
  const lost = names.map((name) => `${directory}/${name}`).filter(isLost);
  const classNames = names.filter((name) => !name.startsWith('.') && !lost.includes(`${directory}/${name}`));
  checkClassFolders(directory, classNames);
  const notes = names
    .filter((name) => name.startsWith('.'))
    .map((name) => `${directory}/${name}: ignored, its name starts with a dot`);
  const files: LabelledFile[] = [];
  const skipped: SkippedFile[] = lost.map(lostFolder);
  for (const [label, name] of classNames.entries()) {
    const found = findPictures(`${directory}/${name}`);
    if (found.paths.length === 0) {
      const reason = found.skipped.length > 0 ? ` (${found.skipped.length} of other formats; ${HOW_TO_CONVERT})` : '';
      throw new DataError(
        `class folder ${directory}/${name}: expects .jpg, .png or .bmp pictures, found none${reason}`,
      );
    }
    for (const path of found.paths) files.push({ path, label });
    for (const file of found.skipped) skipped.push(file);
    for (const note of found.notes) notes.push(note);
  }
  return { name: directory, classNames, files, skipped, notes };
}

function checkClassFolders(directory: string, classNames: readonly string[]): void {
  const known = Object.values(partFolders).flat();
  if (classNames.length > 0 && classNames.every((name) => known.includes(name.toLowerCase()))) {
    throw new DataError(
      `${directory}: expects a folder per class, got ${classNames.join(', ')}, which hold the classes of ` +
        `a split data set; give one of them, for example ${directory}/${classNames[0]}`,
    );
  }
  if (classNames.length < 2 || classNames.length > MOST_CLASSES) {
    const received = classNames.length === 0 ? 'none' : `${classNames.length}: ${classNames.slice(0, 5).join(', ')}`;
    throw new DataError(
      `${directory}: expects 2 to ${MOST_CLASSES} class folders, got ${received}; ` +
        `put each picture into a folder named after its class, such as ok/ and gap/`,
    );
  }
}

/** What a folder's name says of the pictures in it. */
export function roleOf(name: string): 'training' | 'validation' | 'pictures' {
  const known = basename(name).toLowerCase();
  if (partFolders.training.includes(known)) return 'training';
  return [...partFolders.validation, ...partFolders.test].includes(known) ? 'validation' : 'pictures';
}

/** Names of the folders in a folder, sorted. @throws DataError when it cannot be read, or is none */
export function subfolders(directory: string): string[] {
  const kind = fileKind(directory);
  if (kind !== 'folder') {
    const wayOut = kind === 'file' ? 'give the folder that holds the class folders' : 'check the path';
    throw new DataError(`${directory}: expects a folder of pictures, got ${inWords(kind)}; ${wayOut}`);
  }
  return readEntries(directory)
    .filter((entry) => entry.isDirectory() || (!entry.isFile() && fileKind(`${directory}/${entry.name}`) === 'folder'))
    .map(({ name }) => name);
}

/** Node gives names as text: a folder whose name is not UTF-8 cannot be opened by what is left of it. */
const isLost = (path: string): boolean => path.includes('\ufffd') && fileKind(path).startsWith('nothing');

const lostFolder = (path: string): SkippedFile => ({
  file: path,
  error: `${path}: the folder cannot be read; ${missingAdvice(path)}`,
});

/** Names in a folder, sorted. @throws DataError when it cannot be read */
export function readFolder(directory: string): string[] {
  return readEntries(directory).map(({ name }) => name);
}

/** What is in a folder, sorted by name; the kinds come with the names, without a look at each file. */
function readEntries(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const lack = lackOf(error);
    if (lack) throw new ExhaustedError(`${directory}: the folder cannot be read: ${lack}`);
    throw new DataError(`${directory}: the folder cannot be read (${code ?? message}); check its permissions`);
  }
}

/** What a path leads to, links followed: 'folder', 'file', or in words why it is neither. */
export function fileKind(path: string): string {
  try {
    return kindOf(statSync(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return lstatSync(path, { throwIfNoEntry: false }) ? 'a link to nothing' : 'nothing: it does not exist';
    return code === 'ELOOP' ? 'a link that leads to itself' : `an error (${code ?? message})`;
  }
}

/** The path with '/' between its parts and none at its end; it opens the same file. */
export function withSlashes(path: string): string {
  expectText(path, 'path');
  const slashed = sep === '/' ? path : path.replaceAll(sep, '/');
  return slashed.length > 1 && slashed.endsWith('/') ? slashed.slice(0, -1) : slashed;
}

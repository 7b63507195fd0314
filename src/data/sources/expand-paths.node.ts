/** From what a user gives on a command line (files, folders, patterns with `*`) to the list of files meant. */
import { DataError } from '../../errors.js';
import type { SkippedFile } from '../dataset.js';
import { fileKind, findPictures, readFolder, withSlashes } from './folder.node.js';

export interface ExpandedPaths {
  /** Files to read, sorted, each once. A file named directly is in it even if it does not exist. */
  readonly paths: readonly string[];
  /** Pictures in folders that cannot be used. */
  readonly skipped: readonly SkippedFile[];
}

/** @throws DataError for no paths at all, a folder without pictures, or a pattern without a match */
export function expandPaths(paths: readonly string[]): ExpandedPaths {
  if (paths.length === 0) throw new DataError('expects files, folders or patterns such as "new/*.jpg", got none');
  const files = new Set<string>();
  const skipped = new Map<string, SkippedFile>();
  for (const path of paths.flatMap(matches)) {
    if (fileKind(path) !== 'folder') {
      files.add(path);
      continue;
    }
    const found = findPictures(path);
    if (found.paths.length === 0 && found.skipped.length === 0) {
      throw new DataError(`${path}: expects a folder with .jpg, .png or .bmp pictures, found none`);
    }
    for (const file of found.paths) files.add(file);
    for (const file of found.skipped) skipped.set(file.file, file);
  }
  return { paths: [...files].toSorted(), skipped: [...skipped.values()] };
}

/** The path itself where it exists or has no `*`; else what it matches. `*` stands for any part of one name. */
function matches(given: string): string[] {
  const path = withSlashes(given);
  if (!path.includes('*') || fileKind(path) === 'file' || fileKind(path) === 'folder') return [path];
  const names = path.split('/');
  let candidates = [''];
  for (const [depth, name] of names.entries()) {
    candidates = candidates.flatMap((parent) => {
      const prefix = depth === 0 ? '' : `${parent}/`;
      if (!name.includes('*')) return [prefix + name];
      const folder = depth === 0 ? '.' : parent || '/';
      if (fileKind(folder) !== 'folder') return [];
      return readFolder(folder)
        .filter((entry) => matchesName(name, entry))
        .map((entry) => prefix + entry);
    });
  }
  // A name that is not UTF-8 leads nowhere; whoever reads it says so.
  const found = candidates.filter(
    (candidate) => ['file', 'folder'].includes(fileKind(candidate)) || candidate.includes('\ufffd'),
  );
  if (found.length === 0) throw new DataError(`${given}: no file matches this pattern; check the path`);
  return found;
}

/** As in a shell: `*` does not match names that start with a dot. */
function matchesName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const [start, ...parts] = pattern.split('*');
  const end = parts.pop();
  if (end === undefined) return name === pattern;
  if (!name.startsWith(start) || !name.endsWith(end) || name.length < start.length + end.length) return false;
  // What stands between two stars is taken where it comes first: a later place is never needed, so nothing is tried twice.
  let at = start.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - end.length;
}

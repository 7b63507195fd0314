/**
 * The mark of a cache: only in a folder that carries it does the cache write or remove anything. It is a CACHEDIR.TAG, which
 * backup programs know too. Source: Bryan Ford, "Cache Directory Tagging Specification".
 */
import { lstatSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../errors.js';
import { makeFolders } from '../../files.node.js';
import { isOwnTemporary, writeTemporary } from './own-files.node.js';

const NAME = 'CACHEDIR.TAG';
const OURS = '# beltnet cache 1: files here are made again when they are missing, and removed to make room';
const TEXT = `Signature: 8a477f597d28d172789f06886806bc55
${OURS}
# For information about cache directory tags see https://bford.info/cachedir/
`;

/** Whether a folder is marked, may be (new or empty), or is somebody else's. */
export function markOf(directory: string): 'marked' | 'free' | 'foreign' {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return 'free'; // not there, or what is wrong with it is said when it is used
  }
  if (!names.includes(NAME))
    return names.every((name) => name === '.lock' || isOwnTemporary(name)) ? 'free' : 'foreign'; // a temporary folder is locked

  const path = join(directory, NAME);
  const isMark = lstatSync(path, { throwIfNoEntry: false })?.isFile() && readFileSync(path, 'utf8') === TEXT;
  return isMark ? 'marked' : 'foreign';
}

/** @throws UsageError for a folder that holds anything but a cache */
export function refuseForeign(directory: string): void {
  if (markOf(directory) !== 'foreign') return;
  throw new UsageError(
    `cache: expects a new or empty folder, or one that beltnet made, got '${directory}', which holds something else; ` +
      'nothing of it was changed; name another folder',
  );
}

/**
 * Makes the folder, if it is missing, and marks it.
 *
 * @throws UsageError as `refuseForeign`; what fs throws
 */
export function markFolder(directory: string): void {
  refuseForeign(directory);
  makeFolders(directory);
  if (markOf(directory) === 'marked') return;
  const temporary = writeTemporary(directory, [TEXT]);
  try {
    refuseForeign(directory);
    renameSync(temporary, join(directory, NAME)); // over that of another process, which is the same
  } finally {
    rmSync(temporary, { force: true });
  }
}

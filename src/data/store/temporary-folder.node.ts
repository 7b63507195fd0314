/** Folders in the system's temporary folder, each for the life of one process. */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder, lockHolder } from '../../lock.node.js';

const PREFIX = 'beltnet-store-';

/** Makes one; it goes away when the process ends. @throws what fs throws */
export function temporaryFolder(): string {
  clearTemporaryFolders();
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  lockFolder(folder);
  return folder;
}

/**
 * Takes away those of this user whose processes are dead.
 * @returns paths of those whose processes are not known to have ended; they are left alone
 */
export function clearTemporaryFolders(): string[] {
  const user = process.getuid?.();
  const left: string[] = [];
  for (const name of namesIn(tmpdir())) {
    const path = join(tmpdir(), name);
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (!facts?.isDirectory() || (user !== undefined && facts.uid !== user)) continue;
    const { state } = lockHolder(path);
    if (state === 'dead') rmSync(path, { recursive: true, force: true, maxRetries: 0 });
    else if (state !== 'running') left.push(path);
  }
  return left;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  } catch {
    return [];
  }
}

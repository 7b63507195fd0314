/**
 * Writing to disk so that nothing is ever half written or overwritten: a file appears under its name only when it is
 * complete and on the disk.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DiskError } from './errors.js';
import { clearLeftovers, describeOwner, lockFolder, lockHolder, temporaryName } from './lock.node.js';

const WAYS_OUT: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room or write elsewhere',
  EDQUOT: 'the disk quota is used up; make room or write elsewhere',
  EACCES: 'no permission; write to a folder of your own',
  EPERM: 'no permission; write to a folder of your own',
  EROFS: 'the file system is read-only; write elsewhere',
  ENOENT: 'the folder does not exist; make it first',
  ENOTDIR: 'a part of the path is a file; choose another name',
  EISDIR: 'there is a folder of that name; choose another name',
  EEXIST: 'there is a file of that name; choose another name',
  ENAMETOOLONG: 'the name is too long; choose a shorter one',
};

/** A failed system call as a DiskError that names the path, the reason and the way out. */
function diskError(path: string, error: unknown): DiskError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new DiskError(`${path}: cannot be written: ${WAYS_OUT[code] ?? message}${code ? ` (${code})` : ''}`);
}

/** How systems say that they do not sync folders: Windows, and some network file systems. */
const FOLDER_NOT_SYNCED = ['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP'];

/** Makes a rename durable, where the system can. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!FOLDER_NOT_SYNCED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Writes a file, replacing one of that name only when the new one is complete on the disk.
 * @throws DiskError naming the path, the reason and the way out; a file that was there stays as it was
 */
export async function writeFileAtomically(path: string, data: Uint8Array | string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, temporaryName(basename(path)));
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error says more
    throw diskError(path, error);
  }
}

/**
 * Adds a line to a file (made if missing) and waits until it is on the disk.
 * @param line without its line break
 * @throws DiskError
 */
export async function appendLine(path: string, line: string): Promise<void> {
  try {
    const file = await open(path, 'a');
    try {
      await file.writeFile(`${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(path, error);
  }
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive form never returns where the system answers
 * ENOENT although the folder above is there (/proc, for one), and hides that a file system is read-only.
 *
 * @throws what fs throws
 */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(path);
    if (code === 'ENOENT' && parent !== path && statSync(parent, { throwIfNoEntry: false }) === undefined) {
      makeFolders(parent);
      makeFolders(path);
    } else if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/**
 * Makes a new folder for a run: `parent/name`, or `parent/run-1`, `run-2`, … whichever is free, with this process' lock in it.
 * Two processes that call this at the same time get two folders. A folder of that name is taken only where it is empty, or holds
 * nothing but what a dead process of this system left.
 *
 * @returns its path
 * @throws DiskError when `name` is taken (a run is never overwritten) or the folder cannot be made
 */
export async function createRunDirectory(parent: string, name?: string): Promise<string> {
  let number = 1;
  try {
    makeFolders(parent);
    if (name === undefined) number = await nextNumber(parent);
  } catch (error) {
    throw diskError(parent, error);
  }
  for (; ; number++) {
    const path = join(parent, name ?? `run-${number}`);
    try {
      await mkdir(path);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!isTaken) throw diskError(path, error);
      if (name === undefined) continue; // another process was quicker
      refuseUsed(path);
    }
    try {
      lockFolder(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError(path, error);
      if (name !== undefined) refuseUsed(path); // another process was quicker
    }
  }
}

/** @throws DiskError for a folder that holds more than what a dead process left there, which is taken away */
function refuseUsed(path: string): void {
  let found: string;
  try {
    const left = clearLeftovers(path).map((file) => basename(file));
    const names = readdirSync(path);
    if (names.length === 0) return;
    const { state, owner } = lockHolder(path);
    found =
      state === 'running'
        ? `${describeOwner(owner)} is at work there; a run is never overwritten, choose another name`
        : names.length === left.length
          ? `it holds ${left.join(', ')} of ${describeOwner(owner)}; choose another name, or delete the folder if that process is gone`
          : 'it exists; a run is never overwritten, choose another name';
  } catch (error) {
    throw diskError(path, error);
  }
  throw new DiskError(`${path}: expected a new run, but ${found}`);
}

/**
 * Takes away what dead processes of this system did not complete in the runs of a folder; the runs themselves stay.
 * @returns paths of what others left, which is not touched
 */
export function clearRuns(parent: string): string[] {
  const attempt = <Result>(work: () => Result[]): Result[] => {
    try {
      return work();
    } catch {
      return []; // whoever writes there says what is wrong
    }
  };
  const runs = attempt(() => readdirSync(parent, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return runs.flatMap(({ name }) => attempt(() => clearLeftovers(join(parent, name))));
}

async function nextNumber(parent: string): Promise<number> {
  const numbers = (await readdir(parent)).map((name) => Number(/^run-(\d{1,9})$/.exec(name)?.[1] ?? 0));
  return numbers.reduce((most, number) => Math.max(most, number), 0) + 1;
}

/** Files of a cache: how they are named, written under names that nobody can foresee, and told from files of others. */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync, lstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type FileKind, makeFolders, readWholeFileSync } from '../../files.node.js';
import { DataError } from '../../errors.js';

export const TEMPORARY_EXTENSION = '.tmp';

const NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** `PID-RANDOM` in hexadecimal digits. */
const ownName = (): string => `${process.pid}-${randomBytes(6).toString('hex')}`;

export const isOwnTemporary = (name: string): boolean => /^\d+-[0-9a-f]{12}\.tmp$/.test(name);

/** Opens a new file under a temporary name in a folder; what is there, a link too, is never followed or changed. @throws what fs throws */
export function openTemporary(folder: string): { path: string; file: number } {
  const path = join(folder, ownName() + TEMPORARY_EXTENSION);
  return { path, file: openSync(path, NEW, 0o666) };
}

/** Writes a new temporary file, onto the disk. @returns its path. @throws what fs throws */
export function writeTemporary(folder: string, parts: readonly (string | Uint8Array)[]): string {
  const { path, file } = openTemporary(folder);
  try {
    for (const part of parts) writeExactly(file, typeof part === 'string' ? Buffer.from(part) : part);
    fsyncSync(file);
  } catch (error) {
    closeSync(file);
    rmSync(path, { force: true });
    throw error;
  }
  closeSync(file);
  return path;
}

export function writeExactly(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done);
}

/** How a JSON file of a cache begins; its SHA-256 follows in the same line, the JSON from the next line on. */
const JSON_HEADER = 'beltnet cache json ';

const JSON_FILE: FileKind = {
  what: 'a file of the cache',
  mostBytes: 2 ** 30,
  refuse: (message) => new DataError(message),
};

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The value in a JSON file of the cache, or undefined: missing, damaged or somebody else's. */
export function readJson(path: string): unknown {
  try {
    const text = Buffer.from(readWholeFileSync(path, JSON_FILE)).toString('utf8');
    const end = text.indexOf('\n');
    const json = text.slice(end + 1);
    if (text.slice(0, end) === JSON_HEADER + sha256(json)) return JSON.parse(json) as unknown;
  } catch {
    // as if it were not there
  }
  return undefined;
}

/** Writes a JSON file of the cache. @throws what fs throws */
export function writeJson(folder: string, name: string, value: unknown): void {
  const json = JSON.stringify(value);
  makeFolders(folder);
  const temporary = writeTemporary(folder, [`${JSON_HEADER}${sha256(json)}\n`, json]);
  try {
    renameSync(temporary, join(folder, name));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Whether a file is one that `writeJson` began or wrote. */
export const isOwnJson = (path: string): boolean => startsWith(path, Buffer.from(JSON_HEADER));

/** Whether a path is a file, no link to one, and begins with these bytes. */
export function startsWith(path: string, bytes: Uint8Array): boolean {
  try {
    if (!lstatSync(path).isFile()) return false;
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const start = new Uint8Array(bytes.length);
      return readSync(file, start, 0, start.length, 0) === start.length && Buffer.compare(start, bytes) === 0;
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

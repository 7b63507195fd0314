/**
 * Remembers the digests of files, so that a file that has not changed need not be read.
 *
 * A file counts as unchanged when its size, its number (inode), the time of its last modification and the time of its last
 * change of any kind (ctime) are what they were. Programs can set the modification time back, but not the other. Times
 * have a grain (2 s on FAT): a file that was written just before it was read could change again within it, so only
 * digests of files that had rested for a while are remembered.
 */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readJson, writeJson } from './own-files.node.js';

const GRAIN = 3000;
const VERSION = 1;

/** What tells that a file is still the same. */
interface Signature {
  readonly size: number;
  readonly modified: number;
  readonly changed: number;
  readonly inode: number;
}

/** [path, size, modified, changed, inode, digest in base64] */
type Entry = [string, number, number, number, number, string];

export class FileDigests {
  readonly #folder: string;
  readonly #name: string;
  readonly #started = Date.now();
  readonly #remembered = new Map<string, Entry>();
  readonly #signatures = new Map<string, Signature>();
  #isNew = false;

  /** @param name of the set of files, such as its folder */
  constructor(cacheDirectory: string, name: string) {
    const key = createHash('sha256').update(resolve(name)).digest('hex').slice(0, 16);
    this.#folder = join(cacheDirectory, 'files');
    this.#name = `${key}.json`;
    const kept = readJson(join(this.#folder, this.#name)) as { version: number; entries: Entry[] } | undefined;
    if (kept?.version === VERSION) for (const entry of kept.entries) this.#remembered.set(entry[0], entry);
  }

  /** The digest of a file that has not changed since it was noted, else null. Ask before reading the file. */
  find(path: string): Uint8Array | null {
    try {
      const { size, mtimeMs: modified, ctimeMs: changed, ino: inode } = statSync(path);
      const entry = this.#remembered.get(path);
      if (entry && entry[1] === size && entry[2] === modified && entry[3] === changed && entry[4] === inode) {
        return Buffer.from(entry[5], 'base64');
      }
      this.#signatures.set(path, { size, modified, changed, inode });
    } catch {
      // whoever reads it says so
    }
    return null;
  }

  /** Notes the digest of a file that `find` did not know. */
  note(path: string, digest: Uint8Array): void {
    const signature = this.#signatures.get(path);
    if (!signature) return;
    const { size, modified, changed, inode } = signature;
    if (Math.max(modified, changed) > this.#started - GRAIN) return;
    this.#remembered.set(path, [path, size, modified, changed, inode, Buffer.from(digest).toString('base64')]);
    this.#isNew = true;
  }

  /** Keeps what was noted for the next run; failing that, the next run reads the files again. */
  save(): void {
    if (!this.#isNew) return;
    try {
      const entries = [...this.#remembered.values()].filter(([path]) => existsSync(path));
      writeJson(this.#folder, this.#name, { version: VERSION, entries });
    } catch {
      // no room, no rights
    }
  }
}

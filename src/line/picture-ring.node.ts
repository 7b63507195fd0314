/** Pictures in a folder up to a quota: the oldest go first. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, writeFileAtomically } from '../files.node.js';

export interface RingOptions {
  /** By their names; default: all that are not hidden. */
  readonly isPicture?: (name: string) => boolean;
  /** Asked when room is needed: which pictures must not go. Default: none. */
  readonly isKept?: () => (name: string) => boolean;
}

/** So many wait for the disk; more are not kept. */
const MOST_WAITING = 64;

export class PictureRing {
  readonly #folder: string;
  readonly #quota: number;
  readonly #isKept: () => (name: string) => boolean;
  /** The oldest first. */
  readonly #kept: { readonly name: string; readonly size: number }[];
  #total: number;
  #waiting = 0;
  #lost = 0;
  #queue: Promise<unknown> = Promise.resolve();

  /** @param quota in bytes */
  constructor(folder: string, quota: number, { isPicture = () => true, isKept = () => () => false }: RingOptions = {}) {
    this.#folder = folder;
    this.#quota = quota;
    this.#isKept = isKept;
    makeFolders(folder);
    const names = readdirSync(folder).filter((name) => !name.startsWith('.') && isPicture(name));
    this.#kept = names.toSorted().map((name) => ({ name, size: statSync(join(folder, name)).size }));
    this.#total = this.#kept.reduce((sum, { size }) => sum + size, 0);
  }

  get count(): number {
    return this.#kept.length;
  }

  has(name: string): boolean {
    return this.#kept.some((one) => one.name === name);
  }

  /** @returns what people must be told, if anything */
  add(name: string, bytes: Uint8Array): Promise<string | null> {
    if (bytes.length > this.#quota) return Promise.resolve(null);
    if (this.#waiting >= MOST_WAITING) {
      this.#lost++;
      return Promise.resolve(this.#lost === 1 ? 'the disk is too slow for pictures: some are not kept' : null);
    }
    this.#waiting++;
    const added = this.#queue.then(() => this.#add(name, bytes)).finally(() => this.#waiting--);
    this.#queue = added;
    return added;
  }

  async #add(name: string, bytes: Uint8Array): Promise<string | null> {
    const excess = this.#total + bytes.length - this.#quota;
    if (excess > 0) this.removeOldest(excess);
    if (this.#total + bytes.length > this.#quota)
      return `the picture ${name} is not kept: those that are there fill their quota, and must stay`;
    for (let freed = 0; ;) {
      try {
        await writeFileAtomically(join(this.#folder, name), bytes);
        this.#kept.push({ name, size: bytes.length });
        this.#total += bytes.length;
        return freed === 0 ? null : `the disk is full: ${freed} of the oldest pictures went, for newer ones`;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const count = /\((?:ENOSPC|EDQUOT)\)/.test(message) ? this.removeOldest(2 * bytes.length) : 0;
        if (count === 0) return `the picture ${name} is not kept: ${message}`;
        freed += count;
      }
    }
  }

  /**
   * Makes room on the disk.
   * @returns how many went: 0 when there are none
   */
  removeOldest(bytes: number): number {
    const mustStay = this.#isKept();
    let [freed, count] = [0, 0];
    for (let at = 0; freed < bytes && at < this.#kept.length;) {
      const { name, size } = this.#kept[at];
      if (mustStay(name)) {
        at++;
        continue;
      }
      rmSync(join(this.#folder, name), { force: true });
      this.#kept.splice(at, 1);
      this.#total -= size;
      freed += size;
      count++;
    }
    return count;
  }

  async close(): Promise<void> {
    await this.#queue;
  }
}

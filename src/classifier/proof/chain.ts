/**
 * Records as lines of JSON, each with the hash of the one before, so that none can be changed, taken out or put in between without
 * those behind it. Who can write the file can build a new chain, or cut it at its end: only a signature, or a head that is kept
 * elsewhere, tells that.
 */
import { DataError } from '../../errors.js';
import { canonicalJson } from '../../formats/json.js';
import { type Sha256 } from '../../formats/content-hash.js';

/** By which a whole chain is known: how many entries it has, and the hash of the last. */
export interface RecordHead {
  readonly count: number;
  readonly hash: string;
}

/** What every entry has, whatever else it says. */
export interface Link {
  /** From 1. */
  readonly number: number;
  /** Of the entry before; 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256 of all else that stands in the entry, as JSON with sorted keys and without spaces (RFC 8785). */
  readonly hash: string;
  /** The name of the key and its signature of the hash, where it is signed; the hash does not cover them. */
  readonly key?: string;
  readonly signature?: string;
}

export const NO_HASH = '0'.repeat(64);

/** What differs between a program on a machine and a page. */
export interface ChainTools {
  readonly hash: Sha256;
  /** Whether the holder of the key `name` signed an entry of that hash; null where signatures cannot be looked at. */
  readonly isSignedBy: ((name: string, hash: string, signature: string) => boolean) | null;
}

const encoder = new TextEncoder();

const refuse = (expected: string, received: string): never => {
  throw new DataError(`record: expected ${expected}, got ${received}`);
};

/** What JSON makes of it. @throws DataError for what it cannot hold */
export const asRead = (value: object): object => JSON.parse(canonicalJson(value, 'an entry', refuse)) as object;

/** @throws DataError for what JSON cannot hold */
export const linkHash = (entry: object, hash: Sha256): string =>
  hash([encoder.encode(canonicalJson(entry, 'an entry', refuse))]);

const isLink = (value: unknown): value is Link => {
  const { number, previous, hash } = Object(value) as Partial<Record<keyof Link, unknown>>;
  return typeof number === 'number' && typeof previous === 'string' && typeof hash === 'string';
};

/** Follows a chain line by line. */
export class ChainCheck {
  readonly #tools: ChainTools;
  #lines: number;
  #head: RecordHead;
  readonly #problems: string[] = [];

  /** @param head of what came before the first line */
  constructor(tools: ChainTools, head: RecordHead = { count: 0, hash: NO_HASH }) {
    this.#tools = tools;
    this.#head = head;
    this.#lines = head.count;
  }

  get head(): RecordHead {
    return this.#head;
  }

  /** In words, with the number of the entry. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /**
   * @param isKnown whether an entry is one of its kind; left out: any
   * @param nameOf what to call it beside its number
   * @returns null for a line that cannot be read
   */
  take<Entry extends Link>(
    line: string,
    isKnown: (value: Link) => value is Entry,
    nameOf: (entry: Entry) => string,
  ): Entry | null {
    const number = ++this.#lines;
    let given: unknown;
    try {
      given = JSON.parse(line);
    } catch {
      given = null;
    }
    if (!isLink(given) || !isKnown(given)) {
      this.#problems.push(`entry ${number}: cannot be read`);
      return null;
    }
    const { hash, key, signature, ...rest } = given;
    if (this.#hashOrNull(rest) !== hash) this.#problems.push(`entry ${number} (${nameOf(given)}): was changed`);
    if (given.number !== number) this.#problems.push(`entry ${number}: says that it is number ${given.number}`);
    if (given.previous !== this.#head.hash)
      this.#problems.push(
        `entry ${number}: follows an entry of hash ${given.previous}, the one before it has ${this.#head.hash}`,
      );
    if (key !== undefined && this.#tools.isSignedBy?.(key, hash, signature ?? '') === false)
      this.#problems.push(`entry ${number}: its signature is not that of the key ${key}`);
    this.#head = { count: number, hash };
    return given;
  }

  /** Null for an entry that nobody wrote: nested too deep. */
  #hashOrNull(entry: object): string | null {
    try {
      return linkHash(entry, this.#tools.hash);
    } catch (error) {
      if (error instanceof DataError) return null;
      throw error;
    }
  }
}

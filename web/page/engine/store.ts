/**
 * Where the page keeps things: IndexedDB, whose transactions are whole or not at all, so that a tab that is closed at any time leaves
 * no half of anything. Where the browser keeps nothing (a private window of some, storage forbidden), a memory with the same face, and
 * the page says so.
 */
import { openDB, type IDBPDatabase } from 'idb';
import type { PictureRecord, ProjectRecord } from './records.js';

/** `[project]`, or `[project, …]`: those of a project lie side by side. */
export type Key = readonly (number | string)[];

const shelves = ['projects', 'pictures', 'files', 'thumbnails', 'runs'] as const;
export type Shelf = (typeof shelves)[number];

/** What lies on each shelf. */
export interface Kept {
  readonly projects: ProjectRecord;
  readonly pictures: PictureRecord;
  readonly files: Blob;
  /** A JPEG. */
  readonly thumbnails: Uint8Array<ArrayBuffer>;
  /** A file of a run. */
  readonly runs: Uint8Array<ArrayBuffer>;
}

/** What is put under a key; without a value, what is under the key and under all that begin with it is taken away. */
export interface Change {
  readonly shelf: Shelf;
  readonly key: Key;
  readonly value?: unknown;
}

export interface Store {
  readonly kind: 'kept' | 'memory';
  get<On extends Shelf>(shelf: On, key: Key): Promise<Kept[On] | null>;
  /** All whose keys begin so, sorted by key. */
  all<On extends Shelf>(shelf: On, prefix: Key): Promise<{ key: Key; value: Kept[On] }[]>;
  keys(shelf: Shelf, prefix: Key): Promise<Key[]>;
  /** All changes or none; on the disk when it resolves. @throws QuotaError */
  write(changes: readonly Change[]): Promise<void>;
}

/** The browser gives no more room. */
export class QuotaError extends Error {
  constructor(cause: unknown) {
    super(
      'the browser gives no more room: save the project as a file, then remove projects or runs, or make room on the disk',
      { cause },
    );
  }
}

/** @param onGone is told when the database is taken away under the page: cleared by the user, or by the browser */
export async function openStore(onGone: () => void): Promise<Store> {
  try {
    const database = await openDB('beltnet', 1, {
      upgrade: (fresh) => {
        for (const shelf of shelves) fresh.createObjectStore(shelf);
      },
      terminated: onGone,
    });
    return new KeptStore(database);
  } catch {
    return new MemoryStore();
  }
}

const rangeOf = (prefix: Key): IDBKeyRange => IDBKeyRange.bound([...prefix], [...prefix, []]);

class KeptStore implements Store {
  readonly kind = 'kept';
  readonly #database: IDBPDatabase;

  constructor(database: IDBPDatabase) {
    this.#database = database;
  }

  async get<On extends Shelf>(shelf: On, key: Key): Promise<Kept[On] | null> {
    return ((await this.#database.get(shelf, [...key])) as Kept[On] | undefined) ?? null;
  }

  async all<On extends Shelf>(shelf: On, prefix: Key): Promise<{ key: Key; value: Kept[On] }[]> {
    const transaction = this.#database.transaction(shelf);
    const [keys, values] = await Promise.all([
      transaction.store.getAllKeys(rangeOf(prefix)),
      transaction.store.getAll(rangeOf(prefix)),
    ]);
    return keys.map((key, n) => ({ key: key as unknown as Key, value: values[n] as Kept[On] }));
  }

  async keys(shelf: Shelf, prefix: Key): Promise<Key[]> {
    return (await this.#database.getAllKeys(shelf, rangeOf(prefix))) as unknown as Key[];
  }

  async write(changes: readonly Change[]): Promise<void> {
    const transaction = this.#database.transaction([...new Set(changes.map(({ shelf }) => shelf))], 'readwrite', {
      durability: 'strict',
    });
    try {
      const requests = changes.map(({ shelf, key, value }) => {
        const store = transaction.objectStore(shelf);
        return value === undefined ? store.delete(rangeOf(key)) : store.put(value, [...key]);
      });
      await Promise.all([...requests, transaction.done]);
    } catch (error) {
      transaction.done.catch(() => {}); // told here
      throw isFull(error) || isFull(transaction.error) ? new QuotaError(error) : error;
    }
  }
}

const isFull = (error: unknown): boolean => (error as Error | null)?.name === 'QuotaExceededError';

/** For as long as the page is open. */
class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly #entries = new Map<Shelf, Map<string, { key: Key; value: unknown }>>(
    shelves.map((shelf) => [shelf, new Map()]),
  );

  get<On extends Shelf>(shelf: On, key: Key): Promise<Kept[On] | null> {
    const found = this.#of(shelf).get(JSON.stringify(key));
    return Promise.resolve(found ? (found.value as Kept[On]) : null);
  }

  all<On extends Shelf>(shelf: On, prefix: Key): Promise<{ key: Key; value: Kept[On] }[]> {
    const found = [...this.#of(shelf).values()].filter(({ key }) => prefix.every((part, n) => key[n] === part));
    const sorted = found.toSorted((a, b) => compare(a.key, b.key));
    return Promise.resolve(sorted as { key: Key; value: Kept[On] }[]);
  }

  async keys(shelf: Shelf, prefix: Key): Promise<Key[]> {
    return (await this.all(shelf, prefix)).map(({ key }) => key);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const { shelf, key, value } of changes) {
      if (value !== undefined) this.#of(shelf).set(JSON.stringify(key), { key, value });
      else for (const { key: gone } of await this.all(shelf, key)) this.#of(shelf).delete(JSON.stringify(gone));
    }
  }

  #of(shelf: Shelf): Map<string, { key: Key; value: unknown }> {
    return this.#entries.get(shelf) as Map<string, { key: Key; value: unknown }>;
  }
}

/** As IndexedDB does: part by part, numbers before texts. */
function compare(a: Key, b: Key): number {
  for (let n = 0; n < Math.min(a.length, b.length); n++) {
    const [one, other] = [a[n], b[n]];
    if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1;
    if (one !== other) return one < other ? -1 : 1;
  }
  return a.length - b.length;
}

/** Pictures before they are decoded, one by one: what they are called, what they weigh, and the digests of their contents. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import { expectArray, expectText, listOf, objectWith } from '../../expect.js';
import { ExhaustedError } from '../../files.node.js';
import { MemoryBudget } from '../../memory.node.js';
import { turns } from '../../turns.js';
import { DIGEST_LENGTH } from '../audit/picture-facts.js';
import { readPictureBytes } from '../pictures/read-picture.node.js';
import type { Picture } from '../pictures/picture.js';
import { openArraySet, rowName } from '../sources/array-files.node.js';
import { expandPaths } from '../sources/expand-paths.node.js';
import { isManifest, listManifest } from '../sources/manifest.node.js';

/** A picture to predict: a file, or a row of a practice set. */
export interface PictureItem {
  readonly name: string;
  readonly picture?: () => Picture;
  /** Why a folder's listing passed it over. */
  readonly error?: string;
}

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** Stands for the digest of what cannot be read. */
export const UNREADABLE = new Uint8Array(DIGEST_LENGTH);

/** @throws UsageError unless they are items */
export const expectItems = listOf(objectWith({ name: expectText }));

/** SHA-256 of the contents of items, of which nothing is decoded. */
export async function inputsHash(items: readonly PictureItem[]): Promise<string> {
  expectItems(items, 'inputsHash: items');
  const hash = createHash('sha256');
  const turn = turns();
  for (const { name, picture, error } of items) {
    if (picture) hash.update(sha256(picture().data));
    else hash.update(error === undefined ? digestOfFile(name) : UNREADABLE);
    await turn();
  }
  return hash.digest('hex');
}

/** @returns zeros for a file that cannot be read */
export function digestOfFile(path: string): Uint8Array {
  try {
    return sha256(readPictureBytes(path));
  } catch (error) {
    if (!(error instanceof DataError) || error instanceof ExhaustedError) throw error; // no fault of the file
    return UNREADABLE;
  }
}

/** What items weigh: the bytes of their files, one more each; rows of practice sets, which are all alike, one. */
export async function weightsOf(items: readonly PictureItem[]): Promise<Float64Array> {
  expectItems(items, 'weightsOf: items');
  const weights = new Float64Array(items.length).fill(1);
  const TOGETHER = 64; // a network's disk takes long for one
  for (let first = 0; first < items.length; first += TOGETHER)
    await Promise.all(
      items.slice(first, first + TOGETHER).map(async ({ name, picture, error }, n) => {
        if (!picture && error === undefined)
          weights[first + n] += await stat(name).then(
            ({ size }) => size,
            () => 0,
          );
      }),
    );
  return weights;
}

/**
 * The pictures that paths mean, as `streamPictures` takes them: sorted by name, each once; the rows of a practice set in their order.
 * @throws DataError for a folder without pictures or a pattern without a match
 */
export async function listPictures(paths: readonly string[]): Promise<PictureItem[]> {
  expectArray(paths, 'listPictures: paths');
  listOf(expectText)(paths, 'listPictures: paths');
  const rows = new Map<string, PictureItem[]>();
  const others: string[] = [];
  const budget = new MemoryBudget();
  for (const path of paths) {
    const set = await openArraySet(path, budget);
    if (!set) for (const other of isManifest(path) ? await listManifest(path) : [path]) others.push(other);
    for (const part of [set?.training, set?.validation, set?.test]) {
      if (!part) continue;
      const { pictures } = part;
      const item = (row: number): PictureItem => ({ name: rowName(part, row), picture: () => pictures.picture(row) });
      rows.set(
        part.name,
        Array.from({ length: pictures.count }, (_, row) => item(row)),
      );
    }
  }
  const expanded = others.length === 0 && paths.length > 0 ? { paths: [], skipped: [] } : expandPaths(others);
  const named = new Set(expanded.paths); // a file that was named is read, whatever a folder's listing says of it
  const skipped = new Map(expanded.skipped.flatMap(({ file, error }) => (named.has(file) ? [] : [[file, error]])));
  return [...named, ...skipped.keys(), ...rows.keys()].toSorted().flatMap((name): PictureItem[] => {
    const error = skipped.get(name);
    return rows.get(name) ?? [{ name, ...(error !== undefined && { error }) }];
  });
}

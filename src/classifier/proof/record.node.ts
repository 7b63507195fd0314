/** The record of a run's folder on the disk, by Node's own crypto. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import {
  expectArray,
  expectCount,
  expectObject,
  expectPath,
  expectText,
  listOf,
  objectWith,
  orNull,
  type Check,
} from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { filesIn } from '../run.node.js';
import type { RecordHead } from './chain.js';
import { nativeChain, sha256 } from './chain.node.js';
import { expectKey, sign, type SigningKey } from './keys.node.js';
import { addToRecord, checkRecordBy, RECORD, type CheckedRecord, type NewEntry, type Signer } from './record.js';

const MOST_BYTES = 2 ** 26;

const fileKind = (what: string, mostBytes: number) => ({
  what,
  mostBytes,
  refuse: (message: string) => new DataError(message),
});

/** SHA-256 of a file. */
export const fileHash = async (path: string): Promise<string> =>
  sha256(await readWholeFile(path, fileKind('a file of a run', 2 ** 31)));

/** Whether the chain holds: every line an entry with its own hash, its number and the hash of the one before. */
export const checkRecord = (text: string): CheckedRecord => checkRecordBy(nativeChain, text);

/** A run's record; null where there is none. @throws DataError */
export async function readRecord(run: string): Promise<CheckedRecord | null> {
  expectPath(run, 'readRecord: run');
  const path = join(run, RECORD);
  if (!existsSync(path)) return null;
  return checkRecord(Buffer.from(await readWholeFile(path, fileKind('a record', MOST_BYTES))).toString('utf8'));
}

const expectEntry = objectWith({
  ...{ number: expectCount, event: expectText, time: expectText, hash: expectText },
  ...{ files: expectObject, facts: expectObject, by: expectObject },
});

/** As `checkRecord` gives it. */
export const expectRecord: Check = objectWith({
  entries: (value, what) => {
    expectArray(value, what);
    listOf(expectEntry)(value, what);
  },
  head: objectWith({ count: expectCount, hash: expectText }),
  problems: expectArray,
});

export const signerOf = (key: SigningKey | null): Signer | null =>
  key && { name: key.name, sign: (hash) => sign(key, hash) };

/**
 * Adds an entry to the record of a run, whose files it vouches for as they are now.
 *
 * @param key signs it
 * @returns the new head
 * @throws DataError for a record that does not hold: nothing is added then; DiskError while another process is at work in the run
 */
export async function appendToRecord(run: string, entry: NewEntry, key: SigningKey | null = null): Promise<RecordHead> {
  expectPath(run, 'appendToRecord: run');
  objectWith({ event: expectText, by: expectObject, facts: expectObject })(entry, 'appendToRecord: entry');
  orNull(expectKey)(key, 'appendToRecord: key');
  return addToRecord(filesIn(run), entry, nativeChain, signerOf(key));
}

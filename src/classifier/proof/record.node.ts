/**
 * The record of a run (record.jsonl): what made it and what was changed in it since, one line of JSON for each. An entry holds the hash
 * of the one before, so that none can be changed, taken out or put in between without those behind it, and may be signed.
 * Who can write the file can build a new chain, or cut it at its end: only a signature, or a head that is kept elsewhere, tells that.
 */
import { createHash } from 'node:crypto';
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
import { appendLine, readWholeFile, takeRunDirectory, writeFileAtomically } from '../../files.node.js';
import { canonicalJson } from '../../formats/json.js';
import { leaveFolder, lockHolder } from '../../lock.node.js';
import { expectKey, isSignedBy, sign, type SigningKey } from './keys.node.js';

export const RECORD = 'record.jsonl';

/** The files of a run that an entry vouches for; not those that say only where a training stands, and no report. */
const VOUCHED = [
  'config.json',
  'pictures.jsonl',
  'audit.json',
  'kernels.json',
  'best.safetensors',
  'last.safetensors',
  'results.csv',
  'events.jsonl',
  'predictions.csv',
  'card.json',
  'card.md',
];

/** What was done to a run: `repair` is of the record itself, whose last line was torn. */
export type RecordEvent =
  | 'train'
  | 'fine-tune'
  | 'calibrate'
  | 'threshold'
  | 'relabel'
  | 'export'
  | 'parity'
  | 'repair';

export interface NewEntry {
  readonly event: RecordEvent;
  /** What did it: versions and platform. */
  readonly by: object;
  /** What JSON holds. */
  readonly facts: object;
}

export interface RecordEntry extends NewEntry {
  /** From 1. */
  readonly number: number;
  /** By the clock of the machine, ISO 8601: nobody vouches for it. */
  readonly time: string;
  /** SHA-256 of the run's files, as they are after it. */
  readonly files: Readonly<Record<string, string>>;
  /** Of the entry before; 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256 of all that stands above, as JSON with sorted keys and without spaces (RFC 8785). */
  readonly hash: string;
  /** The name of the key and its signature of the hash, where it is signed. */
  readonly key?: string;
  readonly signature?: string;
}

/** By which a whole chain is known: how many entries it has, and the hash of the last. */
export interface RecordHead {
  readonly count: number;
  readonly hash: string;
}

export const NO_HASH = '0'.repeat(64);
const MOST_BYTES = 2 ** 26;

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const refuse = (expected: string, received: string): never => {
  throw new DataError(`record: expected ${expected}, got ${received}`);
};

/** @param entry with its own hash and signature, which are left out, or without */
function hashOf(entry: Omit<RecordEntry, 'hash'>): string {
  const { number, time, event, by, files, facts, previous } = entry;
  return sha256(canonicalJson({ number, time, event, by, files, facts, previous }, 'an entry', refuse));
}

const fileKind = (what: string, mostBytes: number) => ({
  what,
  mostBytes,
  refuse: (message: string) => new DataError(message),
});

/** SHA-256 of a file. */
export const fileHash = async (path: string): Promise<string> =>
  sha256(await readWholeFile(path, fileKind('a file of a run', 2 ** 31)));

/** SHA-256 of the files that an entry vouches for, of those that are there. */
export async function vouchedFiles(run: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of VOUCHED) if (existsSync(join(run, name))) hashes[name] = await fileHash(join(run, name));
  return hashes;
}

/** What stands in a record, and what is wrong with it. */
export interface CheckedRecord {
  /** Those that can be read. */
  readonly entries: readonly RecordEntry[];
  readonly head: RecordHead;
  /** In words, with the number of the entry. */
  readonly problems: readonly string[];
  /** A last line without its end, as after a power cut: the next entry will say that it was taken away. */
  readonly torn: string | null;
}

const isEntry = (value: unknown): value is RecordEntry => {
  const { number, time, event, files, facts, previous, hash } = (value ?? {}) as Partial<
    Record<keyof RecordEntry, unknown>
  >;
  const areTexts = [time, event, previous, hash].every((each) => typeof each === 'string');
  return (
    areTexts && typeof number === 'number' && [files, facts].every((each) => typeof each === 'object' && each !== null)
  );
};

/** Whether the chain holds: every line an entry with its own hash, its number and the hash of the one before. */
export function checkRecord(text: string): CheckedRecord {
  expectText(text, 'checkRecord: text');
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const entries: RecordEntry[] = [];
  const problems: string[] = [];
  let head: RecordHead = { count: 0, hash: NO_HASH };
  for (const [index, line] of lines.entries()) {
    const number = index + 1;
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      entry = null;
    }
    if (!isEntry(entry)) {
      problems.push(`entry ${number}: cannot be read`);
      continue;
    }
    const actual = hashOf(entry);
    if (actual !== entry.hash) problems.push(`entry ${number} (${entry.event}): was changed`);
    if (entry.number !== number) problems.push(`entry ${number}: says that it is number ${entry.number}`);
    if (entry.previous !== head.hash)
      problems.push(`entry ${number}: follows an entry of hash ${entry.previous}, the one before it has ${head.hash}`);
    if (entry.key !== undefined && !isSignedBy(entry.key, entry.hash, entry.signature ?? ''))
      problems.push(`entry ${number}: its signature is not that of the key ${entry.key}`);
    entries.push(entry);
    head = { count: number, hash: entry.hash };
  }
  return { entries, head, problems, torn: last === '' ? null : last };
}

/** A run's record; null where there is none. @throws DataError */
export async function readRecord(run: string): Promise<CheckedRecord | null> {
  expectPath(run, 'readRecord: run');
  const path = join(run, RECORD);
  if (!existsSync(path)) return null;
  return checkRecord(Buffer.from(await readWholeFile(path, fileKind('a record', MOST_BYTES))).toString('utf8'));
}

/** A run's record, to which an entry can be added. @throws DataError for one that does not hold */
export async function checkAppendable(run: string): Promise<CheckedRecord> {
  const record = (await readRecord(run)) ?? checkRecord('');
  if (record.problems.length === 0) return record;
  throw new DataError(
    `${join(run, RECORD)}: expected a record that holds, got one where ${record.problems[0]}; ` +
      '"beltnet verify" says more; put it aside to begin another',
  );
}

/** What JSON makes of it. @throws DataError for what it cannot hold */
const asRead = (value: object): object => JSON.parse(canonicalJson(value, 'an entry', refuse)) as object;

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

/** Puts entries of one process behind each other. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Adds an entry to the record of a run, whose files it vouches for as they are now.
 *
 * @param key signs it
 * @returns the new head
 * @throws DataError for a record that does not hold: nothing is added then; DiskError while another process is at work in the run
 */
export function appendToRecord(run: string, entry: NewEntry, key: SigningKey | null = null): Promise<RecordHead> {
  expectPath(run, 'appendToRecord: run');
  objectWith({ event: expectText, by: expectObject, facts: expectObject })(entry, 'appendToRecord: entry');
  orNull(expectKey)(key, 'appendToRecord: key');
  const appended = queue.then(() => append(run, entry, key));
  queue = appended.catch(() => {});
  return appended;
}

async function append(run: string, entry: NewEntry, key: SigningKey | null): Promise<RecordHead> {
  const { state, owner } = lockHolder(run);
  const isOurs = state === 'running' && owner.pid === process.pid;
  if (!isOurs) takeRunDirectory(run);
  try {
    const path = join(run, RECORD);
    const record = await checkAppendable(run);
    let { head } = record;
    if (record.torn !== null) {
      const whole = record.entries.map((each) => `${JSON.stringify(each)}\n`).join('');
      await writeFileAtomically(path, whole);
      const facts = { what: 'the last line was torn and is taken away', line: record.torn };
      head = await add(run, head, { event: 'repair', by: entry.by, facts }, key);
    }
    return await add(run, head, entry, key);
  } finally {
    if (!isOurs) leaveFolder(run);
  }
}

async function add(run: string, head: RecordHead, given: NewEntry, key: SigningKey | null): Promise<RecordHead> {
  const { event } = given;
  const files = await vouchedFiles(run);
  const [by, facts] = [given.by, given.facts].map(asRead);
  const entry = {
    number: head.count + 1,
    time: new Date().toISOString(),
    event,
    by,
    files,
    facts,
    previous: head.hash,
  };
  const hash = hashOf(entry);
  const signature = key && { key: key.name, signature: sign(key, hash) };
  await appendLine(join(run, RECORD), JSON.stringify({ ...entry, hash, ...signature }));
  return { count: entry.number, hash };
}

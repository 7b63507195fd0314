/** The record of a run (record.jsonl): what made it and what was changed in it since, as a chain of entries, which may be signed. */
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
import { leaveFolder, lockHolder } from '../../lock.node.js';
import { asRead, ChainCheck, linkHash, sha256, type Link, type RecordHead } from './chain.node.js';
import { expectKey, sign, type SigningKey } from './keys.node.js';

export { NO_HASH, type RecordHead } from './chain.node.js';

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

export interface RecordEntry extends NewEntry, Link {
  /** By the clock of the machine, ISO 8601: nobody vouches for it. */
  readonly time: string;
  /** SHA-256 of the run's files, as they are after it. */
  readonly files: Readonly<Record<string, string>>;
}

const MOST_BYTES = 2 ** 26;

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

const isEntry = (value: Link): value is RecordEntry => {
  const { time, event, files, facts } = value as unknown as Record<string, unknown>;
  return (
    [time, event].every((each) => typeof each === 'string') &&
    [files, facts].every((each) => typeof each === 'object' && each !== null)
  );
};

/** Whether the chain holds: every line an entry with its own hash, its number and the hash of the one before. */
export function checkRecord(text: string): CheckedRecord {
  expectText(text, 'checkRecord: text');
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const chain = new ChainCheck();
  const entries = lines.flatMap((line) => chain.take(line, isEntry, ({ event }) => event) ?? []);
  return { entries, head: chain.head, problems: chain.problems, torn: last === '' ? null : last };
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
  const hash = linkHash(entry);
  const signature = key && { key: key.name, signature: sign(key, hash) };
  await appendLine(join(run, RECORD), JSON.stringify({ ...entry, hash, ...signature }));
  return { count: entry.number, hash };
}

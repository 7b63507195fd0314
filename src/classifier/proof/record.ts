/** The record of a run (record.jsonl): what made it and what was changed in it since, as a chain of entries, which may be signed. */
import { DataError } from '../../errors.js';
import { expectText } from '../../expect.js';
import type { RunFiles } from '../run.js';
import { asRead, ChainCheck, linkHash, type ChainTools, type Link, type RecordHead } from './chain.js';

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

/** What a run has beside the files of its training. */
export const RUN_PROOF: readonly string[] = ['card.json', 'card.md', RECORD];

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

/** Who signs: the name of the key, and the signature of an entry's hash. */
export interface Signer {
  readonly name: string;
  readonly sign: (hash: string) => string;
}

/** SHA-256 of the files that an entry vouches for, of those that are there. */
export async function vouchedFiles(files: RunFiles, { hash }: ChainTools): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of VOUCHED) {
    const bytes = await files.read(name);
    if (bytes) hashes[name] = hash([bytes]);
  }
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
export function checkRecordBy(tools: ChainTools, text: string): CheckedRecord {
  expectText(text, 'checkRecord: text');
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const chain = new ChainCheck(tools);
  const entries = lines.flatMap((line) => chain.take(line, isEntry, ({ event }) => event) ?? []);
  return { entries, head: chain.head, problems: chain.problems, torn: last === '' ? null : last };
}

/** A run's record, to which an entry can be added. @throws DataError for one that does not hold */
export async function checkAppendable(files: RunFiles, tools: ChainTools): Promise<CheckedRecord> {
  const bytes = await files.read(RECORD);
  const record = checkRecordBy(tools, bytes ? new TextDecoder().decode(bytes) : '');
  if (record.problems.length === 0) return record;
  throw new DataError(
    `${files.path(RECORD)}: expected a record that holds, got one where ${record.problems[0]}; ` +
      '"beltnet verify" says more; put it aside to begin another',
  );
}

/** Puts entries behind each other. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Adds an entry to the record of a run, whose files it vouches for as they are now.
 * @returns the new head
 * @throws DataError for a record that does not hold: nothing is added then; DiskError while another process is at work in the run
 */
export function addToRecord(
  files: RunFiles,
  entry: NewEntry,
  tools: ChainTools,
  signer: Signer | null = null,
): Promise<RecordHead> {
  const append = async (): Promise<RecordHead> => {
    const record = await checkAppendable(files, tools);
    let { head } = record;
    if (record.torn !== null) {
      const whole = record.entries.map((each) => `${JSON.stringify(each)}\n`).join('');
      await files.write(RECORD, whole);
      const facts = { what: 'the last line was torn and is taken away', line: record.torn };
      head = await add(files, head, { event: 'repair', by: entry.by, facts }, tools, signer);
    }
    return add(files, head, entry, tools, signer);
  };
  const added = queue.then(() => (files.hold ? files.hold(append) : append()));
  queue = added.catch(() => {});
  return added;
}

async function add(
  run: RunFiles,
  head: RecordHead,
  given: NewEntry,
  tools: ChainTools,
  signer: Signer | null,
): Promise<RecordHead> {
  const { event } = given;
  const files = await vouchedFiles(run, tools);
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
  const hash = linkHash(entry, tools.hash);
  const signature = signer && { key: signer.name, signature: signer.sign(hash) };
  await run.append(RECORD, `${JSON.stringify({ ...entry, hash, ...signature })}\n`);
  return { count: entry.number, hash };
}

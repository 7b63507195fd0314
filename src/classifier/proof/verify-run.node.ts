/** Whether a run is what its record says: chain, files, pictures, predictions, figures; what differs is named. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { BeltnetError, DataError, UsageError } from '../../errors.js';
import {
  expectCount,
  expectObject,
  expectPath,
  expectText,
  listOf,
  objectWith,
  perhaps,
  type Check,
} from '../../expect.js';
import { withSlashes } from '../../data/sources/folder.node.js';
import { filesIn, readConfig } from '../run.node.js';
import { NO_HASH, type RecordHead } from './chain.js';
import { nativeChain } from './chain.node.js';
import type { ModelDigest } from './digests.js';
import { modelDigest } from './digests.node.js';
import { RECORD, vouchedFiles, type CheckedRecord, type RecordEntry } from './record.js';
import { expectRecord, readRecord } from './record.node.js';

/** One thing that was looked at. */
export interface Checked {
  readonly what: string;
  /** What was seen, in words, where nothing differs. */
  readonly seen: string;
  /** In words, each with the name of what differs. */
  readonly differences: readonly string[];
}

export interface TrustOptions {
  /** The name of a key: every entry must be signed by it. */
  readonly trusted?: string | undefined;
  /** A head that was kept elsewhere: the record must hold it. */
  readonly head?: RecordHead | undefined;
}

const expectTrust = objectWith({
  trusted: perhaps(expectText),
  head: perhaps(objectWith({ count: expectCount, hash: expectText })),
});

/** The chain, who signed it, and whether it goes on from a head that is known. */
export function verifyRecord(record: CheckedRecord, options: TrustOptions = {}): Checked {
  expectRecord(record, 'verifyRecord: record');
  expectTrust(options, 'verifyRecord: options');
  const { trusted, head: known } = options;
  const { entries, head, problems, torn } = record;
  const differences = [...problems];
  if (torn !== null)
    differences.push('its last line is torn: whoever writes the next entry takes it away, and says so');
  if (entries.length === 0) differences.push('it has no entries');
  if (trusted !== undefined)
    for (const { number, event, key } of entries)
      if (key !== trusted)
        differences.push(
          `entry ${number} (${event}): ${key === undefined ? 'is not signed' : `is signed by ${key}, not by the trusted key`}`,
        );
  if (known) {
    const there = known.count === 0 ? NO_HASH : entries.find(({ number }) => number === known.count)?.hash;
    if (there === undefined)
      differences.push(
        `it has ${head.count} entries, and had ${known.count} when its head was written down: it was cut`,
      );
    else if (there !== known.hash)
      differences.push(
        `entry ${known.count} has the hash ${there}, and had ${known.hash} when its head was written down`,
      );
  }
  const signers = new Set(entries.map(({ key }) => key ?? 'nobody'));
  const count = entries.length === 1 ? '1 entry' : `${entries.length} entries, each with the hash of the one before`;
  return { what: 'record', seen: `${count}, signed by ${[...signers].join(', ')}`, differences };
}

/** What an unchanged chain does not say. */
export function notProven(record: CheckedRecord, options: TrustOptions): string[] {
  expectRecord(record, 'notProven: record');
  expectTrust(options, 'notProven: options');
  const { trusted, head } = options;
  if (trusted !== undefined && head !== undefined) return [];
  const unsigned = record.entries.filter(({ key }) => key === undefined).length;
  return [
    ...(trusted === undefined
      ? [
          unsigned > 0
            ? 'who wrote the record: whoever can write the folder could build all of it anew (train --key signs it)'
            : 'whose key signed the record: anybody makes keys (--trust KEY.pub says which one you trust)',
        ]
      : []),
    ...(head === undefined
      ? ['that nothing was cut off at its end: keep its head elsewhere and give it with --head']
      : []),
    'when it was done: times are those of the clock of that machine',
  ];
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)} …` : text;
};

/** Where two values of JSON differ: `lr` 0.001 and 0.002. */
function differing(before: unknown, now: unknown, path = ''): string[] {
  if (isDeepStrictEqual(before, now)) return [];
  const areObjects = [before, now].every((each) => typeof each === 'object' && each !== null);
  if (!areObjects || Array.isArray(before) !== Array.isArray(now))
    return [`${path === '' ? 'it' : path} was ${shown(before)}, is ${shown(now)}`];
  const [old, current] = [before, now] as Record<string, unknown>[];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(current)])];
  return keys.flatMap((key) => differing(old[key], current[key], path === '' ? key : `${path}.${key}`));
}

interface TrainingFacts {
  readonly options?: unknown;
  readonly models?: Readonly<Record<string, ModelDigest>>;
}

const factsOf = (entry: RecordEntry): TrainingFacts => entry.facts;

/** The last entry that says so much of a thing. */
function latest<Fact>(
  entries: readonly RecordEntry[],
  get: (facts: TrainingFacts) => Fact | undefined,
): Fact | undefined {
  for (const entry of entries.toReversed()) {
    const fact = get(factsOf(entry));
    if (fact !== undefined) return fact;
  }
  return undefined;
}

/** How a model file differs from what the record says: which weights, which words. */
async function modelDifferences(run: string, name: string, entries: readonly RecordEntry[]): Promise<string[]> {
  const before = latest(entries, ({ models }) => models?.[name]);
  if (!before) return ['it was changed'];
  try {
    const now = await modelDigest(join(run, name));
    const tensors = [...new Set([...Object.keys(before.tensors), ...Object.keys(now.tensors)])];
    const others = tensors.filter((tensor) => before.tensors[tensor] !== now.tensors[tensor]);
    const found = [
      ...others.map((tensor) => `the weights '${tensor}' are others`),
      ...differing(before.says, now.says),
    ];
    return found.length > 0 ? found : ['it was written anew, with the same content'];
  } catch (error) {
    if (error instanceof BeltnetError) return [`it cannot be read: ${error.message}`];
    throw error;
  }
}

async function configDifferences(run: string, entries: readonly RecordEntry[]): Promise<string[]> {
  const options = latest(entries, (facts) => facts.options);
  try {
    const found = differing(options, (await readConfig(run))?.['options']).map((each) => `option ${each}`);
    return found.length > 0 ? found : ['it was changed, though not in its options'];
  } catch (error) {
    if (error instanceof BeltnetError) return [`it cannot be read: ${error.message}`];
    throw error;
  }
}

/** The run's files against the hashes of the last entry. */
export async function verifyFiles(run: string, record: CheckedRecord): Promise<Checked> {
  expectPath(run, 'verifyFiles: run');
  expectRecord(record, 'verifyFiles: record');
  const { entries } = record;
  const [before, now] = [entries.at(-1)?.files ?? {}, await vouchedFiles(filesIn(run), nativeChain)];
  const differences: string[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (before[name] === now[name]) continue;
    const found =
      now[name] === undefined
        ? ['it is missing']
        : before[name] === undefined
          ? ['it came after the last entry']
          : name.endsWith('.safetensors')
            ? await modelDifferences(run, name, entries)
            : name === 'config.json'
              ? await configDifferences(run, entries)
              : ['it was changed after the last entry'];
    differences.push(...found.map((each) => `${name}: ${each}`));
  }
  return { what: 'files', seen: `${Object.keys(before).length}, as the last entry says`, differences };
}

interface ManifestLine {
  readonly set: string;
  readonly file: string;
  readonly label: string;
  readonly sha256: string;
}

/** A text with paths, and what those begin with. */
export interface Rooted {
  readonly text: string;
  readonly root: string;
}

/** What comes before the part of a picture's path that does not depend on where its folder is. */
const prefixOf = (root: string): string => `${withSlashes(root).replace(/\/+$/, '')}/`;

const expectRooted = objectWith({ text: expectText, root: expectText });
const expectLine = objectWith({ set: expectText, file: expectText, label: expectText, sha256: expectText });

function manifestLines({ text, root }: Rooted): Map<string, ManifestLine> {
  const prefix = prefixOf(root);
  const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [parsed(line)]));
  return new Map(
    lines.map((line) => {
      const file = withSlashes(line.file);
      const relative = file.startsWith(prefix) ? file.slice(prefix.length) : file;
      return [relative, { ...line, file: relative }];
    }),
  );
}

/** @throws DataError */
function parsed(line: string): ManifestLine {
  try {
    const value: unknown = JSON.parse(line);
    expectLine(value, 'a picture');
    return value as ManifestLine;
  } catch {
    throw new DataError(`pictures.jsonl: expected lines of set, file, label and sha256, got ${line.slice(0, 60)}`);
  }
}

/**
 * The pictures as they are now against the run's pictures.jsonl, whatever folder they are in.
 * @param before, now manifests, and what the paths in them begin with
 */
export function verifyPictures(before: Rooted, now: Rooted): Checked {
  expectRooted(before, 'verifyPictures: before');
  expectRooted(now, 'verifyPictures: now');
  const [old, current] = [before, now].map(manifestLines);
  const differences: string[] = [];
  const newByContent = new Map<string, ManifestLine>();
  for (const [file, line] of current) if (!old.has(file)) newByContent.set(line.sha256, line);
  for (const [file, { sha256, label, set }] of old) {
    const line = current.get(file);
    if (!line) {
      const moved = newByContent.get(sha256);
      newByContent.delete(sha256);
      differences.push(
        moved
          ? `${file}: is ${moved.file} now${moved.label === label ? '' : `: its label was '${label}', is '${moved.label}'`}`
          : `${file}: is missing`,
      );
      continue;
    }
    if (line.sha256 !== sha256) differences.push(`${file}: its content was changed`);
    if (line.label !== label) differences.push(`${file}: its label was '${label}', is '${line.label}'`);
    if (line.set !== set) differences.push(`${file}: was for ${set}, is for ${line.set}`);
  }
  for (const { file } of newByContent.values()) differences.push(`${file}: is new`);
  if (differences.length === 0 && [...old.keys()].join('\n') !== [...current.keys()].join('\n'))
    differences.push('they come in another order');
  return { what: 'pictures', seen: `${old.size}, with the content and the labels of the training`, differences };
}

/** Differences of so much are another device's or engine's. */
const ROUNDING = 1e-4;

const isClose = (before: string, now: string): boolean =>
  before === now || (before !== '' && now !== '' && Math.abs(Number(before) - Number(now)) <= ROUNDING);

/**
 * What the model says now against predictions.csv.
 * @param exact whether it must be so to the last bit
 */
export function verifyPredictions(before: Rooted, now: Rooted, exact: boolean): Checked {
  expectRooted(before, 'verifyPredictions: before');
  expectRooted(now, 'verifyPredictions: now');
  const [old, current] = [before, now].map(({ text, root }) => {
    const prefix = prefixOf(root);
    const start = new RegExp(`^("?)${prefix.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`);
    return text.split('\n').flatMap((line) => (line === '' ? [] : [line.replace(start, '$1')]));
  });
  const seen = `those of ${old.length - 1} pictures, computed again${exact ? ', to the last bit' : `, within ${ROUNDING}`}`;
  if (old.length !== current.length)
    return { what: 'predictions', seen, differences: [`there are ${current.length - 1}, and were ${old.length - 1}`] };
  const differences = old.flatMap((line, n) => {
    const other = current[n];
    if (line === other) return [];
    const [cells, others] = [line.split(','), other.split(',')];
    const areClose = cells.length === others.length && cells.every((cell, column) => isClose(cell, others[column]));
    return !exact && areClose
      ? []
      : [`${cells[0]}: was ${line.slice(cells[0].length + 1)}, is ${other.slice(others[0].length + 1)}`];
  });
  return { what: 'predictions', seen, differences };
}

/** Numbers that are as close as two devices are; all else must be equal. */
function areSame(before: unknown, now: unknown): boolean {
  if (typeof before === 'number' && typeof now === 'number')
    return before === now || Math.abs(before - now) <= ROUNDING * Math.max(1, Math.abs(before));
  if (typeof before !== 'object' || typeof now !== 'object' || before === null || now === null) return before === now;
  const [old, current] = [before, now] as Record<string, unknown>[];
  return (
    isDeepStrictEqual(Object.keys(old).toSorted(), Object.keys(current).toSorted()) &&
    Object.keys(old).every((key) => areSame(old[key], current[key]))
  );
}

/** As it comes out of a file: numbers that are none are null. @throws UsageError for what is no object of JSON */
function asJson(value: object, what: string): Record<string, unknown> {
  expectObject(value, what);
  try {
    return Object(JSON.parse(JSON.stringify(value))) as Record<string, unknown>;
  } catch {
    throw new UsageError(`${what} expects what JSON can hold, got something else in it`);
  }
}

/** The card's figures against those that were computed again. */
export function verifyFigures(before: object, now: object, exact: boolean): Checked {
  const [old, plain] = [asJson(before, 'verifyFigures: before'), asJson(now, 'verifyFigures: now')];
  const keys = exact ? [] : Object.keys(old).filter((key) => areSame(old[key], plain[key]));
  const without = (all: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => !keys.includes(key)));
  return {
    what: 'figures',
    seen: 'those of the card, computed again',
    differences: differing(without(old), without(plain)),
  };
}

const expectDigests: Check = (value, what) => {
  expectObject(value, what);
  listOf(objectWith({ weights: expectText, tensors: expectObject }))(Object.values(value), what);
};

/** Weights that came out of training again, by the names of the model files. */
export function verifyRetrained(
  before: Readonly<Record<string, ModelDigest>>,
  now: Readonly<Record<string, ModelDigest>>,
): Checked {
  expectDigests(before, 'verifyRetrained: before');
  expectDigests(now, 'verifyRetrained: now');
  const differences = Object.entries(before).flatMap(([name, { weights, tensors }]) => {
    const again = now[name];
    if (!again) return [`${name}: there is none now`];
    if (again.weights === weights) return [];
    const others = Object.keys(tensors).filter((tensor) => again.tensors[tensor] !== tensors[tensor]);
    return [`${name}: expected weights of hash ${weights}, got ${again.weights}; others are ${others.join(', ')}`];
  });
  const hashes = Object.values(before).map(({ weights }) => weights);
  return { what: 'training', seen: `done again, with the same weights (${hashes[0]})`, differences };
}

/** What the training left, by the record: of the last entry that trained. */
export function trainedModels(record: CheckedRecord): Readonly<Record<string, ModelDigest>> | undefined {
  expectRecord(record, 'trainedModels: record');
  const trainings = record.entries.filter(({ event }) => event === 'train' || event === 'fine-tune');
  return latest(trainings, ({ models }) => models);
}

/** After how many epochs the training of a run came into its record; null where it did not. */
export async function provenEpochs(run: string): Promise<number | null> {
  const record = await readRecord(run);
  const trained = record?.entries.findLast(({ event }) => event === 'train' || event === 'fine-tune');
  return (trained?.facts as { epochs?: number | null })?.epochs ?? null;
}

/** Whether a path is that of a run with a record. */
export function hasRecord(run: string): boolean {
  expectPath(run, 'hasRecord: run');
  return existsSync(join(run, RECORD));
}

/** A model file by itself, beside the record of its run: whether it is one that the last entry vouches for. */
export async function verifyModelFile(run: string, file: string, record: CheckedRecord): Promise<Checked> {
  expectPath(run, 'verifyModelFile: run');
  expectPath(file, 'verifyModelFile: file');
  expectRecord(record, 'verifyModelFile: record');
  const { entries } = record;
  const name = basename(file);
  const [before, now] = [entries.at(-1)?.files[name], (await vouchedFiles(filesIn(run), nativeChain))[name]];
  const differences =
    before === undefined
      ? [`${name}: the record does not know it`]
      : before === now
        ? []
        : (await modelDifferences(run, name, entries)).map((each) => `${name}: ${each}`);
  return { what: 'model', seen: `${name} is as the last entry says`, differences };
}

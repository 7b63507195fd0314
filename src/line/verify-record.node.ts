/** Whether the record of a line is whole: its chain across all days, and the pictures that it vouches for, as far as they are kept. */
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ChainCheck, NO_HASH, type Link, type RecordHead } from '../classifier/proof/chain.js';
import { nativeChain, sha256 } from '../classifier/proof/chain.node.js';
import { DataError } from '../errors.js';
import { expectArray, expectCount, expectPath, expectText, listOf, objectWith } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import type { LineEvent } from './events.js';
import { daysOfRecord, PICTURES, type LineEntry } from './record.node.js';

const LONGEST_LINE = 2 ** 20;
/** Further ones say nothing new. */
const MOST_PROBLEMS = 1000;

export interface VerifiedRecord {
  readonly days: number;
  readonly head: RecordHead;
  /** By kind: verdict, fault, alarm, … */
  readonly counts: Readonly<Record<string, number>>;
  readonly from: string | null;
  readonly to: string | null;
  readonly problems: readonly string[];
  /** A last line without its end, as after a power cut: the next start takes it away and says so. */
  readonly torn: string | null;
  /** Pictures that are there and are what the record says; those that made room for newer ones are no problem. */
  readonly pictures: { readonly whole: number; readonly gone: number };
}

/**
 * @param heads that were kept elsewhere (a heartbeat's): the record must hold them, or its end was cut or written anew
 * @throws DataError for a folder that holds no record
 */
export async function verifyLineRecord(folder: string, heads: readonly RecordHead[] = []): Promise<VerifiedRecord> {
  expectPath(folder, 'verifyLineRecord: folder');
  expectArray(heads, 'verifyLineRecord: heads');
  listOf(objectWith({ count: expectCount, hash: expectText }))(heads, 'verifyLineRecord: heads');
  const days = daysOfRecord(folder);
  const chain = new ChainCheck(nativeChain);
  const counts: Record<string, number> = {};
  const known = new Map(heads.map(({ count, hash }) => [count, hash]));
  const isHeld = new Set<number>();
  const pictures = new Map<string, string>();
  const problems: string[] = [];
  let [from, to, torn]: (string | null)[] = [null, null, null];
  for (const [index, day] of days.entries()) {
    torn = await eachLine(join(folder, day), (line) => {
      const entry = chain.take(line, isLineEntry, ({ kind, at }) => `${kind} of ${at}`);
      if (!entry) return;
      counts[entry.kind] = (counts[entry.kind] ?? 0) + 1;
      from ??= entry.at;
      to = entry.at;
      if (entry.picture) pictures.set(entry.picture.file, entry.picture.sha256);
      if (known.get(entry.number) === entry.hash) isHeld.add(entry.number);
    });
    if (torn !== null && index < days.length - 1)
      problems.push(`${day}: its last line has no end, and other days follow`);
  }
  for (const { count, hash } of heads)
    if (!isHeld.has(count) && !(count === 0 && hash === NO_HASH))
      problems.push(
        `entry ${count} of hash ${hash} is expected, as it was kept elsewhere, and is not there: the end was cut, or written anew`,
      );
  const checked = await checkPictures(folder, pictures);
  return {
    days: days.length,
    head: chain.head,
    counts,
    from,
    to,
    problems: [...chain.problems, ...problems, ...checked.problems].slice(0, MOST_PROBLEMS),
    torn,
    pictures: { whole: checked.whole, gone: checked.gone },
  };
}

const isLineEntry = (value: Link): value is Link & LineEntry => {
  const { kind, at } = value as unknown as Partial<LineEvent>;
  return typeof kind === 'string' && typeof at === 'string';
};

/** @returns what stands behind the last line's end, if anything */
async function eachLine(path: string, take: (line: string) => void): Promise<string | null> {
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
    if (rest.length > LONGEST_LINE)
      throw new DataError(`${path}: expects lines of at most ${LONGEST_LINE} characters, got a longer one`);
  }
  return rest === '' ? null : rest;
}

async function checkPictures(
  folder: string,
  expected: ReadonlyMap<string, string>,
): Promise<{ whole: number; gone: number; problems: string[] }> {
  const problems: string[] = [];
  const place = join(folder, PICTURES);
  const there = new Set(existsSync(place) ? readdirSync(place) : []);
  let [whole, gone] = [0, 0];
  const picture = { what: 'a picture', mostBytes: 2 ** 30, refuse: (message: string) => new DataError(message) };
  for (const [file, hash] of expected) {
    const name = file.slice(PICTURES.length + 1);
    if (!there.has(name)) gone++;
    else if (sha256(await readWholeFile(join(place, name), picture)) === hash) whole++;
    else problems.push(`${file}: is another picture than the record says`);
  }
  const unknown = [...there].filter((name) => !name.startsWith('.') && !expected.has(`${PICTURES}/${name}`));
  for (const name of unknown) problems.push(`${PICTURES}/${name}: the record knows nothing of it`);
  return { whole, gone, problems };
}

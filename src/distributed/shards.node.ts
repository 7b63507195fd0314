/**
 * Shards on disk. A shard is one file of JSON lines: what it is, what came of each of its items, and last the digests of its inputs and of
 * its lines. It has its name only when it is complete, so that one that is there is done, whatever became of its process.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DataError, UsageError } from '../errors.js';
import { expectArray, expectFunction, expectObject, expectPath, objectWith } from '../expect.js';
import { makeFolders, NewFile } from '../files.node.js';
import { differenceOf, expectShard, inWords, joined, type Shard, type ShardHead } from './shards.js';

/** A shard's last line. */
interface ShardEnd {
  readonly lines: number;
  /** SHA-256 of the contents of its items. */
  readonly inputs: string;
  /** SHA-256 of all lines before this one. */
  readonly sha256: string;
}

const NAME = /^shard-(\d+)-of-(\d+)\.jsonl$/;

/** `shard-3-of-8.jsonl` */
export function shardName(shard: Shard): string {
  expectShard(shard, 'shardName');
  return `shard-${shard.index}-of-${shard.of}.jsonl`;
}

/** A complete shard, as it was read. */
export interface ShardFile {
  /** Its path. */
  readonly name: string;
  readonly head: ShardHead;
  /** SHA-256 of the contents of its items. */
  readonly inputs: string;
}

export interface ShardWork {
  /** SHA-256 of the contents of the shard's items as they are now: asked where the shard is there already. */
  readonly inputs: () => Promise<string>;
  /** Does the work, and hands over a line for each item in their order. @returns SHA-256 of the contents it has seen */
  readonly run: (add: (line: object) => void) => Promise<string>;
}

/**
 * Makes a shard's file, unless it is there already, of the same work on the same inputs.
 *
 * @returns whether it was made now
 * @throws UsageError where the folder has shards of other work; DataError for inputs that have changed, or a shard that is damaged; DiskError
 */
export async function makeShard(directory: string, head: ShardHead, work: ShardWork): Promise<boolean> {
  expectPath(directory, 'makeShard: directory');
  expectObject(head, 'makeShard: head');
  expectShard(head.shard, 'makeShard');
  expectObject(work, 'makeShard: work');
  expectFunction(work.inputs, 'makeShard: work, inputs');
  expectFunction(work.run, 'makeShard: work, run');
  const path = join(directory, shardName(head.shard));
  makeFolders(directory);
  const other = readdirSync(directory).find((name) => Number(NAME.exec(name)?.[2] ?? head.shard.of) !== head.shard.of);
  if (other !== undefined)
    throw new UsageError(`${directory}: expects shards of ${head.shard.of}, got ${other}; take another folder`);
  if (existsSync(path)) {
    await checkDone(path, head, work);
    return false;
  }
  const file = new NewFile(path);
  const hash = createHash('sha256');
  let lines = -1; // the head is none
  const add = (line: object): void => {
    const text = `${JSON.stringify(line)}\n`;
    hash.update(text);
    file.write(text);
    lines++;
  };
  try {
    add(head);
    const inputs = await work.run(add);
    const end: ShardEnd = { lines, inputs, sha256: hash.digest('hex') };
    file.write(`${JSON.stringify({ end })}\n`);
    await file.finish();
  } catch (error) {
    file.abandon();
    if (existsSync(path)) return false; // another process was quicker, and took away what was not complete
    throw error;
  }
  // Whatever others have begun of this shard, dead or alive, is done now.
  for (const name of readdirSync(directory))
    if (name.startsWith(`.${basename(path)}.`) && name.endsWith('.tmp')) rmSync(join(directory, name), { force: true });
  return true;
}

async function checkDone(path: string, head: ShardHead, work: ShardWork): Promise<void> {
  const done = await openShard(path);
  const { share, items, command } = head;
  const difference = differenceOf(
    { command: done.head.command, items: done.head.items, share: done.head.share, ...done.head.work },
    { command, items, share, ...head.work },
  );
  if (difference !== null)
    throw new UsageError(
      `${path}: expects the shard of this work, got another: ${difference}; take another folder, or delete it`,
    );
  if (done.inputs !== (await work.inputs()))
    throw new DataError(
      `${path}: expects the files that it was made of, but some have changed since; take another folder, or delete it`,
    );
}

/** The lines of a file, one by one; the last may have no end. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    const { syscall, code } = error as NodeJS.ErrnoException;
    if (!syscall) throw error;
    throw new DataError(`${path}: the shard cannot be read (${code}); check the path and its permissions`, {
      cause: error,
    });
  }
  if (rest !== '') yield rest;
}

/** Reads all of a shard's file and checks it. @throws DataError for one that is none, is damaged, or not complete */
export async function openShard(path: string): Promise<ShardFile> {
  expectPath(path, 'openShard: path');
  const refuse = (got: string): DataError =>
    new DataError(`${path}: expects a shard that beltnet has written, got ${got}; delete it and start the shard again`);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw refuse('no file');
  const hash = createHash('sha256');
  let head: ShardHead | null = null;
  let [before, count]: [string | null, number] = [null, -2];
  for await (const line of linesOf(path)) {
    if (before !== null) hash.update(`${before}\n`);
    head ??= headOf(line);
    if (head === null) throw refuse('something else');
    before = line;
    count++;
  }
  const { end } = (parsed(before ?? '') ?? {}) as { end?: Partial<ShardEnd> };
  if (head === null || end?.sha256 === undefined || typeof end.inputs !== 'string') throw refuse('one that is cut off');
  if (end.lines !== count || end.sha256 !== hash.digest('hex')) throw refuse('one that was changed, or damaged');
  return { name: path, head, inputs: end.inputs };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function headOf(line: string): ShardHead | null {
  const head = parsed(line) as Partial<ShardHead> | null;
  if (
    head?.beltnetShard !== 1 ||
    typeof head.command !== 'string' ||
    typeof head.work !== 'object' ||
    typeof head.by !== 'object'
  )
    return null;
  const { shard, share, items } = head;
  const numbers = [shard?.index, shard?.of, share?.first, share?.end, items];
  return numbers.every((value) => Number.isSafeInteger(value)) ? (head as ShardHead) : null;
}

/**
 * What came of each item of a shard that was opened, in their order.
 * @throws DataError where the file has changed since
 */
export async function* readShard(shard: Pick<ShardFile, 'name'>): AsyncGenerator<object> {
  objectWith({ name: expectPath })(shard, 'readShard: shard');
  let isHead = true;
  let before: string | null = null;
  for await (const line of linesOf(shard.name)) {
    if (before !== null && !isHead) {
      const item = parsed(before);
      if (typeof item !== 'object' || item === null)
        throw new DataError(`${shard.name}: expects the shard that was opened, got another; start again`);
      yield item;
    }
    if (before !== null) isHead = false;
    before = line;
  }
}

/**
 * Shards in their order, each of which is whole.
 *
 * @param paths folders with shards, or their files
 * @throws DataError for holes, doubles, damaged ones, and shards of different work
 */
export async function openShards(paths: readonly string[]): Promise<ShardFile[]> {
  expectArray(paths, 'openShards: paths');
  const shards: ShardFile[] = [];
  for (const path of paths) {
    expectPath(path, 'openShards: a path');
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      shards.push(await openShard(path));
      continue;
    }
    const names = readdirSync(path).filter((name) => NAME.test(name));
    if (names.length === 0)
      throw new DataError(`${path}: expects a folder with shards (shard-0-of-8.jsonl …), found none`);
    for (const name of names.toSorted()) shards.push(await openShard(join(path, name)));
  }
  for (const { name, head } of shards)
    if (NAME.test(basename(name)) && basename(name) !== shardName(head.shard))
      throw new DataError(
        `${name}: expects shard ${inWords(head.shard)} under its own name; rename it to ${shardName(head.shard)}`,
      );
  return joined(shards);
}

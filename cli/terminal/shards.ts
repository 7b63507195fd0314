/** What commands that can do a share of their work have in common: `--shard I/N --out FOLDER`, and what `beltnet merge` reads of it. */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { BeltnetError, UsageError } from '../../src/errors.js';
import {
  inputsHash,
  makeShard,
  parseShard,
  readPictures,
  readShard,
  readWholeFile,
  shardName,
  shareOf,
  weightsOf,
  type FileList,
  type PictureItem,
  type Shard,
  type ShardFile,
  type ShardHead,
} from '../../src/index.node.js';
import { version } from '../version.js';
import { flag } from './command.js';
import type { DeviceFacts } from './device.js';
import { folder } from './options.js';
import { count, Output, showProgress } from './output.js';

export const shardFlag = (what: string) =>
  flag<Shard | undefined>(
    '<i/n>',
    `${what}, the i-th of n from 0: 0/8; or auto, in a Slurm array; or auto/8, in a Kubernetes Indexed Job`,
    () => (text) => parseShard(text, process.env),
  );

export const shardFlags = {
  shard: shardFlag('only do this share'),
  out: flag(
    '<dir>',
    'of --shard: the folder for shards, for "beltnet merge"; one that is there already is skipped',
    folder,
  ),
};

interface ShardOptions {
  readonly shard: Shard | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

/**
 * The shard and its folder; null where all of the work is to be done here.
 * @param others options that are for `merge`, or for the whole, by their flags
 * @throws UsageError for one of the two options without the other, or for those
 */
export function shardOf(
  { shard, out }: ShardOptions,
  others: Readonly<Record<string, unknown>> = {},
): { shard: Shard; out: string } | null {
  if (shard === undefined && out === undefined) return null;
  if (shard === undefined) throw new UsageError('--out: is for --shard, which was not given');
  if (out === undefined) throw new UsageError('--shard: expects a folder for the shards in --out');
  const [superfluous] = Object.entries(others).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (superfluous !== undefined)
    throw new UsageError(`--shard: expects no ${superfluous} beside it, which is for the whole; leave it out`);
  return { shard, out };
}

/** What of a model, and of the run that it lies in, decides what is said of pictures. @param file of the model */
export async function workOfModel(file: string): Promise<ShardHead['work']> {
  const hash = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
  const pictures = await readPictures(dirname(file));
  const kind = { what: 'a model file', mostBytes: 2 ** 31, refuse: (message: string) => new UsageError(message) };
  return {
    model: hash(await readWholeFile(file, kind)),
    'pictures of its run': pictures === null ? null : hash(pictures),
  };
}

/** The device, as far as it decides results. */
export const deviceOfWork = ({ kind, name, adapter }: DeviceFacts): object => ({
  kind,
  name: name.replace(/, \d+ threads?/, ''), // any number of them gives the same bits
  adapter,
});

/** Of what files are labelled as, and what must stay together: names alone do not tell. */
export function labelsHash(lists: readonly Pick<FileList, 'files'>[]): string {
  const hash = createHash('sha256');
  for (const { files } of lists)
    for (const { label, group } of files) hash.update(`${JSON.stringify([label, group])}\n`);
  return hash.digest('hex');
}

export interface ItemWork {
  readonly command: string;
  /** What decides the result beside the items. */
  readonly work: ShardHead['work'];
  /** What differs from process to process, and is worth telling. */
  readonly by?: ShardHead['by'];
  /** Items that stay together. */
  readonly step: number;
  /** @param first the place of the first of them among all */
  readonly run: (
    items: readonly PictureItem[],
    add: (line: object) => void,
    onInput: (digest: Uint8Array) => void,
    first: number,
  ) => Promise<void>;
}

/** Does a shard's share of the items, unless it is done, and says so. @returns the exit code */
export async function runShard(
  { shard, out }: { shard: Shard; out: string },
  options: { readonly json: boolean },
  items: readonly PictureItem[],
  { command, work, by = {}, step, run }: ItemWork,
): Promise<number> {
  const weights = await weightsOf(items);
  const share = shareOf(weights, shard, step);
  const own = items.slice(share.first, share.end);
  const list = createHash('sha256');
  for (const [n, { name }] of items.entries()) list.update(`${JSON.stringify([name, weights[n]])}\n`);
  const head: ShardHead = {
    ...{ beltnetShard: 1, command, shard, share, items: items.length },
    work: { 'version of beltnet': version(), 'list of files': list.digest('hex'), ...work },
    by,
  };
  let done = 0;
  const made = await makeShard(out, head, {
    inputs: () => inputsHash(own),
    async run(add) {
      const inputs = createHash('sha256');
      const addAndShow = (line: object): void => {
        add(line);
        done++;
        showProgress(() => `Shard ${shard.index}/${shard.of}: ${done}/${own.length}`);
      };
      if (own.length > 0) await run(own, addAndShow, (digest) => inputs.update(digest), share.first);
      return inputs.digest('hex');
    },
  });
  const place = join(out, shardName(shard));
  const output = new Output(options);
  output.emit({ event: 'shard', shard: place, ...shard, items: own.length, of: items.length, made });
  output.say(
    `Shard ${shard.index} of ${shard.of}, ${own.length} of ${count(items.length, 'item')}: ` +
      (made ? place : `${place} is there already, of the same files`),
  );
  return 0;
}

/** What became of all items, in their order. */
export async function* linesOf<Line>(shards: readonly ShardFile[]): AsyncGenerator<Line> {
  for (const shard of shards) for await (const line of readShard(shard)) yield line as Line;
}

/** An error as a shard keeps it. */
export interface KeptError {
  readonly error: string;
  readonly exitCode: number;
}

export const keptError = ({ message, exitCode }: BeltnetError): KeptError => ({ error: message, exitCode });

/** … and as it was. */
export class ErrorOfShard extends BeltnetError {
  readonly exitCode: number;

  constructor({ error, exitCode }: KeptError) {
    super(error);
    this.exitCode = exitCode;
  }
}

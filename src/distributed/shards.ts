/**
 * Work that is divided among processes which know nothing of each other: which share is meant, what belongs to it, and whether the parts
 * make a whole. A share is a run of items in the order in which one process would take them, so that the parts, one behind the other, are
 * what one process gives; and it begins with a batch of that process', so that the device sees the very same batches.
 */
import { DataError, UsageError } from '../errors.js';
import {
  type Check,
  expectCount,
  expectList,
  expectNumber,
  expectObject,
  expectText,
  expectWhole,
  listOf,
  objectWith,
} from '../expect.js';

/** One of `of` shares, counted from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export const MOST_SHARDS = 100_000;

const EXPECTED = "--shard expects I/N with I from 0 to N - 1, such as 0/8, or 'auto', or 'auto/N'";

/**
 * @param text `3/8`; `auto`: the task of a Slurm array; `auto/8`: that, or the pod of a Kubernetes Indexed Job, which is not told of how many
 * @param environment of the process
 * @throws UsageError for anything else, and where the environment does not tell, or tells a part of an array
 */
export function parseShard(text: string, environment: Readonly<Record<string, string | undefined>>): Shard {
  expectText(text, 'parseShard: text');
  expectObject(environment, 'parseShard: environment');
  const [, first, count] = /^(\d+|auto)(?:\/(\d+))?$/.exec(text) ?? [];
  if (first === undefined || (first !== 'auto' && count === undefined))
    throw new UsageError(`${EXPECTED}, got '${text}'`);
  if (first !== 'auto') return checked(Number(first), Number(count), `'${text}'`);
  return shardOfJob(count === undefined ? undefined : Number(count), environment);
}

function shardOfJob(count: number | undefined, environment: Readonly<Record<string, string | undefined>>): Shard {
  const { SLURM_ARRAY_TASK_ID: task, JOB_COMPLETION_INDEX: pod } = environment;
  if (task !== undefined && pod !== undefined)
    throw new UsageError(
      '--shard auto expects one scheduler, got SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX; write I/N in its place',
    );
  if (task !== undefined) return shardOfSlurm(count, environment);
  if (pod === undefined)
    throw new UsageError(
      '--shard auto expects a task of a Slurm array or a pod of a Kubernetes Indexed Job, got neither SLURM_ARRAY_TASK_ID nor ' +
        'JOB_COMPLETION_INDEX; write I/N in its place',
    );
  if (count === undefined)
    throw new UsageError(
      '--shard auto expects the number of pods, which Kubernetes does not tell; write --shard auto/N with N as in completions:',
    );
  return checked(whole(pod, 'JOB_COMPLETION_INDEX'), count, `JOB_COMPLETION_INDEX ${pod} of ${count}`);
}

function shardOfSlurm(given: number | undefined, environment: Readonly<Record<string, string | undefined>>): Shard {
  const read = (name: string): number => whole(environment[`SLURM_ARRAY_TASK_${name}`], `SLURM_ARRAY_TASK_${name}`);
  const [task, least, count] = [read('ID'), read('MIN'), read('COUNT')];
  const step = environment['SLURM_ARRAY_TASK_STEP'] === undefined ? 1 : read('STEP');
  const most = environment['SLURM_ARRAY_TASK_MAX'] === undefined ? least + count - 1 : read('MAX');
  if (step !== 1 || most - least + 1 !== count)
    throw new UsageError(
      `--shard auto expects a whole Slurm array such as --array=0-7, got ${count} tasks from ${least} to ${most}` +
        `${step === 1 ? '' : `, step ${step}`}; start all of it again: what is done is skipped`,
    );
  if (given !== undefined && given !== count)
    throw new UsageError(`--shard auto/${given} expects a Slurm array of ${given} tasks, got one of ${count}`);
  return checked(task - least, count, `task ${task} of ${least} to ${most}`);
}

function whole(text: string | undefined, name: string): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `--shard auto expects a whole number in ${name}, got ${text === undefined ? 'none' : `'${text}'`}`,
  );
}

function checked(index: number, of: number, got: string): Shard {
  if (of >= 1 && of <= MOST_SHARDS && index < of) return { index, of };
  throw new UsageError(`${EXPECTED}, N up to ${MOST_SHARDS}, got ${got}`);
}

/** Items from `first` to before `end`. */
export interface Share {
  readonly first: number;
  readonly end: number;
}

/**
 * The share of a shard. Shares follow one another without gaps, begin at multiples of `step`, and differ from the mean weight by at most the
 * heaviest `step` items.
 *
 * @param weights of the items: bytes, say, [items]
 * @param step items that stay together: a batch
 */
export function shareOf(weights: ArrayLike<number>, shard: Shard, step = 1): Share {
  expectList(weights, 'shareOf: weights');
  listOf(expectNumber)(weights, 'shareOf: weights');
  expectShard(shard, 'shareOf');
  expectWhole(step, 'shareOf: step', 1, 2 ** 31);
  let total = 0;
  for (let n = 0; n < weights.length; n++) total += weights[n];
  const { index, of } = shard;
  const at = (n: number): number => (n === of ? weights.length : cut(weights, (total / of) * n, step));
  return { first: at(index), end: at(index + 1) };
}

/** The multiple of `step` items before which the weight is nearest to `wanted`; of two the lower one. */
function cut(weights: ArrayLike<number>, wanted: number, step: number): number {
  let before = 0;
  for (let at = 0; at < weights.length; at += step) {
    const end = Math.min(at + step, weights.length);
    let after = before;
    for (let n = at; n < end; n++) after += weights[n];
    if (after >= wanted) return after - wanted < wanted - before ? end : at;
    before = after;
  }
  return weights.length;
}

export function expectShard(shard: Shard, what: string): void {
  expectObject(shard, `${what}: shard`);
  expectWhole(shard.of, `${what}: shard, of`, 1, MOST_SHARDS);
  expectWhole(shard.index, `${what}: shard, index`, 0, shard.of - 1);
}

/** What a shard's file says of itself. */
export interface ShardHead {
  /** Of the format. */
  readonly beltnetShard: 1;
  /** What was done: `predict` and so on. */
  readonly command: string;
  readonly shard: Shard;
  readonly share: Share;
  /** Of all shards. */
  readonly items: number;
  /** All that decides the result, by names for messages; the same in all shards. */
  readonly work: Readonly<Record<string, unknown>>;
  /** Who made it; may differ from shard to shard. */
  readonly by: Readonly<Record<string, unknown>>;
}

const expectHead: Check = (value, what) => {
  objectWith({ command: expectText, share: expectObject, work: expectObject, items: expectCount })(value, what);
  expectShard((value as ShardHead).shard, what);
};

/** "3/8" */
export const inWords = ({ index, of }: Shard): string => `${index}/${of}`;

/** In what two descriptions of work differ, in words; null where they do not. */
export function differenceOf(expected: ShardHead['work'], got: ShardHead['work']): string | null {
  for (const name of Object.keys({ ...expected, ...got })) {
    const [one, other] = [expected[name], got[name]].map((value) => JSON.stringify(value) ?? 'none');
    if (one !== other) return `${name} ${shortened(one)} and ${shortened(other)}`;
  }
  return null;
}

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);

/**
 * Puts shards in their order.
 * @param shards by the names of their files
 * @throws DataError for holes, doubles, and shards of different work
 */
export function joined<Each extends { readonly name: string; readonly head: ShardHead }>(
  shards: readonly Each[],
): Each[] {
  expectList(shards, 'joined: shards');
  listOf(objectWith({ name: expectText, head: expectHead }))(shards, 'joined: shards');
  if (shards.length === 0) throw new DataError('merge expects shards, got none');
  const [first] = shards;
  for (const { name, head } of shards) {
    const fields = (one: ShardHead): ShardHead['work'] => ({
      command: one.command,
      'number of shards': one.shard.of,
      'number of items': one.items,
      ...one.work,
    });
    const difference = differenceOf(fields(first.head), fields(head));
    if (difference !== null)
      throw new DataError(
        `${name}: expects shards of one piece of work, but it and ${first.name} differ: ${difference}; merge them apart`,
      );
  }
  const { of } = first.head.shard;
  const byIndex = new Map<number, Each>();
  for (const one of shards) {
    const double = byIndex.get(one.head.shard.index);
    if (double)
      throw new DataError(
        `${one.name}: expects each shard once, got ${inWords(one.head.shard)} in ${double.name}, too; leave one of them out`,
      );
    byIndex.set(one.head.shard.index, one);
  }
  const missing = Array.from({ length: of }, (_, index) => index).filter((index) => !byIndex.has(index));
  if (missing.length > 0) {
    const some = missing.slice(0, 10).join(', ') + (missing.length > 10 ? ', …' : '');
    throw new DataError(
      `merge expects all of ${of} shards, got ${byIndex.size}; missing: ${some}; start ${missing.length === 1 ? 'it' : 'them'} again`,
    );
  }
  const inOrder = [...byIndex.keys()].toSorted((a, b) => a - b).map((index) => byIndex.get(index) as Each);
  let next = 0;
  for (const { name, head } of inOrder) {
    const { share, items, shard } = head;
    if (share.first !== next || (shard.index === of - 1 && share.end !== items))
      throw new DataError(
        `${name}: expects the items from ${next} on, got ${share.first} to ${share.end} of ${items}; make the shards anew`,
      );
    next = share.end;
  }
  return inOrder;
}

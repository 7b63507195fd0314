/** Shares of work: what belongs to which, which one an environment means, and which files make a whole. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { joined, parseShard, shareOf, type ShardHead } from '../../src/distributed/shards.js';
import { makeShard, openShard, openShards, readShard } from '../../src/distributed/shards.node.js';

describe('shares', () => {
  const works = fc.record({
    weights: fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 200 }),
    of: fc.integer({ min: 1, max: 40 }),
    step: fc.integer({ min: 1, max: 9 }),
  });

  test('follow one another from the first item to the last, and part no batch', () => {
    fc.assert(
      fc.property(works, ({ weights, of, step }) => {
        let next = 0;
        for (let index = 0; index < of; index++) {
          const { first, end } = shareOf(weights, { index, of }, step);
          expect(first).toBe(next);
          expect(end).toBeGreaterThanOrEqual(first);
          expect(end % step === 0 || end === weights.length).toBe(true);
          next = end;
        }
        expect(next).toBe(weights.length);
      }),
    );
  });

  test('weigh no more than their part and the heaviest batch', () => {
    fc.assert(
      fc.property(works, ({ weights, of, step }) => {
        const sum = (some: readonly number[]): number => some.reduce((total, each) => total + each, 0);
        const batches = Array.from({ length: Math.ceil(weights.length / step) }, (_, n) =>
          sum(weights.slice(n * step, (n + 1) * step)),
        );
        const most = sum(weights) / of + Math.max(0, ...batches);
        for (let index = 0; index < of; index++) {
          const { first, end } = shareOf(weights, { index, of }, step);
          expect(sum(weights.slice(first, end))).toBeLessThanOrEqual(most + 1e-6);
        }
      }),
    );
  });
});

describe('the shard that is meant', () => {
  const slurm = (id: number, min: number, max: number, more: Record<string, string> = {}): Record<string, string> => ({
    SLURM_ARRAY_TASK_ID: String(id),
    SLURM_ARRAY_TASK_MIN: String(min),
    SLURM_ARRAY_TASK_MAX: String(max),
    SLURM_ARRAY_TASK_COUNT: String(max - min + 1),
    SLURM_ARRAY_TASK_STEP: '1',
    ...more,
  });

  test.each([
    ['3/8', {}, { index: 3, of: 8 }],
    ['3/8', slurm(1, 0, 1), { index: 3, of: 8 }], // what is written stands
    ['auto', slurm(3, 0, 7), { index: 3, of: 8 }],
    ['auto', slurm(12, 10, 17), { index: 2, of: 8 }],
    ['auto/8', slurm(12, 10, 17), { index: 2, of: 8 }],
    ['auto/5', { JOB_COMPLETION_INDEX: '4' }, { index: 4, of: 5 }],
  ])('%s in %j', (text, environment, shard) => expect(parseShard(text, environment)).toEqual(shard));

  test.each([
    ['8/8', {}, "expects I/N with I from 0 to N - 1, such as 0/8, or 'auto', or 'auto/N'"],
    ['1', {}, "got '1'"],
    ['-1/2', {}, "got '-1/2'"],
    ['0/0', {}, "got '0/0'"],
    ['1.5/3', {}, "got '1.5/3'"],
    ['AUTO', {}, "got 'AUTO'"],
    ['0/100001', {}, 'N up to 100000'],
    ['auto', {}, 'got neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX'],
    ['auto', { JOB_COMPLETION_INDEX: '0' }, 'write --shard auto/N'],
    ['auto/3', { JOB_COMPLETION_INDEX: '3' }, 'JOB_COMPLETION_INDEX 3 of 3'],
    ['auto/3', { JOB_COMPLETION_INDEX: '1', ...slurm(0, 0, 2) }, 'expects one scheduler'],
    ['auto', slurm(2, 0, 4, { SLURM_ARRAY_TASK_STEP: '2', SLURM_ARRAY_TASK_COUNT: '3' }), 'step 2'],
    ['auto', slurm(3, 3, 5, { SLURM_ARRAY_TASK_COUNT: '2' }), 'got 2 tasks from 3 to 5'], // --array=3,5
    ['auto/4', slurm(0, 0, 7), 'expects a Slurm array of 4 tasks, got one of 8'],
    ['auto', { SLURM_ARRAY_TASK_ID: '1' }, 'a whole number in SLURM_ARRAY_TASK_MIN, got none'],
    ['auto', slurm(1, 0, 7, { SLURM_ARRAY_TASK_ID: 'x' }), "SLURM_ARRAY_TASK_ID, got 'x'"],
  ])('%s in %j is refused', (text, environment, message) => {
    expect(() => parseShard(text, environment)).toThrow(message);
  });
});

const head = (index: number, of: number, work: object = { model: 'a' }): ShardHead => ({
  ...{ beltnetShard: 1, command: 'predict', shard: { index, of }, share: { first: 2 * index, end: 2 * index + 2 } },
  ...{ items: 2 * of, work: { ...work }, by: {} },
});

describe('shards together', () => {
  const named = (...heads: ShardHead[]) => heads.map((each, n) => ({ name: `file ${n}`, head: each }));

  test('are put in their order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), (order) => {
        const all = joined(named(...order.map((index) => head(index, 5))));
        expect(all.map(({ head: { shard } }) => shard.index)).toEqual([0, 1, 2, 3, 4]);
      }),
    );
  });

  test.each([
    ['holes', named(head(0, 4), head(2, 4)), 'expects all of 4 shards, got 2; missing: 1, 3'],
    ['doubles', named(head(0, 2), head(1, 2), head(1, 2)), 'file 2: expects each shard once, got 1/2 in file 1, too'],
    ['other models', named(head(0, 2), head(1, 2, { model: 'b' })), 'differ: model "a" and "b"'],
    ['another number of shards', named(head(0, 2), head(1, 3)), 'number of shards 2 and 3'],
    ['other commands', named(head(0, 2), { ...head(1, 2), command: 'audit' }), 'command "predict" and "audit"'],
    [
      'gaps',
      named(head(0, 2), { ...head(1, 2), share: { first: 3, end: 4 } }),
      'expects the items from 2 on, got 3 to 4 of 4',
    ],
    ['nothing', [], 'expects shards, got none'],
  ])('%s are refused', (_, shards, message) => expect(() => joined(shards)).toThrow(message));
});

describe('shards on disk', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'beltnet-shards-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const make = (index: number, { inputs = 'inputs', of = 2, work = { model: 'a' } } = {}): Promise<boolean> =>
    makeShard(folder, head(index, of, work), {
      inputs: () => Promise.resolve(inputs),
      run(add) {
        add({ item: 2 * index, text: 'line\nof \u2028 its own' });
        add({ item: 2 * index + 1 });
        return Promise.resolve('inputs');
      },
    });

  test('hold what was added, whatever is in it, and nothing is left beside them', async () => {
    expect(await make(1)).toBe(true);
    expect(await make(0)).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['shard-0-of-2.jsonl', 'shard-1-of-2.jsonl']);
    const lines: object[] = [];
    for (const shard of await openShards([folder])) for await (const line of readShard(shard)) lines.push(line);
    expect(lines).toEqual(
      [0, 1, 2, 3].map((item) => (item % 2 === 0 ? { item, text: 'line\nof \u2028 its own' } : { item })),
    );
  });

  test('that are there already are not made again, unless they are of other work or other files', async () => {
    await make(0);
    const before = readFileSync(join(folder, 'shard-0-of-2.jsonl'));
    expect(await make(0)).toBe(false);
    await expect(make(0, { inputs: 'others' })).rejects.toThrow('some have changed since');
    await expect(make(0, { work: { model: 'b' } })).rejects.toThrow('got another: model "a" and "b"');
    await expect(make(0, { of: 3 })).rejects.toThrow('expects shards of 3, got shard-0-of-2.jsonl');
    expect(readFileSync(join(folder, 'shard-0-of-2.jsonl'))).toEqual(before);
  });

  test('have no name until they are complete, and take away what dead processes began', async () => {
    const failing = { inputs: () => Promise.resolve(''), run: () => Promise.reject(new Error('no')) };
    await expect(makeShard(folder, head(0, 2), failing)).rejects.toThrow('no');
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, '.shard-0-of-2.jsonl.1-0123456789ab.tmp'), 'of a killed process');
    writeFileSync(join(folder, '.shard-1-of-2.jsonl.1-0123456789ab.tmp'), 'of one that may live');
    await make(0);
    expect(readdirSync(folder).toSorted()).toEqual(['.shard-1-of-2.jsonl.1-0123456789ab.tmp', 'shard-0-of-2.jsonl']);
  });

  test('of which two processes make the same end with one', async () => {
    const made = await Promise.all([make(0), make(0), make(0)]);
    expect(made.filter(Boolean).length).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['shard-0-of-2.jsonl']);
    await openShard(join(folder, 'shard-0-of-2.jsonl'));
  });

  test('that were cut off or changed anywhere are refused', async () => {
    await make(0);
    const path = join(folder, 'shard-0-of-2.jsonl');
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length - 1; length += 7) {
      writeFileSync(path, whole.subarray(0, length)); // without its line break it is whole
      await expect(openShard(path), `${length} bytes`).rejects.toThrow('expects a shard that beltnet has written');
    }
    for (let at = 0; at < whole.length - 1; at += 5) {
      const changed = Uint8Array.from(whole, (byte, n) => (n === at ? byte ^ 1 : byte));
      writeFileSync(path, changed);
      const inputs = await openShard(path).then(
        (shard) => shard.inputs,
        () => null,
      );
      // Only the digest of the inputs is not under the digest of the lines: it is compared with the inputs themselves.
      expect(inputs === null || inputs !== 'inputs', `byte ${at}`).toBe(true);
    }
  });
});

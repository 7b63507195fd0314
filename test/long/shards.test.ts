/**
 * 200,000 pictures judged by one process and in 8 shards, of which two are killed in the middle of their work and started again: the same
 * bytes, in memory that does not grow with the pictures. BELTNET_PICTURES asks for fewer.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makePng } from '../data/make-pictures.js';
import { beltnetWorks, program, writeClasses } from '../cli/run-beltnet.js';

const PICTURES = Number(process.env['BELTNET_PICTURES'] ?? 200_000);
const SHARDS = 8;
const KILLED = [2, 5];
/** Enough for the list of the pictures; with less to spare garbage is collected before it counts as memory. */
const HEAP_MB = 128;

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-many-'));
  writeClasses(join(folder, 'belt'), 40);
  await beltnetWorks(['train', 'belt', '--epochs', '1', '--size', '16x16', '--name', 'first', '--split', '0.5'], {
    cwd: folder,
  });
  const [width, height] = [16, 16];
  const rows = new Uint8Array(height * (1 + width * 3));
  for (let index = 0; index < PICTURES; index++) {
    const name = join(folder, 'archive', String(Math.floor(index / 1000)).padStart(4, '0'));
    if (index % 1000 === 0) mkdirSync(name, { recursive: true });
    let state = index * 2 + 1;
    for (let row = 0; row < height; row++)
      for (let at = 1; at <= width * 3; at++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        rows[row * (1 + width * 3) + at] = (index % 3) * 60 + (state >>> 24) * 0.4;
      }
    writeFileSync(join(name, `${index}.png`), makePng({ width, height, rows }));
  }
}, 1_800_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }), 600_000);

interface Judged {
  readonly code: number | null;
  readonly sha256: string;
  readonly bytes: number;
  /** The most memory that it took, in MB. */
  readonly memory: number;
  readonly seconds: number;
}

/** @param killWhen looked at often: whether it is time for SIGKILL */
async function judge(args: readonly string[], killWhen: () => boolean = () => false): Promise<Judged> {
  const start = performance.now();
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, program, ...args], { cwd: folder });
  const hash = createHash('sha256');
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  child.stderr.resume();
  let memory = 0;
  const watching = setInterval(() => {
    memory = Math.max(memory, memoryOf(child.pid ?? 0));
    if (killWhen()) child.kill('SIGKILL');
  }, 50);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(watching);
  return { code, sha256: hash.digest('hex'), bytes, memory, seconds: (performance.now() - start) / 1000 };
}

/** Of a living process, in MB; 0 where it has ended. */
function memoryOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

test(`${PICTURES} pictures in ${SHARDS} shards, two of them killed`, async () => {
  const args = ['predict', 'runs/first', 'archive', '--device', 'cpu', '--threads', '1', '--workers', '1'];
  const one = await judge([...args, '--csv']);
  expect(one.code).toBe(0);
  const temporary = (index: number): number => {
    const names = existsSync(join(folder, 'shards')) ? readdirSync(join(folder, 'shards')) : [];
    const name = names.find((each) => each.startsWith(`.shard-${index}-of-`));
    return name === undefined ? 0 : statSync(join(folder, 'shards', name)).size;
  };
  const shard = (index: number, killWhen?: () => boolean): Promise<Judged> =>
    judge([...args, '--shard', `${index}/${SHARDS}`, '--out', 'shards'], killWhen);
  const whole = one.bytes / SHARDS;
  const shards: Judged[] = [];
  for (let index = 0; index < SHARDS; index++)
    shards.push(await shard(index, KILLED.includes(index) ? () => temporary(index) > whole / 3 : undefined));
  expect(shards.flatMap(({ code }, index) => (code === 0 ? [] : [index]))).toEqual(KILLED);
  expect((await judge(['merge', 'shards', '--csv'])).code).toBe(3); // two are missing
  for (const index of KILLED) shards[index] = await shard(index);
  const again = await shard(0); // is there: its files are read, and nothing else is done
  const merged = await judge(['merge', 'shards', '--csv']);
  expect(merged).toMatchObject({ code: 0, sha256: one.sha256, bytes: one.bytes });
  expect(readdirSync(join(folder, 'shards')).filter((name) => name.startsWith('.'))).toEqual([]);
  const most = Math.max(...shards.map(({ memory }) => memory));
  console.log(
    `${PICTURES} pictures: one process ${one.seconds.toFixed(0)} s, ${one.memory.toFixed(0)} MB; a shard ` +
      `${Math.max(...shards.map(({ seconds }) => seconds)).toFixed(0)} s, ${most.toFixed(0)} MB, skipped in ${again.seconds.toFixed(1)} s; ` +
      `merged in ${merged.seconds.toFixed(1)} s, ${merged.memory.toFixed(0)} MB; ${(one.bytes / 1e6).toFixed(1)} MB of output`,
  );
  // All have the list of the pictures; what is said of them is nowhere kept.
  expect(one.memory).toBeLessThan(1.5 * most);
  expect(merged.memory).toBeLessThan(most);
});

/** What a dead process left goes, what may be another's stays: locks of this and of other systems. */
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { clearTemporaryFolders, temporaryFolder } from '../src/data/store/temporary-folder.node.js';
import { DiskError } from '../src/errors.js';
import { clearRuns, createRunDirectory } from '../src/files.node.js';
import { clearLeftovers, leaveFolder, lockFolder, lockHolder } from '../src/lock.node.js';

const base = mkdtempSync(join(tmpdir(), 'beltnet-lock-'));
afterAll(() => rmSync(base, { recursive: true }));

let count = 0;
const newFolder = (): string => {
  const folder = join(base, String(count++));
  mkdirSync(folder);
  return folder;
};

const dead = spawnSync(process.execPath, ['--version']).pid;
const lockOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, '.lock'), 'utf8')) as Record<string, unknown>;

/** A folder with a model that was not complete, and the lock of a process unlike this one in what `changes` says. */
function abandoned(changes: object, folder = newFolder()): string {
  lockFolder(folder);
  const owner = { ...lockOf(folder), ...changes };
  writeFileSync(join(folder, '.lock'), JSON.stringify(owner));
  writeFileSync(join(folder, `.model.safetensors.${String(owner.pid)}-0123456789ab.tmp`), 'half a model');
  return folder;
}

describe('the holder of a lock', () => {
  test('this process runs, until it leaves', () => {
    const folder = newFolder();
    expect(lockHolder(folder).state).toBe('nobody');
    lockFolder(folder);
    expect(lockHolder(folder)).toMatchObject({ state: 'running', owner: { pid: process.pid } });
    expect(() => lockFolder(folder)).toThrow(/EEXIST/);
    leaveFolder(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a process that has ended is dead, and so is one whose number another has now', () => {
    expect(lockHolder(abandoned({ pid: dead })).state).toBe('dead');
    expect(lockHolder(abandoned({ started: '1' })).state).toBe('dead');
  });

  test('another process that lives is running', () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    onTestFinished(() => void child.kill('SIGKILL'));
    expect(lockHolder(abandoned({ pid: child.pid, started: null })).state).toBe('running');
  });

  test('a process of another container of this host is dead when its lock has not been touched for ten minutes', () => {
    const restarted = abandoned({ namespace: 'pid:[1]' });
    const age = (folder: string, minutes: number): void => {
      const then = new Date(Date.now() - minutes * 60_000);
      utimesSync(join(folder, '.lock'), then, then);
    };
    age(restarted, 9);
    expect(lockHolder(restarted).state).toBe('unknown');
    age(restarted, 11);
    expect(lockHolder(restarted).state).toBe('dead');
    clearLeftovers(restarted);
    expect(readdirSync(restarted)).toEqual([]);
    for (const other of [{ host: 'belt-3' }, { boot: 'another' }, { beats: false }]) {
      const folder = abandoned({ namespace: 'pid:[1]', ...other });
      age(folder, 1000);
      expect(lockHolder(folder).state).toBe('unknown');
    }
  });

  test('whoever holds a lock touches it, and no longer than it is its own', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const folder = newFolder();
    lockFolder(folder);
    const path = join(folder, '.lock');
    const old = new Date(1e9);
    utimesSync(path, old, old);
    vi.advanceTimersByTime(31_000);
    expect(statSync(path).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
    writeFileSync(path, JSON.stringify({ ...lockOf(folder), pid: dead }));
    utimesSync(path, old, old);
    vi.advanceTimersByTime(31_000);
    expect(statSync(path).mtimeMs).toBe(1e9);
  });

  test.each([{ host: 'belt-3' }, { boot: 'another' }, { namespace: 'pid:[1]' }])('%o: nothing can be said', (other) => {
    expect(lockHolder(abandoned({ pid: dead, ...other })).state).toBe('unknown');
  });

  test('what is no lock says nothing, and is neither followed nor read without end', () => {
    for (const text of ['', '{', '{"host":1}', 'x'.repeat(10_000)]) {
      const folder = newFolder();
      writeFileSync(join(folder, '.lock'), text);
      expect(lockHolder(folder)).toEqual({ state: 'unknown', owner: null });
    }
    const folder = newFolder();
    symlinkSync('/dev/zero', join(folder, '.lock'));
    expect(lockHolder(folder).state).toBe('unknown');
    expect(() => lockFolder(folder)).toThrow(/EEXIST/);
  });
});

describe('leftovers', () => {
  test('of a dead process go, with its lock; checkpoints and what others wrote stay', () => {
    const folder = abandoned({ pid: dead });
    const kept = ['model.safetensors', 'results.csv', `.notes.${dead}.tmp`, '.model.safetensors.1-0123456789ab.tmp'];
    for (const name of kept) writeFileSync(join(folder, name), 'kept');
    expect(clearLeftovers(folder)).toEqual([join(folder, '.model.safetensors.1-0123456789ab.tmp')]);
    expect(readdirSync(folder).toSorted()).toEqual(kept.toSorted());
  });

  test('of others are named and stay as they are', () => {
    const folder = abandoned({ pid: dead, host: 'belt-3' });
    const before = readdirSync(folder);
    expect(clearLeftovers(folder)).toHaveLength(2);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('of a running process are none', () => {
    const folder = abandoned({});
    const before = readdirSync(folder);
    expect(clearLeftovers(folder)).toEqual([]);
    expect(readdirSync(folder)).toEqual(before);
  });

  test('in all runs of a folder, links left out', () => {
    const [parent, elsewhere] = [newFolder(), abandoned({ pid: dead })];
    mkdirSync(join(parent, 'a'));
    abandoned({ pid: dead }, join(parent, 'a'));
    symlinkSync(elsewhere, join(parent, 'link'));
    expect(clearRuns(parent)).toEqual([]);
    expect([readdirSync(join(parent, 'a')), readdirSync(elsewhere).length]).toEqual([[], 2]);
    expect(clearRuns(join(parent, 'nowhere'))).toEqual([]);
  });
});

describe('a run of the same name', () => {
  const again = (folder: string): Promise<string> => createRunDirectory(base, folder.slice(base.length + 1));

  test('begins again where a dead process left nothing else, and in an empty folder', async () => {
    for (const folder of [abandoned({ pid: dead }), newFolder()]) {
      expect(await again(folder)).toBe(folder);
      expect([readdirSync(folder), lockOf(folder).pid]).toEqual([['.lock'], process.pid]);
    }
  });

  test('is refused where there is more, where somebody works, and where nobody knows', async () => {
    const used = abandoned({ pid: dead });
    writeFileSync(join(used, 'model.safetensors'), 'a model');
    await expect(again(used)).rejects.toThrow('a run is never overwritten');
    expect(readdirSync(used)).toEqual(['model.safetensors']);
    await expect(again(abandoned({}))).rejects.toThrow(`process ${process.pid} of host`);
    const foreign = abandoned({ pid: dead, host: 'belt-3' });
    await expect(again(foreign)).rejects.toThrow(
      /it holds \.lock, .* of process \d+ of host belt-3; .* delete the folder/,
    );
    await expect(again(foreign)).rejects.toThrow(DiskError);
  });

  test('is begun by one of many that come at once', async () => {
    const folder = abandoned({ pid: dead });
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => again(folder)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

test('temporary stores of dead processes go, others stay and those of other systems are named', () => {
  const place = newFolder();
  vi.stubEnv('TMPDIR', place);
  onTestFinished(() => void vi.unstubAllEnvs());
  const [gone, foreign, none] = ['beltnet-store-a', 'beltnet-store-b', 'beltnet-else'].map((name) => {
    mkdirSync(join(place, name, 'pictures'), { recursive: true });
    return join(place, name);
  });
  abandoned({ pid: dead }, gone);
  abandoned({ pid: dead, boot: 'another' }, foreign);
  abandoned({ pid: dead }, none);
  const mine = temporaryFolder();
  expect(clearTemporaryFolders()).toEqual([foreign]);
  expect(readdirSync(place).toSorted()).toEqual(
    [mine, foreign, none].map((path) => path.slice(place.length + 1)).toSorted(),
  );
  rmSync(mine, { recursive: true });
});

/** Files: complete or not there, nothing overwritten. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { DiskError } from '../src/errors.js';
import { appendLine, createRunDirectory, makeFolders, writeFileAtomically } from '../src/files.node.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-files-'));
afterAll(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

describe('writeFileAtomically', () => {
  test('writes, replaces, and leaves nothing beside', async () => {
    const path = join(folder, 'a.txt');
    await writeFileAtomically(path, 'first');
    await writeFileAtomically(path, Uint8Array.of(50));
    expect(readFileSync(path, 'utf8')).toBe('2');
    expect(readdirSync(folder)).toEqual(['a.txt']);
  });

  test('keeps the old file and cleans up when it fails', async () => {
    const target = join(folder, 'taken');
    mkdirSync(join(target, 'full'), { recursive: true });
    await expect(writeFileAtomically(target, 'x')).rejects.toThrow(DiskError); // a folder cannot be replaced by a file
    expect(readdirSync(target)).toEqual(['full']);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await expect(writeFileAtomically(join(folder, 'missing', 'a'), 'x')).rejects.toThrow(
      'the folder does not exist; make it first (ENOENT)',
    );
  });

  test('a full disk is named, with the way out', async () => {
    // Linux' device that is always full
    await expect(appendLine('/dev/full', 'x')).rejects.toThrow(
      '/dev/full: cannot be written: the disk is full; make room or write elsewhere (ENOSPC)',
    );
  });

  test('many writers at once leave one whole file', async () => {
    const path = join(folder, 'busy');
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(texts.map((text) => writeFileAtomically(path, text)));
    expect(texts).toContain(readFileSync(path, 'utf8'));
  });
});

test('appendLine adds', async () => {
  const path = join(folder, 'log.csv');
  await appendLine(path, 'a');
  await appendLine(path, 'b');
  expect(readFileSync(path, 'utf8')).toBe('a\nb\n');
  await expect(appendLine(folder, 'x')).rejects.toThrow(DiskError);
});

describe('createRunDirectory', () => {
  test('counts on, also for two at a time', async () => {
    const parent = join(folder, 'runs');
    const names = await Promise.all(Array.from({ length: 5 }, () => createRunDirectory(parent)));
    expect(new Set(names).size).toBe(5);
    mkdirSync(join(parent, 'run-41'));
    expect(await createRunDirectory(parent)).toBe(join(parent, 'run-42'));
  });

  test('never takes a folder that exists, nor a file for one', async () => {
    const parent = join(folder, 'named');
    expect(await createRunDirectory(parent, 'mine')).toBe(join(parent, 'mine'));
    await expect(createRunDirectory(parent, 'mine')).rejects.toThrow('a run is never overwritten, choose another name');
    writeFileSync(join(folder, 'file'), '');
    await expect(createRunDirectory(join(folder, 'file'))).rejects.toThrow(DiskError);
  });
});

describe('makeFolders', () => {
  test('makes what is missing, leaves what is there, and refuses a file on the way', () => {
    makeFolders(join(folder, 'x', 'y', 'z'));
    makeFolders(join(folder, 'x', 'y'));
    expect(readdirSync(join(folder, 'x', 'y'))).toEqual(['z']);
    writeFileSync(join(folder, 'x', 'file'), 'kept');
    for (const path of ['x/file', 'x/file/y']) expect(() => makeFolders(join(folder, path))).toThrow(/E(EXIST|NOTDIR)/);
    expect(readFileSync(join(folder, 'x', 'file'), 'utf8')).toBe('kept');
  });

  test('comes back where nothing can be made although the folder above is there', () => {
    // Node's own recursive form asks for ever, at full load.
    expect(() => makeFolders('/proc/beltnet/run')).toThrow(/ENOENT|EACCES|EROFS/);
  });
});

/** Names that are no text, limits of the process, and long lists. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { audit } from '../../src/data/audit/audit.js';
import type { AuditedPicture } from '../../src/data/audit/report.js';
import { findPictures, listClassFolders } from '../../src/data/sources/folder.node.js';
import { openArraySet } from '../../src/data/sources/array-files.node.js';
import { DecodingMemory, mostForOnePicture } from '../../src/data/store/decoding-memory.node.js';
import { decodeFiles } from '../../src/data/store/decode-pool.node.js';
import { makePng, plainPng, temporaryFolder } from '../data/make-pictures.js';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

// macOS and Windows keep names as Unicode.
describe.runIf(process.platform === 'linux')('names that are not UTF-8', () => {
  const picture = plainPng(4, 4, [1, 2, 3]);
  const folderWithOddNames = (): string => {
    const folder = temporaryFolder({ 'a/1.png': picture, 'b/1.png': picture });
    mkdirSync(bytes(folder, '/a/f', [0xff]));
    writeFileSync(bytes(folder, '/a/f', [0xff], '/1.png'), picture);
    mkdirSync(bytes(folder, '/c', [0xfe]));
    writeFileSync(bytes(folder, '/c', [0xfe], '/1.png'), picture);
    writeFileSync(bytes(folder, '/b/p', [0xff], '.png'), picture);
    return folder;
  };

  test('of folders are skipped and named; the others go on', () => {
    const folder = folderWithOddNames();
    const error = (path: string) => `${path}: the folder cannot be read; its name is not UTF-8: rename it`;
    const inside = `${folder}/a/f\ufffd`;
    expect(findPictures(`${folder}/a`)).toMatchObject({
      paths: [`${folder}/a/1.png`],
      skipped: [{ file: inside, error: error(inside) }],
    });
    const list = listClassFolders(folder);
    expect(list.classNames).toEqual(['a', 'b']);
    expect(list.skipped.map(({ error: said }) => said)).toContain(error(`${folder}/c\ufffd`));
  });

  test('stop no run', () => {
    const folder = folderWithOddNames();
    const said = execFileSync(process.execPath, [program, 'audit', '.', '--no-cache', '--json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(said).toContain('its name is not UTF-8');
  });

  test('a name that truly has the replacement character is one like others', () => {
    const folder = temporaryFolder({ 'a\ufffd/1.png': picture, 'b/\ufffd.png': picture });
    expect(listClassFolders(folder)).toMatchObject({ classNames: ['a\ufffd', 'b'], skipped: [] });
  });
});

describe.runIf(process.platform === 'linux')('a process that may open few files', () => {
  test('says so, and takes no picture for a bad one', () => {
    const files = Array.from({ length: 40 }, (_, i): [string, Buffer] => [
      `${i % 2 ? 'a' : 'b'}/${i}.png`,
      plainPng(4, 4, [i, 0, 0]),
    ]);
    const folder = temporaryFolder(Object.fromEntries(files));
    const command = `ulimit -n 24; exec "$0" "$@"`;
    const args = [process.execPath, program, 'audit', '.', '--no-cache', '--workers', '4'];
    let said = '';
    try {
      said = execFileSync('bash', ['-c', command, ...args], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      said = (error as { stderr: string }).stderr;
    }
    expect(said).toMatch(/^beltnet: .*too many open files.*raise the limit of open files/);
    expect(said).not.toMatch(/check (the disk|its permissions)|cannot be used/);
  });
});

describe('large pictures', () => {
  test('are decoded one after the other, whatever the number of threads; small ones do not wait', () => {
    const lane = new Int32Array(new SharedArrayBuffer(4));
    const [first, second] = [new DecodingMemory(lane, 800, 4), new DecodingMemory(lane, 800, 4)];
    first.reserve(100); // its share
    expect(lane[0]).toBe(0);
    first.reserve(101);
    expect(lane[0]).toBe(1);
    first.reserve(400); // it has the lane
    second.reserve(100);
    first.release();
    expect(lane[0]).toBe(0);
    second.release(); // it never had it
    second.reserve(101);
    expect(lane[0]).toBe(1);
    expect([mostForOnePicture(800), mostForOnePicture(2 ** 40)]).toEqual([400, 2 ** 30]);
  });

  test('give the same with one thread as with many, and those beyond the limit are refused by both', async () => {
    const large = makePng({ width: 300, height: 300, rows: new Uint8Array(300 * 901) }); // 0.27 MB decoded
    const small = plainPng(8, 8, [9, 8, 7]);
    const names = Array.from({ length: 12 }, (_, i) => `${i}.png`);
    const folder = temporaryFolder(Object.fromEntries(names.map((name, i) => [name, i % 3 ? large : small])));
    const paths = names.map((name) => `${folder}/${name}`);
    for (const memory of [5e6, 0.5e6]) {
      const answers: (string | null)[][] = [];
      for (const workers of [0, 1, 4]) {
        const errors: (string | null)[] = [];
        for await (const { results } of decodeFiles(paths, { size: { width: 4, height: 4 }, workers, memory }))
          for (const { error } of results) errors.push(error);
        answers.push(errors);
      }
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
      expect(answers[0].filter((error) => error !== null)).toHaveLength(memory === 5e6 ? 0 : 8);
    }
  });
});

describe('many alike pictures', () => {
  test('are audited without comparing each with each', async () => {
    const count = 30_000;
    const thumbnail = new Uint8Array(256);
    const facts = {
      format: 'PNG',
      width: 8,
      height: 8,
      gray: true,
      orientation: 1,
      mean: 100,
      deviation: 50,
      dark: 0,
      bright: 0,
    } as const;
    const pictures = Array.from({ length: count }, (_, index): AuditedPicture => ({
      ...{ file: `a/${index}.png`, label: 0, digest: String(index), group: `group ${index}` },
      facts: { ...facts, thumbnail },
    }));
    const set = (role: 'training' | 'validation', from: number, to: number) => ({
      ...{ name: role, role, classNames: ['x'], skipped: [], pictures: pictures.slice(from, to) },
    });
    const report = await audit([set('training', 0, count - 1000), set('validation', count - 1000, count)]);
    expect(report.sets.map(({ effective }) => effective)).toEqual([1, 1]);
    expect(report.findings.find(({ kind }) => kind === 'near duplicates')?.groups[0]).toHaveLength(count - 1000);
  }, 60_000); // a second alone; each with each takes minutes
});

describe('pictures of floats', () => {
  /** [1,2,2] float32. */
  const npy = (values: readonly number[]): Buffer => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }`.padEnd(117) + '\n';
    const start = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      Buffer.from([118, 0]),
      Buffer.from(header),
    ]);
    return Buffer.concat([start, Buffer.from(Float32Array.from(values).buffer)]);
  };
  const pixels = async (values: readonly number[]): Promise<number[]> => {
    const set = await openArraySet(`${temporaryFolder({ 'x.npy': npy(values) })}/x.npy`);
    const { data } = set!.training!.pictures.picture(0);
    return [0, 3, 6, 9].map((at) => data[at]);
  };

  test('from 0 to 1 with a rounding beyond are not black', async () => {
    expect(await pixels([0, 0.5, 1, 1.0001])).toEqual([0, 128, 255, 255]);
    expect(await pixels([-0.0001, 0.5, 1, 1])).toEqual([0, 128, 255, 255]);
  });

  test('further beyond are refused: what is meant cannot be known', async () => {
    await expect(pixels([0, 0.5, 1, 1.1])).rejects.toThrow(/got 0 to 1.10\d*; cut them with numpy.clip\(array, 0, 1\)/);
    await expect(pixels([-0.1, 0.5, 1, 1])).rejects.toThrow(/got -0.1\d* to 1; cut/);
  });

  test('from 0 to 255 stay what they are', async () => {
    expect(await pixels([0, 0.5, 100, 255])).toEqual([0, 1, 100, 255]);
  });
});

/**
 * Our inflate, in WebAssembly and in plain TypeScript, beside Node's zlib: the same bytes, and the same streams refused.
 * BELTNET_MUTATIONS asks for more damaged streams than usual.
 */
import { constants, deflateRawSync, deflateSync, inflateRawSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Container, inflate, inflateBy, InflateError } from '../../src/data/inflate/inflate.js';
import type { Inflater } from '../../src/data/inflate/inflater.js';
import { openInflater } from '../../src/data/inflate/open-inflater.js';
import { plainInflater } from '../../src/data/inflate/plain-inflater.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const MUTATIONS = Number(process.env['BELTNET_MUTATIONS'] ?? 1500);

const inflaters = { WebAssembly: openInflater(), TypeScript: plainInflater() };
const both = Object.entries(inflaters);

test('the first of the two is WebAssembly', () => {
  expect(inflaters.WebAssembly.constructor).toBe(Object);
  expect(inflaters.TypeScript.constructor.name).toBe('PlainInflater');
});

function bytesBy(inflater: Inflater, pieces: readonly Uint8Array[], container: Container = 'zlib'): Buffer {
  const out: Buffer[] = [];
  for (const piece of inflateBy(inflater, pieces, container)) out.push(Buffer.from(piece));
  return Buffer.concat(out);
}

/** null where it is refused. */
function outcome(inflater: Inflater, bytes: Uint8Array, container: Container): Buffer | null {
  try {
    return bytesBy(inflater, [bytes], container);
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    return null;
  }
}

function outcomeOfZlib(bytes: Uint8Array, container: Container): Buffer | null {
  try {
    return container === 'zlib' ? inflateSync(bytes) : inflateRawSync(bytes);
  } catch {
    return null;
  }
}

const random = new Random(11, RandomStream.synthetic);
const bytesOf = (length: number, byte: (at: number) => number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => byte(at)));
/** Of what data is like: each kind of block, distances short and long, runs, rare and common symbols. */
const kinds: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.of(),
  'one byte': Buffer.of(7),
  zeros: Buffer.alloc(400_000),
  noise: bytesOf(140_000, () => random.integer(256)),
  'few levels': bytesOf(50_000, () => 2 ** random.integer(8)),
  steep: bytesOf(50_000, () => Math.floor(256 * random.uniform() ** 12)),
  periods: Buffer.concat(Array.from({ length: 40 }, (_, n) => bytesOf(2000, (at) => (at % (n + 1)) * 5))),
  'far copies': Buffer.concat(
    Array.from({ length: 6 }, (_, n) => bytesOf(32_768 - 3 + n, (at) => (at * 2_654_435_761) >>> 24)),
  ),
};

describe.each(both)('%s', (_, inflater) => {
  test.each(Object.entries(kinds))('%s, by every level and strategy', (_kind, data) => {
    const strategies = [constants.Z_FILTERED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE, constants.Z_FIXED];
    const ways = [
      ...[0, 1, 3, 6, 9].map((level) => ({ level })),
      ...strategies.map((strategy) => ({ strategy })),
      { windowBits: 9 },
      { memLevel: 1 },
    ];
    for (const way of ways) {
      expect({ way, isSame: bytesBy(inflater, [deflateSync(data, way)]).equals(data) }).toEqual({ way, isSame: true });
      expect(bytesBy(inflater, [deflateRawSync(data, way)], 'raw').equals(data)).toBe(true);
    }
  });

  test('every split of the input', () => {
    const data = Buffer.concat([kinds['steep'].subarray(0, 900), kinds['zeros'].subarray(0, 900)]);
    for (const level of [0, 9]) {
      const stream = deflateSync(data, { level });
      for (let at = 0; at <= stream.length; at++)
        expect(bytesBy(inflater, [stream.subarray(0, at), stream.subarray(at)]).equals(data)).toBe(true);
      expect(
        bytesBy(
          inflater,
          Array.from(stream, (byte) => Uint8Array.of(byte)),
        ).equals(data),
      ).toBe(true);
    }
  });

  test('pieces of any length, of inputs and outputs larger than the memory', () => {
    const data = Buffer.concat([kinds['noise'], kinds['steep'], kinds['zeros'], kinds['noise']]);
    for (const level of [0, 1, 9]) {
      const stream = deflateSync(data, { level });
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const length = random.integer(2) === 0 ? random.integer(20) : random.integer(90_000);
        pieces.push(stream.subarray(at, at + length));
        at += length;
      }
      expect(bytesBy(inflater, pieces).equals(data)).toBe(true);
      for (const piece of inflateBy(inflater, pieces, 'zlib')) expect(piece.length).toBeLessThanOrEqual(2 ** 17);
    }
  });

  test('what follows the end is ignored; an end that is missing is not', () => {
    const stream = deflateSync(kinds['steep']);
    expect(bytesBy(inflater, [stream, Buffer.from('and more')]).equals(kinds['steep'])).toBe(true);
    for (let missing = 1; missing < 40; missing++)
      expect(() => bytesBy(inflater, [stream.subarray(0, -missing)])).toThrow('unexpected end of file');
    for (const nothing of [[], [Buffer.of()]])
      expect(() => bytesBy(inflater, nothing)).toThrow('unexpected end of file');
  });

  test.each<[string, number[], string]>([
    ['no DEFLATE', [0x77, 0x85], 'unknown compression method'],
    ['a window of 64 kB', [0x88, 0x1c], 'invalid window size'],
    ['a dictionary', [0x78, 0xbb], 'need dictionary'],
    ['a wrong header', [0x78, 0x9d], 'incorrect header check'],
    ['a fourth type of block', [0x78, 0x9c, 0x07], 'invalid block type'],
    ['a length that is not repeated inverted', [0x78, 0x9c, 0x01, 1, 0, 0xff, 0xff, 0], 'invalid stored block lengths'],
    ['287 literals', [0x78, 0x9c, 0xf5, 0, 0, 0, 0], 'invalid code lengths'],
    ['a copy of what is not there', [0x78, 0x9c, 0x4b, 0x04, 0x11, 0], 'invalid distance too far back'],
    ['a wrong checksum', [...deflateSync(Buffer.of(1, 2, 3)).subarray(0, -1), 0], 'incorrect data check'],
  ])('%s is refused by name', (_what, bytes, message) => {
    expect(() => bytesBy(inflater, [Uint8Array.from(bytes)])).toThrow(message);
    expect(outcomeOfZlib(Uint8Array.from(bytes), 'zlib')).toBeNull();
  });

  test('the checksum of any bytes', () => {
    const white = Buffer.alloc(6000, 255);
    for (const length of [0, 1, 15, 16, 17, 5551, 5552, 5553, 6000]) {
      inflater.memory.set(white, 2 ** 17);
      const sum = inflater.adler32(1, 2 ** 17, 2 ** 17 + length) >>> 0;
      const last = deflateSync(white.subarray(0, length)).subarray(-4);
      expect(sum).toBe(last.readUInt32BE());
    }
  });
});

/** Writes numbers of some bits, the lowest first. */
class BitWriter {
  readonly bits: number[] = [];

  write(value: number, width: number): void {
    for (let bit = 0; bit < width; bit++) this.bits.push((value >> bit) & 1);
  }

  bytes(): Uint8Array {
    return Uint8Array.from({ length: Math.ceil(this.bits.length / 8) }, (_, at) =>
      this.bits.slice(8 * at, 8 * at + 8).reduce((sum, bit, shift) => sum | (bit << shift), 0),
    );
  }
}

/** Lengths of a code, complete but for an accident now and then: leaves are split until there are enough. */
function codeLengths(symbols: number, longest: number, from: Random): number[] {
  const leaves = [0];
  const wanted = 1 + from.integer(Math.min(symbols, 60));
  for (let tries = 0; leaves.length < wanted && tries < 500; tries++) {
    const leaf = from.integer(2) === 0 ? leaves.length - 1 : from.integer(leaves.length);
    if (leaves[leaf] < longest) leaves.push(++leaves[leaf]);
  }
  if (from.integer(8) === 0) leaves[0] = Math.min(longest, leaves[0] + 1);
  if (from.integer(16) === 0) leaves.push(1 + from.integer(longest));
  const lengths = Array.from({ length: symbols }, () => 0);
  for (const length of leaves) lengths[from.integer(symbols)] = length;
  return lengths;
}

/** A block with codes of its own, whatever they are, and any bits behind. */
function anyBlock(from: Random): Uint8Array {
  const out = new BitWriter();
  const [literals, distances] = [257 + from.integer(32), 1 + from.integer(32)];
  for (const [value, width] of [
    [1, 1],
    [2, 2],
    [literals - 257, 5],
    [distances - 1, 5],
    [15, 4],
  ])
    out.write(value, width);
  // Symbol n of the code lengths has the code n of 4 bits, its first bit lowest; there are no repetitions.
  for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
    out.write(symbol < 16 ? 4 : 0, 3);
  const lengths = codeLengths(literals, 15, from);
  const used = lengths.findIndex((length) => length > 0);
  if (lengths[256] === 0) [lengths[256], lengths[used]] = [lengths[used], 0];
  for (const length of [...lengths, ...codeLengths(distances, 15, from)])
    for (let bit = 3; bit >= 0; bit--) out.write((length >> bit) & 1, 1);
  for (let count = 0; count < 100; count++) out.write(from.integer(2 ** 16), 16);
  return out.bytes();
}

test(
  `${MUTATIONS} damaged streams: the same bytes as by zlib, or refused as by zlib`,
  { timeout: 60_000 + 20 * MUTATIONS },
  () => {
    const sound = Object.values(kinds).flatMap((data) =>
      [{ level: 1 }, { level: 9 }, { strategy: constants.Z_FIXED }].map((way) =>
        deflateRawSync(data.subarray(0, 3000), way),
      ),
    );
    const faults: string[] = [];
    let refused = 0;
    for (let round = 0; round < MUTATIONS; round++) {
      const from = new Random(5, RandomStream.synthetic, round);
      let stream = Buffer.from(sound[from.integer(sound.length)]);
      const at = from.integer(stream.length);
      const way = from.integer(4);
      if (way === 0) stream = Buffer.from(anyBlock(from));
      else if (way === 1) stream = Buffer.concat([stream.subarray(0, at), stream.subarray(at + 1 + from.integer(3))]);
      else
        for (let count = from.integer(3); count >= 0; count--)
          stream[from.integer(Math.min(200, stream.length))] ^= 1 << from.integer(8);
      const expected = outcomeOfZlib(stream, 'raw');
      if (expected === null) refused++;
      for (const [name, inflater] of both) {
        const got = outcome(inflater, stream, 'raw');
        const isSame = expected === null ? got === null : got !== null && got.equals(expected);
        if (!isSame) faults.push(`round ${round}, ${name}: zlib ${expected === null ? 'refuses it' : 'does not'}`);
      }
    }
    expect(faults).toEqual([]);
    // Both outcomes are common, or the damage tests nothing.
    expect(refused).toBeGreaterThan(MUTATIONS / 4);
    expect(refused).toBeLessThan(MUTATIONS * 0.95);
  },
);

test('streams are read in turns, and one that is left in its midst leaves nothing behind', () => {
  const streams = [kinds['noise'], kinds['zeros'], kinds['steep']].map((data) => ({
    data,
    pieces: inflate([deflateSync(data)], 'zlib'),
    got: [] as Buffer[],
  }));
  for (const piece of inflate([deflateSync(kinds['zeros'])], 'zlib')) if (piece.length > 0) break;
  for (let left = streams.length; left > 0;) {
    left = 0;
    for (const { pieces, got } of streams) {
      const { value, done } = pieces.next();
      if (!done) left++;
      if (value) got.push(Buffer.from(value));
    }
  }
  for (const { data, got } of streams) expect(Buffer.concat(got).equals(data)).toBe(true);
});

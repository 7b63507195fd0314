/**
 * Damaged pictures, made from sound ones by seeded accidents: each gives a picture or a DataError, soon. BELTNET_MUTATIONS asks for
 * more of them than the usual 5,000.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import type { Picture } from '../../src/data/pictures/picture.js';
import { DataError } from '../../src/errors.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { goldenCases, goldenFile } from './golden.js';

const MUTATIONS = Number(process.env['BELTNET_MUTATIONS'] ?? 5000);

const pictures = new URL('pictures/', import.meta.url);
const sound: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ...goldenCases('image_decode_resize').map(({ attributes }): [string, Uint8Array] => [
    attributes['path'],
    goldenFile(attributes['path']),
  ]),
  ...readdirSync(pictures)
    .filter((name) => /\.(jpg|png|bmp)$/.test(name))
    .toSorted()
    .map((name): [string, Uint8Array] => [name, readFileSync(new URL(name, pictures))]),
];

/** Accidents by byte: changed, cut, doubled, overwritten and foreign pieces, and the end missing. */
function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const from = random.integer(out.length);
  const to = Math.min(out.length, from + 1 + random.integer(64));
  switch (random.integer(7)) {
    case 0:
      for (let count = 1 + random.integer(8); count > 0; count--) out[random.integer(out.length)] = random.integer(256);
      return out;
    case 1:
      out[from] ^= 1 << random.integer(8);
      return out;
    case 2:
      return Buffer.concat([out.subarray(0, from), out.subarray(to)]);
    case 3:
      return Buffer.concat([out.subarray(0, to), out.subarray(from)]);
    case 4:
      return out.subarray(0, from);
    case 5: {
      const other = sound[random.integer(sound.length)][1];
      return Buffer.concat([out.subarray(0, from), other.subarray(random.integer(other.length)), out.subarray(to)]);
    }
    default:
      return out.fill(random.integer(2) * 255, from, to);
  }
}

/** Damages one chunk's data (pixel data below its compression) and sets length and checksum right again. */
function damagePngInside(bytes: Uint8Array, random: Random): Uint8Array {
  const chunks: Buffer[] = [Buffer.from(bytes.subarray(0, 8))];
  const whole = Buffer.from(bytes);
  const typeAt = (start: number): string => whole.toString('latin1', start + 4, start + 8);
  const starts = [8];
  while (typeAt(starts[starts.length - 1]) !== 'IEND') {
    const last = starts[starts.length - 1];
    starts.push(last + 12 + whole.readUInt32BE(last));
  }
  const pixelChunks = starts.filter((start) => typeAt(start) === 'IDAT').length;
  const victim = random.integer(starts.length);
  for (const [index, start] of starts.entries()) {
    const type = whole.subarray(start + 4, start + 8);
    let data: Uint8Array = whole.subarray(start + 8, start + 8 + whole.readUInt32BE(start));
    const isWholePixelData = typeAt(start) === 'IDAT' && pixelChunks === 1;
    if (index === victim && data.length > 0) {
      data =
        isWholePixelData && random.integer(2) === 0
          ? deflateSync(damage(inflateSync(data), random))
          : damage(data, random);
    }
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length);
    type.copy(frame, 4);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(data, crc32(type)));
    chunks.push(frame, Buffer.from(data), checksum);
  }
  return Buffer.concat(chunks);
}

/** What comes of it, in less time than any picture of such a size needs. */
function outcome(bytes: Uint8Array, name: string): Picture | string {
  const start = performance.now();
  try {
    return decode(bytes, name, { maximumPixels: 1_000_000, exif: true });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return error.message;
  } finally {
    // A hang would take minutes; a megapixel takes some 100 ms.
    expect(performance.now() - start).toBeLessThan(5000);
  }
}

/** What is wrong with an outcome, or null. */
function fault(result: Picture | string, name: string): string | null {
  if (typeof result !== 'string') {
    return result.data.length === result.width * result.height * 3 ? null : 'wrong length';
  }
  const isClear = result.startsWith(`${name}: `) && !/undefined|null|NaN|TypeError|not enough memory/.test(result);
  return isClear ? null : result;
}

test(`${MUTATIONS} damaged pictures`, { timeout: 60_000 + 20 * MUTATIONS }, () => {
  const faults: string[] = [];
  let decoded = 0;
  for (let round = 0; round < MUTATIONS; round++) {
    const random = new Random(7, RandomStream.synthetic, round);
    const [name, whole] = sound[random.integer(sound.length)];
    const inside = name.endsWith('.png') && random.integer(2) === 0;
    const bytes = inside ? damagePngInside(whole, random) : damage(whole, random);
    const result = outcome(bytes, name);
    const problem = fault(result, name);
    if (problem !== null) faults.push(`round ${round}, ${name}: ${problem}`);
    if (typeof result !== 'string') decoded++;
  }
  expect(faults).toEqual([]);
  // Both kinds of outcome are common, or the accidents test nothing.
  expect(decoded).toBeGreaterThan(MUTATIONS / 20);
  expect(decoded).toBeLessThan(MUTATIONS / 2);
});

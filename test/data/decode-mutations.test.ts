/** Damaged pictures, made from sound ones by seeded accidents: each gives a picture or a DataError, soon. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decode } from '../../src/data/decode.node.js';
import { DataError } from '../../src/errors.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { goldenCases, goldenFile } from './golden.js';

const paths = goldenCases('image_decode_resize').map(({ attributes }) => attributes.path as string);

/** Accidents by byte: changed, cut, doubled and overwritten pieces. */
function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const from = random.integer(out.length);
  const to = Math.min(out.length, from + 1 + random.integer(64));
  switch (random.integer(5)) {
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
    default:
      return out.fill(random.integer(2) * 255, from, to);
  }
}

/** Damages one chunk's data (pixel data below its compression) and sets length and checksum right again. */
function damagePngInside(bytes: Uint8Array, random: Random): Uint8Array {
  const chunks: Buffer[] = [Buffer.from(bytes.subarray(0, 8))];
  const whole = Buffer.from(bytes);
  const starts: number[] = [];
  for (let at = 8; at < whole.length; at += 12 + whole.readUInt32BE(at)) starts.push(at);
  const victim = random.integer(starts.length);
  for (const [index, start] of starts.entries()) {
    const type = whole.subarray(start + 4, start + 8);
    let data: Uint8Array = whole.subarray(start + 8, start + 8 + whole.readUInt32BE(start));
    const isWholePixelData = type.toString() === 'IDAT' && starts.length === victim + 2;
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

test.each(paths)('%s', (path) => {
  const sound = goldenFile(path);
  let decoded = 0;
  const refusals: string[] = [];
  for (let round = 0; round < 60; round++) {
    const random = new Random(7, RandomStream.synthetic, round);
    const inside = path.endsWith('.png') && round % 2 === 0;
    const bytes = inside ? damagePngInside(sound, random) : damage(sound, random);
    const start = performance.now();
    try {
      const { width, height, data } = decode(bytes, path, { maximumPixels: 1_000_000 });
      expect(data.length).toBe(width * height * 3);
      decoded++;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      refusals.push(error.message);
    }
    // A hang would take minutes; a megapixel takes some 100 ms.
    expect(performance.now() - start).toBeLessThan(5000);
  }
  // Both kinds of outcome, or the accidents test nothing.
  expect(refusals.length).toBeGreaterThan(0);
  expect(decoded).toBeGreaterThan(0);
  for (const message of refusals) {
    expect(message.startsWith(`${path}: `)).toBe(true);
    expect(message).not.toMatch(/undefined|null|TypeError/);
  }
});

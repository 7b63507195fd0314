/** Pictures of every kind give the very pixels that Pillow gives. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';

const folder = new URL('pictures/', import.meta.url);
const seen: Record<string, { readonly width: number; readonly height: number; readonly rgbSha256: string }> =
  JSON.parse(readFileSync(new URL('pillow.json', folder), 'utf8'));

describe('as Pillow', () => {
  test.each(Object.entries(seen))('%s', (file, expected) => {
    const bytes = readFileSync(new URL(file, folder));
    const { width, height, data } = decode(bytes, file);
    expect({ width, height, rgbSha256: createHash('sha256').update(data).digest('hex') }).toEqual(expected);
  });
});

test.each(Object.keys(seen))('%s is refused when its end is missing', (file) => {
  const endings = { jpg: Buffer.of(0xff, 0xd9), png: Buffer.from('IEND\xae\x42\x60\x82', 'latin1') };
  const bytes = readFileSync(new URL(file, folder));
  const ending = file.endsWith('.jpg') ? endings.jpg : endings.png;
  const end = file.endsWith('.bmp') ? bytes.length - 12 : bytes.lastIndexOf(ending) + ending.length - 1;
  expect(() => decode(bytes.subarray(0, end), file)).toThrow(new RegExp(`too early, after ${end} bytes`));
});

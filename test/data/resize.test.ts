import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import type { Picture } from '../../src/data/pictures/picture.js';
import { crop, type Interpolation, prepare, resize } from '../../src/data/pictures/resize.js';
import { UsageError } from '../../src/errors.js';
import { difference, goldenCases, goldenFile, goldenPictures } from './golden.js';

const pictures = goldenPictures('images.safetensors');
const interpolations: Interpolation[] = ['nearest', 'bilinear', 'box'];

function goldenPicture(key: string): Picture {
  const tensor = pictures.get(key);
  if (!tensor) throw new Error(`no ${key} in the reference set`);
  const [height, width] = tensor.shape;
  return { width, height, data: tensor.data };
}

describe.each(interpolations)('%s equals Pillow exactly', (interpolation) => {
  test.each(goldenCases('resize'))('$name', ({ name, attributes }) => {
    const size = { width: attributes.width, height: attributes.height };
    const resized = resize(goldenPicture(`${name}/x`), size, interpolation);
    expect(difference(resized.data, goldenPicture(`${name}/${interpolation}`).data).max).toBe(0);
  });

  const lossless = goldenCases('image_decode_resize').filter(({ attributes }) => attributes.path.endsWith('.png'));
  test.each(lossless)('$name, decoded and resized to 64×64', ({ name, attributes }) => {
    // Pillow's own conversion of 16-bit gray clips it to white; ours takes the high byte, so start from Pillow's pixels.
    const picture =
      name === 'png_gray16' ? goldenPicture(`${name}/rgb`) : decode(goldenFile(attributes.path), attributes.path);
    const resized = resize(picture, { width: 64, height: 64 }, interpolation);
    expect(difference(resized.data, goldenPicture(`${name}/resize64_${interpolation}`).data).max).toBe(0);
  });
});

describe('all filters and further sizes equal Pillow exactly', () => {
  // See resize/make.py: a picture of extreme values, then its resized versions.
  const bytes = new Uint8Array(readFileSync(new URL('resize/pillow.bin', import.meta.url)));
  const original = { width: 37, height: 53, data: bytes.subarray(0, 37 * 53 * 3) };
  const filters: Interpolation[] = ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'];
  const sizes = [
    [17, 29],
    [64, 64],
    [90, 20],
    [37, 10],
    [5, 53],
    [1, 1],
  ];
  let at = original.data.length;
  const cases = filters.flatMap((filter) =>
    sizes.map(([width, height]) => {
      const from = at;
      at += width * height * 3;
      return { filter, width, height, expected: bytes.subarray(from, at) };
    }),
  );

  test.each(cases)('$filter to $width×$height', ({ filter, width, height, expected }) => {
    expect(resize(original, { width, height }, filter).data).toEqual(expected);
  });

  test('the reference is used up', () => {
    expect(at).toBe(bytes.length);
  });
});

test.each(['bicubic', 'lanczos'] as const)('%s keeps a picture of one colour', (interpolation) => {
  for (const level of [0, 1, 128, 254, 255]) {
    const picture = { width: 7, height: 5, data: new Uint8Array(105).fill(level) };
    for (const size of [
      { width: 3, height: 2 },
      { width: 20, height: 31 },
    ]) {
      expect(new Set(resize(picture, size, interpolation).data)).toEqual(new Set([level]));
    }
  }
});

describe('a region', () => {
  const picture = { width: 5, height: 4, data: Uint8Array.from({ length: 60 }, (_, index) => index) };

  test('is cut out before resizing', () => {
    const region = { x: 1, y: 2, width: 3, height: 2 };
    const cut = crop(picture, region);
    expect(cut).toMatchObject({ width: 3, height: 2 });
    expect(Array.from(cut.data.subarray(0, 9))).toEqual([33, 34, 35, 36, 37, 38, 39, 40, 41]);
    expect(Array.from(cut.data.subarray(9))).toEqual([48, 49, 50, 51, 52, 53, 54, 55, 56]);
    expect(prepare(picture, { size: { width: 6, height: 4 }, interpolation: 'box', region })).toEqual(
      resize(cut, { width: 6, height: 4 }, 'box'),
    );
  });

  test('that the picture does not hold is refused', () => {
    expect(() => crop(picture, { x: 3, y: 0, width: 3, height: 1 })).toThrow(/holds the region 3×1 at 3,0, got 5×4/);
  });
});

/** A row of gray pixels 0, 1, 2 … */
function ramp(width: number): Picture {
  return { width, height: 1, data: Uint8Array.from({ length: width * 3 }, (_, index) => Math.floor(index / 3)) };
}

test('nearest breaks ties as Pillow does', () => {
  // Pillow 12.3: Image.frombytes('L', (4, 1), bytes(range(4))).resize((15, 1), Image.NEAREST); in exact arithmetic
  // pixel 7 reads at 2.0, but Pillow's running sum ends just below.
  const { data } = resize(ramp(4), { width: 15, height: 1 }, 'nearest');
  const gray = Array.from(data).filter((_, index) => index % 3 === 0);
  expect(gray).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]);
});

const side = fc.integer({ min: 1, max: 40 });

test.each(interpolations)('%s keeps a picture of one colour and stays inside the range of values', (interpolation) => {
  const colours = fc.tuple(fc.nat(255), fc.nat(255));
  fc.assert(
    fc.property(side, side, side, side, colours, (width, height, newWidth, newHeight, [first, second]) => {
      const data = new Uint8Array(width * height * 3).fill(first);
      const size = { width: newWidth, height: newHeight };
      expect(new Set(resize({ width, height, data }, size, interpolation).data)).toEqual(new Set([first]));
      data[0] = second;
      const values = Array.from(resize({ width, height, data }, size, interpolation).data);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(Math.min(first, second));
      expect(Math.max(...values)).toBeLessThanOrEqual(Math.max(first, second));
    }),
  );
});

test.each(interpolations)('%s does not change the picture given', (interpolation) => {
  const picture = ramp(9);
  const before = picture.data.slice();
  resize(picture, { width: 4, height: 3 }, interpolation);
  expect(picture.data).toEqual(before);
});

test('refuses sizes and interpolations that cannot be meant', () => {
  for (const width of [0, -1, 1.5, NaN, 20000]) {
    expect(() => resize(ramp(3), { width, height: 1 }, 'nearest')).toThrow(UsageError);
  }
  expect(() => resize(ramp(3), { width: 3, height: 1 }, 'hamming' as Interpolation)).toThrow(/'hamming'/);
});

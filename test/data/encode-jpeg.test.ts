/** The encoder's files as another program decodes them. */
import jpegJs from 'jpeg-js';
import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import type { Picture } from '../../src/data/pictures/picture.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

/** Slopes of all colours. */
function slopes(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      data[at++] = (255 * column) / width;
      data[at++] = (255 * row) / height;
      data[at++] = 255 - (200 * (row + column)) / (width + height);
    }
  }
  return { width, height, data };
}

const meanError = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (level, at) => Math.abs(level - b[at])).reduce((sum, error) => sum + error) / a.length;

describe('what comes back', () => {
  // Levels that quantization may take at these qualities: about a fourth of the mean step.
  test.each([
    [1, 30],
    [50, 4],
    [85, 2],
    [100, 1],
  ])('at quality %i differs by less than %d levels on average', (quality, most) => {
    const { width, height, data } = slopes(100, 75);
    const file = encodeJpeg({ width, height, data }, quality);
    const theirs = jpegJs.decode(file, { useTArray: true, formatAsRGBA: false });
    expect([theirs.width, theirs.height]).toEqual([width, height]);
    expect(meanError(theirs.data, data)).toBeLessThan(most);
    expect(meanError(decode(file, 'x').data, data)).toBeLessThan(most);
  });

  test('is there for every size', () => {
    for (let size = 1; size <= 35; size++) {
      const picture = slopes(size, 36 - size);
      const file = encodeJpeg(picture, 90);
      const { width, height, data } = jpegJs.decode(file, { useTArray: true, formatAsRGBA: false });
      expect([width, height]).toEqual([picture.width, picture.height]);
      expect(meanError(data, picture.data)).toBeLessThan(3);
    }
  });

  test('has the extremes: noise of black and white', () => {
    const random = new Random(1, RandomStream.synthetic, 0);
    const data = new Uint8Array(64 * 48 * 3);
    for (let at = 0; at < data.length; at += 3) data.fill(random.integer(2) * 255, at, at + 3);
    const decoded = jpegJs.decode(encodeJpeg({ width: 64, height: 48, data }, 100), {
      useTArray: true,
      formatAsRGBA: false,
    });
    expect(meanError(decoded.data, data)).toBeLessThan(1);
  });

  test('is smaller the lower the quality is', () => {
    const lengths = [10, 50, 75, 95].map((quality) => encodeJpeg(slopes(200, 150), quality).length);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(lengths[0]).toBeLessThan(lengths[3] / 2);
  });
});

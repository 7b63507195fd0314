/** Faults of pictures: what each means, that nothing usual is one, and that all ways to a verdict name them. */
import { beltPicture, faultLimitsOf, faultsOf, learnFaultLimits, pictureFigures, prepare, type Picture } from 'beltnet';
import { describe, expect, test } from 'vitest';

const SIZE = { width: 64, height: 64 };
const belt = (index: number): Picture =>
  beltPicture({ seed: 7, index, label: index % 2 === 0 ? 'ok' : 'gap', width: 160, height: 120 });
const figuresOf = (picture: Picture) => pictureFigures(prepare(picture, { size: SIZE }).data, SIZE.width, SIZE.height);
const limits = learnFaultLimits(Array.from({ length: 60 }, (_, n) => figuresOf(belt(n))));
const faults = (picture: Picture) => faultsOf(figuresOf(picture), limits);
const own = Array.from({ length: 30 }, (_, n) => belt(100 + n));

const changed = (
  { width, height, data }: Picture,
  change: (value: number, x: number, y: number) => number,
): Picture => ({
  ...{ width, height },
  data: Uint8Array.from(data, (value, at) => {
    const pixel = Math.floor(at / 3);
    return Math.min(255, Math.max(0, Math.round(change(value, pixel % width, Math.floor(pixel / width)))));
  }),
});

/** A mean over (2r + 1)². */
const blurred = ({ width, height, data }: Picture, r: number): Picture => ({
  ...{ width, height },
  data: Uint8Array.from(data, (_, at) => {
    const [channel, pixel] = [at % 3, Math.floor(at / 3)];
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    let [sum, count] = [0, 0];
    for (let row = Math.max(0, y - r); row <= Math.min(height - 1, y + r); row++)
      for (let column = Math.max(0, x - r); column <= Math.min(width - 1, x + r); column++) {
        sum += data[3 * (row * width + column) + channel];
        count++;
      }
    return sum / count;
  }),
});

test('pictures of the same belt have none', () => {
  expect(own.filter((picture) => faults(picture).length > 0)).toHaveLength(0);
});

test.each([
  ['black', (picture: Picture) => changed(picture, (value) => value * 0.01)],
  ['dark', (picture: Picture) => changed(picture, (value) => value * 0.3)],
  ['overexposed', (picture: Picture) => changed(picture, (value) => value * 3 + 60)],
  ['blurred', (picture: Picture) => blurred(picture, 5)],
  ['covered', (picture: Picture) => changed(picture, (value, x) => (x < 0.5 * picture.width ? 90 : value))],
] as const)('%s is told of nearly every picture', (fault, change) => {
  const some = own.slice(0, 10);
  expect(some.filter((picture) => faults(change(picture)).includes(fault)).length).toBeGreaterThanOrEqual(9);
});

describe('figures', () => {
  test('are what they say, by a picture that can be reckoned by hand', () => {
    const halves = Uint8Array.from({ length: 16 * 16 * 3 }, (_, at) => (Math.floor(at / 3) % 16 < 8 ? 0 : 255));
    const { brightness, contrast, saturated, cells, sharpness } = pictureFigures(halves, 16, 16);
    expect([brightness, contrast, saturated]).toEqual([127.5, 127.5, 0.5]);
    expect(Math.max(...cells)).toBe(0);
    // Two of fourteen inner columns bend by 255.
    expect(sharpness).toBeCloseTo(Math.log2(((2 / 14) * 255 ** 2) / 127.5 ** 2), 5);
  });

  test('of a training set with black pictures make black no fault', () => {
    const black = changed(own[0], () => 0);
    const known = learnFaultLimits([...own.slice(0, 10), black, black].map(figuresOf));
    expect(faultsOf(figuresOf(black), known)).toEqual([]);
  });

  test('of small pictures, with fewer pixels than cells, are finite', () => {
    const { cells, sharpness } = pictureFigures(new Uint8Array(4 * 4 * 3).fill(9), 4, 4);
    expect([...cells, sharpness].every(Number.isFinite)).toBe(true);
  });

  test('a section that has no limits is refused', () => {
    expect(faultLimitsOf({ sections: { faults: { value: limits } } }, 'x')).toEqual(limits);
    expect(faultLimitsOf({}, 'x')).toBeNull();
    expect(() => faultLimitsOf({ sections: { faults: { value: { flat: 1 } } } }, 'x')).toThrow(/section 'faults'/);
  });
});

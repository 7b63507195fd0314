import { describe, expect, test } from 'vitest';
import {
  type AugmentationOptions,
  checkAugmentation,
  drawTransform,
  exchangeAxes,
  warpInterpolation,
  warpMatrix,
} from '../../src/data/augmentation.js';
import { UsageError } from '../../src/errors.js';
import { goldenCases, goldenShape } from './golden.js';

/** Draws of samples 0 … count − 1. */
function draw(options: AugmentationOptions, count: number, { height = 64, width = 64, seed = 1, pass = 0 } = {}) {
  const out = new Float32Array(12);
  return Array.from({ length: count }, (_, sample) => {
    drawTransform(options, height, width, seed, pass, sample, out, 0);
    return Array.from(out);
  });
}

const still = { rotation: 0, shiftFirst: 0, shiftSecond: 0, shear: 0, zoomFirst: 1, zoomSecond: 1 };

describe('matrices equal those of keras-preprocessing', () => {
  const cases = [...goldenCases('affine_transform'), ...goldenCases('image_data_generator')];

  test('there are cases of everything', () => {
    expect(cases.length).toBeGreaterThanOrEqual(64);
  });

  test.each(cases)('$name', ({ attributes, file, name }) => {
    const { theta, tx, ty, shear, zx, zy } = attributes.parameters ?? attributes;
    const [height, width] = goldenShape(file, `${name}/x`);
    const offset = attributes.center.startsWith('h/2+0.5') ? 0.5 : -0.5;
    const radians = Math.PI / 180;
    const warp = {
      ...{ rotation: theta * radians, shear: shear * radians },
      ...{ shiftFirst: tx, shiftSecond: ty, zoomFirst: zx, zoomSecond: zy },
    };
    const matrix = warpMatrix(warp, height / 2 + offset, width / 2 + offset);
    const expected: number[] = attributes.matrix_output_to_input.flat();
    // Both are float64; they differ in the order of a few additions of numbers below 100.
    for (const [index, value] of matrix.entries()) expect(Math.abs(value - expected[index])).toBeLessThan(1e-12);
  });
});

test('exchanging the axes is the same map with rows and columns swapped', () => {
  const [a, b, c, d, e, f] = [2, 3, 5, 7, 11, 13];
  const [m00, m01, m02, m10, m11, m12] = exchangeAxes([a, b, c, d, e, f]);
  const [row, column] = [17, 19];
  // first = column, second = row
  expect(m10 * row + m11 * column + m12).toBe(a * column + b * row + c);
  expect(m00 * row + m01 * column + m02).toBe(d * column + e * row + f);
});

const COUNT = 20_000;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const correlation = (a: readonly number[], b: readonly number[]) => {
  const [meanA, meanB] = [mean(a), mean(b)];
  const deviation = (values: readonly number[], centre: number) =>
    Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
  return mean(a.map((value, i) => (value - meanA) * (b[i] - meanB))) / (deviation(a, meanA) * deviation(b, meanB));
};
/** Kolmogorov–Smirnov: largest distance between the sample's distribution and U(low, high). */
const distanceFromUniform = (values: readonly number[], low: number, high: number) =>
  Math.max(
    ...values.toSorted((a, b) => a - b).map((value, i) => Math.abs((value - low) / (high - low) - (i + 0.5) / COUNT)),
  );
/** Exceeded by one honest sample in 10,000. */
const KS_LIMIT = 2.23 / Math.sqrt(COUNT);
/** Five standard deviations of a correlation of independent samples. */
const CORRELATION_LIMIT = 5 / Math.sqrt(COUNT);

describe('drawn parameters', () => {
  test('keras-2.1.2: shear in radians moves rows, two independent zooms, about n/2 + 0.5', () => {
    const drawn = draw({ shearRange: 0.2, zoomRange: 0.3, profile: 'keras-2.1.2' }, COUNT, { height: 40, width: 60 });
    const rowZoom = drawn.map(([m00]) => m00);
    const columnZoom = drawn.map(([, m01, , , m11]) => Math.hypot(m01, m11));
    const shear = drawn.map(([, m01, , , m11]) => Math.atan2(-m01, m11));
    expect(distanceFromUniform(rowZoom, 0.7, 1.3)).toBeLessThan(KS_LIMIT);
    expect(distanceFromUniform(columnZoom, 0.7, 1.3)).toBeLessThan(KS_LIMIT);
    expect(distanceFromUniform(shear, -0.2, 0.2)).toBeLessThan(KS_LIMIT);
    for (const [a, b] of [
      [rowZoom, columnZoom],
      [rowZoom, shear],
      [columnZoom, shear],
    ]) {
      expect(Math.abs(correlation(a, b))).toBeLessThan(CORRELATION_LIMIT);
    }
    for (const [m00, m01, m02, m10, m11, m12] of drawn) {
      expect(m10).toBe(0);
      expect(m00 * 20.5 + m01 * 30.5 + m02).toBeCloseTo(20.5, 4); // float32
      expect(m10 * 20.5 + m11 * 30.5 + m12).toBeCloseTo(30.5, 4);
    }
  });

  test('keras-2: shear in degrees moves columns, about n/2 − 0.5', () => {
    const drawn = draw({ shearRange: 20, zoomRange: [0.5, 0.9] }, COUNT, { height: 40, width: 60 });
    const rowZoom = drawn.map(([m00, , , m10]) => Math.hypot(m00, m10));
    const columnZoom = drawn.map(([, , , , m11]) => m11);
    const degrees = drawn.map(([m00, , , m10]) => (Math.atan2(-m10, m00) * 180) / Math.PI);
    expect(distanceFromUniform(rowZoom, 0.5, 0.9)).toBeLessThan(KS_LIMIT);
    expect(distanceFromUniform(columnZoom, 0.5, 0.9)).toBeLessThan(KS_LIMIT);
    expect(distanceFromUniform(degrees, -20, 20)).toBeLessThan(KS_LIMIT);
    for (const [m00, m01, m02, m10, m11, m12] of drawn) {
      expect(m01).toBe(0);
      expect(m00 * 19.5 + m01 * 29.5 + m02).toBeCloseTo(19.5, 4); // float32
      expect(m10 * 19.5 + m11 * 29.5 + m12).toBeCloseTo(29.5, 4);
    }
  });

  test('half of the pictures are flipped, exactly, whatever else is drawn', () => {
    const plain = draw({ shearRange: 0.2, zoomRange: 0.2, profile: 'keras-2.1.2' }, COUNT);
    const flipped = draw({ shearRange: 0.2, zoomRange: 0.2, profile: 'keras-2.1.2', horizontalFlip: true }, COUNT);
    const flips: number[] = [];
    for (const [sample, [m00, m01, m02, m10, m11, m12]] of flipped.entries()) {
      const original = plain[sample];
      const isFlipped = m11 < 0;
      flips.push(isFlipped ? 1 : 0);
      // The original at column 63 − c equals the flipped one at column c: here for c = 10, row 20.
      const column = isFlipped ? 53 : 10;
      expect(m00 * 20 + m01 * 10 + m02).toBeCloseTo(original[0] * 20 + original[1] * column + original[2], 4); // float32
      expect(m10 * 20 + m11 * 10 + m12).toBeCloseTo(original[3] * 20 + original[4] * column + original[5], 4);
    }
    expect(Math.abs(mean(flips) - 0.5)).toBeLessThan(5 * (0.5 / Math.sqrt(COUNT))); // five standard deviations
    expect(
      Math.abs(
        correlation(
          flips,
          plain.map(([m00]) => m00),
        ),
      ),
    ).toBeLessThan(CORRELATION_LIMIT);
  });

  test('a flip alone is exactly column → width − 1 − column; no option is exactly the identity', () => {
    const identity = [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0];
    for (const profile of ['keras-2', 'keras-2.1.2'] as const) {
      expect(draw({ profile }, 50, { height: 41, width: 61 })).toEqual(Array.from({ length: 50 }, () => identity));
      const flips = draw({ profile, horizontalFlip: true }, 50, { height: 41, width: 61 });
      expect(new Set(flips.map(String))).toEqual(
        new Set([String(identity), String([1, 0, 0, 0, -1, 60, 0, 0, 0, 1, 0, 0])]),
      );
    }
  });

  test('switching an option does not change what the others draw', () => {
    const both = draw({ shearRange: 10, zoomRange: 0.2, profile: 'keras-2.1.2' }, 20);
    const zoomOnly = draw({ zoomRange: 0.2, profile: 'keras-2.1.2' }, 20);
    expect(zoomOnly.map(([m00]) => m00)).toEqual(both.map(([m00]) => m00));
  });

  test('a draw depends on seed, pass and sample, and on nothing else', () => {
    const options = { shearRange: 5, zoomRange: 0.2, horizontalFlip: true };
    const first = draw(options, 30);
    expect(draw(options, 30)).toEqual(first);
    const out = new Float32Array(36);
    drawTransform(options, 64, 64, 1, 0, 17, out, 12); // out of order, elsewhere in the buffer
    expect(Array.from(out.subarray(12, 24))).toEqual(first[17]);
    expect(Array.from(out.subarray(0, 12))).toEqual(Array.from(new Float32Array(12)));
    const all = [first, draw(options, 30, { seed: 2 }), draw(options, 30, { pass: 1 })].flat();
    expect(new Set(all.map(String)).size).toBe(90);
  });
});

describe('further drawn parameters', () => {
  const size = { height: 40, width: 60 };
  /** How far the picture's middle is moved, [rows, columns]. */
  const moved = (options: AugmentationOptions) => {
    const centre = options.profile === 'keras-2.1.2' ? 0.5 : -0.5;
    const [row, column] = [20 + centre, 30 + centre];
    return draw(options, COUNT, size).map(([a, b, c, d, e, f]) => [
      a * row + b * column + c - row,
      d * row + e * column + f - column,
    ]);
  };
  const parts = (pairs: number[][]) => [pairs.map(([row]) => row), pairs.map(([, column]) => column)];
  /** Five standard deviations of how often something of probability p comes. */
  const often = (p: number) => 5 * Math.sqrt((p * (1 - p)) / COUNT);

  test.each(['keras-2', 'keras-2.1.2'] as const)('%s: rotation by degrees, about the centre', (profile) => {
    const drawn = draw({ rotationRange: 30, profile }, COUNT, size);
    const degrees = drawn.map(([a, , , d]) => (Math.atan2(d, a) * 180) / Math.PI);
    expect(distanceFromUniform(degrees, -30, 30)).toBeLessThan(KS_LIMIT);
    for (const [a, b, , d, e] of drawn.slice(0, 100)) expect(a * e - b * d).toBeCloseTo(1, 5);
    const [rows, columns] = parts(moved({ rotationRange: 30, profile }));
    expect(Math.max(...rows.map(Math.abs), ...columns.map(Math.abs))).toBeLessThan(1e-4); // float32
  });

  test.each(['keras-2', 'keras-2.1.2'] as const)('%s: shifts below 1 are fractions of height and width', (profile) => {
    const [rows, columns] = parts(moved({ heightShiftRange: 0.2, widthShiftRange: 0.1, profile }));
    expect(distanceFromUniform(rows, -8, 8)).toBeLessThan(KS_LIMIT);
    expect(distanceFromUniform(columns, -6, 6)).toBeLessThan(KS_LIMIT);
    expect(Math.abs(correlation(rows, columns))).toBeLessThan(CORRELATION_LIMIT);
  });

  test('shifts from 1 on are pixels: whole numbers, others, and lists, with either sign', () => {
    const [whole, list] = parts(moved({ heightShiftRange: 3, widthShiftRange: [5, 7] }));
    const share = (values: number[], wanted: number) =>
      values.filter((value) => Math.abs(value - wanted) < 1e-5).length / COUNT;
    for (const [wanted, p] of [
      [-2, 1 / 6],
      [-1, 1 / 6],
      [0, 1 / 3],
      [1, 1 / 6],
      [2, 1 / 6],
    ]) {
      expect(Math.abs(share(whole, wanted) - p)).toBeLessThan(often(p));
    }
    for (const wanted of [-7, -5, 5, 7]) expect(Math.abs(share(list, wanted) - 0.25)).toBeLessThan(often(0.25));
    const [broken] = parts(moved({ heightShiftRange: 2.5 }));
    expect(distanceFromUniform(broken, -2.5, 2.5)).toBeLessThan(KS_LIMIT);
    const [fractions] = parts(moved({ heightShiftRange: [0.1, 0.2] }));
    expect(new Set(fractions.map((value) => Math.round(value)))).toEqual(new Set([-8, -4, 4, 8]));
  });

  test('flips of rows and columns are independent halves', () => {
    const drawn = draw({ horizontalFlip: true, verticalFlip: true }, COUNT, size);
    const columns = drawn.map(([, , , , e]) => (e < 0 ? 1 : 0));
    const rows = drawn.map(([a]) => (a < 0 ? 1 : 0));
    expect(Math.abs(mean(rows) - 0.5)).toBeLessThan(often(0.5));
    expect(Math.abs(correlation(rows, columns))).toBeLessThan(CORRELATION_LIMIT);
    expect(drawn.find(([a, , , , e]) => a < 0 && e < 0)?.slice(0, 6)).toEqual([-1, 0, 39, 0, -1, 59]);
  });

  test('channel shift: one for all channels, in keras-2.1.2 one for each; brightness between its limits', () => {
    const options = { channelShiftRange: 20, brightnessRange: [0.5, 1.5] as const };
    const drawn = draw(options, COUNT);
    expect(
      distanceFromUniform(
        drawn.map((row) => row[6]),
        -20,
        20,
      ),
    ).toBeLessThan(KS_LIMIT);
    expect(drawn.every((row) => row[6] === row[7] && row[6] === row[8])).toBe(true);
    expect(
      distanceFromUniform(
        drawn.map((row) => row[9]),
        0.5,
        1.5,
      ),
    ).toBeLessThan(KS_LIMIT);
    const old = draw({ ...options, profile: 'keras-2.1.2' }, COUNT);
    for (const [a, b] of [
      [6, 7],
      [7, 8],
      [6, 9],
    ]) {
      expect(
        Math.abs(
          correlation(
            old.map((row) => row[a]),
            old.map((row) => row[b]),
          ),
        ),
      ).toBeLessThan(CORRELATION_LIMIT);
    }
  });

  test('what is asked for besides does not change the old draws', () => {
    const plain = draw({ shearRange: 10, zoomRange: 0.2, horizontalFlip: true }, 20);
    const more = draw(
      { shearRange: 10, zoomRange: 0.2, horizontalFlip: true, channelShiftRange: 9, brightnessRange: [0.5, 2] },
      20,
    );
    expect(more.map((row) => row.slice(0, 6))).toEqual(plain.map((row) => row.slice(0, 6)));
  });

  test('nothing asked for is the identity', () => {
    expect(warpMatrix(still, 19.5, 29.5).map((value) => value + 0)).toEqual([1, 0, 0, 0, 1, 0]);
  });
});

test('the profile decides how the warp reads between pixels', () => {
  expect(warpInterpolation()).toBe('bilinear');
  expect(warpInterpolation('keras-2')).toBe('bilinear');
  expect(warpInterpolation('keras-2.1.2')).toBe('nearest');
});

test('options that cannot be meant are refused by name', () => {
  const refused: [AugmentationOptions, RegExp][] = [
    [{ shearRange: NaN }, /^shearRange/],
    [{ zoomRange: 1 }, /^zoomRange/],
    [{ zoomRange: -0.2 }, /^zoomRange/],
    [{ zoomRange: [1.2, 0.8] }, /^zoomRange.*\[1.2,0.8\]/],
    [{ zoomRange: NaN }, /^zoomRange/],
    [{ profile: 'keras-3' as 'keras-2' }, /^profile.*'keras-3'/],
    [{ rotationRange: Infinity }, /^rotationRange/],
    [{ widthShiftRange: [] }, /^widthShiftRange/],
    [{ heightShiftRange: NaN }, /^heightShiftRange/],
    [{ brightnessRange: [1.5, 0.5] }, /^brightnessRange.*\[1.5,0.5\]/],
    [{ channelShiftRange: NaN }, /^channelShiftRange/],
    [{ fillMode: 'mirror' as 'wrap' }, /^fillMode.*"mirror"/],
    [{ cval: 300 }, /^cval/],
  ];
  for (const [options, message] of refused) {
    expect(() => checkAugmentation(options)).toThrow(UsageError);
    expect(() => checkAugmentation(options)).toThrow(message);
  }
  expect(() => checkAugmentation({ shearRange: 0.2, zoomRange: [0.8, 1.2], horizontalFlip: true })).not.toThrow();
});

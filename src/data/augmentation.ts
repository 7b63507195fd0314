/**
 * The host's side of augmentation: draws how each picture is warped and changed. The device does it (kernels/augment/augment.ts).
 * Sources: Keras 2.1.2, keras/preprocessing/image.py; keras-preprocessing 1.1.2, image/affine_transformations.py and
 * image/image_data_generator.py.
 */
import { preview } from '../options.js';
import { cos, sin } from '../tensor/exact-math.js';
import { UsageError } from '../errors.js';
import { Random, RandomStream } from '../tensor/random.js';

/**
 * Whose arithmetic to follow: `keras-2.1.2` (shear in radians, nearest pixel, centre n/2 + 0.5, shifts always fractions, a
 * shift of its own for each channel, brightness that stretches) or `keras-2` (shear in degrees, bilinear, centre n/2 − 0.5,
 * axes of rotation, shear and zoom exchanged).
 */
export type AugmentationProfile = 'keras-2' | 'keras-2.1.2';

/** What is beyond a picture's edge; see kernels/augment/augment.ts. */
export type FillMode = 'nearest' | 'constant' | 'reflect' | 'wrap';
const fillModes: readonly FillMode[] = ['nearest', 'constant', 'reflect', 'wrap'];

/** Keras' options of the same names. An option left out changes nothing. */
export interface AugmentationOptions {
  /** Angle from U(−range, range), in degrees. */
  readonly rotationRange?: number;
  /**
   * Shift of columns. Below 1 a fraction of the width from U(−range, range); from 1 on, pixels: a whole number n gives one of
   * 0 … n − 1, any other U(−range, range); a list gives one of its members; the sign is random. In `keras-2.1.2` always a
   * fraction.
   */
  readonly widthShiftRange?: number | readonly number[];
  /** Shift of rows, as `widthShiftRange`. */
  readonly heightShiftRange?: number | readonly number[];
  /** Shear angle from U(−range, range): degrees in `keras-2`, radians in `keras-2.1.2`. */
  readonly shearRange?: number;
  /** Two independent factors from U(1 − range, 1 + range), or U(low, high); a factor above 1 shrinks the content. */
  readonly zoomRange?: number | readonly [number, number];
  /** Mirror left and right with probability 0.5. */
  readonly horizontalFlip?: boolean;
  /** Mirror top and bottom with probability 0.5. */
  readonly verticalFlip?: boolean;
  /** Added to all values, from U(−range, range) of 255 levels; limited to the picture's own least and greatest value. */
  readonly channelShiftRange?: number;
  /** Factor on all values, from U(low, high). */
  readonly brightnessRange?: readonly [number, number] | null;
  /** Default `nearest`. */
  readonly fillMode?: FillMode;
  /** What is beyond the edge in mode `constant`, 0 … 255. Default 0. */
  readonly cval?: number;
  /** Default `keras-2`. */
  readonly profile?: AugmentationProfile;
}

/**
 * Numbers that `drawTransform` writes a picture: two rows of a 3×3 matrix, the shifts of three channels, the factor of the
 * brightness, two zeros.
 */
export const TRANSFORM_LENGTH = 12;

/** How the device reads between pixels when it warps. */
export function warpInterpolation(profile: AugmentationProfile = 'keras-2'): 'nearest' | 'bilinear' {
  return profile === 'keras-2.1.2' ? 'nearest' : 'bilinear';
}

/** Whether any option moves pixels to places between pixels. */
export function isWarped(options: AugmentationOptions): boolean {
  const { rotationRange = 0, widthShiftRange = 0, heightShiftRange = 0, shearRange = 0, zoomRange = 0 } = options;
  return [rotationRange, widthShiftRange, heightShiftRange, shearRange, zoomRange].some((range) => range !== 0);
}

/** @throws UsageError for an option out of range, by its name */
export function checkAugmentation(options: AugmentationOptions): void {
  const { rotationRange = 0, shearRange = 0, zoomRange = 0, channelShiftRange = 0, cval = 0 } = options;
  const { brightnessRange = null, fillMode = 'nearest', profile = 'keras-2' } = options;
  const refuse = (name: string, expected: string, received: unknown): never => {
    throw new UsageError(
      `${name}: expects ${expected}, got ${typeof received === 'string' ? JSON.stringify(received) : preview(received)}`,
    );
  };
  if (!Number.isFinite(rotationRange)) refuse('rotationRange', 'a number of degrees', rotationRange);
  if (!Number.isFinite(shearRange)) refuse('shearRange', 'a number (degrees; radians in keras-2.1.2)', shearRange);
  if (!Number.isFinite(channelShiftRange)) refuse('channelShiftRange', 'a number of levels', channelShiftRange);
  if (typeof cval !== 'number' || !(cval >= 0 && cval <= 255)) refuse('cval', 'a level from 0 to 255', cval);
  for (const name of ['widthShiftRange', 'heightShiftRange'] as const) {
    const shift = options[name] ?? 0;
    const values = typeof shift === 'number' ? [shift] : shift;
    if (!Array.isArray(values) || values.length === 0 || !values.every((value) => Number.isFinite(value))) {
      refuse(name, 'a fraction below 1, a number of pixels, or a list of either', shift);
    }
  }
  const isRange = (range: unknown, from: number): boolean =>
    Array.isArray(range) &&
    range.every((value) => Number.isFinite(value) && value >= from) &&
    range.length === 2 &&
    range[0] <= range[1];
  if (!isRange(zoomLimits(zoomRange), Number.MIN_VALUE)) {
    refuse('zoomRange', 'a number from 0 to below 1, or [low, high] with 0 < low ≤ high', zoomRange);
  }
  if (brightnessRange !== null && !isRange(brightnessRange, 0)) {
    refuse('brightnessRange', '[low, high] with 0 ≤ low ≤ high', brightnessRange);
  }
  if (!fillModes.includes(fillMode)) refuse('fillMode', `one of ${fillModes.join(', ')}`, fillMode);
  if (profile !== 'keras-2' && profile !== 'keras-2.1.2') {
    throw new UsageError(`profile: expects 'keras-2' or 'keras-2.1.2', got ${preview(profile)}`);
  }
}

/**
 * Draws the transform of one picture and writes it as `[m00 m01 m02 m10 m11 m12 red green blue brightness 0 0]`, where
 *
 *     input row    = m00 · row + m01 · column + m02
 *     input column = m10 · row + m11 · column + m12
 *
 * lead from an output pixel's index to the place in the input where its value is read. The result depends only on the
 * options and on (seed, pass, sample).
 *
 * @param height rows of the picture
 * @param width columns of the picture
 * @param pass how often the data was gone through before
 * @param sample index of the picture in the data set
 * @param out takes 12 numbers from `offset` on
 */
export function drawTransform(
  options: AugmentationOptions,
  height: number,
  width: number,
  seed: number,
  pass: number,
  sample: number,
  out: Float32Array,
  offset: number,
): void {
  const { rotationRange = 0, shearRange = 0, zoomRange = 0, channelShiftRange = 0, profile = 'keras-2' } = options;
  const { horizontalFlip = false, verticalFlip = false, widthShiftRange = 0, heightShiftRange = 0 } = options;
  const random = new Random(seed, RandomStream.augmentation, pass, sample);
  const [low, high] = zoomLimits(zoomRange);
  const isOld = profile === 'keras-2.1.2';
  // All are drawn always, in this order: switching one option on or off does not change the others.
  const shear = random.uniform(-shearRange, shearRange);
  const zoomFirst = random.uniform(low, high);
  const zoomSecond = random.uniform(low, high);
  const flipsColumns = random.uniform() < 0.5 && horizontalFlip;
  const rotation = random.uniform(-rotationRange, rotationRange) * RADIANS;
  const rows = drawShift(random, heightShiftRange, height, isOld);
  const columns = drawShift(random, widthShiftRange, width, isOld);
  const flipsRows = random.uniform() < 0.5 && verticalFlip;
  const shifts = [0, 1, 2].map(() => random.uniform(-channelShiftRange, channelShiftRange));
  const [darkest, brightest] = options.brightnessRange ?? [1, 1];
  const brightness = random.uniform(darkest, brightest);

  const zoom = { zoomFirst, zoomSecond };
  const matrix = isOld
    ? warpMatrix(
        { rotation, shiftFirst: rows, shiftSecond: columns, shear, ...zoom },
        height / 2 + 0.5,
        width / 2 + 0.5,
      )
    : exchangeAxes(
        warpMatrix(
          { rotation, shiftFirst: columns, shiftSecond: rows, shear: shear * RADIANS, ...zoom },
          width / 2 - 0.5,
          height / 2 - 0.5,
        ),
      );
  if (flipsColumns) flip(matrix, 1, width);
  if (flipsRows) flip(matrix, 0, height);
  for (let index = 0; index < 6; index++) out[offset + index] = matrix[index] + 0; // + 0: no −0
  for (let c = 0; c < 3; c++) out[offset + 6 + c] = (isOld ? shifts[c] : shifts[0]) + 0;
  out[offset + 9] = brightness;
  out[offset + 10] = 0;
  out[offset + 11] = 0;
}

const RADIANS = Math.PI / 180;

/** In pixels. Two numbers are drawn, whatever the range is. */
function drawShift(random: Random, range: number | readonly number[], length: number, isOld: boolean): number {
  const size = random.uniform();
  const sign = random.uniform() < 0.5 ? -1 : 1;
  if (typeof range !== 'number') {
    const pixels = range[Math.floor(size * range.length)] * sign;
    return Math.max(...range) < 1 ? pixels * length : pixels;
  }
  const between = (2 * size - 1) * range;
  if (isOld || range < 1) return between * length;
  return Number.isInteger(range) ? Math.floor(size * range) * sign : between;
}

/** Rows of the affine map (first, second) → (first, second): `[a b c d e f]` is (a·first + b·second + c, d·first + …). */
export type AffineMatrix = [number, number, number, number, number, number];

/** What a picture's warp is composed of. Angles in radians, shifts in pixels. */
export interface Warp {
  readonly rotation: number;
  readonly shiftFirst: number;
  readonly shiftSecond: number;
  readonly shear: number;
  readonly zoomFirst: number;
  readonly zoomSecond: number;
}

/**
 * Rotation · shift · shear · zoom about a centre, from output to input: Keras' matrices [[cos, −sin], [sin, cos]],
 * [[1, −sin], [0, cos]] and diag(zoomFirst, zoomSecond).
 */
export function warpMatrix(warp: Warp, centreFirst: number, centreSecond: number): AffineMatrix {
  const { rotation, shiftFirst, shiftSecond, shear, zoomFirst, zoomSecond } = warp;
  const [cosine, sine] = [cos(rotation), sin(rotation)];
  const [slope, stretch] = [-sin(shear), cos(shear)];
  const a = cosine * zoomFirst;
  const b = (cosine * slope - sine * stretch) * zoomSecond;
  const d = sine * zoomFirst;
  const e = (sine * slope + cosine * stretch) * zoomSecond;
  const c = cosine * shiftFirst - sine * shiftSecond;
  const f = sine * shiftFirst + cosine * shiftSecond;
  return [
    ...([a, b, centreFirst + c - a * centreFirst - b * centreSecond] as const),
    ...([d, e, centreSecond + f - d * centreFirst - e * centreSecond] as const),
  ];
}

/**
 * Keras 2 calls columns the first coordinate, rows the second. (Its height shift moves columns then, and it takes the centre
 * of the other axis, so that a picture that is not square is warped about a point beside its middle. Those defects are
 * not followed: each axis has its own.)
 */
export function exchangeAxes([a, b, c, d, e, f]: AffineMatrix): AffineMatrix {
  return [e, d, f, b, a, c];
}

/** A flip comes after the warp: index → length − 1 − index along an axis, then the warp. Exact, since it adds whole numbers. */
function flip(matrix: AffineMatrix, axis: 0 | 1, length: number): void {
  matrix[2] += matrix[axis] * (length - 1);
  matrix[5] += matrix[3 + axis] * (length - 1);
  matrix[axis] = -matrix[axis];
  matrix[3 + axis] = -matrix[3 + axis];
}

function zoomLimits(zoomRange: number | readonly [number, number]): readonly [number, number] {
  return typeof zoomRange === 'number' ? [1 - zoomRange, 1 + zoomRange] : zoomRange;
}

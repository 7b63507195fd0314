/**
 * The host's side of augmentation: draws one affine transform a picture. The device warps the pixels by it.
 * Sources: Keras 2.1.2, keras/preprocessing/image.py; keras-preprocessing, image/affine_transformations.py.
 */
import { UsageError } from '../errors.js';
import { Random, RandomStream } from '../tensor/random.js';

/**
 * Whose arithmetic to follow: `keras-2.1.2` (shear in radians, nearest pixel, centre n/2 + 0.5) or `keras-2`
 * (shear in degrees, bilinear, centre n/2 − 0.5, axes of shear and zoom exchanged).
 */
export type AugmentationProfile = 'keras-2' | 'keras-2.1.2';

/** Keras' options of the same names. An option left out changes nothing. */
export interface AugmentationOptions {
  /** Shear angle from U(−range, range): degrees in `keras-2`, radians in `keras-2.1.2`. */
  readonly shearRange?: number;
  /** Two independent factors from U(1 − range, 1 + range), or U(low, high); a factor above 1 shrinks the content. */
  readonly zoomRange?: number | readonly [number, number];
  /** Mirror left and right with probability 0.5. */
  readonly horizontalFlip?: boolean;
  /** Default `keras-2`. */
  readonly profile?: AugmentationProfile;
}

/** Numbers that `drawTransform` writes a picture: two rows of a 3×3 matrix, then two zeros to make 32 bytes. */
export const TRANSFORM_LENGTH = 8;

/** How the device reads between pixels when it warps. */
export function warpInterpolation(profile: AugmentationProfile = 'keras-2'): 'nearest' | 'bilinear' {
  return profile === 'keras-2.1.2' ? 'nearest' : 'bilinear';
}

/** @throws UsageError when a range is not a number, a zoom factor could be 0 or less, or the profile is unknown */
export function checkAugmentation({ shearRange = 0, zoomRange = 0, profile = 'keras-2' }: AugmentationOptions): void {
  if (!Number.isFinite(shearRange)) {
    throw new UsageError(`shearRange: expected a number (degrees; radians in keras-2.1.2), received ${shearRange}`);
  }
  const [low, high] = zoomLimits(zoomRange);
  if (!(low > 0 && low <= high && high < Infinity)) {
    throw new UsageError(
      `zoomRange: expected a number from 0 to below 1, or [low, high] with 0 < low ≤ high, received ${JSON.stringify(zoomRange)}`,
    );
  }
  if (profile !== 'keras-2' && profile !== 'keras-2.1.2') {
    throw new UsageError(`profile: expected 'keras-2' or 'keras-2.1.2', received '${String(profile)}'`);
  }
}

/**
 * Draws the transform of one picture and writes it as `[m00 m01 m02 m10 m11 m12 0 0]`, where
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
 * @param out takes 8 numbers from `offset` on
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
  const { shearRange = 0, zoomRange = 0, horizontalFlip = false, profile = 'keras-2' } = options;
  const random = new Random(seed, RandomStream.augmentation, pass, sample);
  const [low, high] = zoomLimits(zoomRange);
  // All are drawn always, in this order: switching one option on or off does not change the others.
  const shear = random.uniform(-shearRange, shearRange);
  const zoomFirst = random.uniform(low, high);
  const zoomSecond = random.uniform(low, high);
  const flip = random.uniform() < 0.5 && horizontalFlip;

  const matrix =
    profile === 'keras-2.1.2'
      ? warpMatrix(shear, zoomFirst, zoomSecond, height / 2 + 0.5, width / 2 + 0.5)
      : exchangeAxes(warpMatrix((shear * Math.PI) / 180, zoomFirst, zoomSecond, width / 2 - 0.5, height / 2 - 0.5));
  if (flip) flipHorizontally(matrix, width);
  for (let index = 0; index < 6; index++) out[offset + index] = matrix[index] + 0; // + 0: no −0
  out[offset + 6] = 0;
  out[offset + 7] = 0;
}

/** Rows of the affine map (first, second) → (first, second): `[a b c d e f]` is (a·first + b·second + c, d·first + …). */
export type AffineMatrix = [number, number, number, number, number, number];

/**
 * Shear · zoom about a centre, from output to input: Keras' matrices [[1, −sin], [0, cos]] · diag(zoomFirst, zoomSecond).
 *
 * @param shear in radians
 */
export function warpMatrix(
  shear: number,
  zoomFirst: number,
  zoomSecond: number,
  centreFirst: number,
  centreSecond: number,
): AffineMatrix {
  const a = zoomFirst;
  const b = -Math.sin(shear) * zoomSecond;
  const e = Math.cos(shear) * zoomSecond;
  return [a, b, centreFirst - a * centreFirst - b * centreSecond, 0, e, centreSecond - e * centreSecond];
}

/**
 * Keras 2 calls columns the first coordinate, rows the second. (It takes the centre of the other axis then, so that a
 * picture that is not square is warped about a point beside its middle. That defect is not followed: each axis has its own.)
 */
export function exchangeAxes([a, b, c, d, e, f]: AffineMatrix): AffineMatrix {
  return [e, d, f, b, a, c];
}

/** The flip comes after the warp: output column → width − 1 − column, then the warp. Exact, since it adds whole numbers. */
function flipHorizontally(matrix: AffineMatrix, width: number): void {
  matrix[2] += matrix[1] * (width - 1);
  matrix[5] += matrix[4] * (width - 1);
  matrix[1] = -matrix[1];
  matrix[4] = -matrix[4];
}

function zoomLimits(zoomRange: number | readonly [number, number]): readonly [number, number] {
  return typeof zoomRange === 'number' ? [1 - zoomRange, 1 + zoomRange] : zoomRange;
}

/** What is done to the pictures of a batch, and how it is laid out in numbers; see augment.ts. */

export type WarpInterpolation = 'nearest' | 'bilinear';
/** In the order of their numbers in wasm/augment.ts. */
export const fillModes = ['nearest', 'constant', 'reflect', 'wrap'] as const;
export type FillMode = (typeof fillModes)[number];

export interface AugmentAttributes {
  readonly interpolation: WarpInterpolation;
  /** Factor on the values 0 … 255; 1/255 gives 0 … 1. */
  readonly rescale: number;
  /** Default 'nearest'. */
  readonly fillMode?: FillMode;
  /** What is beyond the edge in mode 'constant', 0 … 255. Default 0. */
  readonly fillValue?: number;
  /** Whether the transforms' channel shifts are applied. Default false. */
  readonly channelShift?: boolean;
  /** Whether and how the transforms' brightness is applied. Default 'none'. */
  readonly brightness?: 'none' | 'plain' | 'stretched';
  readonly samplewiseCenter?: boolean;
  readonly samplewiseStdNormalization?: boolean;
  /** Subtracted from the rescaled values, [C]. Default: nothing. */
  readonly featurewiseMean?: readonly number[] | null;
  /** What they are divided by then, plus 1e-6, [C]. Default: nothing. */
  readonly featurewiseStd?: readonly number[] | null;
}

/** Floats of a transform: m0 … m5, channel shifts of red, green and blue, brightness, two zeros. */
export const TRANSFORM_SIZE = 12;
/** Floats of a picture's defects: noise, seed, blur, lane from and to, 3 × (row, column, radius, level), three zeros. */
export const DEFECTS_SIZE = 20;
export const BLOBS = 3;
/** Makes the deviation of a sum of four uniform numbers 1. */
export const NOISE_SCALE = Math.sqrt(3) / 65536;
/** Where in a transform they begin. */
export const SHIFT = 6;
export const BRIGHTNESS = 9;
export const EPSILON = 1e-6;
/** A stretched value that is whole must not lose one to rounding; those of bytes are at least 1/255 from the next whole one. */
export const STRETCH_MARGIN = 0.001;

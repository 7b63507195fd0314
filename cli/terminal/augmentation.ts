/** The options of augmentation and normalization, as `train` and `preview` take them. */
import type { AugmentationOptions, FillMode, NormalizationOptions } from '../../src/index.node.js';
import { shearRange, type Angle, type Profile } from './options.js';

export interface AugmentationFlags {
  readonly rotation: number;
  readonly widthShift: number;
  readonly heightShift: number;
  readonly shear: Angle;
  /** [low, high]; [1, 1] is none. */
  readonly zoom: readonly [number, number];
  readonly horizontalFlip?: boolean;
  readonly verticalFlip?: boolean;
  readonly brightness?: readonly [number, number];
  readonly channelShift: number;
  readonly fillMode: FillMode;
  readonly fillValue: number;
  readonly profile: Profile;
}

export type Normalize = 'none' | 'samplewise' | 'featurewise';

/** @throws UsageError for a shear of 90 degrees or more */
export function augmentationOf(flags: AugmentationFlags): AugmentationOptions {
  const { rotation, widthShift, heightShift, zoom, brightness, channelShift, fillMode, fillValue, profile } = flags;
  return {
    rotationRange: rotation,
    widthShiftRange: widthShift,
    heightShiftRange: heightShift,
    shearRange: shearRange(flags.shear, profile),
    zoomRange: zoom[0] === 1 && zoom[1] === 1 ? 0 : zoom,
    horizontalFlip: flags.horizontalFlip ?? false,
    verticalFlip: flags.verticalFlip ?? false,
    channelShiftRange: channelShift,
    brightnessRange: brightness ?? null,
    ...{ fillMode, cval: fillValue, profile },
  };
}

export function normalizationOf(normalize: Normalize): NormalizationOptions {
  if (normalize === 'samplewise') return { samplewiseCenter: true, samplewiseStdNormalization: true };
  return normalize === 'featurewise' ? { featurewiseCenter: true, featurewiseStdNormalization: true } : {};
}

/** From the flags of augmentation, as `train` and `preview` have them, to the options of the library. */
import type { AugmentationOptions } from '../../src/index.node.js';
import type { Options } from './command.js';
import type { augmentationFlags } from './common-flags.js';
import { shearRange } from './options.js';

/** @throws UsageError for a shear of 90 degrees or more */
export function augmentationOf(flags: Options<typeof augmentationFlags>): AugmentationOptions {
  const { rotation, widthShift, heightShift, zoom, fillMode, fillValue, profile } = flags;
  return {
    rotationRange: rotation,
    widthShiftRange: widthShift,
    heightShiftRange: heightShift,
    shearRange: shearRange(flags.shear, profile),
    zoomRange: zoom[0] === 1 && zoom[1] === 1 ? 0 : zoom,
    horizontalFlip: flags.horizontalFlip,
    verticalFlip: flags.verticalFlip,
    channelShiftRange: flags.channelShift,
    brightnessRange: flags.brightness ?? null,
    fillMode,
    cval: fillValue,
    profile,
  };
}

/** What a picture may cost, checked before anything of its size is allocated. */
import { DamagedPicture } from './damaged-picture.js';

export interface Limits {
  /** Larger pictures are refused. Default: 64 megapixels. */
  readonly maximumPixels?: number;
  /** Pictures whose decoding takes more bytes at its peak, besides the file, are refused. Default: 1 GiB. */
  readonly maximumMemory?: number;
  /** Told the bytes that decoding will take, before it takes them; it may wait until there is room. */
  readonly onMemory?: (bytes: number) => void;
}

/** Throws when a picture of so many pixels, that takes so many bytes to decode, is not wanted. */
export type CheckLimits = (width: number, height: number, memory: number) => void;

const DEFAULT_MAXIMUM_PIXELS = 64_000_000;
const DEFAULT_MAXIMUM_MEMORY = 2 ** 30;

export function limitCheck(limits: Limits): CheckLimits {
  const { maximumPixels = DEFAULT_MAXIMUM_PIXELS, maximumMemory = DEFAULT_MAXIMUM_MEMORY, onMemory } = limits;
  return (width, height, memory) => {
    if (width < 1 || height < 1) throw new DamagedPicture(`its header says ${width}×${height} pixels`);
    if (width * height > maximumPixels) {
      throw new DamagedPicture(
        `expects at most ${millions(maximumPixels)} megapixels, got ${width}×${height} = ` +
          `${millions(width * height)} megapixels`,
        'shrink the picture first',
      );
    }
    if (memory > maximumMemory) {
      throw new DamagedPicture(
        `expects to need at most ${millions(maximumMemory)} MB of memory, it takes ${millions(memory)} MB`,
        'shrink the picture first',
      );
    }
    onMemory?.(memory);
  };
}

function millions(number: number): string {
  return (number / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1, useGrouping: false });
}

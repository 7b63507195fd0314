/**
 * From a file's bytes to RGB pixels, the same in Node and in browsers. The format is told by content, never by name; whatever
 * is wrong with the bytes ends in a DataError, and in nothing else.
 */
import { DataError } from '../../errors.js';
import { expectBytes, expectObject, expectText } from '../../expect.js';
import { decodeBmp } from './bmp.js';
import { DamagedPicture } from './damaged-picture.js';
import { HOW_TO_CONVERT, type KnownFormat, pictureFormat } from './format.js';
import { decodeJpeg } from './jpeg/decode-jpeg.js';
import { type Limits, limitCheck } from './limits.js';
import { type Orientation, turnUpright } from './orientation.js';
import type { Picture } from './picture.js';
import { decodePng } from './png/decode-png.js';
import type { SixteenBit } from './png/pixels.js';

export interface DecodeOptions extends Limits {
  /** Turns and mirrors the picture as its EXIF orientation says. Default false: it is ignored, as in Keras. */
  readonly exif?: boolean;
  /** What shows through transparent pixels of a PNG, as RGB. Default: alpha is dropped, as in Keras. */
  readonly background?: readonly [red: number, green: number, blue: number];
  /** How 16 bits of a PNG become 8. Default: `high-byte`, as in Keras. */
  readonly sixteenBit?: SixteenBit;
}

/**
 * Decodes a JPEG, PNG or BMP file.
 *
 * @param bytes the whole file; not changed
 * @param name what error messages call it
 * @throws DataError for any other format, a picture that is too large, and every kind of damage; UsageError for what is no bytes
 */
export function decode(bytes: Uint8Array, name: string, options: DecodeOptions = {}): Picture {
  return decodeOriented(bytes, name, options).picture;
}

/** A picture, and what would make it upright. */
export interface Decoded {
  readonly picture: Picture;
  readonly orientation: Orientation;
}

/** The same, with the orientation that is left: 1 where the picture was turned. */
export function decodeOriented(bytes: Uint8Array, name: string, options: DecodeOptions = {}): Decoded {
  expectBytes(bytes, 'decode: bytes');
  expectText(name, 'decode: name');
  expectObject(options, 'decode: options');
  const format = pictureFormat(bytes);
  if (format !== 'JPEG' && format !== 'PNG' && format !== 'BMP') {
    throw new DataError(`${name}: expects a JPEG, PNG or BMP picture, got ${describeOther(format, bytes)}`);
  }
  try {
    const { picture, orientation } = decodeFormat(bytes, format, options);
    return options.exif ? { picture: turnUpright(picture, orientation), orientation: 1 } : { picture, orientation };
  } catch (error) {
    if (error instanceof DamagedPicture) {
      throw new DataError(`${name}: ${format} cannot be decoded: ${error.message}`, { cause: error });
    }
    if (error instanceof RangeError) {
      const problem = `there is not enough memory for it (${error.message}); shrink the picture first`;
      throw new DataError(`${name}: ${format} cannot be decoded: ${problem}`, { cause: error });
    }
    throw error;
  }
}

function decodeFormat(bytes: Uint8Array, format: 'JPEG' | 'PNG' | 'BMP', options: DecodeOptions): Decoded {
  const checkLimits = limitCheck(options);
  if (format === 'JPEG') return decodeJpeg(bytes, checkLimits);
  if (format === 'BMP') return { picture: decodeBmp(bytes, checkLimits), orientation: 1 };
  const { sixteenBit = 'high-byte', background = null } = options;
  return decodePng(bytes, checkLimits, { sixteenBit, background });
}

function describeOther(format: KnownFormat | null, bytes: Uint8Array): string {
  if (format !== null) return `${format}; ${HOW_TO_CONVERT}`;
  if (bytes.length === 0) return 'an empty file; remove it or restore it from its source';
  const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `a file that starts with the bytes ${start}, no known picture format; remove it or restore it from its source`;
}

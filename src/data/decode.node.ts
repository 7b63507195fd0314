/**
 * From a file's bytes to RGB pixels. The format is told by content, never by name; size and structure are checked before
 * a decoder sees the bytes, so that a damaged or hostile file ends in a DataError and in nothing else.
 */
import { DataError } from '../errors.js';
import { DamagedPicture } from './damaged-picture.js';
import { decodeJpeg } from './decode-jpeg.node.js';
import { decodePng } from './decode-png.node.js';
import type { Picture } from './picture.js';

export interface DecodeOptions {
  /** Larger pictures are refused before anything is decoded. Default: 64 megapixels. */
  readonly maximumPixels?: number;
}

const DEFAULT_MAXIMUM_PIXELS = 64_000_000;

type Format = 'PNG' | 'JPEG' | 'GIF' | 'WebP' | 'BMP' | 'TIFF' | 'HEIC' | 'AVIF' | 'JPEG XL' | 'JPEG 2000';

/**
 * Decodes a PNG or JPEG file. Alpha is dropped and EXIF orientation is ignored, both as in Keras; of 16 bits the high
 * byte is kept.
 *
 * @param bytes the whole file; not changed
 * @param name what error messages call it
 * @throws DataError for any other format, a picture above `maximumPixels`, and every kind of damage
 */
export function decode(bytes: Uint8Array, name: string, options: DecodeOptions = {}): Picture {
  const { maximumPixels = DEFAULT_MAXIMUM_PIXELS } = options;
  const format = pictureFormat(bytes);
  if (format !== 'PNG' && format !== 'JPEG') {
    throw new DataError(`${name}: expected a PNG or JPEG picture, received ${describeOther(format, bytes)}`);
  }
  try {
    const checkPixels = (width: number, height: number) => limitPixels(width, height, maximumPixels);
    return format === 'PNG' ? decodePng(bytes, checkPixels) : decodeJpeg(bytes, checkPixels);
  } catch (error) {
    throw new DataError(`${name}: ${format} cannot be decoded: ${complaint(error)}`, { cause: error });
  }
}

/** Our own checks say what is wrong; what the libraries throw (a TypeError, say) is often an accident inside them. */
function complaint(error: unknown): string {
  if (error instanceof DamagedPicture) return error.message;
  const detail = error instanceof Error && error.constructor === Error ? ` (${error.message})` : '';
  return `its data is damaged or of a rare kind${detail}; save the picture again with another program, or remove it`;
}

function limitPixels(width: number, height: number, maximumPixels: number): void {
  if (width < 1 || height < 1) throw new DamagedPicture(`its header says ${width}×${height} pixels`);
  if (width * height > maximumPixels) {
    throw new DamagedPicture(
      `expected at most ${megapixels(maximumPixels)} megapixels, received ${width}×${height} = ` +
        `${megapixels(width * height)} megapixels`,
      'shrink the picture first',
    );
  }
}

function megapixels(pixels: number): string {
  return (pixels / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1, useGrouping: false });
}

/** The picture format that the first bytes announce, or null. */
export function pictureFormat(bytes: Uint8Array): Format | null {
  const startsWith = (text: string, at = 0) =>
    bytes.length >= at + text.length && Array.from(text).every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
  if (startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (startsWith('\xff\xd8\xff')) return 'JPEG';
  if (startsWith('GIF87a') || startsWith('GIF89a')) return 'GIF';
  if (startsWith('RIFF') && startsWith('WEBP', 8)) return 'WebP';
  if (startsWith('II*\0') || startsWith('MM\0*')) return 'TIFF';
  if (startsWith('ftypavif', 4) || startsWith('ftypavis', 4)) return 'AVIF';
  // HEIC's brands: heic, heix, heim, heis, hevc, hevx, mif1, msf1
  if (startsWith('ftyphe', 4) || startsWith('ftypmif1', 4) || startsWith('ftypmsf1', 4)) return 'HEIC';
  if (startsWith('\xff\x0a') || startsWith('\0\0\0\x0cJXL ')) return 'JPEG XL';
  if (startsWith('\0\0\0\x0cjP  ') || startsWith('\xff\x4f\xff\x51')) return 'JPEG 2000';
  if (startsWith('BM') && bytes.length >= 26) return 'BMP';
  return null;
}

function describeOther(format: Format | null, bytes: Uint8Array): string {
  if (format !== null) return `${format}; convert it to PNG, for example with ImageMagick: magick INPUT OUTPUT.png`;
  if (bytes.length === 0) return 'an empty file; remove it or restore it from its source';
  const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return `a file that starts with the bytes ${start}, no known picture format; remove it or restore it from its source`;
}

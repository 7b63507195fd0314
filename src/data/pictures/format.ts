/** What kind of picture a file holds, told by its first bytes and never by its name. */
import { expectBytes } from '../../expect.js';

/** What to do with a picture of another format. */
export const HOW_TO_CONVERT = 'convert it to PNG, for example with ImageMagick: magick INPUT OUTPUT.png';

export type KnownFormat = 'PNG' | 'JPEG' | 'BMP' | 'GIF' | 'WebP' | 'TIFF' | 'HEIC' | 'AVIF' | 'JPEG XL' | 'JPEG 2000';

/** The format that the first bytes announce, or null. */
export function pictureFormat(bytes: Uint8Array): KnownFormat | null {
  expectBytes(bytes, 'pictureFormat: bytes');
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

/** How the name of a picture file ends, by its content: jpg, png, bmp. */
export const endingOf = (bytes: Uint8Array): string =>
  (pictureFormat(bytes) ?? 'picture').toLowerCase().replace('jpeg', 'jpg');

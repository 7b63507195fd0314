/**
 * What is kept of a decoded picture for the audit: a few figures and a thumbnail. They are taken before the picture is
 * resized for the network, so that they tell of the file itself.
 */
import { UsageError } from '../../errors.js';
import { expectBytes } from '../../expect.js';
import type { Orientation } from '../pictures/orientation.js';
import type { Picture } from '../pictures/picture.js';

/** Side of the thumbnail in pixels. */
export const THUMBNAIL_SIDE = 16;
const THUMBNAIL_LENGTH = THUMBNAIL_SIDE * THUMBNAIL_SIDE;

/** Bytes of one record: the figures, then the thumbnail. */
export const FACTS_LENGTH = 24 + THUMBNAIL_LENGTH;

/** Bytes of the hash of a file's content, SHA-256. */
export const DIGEST_LENGTH = 32;
/** Bytes of what is noted of each file: the digest of its content, then the facts of its picture. */
export const RECORD_LENGTH = DIGEST_LENGTH + FACTS_LENGTH;

/** Formats by their number in a record. */
const formats = ['PNG', 'JPEG', 'BMP'] as const;
export type PictureFormat = (typeof formats)[number];

export interface PictureFacts {
  readonly format: PictureFormat | null;
  readonly width: number;
  readonly height: number;
  /** Red, green and blue are equal everywhere. */
  readonly gray: boolean;
  /** What would make the picture upright, by its EXIF; 1: nothing, or it was done. */
  readonly orientation: Orientation;
  /** Mean and standard deviation of the brightness, 0 to 255. */
  readonly mean: number;
  readonly deviation: number;
  /** Parts of the picture that are nearly black (below 8 of 255) and nearly white (above 247). */
  readonly dark: number;
  readonly bright: number;
  /** Brightness, averaged over the cells of a 16×16 grid. */
  readonly thumbnail: Uint8Array;
}

const DARK = 8;
const BRIGHT = 247;
const ENOUGH_PIXELS = 65536;

/** Takes the facts of a picture and writes them as a record of FACTS_LENGTH bytes. */
export function writeFacts(
  picture: Picture,
  format: string | null,
  record: Uint8Array,
  orientation: Orientation = 1,
): void {
  const { width, height, data } = picture;
  // Of a large picture every second, third … row and column tells enough.
  const stride = Math.max(1, Math.floor(Math.sqrt((width * height) / ENOUGH_PIXELS)));
  let [pixels, sum, squares, dark, bright, coloured] = [0, 0, 0, 0, 0, 0];
  // Cells of the grid: sums of brightness, and their numbers of pixels. Pictures below 16 pixels leave cells empty.
  const sums = new Float64Array(THUMBNAIL_LENGTH);
  const counts = new Uint32Array(THUMBNAIL_LENGTH);
  for (let row = 0; row < height; row += stride) {
    let cell = Math.floor((row * THUMBNAIL_SIDE) / height) * THUMBNAIL_SIDE;
    let column = 0;
    for (let side = 1; side <= THUMBNAIL_SIDE; side++, cell++) {
      // Cell by cell, so that the innermost loop is one of local whole numbers.
      const end = Math.ceil((side * width) / THUMBNAIL_SIDE);
      const first = column;
      let [cellSum, cellSquares, cellDark, cellBright, difference] = [0, 0, 0, 0, 0];
      for (; column < end; column += stride) {
        const at = (row * width + column) * 3;
        const red = data[at];
        const green = data[at + 1];
        const blue = data[at + 2];
        const brightness = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16; // ITU-R 601, as Pillow's 'L'
        cellSum += brightness;
        cellSquares += brightness * brightness;
        if (brightness < DARK) cellDark++;
        if (brightness > BRIGHT) cellBright++;
        difference |= (red ^ green) | (green ^ blue);
      }
      const count = (column - first) / stride;
      sums[cell] += cellSum;
      counts[cell] += count;
      pixels += count;
      sum += cellSum;
      squares += cellSquares;
      dark += cellDark;
      bright += cellBright;
      coloured |= difference;
    }
  }
  const mean = sum / pixels;
  const view = new DataView(record.buffer, record.byteOffset, FACTS_LENGTH);
  view.setUint16(0, Math.min(width, 65535), true);
  view.setUint16(2, Math.min(height, 65535), true);
  view.setUint8(4, formats.indexOf(format as PictureFormat) + 1);
  view.setUint8(5, coloured === 0 ? 1 : 0);
  view.setUint8(6, orientation);
  view.setFloat32(8, mean, true);
  view.setFloat32(12, Math.sqrt(Math.max(0, squares / pixels - mean * mean)), true);
  view.setFloat32(16, dark / pixels, true);
  view.setFloat32(20, bright / pixels, true);
  for (let cell = 0; cell < THUMBNAIL_LENGTH; cell++) {
    record[24 + cell] = counts[cell] === 0 ? Math.round(mean) : Math.round(sums[cell] / counts[cell]);
  }
}

/** The facts in a record; the thumbnail is a part of it, not a copy. */
export function readFacts(record: Uint8Array): PictureFacts {
  expectBytes(record, 'readFacts: record');
  if (record.length < FACTS_LENGTH)
    throw new UsageError(`readFacts: expects a record of ${FACTS_LENGTH} bytes, got ${record.length}`);
  const view = new DataView(record.buffer, record.byteOffset, FACTS_LENGTH);
  return {
    format: formats[view.getUint8(4) - 1] ?? null,
    width: view.getUint16(0, true),
    height: view.getUint16(2, true),
    gray: view.getUint8(5) === 1,
    orientation: (view.getUint8(6) || 1) as Orientation, // 0: of a version that did not look
    mean: view.getFloat32(8, true),
    deviation: view.getFloat32(12, true),
    dark: view.getFloat32(16, true),
    bright: view.getFloat32(20, true),
    thumbnail: record.subarray(24, FACTS_LENGTH),
  };
}

/** How a camera was held, as EXIF tells it, and pictures turned upright. Source: CIPA DC-008 (EXIF), tag 0x0112; TIFF 6.0. */
import type { Picture } from './picture.js';

/**
 * What makes a stored picture upright: 1 nothing, 2 a mirror left to right, 3 half a turn, 4 a mirror top to bottom, 5 a
 * mirror along the diagonal from the top left, 6 a quarter turn clockwise, 7 a mirror along the other diagonal, 8 a quarter
 * turn counter-clockwise.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const LITTLE_ENDIAN = 0x4949; // "II"
const BIG_ENDIAN = 0x4d4d; // "MM"

/** @param exif a TIFF structure. @returns 1 where it says nothing, or nothing sensible */
export function readOrientation(exif: Uint8Array): Orientation {
  if (exif.length < 8) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const byteOrder = view.getUint16(0);
  if (byteOrder !== LITTLE_ENDIAN && byteOrder !== BIG_ENDIAN) return 1;
  const isLittleEndian = byteOrder === LITTLE_ENDIAN;
  const directory = view.getUint32(4, isLittleEndian);
  if (directory + 2 > exif.length) return 1;
  const first = directory + 2;
  const end = Math.min(first + 12 * view.getUint16(directory, isLittleEndian), exif.length - 11);
  for (let entry = first; entry < end; entry += 12) {
    if (view.getUint16(entry, isLittleEndian) !== ORIENTATION_TAG) continue;
    const value = view.getUint16(entry + 8, isLittleEndian);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

export function turnUpright(picture: Picture, orientation: Orientation): Picture {
  if (orientation === 1) return picture;
  const { width, height, data } = picture;
  const isTransposed = orientation >= 5;
  // Whether the stored columns, and the stored rows, run against those of the upright picture.
  const columnsReversed = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const rowsReversed = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const columnStep = columnsReversed ? -3 : 3;
  const rowStep = (rowsReversed ? -3 : 3) * width;
  const origin = (columnsReversed ? 3 * (width - 1) : 0) + (rowsReversed ? 3 * width * (height - 1) : 0);

  const [uprightWidth, uprightHeight] = isTransposed ? [height, width] : [width, height];
  const [alongRow, alongColumn] = isTransposed ? [rowStep, columnStep] : [columnStep, rowStep];
  const upright = new Uint8Array(data.length);
  let to = 0;
  for (let row = 0; row < uprightHeight; row++) {
    let from = origin + row * alongColumn;
    for (let column = 0; column < uprightWidth; column++, from += alongRow) {
      upright[to++] = data[from];
      upright[to++] = data[from + 1];
      upright[to++] = data[from + 2];
    }
  }
  return { width: uprightWidth, height: uprightHeight, data: upright };
}

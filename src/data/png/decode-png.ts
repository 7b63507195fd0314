/** PNG: all colour types, depths and interlacing. Source: Portable Network Graphics (PNG) Specification, W3C. */
import { DamagedPicture } from '../damaged-picture.js';
import type { Inflate } from '../inflate.js';
import type { CheckLimits } from '../limits.js';
import type { Orientation } from '../orientation.js';
import type { Picture } from '../picture.js';
import { bitsPerPixel, rowReader, type SixteenBit } from './pixels.js';
import { ColorType, type Header, readStructure } from './structure.js';
import { unfilter } from './unfilter.js';

export interface PngOptions {
  readonly inflate: Inflate;
  readonly sixteenBit: SixteenBit;
  /** What shows through transparent pixels; null where alpha is dropped. */
  readonly background: readonly [number, number, number] | null;
}

/** A code of 2 bits can stand for 258 bytes, so that a few bytes of a file could ask for much memory. */
const MOST_EXPANSION = 1032;

/** A picture of every so many pixels of the whole one; interlaced files store seven of them. */
interface Pass {
  readonly left: number;
  readonly top: number;
  readonly columnStep: number;
  readonly rowStep: number;
  /** In pixels. */
  readonly columns: number;
  readonly rows: number;
  /** Bytes of a row, without the one that names its filter. */
  readonly rowBytes: number;
}

/**
 * @param bytes a whole file that starts with PNG's signature
 * @throws DamagedPicture
 */
export function decodePng(
  bytes: Uint8Array,
  checkLimits: CheckLimits,
  { inflate, sixteenBit, background }: PngOptions,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const structure = readStructure(bytes, (header) => {
    checkLimits(header.width, header.height, filteredLength(header) + header.width * header.height * 3);
  });
  const { header, compressed, orientation } = structure;
  const { width, height } = header;
  const length = filteredLength(header);
  if (compressed.length * MOST_EXPANSION < length) {
    throw new DamagedPicture(
      `its ${compressed.length} bytes of compressed pixel data cannot be ${width}×${height} pixels`,
    );
  }
  const filtered = inflate(compressed, length);
  const step = Math.ceil(bitsPerPixel(header) / 8);
  const isPlain = header.colorType === ColorType.rgb && header.depth === 8 && background === null;
  const data = new Uint8Array(width * height * 3);
  const readRow = rowReader(structure, sixteenBit);
  const rgba = new Uint8Array(width * 4);
  let at = 0;
  for (const pass of passes(header)) {
    let above = -1;
    for (let row = 0; row < pass.rows; row++, at += 1 + pass.rowBytes) {
      unfilter(filtered, at, above, pass.rowBytes, step);
      above = at;
      const to = ((pass.top + row * pass.rowStep) * width + pass.left) * 3;
      if (isPlain && pass.columnStep === 1) {
        data.set(filtered.subarray(at + 1, at + 1 + pass.rowBytes), to);
        continue;
      }
      readRow(filtered, at + 1, pass.columns, rgba);
      if (background !== null) blend(rgba, pass.columns, background);
      spread(rgba, pass.columns, data, to, pass.columnStep * 3);
    }
  }
  return { picture: { width, height, data }, orientation };
}

/** Start and step of columns and rows in the seven passes of Adam7. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

function passes(header: Header): Pass[] {
  return (header.isInterlaced ? adam7 : [[0, 0, 1, 1]])
    .map(([left, top, columnStep, rowStep]) => {
      const columns = Math.ceil((header.width - left) / columnStep);
      const rows = Math.ceil((header.height - top) / rowStep);
      const rowBytes = Math.ceil((columns * bitsPerPixel(header)) / 8);
      return { left, top, columnStep, rowStep, columns, rows, rowBytes };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
}

/** Bytes of all rows, each with one more that names its filter. */
function filteredLength(header: Header): number {
  return passes(header).reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0);
}

/** Colours seen before a background. */
function blend(rgba: Uint8Array, columns: number, background: readonly number[]): void {
  for (let at = 0; at < columns * 4; at += 4) {
    const alpha = rgba[at + 3];
    for (let channel = 0; channel < 3; channel++) {
      const mixed = rgba[at + channel] * alpha + background[channel] * (255 - alpha);
      rgba[at + channel] = Math.round(mixed / 255);
    }
  }
}

/** RGBA side by side to RGB `step` bytes apart. */
function spread(rgba: Uint8Array, columns: number, data: Uint8Array, to: number, step: number): void {
  for (let from = 0; from < columns * 4; from += 4, to += step) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
}

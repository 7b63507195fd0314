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
/** Bytes that decompressing may take besides the picture, to its own: three times the picture's size is the most in all. */
const SPARE_MEMORY = 2;

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
  const structure = readStructure(bytes, ({ width, height }) => {
    checkLimits(width, height, width * height * 3 * (1 + SPARE_MEMORY));
  });
  const { header, compressed, orientation } = structure;
  const { width, height } = header;
  const length = filteredLength(header);
  const compressedLength = compressed.reduce((sum, piece) => sum + piece.length, 0);
  if (compressedLength * MOST_EXPANSION < length) {
    throw new DamagedPicture(
      `its ${compressedLength} bytes of compressed pixel data cannot be ${width}×${height} pixels`,
    );
  }
  const data = new Uint8Array(width * height * 3);
  const sampleStep = Math.ceil(bitsPerPixel(header) / 8);
  const isPlain = header.colorType === ColorType.rgb && header.depth === 8 && background === null;
  const readRow = rowReader(structure, sixteenBit, background !== null);
  const rgba = new Uint8Array(background === null ? 0 : width * 4);
  const take = takeRows(header, (filter, samples, above, row, pass) => {
    unfilter(filter, samples, above, sampleStep);
    const to = ((pass.top + row * pass.rowStep) * width + pass.left) * 3;
    const step = pass.columnStep * 3;
    if (isPlain && step === 3) data.set(samples, to);
    else if (background === null) readRow(samples, pass.columns, data, to, step);
    else {
      readRow(samples, pass.columns, rgba, 0, 4);
      blend(rgba, pass.columns, background, data, to, step);
    }
  });
  inflate(compressed, { length, spareMemory: data.length * SPARE_MEMORY, take });
  return { picture: { width, height, data }, orientation };
}

/**
 * Cuts what comes in pieces of any length into the rows of all passes.
 *
 * @param onRow gets a row, which it may change, and the row above as it left it (of a pass's first row: zeros)
 */
function takeRows(
  header: Header,
  onRow: (filter: number, samples: Uint8Array, above: Uint8Array, row: number, pass: Pass) => void,
): (piece: Uint8Array) => void {
  const all = passes(header);
  let [pass] = all;
  let row = 0;
  let above: Uint8Array = new Uint8Array(pass.rowBytes);
  /** What earlier pieces held of the next row and its filter. */
  let begun = new Uint8Array(0);
  let had = 0;
  const finish = (filtered: Uint8Array): void => {
    const samples = filtered.subarray(1);
    onRow(filtered[0], samples, above, row++, pass);
    above = samples;
    if (row < pass.rows || all.at(-1) === pass) return;
    pass = all[all.indexOf(pass) + 1];
    row = 0;
    above = new Uint8Array(pass.rowBytes);
  };
  return (piece) => {
    for (let at = 0; at < piece.length;) {
      const needed = 1 + pass.rowBytes - had;
      const part = piece.subarray(at, at + needed);
      at += part.length;
      if (had === 0 && part.length === needed) {
        finish(part);
        continue;
      }
      if (had === 0) begun = new Uint8Array(needed);
      begun.set(part, had);
      had += part.length;
      if (part.length < needed) continue;
      had = 0;
      finish(begun);
    }
  };
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
function blend(
  rgba: Uint8Array,
  columns: number,
  background: readonly number[],
  data: Uint8Array,
  to: number,
  step: number,
): void {
  for (let from = 0; from < columns * 4; from += 4, to += step) {
    const alpha = rgba[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      const mixed = rgba[from + channel] * alpha + background[channel] * (255 - alpha);
      data[to + channel] = Math.round(mixed / 255);
    }
  }
}

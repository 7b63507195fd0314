/** PNG: all colour types, depths and interlacing. Source: Portable Network Graphics (PNG) Specification, W3C. */
import { inflate, InflateError } from '../../inflate/inflate.js';
import { DamagedPicture } from '../damaged-picture.js';
import type { CheckLimits } from '../limits.js';
import type { Orientation } from '../orientation.js';
import type { Picture } from '../picture.js';
import { bitsPerPixel, rowReader, type SixteenBit } from './pixels.js';
import { ColorType, type Header, readStructure } from './structure.js';
import { unfilter } from './unfilter.js';

export interface PngOptions {
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
  { sixteenBit, background }: PngOptions,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const structure = readStructure(bytes, ({ width, height }) => {
    checkLimits(width, height, width * height * 3); // what else it takes, two rows and the inflater's memory, is small
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
  for (const piece of inflateTo(length, compressed)) take(piece);
  return { picture: { width, height, data }, orientation };
}

/**
 * What the pixel data becomes, in pieces, and no more than it must.
 *
 * @throws DamagedPicture when it is damaged, or becomes shorter or longer than `length`
 */
function* inflateTo(length: number, compressed: readonly Uint8Array[]): Generator<Uint8Array, void> {
  let received = 0;
  try {
    for (const piece of inflate(compressed, 'zlib')) {
      received += piece.length;
      if (received > length) {
        throw new DamagedPicture(`it holds more pixel data than the ${length} bytes that its header asks for`);
      }
      yield piece;
    }
  } catch (error) {
    throw error instanceof InflateError ? new DamagedPicture(`its pixel data is damaged (${error.message})`) : error;
  }
  if (received !== length) throw new DamagedPicture(`expects ${length} bytes of pixel data, got ${received}`);
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
  const left = passes(header);
  let pass: Pass;
  let row: number;
  /** A row with its filter before it, as far as it is there. */
  let current: Uint8Array;
  let had = 0;
  let above: Uint8Array;
  const beginPass = (next: Pass): void => {
    pass = next;
    row = 0;
    current = new Uint8Array(1 + pass.rowBytes);
    above = new Uint8Array(1 + pass.rowBytes);
  };
  beginPass(left.shift() as Pass);
  return (piece) => {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + current.length - had);
      current.set(part, had);
      at += part.length;
      had += part.length;
      if (had < current.length) return;
      had = 0;
      onRow(current[0], current.subarray(1), above.subarray(1), row++, pass);
      [above, current] = [current, above];
      if (row === pass.rows && left.length > 0) beginPass(left.shift() as Pass);
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

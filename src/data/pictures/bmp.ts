/**
 * BMP, the bitmaps of Windows and OS/2: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, and runs (RLE4, RLE8).
 * Source: Microsoft, Bitmap Storage; where files break its rules, Pillow's BmpImagePlugin.
 */
import { DamagedPicture } from './damaged-picture.js';
import type { CheckLimits } from './limits.js';
import type { Picture } from './picture.js';

interface Header {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  /** Bits a pixel. */
  readonly depth: number;
  readonly compression: number;
  /** Of depths to 8: blue, green and red of each colour, `paletteStep` bytes apart. */
  readonly palette: Uint8Array;
  readonly paletteStep: number;
  /** Of other depths: which bits of a pixel are red, green and blue. */
  readonly masks: readonly number[];
  /** Where the pixels start in the file. */
  readonly start: number;
}

const Compression = { none: 0, runs8: 1, runs4: 2, masks: 3 } as const;

/**
 * @param bytes a whole file that starts with "BM"
 * @throws DamagedPicture
 */
export function decodeBmp(bytes: Uint8Array, checkLimits: CheckLimits): Picture {
  const header = readHeader(bytes);
  const { width, height, depth, compression } = header;
  checkLimits(width, height, width * height * (depth > 8 ? 3 : 4));
  const isRuns = compression === Compression.runs8 || compression === Compression.runs4;
  if (!isRuns) checkLength(bytes, header);
  const data = new Uint8Array(width * height * 3);
  if (depth > 8) readColours(bytes, header, data);
  else lookUp(isRuns ? readRuns(bytes, header) : readIndices(bytes, header), header, data);
  return { width, height, data };
}

function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length >= 18 ? view.getUint32(14, true) : 0;
  if (![12, 40, 52, 56, 64, 108, 124].includes(length)) {
    throw new DamagedPicture(
      `its header of ${length} bytes is of an unknown kind`,
      'save it again with another program',
    );
  }
  let end = 14 + length;
  if (bytes.length < end) throw truncated(bytes);
  const isCore = length === 12; // OS/2's first version
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const height = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const depth = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? Compression.none : view.getUint32(30, true);
  checkKind(depth, compression);
  if (width < 0) throw new DamagedPicture(`its header says ${width} columns`);
  const masksFollow = compression === Compression.masks && length === 40;
  if (masksFollow && bytes.length < end + 12) throw truncated(bytes);

  const masks = compression === Compression.masks ? readMasks(view, depth) : standardMasks(depth);
  if (masksFollow) end += 12;
  const paletteStep = isCore ? 3 : 4;
  const colours = (isCore ? 0 : view.getUint32(46, true)) || 1 << depth;
  const paletteEnd = depth > 8 ? end : end + paletteStep * colours;
  if (paletteEnd > bytes.length) throw new DamagedPicture(`its palette of ${colours} colours is larger than the file`);
  const palette = bytes.subarray(end, paletteEnd);
  const given = view.getUint32(10, true);
  // Some programs give the end of the header, though the palette follows it.
  const start = given === 0 || given === end ? paletteEnd : given;
  const isTopDown = height < 0;
  return { width, height: Math.abs(height), isTopDown, depth, compression, palette, paletteStep, masks, start };
}

function checkKind(depth: number, compression: number): void {
  const isKnown =
    (compression === Compression.none && [1, 4, 8, 16, 24, 32].includes(depth)) ||
    (compression === Compression.runs8 && depth === 8) ||
    (compression === Compression.runs4 && depth === 4) ||
    (compression === Compression.masks && [16, 24, 32].includes(depth));
  if (isKnown) return;
  throw new DamagedPicture(
    `expects 1, 4, 8, 16, 24 or 32 bits a pixel, got ${depth} with compression ${compression}`,
    'save it again with another program',
  );
}

function standardMasks(depth: number): number[] {
  return depth === 16 ? [0x7c00, 0x03e0, 0x001f] : [0xff0000, 0x00ff00, 0x0000ff];
}

function readMasks(view: DataView, depth: number): number[] {
  const masks = [54, 58, 62].map((at) => view.getUint32(at, true));
  return masks.every((mask) => mask === 0) ? standardMasks(depth) : masks;
}

/** Bytes of a row in the file: whole words of 4. */
const rowStride = ({ width, depth }: Header): number => Math.ceil((width * depth) / 32) * 4;

/** @throws DamagedPicture when there are fewer bytes than pixels need; the last row may lack what only fills its word */
function checkLength(bytes: Uint8Array, header: Header): void {
  const { width, height, depth, start } = header;
  if (start + (height - 1) * rowStride(header) + Math.ceil((width * depth) / 8) > bytes.length) throw truncated(bytes);
}

/** Where the pixels of the n-th row of the file go. */
const placeOfRow = ({ width, height, isTopDown }: Header, row: number): number =>
  (isTopDown ? row : height - 1 - row) * width * 3;

function readColours(bytes: Uint8Array, header: Header, data: Uint8Array): void {
  const { width, height, depth, start } = header;
  const size = depth / 8;
  const channels = header.masks.map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask); // zeros below
    return { mask, shift, most: Math.max(1, mask >>> shift) };
  });
  for (let row = 0; row < height; row++) {
    let from = start + row * rowStride(header);
    let to = placeOfRow(header, row);
    for (let column = 0; column < width; column++, from += size) {
      let pixel = bytes[from] | (bytes[from + 1] << 8);
      if (size > 2) pixel |= bytes[from + 2] << 16;
      if (size > 3) pixel |= bytes[from + 3] << 24;
      for (const { mask, shift, most } of channels) data[to++] = (((pixel & mask) >>> shift) * 255) / most;
    }
  }
}

/** Indices into the palette, [height, width], rows in the order of the file. */
function readIndices(bytes: Uint8Array, header: Header): Uint8Array {
  const { width, height, depth, start } = header;
  const indices = new Uint8Array(width * height);
  const mask = (1 << depth) - 1;
  for (let row = 0, to = 0; row < height; row++) {
    const from = start + row * rowStride(header);
    for (let column = 0, bit = 0; column < width; column++, bit += depth) {
      indices[to++] = (bytes[from + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return indices;
}

/**
 * The same of a picture stored as runs. A pair of bytes is a count and an index (two of 4 bits, in turns); or after a 0 as
 * count, 0 ends the row, 1 ends the picture, 2 leaves out columns and rows, and more is a count of indices that follow.
 */
function readRuns(bytes: Uint8Array, { width, height, compression, start }: Header): Uint8Array {
  const isNibbles = compression === Compression.runs4;
  const indices = new Uint8Array(width * height);
  let to = 0;
  let column = 0;
  let from = start;
  while (to < indices.length) {
    if (from + 1 >= bytes.length) throw truncated(bytes);
    const count = bytes[from];
    const value = bytes[from + 1];
    from += 2;
    if (count > 0) {
      const kept = Math.min(count, Math.max(0, width - column)); // what goes past the row's end is dropped
      for (let index = 0; index < kept; index++) {
        indices[to++] = isNibbles ? nibble(value, index) : value;
      }
      column += kept;
    } else if (value === 0) {
      to = Math.ceil(to / width) * width;
      column = 0;
    } else if (value === 1) {
      throw new DamagedPicture(`its runs end after ${to} of ${indices.length} pixels`);
    } else if (value === 2) {
      to += bytes[from] + bytes[from + 1] * width;
      from += 2;
      column = to % width;
    } else {
      const kept = Math.min(value, indices.length - to);
      for (let index = 0; index < kept; index++) {
        indices[to++] = isNibbles ? nibble(bytes[from + (index >> 1)], index) : bytes[from + index];
      }
      column += value;
      from += isNibbles ? Math.ceil(kept / 2) : kept;
      if (from > bytes.length) throw truncated(bytes);
      from += from % 2;
    }
  }
  return indices;
}

const nibble = (byte: number, index: number): number => (index % 2 === 0 ? byte >> 4 : byte & 15);

function lookUp(indices: Uint8Array, header: Header, data: Uint8Array): void {
  const { width, height, palette, paletteStep } = header;
  const count = Math.floor(palette.length / paletteStep);
  for (let row = 0, from = 0; row < height; row++) {
    let to = placeOfRow(header, row);
    for (const end = from + width; from < end; from++) {
      const index = indices[from];
      if (index >= count) throw new DamagedPicture(`a pixel has colour ${index} of a palette of ${count}`);
      const colour = index * paletteStep;
      data[to++] = palette[colour + 2];
      data[to++] = palette[colour + 1];
      data[to++] = palette[colour];
    }
  }
}

const truncated = (bytes: Uint8Array): DamagedPicture =>
  new DamagedPicture(`the file ends too early, after ${bytes.length} bytes`);

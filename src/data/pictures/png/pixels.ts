/** Samples of a row, as a file stores them, to colours of 8 bits. Source: PNG Specification, 4.4 and 11.3.2 (tRNS). */
import { DamagedPicture } from '../damaged-picture.js';
import { ColorType, type Header, type Structure } from './structure.js';

/** How 16 bits become 8: the high byte, as Pillow and Keras take it, or the nearest. */
export type SixteenBit = 'high-byte' | 'nearest';

/**
 * Reads the pixels of a row.
 *
 * @param out takes red, green, blue and, where it is asked for, alpha from `to` on, pixels `step` apart
 */
export type ReadRow = (row: Uint8Array, columns: number, out: Uint8Array, to: number, step: number) => void;

const channels: Record<number, number> = {
  [ColorType.gray]: 1,
  [ColorType.rgb]: 3,
  [ColorType.palette]: 1,
  [ColorType.grayAlpha]: 2,
  [ColorType.rgbAlpha]: 4,
};

export const bitsPerPixel = ({ depth, colorType }: Header): number => depth * channels[colorType];

export function rowReader(structure: Structure, sixteenBit: SixteenBit, withAlpha: boolean): ReadRow {
  const { depth, colorType } = structure.header;
  const isIndexed = colorType === ColorType.palette || (colorType === ColorType.gray && depth <= 8);
  return isIndexed ? indexedReader(structure, withAlpha) : sampleReader(structure, sixteenBit, withAlpha);
}

/** Palettes; and gray of up to 8 bits, which is a palette of grays. */
function indexedReader({ header, palette, transparency }: Structure, withAlpha: boolean): ReadRow {
  const { depth, colorType } = header;
  const colours = new Uint8Array(4 << depth).fill(255);
  let count = 1 << depth;
  if (colorType === ColorType.palette && palette !== null) {
    count = Math.min(count, palette.length / 3);
    for (let index = 0; index < count; index++) {
      colours.set(palette.subarray(3 * index, 3 * index + 3), 4 * index);
      colours[4 * index + 3] = transparency?.[index] ?? 255;
    }
  } else {
    for (let level = 0; level < count; level++) colours.fill((level * 255) / (count - 1), 4 * level, 4 * level + 3);
    const transparent = transparency === null ? count : (transparency[0] << 8) | transparency[1];
    if (transparent < count) colours[4 * transparent + 3] = 0;
  }
  const mask = (1 << depth) - 1;
  return (row, columns, out, to, step) => {
    for (let column = 0, bit = 0; column < columns; column++, bit += depth, to += step) {
      const index = (row[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
      if (index >= count) throw new DamagedPicture(`a pixel has colour ${index} of a palette of ${count}`);
      out[to] = colours[4 * index];
      out[to + 1] = colours[4 * index + 1];
      out[to + 2] = colours[4 * index + 2];
      if (withAlpha) out[to + 3] = colours[4 * index + 3];
    }
  };
}

/** Whole bytes, or pairs of them. */
function sampleReader({ header, transparency }: Structure, sixteenBit: SixteenBit, withAlpha: boolean): ReadRow {
  const { depth, colorType } = header;
  const size = depth / 8;
  const pixelSize = size * channels[colorType];
  const hasColour = colorType === ColorType.rgb || colorType === ColorType.rgbAlpha;
  const hasAlpha = colorType === ColorType.grayAlpha || colorType === ColorType.rgbAlpha;
  const [green, blue] = hasColour ? [size, 2 * size] : [0, 0];
  const alpha = pixelSize - size;
  const isRounded = size === 2 && sixteenBit === 'nearest';
  // tRNS has 2 bytes a sample, whatever the depth.
  const key = transparency?.filter((_, index) => size === 2 || index % 2 === 1).subarray(0, pixelSize);
  const isKey = (row: Uint8Array, at: number): boolean =>
    key?.length === pixelSize && key.every((byte, index) => row[at + index] === byte);
  return (row, columns, out, to, step) => {
    const samples = isRounded ? rounded(row) : row;
    for (let at = 0; at < columns * pixelSize; at += pixelSize, to += step) {
      out[to] = samples[at];
      out[to + 1] = samples[at + green];
      out[to + 2] = samples[at + blue];
      if (withAlpha) out[to + 3] = hasAlpha ? samples[at + alpha] : isKey(row, at) ? 0 : 255;
    }
  };
}

/** Pairs of bytes whose first one is the nearest to both. */
function rounded(row: Uint8Array): Uint8Array {
  return row.map((high, at) => (at % 2 === 0 ? Math.round(((high << 8) | row[at + 1]) / 257) : 0));
}

/** Samples of a row, as a file stores them, to RGBA with 8 bits. Source: PNG Specification, 4.4 and 11.3.2 (tRNS). */
import { DamagedPicture } from '../damaged-picture.js';
import { ColorType, type Header, type Structure } from './structure.js';

/** How 16 bits become 8: the high byte, as Pillow and Keras take it, or the nearest. */
export type SixteenBit = 'high-byte' | 'nearest';

/** @param at where the row's bytes start. @param rgba [columns, 4], to be filled */
export type ReadRow = (bytes: Uint8Array, at: number, columns: number, rgba: Uint8Array) => void;

const channels: Record<number, number> = {
  [ColorType.gray]: 1,
  [ColorType.rgb]: 3,
  [ColorType.palette]: 1,
  [ColorType.grayAlpha]: 2,
  [ColorType.rgbAlpha]: 4,
};

export const bitsPerPixel = ({ depth, colorType }: Header): number => depth * channels[colorType];

export function rowReader(structure: Structure, sixteenBit: SixteenBit): ReadRow {
  const { depth, colorType } = structure.header;
  const isIndexed = colorType === ColorType.palette || (colorType === ColorType.gray && depth <= 8);
  return isIndexed ? indexedReader(structure) : sampleReader(structure, sixteenBit);
}

/** Palettes; and gray of up to 8 bits, which is a palette of grays. */
function indexedReader({ header, palette, transparency }: Structure): ReadRow {
  const { depth, colorType } = header;
  const colours = new Uint8Array(4 << depth).fill(255);
  let count = 1 << depth;
  if (colorType === ColorType.palette && palette !== null) {
    count = palette.length / 3;
    for (let index = 0; index < Math.min(count, 1 << depth); index++) {
      colours.set(palette.subarray(3 * index, 3 * index + 3), 4 * index);
      colours[4 * index + 3] = transparency?.[index] ?? 255;
    }
  } else {
    for (let level = 0; level < count; level++) colours.fill((level * 255) / (count - 1), 4 * level, 4 * level + 3);
    const transparent = transparency === null ? count : (transparency[0] << 8) | transparency[1];
    if (transparent < count) colours[4 * transparent + 3] = 0;
  }
  const words = new Uint32Array(colours.buffer);
  const mask = (1 << depth) - 1;
  return (bytes, at, columns, rgba) => {
    const pixels = new Uint32Array(rgba.buffer);
    for (let column = 0, bit = 0; column < columns; column++, bit += depth) {
      const index = (bytes[at + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
      if (index >= count) throw new DamagedPicture(`a pixel has colour ${index} of a palette of ${count}`);
      pixels[column] = words[index];
    }
  };
}

/** Whole bytes, or pairs of them. */
function sampleReader({ header, transparency }: Structure, sixteenBit: SixteenBit): ReadRow {
  const { depth, colorType } = header;
  const size = depth / 8;
  const pixelSize = size * channels[colorType];
  const hasColour = colorType === ColorType.rgb || colorType === ColorType.rgbAlpha;
  const hasAlpha = colorType === ColorType.grayAlpha || colorType === ColorType.rgbAlpha;
  const [green, blue] = hasColour ? [size, 2 * size] : [0, 0];
  const alpha = pixelSize - size;
  const level =
    size === 2 && sixteenBit === 'nearest'
      ? (bytes: Uint8Array, at: number): number => Math.round(((bytes[at] << 8) | bytes[at + 1]) / 257)
      : (bytes: Uint8Array, at: number): number => bytes[at];
  // tRNS has 2 bytes a sample, whatever the depth
  const key = transparency?.filter((_, index) => size === 2 || index % 2 === 1).subarray(0, pixelSize);
  const isKey = (bytes: Uint8Array, at: number): boolean =>
    key?.length === pixelSize && key.every((byte, index) => bytes[at + index] === byte);
  return (bytes, at, columns, rgba) => {
    for (let column = 0, to = 0; column < columns; column++, at += pixelSize, to += 4) {
      rgba[to] = level(bytes, at);
      rgba[to + 1] = level(bytes, at + green);
      rgba[to + 2] = level(bytes, at + blue);
      if (hasAlpha) rgba[to + 3] = level(bytes, at + alpha);
      else rgba[to + 3] = key !== undefined && isKey(bytes, at) ? 0 : 255;
    }
  };
}

/**
 * Writes JPEG: baseline, chrominance at full resolution (4:4:4).
 * Source: ITU-T T.81; JFIF 1.02; Y. Arai, T. Agui and M. Nakajima, A Fast DCT-SQ Scheme for Images, 1988.
 */
import { cos } from '../../../tensor/exact-math.js';
import { expectWhole } from '../../../expect.js';
import type { Picture } from '../picture.js';
import { expectPicture } from '../resize.js';
import type { HuffmanDefinition } from './huffman-table.js';
import { standardAcTables, standardDcTables } from './standard-tables.js';
import { zigzag } from './zigzag.js';

/** Of ITU-T T.81, annex K.1, at quality 50: row by row. */
const luminanceQuantization = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];
const chrominanceQuantization = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99,
];

/** Of the fast transform: what its results for a row, or for a column, are larger by. */
const scale = Array.from({ length: 8 }, (_, k) => (k === 0 ? 1 : Math.SQRT2 * cos((k * Math.PI) / 16)));

/** How luminance, or chrominance, is encoded. */
interface Channel {
  readonly quantization: Uint8Array;
  /** Factors from the transform's results to quantized coefficients, [64] row by row. */
  readonly factors: Float32Array;
  /** By symbol: code, and length of the code in the upper 16 bits. */
  readonly dcCodes: Uint32Array;
  readonly acCodes: Uint32Array;
}

/** @param quality 1 to 100, as libjpeg counts it. @throws UsageError for what is no picture */
export function encodeJpeg(picture: Picture, quality: number): Uint8Array {
  expectPicture(picture, 'encodeJpeg');
  expectWhole(quality, 'encodeJpeg: quality', 1, 100);
  const channels = [
    channelOf(luminanceQuantization, standardDcTables[0], standardAcTables[0], quality),
    channelOf(chrominanceQuantization, standardDcTables[1], standardAcTables[1], quality),
  ];
  const writer = new Writer();
  writeHeaders(writer, picture, channels);
  writePixels(writer, picture, channels);
  return writer.finish();
}

function channelOf(base: readonly number[], dc: HuffmanDefinition, ac: HuffmanDefinition, quality: number): Channel {
  const percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  const quantization = Uint8Array.from(base, (step) =>
    Math.min(255, Math.max(1, Math.floor((step * percent + 50) / 100))),
  );
  const factors = Float32Array.from(quantization, (step, at) => 1 / (step * 8 * scale[at >> 3] * scale[at & 7]));
  return { quantization, factors, dcCodes: codesOf(dc), acCodes: codesOf(ac) };
}

function codesOf({ counts, symbols }: HuffmanDefinition): Uint32Array {
  const bySymbol = new Uint32Array(256);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= 16; length++) {
    for (const end = place + counts[length - 1]; place < end; place++)
      bySymbol[symbols[place]] = (length << 16) | code++;
    code <<= 1;
  }
  return bySymbol;
}

function writeHeaders(writer: Writer, { width, height }: Picture, channels: readonly Channel[]): void {
  const segment = (marker: number, ...content: readonly number[]): void => {
    writer.bytes(0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content);
  };
  writer.bytes(0xff, 0xd8);
  segment(0xe0, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0); // JFIF 1.1, square pixels, no thumbnail
  for (const [index, { quantization }] of channels.entries()) {
    segment(0xdb, index, ...Array.from(zigzag, (place) => quantization[place]));
  }
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  segment(0xc0, 8, ...size, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1);
  for (const index of [0, 1]) {
    segment(0xc4, index, ...standardDcTables[index].counts, ...standardDcTables[index].symbols);
    segment(0xc4, 0x10 | index, ...standardAcTables[index].counts, ...standardAcTables[index].symbols);
  }
  segment(0xda, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0);
}

function writePixels(writer: Writer, picture: Picture, [luminance, chrominance]: readonly Channel[]): void {
  const y = new Float32Array(64);
  const cb = new Float32Array(64);
  const cr = new Float32Array(64);
  const predictions = [0, 0, 0];
  for (let top = 0; top < picture.height; top += 8) {
    for (let left = 0; left < picture.width; left += 8) {
      convertBlock(picture, left, top, y, cb, cr);
      predictions[0] = writeBlock(writer, y, luminance, predictions[0]);
      predictions[1] = writeBlock(writer, cb, chrominance, predictions[1]);
      predictions[2] = writeBlock(writer, cr, chrominance, predictions[2]);
    }
  }
}

/** Luminance and chrominance of 8 × 8 pixels, −128 to 127. Beyond the border the picture's last pixels are repeated. */
function convertBlock(
  { width, height, data }: Picture,
  left: number,
  top: number,
  y: Float32Array,
  cb: Float32Array,
  cr: Float32Array,
): void {
  for (let at = 0; at < 64; at++) {
    const row = Math.min(top + (at >> 3), height - 1);
    const column = Math.min(left + (at & 7), width - 1);
    const from = (row * width + column) * 3;
    const red = data[from];
    const green = data[from + 1];
    const blue = data[from + 2];
    y[at] = 0.299 * red + 0.587 * green + 0.114 * blue - 128;
    cb[at] = -0.168735892 * red - 0.331264108 * green + 0.5 * blue;
    cr[at] = 0.5 * red - 0.418687589 * green - 0.081312411 * blue;
  }
}

/** @param block samples, which are used up. @param prediction the last block's first coefficient. @returns this one's */
function writeBlock(writer: Writer, block: Float32Array, channel: Channel, prediction: number): number {
  for (let row = 0; row < 64; row += 8) transform(block, row, 1);
  for (let column = 0; column < 8; column++) transform(block, column, 8);
  const { factors, dcCodes, acCodes } = channel;
  const first = Math.round(block[0] * factors[0]);
  writer.number(dcCodes, 0, first - prediction);
  let zeros = 0;
  for (let index = 1; index < 64; index++) {
    const place = zigzag[index];
    const coefficient = Math.round(block[place] * factors[place]);
    if (coefficient === 0) {
      zeros++;
      continue;
    }
    for (; zeros > 15; zeros -= 16) writer.code(acCodes[0xf0]);
    writer.number(acCodes, zeros, coefficient);
    zeros = 0;
  }
  if (zeros > 0) writer.code(acCodes[0]);
  return first;
}

/** Forward cosine transform of 8 numbers in place; the results are larger by `scale`, and by the square root of 8. */
function transform(block: Float32Array, at: number, step: number): void {
  const x0 = block[at];
  const x1 = block[at + step];
  const x2 = block[at + 2 * step];
  const x3 = block[at + 3 * step];
  const x4 = block[at + 4 * step];
  const x5 = block[at + 5 * step];
  const x6 = block[at + 6 * step];
  const x7 = block[at + 7 * step];

  const sum0 = x0 + x7 + x3 + x4;
  const sum1 = x1 + x6 + x2 + x5;
  const even = x0 + x7 - x3 - x4;
  const turned = (x1 + x6 - x2 - x5 + even) * Math.SQRT1_2;
  block[at] = sum0 + sum1;
  block[at + 4 * step] = sum0 - sum1;
  block[at + 2 * step] = even + turned;
  block[at + 6 * step] = even - turned;

  const odd3 = x3 - x4 + x2 - x5;
  const odd2 = (x2 - x5 + x1 - x6) * Math.SQRT1_2;
  const odd1 = x1 - x6 + x0 - x7;
  const shared = (odd3 - odd1) * 0.382683433; // sin(π/8)
  const turned3 = 0.5411961 * odd3 + shared;
  const turned1 = 1.306562965 * odd1 + shared;
  const upper = x0 - x7 + odd2;
  const lower = x0 - x7 - odd2;
  block[at + step] = upper + turned1;
  block[at + 7 * step] = upper - turned1;
  block[at + 5 * step] = lower + turned3;
  block[at + 3 * step] = lower - turned3;
}

/** Bits and bytes of a file in the making. */
class Writer {
  #out = new Uint8Array(1 << 16);
  #length = 0;
  /** The last bits that make no byte yet, in the lowest places. */
  #bits = 0;
  #count = 0;

  bytes(...bytes: readonly number[]): void {
    this.#reserve(bytes.length);
    this.#out.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A number behind the code that tells its size, and the zeros before it. */
  number(codes: Uint32Array, zeros: number, value: number): void {
    const size = 32 - Math.clz32(Math.abs(value));
    this.code(codes[(zeros << 4) | size]);
    this.#append(value < 0 ? value - 1 : value, size);
  }

  code(entry: number): void {
    this.#append(entry, entry >>> 16);
  }

  /** The lowest bits of a number. @param size up to 16 */
  #append(value: number, size: number): void {
    this.#reserve(6);
    this.#bits = (this.#bits << size) | (value & ((1 << size) - 1));
    this.#count += size;
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = (this.#bits >>> this.#count) & 255;
      this.#out[this.#length++] = byte;
      if (byte === 0xff) this.#out[this.#length++] = 0; // not to be taken for a marker
    }
  }

  /** The file, ended. */
  finish(): Uint8Array {
    this.#append(0x7f, 7); // ones fill the last byte
    this.bytes(0xff, 0xd9);
    return this.#out.slice(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return;
    const longer = new Uint8Array(2 * this.#out.length + bytes);
    longer.set(this.#out);
    this.#out = longer;
  }
}

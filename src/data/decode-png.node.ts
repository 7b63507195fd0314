/**
 * PNG through pngjs, which alone is not safe: on too little data it returns uninitialised memory, it believes any size,
 * and it blackens pixels of a transparent colour. So we walk the chunks and inflate the pixel data ourselves, and give
 * pngjs a file put together from checked parts only.
 * Source: Portable Network Graphics (PNG) Specification, W3C.
 */
import { crc32, inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { DamagedPicture } from './damaged-picture.js';
import type { Picture } from './picture.js';

const SIGNATURE_LENGTH = 8;

/** libpng's limit too; beyond it pngjs' arithmetic overflows. */
const MAXIMUM_SIDE = 1_000_000;

const channelsOfColorType: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const depthsOfColorType: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16], // gray
  2: [8, 16], // RGB
  3: [1, 2, 4, 8], // palette
  4: [8, 16], // gray and alpha
  6: [8, 16], // RGB and alpha
};

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly interlaced: boolean;
}

/** The parts of a PNG file that decide its pixels. Transparency is none of them: alpha is dropped. */
interface Parts {
  readonly header: Header;
  readonly headerData: Uint8Array;
  readonly palette: Uint8Array | null;
  /** All IDAT chunks, joined. */
  readonly compressed: Uint8Array;
}

/**
 * @param bytes a whole file that starts with PNG's signature
 * @param checkPixels throws when the size is refused; called before anything is inflated
 * @throws DamagedPicture, or an Error of pngjs
 */
export function decodePng(bytes: Uint8Array, checkPixels: (width: number, height: number) => void): Picture {
  const parts = readChunks(bytes, checkPixels);
  checkPixelData(parts);
  // skipRescale: samples as stored, so that we can take the high byte of 16 bits (pngjs would round).
  const decoded = PNG.sync.read(rebuild(parts), { checkCRC: false, skipRescale: true });
  return toRgb(parts.header, decoded.data);
}

function readChunks(bytes: Uint8Array, checkPixels: (width: number, height: number) => void): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | null = null;
  let headerData = bytes.subarray(0, 0);
  let palette: Uint8Array | null = null;
  const pixelChunks: Uint8Array[] = [];
  let previousType = '';
  let position = SIGNATURE_LENGTH;
  while (previousType !== 'IEND') {
    if (position + 12 > bytes.length) throw truncated(bytes);
    const length = view.getUint32(position);
    const type = String.fromCharCode(...bytes.subarray(position + 4, position + 8));
    const start = position + 8;
    const end = start + length;
    if (!/^[A-Za-z]{4}$/.test(type)) throw new DamagedPicture(`no chunk starts at byte ${position}, though one should`);
    if (end + 4 > bytes.length) throw truncated(bytes);
    if (crc32(bytes.subarray(position + 4, end)) !== view.getUint32(end)) {
      throw new DamagedPicture(`the checksum of chunk ${type} at byte ${position} is wrong`);
    }
    const data = bytes.subarray(start, end);
    if (header === null) {
      if (type !== 'IHDR') throw new DamagedPicture(`expected the chunk IHDR first, received ${type}`);
      header = readHeader(data);
      headerData = data;
      checkPixels(header.width, header.height);
    } else if (type === 'PLTE') {
      if (palette !== null || pixelChunks.length > 0) throw new DamagedPicture('its palette comes twice or too late');
      if (length === 0 || length % 3 !== 0 || length > 768) {
        throw new DamagedPicture(`its palette has ${length} bytes; expected 3 for each of 1 to 256 colours`);
      }
      palette = data;
    } else if (type === 'IDAT') {
      if (pixelChunks.length > 0 && previousType !== 'IDAT') {
        throw new DamagedPicture('its pixel data is interrupted by other chunks');
      }
      pixelChunks.push(data);
    } else if (type !== 'IEND' && isCritical(type)) {
      throw new DamagedPicture(`it needs the unknown chunk ${type}`, 'save it again with another program');
    }
    previousType = type;
    position = end + 4;
  }
  if (header === null || pixelChunks.length === 0) throw new DamagedPicture('it holds no pixel data (no IDAT chunk)');
  if (header.colorType === 3 && palette === null) throw new DamagedPicture('its palette is missing');
  return { header, headerData, palette, compressed: Buffer.concat(pixelChunks) };
}

function isCritical(type: string): boolean {
  return type[0] === type[0].toUpperCase();
}

function truncated(bytes: Uint8Array): DamagedPicture {
  return new DamagedPicture(`the file ends too early, after ${bytes.length} bytes`);
}

function readHeader(data: Uint8Array): Header {
  if (data.length !== 13) throw new DamagedPicture(`its header has ${data.length} bytes, expected 13`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colorType, compression, filter, interlace] = data.subarray(8);
  if (Math.max(width, height) > MAXIMUM_SIDE) {
    throw new DamagedPicture(`expected sides of at most ${MAXIMUM_SIDE} pixels, received ${width}×${height}`);
  }
  if (!depthsOfColorType[colorType]?.includes(depth)) {
    throw new DamagedPicture(`its header names colour type ${colorType} with ${depth} bits, which does not exist`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw new DamagedPicture('its header names a compression, filter or interlacing that does not exist');
  }
  return { width, height, depth, colorType, interlaced: interlace === 1 };
}

/** Inflates the pixel data only to prove that it has exactly the length that the header asks for. */
function checkPixelData({ header, compressed }: Parts): void {
  const expected = pixelDataLength(header);
  let length: number;
  try {
    length = inflateSync(compressed, { maxOutputLength: expected, chunkSize: 1 << 16 }).length;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new DamagedPicture(`it holds more pixel data than the ${expected} bytes that its header asks for`);
    }
    throw new DamagedPicture(`its pixel data is damaged (${message})`);
  }
  if (length !== expected) {
    throw new DamagedPicture(`expected ${expected} bytes of pixel data, received ${length}`);
  }
}

/** Start and step of columns and rows in Adam7's seven passes: [column, row, column step, row step]. */
const adam7Passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Bytes of the filtered rows: each has one byte that names its filter; passes without columns have no rows. */
function pixelDataLength({ width, height, depth, colorType, interlaced }: Header): number {
  const bitsPerPixel = depth * channelsOfColorType[colorType];
  let length = 0;
  for (const [column, row, columnStep, rowStep] of interlaced ? adam7Passes : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - column) / columnStep);
    const rows = Math.ceil((height - row) / rowStep);
    if (columns > 0 && rows > 0) length += rows * (1 + Math.ceil((columns * bitsPerPixel) / 8));
  }
  return length;
}

/** A minimal PNG file of the checked parts. Checksums stay 0: pngjs is told not to look. */
function rebuild({ headerData, palette, compressed }: Parts): Buffer {
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const chunks = [chunk('IHDR', headerData), ...(palette ? [chunk('PLTE', palette)] : []), chunk('IDAT', compressed)];
  return Buffer.concat([signature, ...chunks, chunk('IEND', new Uint8Array(0))]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  return out;
}

/** RGBA samples of the file's own depth, [height, width, 4] → RGB bytes, [height, width, 3]. */
function toRgb({ width, height, depth, colorType }: Header, samples: ArrayLike<number>): Picture {
  // pngjs has already looked palette colours up: these have 8 bits whatever the depth of the indices.
  const sampleDepth = colorType === 3 ? 8 : depth;
  const shift = sampleDepth === 16 ? 8 : 0;
  const factor = sampleDepth < 8 ? 255 / (2 ** sampleDepth - 1) : 1; // 255, 85 or 17
  const data = new Uint8Array(width * height * 3);
  for (let source = 0, target = 0; target < data.length; source += 4) {
    data[target++] = (samples[source] >> shift) * factor;
    data[target++] = (samples[source + 1] >> shift) * factor;
    data[target++] = (samples[source + 2] >> shift) * factor;
  }
  return { width, height, data };
}

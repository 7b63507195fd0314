/** What a PNG file consists of: its chunks, checked. Source: Portable Network Graphics (PNG) Specification, W3C. */
import { crc32 } from '../crc32.js';
import { DamagedPicture } from '../damaged-picture.js';
import { type Orientation, readOrientation } from '../orientation.js';

export interface Header {
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colorType: number;
  readonly isInterlaced: boolean;
}

export const ColorType = { gray: 0, rgb: 2, palette: 3, grayAlpha: 4, rgbAlpha: 6 } as const;

/** What decides the pixels of a file. */
export interface Structure {
  readonly header: Header;
  /** RGB of each colour, or null. */
  readonly palette: Uint8Array | null;
  /** Of a palette the alphas, else the samples (2 bytes each) of the colour that is transparent; or null. */
  readonly transparency: Uint8Array | null;
  readonly orientation: Orientation;
  /** The pixel data, in as many pieces as the file has chunks for it. */
  readonly compressed: readonly Uint8Array[];
}

const SIGNATURE_LENGTH = 8;
/** libpng's limit too. */
const LONGEST_SIDE = 1_000_000;

const depths: Record<number, readonly number[]> = {
  [ColorType.gray]: [1, 2, 4, 8, 16],
  [ColorType.rgb]: [8, 16],
  [ColorType.palette]: [1, 2, 4, 8],
  [ColorType.grayAlpha]: [8, 16],
  [ColorType.rgbAlpha]: [8, 16],
};

/**
 * @param bytes a file that starts with PNG's signature
 * @param checkHeader throws when the picture is too large; called before anything else is looked at
 * @throws DamagedPicture
 */
export function readStructure(bytes: Uint8Array, checkHeader: (header: Header) => void): Structure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | null = null;
  let palette: Uint8Array | null = null;
  let transparency: Uint8Array | null = null;
  let orientation: Orientation = 1;
  const pixelChunks: Uint8Array[] = [];
  let previousType = '';
  let position = SIGNATURE_LENGTH;
  while (previousType !== 'IEND') {
    if (position + 12 > bytes.length) throw truncated(bytes);
    const type = String.fromCharCode(...bytes.subarray(position + 4, position + 8));
    const end = position + 8 + view.getUint32(position);
    if (!/^[A-Za-z]{4}$/.test(type)) throw new DamagedPicture(`no chunk starts at byte ${position}, though one should`);
    if (end + 4 > bytes.length) throw truncated(bytes);
    if (crc32(bytes.subarray(position + 4, end)) !== view.getUint32(end)) {
      throw new DamagedPicture(`the checksum of chunk ${type} at byte ${position} is wrong`);
    }
    const data = bytes.subarray(position + 8, end);
    if (header === null) {
      if (type !== 'IHDR') throw new DamagedPicture(`expects the chunk IHDR first, got ${type}`);
      header = readHeader(data);
      checkHeader(header);
    } else if (type === 'PLTE') {
      if (palette !== null || pixelChunks.length > 0) throw new DamagedPicture('its palette comes twice or too late');
      palette = data;
    } else if (type === 'tRNS') {
      transparency = data;
    } else if (type === 'eXIf') {
      orientation = readOrientation(data);
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
  if (header.colorType === ColorType.palette) checkPalette(palette);
  return { header, palette, transparency, orientation, compressed: pixelChunks };
}

/** Of the other colour types a palette is but a proposal, which nothing here looks at. */
function checkPalette(palette: Uint8Array | null): void {
  if (palette === null) throw new DamagedPicture('its palette is missing');
  if (palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768) {
    throw new DamagedPicture(`expects a palette of 3 bytes for each of 1 to 256 colours, got ${palette.length}`);
  }
}

const isCritical = (type: string): boolean => type[0] === type[0].toUpperCase();

const truncated = (bytes: Uint8Array): DamagedPicture =>
  new DamagedPicture(`the file ends too early, after ${bytes.length} bytes`);

function readHeader(data: Uint8Array): Header {
  if (data.length !== 13) throw new DamagedPicture(`expects a header of 13 bytes, got ${data.length}`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colorType, compression, filter, interlace] = data.subarray(8);
  if (Math.max(width, height) > LONGEST_SIDE) {
    throw new DamagedPicture(`expects sides of at most ${LONGEST_SIDE} pixels, got ${width}×${height}`);
  }
  if (!depths[colorType]?.includes(depth)) {
    throw new DamagedPicture(`its header names colour type ${colorType} with ${depth} bits, which does not exist`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw new DamagedPicture('its header names a compression, filter or interlacing that does not exist');
  }
  return { width, height, depth, colorType, isInterlaced: interlace === 1 };
}

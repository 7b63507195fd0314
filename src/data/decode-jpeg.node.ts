/**
 * JPEG through jpeg-js, which alone is not safe: it believes any size, reads on past the end of the data, and can be kept
 * busy for ever by many scans. So we walk the markers first and give jpeg-js a stream of the checked segments only.
 * Source: ITU-T T.81 (JPEG); colour models as libjpeg tells them apart (jdapimin.c, default_decompress_parms).
 */
import jpegJs from 'jpeg-js';
import { DamagedPicture } from './damaged-picture.js';
import type { Picture } from './picture.js';

const Marker = { dht: 0xc4, rst0: 0xd0, rst7: 0xd7, soi: 0xd8, eoi: 0xd9, sos: 0xda, dqt: 0xdb, dri: 0xdd } as const;
const ADOBE = 0xee;
const JFIF = 0xe0;

/** Kinds of JPEG, by their start-of-frame marker. jpeg-js knows those that `null` stands for. */
const frameKinds: Record<number, string | null> = {
  0xc0: null, // baseline
  0xc1: null, // extended sequential, Huffman
  0xc2: null, // progressive, Huffman
  0xc3: 'lossless',
  0xc5: 'hierarchical',
  0xc6: 'hierarchical',
  0xc7: 'hierarchical',
  0xc9: 'arithmetic-coded',
  0xca: 'arithmetic-coded',
  0xcb: 'arithmetic-coded',
  0xcd: 'arithmetic-coded',
  0xce: 'arithmetic-coded',
  0xcf: 'arithmetic-coded',
};

/** Progressive files have about ten scans. Each costs a pass over the whole picture, however few its bytes. */
const MAXIMUM_SCANS = 100;

/** Enough for 64 megapixels without chroma subsampling; jpeg-js counts what it allocates. */
const MAXIMUM_MEMORY_MEGABYTES = 2048;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly componentIds: readonly number[];
}

/** What a walk over the markers finds. */
interface Checked {
  readonly frame: Frame;
  /** The file without comments, application data and whatever stands between segments or behind the picture. */
  readonly stream: Uint8Array;
  readonly hasJfif: boolean;
  /** Colour transform of Adobe's segment, or null where there is none. */
  readonly adobeTransform: number | null;
}

/**
 * @param bytes a whole file that starts with JPEG's start-of-image marker
 * @param checkPixels throws when the size is refused; called before anything is decoded
 * @throws DamagedPicture, or an Error of jpeg-js
 */
export function decodeJpeg(bytes: Uint8Array, checkPixels: (width: number, height: number) => void): Picture {
  const checked = walkMarkers(bytes, checkPixels);
  const { width, height, data } = jpegJs.decode(checked.stream, {
    useTArray: true,
    formatAsRGBA: false,
    colorTransform: hasYccColours(checked),
    // Tolerance here means only: blocks behind the last row are skipped. Without it, whole files are refused whose
    // single-component scans end within a restart interval.
    tolerantDecoding: true,
    maxMemoryUsageInMB: MAXIMUM_MEMORY_MEGABYTES,
    maxResolutionInMP: Infinity, // checkPixels has decided
  });
  return { width, height, data };
}

function walkMarkers(bytes: Uint8Array, checkPixels: (width: number, height: number) => void): Checked {
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  let frame: Frame | null = null;
  let hasJfif = false;
  let adobeTransform: number | null = null;
  const scanned = new Set<number>();
  let scans = 0;
  let position = 2;
  for (;;) {
    const start = findMarker(bytes, position);
    const marker = bytes[start + 1];
    position = start + 2;
    if (marker === Marker.eoi) break;
    if ((marker >= Marker.rst0 && marker <= Marker.soi) || marker === 0x01) continue; // stand alone, mean nothing here
    const end = segmentEnd(bytes, start);
    const segment = bytes.subarray(start, end); // marker, length, content
    position = end;
    if (marker in frameKinds) {
      if (frame !== null) throw new DamagedPicture('it has two frame headers');
      frame = readFrame(segment);
      checkPixels(frame.width, frame.height);
      parts.push(segment);
    } else if (marker === Marker.sos) {
      if (frame === null) throw new DamagedPicture('its pixel data comes before its frame header');
      if (++scans > MAXIMUM_SCANS)
        throw new DamagedPicture(`it has more than ${MAXIMUM_SCANS} scans`, 'save it again with another program');
      for (const id of scanComponents(segment, frame)) scanned.add(id);
      position = scanEnd(bytes, end);
      parts.push(bytes.subarray(start, position));
    } else if (marker === Marker.dht || marker === Marker.dqt || marker === Marker.dri) {
      parts.push(segment);
    } else if (marker === JFIF) {
      hasJfif ||= segmentText(segment, 5) === 'JFIF\0';
    } else if (marker === ADOBE && segmentText(segment, 5) === 'Adobe' && segment.length >= 16) {
      adobeTransform = segment[15];
      parts.push(segment);
    }
  }
  if (frame === null) throw new DamagedPicture('it has no frame header');
  if (scanned.size < frame.componentIds.length)
    throw new DamagedPicture('the pixel data of a colour channel is missing');
  if (frame.componentIds.length === 4 && adobeTransform === null) {
    throw new DamagedPicture('it has four colour channels and does not say which (no Adobe segment)', 'save it as RGB');
  }
  parts.push(Uint8Array.of(0xff, Marker.eoi));
  return { frame, stream: Buffer.concat(parts), hasJfif, adobeTransform };
}

/** Position of the next 0xff that starts a marker; bytes that belong to nothing are passed over, as libjpeg does. */
function findMarker(bytes: Uint8Array, from: number): number {
  for (let position = from; position + 1 < bytes.length; position++) {
    if (bytes[position] === 0xff && bytes[position + 1] !== 0 && bytes[position + 1] !== 0xff) return position;
  }
  throw truncated(bytes);
}

function segmentEnd(bytes: Uint8Array, start: number): number {
  if (start + 4 > bytes.length) throw truncated(bytes);
  const length = (bytes[start + 2] << 8) | bytes[start + 3]; // counts itself
  if (length < 2) throw new DamagedPicture(`the segment at byte ${start} has no length`);
  const end = start + 2 + length;
  if (end > bytes.length) throw truncated(bytes);
  return end;
}

/** Where a scan's compressed data ends: at the first marker that is not a restart marker. */
function scanEnd(bytes: Uint8Array, from: number): number {
  let position = findMarker(bytes, from);
  while (bytes[position + 1] >= Marker.rst0 && bytes[position + 1] <= Marker.rst7) {
    position = findMarker(bytes, position + 2);
  }
  return position;
}

function truncated(bytes: Uint8Array): DamagedPicture {
  return new DamagedPicture(`the file ends too early, after ${bytes.length} bytes`);
}

function segmentText(segment: Uint8Array, length: number): string {
  return String.fromCharCode(...segment.subarray(4, 4 + length));
}

/** @param segment marker, length (2 bytes), precision, height (2), width (2), component count, 3 bytes a component */
function readFrame(segment: Uint8Array): Frame {
  const kind = frameKinds[segment[1]];
  if (kind !== null) {
    throw new DamagedPicture(
      `expected a baseline or progressive JPEG, received one that is ${kind}`,
      'save it again with another program',
    );
  }
  const precision = segment[4];
  const componentCount = segment[9];
  if (segment.length < 10 || segment.length !== 10 + 3 * componentCount) {
    throw new DamagedPicture('its frame header has the wrong length');
  }
  if (precision !== 8)
    throw new DamagedPicture(`expected 8 bits a sample, received ${precision}`, 'save it with 8 bits');
  if (componentCount !== 1 && componentCount !== 3 && componentCount !== 4) {
    throw new DamagedPicture(`expected 1, 3 or 4 colour channels, received ${componentCount}`);
  }
  const componentIds: number[] = [];
  for (let at = 10; at < segment.length; at += 3) {
    const horizontal = segment[at + 1] >> 4;
    const vertical = segment[at + 1] & 15;
    if (horizontal < 1 || horizontal > 4 || vertical < 1 || vertical > 4) {
      throw new DamagedPicture(`a colour channel has the impossible sampling ${horizontal}×${vertical}`);
    }
    componentIds.push(segment[at]);
  }
  if (new Set(componentIds).size !== componentCount) throw new DamagedPicture('two colour channels have one number');
  return { height: (segment[5] << 8) | segment[6], width: (segment[7] << 8) | segment[8], componentIds };
}

/** @param segment marker, length (2 bytes), component count, 2 bytes a component, 3 bytes of parameters */
function scanComponents(segment: Uint8Array, frame: Frame): number[] {
  const count = segment[4];
  if (count < 1 || count > 4 || segment.length !== 8 + 2 * count) {
    throw new DamagedPicture('a scan header has the wrong length');
  }
  const ids = Array.from({ length: count }, (_, index) => segment[5 + 2 * index]);
  const lastCoefficient = segment[6 + 2 * count];
  if (ids.some((id) => !frame.componentIds.includes(id)) || new Set(ids).size !== count || lastCoefficient > 63) {
    throw new DamagedPicture('a scan header does not fit the frame header');
  }
  return ids;
}

/** Whether the channels are luma and chroma (with CMYK: YCCK) rather than colours themselves. */
function hasYccColours({ frame, hasJfif, adobeTransform }: Checked): boolean {
  if (frame.componentIds.length === 4) return adobeTransform === 2;
  if (hasJfif) return true;
  if (adobeTransform !== null) return adobeTransform !== 0;
  return String.fromCharCode(...frame.componentIds) !== 'RGB';
}

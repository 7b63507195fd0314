/**
 * What a JPEG file consists of: all its markers, read and checked before any pixel is. Where files break the rules, what
 * libjpeg passes over is passed over.
 * Source: ITU-T T.81, annex B; JFIF 1.02; Adobe Technical Note 5116; libjpeg's default_decompress_parms (colours).
 */
import { DamagedPicture } from '../damaged-picture.js';
import { type Orientation, readOrientation } from '../orientation.js';
import { buildHuffmanTable, type HuffmanDefinition, type HuffmanTable } from './huffman-table.js';
import { standardAcTables, standardDcTables } from './standard-tables.js';
import { checkIgnored, isRestart, Marker } from './markers.js';
import { zigzag } from './zigzag.js';

/** What the components are. */
export type Colours = 'gray' | 'YCbCr' | 'RGB' | 'CMYK' | 'YCbCrK';

export interface Component {
  readonly id: number;
  /** Sampling factors, 1 to 4: columns and rows of its blocks in a unit (MCU) of interleaved scans. */
  readonly horizontal: number;
  readonly vertical: number;
  /** How many pixels of the picture one of its samples stands for. */
  readonly pixelsWide: number;
  readonly pixelsHigh: number;
  /** In samples. */
  readonly width: number;
  readonly height: number;
  /** In blocks of 8 × 8 samples. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  readonly quantizationIndex: number;
}

export interface Frame {
  readonly isProgressive: boolean;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** In units of interleaved scans. */
  readonly unitsWide: number;
  readonly unitsHigh: number;
  readonly components: readonly Component[];
}

export interface ScanHeader {
  readonly parts: readonly ScanPart[];
  /** First and last coefficient that it brings, in zigzag order. */
  readonly bandStart: number;
  readonly bandEnd: number;
  /** Whether it adds one bit to what earlier scans brought. */
  readonly isRefinement: boolean;
  /** The lowest bit that it brings. */
  readonly lowBit: number;
  /** Units between restart markers, or 0. */
  readonly restartInterval: number;
  /** Where its compressed data starts, and where the next marker stands. */
  readonly start: number;
  readonly end: number;
}

/** A component in a scan. */
export interface ScanPart {
  /** Index among the frame's components. */
  readonly component: number;
  readonly dcTable: HuffmanTable;
  readonly acTable: HuffmanTable;
}

export interface Structure {
  readonly frame: Frame;
  readonly colours: Colours;
  readonly orientation: Orientation;
  readonly scans: readonly ScanHeader[];
  /** By component: what its coefficients are multiplied by, row by row, [64] */
  readonly quantizations: readonly Uint16Array[];
}

/** libjpeg's limit too. */
const LONGEST_SIDE = 65_500;
const MOST_BLOCKS_IN_UNIT = 10;
/** Progressive files have about ten. Each scan is a pass over the whole picture, however few its bytes. */
const MOST_SCANS = 100;
/** For a scan without codes of a kind. */
const noTable = buildHuffmanTable({ counts: new Uint8Array(16), symbols: new Uint8Array(0) });

type CheckSize = (size: { readonly width: number; readonly height: number }) => void;

/**
 * @param bytes a file that starts with the marker "start of image"
 * @param checkSize throws when the picture is too large; called as soon as its size is known
 * @throws DamagedPicture for what is damaged, cut off or of a kind that is not decoded
 */
export function readStructure(bytes: Uint8Array, checkSize: CheckSize): Structure {
  const reader = new StructureReader(bytes, checkSize);
  let position: number | null = 2;
  while (position !== null) position = reader.readMarker(position);
  return reader.finish();
}

class StructureReader {
  readonly #bytes: Uint8Array;
  readonly #checkSize: CheckSize;
  #frame: Frame | null = null;
  #colours: Colours = 'gray';
  #hasJfif = false;
  /** Colour transform of Adobe's segment. */
  #adobeTransform: number | null = null;
  #exif: Uint8Array | null = null;
  #restartInterval = 0;
  readonly #scans: ScanHeader[] = [];
  /** By index, 0 to 3, as defined last. */
  readonly #quantizations: Uint16Array[] = [];
  readonly #dcDefinitions: HuffmanDefinition[] = [];
  readonly #acDefinitions: HuffmanDefinition[] = [];
  /** By component, as its first scan found it. */
  readonly #latchedQuantizations: Uint16Array[] = [];

  constructor(bytes: Uint8Array, checkSize: CheckSize) {
    this.#bytes = bytes;
    this.#checkSize = checkSize;
  }

  /** Reads the next marker and what belongs to it. @returns the position behind that, or null at the end of the picture */
  readMarker(from: number): number | null {
    const start = this.#findMarker(from);
    const marker = this.#bytes[start + 1];
    if (marker === Marker.endOfImage) return null;
    if (marker === Marker.startOfImage) throw new DamagedPicture(`a second picture starts within it, at byte ${start}`);
    if (isRestart(marker) || marker === Marker.temporary) return start + 2;

    const end = this.#segmentEnd(start);
    const segment = this.#bytes.subarray(start + 4, end);
    switch (marker) {
      case Marker.baselineFrame:
      case Marker.extendedFrame:
      case Marker.progressiveFrame:
        this.#readFrame(segment, marker === Marker.progressiveFrame);
        break;
      case Marker.huffmanTables:
        this.#readHuffmanTables(segment);
        break;
      case Marker.quantizations:
        this.#readQuantizations(segment);
        break;
      case Marker.restartInterval:
        if (segment.length !== 2) throw wrongLength('restart interval');
        this.#restartInterval = uint16(segment, 0);
        break;
      case Marker.scan:
        return this.#readScan(segment, end);
      case Marker.application0:
        this.#hasJfif ||= segment.length >= 14 && startsWith(segment, 'JFIF\0');
        break;
      case Marker.application1:
        if (startsWith(segment, 'Exif\0\0')) this.#exif ??= segment.subarray(6);
        break;
      case Marker.application14:
        if (segment.length >= 12 && startsWith(segment, 'Adobe')) this.#adobeTransform = segment[11];
        break;
      default:
        checkIgnored(marker, start);
    }
    return end;
  }

  /** @throws DamagedPicture when something is missing */
  finish(): Structure {
    if (this.#frame === null) throw new DamagedPicture('it has no frame header');
    if (this.#frame.components.some((_, index) => this.#latchedQuantizations[index] === undefined)) {
      throw new DamagedPicture('the pixel data of a colour channel is missing');
    }
    return {
      frame: this.#frame,
      colours: this.#colours,
      orientation: this.#exif === null ? 1 : readOrientation(this.#exif),
      scans: this.#scans,
      quantizations: this.#latchedQuantizations,
    };
  }

  /** Position of the next marker; bytes that belong to nothing are passed over. */
  #findMarker(from: number): number {
    const bytes = this.#bytes;
    let position = bytes.indexOf(0xff, from);
    while (position >= 0 && position + 1 < bytes.length) {
      const next = bytes[position + 1];
      if (next !== 0 && next !== 0xff) return position;
      position = bytes.indexOf(0xff, position + 1);
    }
    throw truncated(bytes);
  }

  #segmentEnd(start: number): number {
    const bytes = this.#bytes;
    if (start + 4 > bytes.length) throw truncated(bytes);
    const end = start + 2 + Math.max(2, uint16(bytes, start + 2)); // the length counts itself
    if (end > bytes.length) throw truncated(bytes);
    return end;
  }

  /** @param segment bits a sample, height (2 bytes), width (2), components, 3 bytes a component */
  #readFrame(segment: Uint8Array, isProgressive: boolean): void {
    if (this.#frame !== null) throw new DamagedPicture('it has two frame headers');
    if (segment.length < 6 || segment.length !== 6 + 3 * segment[5]) throw wrongLength('frame header');
    const [precision, height, width, count] = [segment[0], uint16(segment, 1), uint16(segment, 3), segment[5]];
    if (precision !== 8) {
      throw new DamagedPicture(`expects 8 bits a sample, got ${precision}`, 'save it with 8 bits');
    }
    if (count !== 1 && count !== 3 && count !== 4) {
      throw new DamagedPicture(`expects 1, 3 or 4 colour channels, got ${count}`);
    }
    if (Math.max(width, height) > LONGEST_SIDE) {
      throw new DamagedPicture(`expects sides of at most ${LONGEST_SIDE} pixels, got ${width}×${height}`);
    }
    this.#checkSize({ width, height });
    const parameters = Array.from({ length: count }, (_, index) => segment.subarray(6 + 3 * index, 9 + 3 * index));
    const sampling = parameters.map(([, factors]) => [factors >> 4, factors & 15]);
    const mostHorizontal = Math.max(...sampling.map(([horizontal]) => horizontal));
    const mostVertical = Math.max(...sampling.map(([, vertical]) => vertical));
    const components = parameters.map(([id, , quantizationIndex], index): Component => {
      const [horizontal, vertical] = sampling[index];
      checkSampling(horizontal, mostHorizontal);
      checkSampling(vertical, mostVertical);
      const [pixelsWide, pixelsHigh] = [mostHorizontal / horizontal, mostVertical / vertical];
      return {
        id,
        horizontal,
        vertical,
        pixelsWide,
        pixelsHigh,
        quantizationIndex,
        width: Math.ceil(width / pixelsWide),
        height: Math.ceil(height / pixelsHigh),
        blocksWide: Math.ceil(width / pixelsWide / 8),
        blocksHigh: Math.ceil(height / pixelsHigh / 8),
      };
    });
    const [unitsWide, unitsHigh] = [Math.ceil(width / (8 * mostHorizontal)), Math.ceil(height / (8 * mostVertical))];
    this.#frame = { isProgressive, width, height, unitsWide, unitsHigh, components };
  }

  /** @param segment for each table: kind and index, 16 counts, symbols */
  #readHuffmanTables(segment: Uint8Array): void {
    let position = 0;
    while (position + 17 <= segment.length) {
      const [kind, index] = [segment[position] >> 4, segment[position] & 15];
      const counts = segment.subarray(position + 1, position + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const symbols = segment.subarray(position + 17, position + 17 + total);
      if (kind > 1 || index > 3 || total > 256 || symbols.length < total) {
        throw new DamagedPicture('a Huffman table is damaged');
      }
      (kind === 0 ? this.#dcDefinitions : this.#acDefinitions)[index] = { counts, symbols };
      position += 17 + total;
    }
    if (position !== segment.length) throw wrongLength('Huffman table');
  }

  /** @param segment for each table: precision and index, 64 numbers in zigzag order */
  #readQuantizations(segment: Uint8Array): void {
    let position = 0;
    while (position < segment.length) {
      const [precision, index] = [segment[position] >> 4, segment[position] & 15];
      const first = position + 1;
      const bytes = precision === 0 ? 1 : 2;
      position = first + 64 * bytes;
      if (index > 3 || position > segment.length) throw wrongLength('quantization table');
      const table = new Uint16Array(64);
      for (const [at, place] of zigzag.entries()) {
        table[place] = bytes === 1 ? segment[first + at] : uint16(segment, first + 2 * at);
      }
      this.#quantizations[index] = table;
    }
  }

  /**
   * @param segment components, 2 bytes a component, band (2 bytes), bits
   * @param start where the compressed data starts
   * @returns where it ends
   */
  #readScan(segment: Uint8Array, start: number): number {
    const count = segment[0];
    if (segment.length !== 4 + 2 * count || count < 1 || count > 4) throw wrongLength('scan header');
    const frame = this.#frame;
    if (frame === null) throw new DamagedPicture('its pixel data comes before its frame header');
    if (this.#scans.length === 0) this.#colours = this.#tellColours(frame);
    else if (isOneScan(frame, this.#scans[0])) throw new DamagedPicture(`more pixel data follows at byte ${start}`);
    if (this.#scans.length === MOST_SCANS) {
      throw new DamagedPicture(`it has more than ${MOST_SCANS} scans`, 'save it again with another program');
    }
    const [bandStart, bandEnd, bitPositions] = segment.subarray(1 + 2 * count);
    const [highBit, lowBit] = [bitPositions >> 4, bitPositions & 15];
    const isRefinement = frame.isProgressive && highBit > 0;
    if (frame.isProgressive) {
      const isBand = bandStart === 0 ? bandEnd === 0 : bandStart <= bandEnd && bandEnd < 64 && count === 1;
      if (!isBand || lowBit > 13 || (isRefinement && lowBit !== highBit - 1)) {
        throw new DamagedPicture(`the scan at byte ${start} brings an impossible part of the coefficients`);
      }
    }
    const parts: ScanPart[] = [];
    for (let at = 1; at < 1 + 2 * count; at += 2) {
      const [id, tables] = segment.subarray(at, at + 2);
      // files whose components all have one number take them in turns
      const component = frame.components.findIndex(
        (candidate, index) => candidate.id === id && !parts.some((part) => part.component === index),
      );
      if (component < 0) throw new DamagedPicture(`the scan at byte ${start} has the unknown colour channel ${id}`);
      this.#latchQuantization(component, frame.components[component].quantizationIndex);
      const needsDc = !frame.isProgressive || (bandStart === 0 && !isRefinement);
      const needsAc = !frame.isProgressive || bandStart > 0;
      parts.push({
        component,
        dcTable: needsDc ? this.#table('DC', tables >> 4, frame.isProgressive) : noTable,
        acTable: needsAc ? this.#table('AC', tables & 15, frame.isProgressive) : noTable,
      });
    }
    if (parts.length > 1 && blocksInUnit(frame, parts) > MOST_BLOCKS_IN_UNIT) {
      throw new DamagedPicture(`the scan at byte ${start} has more than ${MOST_BLOCKS_IN_UNIT} blocks in a unit`);
    }
    const end = this.#scanEnd(start);
    // Each unit takes a bit at least; so a few bytes of a file cannot ask for much memory.
    if ((bandStart === 0 || !frame.isProgressive) && frame.unitsWide * frame.unitsHigh > 8 * (end - start)) {
      throw new DamagedPicture(`its pixel data ends too early, at byte ${end}`);
    }
    const band = frame.isProgressive ? { bandStart, bandEnd, lowBit } : { bandStart: 1, bandEnd: 63, lowBit: 0 };
    this.#scans.push({ parts, ...band, isRefinement, restartInterval: this.#restartInterval, start, end });
    return end;
  }

  /** A component keeps the table that stood at its number when its first scan came. */
  #latchQuantization(component: number, index: number): void {
    const table = this.#quantizations[index];
    if (table === undefined) throw new DamagedPicture(`its quantization table ${index} is missing`);
    this.#latchedQuantizations[component] ??= table;
  }

  #table(kind: 'DC' | 'AC', index: number, isProgressive: boolean): HuffmanTable {
    const defined = kind === 'DC' ? this.#dcDefinitions : this.#acDefinitions;
    const standard = kind === 'DC' ? standardDcTables : standardAcTables;
    const definition = defined[index] ?? (isProgressive ? undefined : standard[index]);
    if (definition === undefined) throw new DamagedPicture(`its Huffman table ${kind} ${index} is missing`);
    if (kind === 'DC' && definition.symbols.some((size) => size > 15)) {
      throw new DamagedPicture('a Huffman table for first coefficients has sizes above 15');
    }
    return buildHuffmanTable(definition);
  }

  /** Where a scan's compressed data ends: at the first marker that is not a restart marker. */
  #scanEnd(start: number): number {
    let end = this.#findMarker(start);
    while (isRestart(this.#bytes[end + 1])) end = this.#findMarker(end + 2);
    while (this.#bytes[end - 1] === 0xff && end > start) end--; // bytes that only fill belong to the marker
    return end;
  }

  #tellColours({ components }: Frame): Colours {
    if (components.length === 1) return 'gray';
    // An unknown transform counts as the usual one.
    if (components.length === 4) return (this.#adobeTransform ?? 0) === 0 ? 'CMYK' : 'YCbCrK';
    if (this.#hasJfif) return 'YCbCr';
    if (this.#adobeTransform !== null) return this.#adobeTransform === 0 ? 'RGB' : 'YCbCr';
    return String.fromCharCode(...components.map(({ id }) => id)) === 'RGB' ? 'RGB' : 'YCbCr';
  }
}

/** Whether the first scan brings the whole picture. */
function isOneScan(frame: Frame, first: ScanHeader): boolean {
  return !frame.isProgressive && first.parts.length === frame.components.length;
}

function checkSampling(factor: number, most: number): void {
  if (factor >= 1 && most <= 4 && most % factor === 0) return;
  throw new DamagedPicture(
    `expects sampling factors from 1 to 4 that divide each other, got ${factor} beside ${most}`,
    'save it again with another program',
  );
}

function blocksInUnit(frame: Frame, parts: readonly ScanPart[]): number {
  return parts.reduce((sum, { component }) => {
    const { horizontal, vertical } = frame.components[component];
    return sum + horizontal * vertical;
  }, 0);
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && Array.from(text).every((letter, index) => bytes[index] === letter.charCodeAt(0));

const truncated = (bytes: Uint8Array): DamagedPicture =>
  new DamagedPicture(`the file ends too early, after ${bytes.length} bytes`);

const wrongLength = (what: string): DamagedPicture => new DamagedPicture(`a ${what} has the wrong length`);

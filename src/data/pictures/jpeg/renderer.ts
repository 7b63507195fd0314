/**
 * From coefficients to pixels, one row of units after the other: samples by the inverse transform, then rows of each
 * component at the picture's resolution, then RGB. It holds as many rows as that takes, and no more.
 */
import { type Arithmetic, openArithmetic } from './arithmetic.js';
import { invert, rgbFromInks } from './colours.js';
import { coefficientRows, type CoefficientRows } from './coefficient-rows.js';
import type { Component, Structure } from './structure.js';

/** A component's places in the memory, in bytes. */
interface Plane {
  readonly component: Component;
  /** Of one row of units. */
  readonly target: CoefficientRows;
  readonly coefficients: number;
  readonly factors: number;
  /** The last row of samples of the units before; those of this row of units follow. */
  readonly samples: number;
  readonly stride: number;
  /** A row at the picture's resolution. */
  readonly wide: number;
}

/** Room beside rows: for a repeated sample, and for arithmetic on many samples at once, which goes past the end. */
const ROOM_BEFORE = 16;
const ROOM_BEHIND = 32;

export class Renderer {
  /** RGB, [height, width, 3] */
  readonly pixels: Uint8Array;
  readonly #structure: Structure;
  readonly #unitHeight: number;
  readonly #planes: readonly Plane[];
  /** RGB rows that one row of units makes. */
  readonly #rgb: number;
  readonly #workspace: number;
  readonly #arithmetic: Arithmetic;
  readonly #bytes: Uint8Array;
  readonly #clamped: Uint8ClampedArray;
  /** The next row of pixels to be made. */
  #nextRow = 0;

  constructor(structure: Structure) {
    const { frame, quantizations } = structure;
    this.#structure = structure;
    this.#unitHeight = 8 * Math.max(...frame.components.map(({ vertical }) => vertical));
    this.pixels = new Uint8Array(frame.width * frame.height * 3);

    let end = 0;
    const take = (bytes: number): number => {
      const place = end;
      end = Math.ceil((place + bytes) / 16) * 16;
      return place;
    };
    const places = frame.components.map((component) => {
      const blocksPerRow = frame.unitsWide * component.horizontal;
      const stride = ROOM_BEFORE + Math.ceil(blocksPerRow / 2) * 16 + ROOM_BEHIND;
      return {
        component,
        blocksPerRow,
        stride,
        coefficients: take(128 * blocksPerRow * component.vertical),
        factors: take(128),
        samples: take((1 + 8 * component.vertical) * stride) + ROOM_BEFORE,
        wide: take(component.pixelsWide * stride),
      };
    });
    this.#workspace = take(128);
    this.#rgb = take((this.#unitHeight + 1) * frame.width * 3 + 3 * ROOM_BEHIND);
    this.#arithmetic = openArithmetic(end);
    const { memory } = this.#arithmetic;
    this.#bytes = new Uint8Array(memory);
    this.#clamped = new Uint8ClampedArray(memory);
    this.#planes = places.map(({ blocksPerRow, ...place }, index) => {
      new Uint16Array(memory).set(quantizations[index], place.factors / 2);
      const { vertical } = place.component;
      const coefficients = new Int16Array(memory, place.coefficients, 64 * blocksPerRow * vertical);
      return { ...place, target: coefficientRows(vertical, blocksPerRow, coefficients) };
    });
  }

  /** Where the coefficients of the next row of units are to be put, by component. */
  get targets(): CoefficientRows[] {
    return this.#planes.map(({ target }) => target);
  }

  /** Makes the pixels that a row of units allows: all but the last row, which needs the units below as well. */
  render(unitRow: number): void {
    const { frame } = this.#structure;
    for (const plane of this.#planes) this.#makeSamples(plane, unitRow);
    const first = this.#nextRow;
    const isLast = unitRow === frame.unitsHigh - 1;
    const end = isLast ? frame.height : (unitRow + 1) * this.#unitHeight - 1;
    let to = this.#rgb;
    for (; this.#nextRow < end; this.#nextRow++, to += 3 * frame.width) {
      const rows = this.#planes.map((plane) => this.#wideRow(plane, this.#nextRow, unitRow));
      this.#makeRgb(rows, to);
    }
    this.pixels.set(this.#bytes.subarray(this.#rgb, to), first * frame.width * 3);
  }

  #makeSamples({ component, target, ...place }: Plane, unitRow: number): void {
    const { vertical, blocksWide, blocksHigh, width } = component;
    const lastRow = place.samples + 8 * vertical * place.stride;
    this.#bytes.copyWithin(place.samples - 1, lastRow - 1, lastRow + width + 1);
    const blockRows = Math.min(vertical, blocksHigh - unitRow * vertical);
    for (let row = 0; row < blockRows; row++) {
      const from = place.coefficients + 128 * row * target.blocksPerRow;
      const to = place.samples + (1 + 8 * row) * place.stride;
      this.#arithmetic.inverseDct(from, place.factors, this.#workspace, blocksWide, to, place.stride);
    }
    for (let row = 1; row <= 8 * blockRows; row++) {
      const start = place.samples + row * place.stride;
      this.#bytes[start - 1] = this.#bytes[start];
      this.#bytes[start + width] = this.#bytes[start + width - 1];
    }
  }

  /** A row of a component at the picture's resolution. @returns its place */
  #wideRow({ component, samples, stride, wide }: Plane, row: number, unitRow: number): number {
    const { pixelsWide, pixelsHigh, vertical, width, height } = component;
    const place = (sampleRow: number): number => samples + (sampleRow - unitRow * 8 * vertical + 1) * stride;
    const sampleRow = Math.floor(row / pixelsHigh);
    const near = place(sampleRow);
    const isUpper = row % 2 === 0;
    const far = place(isUpper ? Math.max(sampleRow - 1, 0) : Math.min(sampleRow + 1, height - 1)); // where pixelsHigh is 2
    if (pixelsWide === 1 && pixelsHigh !== 2) return near;
    if (pixelsWide === 1) this.#arithmetic.betweenRows(near, far, isUpper ? 1 : 2, width, wide);
    else if (pixelsWide > 2 || pixelsHigh > 2 || width <= 2) this.#repeatColumns(near, width, pixelsWide, wide);
    else if (pixelsHigh === 1) this.#arithmetic.doubleColumns(near, width, wide);
    else this.#arithmetic.doubleColumnsBetweenRows(near, far, width, wide);
    return wide;
  }

  /** For ratios other than 2, and for the smallest pictures, libjpeg does no more than this. */
  #repeatColumns(from: number, width: number, times: number, to: number): void {
    for (const end = from + width; from < end; from++, to += times) {
      this.#bytes.fill(this.#bytes[from], to, to + times);
    }
  }

  #makeRgb(rows: readonly number[], to: number): void {
    const { frame, colours } = this.#structure;
    const { width } = frame;
    const [first, second = first, third = first, black = first] = rows;
    const isYcc = colours === 'YCbCr' || colours === 'YCbCrK';
    if (isYcc) this.#arithmetic.rgbFromYcc(first, second, third, width, to);
    else this.#arithmetic.rgbFromPlanes(first, second, third, width, to);
    if (colours === 'YCbCrK') invert(this.#bytes, 3 * width, to); // it stands for the inks
    if (colours === 'CMYK' || colours === 'YCbCrK') rgbFromInks(this.#clamped, black, width, to);
  }
}

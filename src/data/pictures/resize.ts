/**
 * Resizing exactly as Pillow does it, so that a model trained through Keras (whose loader is Pillow) sees the same pixels.
 * Source: Pillow, src/libImaging/Geometry.c (nearest) and Resample.c (the others).
 */
import { preview } from '../../options.js';
import { sin } from '../../tensor/exact-math.js';
import { DataError, UsageError } from '../../errors.js';
import { expectBytes, expectObject, received, expectCount, expectNumber, objectWith } from '../../expect.js';
import type { Picture } from './picture.js';

/** `nearest` is Keras' default; the others average over the area when they shrink a picture (no aliasing). */
export const interpolations = ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'] as const;
export type Interpolation = (typeof interpolations)[number];

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of a picture in its own pixels: `x` and `y` are the left upper corner. */
export interface Region extends Size {
  readonly x: number;
  readonly y: number;
}

/** A part of a picture in parts of its width and height, 0 to 1. */
export interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

/** What is done to every picture of a set before it is used. */
export interface Preparation {
  /** Every picture is resized to this. */
  readonly size: Size;
  /** Default `nearest`, as in Keras. */
  readonly interpolation?: Interpolation;
  /** Only this part of every picture is used. Default: the whole. */
  readonly region?: Region;
  /** Pictures are turned as their EXIF orientation says, before all else. Default false: it is ignored, as in Keras. */
  readonly exif?: boolean;
}

/**
 * Cuts a picture to its region and resizes it.
 *
 * @throws UsageError as `resize`; DataError when the region does not lie within the picture
 */
export function prepare(picture: Picture, preparation: Preparation): Picture {
  expectObject(preparation, 'prepare: preparation');
  const { size, interpolation = 'nearest', region } = preparation;
  return resize(region ? crop(picture, region) : picture, size, interpolation);
}

/** The same. @throws DataError with the picture's name when the region does not lie within it */
export function prepareNamed(picture: Picture, name: string, preparation: Preparation): Picture {
  try {
    return prepare(picture, preparation);
  } catch (error) {
    if (error instanceof DataError) throw new DataError(`${name}: ${error.message}; choose another region`);
    throw error;
  }
}

/** @throws DataError when the region does not lie within the picture */
export function crop(picture: Picture, region: Region): Picture {
  expectPicture(picture, 'crop');
  objectWith({ x: expectCount, y: expectCount, width: expectCount, height: expectCount })(region, 'crop: region');
  const { width, height, data } = picture;
  if (region.x + region.width > width || region.y + region.height > height) {
    throw new DataError(
      `expects a picture that holds the region ${region.width}×${region.height} at ${region.x},${region.y}, ` +
        `got ${width}×${height} pixels`,
    );
  }
  const out = new Uint8Array(region.width * region.height * 3);
  for (let row = 0; row < region.height; row++) {
    const from = ((region.y + row) * width + region.x) * 3;
    out.set(data.subarray(from, from + region.width * 3), row * region.width * 3);
  }
  return { width: region.width, height: region.height, data: out };
}

/** A part of a picture, to the nearest pixel, and of one pixel at least. */
export function partOf(picture: Picture, box: Box): Picture {
  expectPicture(picture, 'partOf');
  objectWith({ left: expectNumber, top: expectNumber, width: expectNumber, height: expectNumber })(box, 'partOf: box');
  const within = (from: number, length: number, most: number): [number, number] => {
    const first = Math.min(most - 1, Math.round(from * most));
    return [first, Math.max(1, Math.min(Math.round(length * most), most - first))];
  };
  const [x, width] = within(box.left, box.width, picture.width);
  const [y, height] = within(box.top, box.height, picture.height);
  return crop(picture, { x, y, width, height });
}

/** @throws UsageError unless the preparation can be meant */
export function checkPreparation(preparation: Preparation): void {
  expectObject(preparation, 'the preparation of pictures');
  const { size, interpolation = 'nearest', region } = preparation;
  checkSize(size);
  checkInterpolation(interpolation);
  if (!region) return;
  const { x, y, width, height } = region;
  if (![x, y, width - 1, height - 1].every((value) => Number.isSafeInteger(value) && value >= 0)) {
    throw new UsageError(
      `region: expects x and y from 0, width and height from 1, got ${JSON.stringify({ x, y, width, height })}`,
    );
  }
}

function checkInterpolation(interpolation: string): void {
  if ((interpolations as readonly string[]).includes(interpolation)) return;
  const known = interpolations.map((name) => `'${name}'`);
  const got = typeof interpolation === 'string' ? `'${interpolation}'` : received(interpolation);
  throw new UsageError(`interpolation: expects ${known.slice(0, -1).join(', ')} or ${known.at(-1)}, got ${got}`);
}

/** Output sizes above this are a slip of the pen, not a picture for a network. */
const MAXIMUM_SIDE = 16384;

/** Weights are integers with this many binary places: 32 bits, less 8 of the pixel, less 2 of head room. */
const PRECISION_BITS = 22;

interface Filter {
  /** Half the filter's width at scale 1, in pixels. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const filters: Record<Exclude<Interpolation, 'nearest'>, Filter> = {
  bilinear: { support: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: { support: 2, weight: (distance) => cubic(Math.abs(distance)) },
  box: { support: 0.5, weight: (distance) => (distance > -0.5 && distance <= 0.5 ? 1 : 0) },
  lanczos: { support: 3, weight: (distance) => (Math.abs(distance) < 3 ? sinc(distance) * sinc(distance / 3) : 0) },
};

/** Keys' cubic convolution with a = −½, of a distance from 0. */
function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : sin(x * Math.PI) / (x * Math.PI);
}

/**
 * Resizes to exactly `size`; the aspect ratio is not kept (as in Keras). The given picture is not changed, but may be
 * returned itself where nothing is to do.
 *
 * @throws UsageError when the size is not two whole numbers from 1 to 16384, or the interpolation is unknown
 */
export function resize(picture: Picture, size: Size, interpolation: Interpolation): Picture {
  checkSize(size);
  checkInterpolation(interpolation);
  expectPicture(picture, 'resize');
  if (picture.width === size.width && picture.height === size.height) return picture;
  if (interpolation === 'nearest') return resizeNearest(picture, size);
  // Horizontal first, rounded to uint8 between the passes: both are visible in the result. (Newer Pillows go vertically
  // first for pictures about 100 times as high as wide; there single values differ by one level.)
  const filter = filters[interpolation];
  const narrowed = picture.width === size.width ? picture : resampleRows(picture, size.width, filter);
  return narrowed.height === size.height ? narrowed : resampleColumns(narrowed, size.height, filter);
}

/** @throws UsageError unless width and height are whole numbers from 1 to 16384 */
export function checkSize(size: Size): void {
  expectObject(size, 'size');
  const { width, height } = size;
  for (const [name, side] of [['width', width] as const, ['height', height] as const]) {
    if (!Number.isInteger(side) || side < 1 || side > MAXIMUM_SIDE) {
      throw new UsageError(`size: expects a ${name} from 1 to ${MAXIMUM_SIDE} pixels, got ${preview(side)}`);
    }
  }
}

function resizeNearest({ width, height, data }: Picture, size: Size): Picture {
  const columns = nearestIndices(width, size.width);
  const rows = nearestIndices(height, size.height);
  const out = new Uint8Array(size.height * size.width * 3);
  let target = 0;
  for (const row of rows) {
    for (const column of columns) {
      const source = (row * width + column) * 3;
      out[target++] = data[source];
      out[target++] = data[source + 1];
      out[target++] = data[source + 2];
    }
  }
  return { width: size.width, height: size.height, data: out };
}

/**
 * floor((i + 0.5) · input / output), but summed up step by step as Pillow does: where the exact value is a whole number
 * (4 → 15 pixels, say), rounding in that sum decides which of two pixels is taken.
 */
function nearestIndices(inputLength: number, outputLength: number): Int32Array {
  const scale = inputLength / outputLength;
  const indices = new Int32Array(outputLength);
  let position = scale * 0.5;
  for (let index = 0; index < outputLength; index++) {
    indices[index] = Math.min(Math.floor(position), inputLength - 1);
    position += scale;
  }
  return indices;
}

/** For each output pixel: where its input pixels start, how many they are, and their integer weights. */
interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** [output length, stride] */
  readonly weights: Int32Array;
  readonly stride: number;
}

function filterWeights(inputLength: number, outputLength: number, filter: Filter): Weights {
  const scale = inputLength / outputLength;
  const filterScale = Math.max(scale, 1); // wider when shrinking, never narrower than one pixel
  const support = filter.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputLength);
  const counts = new Int32Array(outputLength);
  const weights = new Int32Array(outputLength * stride);
  const exact = new Float64Array(stride);
  for (let index = 0; index < outputLength; index++) {
    const centre = (index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inputLength, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let tap = 0; tap < count; tap++) {
      exact[tap] = filter.weight((tap + start - centre + 0.5) * (1 / filterScale));
      sum += exact[tap];
    }
    for (let tap = 0; tap < count; tap++) {
      const weight = (exact[tap] / sum) * 2 ** PRECISION_BITS;
      weights[index * stride + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[index] = start;
    counts[index] = count;
  }
  return { starts, counts, weights, stride };
}

const HALF = 1 << (PRECISION_BITS - 1);

/** [height, width, 3] → [height, outputWidth, 3] */
function resampleRows({ width, height, data }: Picture, outputWidth: number, filter: Filter): Picture {
  const { starts, counts, weights, stride } = filterWeights(width, outputWidth, filter);
  const out = new Uint8Array(height * outputWidth * 3);
  let target = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < outputWidth; column++) {
      let source = (row * width + starts[column]) * 3;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let tap = 0; tap < counts[column]; tap++, source += 3) {
        const weight = weights[column * stride + tap];
        red += data[source] * weight;
        green += data[source + 1] * weight;
        blue += data[source + 2] * weight;
      }
      out[target++] = clip(red);
      out[target++] = clip(green);
      out[target++] = clip(blue);
    }
  }
  return { width: outputWidth, height, data: out };
}

/** [height, width, 3] → [outputHeight, width, 3] */
function resampleColumns({ width, height, data }: Picture, outputHeight: number, filter: Filter): Picture {
  const { starts, counts, weights, stride } = filterWeights(height, outputHeight, filter);
  const rowLength = width * 3;
  const out = new Uint8Array(outputHeight * rowLength);
  let target = 0;
  for (let row = 0; row < outputHeight; row++) {
    for (let position = 0; position < rowLength; position++) {
      let source = starts[row] * rowLength + position;
      let sum = HALF;
      for (let tap = 0; tap < counts[row]; tap++, source += rowLength) {
        sum += data[source] * weights[row * stride + tap];
      }
      out[target++] = clip(sum);
    }
  }
  return { width, height: outputHeight, data: out };
}

/** Fixed point → 0…255: weights add up to a little more than 1 when rounded, and some are below 0. */
function clip(sum: number): number {
  return Math.max(0, Math.min(255, sum >> PRECISION_BITS));
}

/** @throws UsageError unless it is a picture whose pixels are all there */
export function expectPicture(picture: Picture, method: string): void {
  expectObject(picture, `${method}: picture`);
  const { width, height, data } = picture;
  expectCount(width, `${method}: the picture's width`);
  expectCount(height, `${method}: the picture's height`);
  expectBytes(data, `${method}: the picture's data`);
  if (!(width >= 1 && height >= 1) || data.length !== width * height * 3)
    throw new UsageError(
      `${method}: a picture of ${width}×${height} expects 3 bytes a pixel, got ${data.length} bytes`,
    );
}

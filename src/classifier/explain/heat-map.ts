/** Heat maps as grids of numbers: enlarged, smoothed, compared, and laid over a picture. */
import { expectPicture } from '../../data/pictures/resize.js';
import { UsageError } from '../../errors.js';
import { type Check, expectCount, expectFinite, expectWhole, objectWith } from '../../expect.js';
import type { Picture } from '../../data/pictures/picture.js';
import { exp } from '../../tensor/exact-math.js';

/** What speaks for a class, place by place. */
export interface HeatMap {
  readonly width: number;
  readonly height: number;
  /** [height, width] */
  readonly values: Float32Array;
}

/** @throws UsageError unless it is a whole map */
export function expectMap(value: unknown, what: string): asserts value is HeatMap {
  objectWith({ width: expectCount, height: expectCount, values: expectFinite })(value, what);
  const { width, height, values } = value as HeatMap;
  if (values.length !== width * height || values.length === 0)
    throw new UsageError(`${what} expects a value for each of ${width} × ${height} places, got ${values.length}`);
}

type Size = Pick<HeatMap, 'width' | 'height'>;

/** The map in another grid, bilinear between the middles of its places. */
export function stretched(map: HeatMap, size: Size): HeatMap {
  expectMap(map, 'stretched: map');
  const side: Check = (value, what) => expectWhole(value, what, 1, 2 ** 14);
  objectWith({ width: side, height: side })(size, 'stretched: size');
  const { width, height } = size;
  if (width === map.width && height === map.height) return map;
  const along = (length: number, from: number): [number, number, number][] =>
    Array.from({ length }, (_, at) => {
      const place = Math.min(Math.max(((at + 0.5) * from) / length - 0.5, 0), from - 1);
      const low = Math.floor(place);
      return [low, Math.min(low + 1, from - 1), place - low];
    });
  const columns = along(width, map.width);
  const values = new Float32Array(width * height);
  for (const [row, [top, bottom, down]] of along(height, map.height).entries()) {
    for (const [column, [left, right, over]] of columns.entries()) {
      const at = (y: number, x: number): number => map.values[y * map.width + x];
      const upper = at(top, left) * (1 - over) + at(top, right) * over;
      const lower = at(bottom, left) * (1 - over) + at(bottom, right) * over;
      values[row * width + column] = upper * (1 - down) + lower * down;
    }
  }
  return { width, height, values };
}

/** Networks for which Grad-CAM was made have maps of 7 to 14 places a side: finer maps are smoothed to what 14 show. */
const COARSENESS = 14;

/** Without the speckle of single places: each is the mean of its neighbours by a normal curve, 1/14 of the side wide. */
export function smoothed(map: HeatMap): HeatMap {
  expectMap(map, 'smoothed: map');
  const { width, height } = map;
  const rows = blurred(map.values, { count: height, step: width, length: width, stride: 1 });
  return { ...map, values: blurred(rows, { count: width, step: 1, length: height, stride: width }) };
}

function blurred(
  values: Float32Array,
  { count, step, length, stride }: { count: number; step: number; length: number; stride: number },
): Float32Array {
  const deviation = length / COARSENESS;
  const reach = Math.ceil(2.5 * deviation);
  const weights = Array.from({ length: reach + 1 }, (_, way) => exp(-(way * way) / (2 * deviation * deviation)));
  const out = new Float32Array(values.length);
  for (let line = 0; line < count; line++) {
    for (let at = 0; at < length; at++) {
      let [sum, total] = [0, 0];
      for (let from = Math.max(0, at - reach); from <= Math.min(length - 1, at + reach); from++) {
        const weight = weights[Math.abs(from - at)];
        sum += weight * values[line * step + from * stride];
        total += weight;
      }
      out[line * step + at * stride] = sum / total;
    }
  }
  return out;
}

/** Index of the largest value, the first of several. */
export const largest = ({ values }: HeatMap): number =>
  values.reduce((best, value, at) => (value > values[best] ? at : best), 0);

/** From 0 to 1, the largest being 1; all 0 where nothing is above 0. */
export function scaled(map: HeatMap): HeatMap {
  expectMap(map, 'scaled: map');
  const most = map.values[largest(map)];
  return { ...map, values: map.values.map((value) => (most > 0 ? Math.max(0, value) / most : 0)) };
}

/** Pearson's correlation of two maps, the finer one averaged to the coarser's grid; NaN where one is the same everywhere. */
export function correlation(a: HeatMap, b: HeatMap): number {
  expectMap(a, 'correlation: the first map');
  expectMap(b, 'correlation: the second map');
  const [fine, coarse] = a.values.length >= b.values.length ? [a, b] : [b, a];
  const x = stretched(fine, coarse).values;
  const y = coarse.values;
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let at = 0; at < x.length; at++) {
    xy += (x[at] - mx) * (y[at] - my);
    xx += (x[at] - mx) * (x[at] - mx);
    yy += (y[at] - my) * (y[at] - my);
  }
  return xy / Math.sqrt(xx * yy);
}

/** Black, violet, red, orange, yellow: as bright as they are hot, for any eyes. */
const colours: readonly (readonly [number, number, number])[] = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

function colourOf(heat: number): readonly number[] {
  const place = heat * (colours.length - 1);
  const low = Math.min(Math.floor(place), colours.length - 2);
  return colours[low].map((from, channel) => from + (colours[low + 1][channel] - from) * (place - low));
}

/** Part of the colours at the hottest place. */
const STRONGEST = 0.8;

/** The picture in grey with its heat in colour; `map` from 0 to 1. */
export function overlay(picture: Picture, map: HeatMap): Picture {
  expectPicture(picture, 'overlay');
  expectMap(map, 'overlay: map');
  if (map.values.some((value) => value < 0 || value > 1))
    throw new UsageError('overlay: map expects values from 0 to 1, got others; see scaled()');
  const { width, height, data } = picture;
  const { values } = stretched(map, picture);
  const out = new Uint8Array(data.length);
  for (let at = 0; at < values.length; at++) {
    const grey = 0.299 * data[3 * at] + 0.587 * data[3 * at + 1] + 0.114 * data[3 * at + 2];
    const part = STRONGEST * Math.sqrt(values[at]);
    for (const [channel, colour] of colourOf(values[at]).entries())
      out[3 * at + channel] = Math.round(grey * (1 - part) + colour * part);
  }
  return { width, height, data: out };
}

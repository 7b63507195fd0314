/**
 * What is wrong with a picture whatever is in it: black, dark, overexposed, blurred, covered. Beside the check for unknown pictures, which
 * tells other kinds of pictures and is nearly blind to some of these. The limits are learned from the training's pictures: what is usual
 * there is no fault.
 *
 * All figures are of the luminance Y of a prepared picture (ITU-R 601, 0 to 255), so that they cost microseconds and are the same
 * wherever a picture comes from.
 */
import { ModelFileError, UsageError } from '../errors.js';
import {
  expectBytes,
  expectCount,
  expectList,
  expectNumber,
  expectObject,
  expectText,
  listOf,
  objectWith,
} from '../expect.js';
import { eachPicture, expectDataset, type Dataset } from '../data/dataset.js';
import type { Section } from '../formats/beltnet/container.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { exp, log } from '../tensor/exact-math.js';

/** In the order in which they are named. `black` is a picture that is dark and shows nothing. */
export const pictureFaults = ['black', 'dark', 'overexposed', 'blurred', 'covered'] as const;
export type PictureFault = (typeof pictureFaults)[number];

export interface PictureFigures {
  /** Mean of Y. */
  readonly brightness: number;
  /** Its deviation. */
  readonly contrast: number;
  /** Part of the pixels with Y from 250 on. */
  readonly saturated: number;
  /** log₂ of the mean squared Laplacian of Y over its variance: how much of what there is to see is fine; the light has no part in it. */
  readonly sharpness: number;
  /** Deviation of Y in each cell of a grid, [64]. */
  readonly cells: Float32Array;
}

/** Beyond these a picture has a fault. */
export interface FaultLimits {
  readonly darkest: number;
  readonly brightest: number;
  readonly saturated: number;
  readonly sharpness: number;
  /** A cell whose deviation is below this shows nothing … */
  readonly flatCell: number;
  /** … and so large a part of the cells may. */
  readonly flat: number;
  /** What is usual in the training's pictures; older files do not know it. */
  readonly usual?: UsualFigures;
}

/** Of the training's pictures: what a tenth of them lies below, the middle, what a tenth lies above. */
export type UsualFigures = Readonly<
  Record<'brightness' | 'contrast' | 'sharpness', readonly [low: number, middle: number, high: number]>
>;

/** Cells along each side. */
const CELLS = 8;
const SATURATED = 250;
/** Levels of 255 within which a picture is black. */
const BLACK = 12;
/** Below this contrast there is nothing to be sharp. */
const LEAST_CONTRAST = 4;

/** @param data RGB, [height, width, 3] */
export function pictureFigures(data: Uint8Array, width: number, height: number): PictureFigures {
  expectBytes(data, 'pictureFigures: data');
  expectCount(width, 'pictureFigures: width');
  expectCount(height, 'pictureFigures: height');
  if (data.length !== width * height * 3)
    throw new UsageError(
      `pictureFigures: expects ${width * height * 3} bytes for ${width}x${height} RGB, got ${data.length}`,
    );
  const y = new Float32Array(width * height);
  for (let at = 0, from = 0; at < y.length; at++, from += 3)
    y[at] = 0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2];
  const sums = new Float64Array(CELLS * CELLS);
  const squares = new Float64Array(CELLS * CELLS);
  const counts = new Float64Array(CELLS * CELLS);
  let saturated = 0;
  for (let row = 0; row < height; row++) {
    const rowOfCells = Math.floor((row * CELLS) / height) * CELLS;
    for (let column = 0; column < CELLS; column++) {
      const from = row * width + Math.ceil((column * width) / CELLS);
      const to = row * width + Math.ceil(((column + 1) * width) / CELLS);
      let [sum, square] = [0, 0];
      for (let at = from; at < to; at++) {
        const value = y[at];
        sum += value;
        square += value * value;
        if (value >= SATURATED) saturated++;
      }
      sums[rowOfCells + column] += sum;
      squares[rowOfCells + column] += square;
      counts[rowOfCells + column] += to - from;
    }
  }
  let laplacian = 0;
  for (let row = 1; row < height - 1; row++) {
    for (let at = row * width + 1; at < (row + 1) * width - 1; at++) {
      const bend = 4 * y[at] - y[at - 1] - y[at + 1] - y[at - width] - y[at + width];
      laplacian += bend * bend;
    }
  }
  const sum = sums.reduce((all, each) => all + each, 0);
  const brightness = sum / y.length;
  const variance = Math.max(0, squares.reduce((all, each) => all + each, 0) / y.length - brightness * brightness);
  const inner = Math.max(1, (width - 2) * (height - 2));
  return {
    brightness,
    contrast: Math.sqrt(variance),
    saturated: saturated / y.length,
    sharpness: log((laplacian / inner + 1e-3) / (variance + 1e-3)) / Math.LN2,
    cells: Float32Array.from(sums, (total, cell) => {
      const count = Math.max(1, counts[cell]); // cells of small pictures may have no pixel
      return Math.sqrt(Math.max(0, squares[cell] / count - (total / count) * (total / count)));
    }),
  };
}

/** Of this part of the training's pictures a figure may lie beyond its limit, before there is a margin. */
const RARE = 0.005;

function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

const expectFigures = objectWith({
  brightness: expectNumber,
  contrast: expectNumber,
  saturated: expectNumber,
  sharpness: expectNumber,
  cells: expectList,
});

/** @throws UsageError without pictures */
export function learnFaultLimits(figures: readonly PictureFigures[]): FaultLimits {
  listOf(expectFigures)(figures, 'learnFaultLimits: figures');
  if (figures.length === 0) throw new UsageError('learnFaultLimits: expects pictures, got none');
  /** Beyond the rare ones by half of what they are from the middle, and by `least`. */
  const limit = (values: readonly number[], direction: 1 | -1, least: number): number => {
    const sorted = Float64Array.from(values).toSorted();
    const rare = quantile(sorted, direction === 1 ? 1 - RARE : RARE);
    return rare + direction * Math.max(least, Math.abs(rare - quantile(sorted, 0.5)) / 2);
  };
  const cells = Float64Array.from(figures.flatMap((one) => [...one.cells])).toSorted();
  const flatCell = Math.max(1, quantile(cells, 0.05) / 2);
  const flat = figures.map((one) => flatPart(one, flatCell));
  const of = (name: 'brightness' | 'contrast' | 'saturated' | 'sharpness'): number[] => figures.map((one) => one[name]);
  const usual = (name: keyof UsualFigures): [number, number, number] => {
    const sorted = Float64Array.from(of(name)).toSorted();
    return [quantile(sorted, 0.1), quantile(sorted, 0.5), quantile(sorted, 0.9)];
  };
  // Light falls by factors: towards the dark it is measured in doublings.
  const doublings = of('brightness').map((brightness) => log(1 + brightness) / Math.LN2);
  return {
    darkest: exp(limit(doublings, -1, 0.25) * Math.LN2) - 1,
    brightest: limit(of('brightness'), 1, 8),
    saturated: limit(of('saturated'), 1, 0.1),
    sharpness: limit(of('sharpness'), -1, 0.5),
    flatCell,
    flat: limit(flat, 1, 0.1),
    usual: { brightness: usual('brightness'), contrast: usual('contrast'), sharpness: usual('sharpness') },
  };
}

const flatPart = ({ cells }: PictureFigures, flatCell: number): number =>
  cells.reduce((count, deviation) => count + Number(deviation < flatCell), 0) / cells.length;

const expectLimits = objectWith({
  darkest: expectNumber,
  brightest: expectNumber,
  saturated: expectNumber,
  sharpness: expectNumber,
  flatCell: expectNumber,
  flat: expectNumber,
});

/** Named in the order of `pictureFaults`. */
export function faultsOf(figures: PictureFigures, limits: FaultLimits): readonly PictureFault[] {
  expectFigures(figures, 'faultsOf: figures');
  expectLimits(limits, 'faultsOf: limits');
  const { brightness, contrast, saturated, sharpness } = figures;
  const isDark = brightness < limits.darkest;
  if (isDark && brightness < BLACK && contrast < BLACK) return ['black'];
  const faults: PictureFault[] = [];
  if (isDark) faults.push('dark');
  if (brightness > limits.brightest || saturated > limits.saturated) faults.push('overexposed');
  if (contrast >= LEAST_CONTRAST && sharpness < limits.sharpness) faults.push('blurred');
  if (flatPart(figures, limits.flatCell) > limits.flat) faults.push('covered');
  return faults;
}

export const FAULTS_SECTION = 'faults';

/** Of each picture of a set. */
export async function figuresOfSet(dataset: Dataset): Promise<PictureFigures[]> {
  const [height, width] = dataset.pictureShape;
  const figures: PictureFigures[] = [];
  for await (const picture of eachPicture(dataset)) figures.push(pictureFigures(picture, width, height));
  return figures;
}

/** The section of a model file with the limits of its training's pictures. */
export async function learnFaults(training: Dataset): Promise<Section> {
  expectDataset(training, 'learnFaults: training');
  return { value: learnFaultLimits(await figuresOfSet(training)) };
}

const names = ['darkest', 'brightest', 'saturated', 'sharpness', 'flatCell', 'flat'] as const;

/**
 * @param name of the file, for messages
 * @returns null for a model that knows no limits
 * @throws ModelFileError for a section that is none
 */
export function faultLimitsOf(info: Pick<ModelInfo, 'sections'>, name: string): FaultLimits | null {
  expectObject(info, 'faultLimitsOf: info');
  expectText(name, 'faultLimitsOf: name');
  const { sections = {} } = info;
  const section = sections[FAULTS_SECTION];
  if (section === undefined) return null;
  expectObject(section, `${name}: section '${FAULTS_SECTION}'`);
  const limits = Object(section.value) as Record<string, unknown>;
  const usual = limits['usual'] === undefined ? null : (Object(limits['usual']) as Record<string, unknown>);
  const isTriple = (value: unknown): boolean =>
    Array.isArray(value) && value.length === 3 && value.every((each) => Number.isFinite(each));
  const isUsual = usual === null || ['brightness', 'contrast', 'sharpness'].every((each) => isTriple(usual[each]));
  if (isUsual && names.every((each) => Number.isFinite(limits[each]))) return limits as unknown as FaultLimits;
  throw new ModelFileError(
    `${name}: expects in its section '${FAULTS_SECTION}' numbers for ${names.join(', ')}, got others`,
  );
}

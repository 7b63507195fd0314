/** From the words of a command line to values. Every refusal names the option, what was expected and what was received. */
import { UsageError } from '../../src/errors.js';
import type { ClassWeight, FineTune } from '../../src/index.node.js';

/** Turns the text after an option into its value. */
export type Parser<Value> = (text: string) => Value;

/** A shear angle as written: without a unit it is in that of the profile. */
export interface Angle {
  readonly value: number;
  readonly unit: 'deg' | 'rad' | null;
}

/** In pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** How pictures can be resized. */
export const interpolations = ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'] as const;

/** In pixels of the picture before it is resized. */
export interface PictureRegion extends PictureSize {
  readonly x: number;
  readonly y: number;
}

/** Whose arithmetic is followed; see `--profile`. */
export const profiles = ['keras-2', 'keras-2.1.2'] as const;
export type Profile = (typeof profiles)[number];

const LONGEST_SIDE = 16384;

function refuse(option: string, expected: string, text: string): never {
  throw new UsageError(`${option}: expects ${expected}, got '${text}'`);
}

/** Digits only: Number() would take '', ' 7 ', '0x10' and '1e3' as well. */
export function wholeNumber(option: string, least: number, most = Number.MAX_SAFE_INTEGER): Parser<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const bounded = most < Number.MAX_SAFE_INTEGER || value > most;
    return refuse(option, `a whole number ${bounded ? `from ${least} to ${most}` : `of at least ${least}`}`, text);
  };
}

/** A decimal number, exponent allowed, or NaN. */
function decimal(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** A number for which `fits` holds; `expected` says so in words. */
export function numberWhere(option: string, expected: string, fits: (value: number) => boolean): Parser<number> {
  return (text) => {
    const value = decimal(text);
    return Number.isFinite(value) && fits(value) ? value : refuse(option, expected, text);
  };
}

export function oneOf<Value extends string>(option: string, values: readonly Value[]): Parser<Value> {
  const expected = `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return (text) => values.find((value) => value === text) ?? refuse(option, expected, text);
}

/** `WIDTHxHEIGHT`. */
export function pictureSize(option: string): Parser<PictureSize> {
  return (text) => {
    const match = /^(\d+)[x×](\d+)$/i.exec(text);
    const [width, height] = match ? [Number(match[1]), Number(match[2])] : [0, 0];
    const fits = Math.min(width, height) >= 1 && Math.max(width, height) <= LONGEST_SIDE;
    return fits
      ? { width, height }
      : refuse(option, `WIDTHxHEIGHT in pixels, such as 64x64, up to ${LONGEST_SIDE}`, text);
  };
}

/** A positive number or a fraction such as `1/255`. */
export function factor(option: string): Parser<number> {
  return (text) => {
    const [numerator, denominator, ...rest] = text.split('/').map(decimal);
    const value = rest.length > 0 ? NaN : denominator === undefined ? numerator : numerator / denominator;
    return Number.isFinite(value) && value > 0
      ? value
      : refuse(option, 'a positive number or a fraction such as 1/255', text);
  };
}

/** `X,Y,WIDTH,HEIGHT` in pixels. */
/** Three numbers, of red, green and blue. */
export function channelNumbers(option: string): Parser<readonly number[]> {
  return (text) => {
    const numbers = text.split(',').map(decimal);
    return numbers.length === 3 && numbers.every(Number.isFinite)
      ? numbers
      : refuse(option, 'three numbers, of red, green and blue, such as 0.485,0.456,0.406', text);
  };
}

export function region(option: string): Parser<PictureRegion> {
  return (text) => {
    const match = /^(\d+),(\d+),(\d+),(\d+)$/.exec(text);
    const [x, y, width, height] = match ? match.slice(1).map(Number) : [0, 0, 0, 0];
    return Math.min(width, height) >= 1 && Math.max(x + width, y + height) <= 1e6
      ? { x, y, width, height }
      : refuse(option, 'X,Y,WIDTH,HEIGHT in pixels, such as 0,120,640,240', text);
  };
}

/** `LOW,HIGH`, or one number that `single` makes two of. */
export function range(
  option: string,
  expected: string,
  fits: (low: number, high: number) => boolean,
  single: (value: number) => [number, number],
): Parser<[number, number]> {
  return (text) => {
    const values = text.split(',').map(decimal);
    const [low, high] = values.length === 1 ? single(values[0]) : values;
    return values.length <= 2 && Number.isFinite(low) && Number.isFinite(high) && fits(low, high)
      ? [low, high]
      : refuse(option, expected, text);
  };
}

/** A regular expression, as `/…/` encloses it. */
export function regularExpression(option: string): Parser<RegExp> {
  return (text) => {
    try {
      if (text !== '') return new RegExp(text);
    } catch {
      // said below
    }
    return refuse(option, 'a regular expression, such as "shift-\\d+"', text);
  };
}

/** `none`, `balanced`, or `CLASS=WEIGHT,…`. */
export function classWeight(option: string): Parser<ClassWeight> {
  return (text) => {
    if (text === 'none' || text === 'balanced') return text;
    const pairs = text
      .split(',')
      .map((pair) => [pair.slice(0, pair.lastIndexOf('=')), decimal(pair.split('=').at(-1) ?? '')] as const);
    return pairs.every(([name, weight]) => name !== '' && weight >= 0 && weight < Infinity)
      ? Object.fromEntries(pairs)
      : refuse(option, 'none, balanced, or weights such as gap=5,ok=1', text);
  };
}

/** Whatever is written. */
export function anyText(): Parser<string> {
  return (text) => text;
}

/** `A,B,…`: two different names or more. */
export function classNames(option: string): Parser<string[]> {
  return (text) => {
    const names = text.split(',').map((name) => name.trim());
    return names.length >= 2 && !names.includes('') && new Set(names).size === names.length
      ? names
      : refuse(option, 'two or more different names with commas between them, such as gap,ok', text);
  };
}

/** The path of a folder. */
export function folder(option: string): Parser<string> {
  return (text) => (text === '' ? refuse(option, 'the path of a folder', text) : text);
}

/** A text that says something: an address, a name. */
export function nonEmpty(option: string): Parser<string> {
  return (text) => (text.trim() === '' ? refuse(option, 'a name', text) : text);
}

/** The path of a file. */
export function filePath(option: string): Parser<string> {
  return (text) => (text === '' ? refuse(option, 'the path of a file', text) : text);
}

/** The name of a folder, without a way to it, that every file system takes. */
export function folderName(option: string): Parser<string> {
  return (text) => {
    // oxlint-disable-next-line no-control-regex
    const fits = !/[/\\:*?"<>|\u0000-\u001f]/.test(text) && !/^\.*$|[. ]$/.test(text);
    return fits ? text : refuse(option, 'a name that a folder can have, without / or any of \\:*?"<>|', text);
  };
}

/** `12deg`, `0.2rad`, or a number in the profile's unit. */
export function angle(option: string): Parser<Angle> {
  return (text) => {
    const match = /^(.*?)(deg|rad)?$/i.exec(text);
    const value = decimal(match?.[1] ?? '');
    if (!(Number.isFinite(value) && value >= 0)) refuse(option, 'an angle from 0, such as 12deg, 0.2rad or 0.2', text);
    return { value, unit: (match?.[2]?.toLowerCase() ?? null) as Angle['unit'] };
  };
}

const DEGREES = 180 / Math.PI;

/**
 * The angle in the profile's own unit: degrees in keras-2, radians in keras-2.1.2.
 *
 * @throws UsageError for 90 degrees or more, where a picture is sheared to a line
 */
export function shearRange({ value, unit }: Angle, profile: Profile): number {
  const own = profile === 'keras-2' ? 'deg' : 'rad';
  const written = unit ?? own;
  const degrees = written === 'deg' ? value : value * DEGREES;
  if (degrees >= 90) {
    const unitHint =
      unit === null && own === 'rad'
        ? ` (in profile ${profile} a number is in radians; ${value}deg is in degrees)`
        : '';
    throw new UsageError(`--shear: expects an angle below 90 degrees, got ${value}${written}${unitHint}`);
  }
  if (written === own) return value;
  return own === 'deg' ? value * DEGREES : value / DEGREES;
}

/** What to say about a shear that is most likely not meant: a number below 1 is radians in old programs, degrees in keras-2. */
export function shearNote({ value, unit }: Angle, profile: Profile): string | null {
  if (unit !== null || profile !== 'keras-2' || value === 0 || value >= 1) return null;
  const meant = Math.round(value * DEGREES * 10) / 10;
  return (
    `--shear ${value} is in degrees (profile keras-2), which changes practically nothing; ` +
    `if radians were meant, write --shear ${value}rad (${meant} degrees)`
  );
}

/** How many of the last layers are trained on. */
export const fineTune =
  (option: string): Parser<FineTune> =>
  (text) =>
    text === 'all' ? text : wholeNumber(option, 0)(text);

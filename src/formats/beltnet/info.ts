/** What a model file says beside architecture and weights: classes, preprocessing, and what raises the alert. */
import { ModelFileError } from '../../errors.js';
import { expectObject, received, expectNumber, expectText, listOf, objectWith, perhaps } from '../../expect.js';
import type { ModelParts, Sections } from './container.js';

function preview(value: unknown): string {
  try {
    return JSON.stringify(value).slice(0, 120);
  } catch {
    return received(value); // what only programs give
  }
}

export interface ModelInfo {
  /** Class index → name; of two classes, index 1 is the one whose probability a sigmoid gives. */
  readonly classNames: readonly string[];
  readonly preprocessing: {
    /** How pictures are resized to the model's input. */
    readonly interpolation: 'nearest' | 'bilinear' | 'bicubic' | 'box' | 'lanczos';
    /** Factor on the pixel values 0 … 255. */
    readonly rescale: number;
    /** The part of each picture that is used, in its own pixels; by default the whole. */
    readonly region?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
    /** Whether pictures are turned as their EXIF orientation says, before all else; by default not. */
    readonly exif?: boolean;
    /** What is done to the rescaled values; by default nothing. */
    readonly normalization?: {
      readonly samplewiseCenter?: boolean;
      readonly samplewiseStdNormalization?: boolean;
      readonly featurewiseMean?: readonly number[];
      readonly featurewiseStd?: readonly number[];
    };
  };
  readonly alert: {
    /** The class that raises the alert … */
    readonly className: string;
    /** … when its probability is at least this. */
    readonly threshold: number;
  };
  /** What later versions and other programs keep in the file, by name. */
  readonly sections?: Sections;
}

const infoWith = objectWith({
  classNames: listOf(expectText),
  preprocessing: expectObject,
  alert: objectWith({ className: expectText, threshold: expectNumber }),
  sections: perhaps(expectObject),
});

/** For what a program gives beside a model. @throws UsageError when a part of it is missing */
export function expectInfo(info: ModelInfo, method: string): void {
  infoWith(info, `${method}: info`);
}

/**
 * @param name of the file, for messages
 * @param rules.strict whether options that {@link ModelInfo} does not name are refused; versions 1 and 2 ignored them
 * @throws ModelFileError when the fields are not what {@link ModelInfo} says
 */
export function checkInfo(
  { classes, preprocessing, alert }: ModelParts['fields'],
  name: string,
  { strict, leastClasses }: { readonly strict: boolean; readonly leastClasses: number },
): ModelInfo {
  const expect = (holds: boolean, what: string, got: unknown): void => {
    if (!holds) throw new ModelFileError(`${name}: expects ${what}, got ${preview(got)}`);
  };
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  const hasOnly = (value: object, ...keys: string[]): boolean =>
    !strict || Object.keys(value).every((key) => keys.includes(key));
  expect(
    Array.isArray(classes) &&
      classes.length >= leastClasses &&
      classes.every(isText) &&
      new Set(classes).size === classes.length,
    `${leastClasses === 1 ? 'one' : 'two'} or more different class names`,
    classes,
  );
  expect(
    isObject(preprocessing) &&
      hasOnly(preprocessing, 'interpolation', 'rescale', 'region', 'exif', 'normalization') &&
      ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'].includes(preprocessing['interpolation'] as string) &&
      Number.isFinite(preprocessing['rescale']),
    'preprocessing with interpolation and rescale, and at most region, exif and normalization',
    preprocessing,
  );
  const { region, exif, normalization } = preprocessing as Record<string, unknown>;
  const isWhole = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;
  expect(
    region === undefined ||
      (isObject(region) &&
        hasOnly(region, 'x', 'y', 'width', 'height') &&
        [region['x'], region['y']].every((value) => isWhole(value, 0)) &&
        [region['width'], region['height']].every((value) => isWhole(value, 1))),
    'a region with x, y, width and height',
    region,
  );
  const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';
  expect(isFlag(exif), 'true or false for exif', exif);
  const isChannels = (value: unknown): boolean =>
    value === undefined || (Array.isArray(value) && value.length === 3 && value.every((one) => Number.isFinite(one)));
  expect(
    normalization === undefined ||
      (isObject(normalization) &&
        hasOnly(normalization, 'samplewiseCenter', 'samplewiseStdNormalization', 'featurewiseMean', 'featurewiseStd') &&
        [normalization['samplewiseCenter'], normalization['samplewiseStdNormalization']].every(isFlag) &&
        [normalization['featurewiseMean'], normalization['featurewiseStd']].every(isChannels)),
    'a normalization with a mean and a deviation for each of three channels',
    normalization,
  );
  expect(
    isObject(alert) &&
      hasOnly(alert, 'className', 'threshold') &&
      (classes as unknown[]).includes(alert['className']) &&
      typeof alert['threshold'] === 'number' &&
      alert['threshold'] >= 0 &&
      alert['threshold'] <= 1,
    'an alert with one of the classes and a threshold from 0 to 1',
    alert,
  );
  return { classNames: classes, preprocessing, alert } as ModelInfo;
}

/** A training's options: what they are by default, what they mean to the library, and the line that says the same on a command line. */
import { UsageError, type AugmentationOptions, type RecipeOptions } from '../../../src/index.js';
import type { ProjectSettings, TrainingOptions } from './protocol.js';

export type FullOptions = Required<Omit<TrainingOptions, 'augmentation'>> & {
  readonly augmentation: Required<NonNullable<TrainingOptions['augmentation']>>;
};

export const BASE = 'darknet-tiny';

export const DEFAULTS: FullOptions = {
  network: BASE,
  size: { width: 64, height: 64 },
  epochs: 25,
  batchSize: 32,
  learningRate: 0.001,
  augmentation: {
    horizontalFlip: false,
    verticalFlip: false,
    rotation: 0,
    widthShift: 0,
    heightShift: 0,
    shear: 0,
    zoom: 0,
    brightness: null,
    channelShift: 0,
  },
  balanceClasses: false,
  earlyStopping: null,
  seed: 0,
  reproducible: false,
  name: '',
};

/** @throws UsageError for what cannot be meant */
export function fullOptions(given: TrainingOptions = {}): FullOptions {
  const options = { ...DEFAULTS, ...given, augmentation: { ...DEFAULTS.augmentation, ...given.augmentation } };
  const whole = (name: string, value: number, least: number): void => {
    if (!Number.isSafeInteger(value) || value < least)
      throw new UsageError(`${name}: expects a whole number from ${least}, got ${String(value)}`);
  };
  whole('epochs', options.epochs, 1);
  whole('batch size', options.batchSize, 1);
  whole('seed', options.seed, 0);
  if (options.earlyStopping !== null) whole('early stopping', options.earlyStopping, 1);
  if (!(options.learningRate > 0))
    throw new UsageError(`learning rate: expects a number above 0, got ${options.learningRate}`);
  if (!(options.augmentation.zoom >= 0 && options.augmentation.zoom < 1))
    throw new UsageError(`zoom: expects a number from 0 to below 1, got ${options.augmentation.zoom}`);
  return options;
}

/** As `beltnet train` has it of its flags. */
export function augmentationOf({ augmentation: flags }: FullOptions): AugmentationOptions {
  return {
    rotationRange: flags.rotation,
    widthShiftRange: flags.widthShift,
    heightShiftRange: flags.heightShift,
    shearRange: flags.shear,
    zoomRange: flags.zoom === 0 ? 0 : [1 - flags.zoom, 1 + flags.zoom],
    horizontalFlip: flags.horizontalFlip,
    verticalFlip: flags.verticalFlip,
    channelShiftRange: flags.channelShift,
    brightnessRange: flags.brightness,
    fillMode: 'nearest',
    cval: 0,
    profile: 'keras-2',
  };
}

export const recipeOf = (options: FullOptions): RecipeOptions => ({
  augmentation: augmentationOf(options),
  normalize: 'none',
  learningRate: options.learningRate,
  optimizer: 'adam',
});

export const isOnBase = ({ network }: FullOptions): boolean => network === BASE;

/** "mission, 64×64, 10 epochs" */
export function inWords(options: FullOptions): string {
  if (isOnBase(options)) return `a head on ${BASE}`;
  const { network, size, epochs } = options;
  return `${network}, ${size.width}×${size.height}, ${epochs} epoch${epochs === 1 ? '' : 's'}`;
}

const quoted = (text: string): string =>
  /^[\w./,=:-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/**
 * The line that trains the same on the pictures of the saved project.
 * @param isDivided whether the project has pictures of its own for validation or a test
 */
export function commandLine(
  options: FullOptions,
  settings: ProjectSettings,
  isDivided: boolean,
  reproducible = options.reproducible,
): string {
  const { augmentation, size } = options;
  const parts = ['beltnet train pictures'];
  const say = (flag: string, value: unknown, unless: unknown): void => {
    if (JSON.stringify(value) !== JSON.stringify(unless))
      parts.push(value === true ? flag : `${flag} ${quoted(String(value))}`);
  };
  const onBase = isOnBase(options);
  if (onBase) parts.push(`--base ${BASE}`, ...(isDivided ? [] : ['--split 0.15']));
  else {
    say('--network', options.network, 'mission');
    say('--size', `${size.width}x${size.height}`, '64x64');
    say('--epochs', options.epochs, 25);
    say('--batch', options.batchSize, 32);
    say('--lr', options.learningRate, 0.001);
    say('--class-weight', options.balanceClasses ? 'balanced' : 'none', 'none');
    if (options.earlyStopping !== null) say('--early-stopping', options.earlyStopping, null);
    say('--horizontal-flip', augmentation.horizontalFlip, false);
    say('--vertical-flip', augmentation.verticalFlip, false);
    say('--rotation', augmentation.rotation, 0);
    say('--width-shift', augmentation.widthShift, 0);
    say('--height-shift', augmentation.heightShift, 0);
    if (augmentation.shear !== 0) parts.push(`--shear ${augmentation.shear}deg`);
    say('--zoom', augmentation.zoom, 0);
    if (augmentation.brightness) say('--brightness', augmentation.brightness.join(','), '');
    say('--channel-shift', augmentation.channelShift, 0);
  }
  say('--seed', options.seed, 0);
  if (settings.region) {
    const { x, y, width, height } = settings.region;
    parts.push(`--roi ${[x, y, width, height].join(',')}`);
  }
  say('--exif', settings.exif, false);
  if (settings.alertClass !== null) say('--alert-class', settings.alertClass, null);
  say('--reproducible', reproducible, false);
  return parts.join(' ');
}

/** For config.json, under the names of the command line's flags: `beltnet train --config RUN` takes them. */
export function flagsOf(options: FullOptions, settings: ProjectSettings): Record<string, unknown> {
  const { augmentation, size, batchSize, learningRate, balanceClasses, earlyStopping, seed, reproducible } = options;
  const common = {
    ...{ seed, reproducible, exif: settings.exif, groupBy: null, shear: { value: augmentation.shear, unit: 'deg' } },
    ...(settings.region && { roi: settings.region }),
    ...(settings.alertClass !== null && { alertClass: settings.alertClass }),
  };
  if (isOnBase(options)) return { ...common, base: BASE };
  return {
    ...{ ...common, network: options.network, size, resize: 'nearest', rescale: 1 / 255, normalize: 'none' },
    ...{ epochs: options.epochs, batch: batchSize, lr: learningRate, optimizer: 'adam', schedule: 'constant' },
    ...{ classWeight: balanceClasses ? 'balanced' : 'none', ...(earlyStopping !== null && { earlyStopping }) },
    ...{ rotation: augmentation.rotation, widthShift: augmentation.widthShift, heightShift: augmentation.heightShift },
    ...{ zoom: augmentation.zoom === 0 ? [1, 1] : [1 - augmentation.zoom, 1 + augmentation.zoom] },
    ...{ horizontalFlip: augmentation.horizontalFlip, verticalFlip: augmentation.verticalFlip },
    ...{ channelShift: augmentation.channelShift, fillMode: 'nearest', fillValue: 0, profile: 'keras-2' },
    ...(augmentation.brightness && { brightness: augmentation.brightness }),
  };
}

/** Flags that several commands have. */
import { choice, toggle, flag, type Flag } from './command.js';
import {
  angle,
  folder,
  interpolations,
  numberWhere,
  pictureSize,
  profiles,
  range,
  region,
  regularExpression,
  wholeNumber,
  type Angle,
  type Parser,
} from './options.js';

const LARGEST_BATCH = 65536;
const MOST_THREADS = 64;
const MOST_WORKERS = 256;

/** Number from 1, in digits. */
export const positive = (name: string): Parser<number> => wholeNumber(name, 1);
export const probability = (name: string): Parser<number> =>
  numberWhere(name, 'a number from 0 to 1', (given) => given >= 0 && given <= 1);
const atLeast0 = (name: string): Parser<number> => numberWhere(name, 'a number from 0', (given) => given >= 0);
export const above0 = (name: string): Parser<number> => numberWhere(name, 'a number above 0', (given) => given > 0);

export const seedFlag = (description: string): Flag<number> =>
  flag('<n>', description, (name) => wholeNumber(name, 0), { default: 0 });

export const batchFlag = flag('<n>', 'pictures a step', (name) => wholeNumber(name, 1, LARGEST_BATCH), { default: 32 });

export const difficultyFlag = flag(
  '<part>',
  'spoil the pictures: noise, blur, dirt on the lens, a lost lane; from 0 to 1',
  probability,
  { default: 0 },
);

export const onBadFlag = choice(
  '<what>',
  'what to do with a picture that cannot be used: leave it out and name it, or stop',
  ['skip', 'fail'],
);

export const workersFlag = flag('<n>', 'threads that decode pictures (default: one per processor core)', (name) =>
  wholeNumber(name, 0, MOST_WORKERS),
);

/** How a picture is cut and resized. */
export const pictureFlags = {
  size: flag('<WxH>', 'width and height to which pictures are resized', pictureSize, {
    default: { width: 64, height: 64 },
    written: '64x64',
  }),
  resize: choice('<method>', "how they are resized, exactly as Pillow's", interpolations),
  roi: flag('<x,y,w,h>', 'use only this part of each picture, in its own pixels (region of interest)', region),
  exif: toggle('turn pictures as their EXIF orientation says (default: ignore it, as Keras does)'),
};

/** What of labelled pictures is taken. */
export const splitFlags = (description: string) => ({
  split: flag('<fraction>', description, (name) =>
    numberWhere(name, 'a fraction above 0 and below 1, such as 0.2', (given) => given > 0 && given < 1),
  ),
  groupBy: flag(
    '<regex>',
    "what --split keeps together: pictures with an equal match (its first group, if any) in their paths; a manifest's column 'group' does the same",
    regularExpression,
  ),
});

export const deviceFlags = {
  device: choice('<name>', 'what to compute on; auto takes a hardware GPU, else the CPU', ['auto', 'webgpu', 'cpu']),
  threads: flag(
    '<n>',
    'threads of the cpu device; same results with any number (default: one per core, at most 8)',
    (name) => wholeNumber(name, 1, MOST_THREADS),
  ),
};

/** Where decoded pictures are kept. */
export const cacheFlags = {
  cache: {
    argument: '<dir>',
    description: "folder for decoded pictures (default: BELTNET_CACHE, or the system's place)",
    parser: folder,
    negation: 'decode all pictures again, and keep none',
  } as Flag<string | boolean>, // true: the default
  cacheLimit: flag('<gb>', 'room for them; those used least recently go first', above0, { default: 10 }),
};

const shift = 'a fraction of it, or pixels from 1 on';

/** The options of Keras' ImageDataGenerator. */
export const augmentationFlags = {
  rotation: flag('<degrees>', 'rotate by up to this angle, either way', atLeast0, { default: 0 }),
  widthShift: flag('<amount>', `shift along the width: ${shift}`, atLeast0, { default: 0 }),
  heightShift: flag('<amount>', `shift along the height: ${shift}`, atLeast0, { default: 0 }),
  shear: flag<Angle>(
    '<angle>',
    'shear by up to this angle: 12deg, 0.2rad, or a number in the unit of the profile',
    angle,
    { default: { value: 0, unit: null }, written: '0' },
  ),
  zoom: flag<readonly [number, number]>(
    '<fraction>',
    'zoom each axis by a factor from 1 - z to 1 + z, or from LOW,HIGH',
    (name) =>
      range(
        name,
        'a number from 0 to below 1, such as 0.2, or LOW,HIGH above 0, such as 0.8,1.2',
        (low, high) => low > 0 && low <= high && high < 100,
        (zoom) => [1 - zoom, zoom < 0 ? NaN : 1 + zoom],
      ),
    { default: [1, 1], written: '0' },
  ),
  horizontalFlip: toggle('mirror left and right at random'),
  verticalFlip: toggle('mirror top and bottom at random'),
  brightness: flag<readonly [number, number]>('<low,high>', 'multiply all values by a factor between these', (name) =>
    range(
      name,
      'LOW,HIGH from 0 on, such as 0.8,1.2',
      (low, high) => low >= 0 && low <= high,
      () => [NaN, NaN],
    ),
  ),
  channelShift: flag('<levels>', 'add up to so many of 255 levels, either way', atLeast0, { default: 0 }),
  fillMode: choice('<mode>', 'what a warp shows beyond the edge', ['nearest', 'constant', 'reflect', 'wrap']),
  fillValue: flag(
    '<level>',
    'the level of --fill-mode constant',
    (name) => numberWhere(name, 'a level from 0 to 255', (given) => given >= 0 && given <= 255),
    { default: 0 },
  ),
  profile: choice(
    '<name>',
    "whose arithmetic to follow: Keras 2's from 2.3 on (shear in degrees), or 2.1.2's (in radians)",
    profiles,
  ),
};

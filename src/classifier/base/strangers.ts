/** Pictures that no training set is about, made here: how many of each kind a model tells is part of what it says of itself. */
import { expectObject } from '../../expect.js';
import { beltPicture } from '../../data/belt/synthetic.js';
import type { Dataset } from '../../data/dataset.js';
import { prepare, type Size } from '../../data/pictures/resize.js';
import type { Picture } from '../../data/pictures/picture.js';
import { Random, RandomStream } from '../../tensor/random.js';
import type { PicturePreparation } from '../preparation.js';
import type { Prediction } from '../verdict.js';

/** Of how many pictures of each kind how many were told. */
export type ToldStrangers = Readonly<Record<string, { readonly pictures: number; readonly told: number }>>;

const OF_EACH = 8;
const SEED = 20_261_129;
/** A camera's, before pictures are prepared. */
const CAMERA: Size = { width: 320, height: 240 };

/** The pixel at (x, y), from 0 to 1; what it gives is read before it is asked again. */
type Pixel = (x: number, y: number) => ArrayLike<number>;

const painted = (pixel: Pixel): Picture => {
  const { width, height } = CAMERA;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const rgb = pixel(x / width, y / height);
      for (let c = 0; c < 3; c++) data[at + c] = rgb[c];
    }
  }
  return { width, height, data };
};

const even = (value: number): Picture => {
  const { width, height } = CAMERA;
  return { width, height, data: new Uint8Array(width * height * 3).fill(value) };
};

/** How picture n of each kind is made. */
const kinds: Readonly<Record<string, (n: number, random: Random) => Picture>> = {
  noise: (_, random) => {
    const picture = even(0);
    for (let at = 0; at < picture.data.length; at++) picture.data[at] = random.integer(256);
    return picture;
  },
  black: (n) => even(n),
  white: (n) => even(255 - n),
  gray: (n) => even(96 + 8 * n),
  gradients: (_, random) => {
    const [from, to] = [0, 1].map(() => [random.integer(256), random.integer(256), random.integer(256)]);
    const part = random.uniform(0, 1);
    const rgb = [0, 0, 0];
    return painted((x, y) => {
      const share = part * x + (1 - part) * y;
      for (let c = 0; c < 3; c++) rgb[c] = from[c] + (to[c] - from[c]) * share;
      return rgb;
    });
  },
  stripes: (_, random) => {
    const [one, other] = [0, 1].map(() => [random.integer(256), random.integer(256), random.integer(256)]);
    const [across, down] = [random.integer(24), 1 + random.integer(24)];
    return painted((x, y) => (Math.floor(across * x + down * y) % 2 === 0 ? one : other));
  },
  'synthetic belts': (n) => beltPicture({ ...CAMERA, seed: SEED, index: n, label: n % 2 === 0 ? 'ok' : 'gap' }),
};

/** Those pictures as a set, kind by kind, prepared as the model's. */
export function strangers({ size, interpolation = 'nearest' }: PicturePreparation['picture']): Dataset {
  const names = Object.keys(kinds);
  const length = size.width * size.height * 3;
  const pictures = new Uint8Array(names.length * OF_EACH * length);
  const labels = Uint8Array.from({ length: names.length * OF_EACH }, (_, at) => Math.floor(at / OF_EACH));
  for (const [at, label] of labels.entries()) {
    const n = at % OF_EACH;
    const picture = kinds[names[label]](n, new Random(SEED, RandomStream.synthetic, label, n));
    pictures.set(prepare(picture, { size, interpolation }).data, at * length);
  }
  return {
    name: 'pictures of other kinds',
    pictures,
    pictureShape: [size.height, size.width, 3],
    labels,
    classNames: names,
    files: [...labels].map((label, at) => `${names[label]} ${at % OF_EACH}`),
    skipped: [],
  };
}

/** @param predictions of `strangers` */
export function toldStrangers({ labels, classNames }: Dataset, predictions: readonly Prediction[]): ToldStrangers {
  const told = (label: number): number =>
    predictions.filter(({ unlike }, n) => labels[n] === label && unlike !== null && unlike > 1).length;
  return Object.fromEntries(classNames.map((name, label) => [name, { pictures: OF_EACH, told: told(label) }]));
}

/** "noise 8 of 8, black 7 of 8" */
export const inWords = (told: ToldStrangers): string => {
  expectObject(told, 'strangersInWords: told');
  const parts = Object.entries(told).map(([name, one]) => {
    expectObject(one, `strangersInWords: ${name}`);
    return `${name} ${String(one.told)} of ${String(one.pictures)}`;
  });
  return parts.join(', ');
};

/** A set of belt pictures as files: which there are, and the bytes of each; the same on a disk and in a page. */
import { expectObject } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { Random, RandomStream } from '../../tensor/random.js';
import { encodeJpeg } from '../pictures/jpeg/encode-jpeg.js';
import { beltPicture, type BeltLabel, type BeltPictureOptions, checkBeltSize, checkWhole } from './synthetic.js';

export interface BeltFile extends BeltPictureOptions {
  readonly label: BeltLabel;
  /** Such as `training_set/gap/gap_00000.jpg`. */
  readonly path: string;
}

export interface BeltSetOptions {
  /** Pictures in all, half of them of each class. Default 800. */
  readonly count?: number;
  /** In pixels. Default 320 × 240. */
  readonly width?: number;
  readonly height?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Share of each class that goes to the test set, above 0 and below 1. Default 0.25. */
  readonly testFraction?: number;
}

/** The files of a set. @throws UsageError for options out of range */
export function beltFiles(options: BeltSetOptions = {}): BeltFile[] {
  expectObject(options, 'beltFiles: options');
  const { count = 800, width = 320, height = 240, seed = 0, testFraction = 0.25 } = options;
  checkWhole('count', count, 4, 200_000);
  checkBeltSize(width, height);
  checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  if (!(testFraction > 0 && testFraction < 1))
    throw new UsageError(`testFraction: expects a number above 0 and below 1, got ${String(testFraction)}`);
  const totals = [
    ['gap', Math.ceil(count / 2)],
    ['ok', Math.floor(count / 2)],
  ] as const;
  return totals.flatMap(([label, total]) => {
    const test = Math.min(total - 1, Math.max(1, Math.round(total * testFraction)));
    return Array.from({ length: total }, (_, index): BeltFile => {
      const set = index < total - test ? 'training_set' : 'test_set';
      const path = `${set}/${label}/${label}_${String(index).padStart(5, '0')}.jpg`;
      return { path, seed, index, label, width, height };
    });
  });
}

/** A picture's own draws have the label as their second index (0, 1); that of the encoding follows. */
const QUALITY_ADDRESS = 2;

/** The bytes of a file: a JPEG in a quality from 70 to 95. */
export function encodeBeltFile(options: BeltPictureOptions): Uint8Array {
  const picture = beltPicture(options);
  const address = QUALITY_ADDRESS + (options.label === 'gap' ? 0 : 1);
  const quality = 70 + new Random(options.seed, RandomStream.synthetic, options.index, address).integer(26);
  return encodeJpeg(picture, quality);
}

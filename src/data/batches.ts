/** Which pictures go into which training step, and how each is transformed. The pixels stay where they are. */
import { preview } from '../options.js';
import { expectObject } from '../expect.js';
import { UsageError } from '../errors.js';
import { Random, RandomStream } from '../tensor/random.js';
import {
  type AugmentationOptions,
  checkAugmentation,
  drawTransform,
  type FillMode,
  isWarped,
  TRANSFORM_LENGTH,
  warpInterpolation,
} from './augmentation.js';
import { expectDataset, expectPictures, type Dataset, type PictureSet } from './dataset.js';
import { DEFECTS_LENGTH, drawDefects } from './belt/defects.js';
import type { Normalization } from './normalization.js';
import type { Pictures } from './store/picture-store.js';

/** How a data set is gone through. */
export interface FlowOptions {
  /** Pictures a step; the last step of a pass may have fewer. Default 32. */
  readonly batchSize?: number;
  /** A new random order in every pass over the data. Default true. */
  readonly shuffle?: boolean;
  /** Decides order and augmentation. Default 0. */
  readonly seed?: number;
  readonly augmentation?: AugmentationOptions;
  /** Factor on the pixel values, after the augmentation; usually 1/255. Default 1. */
  readonly rescale?: number;
  /** What is done to the rescaled values. Default: nothing. */
  readonly normalization?: Normalization;
  /** Defects that make the pictures harder to tell, from 0 (none, the default) to 1; see defects.ts. */
  readonly difficulty?: number;
}

/** What the device does to pictures beside warping and rescaling them; see kernels/augment/augment.ts. */
export interface PictureAttributes extends Normalization {
  readonly fillMode: FillMode;
  readonly fillValue: number;
  readonly channelShift: boolean;
  readonly brightness: 'none' | 'plain' | 'stretched';
}

/** One step's pictures: n is the batch size, or less at the end of a pass. */
export interface Batch {
  /** Positions in the data set, [n] */
  readonly indices: Uint32Array;
  /** How each picture is warped and changed, [n, 12]; see `drawTransform`. */
  readonly transforms: Float32Array;
  /** Defects of each picture, [n, 20]; see `drawDefects`. Only where there is a difficulty. */
  readonly defects?: Float32Array;
}

/**
 * What Keras calls the iterator: an endless sequence of batches over a data set. Unlike an iterator it has no position:
 * a batch is a function of its step number alone, so that a resumed run goes on as if it had never stopped.
 */
export class DataFlow {
  readonly name: string;
  /** [sampleCount, height, width, channels] */
  readonly pictures: Pictures;
  /** Class index of each picture as a number to train on, [sampleCount]; none of pictures that can only be predicted */
  readonly labels?: Float32Array;
  readonly classNames: readonly string[];
  /** [height, width, channels] */
  readonly pictureShape: readonly [number, number, number];
  readonly sampleCount: number;
  readonly batchSize: number;
  /** ⌈sampleCount / batchSize⌉ */
  readonly stepsPerPass: number;
  /** How the warp reads between pixels. */
  readonly interpolation: 'nearest' | 'bilinear';
  readonly rescale: number;
  readonly attributes: PictureAttributes;
  /** From 0 to 1; above 0, batches bring defects. */
  readonly difficulty: number;
  readonly files: readonly string[];
  readonly #shuffle: boolean;
  readonly #seed: number;
  readonly #augmentation: AugmentationOptions;
  #order: Uint32Array;
  /** The pass that `#order` belongs to. */
  #orderedPass = -1;

  /** @throws UsageError for options out of range or an empty data set */
  constructor(dataset: Dataset | PictureSet, options: FlowOptions = {}) {
    expectPictures(dataset, 'DataFlow: dataset');
    expectObject(options, 'DataFlow: options');
    const { batchSize = 32, shuffle = true, seed = 0, augmentation = {}, rescale = 1 } = options;
    const { normalization = {}, difficulty = 0 } = options;
    checkAugmentation(augmentation);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new UsageError(`batchSize: expects a whole number from 1, got ${preview(batchSize)}`);
    }
    if (!Number.isSafeInteger(seed)) {
      throw new UsageError(`seed: expects a whole number of at most 53 bits, got ${preview(seed)}`);
    }
    if (!(difficulty >= 0 && difficulty <= 1)) {
      throw new UsageError(`difficulty: expects a number from 0 to 1, got ${preview(difficulty)}`);
    }
    if (!Number.isFinite(rescale)) throw new UsageError(`rescale: expects a number, got ${preview(rescale)}`);
    const { pictures, pictureShape } = dataset;
    const isLabelled = 'labels' in dataset;
    if (isLabelled) expectDataset(dataset, 'DataFlow: dataset');
    const sampleCount = isLabelled
      ? dataset.labels.length
      : pictures instanceof Uint8Array
        ? pictures.length / pictureShape.reduce((product, side) => product * side, 1)
        : pictures.count;
    if (sampleCount === 0) throw new UsageError(`${dataset.name}: expects pictures, got an empty set`);
    this.name = dataset.name;
    this.pictures = pictures;
    if (isLabelled) this.labels = Float32Array.from(dataset.labels);
    this.classNames = isLabelled ? dataset.classNames : [];
    this.pictureShape = pictureShape;
    this.files = isLabelled ? dataset.files : [];
    this.sampleCount = sampleCount;
    this.batchSize = batchSize;
    this.stepsPerPass = Math.ceil(this.sampleCount / batchSize);
    // Without a warp every read hits a pixel exactly: nearest then gives the same values with a quarter of the reads.
    const { profile, fillMode = 'nearest', cval = 0, channelShiftRange = 0, brightnessRange = null } = augmentation;
    this.interpolation = isWarped(augmentation) ? warpInterpolation(profile) : 'nearest';
    this.attributes = {
      fillMode,
      fillValue: cval,
      channelShift: channelShiftRange !== 0,
      ...normalization,
      brightness: brightnessRange === null ? 'none' : profile === 'keras-2.1.2' ? 'stretched' : 'plain',
    };
    this.rescale = rescale;
    this.difficulty = difficulty;
    this.#shuffle = shuffle;
    this.#seed = seed;
    this.#augmentation = augmentation;
    this.#order = Uint32Array.from({ length: this.sampleCount }, (_, index) => index);
  }

  /** Class name → class index. */
  get classIndices(): Record<string, number> {
    return Object.fromEntries(this.classNames.map((name, index) => [name, index]));
  }

  /**
   * The batch of a step, counted from 0 over all passes. Steps past one pass go on into the next.
   *
   * @throws UsageError for a step that is not a whole number from 0
   */
  batch(step: number): Batch {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new UsageError(`batch: expects a step from 0, got ${preview(step)}`);
    }
    const pass = Math.floor(step / this.stepsPerPass);
    const first = (step % this.stepsPerPass) * this.batchSize;
    const indices = this.#orderOf(pass).slice(first, first + this.batchSize);
    const transforms = new Float32Array(indices.length * TRANSFORM_LENGTH);
    const [height, width] = this.pictureShape;
    for (const [position, sample] of indices.entries()) {
      const offset = position * TRANSFORM_LENGTH;
      drawTransform(this.#augmentation, height, width, this.#seed, pass, sample, transforms, offset);
    }
    if (this.difficulty === 0) return { indices, transforms };
    const defects = new Float32Array(indices.length * DEFECTS_LENGTH);
    for (const [position, sample] of indices.entries()) {
      drawDefects(this.difficulty, height, width, this.#seed, pass, sample, defects, position * DEFECTS_LENGTH);
    }
    return { indices, transforms, defects };
  }

  #orderOf(pass: number): Uint32Array {
    if (this.#shuffle && this.#orderedPass !== pass) {
      this.#order = new Random(this.#seed, RandomStream.shuffle, pass).permutation(this.sampleCount);
      this.#orderedPass = pass;
    }
    return this.#order;
  }
}

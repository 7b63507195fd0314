import type { AugmentAttributes } from '../../kernels/augment/attributes.js';

/** What `fit`, `evaluate` and `predict` expect of data. `data/` satisfies it; so may a caller's own class. */

/** The samples of one step. */
export interface BatchPlan {
  /** Which pictures, [n] */
  readonly indices: Uint32Array;
  /** How each is warped and changed, [n,TRANSFORM_SIZE]: see kernels/augment/augment.ts */
  readonly transforms: Float32Array;
  /** Defects of each, [n,DEFECTS_SIZE]; all batches of a set have them, or none */
  readonly defects?: Float32Array;
}

/** Pictures that are read when they are needed, from a disk, say. */
export interface PictureStore {
  readonly count: number;
  /** Each picture is read once, and only forwards. */
  readonly forwardOnly: boolean;
  /** Copies pictures [n] into the front of `target`, [n,H,W,C]. */
  read(indices: Uint32Array, target: Uint8Array): Promise<void>;
}

export interface Batches {
  /** All pictures, [N,H,W,C], row-major, or a store of them */
  readonly pictures: Uint8Array | PictureStore;
  /** Class index of each picture, [N]; pictures without can only be predicted */
  readonly labels?: Float32Array;
  readonly pictureShape: readonly [height: number, width: number, channels: number];
  readonly sampleCount: number;
  readonly batchSize: number;
  /** ceil(sampleCount / batchSize): the last batch of a pass may be smaller */
  readonly stepsPerPass: number;
  readonly interpolation: 'nearest' | 'bilinear';
  /** Factor on the pixel values */
  readonly rescale: number;
  /** What else is done to them; by default nothing */
  /** Above 0 where batches bring defects */
  readonly difficulty?: number;
  readonly attributes?: Omit<AugmentAttributes, 'interpolation' | 'rescale'>;
  /** Where each picture came from, [N]: messages name those of a step whose loss is no number. */
  readonly files?: readonly string[];
  /** Samples of step `step`, counted from 0 over all passes: a pure function. */
  batch(step: number): BatchPlan;
}

/** The same batches but for what is given: properties of classes are not copied by spreading them. */
export function changedBatches(batches: Batches, changes: Partial<Batches>): Batches {
  const { pictures, pictureShape, sampleCount, batchSize, stepsPerPass, interpolation, rescale } = batches;
  const { labels, difficulty, attributes, files } = batches;
  return {
    pictures,
    pictureShape,
    sampleCount,
    batchSize,
    stepsPerPass,
    interpolation,
    rescale,
    ...(labels && { labels }),
    ...(difficulty !== undefined && { difficulty }),
    ...(attributes && { attributes }),
    ...(files && { files }),
    batch: (step) => batches.batch(step),
    ...changes,
  };
}

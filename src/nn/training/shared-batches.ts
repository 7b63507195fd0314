/** A rank's part of batches: of each, sample i is that of rank i % size. The whole is the same for any number of ranks. */
import type { Group } from '../../distributed/group.js';
import type { Batches, BatchPlan } from './batches.js';

/** What a step works on of the batch of all ranks. */
export interface BatchPart {
  /** Samples of all ranks. */
  readonly samples: number;
  /** False where this rank has none of them: it works on the first one then, which counts for nothing. */
  readonly counts: boolean;
}

/** Numbers of each picture, from the place of a rank on. */
function takeRows(rows: Float32Array, samples: number, positions: readonly number[]): Float32Array {
  const length = rows.length / samples;
  const taken = new Float32Array(positions.length * length);
  for (const [n, position] of positions.entries())
    taken.set(rows.subarray(position * length, (position + 1) * length), n * length);
  return taken;
}

/** The batches of one rank. */
export class SharedBatches implements Batches {
  readonly whole: Batches;
  readonly pictures: Batches['pictures'];
  readonly labels?: Float32Array;
  readonly pictureShape: Batches['pictureShape'];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly stepsPerPass: number;
  readonly interpolation: Batches['interpolation'];
  readonly rescale: number;
  readonly difficulty?: number;
  readonly attributes?: NonNullable<Batches['attributes']>;
  readonly #group: Group;

  constructor(whole: Batches, group: Group) {
    this.whole = whole;
    this.#group = group;
    this.pictures = whole.pictures;
    if (whole.labels) this.labels = whole.labels;
    this.pictureShape = whole.pictureShape;
    this.sampleCount = whole.sampleCount;
    this.batchSize = Math.ceil(Math.min(whole.batchSize, whole.sampleCount) / group.size);
    this.stepsPerPass = whole.stepsPerPass;
    this.interpolation = whole.interpolation;
    this.rescale = whole.rescale;
    if (whole.difficulty !== undefined) this.difficulty = whole.difficulty;
    if (whole.attributes) this.attributes = whole.attributes;
  }

  /** Places in the whole batch of a step. */
  positionsOf(samples: number): number[] {
    const { rank, size } = this.#group;
    const mine = Array.from({ length: Math.ceil((samples - rank) / size) }, (_, n) => rank + n * size);
    return mine.length > 0 ? mine : [0];
  }

  /** What this rank has of so many samples. */
  partOf(samples: number): BatchPart {
    return { samples, counts: this.#group.rank < samples };
  }

  partOfStep(step: number): BatchPart {
    return this.partOf(this.samplesOf(step));
  }

  batch(step: number): BatchPlan {
    const { indices, transforms, defects } = this.whole.batch(step);
    const positions = this.positionsOf(indices.length);
    return {
      indices: Uint32Array.from(positions, (position) => indices[position]),
      transforms: takeRows(transforms, indices.length, positions),
      ...(defects && { defects: takeRows(defects, indices.length, positions) }),
    };
  }

  /** Samples of the whole batch of a step. */
  samplesOf(step: number): number {
    const { batchSize, sampleCount, stepsPerPass } = this.whole;
    return Math.min(batchSize, sampleCount - (step % stepsPerPass) * batchSize);
  }
}

/**
 * Where a step's pictures come from, on the device. The buffers are made once for the largest batch; smaller batches
 * (the last of a pass) use the front of them.
 */
import { expectCount, expectFunction, expectList, expectObject, objectWith, refuseNotFinite } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { DEFECTS_SIZE, TRANSFORM_SIZE } from '../../kernels/augment/attributes.js';
import { augment } from '../../kernels/augment/augment.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { emptyTensor, tensor, viewOf, type Tensor } from '../../tensor/tensor.js';
import type { Batches, BatchPlan, PictureStore } from './batches.js';

/** Pictures above this share of the device's memory budget are sent with each batch instead of kept there. */
const RESIDENT_SHARE = 0.5;
/** WebGPU guarantees bindings of this size; adapters may allow more, but a resident set need not rely on it. */
const RESIDENT_BYTES = 128 * 2 ** 20;

export interface BatchSource {
  readonly sampleShape: Shape;
  /** Labels of the current batch; its first n are valid. */
  readonly labels: Tensor;
  /** Queues what makes a batch of n samples from the step inputs: x [n, …sampleShape]. Part of the recorded step. */
  batch(count: number): Tensor;
  destroy(): void;
}

/** Steps that are read ahead of the one that the device works on. */
const READ_AHEAD = 4;
/** A resident set is put on the device in pieces of this size. */
const SLAB_BYTES = 8 * 2 ** 20;

/** A step whose pictures are being read. */
interface Fetched {
  readonly plan: BatchPlan;
  readonly pictures: Uint8Array;
  readonly done: Promise<void>;
}

/**
 * Batches of a picture set: gathered, warped and rescaled on the device. A set that fits is put there once. Of a larger
 * one each step's pictures are sent with it; those in a store are read some steps ahead, so that the device need not wait.
 */
export class PictureSource implements BatchSource {
  readonly sampleShape: Shape;
  readonly labels: Tensor;
  readonly #batches: Batches;
  readonly #resident: boolean;
  readonly #pictures: Tensor;
  readonly #indices: Tensor;
  readonly #transforms: Tensor;
  readonly #defects: Tensor | null;
  readonly #hostLabels: Float32Array;
  readonly #hostIndices: Uint32Array;
  readonly #hostTransforms: Float32Array;
  /** Where a step's pictures are put together: one place, or a ring of them. */
  readonly #hostPictures: Uint8Array[];
  /** The last reading into each of them; the next one waits for it. */
  readonly #readings: Promise<void>[];
  /** By step. */
  readonly #ahead = new Map<number, Fetched>();

  private constructor(device: Device, batches: Batches) {
    const { pictures, pictureShape, sampleCount, batchSize } = batches;
    const isStored = !(pictures instanceof Uint8Array);
    const bytes = sampleCount * sizeOf(pictureShape);
    this.#batches = batches;
    this.sampleShape = pictureShape;
    this.#resident =
      bytes <= Math.min(RESIDENT_BYTES, device.memoryBudget * RESIDENT_SHARE) && !(isStored && pictures.forwardOnly);
    const places = this.#resident ? sampleCount : batchSize;
    this.#pictures = emptyTensor(device, [places, ...pictureShape], 'uint8');
    this.#indices = tensor(
      device,
      Uint32Array.from({ length: batchSize }, (_, i) => i),
    );
    this.#transforms = emptyTensor(device, [batchSize, TRANSFORM_SIZE]);
    this.#defects = batches.difficulty ? emptyTensor(device, [batchSize, DEFECTS_SIZE]) : null;
    this.labels = emptyTensor(device, [batchSize]);
    this.#hostLabels = new Float32Array(batchSize);
    this.#hostIndices = new Uint32Array(batchSize);
    this.#hostTransforms = new Float32Array(batchSize * TRANSFORM_SIZE);
    const rings = this.#resident ? 0 : isStored ? READ_AHEAD + 1 : 1;
    this.#hostPictures = Array.from({ length: rings }, () => new Uint8Array(this.#pictures.size));
    this.#readings = this.#hostPictures.map(() => Promise.resolve());
  }

  /** Makes the buffers, and puts the pictures on the device if they fit. */
  static async open(device: Device, batches: Batches): Promise<PictureSource> {
    const source = new PictureSource(device, batches);
    if (!source.#resident) return source;
    try {
      if (batches.pictures instanceof Uint8Array) source.#pictures.write(batches.pictures);
      else await source.#fill(batches.pictures, device);
    } catch (error) {
      source.destroy();
      throw error;
    }
    return source;
  }

  async #fill(store: PictureStore, device: Device): Promise<void> {
    const size = sizeOf(this.sampleShape);
    const slab = Math.max(1, Math.floor(SLAB_BYTES / size / 4)) * 4; // WebGPU writes whole words
    const host = new Uint8Array(slab * size);
    for (let first = 0; first < store.count; first += slab) {
      const count = Math.min(slab, store.count - first);
      await store.read(
        Uint32Array.from({ length: count }, (_, i) => first + i),
        host,
      );
      const { buffer, offset, dtype } = this.#pictures.view;
      const bytes = Math.ceil((count * size) / 4) * 4;
      device.write({ buffer, offset: offset + first * size, bytes, dtype }, host.subarray(0, bytes));
    }
  }

  /** Puts the inputs of step `step` on the device; gives which samples they are, or a promise when they are still read. */
  load(step: number): Uint32Array | Promise<Uint32Array> {
    const { pictures } = this.#batches;
    if (this.#resident) {
      const plan = this.#batches.batch(step);
      this.#hostIndices.set(plan.indices);
      this.#indices.write(this.#hostIndices);
      return this.#write(plan);
    }
    if (!(pictures instanceof Uint8Array)) return this.#loadFetched(step, pictures);
    const plan = this.#batches.batch(step);
    const size = sizeOf(this.sampleShape);
    for (const [i, sample] of plan.indices.entries()) {
      this.#hostPictures[0].set(pictures.subarray(sample * size, (sample + 1) * size), i * size);
    }
    this.#pictures.write(this.#hostPictures[0]);
    return this.#write(plan);
  }

  async #loadFetched(step: number, store: PictureStore): Promise<Uint32Array> {
    // Steps are asked for in a row; whatever else was read ahead is of no use.
    for (const other of this.#ahead.keys()) if (other < step || other > step + READ_AHEAD) this.#ahead.delete(other);
    const { stepsPerPass } = this.#batches;
    for (let next = step; next <= step + READ_AHEAD; next++) {
      const isThere = this.#ahead.has(next) || (store.forwardOnly && next >= stepsPerPass);
      if (!isThere) this.#ahead.set(next, this.#fetch(next, store));
    }
    const { plan, pictures, done } = this.#ahead.get(step) as Fetched;
    await done;
    this.#pictures.write(pictures);
    return this.#write(plan);
  }

  #fetch(step: number, store: PictureStore): Fetched {
    const plan = this.#batches.batch(step);
    const place = step % this.#hostPictures.length;
    const pictures = this.#hostPictures[place];
    const done = this.#readings[place].then(() => store.read(plan.indices, pictures));
    this.#readings[place] = done.catch(() => {}); // whoever waits for this step hears of it
    return { plan, pictures, done };
  }

  #write({ indices, transforms, defects }: BatchPlan): Uint32Array {
    const { labels } = this.#batches;
    if (labels) {
      for (const [i, sample] of indices.entries()) this.#hostLabels[i] = labels[sample];
      this.labels.write(this.#hostLabels);
    }
    this.#hostTransforms.set(transforms);
    this.#transforms.write(this.#hostTransforms);
    if (this.#defects && defects) {
      const host = new Float32Array(this.#defects.size);
      host.set(defects);
      this.#defects.write(host);
    }
    return indices;
  }

  batch(count: number): Tensor {
    const { interpolation, rescale, attributes } = this.#batches;
    return augment(
      this.#pictures,
      viewOf(this.#indices, [count]),
      viewOf(this.#transforms, [count, TRANSFORM_SIZE]),
      { ...attributes, interpolation, rescale },
      this.#defects && viewOf(this.#defects, [count, DEFECTS_SIZE]),
    );
  }

  destroy(): void {
    for (const item of [this.#pictures, this.#indices, this.#transforms, this.#defects, this.labels]) item?.destroy();
  }
}

/** One batch as the network sees it, [n, …pictureShape]: for a look at it. */
export async function renderBatch(device: Device, batches: Batches, step: number): Promise<Float32Array> {
  expectDevice(device, 'renderBatch: device');
  objectWith({ batch: expectFunction, pictures: expectObject, pictureShape: expectList })(
    batches,
    'renderBatch: batches',
  );
  expectCount(step, 'renderBatch: step');
  const source = await PictureSource.open(device, batches);
  try {
    const { length } = await source.load(step);
    const batch = source.batch(length);
    const values = await batch.read();
    batch.destroy();
    return values;
  } finally {
    source.destroy();
  }
}

/** Batches that the caller gives as numbers: for `trainOnBatch` and its kin. */
export class ArraySource implements BatchSource {
  readonly labels: Tensor;
  readonly sampleShape: Shape;
  readonly #x: Tensor;
  readonly #batchSize: number;

  constructor(device: Device, sampleShape: Shape, batchSize: number) {
    this.sampleShape = sampleShape;
    this.#batchSize = batchSize;
    this.#x = emptyTensor(device, [batchSize, ...sampleShape]);
    this.labels = emptyTensor(device, [batchSize]);
  }

  /**
   * @param method whose arguments they are
   * @param x [n, …sampleShape], row-major
   * @param y labels [n]; none when only predicting
   * @throws UsageError for an x that is not finite: of NaN a network makes a verdict like any other, since relu takes it for 0 on some devices
   */
  load(method: string, x: Float32Array, y?: ArrayLike<number>): number {
    const count = x.length / sizeOf(this.sampleShape);
    if (count !== this.#batchSize || (y && y.length !== count)) {
      throw new ShapeError(
        `batch: expects ${this.#batchSize} samples of ${formatShape(this.sampleShape)} with a label each, got ${x.length} values and ${y ? y.length : 'no'} labels`,
      );
    }
    const bad = this.#x.device.writeFinite(this.#x.view, x);
    if (bad >= 0) refuseNotFinite(x, bad, `${method}: x`);
    if (y) this.labels.write(Float32Array.from(y));
    return count;
  }

  batch(count: number): Tensor {
    return viewOf(this.#x, [count, ...this.sampleShape]);
  }

  destroy(): void {
    this.#x.destroy();
    this.labels.destroy();
  }
}

/**
 * Where a step's pictures come from, on the device. The buffers are made once for the largest batch; smaller batches
 * (the last of a pass) use the front of them.
 */
import { ShapeError } from '../errors.js';
import { augment, TRANSFORM_SIZE } from '../kernels/augment.js';
import type { Device } from '../tensor/device.js';
import { formatShape, sizeOf, type Shape } from '../tensor/shape.js';
import { emptyTensor, tensor, viewOf, type Tensor } from '../tensor/tensor.js';
import type { Batches } from './batches.js';

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

/** Batches of a picture set: gathered, warped and rescaled on the device. */
export class PictureSource implements BatchSource {
  readonly sampleShape: Shape;
  readonly labels: Tensor;
  readonly #batches: Batches;
  readonly #resident: boolean;
  readonly #pictures: Tensor;
  readonly #indices: Tensor;
  readonly #transforms: Tensor;
  readonly #hostLabels: Float32Array;
  readonly #hostIndices: Uint32Array;
  readonly #hostTransforms: Float32Array;
  readonly #hostPictures: Uint8Array;

  constructor(device: Device, batches: Batches) {
    const { pictures, pictureShape, sampleCount, batchSize } = batches;
    this.#batches = batches;
    this.sampleShape = pictureShape;
    this.#resident = pictures.length <= Math.min(RESIDENT_BYTES, device.memoryBudget * RESIDENT_SHARE);
    this.#pictures = this.#resident
      ? tensor(device, pictures, [sampleCount, ...pictureShape])
      : emptyTensor(device, [batchSize, ...pictureShape], 'uint8');
    this.#indices = tensor(
      device,
      Uint32Array.from({ length: batchSize }, (_, i) => i),
    );
    this.#transforms = emptyTensor(device, [batchSize, TRANSFORM_SIZE]);
    this.labels = emptyTensor(device, [batchSize]);
    this.#hostLabels = new Float32Array(batchSize);
    this.#hostIndices = new Uint32Array(batchSize);
    this.#hostTransforms = new Float32Array(batchSize * TRANSFORM_SIZE);
    this.#hostPictures = new Uint8Array(this.#resident ? 0 : this.#pictures.size);
  }

  /** Puts the inputs of step `step` on the device; returns which samples they are. */
  load(step: number): Uint32Array {
    const { pictures, labels } = this.#batches;
    const { indices, transforms } = this.#batches.batch(step);
    const size = sizeOf(this.sampleShape);
    for (let i = 0; i < indices.length; i++) {
      const sample = indices[i];
      this.#hostLabels[i] = labels[sample]!;
      if (!this.#resident) this.#hostPictures.set(pictures.subarray(sample * size, (sample + 1) * size), i * size);
    }
    this.labels.write(this.#hostLabels);
    this.#hostTransforms.set(transforms);
    this.#transforms.write(this.#hostTransforms);
    if (this.#resident) {
      this.#hostIndices.set(indices);
      this.#indices.write(this.#hostIndices);
    } else {
      this.#pictures.write(this.#hostPictures);
    }
    return indices;
  }

  batch(count: number): Tensor {
    const { interpolation, rescale } = this.#batches;
    return augment(this.#pictures, viewOf(this.#indices, [count]), viewOf(this.#transforms, [count, TRANSFORM_SIZE]), {
      interpolation,
      rescale,
    });
  }

  destroy(): void {
    for (const item of [this.#pictures, this.#indices, this.#transforms, this.labels]) item.destroy();
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
   * @param x [n, …sampleShape], row-major
   * @param y labels [n]; none when only predicting
   */
  load(x: Float32Array, y?: ArrayLike<number>): number {
    const count = x.length / sizeOf(this.sampleShape);
    if (count !== this.#batchSize || (y && y.length !== count)) {
      throw new ShapeError(
        `batch: expects ${this.#batchSize} samples of ${formatShape(this.sampleShape)} with a label each, got ${x.length} values and ${y ? y.length : 'no'} labels`,
      );
    }
    this.#x.write(x);
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

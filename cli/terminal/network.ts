/** The network that `beltnet train` trains, and whether it fits the pictures and the memory. */
import { UsageError } from '../../src/errors.js';
import { Conv2D, Dense, Flatten, MaxPooling2D, Sequential, type Device } from '../../src/index.node.js';
import type { PictureSize } from './options.js';
import { count } from './output.js';

/** Smallest side that leaves the second pooling layer a pixel to give. */
const SHORTEST_SIDE = 10;

/** @throws UsageError for pictures too small for the network */
export function checkSize({ width, height }: PictureSize): void {
  if (Math.min(width, height) >= SHORTEST_SIDE) return;
  throw new UsageError(
    `--size: expected at least ${SHORTEST_SIDE}x${SHORTEST_SIDE}, which the network's convolutions need, got ${width}x${height}`,
  );
}

/** Two convolutions with pooling, a hidden layer, one sigmoid for two classes or a softmax over more. */
export function conveyorNetwork({ width, height }: PictureSize, seed: number, classes: number): Sequential {
  const model = new Sequential([], { seed });
  model.add(new Conv2D(32, [3, 3], { inputShape: [height, width, 3], activation: 'relu' }));
  model.add(new MaxPooling2D({ poolSize: [2, 2] }));
  model.add(new Conv2D(32, [3, 3], { activation: 'relu' }));
  model.add(new MaxPooling2D({ poolSize: [2, 2] }));
  model.add(new Flatten());
  model.add(new Dense(128, { activation: 'relu' }));
  model.add(classes === 2 ? new Dense(1, { activation: 'sigmoid' }) : new Dense(classes, { activation: 'softmax' }));
  return model;
}

/** Weights, gradients and Adam's two means, 4 bytes each. */
const BYTES_PER_PARAMETER = 16;

/**
 * The dense layer grows with the pictures' area; better said here than by an allocation that fails.
 *
 * @throws UsageError when the device cannot hold the parameters and what training keeps beside them
 */
export function checkMemory(model: Sequential, { width, height }: PictureSize, device: Device): void {
  const bytes = model.countParameters() * BYTES_PER_PARAMETER;
  if (bytes <= device.memoryBudget) return;
  const gigabytes = (value: number): string => `${(value / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `--size: at ${width}x${height} the network has ${count(model.countParameters(), 'parameter')} and needs ${gigabytes(bytes)}, ` +
      `expected at most ${gigabytes(device.memoryBudget)}; choose a smaller size, such as 64x64`,
  );
}

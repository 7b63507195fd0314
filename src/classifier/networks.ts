/** The networks that can be trained from scratch, by name. */
import { UsageError } from '../errors.js';
import type { Size } from '../data/pictures/resize.js';
import { Conv2D } from '../nn/layers/convolution.js';
import { Dense, Flatten } from '../nn/layers/core.js';
import { MaxPooling2D } from '../nn/layers/pooling.js';
import type { Model } from '../nn/model.js';
import { Sequential } from '../nn/sequential.js';

interface Network {
  /** In pixels: smaller pictures leave a layer nothing to give. */
  readonly shortestSide: number;
  /** @param seed of the initial weights */
  build(size: Size, classes: number, seed: number): Model;
}

/** One sigmoid unit for two classes, a softmax over more. */
export const classifierHead = (classes: number, options: { name?: string; useBias?: boolean } = {}): Dense =>
  classes === 2
    ? new Dense(1, { ...options, activation: 'sigmoid' })
    : new Dense(classes, { ...options, activation: 'softmax' });

export const networks = {
  /** The network of the Keras program that beltnet replaces: two convolutions with pooling, a hidden layer. */
  mission: {
    shortestSide: 10,
    build: ({ width, height }, classes, seed) =>
      new Sequential(
        [
          new Conv2D(32, [3, 3], { inputShape: [height, width, 3], activation: 'relu' }),
          new MaxPooling2D({ poolSize: [2, 2] }),
          new Conv2D(32, [3, 3], { activation: 'relu' }),
          new MaxPooling2D({ poolSize: [2, 2] }),
          new Flatten(),
          new Dense(128, { activation: 'relu' }),
          classifierHead(classes),
        ],
        { seed },
      ),
  },
} as const satisfies Record<string, Network>;

export type NetworkName = keyof typeof networks;

/** @throws UsageError for a name that is not known, or pictures too small for the network */
export function buildNetwork(name: NetworkName, size: Size, classes: number, seed: number): Model {
  if (!Object.hasOwn(networks, name))
    throw new UsageError(`network: expects one of ${Object.keys(networks).join(', ')}, got '${name as string}'`);
  const { shortestSide, build } = networks[name];
  if (Math.min(size.width, size.height) < shortestSide)
    throw new UsageError(
      `size: expects at least ${shortestSide}x${shortestSide}, which the network '${name}' needs, got ${size.width}x${size.height}`,
    );
  return build(size, classes, seed);
}

/** Weights, gradients and Adam's two means, 4 bytes each. */
const BYTES_PER_PARAMETER = 16;

/**
 * A dense layer grows with the pictures' area; better said here than by an allocation that fails.
 *
 * @param memoryBudget of the device, in bytes
 * @throws UsageError when it does not hold the parameters and what training keeps beside them
 */
export function checkMemory(model: Model, memoryBudget: number): void {
  const parameters = model.countParameters();
  const bytes = parameters * BYTES_PER_PARAMETER;
  if (bytes <= memoryBudget) return;
  const [height, width] = model.inputShape;
  const gigabytes = (value: number): string => `${(value / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `size: at ${width}x${height} the network has ${parameters} parameters and needs ${gigabytes(bytes)}, ` +
      `expects at most ${gigabytes(memoryBudget)}; choose a smaller size, such as 64x64`,
  );
}

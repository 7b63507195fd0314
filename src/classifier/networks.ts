/** The networks that can be trained from scratch, by name. */
import { expectCount, expectNumber, expectText, expectWhole, objectWith, refuse } from '../expect.js';
import { UsageError } from '../errors.js';
import type { Size } from '../data/pictures/resize.js';
import { input } from '../nn/input.js';
import { ReLU } from '../nn/layers/activation.js';
import { Conv2D } from '../nn/layers/convolution.js';
import { Dense, Flatten } from '../nn/layers/core.js';
import type { SymbolicTensor } from '../nn/layers/layer.js';
import { Add } from '../nn/layers/merging.js';
import { BatchNormalization } from '../nn/layers/normalization.js';
import { GlobalAveragePooling2D, MaxPooling2D } from '../nn/layers/pooling.js';
import { Model } from '../nn/model.js';
import { Sequential } from '../nn/sequential.js';

interface Network {
  /** In pixels: smaller pictures leave a layer nothing to give. */
  readonly shortestSide: number;
  /** @param seed of the initial weights */
  readonly build: (size: Size, classes: number, seed: number) => Model;
}

/** One sigmoid unit for two classes, a softmax over more. */
export const classifierHead = (classes: number, options: { name?: string; useBias?: boolean } = {}): Dense =>
  classes === 2
    ? new Dense(1, { ...options, activation: 'sigmoid' })
    : new Dense(classes, { ...options, activation: 'softmax' });

/** Part of the running statistics that a step keeps: Keras' 0.99 needs more steps than some hundred pictures give in ten epochs. */
const MOMENTUM = 0.9;

const normalizedConvolution = (
  x: SymbolicTensor,
  filters: number,
  kernelSize: number,
  strides: number,
): SymbolicTensor =>
  new BatchNormalization({ momentum: MOMENTUM }).apply(
    new Conv2D(filters, kernelSize, { strides, padding: 'same', useBias: false }).apply(x),
  );

/** x + f(x), f two convolutions: He et al., arXiv:1512.03385, figure 5 left; a 1×1 convolution on x where the shape changes. */
function residualBlock(x: SymbolicTensor, filters: number, strides: number): SymbolicTensor {
  const first = new ReLU().apply(normalizedConvolution(x, filters, 3, strides));
  const second = normalizedConvolution(first, filters, 3, 1);
  const isSame = strides === 1 && x.shape.at(-1) === filters;
  const shortcut = isSame ? x : normalizedConvolution(x, filters, 1, strides);
  return new ReLU().apply(new Add().apply([second, shortcut]));
}

/**
 * A residual network with global pooling, for pictures of any size: it has as many parameters for large ones as for small ones.
 * @param widths filters of the stages, each of which halves the sides but the first; the stem halves them, too
 * @param blocks in each stage
 */
const residual = (widths: readonly number[], blocks: number): Network => ({
  shortestSide: 8,
  build: ({ width, height }, classes, seed) => {
    const inputs = input({ shape: [height, width, 3] });
    let x = new ReLU().apply(normalizedConvolution(inputs, widths[0], 3, 2));
    for (const [stage, filters] of widths.entries())
      for (let block = 0; block < blocks; block++) x = residualBlock(x, filters, stage > 0 && block === 0 ? 2 : 1);
    const outputs = classifierHead(classes).apply(new GlobalAveragePooling2D().apply(x));
    return new Model({ inputs, outputs, seed });
  },
});

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
  /** Residual, 78 thousand parameters. */
  small: residual([16, 32, 64], 1),
  /** Residual, 0.7 million parameters. */
  medium: residual([32, 64, 128], 2),
} as const satisfies Record<string, Network>;

export type NetworkName = keyof typeof networks;

/** A network of one's own: its pictures' size, the number of classes, the seed of its weights. */
export type NetworkBuilder = Network['build'];

/** @throws UsageError for a name that is not known, or pictures too small for the network */
export function buildNetwork(name: NetworkName, size: Size, classes: number, seed: number): Model {
  expectText(name, 'buildNetwork: name');
  objectWith({ width: expectCount, height: expectCount })(size, 'buildNetwork: size');
  expectWhole(classes, 'buildNetwork: classes', 2, 2 ** 20);
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

/** Memory that the parameters take in a training, with all that is kept beside them. */
export function trainingBytes(model: Model): number {
  if (!(model instanceof Model)) refuse(model, 'trainingBytes: model', 'a model');
  return model.countParameters() * BYTES_PER_PARAMETER;
}

/**
 * A dense layer grows with the pictures' area; better said here than by an allocation that fails.
 *
 * @param memoryBudget of the device, in bytes
 * @throws UsageError when it does not hold the parameters and what training keeps beside them
 */
export function checkMemory(model: Model, memoryBudget: number): void {
  if (!(model instanceof Model)) refuse(model, 'checkMemory: model', 'a Model');
  expectNumber(memoryBudget, 'checkMemory: memoryBudget');
  const parameters = model.countParameters();
  const bytes = trainingBytes(model);
  if (bytes <= memoryBudget) return;
  const [height, width] = model.inputShape;
  const gigabytes = (value: number): string => `${(value / 2 ** 30).toFixed(1)} GiB`;
  throw new UsageError(
    `size: at ${width}x${height} the network has ${parameters} parameters and needs ${gigabytes(bytes)}, ` +
      `expects at most ${gigabytes(memoryBudget)}; choose a smaller size, such as 64x64`,
  );
}

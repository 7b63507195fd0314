/** A small model around every kind of layer, for the formats that other programs read. All weights are random. */
import type { Layer, ModelInfo } from '../../src/index.js';
import {
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Cropping2D,
  Dense,
  DepthwiseConv2D,
  Dropout,
  ELU,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  input,
  LeakyReLU,
  MaxPooling2D,
  Model,
  Multiply,
  Normalization,
  Permute,
  Random,
  RandomStream,
  ReLU,
  Rescaling,
  Reshape,
  Sequential,
  Softmax,
  ZeroPadding2D,
} from '../../src/index.js';
import { activationNames } from '../../src/nn/activations.js';

/** Height and width differ, so that exchanging them is seen. */
export const SHAPE = [7, 6, 4];

export const info: ModelInfo = {
  classNames: ['a', 'b', 'c'],
  preprocessing: { interpolation: 'nearest', rescale: 1 / 255 },
  alert: { className: 'b', threshold: 0.25 },
};

const head = (): Layer[] => [new Flatten(), new Dense(3, { activation: 'softmax' })];
const row = (...layers: Layer[]): Model => {
  const [first, ...rest] = layers;
  const x = input({ shape: SHAPE });
  return new Model({ inputs: x, outputs: [...rest, ...head()].reduce((y, layer) => layer.apply(y), first.apply(x)) });
};
/** Two branches that a layer joins. */
function joined(join: Layer): Model {
  const x = input({ shape: SHAPE });
  const left = new Conv2D(4, 3, { padding: 'same', activation: 'tanh' }).apply(x);
  const outputs = head().reduce((value, layer) => layer.apply(value), join.apply([left, x, left]));
  return new Model({ inputs: x, outputs });
}
/** Vectors of different origin behind each other, flattened ones among them. */
function joinedVectors(): Model {
  const x = input({ shape: SHAPE });
  const flat = new Flatten().apply(new MaxPooling2D().apply(x));
  const pooled = new GlobalAveragePooling2D().apply(x);
  const normalized = new BatchNormalization().apply(new Concatenate().apply([pooled, flat, flat]));
  return new Model({ inputs: x, outputs: new Dense(3, { activation: 'softmax' }).apply(normalized) });
}
/** Channels weighed by what a picture is as a whole. */
function squeezed(): Model {
  const x = input({ shape: SHAPE });
  const pooled = new GlobalAveragePooling2D({ keepdims: true }).apply(x);
  const greatest = new GlobalMaxPooling2D({ keepdims: true }).apply(x);
  const weights = new Conv2D(4, 1, { activation: 'hard_sigmoid' }).apply(new Add().apply([pooled, greatest]));
  const weighed = new Multiply().apply([x, weights]);
  const rectified = new ReLU().apply(new Add().apply([weights, weighed])); // a sum that no kernel of equal shapes takes
  const bounded = new ReLU({ maxValue: 0.25 }).apply(new Conv2D(4, 1).apply(rectified));
  const outputs = head().reduce((value, layer) => layer.apply(value), bounded);
  return new Model({ inputs: x, outputs });
}
/** One layer in two places, and a residual connection. */
function shared(): Model {
  const x = input({ shape: SHAPE });
  const layer = new Conv2D(4, 3, { padding: 'same', activation: 'swish' });
  const sum = new Add().apply([layer.apply(layer.apply(x)), x]);
  return new Model({ inputs: x, outputs: head().reduce((value, each) => each.apply(value), sum) });
}

/** Above, below, left and right, all different. */
const sides = [
  [1, 2],
  [0, 1],
] as const;

export const layerModels: Readonly<Record<string, () => Model>> = {
  Conv2D: () => row(new Conv2D(5, [3, 2])),
  'Conv2D, same padding, even window, stride 2': () => row(new Conv2D(5, [4, 2], { padding: 'same', strides: 2 })),
  'Conv2D, dilation': () => row(new Conv2D(3, [2, 3], { dilationRate: [3, 1], padding: 'same', useBias: false })),
  'Conv2D in groups': () => row(new Conv2D(6, 3, { groups: 2, activation: 'relu' })),
  DepthwiseConv2D: () => row(new DepthwiseConv2D(2, { depthMultiplier: 3, strides: [2, 1], padding: 'same' })),
  'DepthwiseConv2D, dilation': () => row(new DepthwiseConv2D([3, 2], { dilationRate: 2, useBias: false })),
  Dense: () => row(new Flatten(), new Dense(5, { activation: 'tanh' }), new Dense(4, { useBias: false })),
  Flatten: () => row(new Flatten()),
  MaxPooling2D: () => row(new MaxPooling2D({ poolSize: [3, 2], strides: 1, padding: 'same' })),
  'MaxPooling2D, rest dropped': () => row(new MaxPooling2D()),
  AveragePooling2D: () => row(new AveragePooling2D({ poolSize: [2, 3], strides: 2, padding: 'same' })),
  GlobalAveragePooling2D: () => row(new GlobalAveragePooling2D(), new BatchNormalization()),
  GlobalMaxPooling2D: () => row(new GlobalMaxPooling2D(), new Reshape([2, 2, 1]), new Conv2D(3, 2)),
  ReLU: () => row(new ReLU()),
  ReLU6: () => row(new Rescaling({ scale: 8, offset: 1.5 }), new ReLU({ maxValue: 6 })),
  'ReLU with all options': () =>
    row(new Rescaling({ scale: 3 }), new ReLU({ maxValue: 1.5, negativeSlope: 0.25, threshold: 0.5 })),
  Normalization: () => row(new Normalization()),
  Cropping2D: () =>
    row(
      new Cropping2D({
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
    ),
  'squeeze and excite': squeezed,
  LeakyReLU: () => row(new LeakyReLU({ negativeSlope: 0.1 })),
  ELU: () => row(new ELU({ alpha: 0.5 })),
  Softmax: () => row(new Softmax(), new Conv2D(3, 2)),
  Dropout: () => row(new Dropout(0.4)),
  BatchNormalization: () => row(new BatchNormalization({ epsilon: 0.01 })),
  'BatchNormalization without scale': () => row(new BatchNormalization({ scale: false })),
  'BatchNormalization without scale and center': () => row(new BatchNormalization({ scale: false, center: false })),
  ZeroPadding2D: () =>
    row(
      new ZeroPadding2D({
        padding: [
          [1, 0],
          [2, 3],
        ],
      }),
    ),
  'ZeroPadding2D with another number': () =>
    row(new ZeroPadding2D({ padding: [2, 1], value: -0.75 }), new Conv2D(2, 3)),
  // Zeros are larger than the numbers beside them: neither is a padding of the pooling's own, which takes no part in a maximum.
  'ZeroPadding2D before MaxPooling2D': () =>
    row(new ReLU({ maxValue: 0, negativeSlope: 1 }), new ZeroPadding2D({ padding: 2 }), new MaxPooling2D()),
  'ZeroPadding2D before AveragePooling2D, padded itself': () =>
    row(new ZeroPadding2D(), new AveragePooling2D({ poolSize: 3, strides: 2, padding: sides })),
  'MaxPooling2D, padding in numbers': () => row(new MaxPooling2D({ poolSize: 3, strides: 2, padding: sides })),
  'AveragePooling2D, padding in numbers': () => row(new AveragePooling2D({ poolSize: 3, strides: 2, padding: sides })),
  Permute: () => row(new Permute([3, 1, 2]), new Conv2D(2, 3)),
  Reshape: () => row(new Reshape([4, 6, 7]), new Conv2D(2, 3)),
  'Reshape to rows': () => row(new Reshape([12, 14]), new BatchNormalization(), new Activation('softmax')),
  Add: () => joined(new Add()),
  Multiply: () => joined(new Multiply()),
  Concatenate: () => joined(new Concatenate()),
  'Concatenate along rows': () => joined(new Concatenate({ axis: 1 })),
  'Concatenate along columns': () => joined(new Concatenate({ axis: -2 })),
  'Concatenate of vectors': joinedVectors,
  'a shared layer': shared,
  Sequential: () =>
    new Sequential([
      new Conv2D(4, 3, { inputShape: SHAPE, activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dropout(0.5),
      new Dense(3, { activation: 'softmax' }),
    ]),
  ...Object.fromEntries(
    activationNames.map((name) => [
      `Activation ${name}`,
      () => row(new Conv2D(4, 2, { activation: name }), new Activation(name)),
    ]),
  ),
};

/** Replaces all weights by random ones, biases and running statistics too, so that none could be left out unseen. */
export async function randomWeights(model: Model): Promise<Model> {
  const random = new Random(3, RandomStream.synthetic);
  const weights = Object.entries(await model.getWeights()).map(([name, { shape, data }]) => {
    const least = name.endsWith('variance') ? 0.5 : -0.5; // variances are positive
    return [name, { shape, data: data.map(() => least + random.uniform()) }] as const;
  });
  model.setWeights(Object.fromEntries(weights));
  return model;
}

/** count pictures [H,W,C] of values from −1 to 1 */
export function randomInput(count: number, shape: readonly number[] = SHAPE): Float32Array {
  const random = new Random(4, RandomStream.synthetic);
  const length = shape.reduce((product, each) => product * each, count);
  return Float32Array.from({ length }, () => 2 * random.uniform() - 1);
}

export const worstDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) throw new Error(`expects ${b.length} values, got ${a.length}`);
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
};

/**
 * The networks that are measured, each defined once, with beltnet's layers. Peers get the architecture as beltnet's model files hold
 * it, and build their own from that: Python's by peers/networks.py, onnxruntime by beltnet's export.
 */
import {
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  Dropout,
  Flatten,
  GlobalAveragePooling2D,
  input,
  LeakyReLU,
  MaxPooling2D,
  Model,
  ReLU,
  Sequential,
} from '../dist/src/index.node.js';

/** Convolution, batch normalization, relu. */
const convolve = (x, filters, size, strides = 1) =>
  new ReLU().apply(
    new BatchNormalization().apply(new Conv2D(filters, size, { padding: 'same', strides, useBias: false }).apply(x)),
  );

/** The mission's: two convolutions, each pooled, and two dense layers. `width` times as many filters and units. */
const mission = (seed, { size = 64, width = 1 } = {}) =>
  new Sequential(
    [
      new Conv2D(32 * width, 3, { inputShape: [size, size, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(32 * width, 3, { activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(128 * width, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );

function vgg(seed, { dropout }) {
  const pair = (filters, options = {}) => [
    new Conv2D(filters, 3, { padding: 'same', activation: 'relu', ...options }),
    new Conv2D(filters, 3, { padding: 'same', activation: 'relu' }),
    new MaxPooling2D(),
    ...(dropout ? [new Dropout(0.25)] : []),
  ];
  return new Sequential(
    [
      ...pair(32, { inputShape: [64, 64, 3] }),
      ...pair(64),
      new Flatten(),
      new Dense(256, { activation: 'relu' }),
      ...(dropout ? [new Dropout(0.5)] : []),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );
}

const sigmoidEnd = (x) => new Dense(1, { activation: 'sigmoid' }).apply(new GlobalAveragePooling2D().apply(x));

/** Three residual blocks of two 3×3 convolutions (He et al., arXiv:1512.03385), 16, 32 and 64 channels. */
function resnet(seed) {
  const inputs = input({ shape: [64, 64, 3] });
  let x = convolve(inputs, 16, 3);
  for (const [filters, strides] of [
    [16, 1],
    [32, 2],
    [64, 2],
  ]) {
    const convolution = (from, size, step) =>
      new BatchNormalization().apply(
        new Conv2D(filters, size, { padding: 'same', strides: step, useBias: false }).apply(from),
      );
    const residual = convolution(convolve(x, filters, 3, strides), 3, 1);
    const shortcut = strides === 1 ? x : convolution(x, 1, strides);
    x = new ReLU().apply(new Add().apply([residual, shortcut]));
  }
  return new Model({ inputs, outputs: sigmoidEnd(x), seed });
}

/** Depthwise and 1×1 convolutions in turns (Howard et al., arXiv:1704.04861). */
function mobile(seed) {
  const inputs = input({ shape: [64, 64, 3] });
  let x = convolve(inputs, 16, 3, 2);
  for (const [filters, strides] of [
    [32, 1],
    [64, 2],
    [64, 1],
    [128, 2],
  ]) {
    const depthwise = new DepthwiseConv2D(3, { padding: 'same', strides, useBias: false }).apply(x);
    x = convolve(new ReLU().apply(new BatchNormalization().apply(depthwise)), filters, 1);
  }
  return new Model({ inputs, outputs: sigmoidEnd(x), seed });
}

/** Windows of several sizes side by side (Szegedy et al., arXiv:1409.4842). */
function inception(seed, { dropout }) {
  const inputs = input({ shape: [64, 64, 3] });
  let x = new MaxPooling2D().apply(convolve(inputs, 32, 5));
  for (const last of [false, true]) {
    const average = new AveragePooling2D({ poolSize: 3, strides: 1, padding: 'same' });
    x = new Concatenate().apply([
      convolve(x, 16, 1),
      convolve(convolve(x, 16, 1), 32, 3),
      convolve(convolve(x, 8, 1), 16, 5),
      convolve(average.apply(x), 16, 1),
    ]);
    if (!last) x = new MaxPooling2D().apply(x);
  }
  const pooled = new GlobalAveragePooling2D().apply(x);
  const kept = dropout ? new Dropout(0.3).apply(pooled) : pooled;
  return new Model({ inputs, outputs: new Dense(5, { activation: 'softmax' }).apply(kept), seed });
}

const strided = (seed) =>
  new Sequential(
    [
      new Conv2D(32, 3, { inputShape: [64, 64, 3], strides: 2, padding: 'same', activation: 'swish' }),
      new Conv2D(64, 3, { strides: 2, padding: 'same', activation: 'gelu' }),
      new Conv2D(128, 3, { strides: 2, padding: 'same', activation: 'elu' }),
      new GlobalAveragePooling2D(),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed },
  );

/** LeCun et al. 1998, with 28×28 gray pictures. */
const lenet = (seed) =>
  new Sequential(
    [
      new Conv2D(6, 5, { inputShape: [28, 28, 1], activation: 'tanh', padding: 'same' }),
      new AveragePooling2D(),
      new Conv2D(16, 5, { activation: 'tanh' }),
      new AveragePooling2D(),
      new Flatten(),
      new Dense(120, { activation: 'tanh' }),
      new Dense(84, { activation: 'tanh' }),
      new Dense(10, { activation: 'softmax' }),
    ],
    { seed },
  );

/** As the base that ships with beltnet (bases/darknet-tiny.json): 1×1 and 3×3 convolutions in turns, 1.05 M parameters. */
function darknet(seed) {
  const inputs = input({ shape: [224, 224, 3] });
  let x = inputs;
  for (const [filters, size] of [
    ...[[16, 3], 'pool', [32, 3], 'pool', [16, 1], [128, 3], [16, 1], [128, 3], 'pool', [32, 1], [256, 3], [32, 1]],
    ...[[256, 3], 'pool', [64, 1], [512, 3], [64, 1], [512, 3], [128, 1]],
  ].map((step) => (step === 'pool' ? [] : step))) {
    const convolution = () => new Conv2D(filters, size, { padding: 'same', useBias: false }).apply(x);
    x = filters
      ? new LeakyReLU({ negativeSlope: 0.1 }).apply(new BatchNormalization().apply(convolution()))
      : new MaxPooling2D().apply(x);
  }
  return new Model({ inputs, outputs: sigmoidEnd(new Conv2D(1000, 1).apply(x)), seed });
}

const definitions = {
  mission,
  'mission-128': (seed) => mission(seed, { size: 128 }),
  ...{ vgg, resnet, mobile, inception, strided, lenet, darknet },
};

/** The batch at which each is trained; null: it only infers. */
export const networkBatches = {
  'mission-128': 32,
  vgg: 32,
  resnet: 32,
  mobile: 32,
  inception: 32,
  strided: 32,
  lenet: 128,
  darknet: null,
};

/** The batches at which a network infers. */
export const inferenceBatches = (network) => (network === 'darknet' ? [1, 8] : [1, 32]);

/**
 * @param {object} [options]
 * @param {string} [options.network] a name of above
 * @param {number} [options.size] pixels, of the mission's network
 * @param {number} [options.width] times as many filters and units, of the mission's network
 * @param {boolean} [options.dropout] false leaves it out: with it losses cannot be compared
 * @param {number} [options.seed] of the initial weights
 */
export function buildNetwork({ network = 'mission', size, width, dropout = true, seed = 0 } = {}) {
  return definitions[network](seed, { ...(size && { size }), ...(width && { width }), dropout });
}

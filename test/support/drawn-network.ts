/**
 * Networks that a seed draws: layers of all kinds in an order that nobody thought of, with odd sizes and channels, branches that are
 * added, multiplied and joined. What fuses, folds, pads, plans memory and chooses kernels meets cases of its own here.
 */
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
  ELU,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  input,
  LeakyReLU,
  MaxPooling2D,
  Model,
  Multiply,
  Random,
  RandomStream,
  ReLU,
  ZeroPadding2D,
  type Layer,
  type NamedWeights,
  type Shape,
  type SymbolicTensor,
} from '../../src/index.js';

const activations = ['linear', 'relu', 'sigmoid', 'tanh', 'swish', 'gelu', 'elu'] as const;
const channels = [1, 2, 3, 4, 5, 7, 8, 8, 12, 13, 16, 16, 17, 24, 32];
/** Values of the last picture that a dense layer still takes one by one. */
const MOST_FLAT = 20_000;

/** How a layer was made, for messages: a failing case is to be built by hand. */
const written = (layer: Layer): string => `${layer.kind} ${JSON.stringify(layer.config())}`;

class Drawing {
  readonly lines: string[] = [];
  readonly #random: Random;
  #x: SymbolicTensor;

  constructor(random: Random, inputs: SymbolicTensor) {
    this.#random = random;
    this.#x = inputs;
  }

  get output(): SymbolicTensor {
    return this.#x;
  }
  get #shape(): Shape {
    return this.#x.shape;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.#random.integer(values.length)];
  }
  isDrawn(probability: number): boolean {
    return this.#random.uniform() < probability;
  }
  between(least: number, most: number): number {
    return least + this.#random.integer(most - least + 1);
  }

  apply(layer: Layer, inputs: SymbolicTensor | readonly SymbolicTensor[] = this.#x): void {
    this.#x = layer.apply(inputs);
    this.lines.push(`${written(layer)} → ${this.#shape.join('×')}`);
  }

  #activation() {
    return this.isDrawn(0.5) ? this.pick(['linear', 'relu'] as const) : this.pick(activations);
  }
  /** Whether windows of so many pixels lie within the picture. */
  #fits(rows: number, columns = rows): boolean {
    const [height, width] = this.#shape;
    return rows <= height && columns <= width;
  }

  convolution(): void {
    const rows = this.pick([1, 2, 3, 3, 3, 5]);
    const columns = this.isDrawn(0.7) ? rows : this.pick([1, 2, 3, 5]);
    const strides = this.pick([1, 1, 1, 2, 2, 3]);
    const dilationRate = strides === 1 ? this.pick([1, 1, 1, 2, 3]) : 1;
    const padding = this.pick(['same', 'valid'] as const);
    if (padding === 'valid' && !this.#fits((rows - 1) * dilationRate + 1, (columns - 1) * dilationRate + 1)) return;
    const filters = this.pick(channels);
    const groups = this.pick([1, 1, 1, 2, 3, 4].filter((count) => (this.#shape[2] % count) + (filters % count) === 0));
    const options = { strides, dilationRate, padding, groups, activation: this.#activation() };
    this.apply(new Conv2D(filters, [rows, columns], { ...options, useBias: this.isDrawn(0.7) }));
  }

  depthwise(): void {
    const size = this.pick([2, 3, 3, 5]);
    const padding = this.pick(['same', 'valid'] as const);
    if (padding === 'valid' && !this.#fits(size)) return;
    const options = { strides: this.pick([1, 1, 2]), padding, depthMultiplier: this.pick([1, 1, 2]) };
    this.apply(new DepthwiseConv2D(size, { ...options, activation: this.#activation(), useBias: this.isDrawn(0.5) }));
  }

  pooling(): void {
    const poolSize = this.pick([2, 2, 3]);
    const padding = this.pick(['same', 'valid'] as const);
    if (padding === 'valid' && !this.#fits(poolSize)) return;
    const Pooling = this.pick([MaxPooling2D, AveragePooling2D]);
    this.apply(new Pooling({ poolSize, strides: this.pick([1, 2, 2, 3]), padding }));
  }

  normalization(): void {
    this.apply(new BatchNormalization({ momentum: 0.9, scale: this.isDrawn(0.8), center: this.isDrawn(0.8) }));
  }

  activation(): void {
    const made = [() => new ReLU(), () => new ReLU({ maxValue: 6 }), () => new LeakyReLU(), () => new ELU()];
    const named = activations.slice(2).map((name) => () => new Activation(name));
    this.apply(this.pick([...made, ...named])());
  }

  edges(): void {
    const side = (most: number): [number, number] => [this.between(0, most), this.between(0, most)];
    if (this.isDrawn(0.5) && this.#shape[0] < 30) this.apply(new ZeroPadding2D({ padding: [side(2), side(2)] }));
    else if (this.#fits(5)) this.apply(new Cropping2D({ cropping: [side(1), side(1)] }));
  }

  /** Two or three ways through some layers that leave the shape as it is, then together again. */
  branches(): void {
    const from = this.#x;
    const count = from.shape[2];
    const layers = [
      () => this.normalization(),
      () => this.activation(),
      () => this.apply(new DepthwiseConv2D(3, { padding: 'same' })),
      () => this.apply(new Conv2D(count, this.pick([1, 3, 3]), { padding: 'same', activation: this.#activation() })),
    ];
    const ways = Array.from({ length: this.pick([2, 2, 3]) }, () => {
      this.#x = from;
      for (let left = this.between(0, 2); left > 0; left--) this.pick(layers)();
      return this.#x;
    });
    const joined = this.pick([new Add(), new Add(), new Concatenate(), new Multiply()]);
    this.apply(joined, joined instanceof Multiply ? ways.slice(0, 2) : ways);
    if (this.isDrawn(0.5)) this.activation();
  }

  block(): void {
    const blocks = ['convolution', 'convolution', 'convolution', 'depthwise', 'pooling', 'normalization'] as const;
    this[this.pick([...blocks, 'normalization', 'activation', 'edges', 'branches', 'branches'] as const)]();
  }

  end(classes: number): void {
    const isFlat = this.#shape.reduce((product, length) => product * length) <= MOST_FLAT && this.isDrawn(0.4);
    this.apply(isFlat ? new Flatten() : new (this.pick([GlobalAveragePooling2D, GlobalMaxPooling2D]))());
    if (this.isDrawn(0.4)) this.apply(new Dense(this.pick([1, 3, 7, 8, 16, 33]), { activation: this.#activation() }));
    this.apply(new Dense(classes, { activation: classes === 1 ? 'sigmoid' : 'softmax' }));
  }
}

export interface DrawnNetwork {
  readonly model: Model;
  readonly classes: number;
  /** A batch for it, of 1 to 9 pictures: x [N,H,W,C], y [N]. */
  readonly x: Float32Array;
  readonly y: readonly number[];
  readonly count: number;
  /** Its layers, a line each. */
  readonly text: string;
}

/** The same network and batch for the same seed, with weights that show a wrong one: no bias, offset or moving statistic as it begins. */
export async function drawNetwork(seed: number): Promise<DrawnNetwork> {
  const random = new Random(seed, RandomStream.synthetic);
  const height = 5 + random.integer(random.uniform() < 0.3 ? 36 : 16);
  const width = random.uniform() < 0.5 ? height : 5 + random.integer(16);
  const inputs = input({ shape: [height, width, [1, 3, 3, 4, 5][random.integer(5)]] });
  const drawing = new Drawing(random, inputs);
  for (let left = drawing.between(1, 7); left > 0; left--) drawing.block();
  const classes = drawing.pick([1, 1, 2, 3, 5]);
  drawing.end(classes);

  const model = new Model({ inputs, outputs: drawing.output, seed });
  const drawn = (name: string, value: number): number => {
    if (name.endsWith('variance')) return 0.5 + random.uniform();
    if (name.endsWith('gamma')) return 0.7 + 0.6 * random.uniform();
    return /(beta|bias|mean)$/.test(name) ? random.uniform() - 0.5 : value;
  };
  const weights: Record<string, NamedWeights[string]> = {};
  for (const [name, { shape, data }] of Object.entries(await model.getWeights()))
    weights[name] = { shape, data: data.map((value) => drawn(name, value)) };
  model.setWeights(weights);

  const count = drawing.between(1, 9);
  const size = inputs.shape.reduce((product, length) => product * length);
  const x = Float32Array.from({ length: count * size }, () => 2 * random.uniform() - 0.6);
  const y = Array.from({ length: count }, () => random.integer(Math.max(2, classes)));
  const text = [`input ${inputs.shape.join('×')}, ${count} pictures`, ...drawing.lines].join('\n');
  return { model, classes, x, y, count, text };
}

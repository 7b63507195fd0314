/** A model: a graph of layers from one input to one output, with Keras' methods. `Sequential` is the graph that is a row. */
import { ShapeError, UsageError } from '../errors.js';
import { add } from '../kernels/elementwise/arithmetic.js';
import { sumOfSquares } from '../kernels/reduce/sum-of-squares.js';
import { adam, adamW } from '../optim/adam.js';
import type { BoundOptimizer, Optimizer } from '../optim/optimizer.js';
import { rmsprop } from '../optim/rmsprop.js';
import { sgd } from '../optim/sgd.js';
import type { Device } from '../tensor/device.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../tensor/shape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import { ArraySource } from './training/batch-source.js';
import type { Batches } from './training/batches.js';
import {
  evaluateBatches,
  fitBatches,
  profileBatches,
  predictBatches,
  type EvaluateOptions,
  type FitOptions,
  type History,
  type OnScores,
  type SetMetrics,
} from './training/fit.js';
import type { Layer, LayerConfig } from './layers/layer.js';
import { resolveLoss, type Loss, type LossName } from './losses.js';
import { checkWeights, initialWeights, ParameterArena, type NamedParameter, type NamedWeights } from './parameters.js';
import type { StepProfile } from './training/profile.js';
import { Steps, type ForwardOptions } from './training/steps.js';
import type { SymbolicTensor } from './layers/layer.js';

const optimizers = { adam, adamW, rmsprop, sgd };

export interface CompileOptions {
  device: Device;
  /** A name ('adam' is the default), or what `adam({ … })` and its like return. */
  optimizer?: Optimizer | keyof typeof optimizers;
  /** A name, or what `binaryCrossentropy({ … })` and its like return. Default: what fits the model's last activation. */
  loss?: Loss | LossName;
  /** Weights of the classes in the training's loss, by class index; all 1 by default. */
  classWeight?: Readonly<Record<number, number>> | readonly number[];
  /** Accuracy is always counted; the option is there for programs that come from Keras. */
  metrics?: readonly 'accuracy'[];
}

/** What exists once a model is compiled. */
interface Compiled {
  readonly device: Device;
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  readonly arena: ParameterArena;
  readonly bound: BoundOptimizer;
  readonly steps: Steps;
  /** The layers' parameters, by node. */
  readonly tensors: readonly Record<string, Tensor>[];
  /** Sources of `trainOnBatch` and its kin, by batch size. */
  readonly arrays: Map<number, ArraySource>;
}

/** A layer in its place in the graph. Value 0 is the model's input, value i + 1 what node i gives. */
export interface ModelNode {
  readonly layer: Layer;
  /** The values that it takes. */
  readonly inputs: readonly number[];
  readonly inputShapes: readonly Shape[];
  readonly shape: Shape;
}

/** The architecture as JSON, for model files. */
export interface ModelConfig {
  readonly inputShape: Shape;
  readonly layers: readonly LayerConfig[];
  /** The layers (by name) in the order in which they run, with the values that they take: 0 is the input, i + 1 that of node i. Left out for a row. */
  readonly nodes?: readonly { readonly layer: string; readonly inputs: readonly number[] }[];
}

/** Keras' way to make a layer name of a class name: MaxPooling2D → max_pooling2d. */
const snakeCase = (kind: string): string => kind.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();

export class Model {
  readonly #nodes: ModelNode[] = [];
  readonly seed: number;
  #inputShape: Shape | null = null;
  #compiled: Compiled | null = null;
  /** Weights from before `compile`: initial ones are made there. */
  #weights: NamedWeights | null = null;
  /** Training steps done so far; Adam's corrections count them. */
  #step = 0;

  /**
   * @param options.inputs what `input({ shape })` gave
   * @param options.outputs what the last layer's `apply` gave
   * @param options.seed of the initial weights and of dropout: same seed, same training
   * @throws UsageError when the outputs do not come from the inputs alone
   * @example
   * const x = input({ shape: [32, 32, 8] });
   * const y = new Conv2D(8, 3, { padding: 'same', activation: 'relu' }).apply(x);
   * const model = new Model({ inputs: x, outputs: new Add().apply([x, y]) });
   */
  constructor({
    inputs,
    outputs,
    seed = 0,
  }: { inputs?: SymbolicTensor; outputs?: SymbolicTensor; seed?: number } = {}) {
    this.seed = seed;
    if (inputs && outputs) this.#build(inputs, outputs);
  }

  #build(inputs: SymbolicTensor, outputs: SymbolicTensor): void {
    const reached = new Set<SymbolicTensor>();
    const open = [outputs];
    for (let next = open.pop(); next; next = open.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      if (next !== inputs) open.push(...next.inputs);
    }
    if (!reached.has(inputs) || outputs === inputs)
      throw new UsageError('Model: outputs expects a tensor that layers made from inputs, got one of another graph');
    const values = [...reached].toSorted((a, b) => a.number - b.number);
    if (values.filter(({ layer }) => layer === null).length > (inputs.layer === null ? 1 : 0))
      throw new UsageError('Model: outputs expects to depend on inputs alone, got a graph with another input');
    const made = values.filter((value) => value !== inputs);
    const places = new Map([inputs, ...made].map((value, place) => [value, place]));
    this.takeInput(inputs.shape);
    for (const value of made) {
      if (value.layer)
        this.append(
          value.layer,
          value.inputs.map((from) => places.get(from) ?? 0),
        );
    }
  }

  /** Sets the shape of the model's input. */
  protected takeInput(shape: Shape): void {
    this.#inputShape = shape;
  }

  /**
   * Adds a node behind the others; a layer may have several nodes, which share its parameters.
   * @param inputs the values that it takes: 0 is the model's input, i + 1 what node i gives
   * @throws ShapeError when the layer cannot follow its inputs; UsageError after `compile`, and for a name that is taken
   */
  protected append(layer: Layer, inputs: readonly number[]): void {
    if (this.#compiled) throw new UsageError('add: the model is compiled; add layers before compile()');
    const others = [...new Set(this.#nodes.map((node) => node.layer))].filter((other) => other !== layer);
    if (layer.name === '') {
      const same = others.filter(({ kind }) => kind === layer.kind).length;
      layer.name = snakeCase(layer.kind) + (same === 0 ? '' : `_${same}`);
    }
    if (others.some(({ name }) => name === layer.name))
      throw new UsageError(`add: there is a layer '${layer.name}' already; give this one another name`);
    layer.checkInputs(inputs.length);
    const inputShapes = inputs.map((value) => (value === 0 ? this.inputShape : this.#nodes[value - 1].shape));
    const shape = layer.outputShape(...inputShapes);
    const earlier = this.#nodes.find((node) => node.layer === layer);
    if (
      earlier &&
      !layer
        .parameters(inputShapes[0])
        .every((one, i) => sameShape(one.shape, layer.parameters(earlier.inputShapes[0])[i].shape))
    )
      throw new ShapeError(
        `${layer.name}: shared, it expects inputs like ${formatShape(earlier.inputShapes[0])}, got ${formatShape(inputShapes[0])}`,
      );
    this.#nodes.push({ layer, inputs, inputShapes, shape });
  }

  /** The layers in the order in which they run. */
  get layers(): readonly Layer[] {
    return [...new Set(this.#nodes.map(({ layer }) => layer))];
  }

  /** The graph, in the order in which it runs: the last node gives the output. */
  get nodes(): readonly ModelNode[] {
    return this.#nodes;
  }

  /** Shape of one input, without the batch axis. */
  get inputShape(): Shape {
    if (!this.#inputShape) throw new UsageError('the model has no layers yet; add() some');
    return this.#inputShape;
  }

  /** Shape of one output, without the batch axis. */
  get outputShape(): Shape {
    return this.#nodes.at(-1)?.shape ?? this.inputShape;
  }

  /** Numbers that the model gives for a picture: 1, or one for each class. */
  get units(): number {
    return sizeOf(this.outputShape);
  }

  #parameters(): NamedParameter[] {
    return this.layers.flatMap((layer) => {
      const node = this.#nodes.find((each) => each.layer === layer);
      return layer
        .parameters(node?.inputShapes[0] ?? [])
        .map((parameter) => ({ ...parameter, fullName: `${layer.name}.${parameter.name}` }));
    });
  }

  /** Number of values in all parameters: 813,217 for the mission's network. `trainable` leaves running statistics out. */
  countParameters({ trainable = false }: { trainable?: boolean } = {}): number {
    return this.#parameters()
      .filter((parameter) => !trainable || (parameter.trainable ?? true))
      .reduce((count, { shape }) => count + sizeOf(shape), 0);
  }

  /** True when every layer takes what the one before it gives. */
  get #isRow(): boolean {
    return this.#nodes.every(
      ({ layer, inputs }, index) => inputs.join() === String(index) && this.layers[index] === layer,
    );
  }

  /** The layers with their output shapes and parameters, as Keras prints them. */
  summary(): string {
    const row = this.#isRow;
    const nameOf = (value: number): string => (value === 0 ? 'input' : this.#nodes[value - 1].layer.name);
    const rows = this.#nodes.map(({ layer, inputs, inputShapes, shape }) => {
      const count = layer.parameters(inputShapes[0]).reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
      const cells = [`${layer.name} (${layer.kind})`, `(None, ${shape.join(', ')})`, count.toLocaleString('en-US')];
      return row ? cells : [...cells, inputs.map(nameOf).join(', ')];
    });
    const line = ([name, shape, count, from]: readonly string[]): string =>
      `${name.padEnd(32)}${shape.padEnd(26)}${from === undefined ? count : `${count.padEnd(12)}${from}`}`;
    const [total, trained] = [this.countParameters(), this.countParameters({ trainable: true })];
    const written = (label: string, count: number): string =>
      `${label}: ${count.toLocaleString('en-US')} (${((count * 4) / 2 ** 20).toFixed(2)} MiB)`;
    return [
      line(['Layer (type)', 'Output shape', 'Param #', ...(row ? [] : ['Connected to'])]),
      '='.repeat(66),
      ...rows.map(line),
      '='.repeat(66),
      written('Total params', total),
      ...(total === trained
        ? []
        : [written('Trainable params', trained), written('Non-trainable params', total - trained)]),
    ].join('\n');
  }

  /** The architecture as JSON, for model files. */
  config(): ModelConfig {
    return {
      inputShape: this.inputShape,
      layers: this.layers.map((layer) => layer.config()),
      ...(!this.#isRow && { nodes: this.#nodes.map(({ layer, inputs }) => ({ layer: layer.name, inputs })) }),
    };
  }

  /**
   * Puts the model on a device and makes it ready to train. Compiling again on the same device keeps the weights and
   * starts the optimizer anew.
   *
   * @throws UsageError when the loss does not fit the last layer, or the model is on another device
   */
  compile({ device, optimizer = 'adam', loss, classWeight }: CompileOptions): this {
    const resolvedLoss = resolveLoss(
      loss ?? (this.#ending === 'softmax' ? 'categoricalCrossentropy' : 'binaryCrossentropy'),
    );
    this.#checkEnding(resolvedLoss);
    const resolvedOptimizer = resolveOptimizer(optimizer);
    const weights = classWeight && classWeightsOf(classWeight, this.#classes);
    const arena = this.#placeWeights(device);
    const bound = resolvedOptimizer.bind(arena.values, arena.gradients);
    const tensors = this.#nodes.map(({ layer }) => arena.ofLayer(layer.name));
    const steps = new Steps(device, {
      forward: (x, options) => this.#forward(x, tensors, options),
      units: this.units,
      loss: resolvedLoss,
      optimizer: bound,
      classWeights: weights ? tensor(device, weights) : null,
      penalty: () => this.#penalty(arena),
      stochastic: this.#nodes.some(({ layer }) => layer.stochastic),
    });
    this.#step = 0;
    this.#compiled = {
      device,
      optimizer: resolvedOptimizer,
      loss: resolvedLoss,
      arena,
      bound,
      steps,
      tensors,
      arrays: new Map(),
    };
    return this;
  }

  /** The arena of the weights on the device: the one that is there, or a new one with given or initial weights. */
  #placeWeights(device: Device): ParameterArena {
    if (this.#compiled) {
      if (this.#compiled.device !== device) {
        throw new UsageError(
          `compile: the model is on ${this.#compiled.device.description.name}; to move it, take getWeights(), ` +
            'destroy() the model, and setWeights() before compile()',
        );
      }
      const { arena } = this.#compiled;
      this.#releaseTraining();
      return arena;
    }
    const parameters = this.#parameters();
    const arena = new ParameterArena(device, parameters);
    arena.write(this.#weights ?? initialWeights(parameters, this.seed));
    return arena;
  }

  /** Activation of the last layer. */
  get #ending(): string | undefined {
    return this.#nodes.at(-1)?.layer.activation;
  }

  /** How many classes the model tells apart: one sigmoid unit stands for two. */
  get #classes(): number {
    return Math.max(2, this.units);
  }

  /** @throws UsageError when the loss does not fit the last layer */
  #checkEnding({ name, ending }: Loss): void {
    const units = this.outputShape.length === 1 ? this.outputShape[0] : 0;
    const got = `got ${this.#nodes.at(-1)?.layer.kind} ${formatShape(this.outputShape)} with ${this.#ending}`;
    if (ending === 'sigmoid' && (this.#ending !== 'sigmoid' || units !== 1))
      throw new UsageError(
        `compile: ${name} expects the model to end in one sigmoid unit, ${got}; end with new Dense(1, { activation: 'sigmoid' })`,
      );
    if (ending === 'softmax' && (this.#ending !== 'softmax' || units < 2))
      throw new UsageError(
        `compile: ${name} expects the model to end in a softmax over the classes, ${got}; end with new Dense(classes, { activation: 'softmax' })`,
      );
    if (units < 1)
      throw new UsageError(
        `compile: ${name} expects the model to end in a vector, ${got}; add Flatten and Dense layers`,
      );
  }

  /** What the layers' regularization adds to the loss. */
  #penalty(arena: ParameterArena): Tensor | null {
    const penalties = this.#parameters().flatMap(({ fullName, l2 = 0 }) =>
      l2 > 0 ? [sumOfSquares(arena.value(fullName), { scale: l2 })] : [],
    );
    return penalties.length > 0 ? penalties.reduce(add) : null;
  }

  #forward(x: Tensor, tensors: readonly Record<string, Tensor>[], { logits, training, step }: ForwardOptions): Tensor {
    const values: Tensor[] = [x];
    const last = this.#nodes.length - 1;
    for (const [index, { layer, inputs }] of this.#nodes.entries()) {
      if (values[index + 1]) continue; // done together with an earlier one
      const given = inputs.map((value) => values[value]);
      const users = this.#nodes.filter((node) => node.inputs.includes(index + 1));
      const next = users.length === 1 && users[0].inputs.length === 1 ? users[0] : null;
      const fused = next && layer.callFused(next.layer, given[0], tensors[index]);
      if (fused) {
        values[this.#nodes.indexOf(next) + 1] = fused;
        continue;
      }
      const activation = index === last && logits ? 'linear' : layer.activation;
      const random = { seed: this.seed, layer: index, step };
      values[index + 1] = layer.call(given, tensors[index], { activation, training, random });
    }
    return values[last + 1];
  }

  #require(method: string): Compiled {
    if (!this.#compiled) throw new UsageError(`${method}: the model is not compiled; call compile({ device }) first`);
    return this.#compiled;
  }

  /** Settings of optimizer and loss, for the run's configuration. */
  get training(): { optimizer: Optimizer; loss: Loss; device: Device } {
    const { optimizer, loss, device } = this.#require('training');
    return { optimizer, loss, device };
  }

  /**
   * The model as a differentiable function of a tensor, for research: x [n, …inputShape] → [n, …outputShape].
   * @param options.logits the last layer's values before its activation
   * @param options.training true: batch statistics and dropout, by the mask of step `step`
   */
  call(
    x: Tensor,
    { logits = false, training = false, step = 0 }: { logits?: boolean; training?: boolean; step?: number } = {},
  ): Tensor {
    const { tensors } = this.#require('call');
    if (!sameShape(x.shape.slice(1), this.inputShape)) {
      throw new ShapeError(`call: the model expects [N,${this.inputShape.join(',')}], got ${formatShape(x.shape)}`);
    }
    return this.#forward(x, tensors, { logits, training, step: tensor(x.device, Uint32Array.of(step)) });
  }

  // --- training

  /**
   * Trains on batches of pictures: Keras' `fit_generator`.
   * @throws NotANumberError when the loss is not finite; ShapeError when the pictures do not fit the model
   */
  async fit(batches: Batches, options: FitOptions = {}): Promise<History> {
    this.#checkPictures('fit', batches);
    if (options.validationData) this.#checkPictures('fit', options.validationData);
    const { device, steps } = this.#require('fit');
    return fitBatches(device, steps, batches, options, () => ++this.#step);
  }

  /**
   * Where the time of a training step goes: milliseconds of each kernel, and the device's measured peak beside it. The
   * step is run some times on the first batch, so that the model is trained on; save it before.
   */
  async profile(batches: Batches): Promise<StepProfile> {
    this.#checkPictures('profile', batches);
    const { device, steps } = this.#require('profile');
    return profileBatches(device, steps, batches, () => ++this.#step);
  }

  /** Loss and accuracy over batches, weights unchanged. */
  async evaluate(batches: Batches, options: EvaluateOptions = {}): Promise<SetMetrics> {
    this.#checkPictures('evaluate', batches);
    const { device, steps } = this.#require('evaluate');
    return evaluateBatches(device, steps, batches, options);
  }

  /**
   * What the model gives for every picture, in the order of the set (not of its batches): the probability of class 1 [N],
   * or of each class [N,K], row by row.
   * @param options.onScores takes each step's scores as soon as they are there
   */
  async predict(batches: Batches, { onScores }: { onScores?: OnScores } = {}): Promise<Float32Array> {
    this.#checkPictures('predict', batches);
    const { device, steps } = this.#require('predict');
    return predictBatches(device, steps, batches, this.units, onScores);
  }

  #checkPictures(method: string, { pictureShape, labels }: Batches): void {
    if (!sameShape(pictureShape, this.inputShape)) {
      throw new ShapeError(
        `${method}: the model expects pictures ${formatShape(this.inputShape)}, got ${formatShape(pictureShape)}; load them with that targetSize`,
      );
    }
    this.#checkLabels(method, labels ?? []);
  }

  #checkLabels(method: string, labels: ArrayLike<number>): void {
    for (let n = 0; n < labels.length; n++) {
      if (!(labels[n] >= 0 && labels[n] < this.#classes))
        throw new ShapeError(
          `${method}: the model tells ${this.#classes} classes apart, got a picture of class ${labels[n]}; ` +
            'end with a unit for each class',
        );
    }
  }

  /** One training step on given numbers: x [n, …inputShape], class indices y [n]. Loss and accuracy are those before the update. */
  async trainOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    const { steps } = this.#require('trainOnBatch');
    this.#checkLabels('trainOnBatch', y);
    const source = this.#arraySource(x);
    const count = source.load(x, y);
    steps.train(source, count, ++this.#step);
    return this.#batchFigures(steps);
  }

  async testOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    const { steps } = this.#require('testOnBatch');
    this.#checkLabels('testOnBatch', y);
    const source = this.#arraySource(x);
    steps.evaluate(source, source.load(x, y));
    return this.#batchFigures(steps);
  }

  /** Probabilities of class 1 [n], or of each class [n,K]. */
  async predictOnBatch(x: Float32Array): Promise<Float32Array> {
    const { steps } = this.#require('predictOnBatch');
    const source = this.#arraySource(x);
    return steps.predict(source, source.load(x));
  }

  async #batchFigures(steps: Steps): Promise<SetMetrics> {
    const [figures] = await steps.readMetrics();
    return { loss: figures.loss, accuracy: figures.correct / figures.samples };
  }

  #arraySource(x: Float32Array): ArraySource {
    const { arrays, device } = this.#require('batch');
    const count = x.length / sizeOf(this.inputShape);
    if (!Number.isInteger(count) || count === 0) {
      throw new ShapeError(
        `batch: ${x.length} values are not a whole number of inputs ${formatShape(this.inputShape)}`,
      );
    }
    let source = arrays.get(count);
    if (!source) arrays.set(count, (source = new ArraySource(device, this.inputShape, count)));
    return source;
  }

  // --- weights

  /** All weights by name, `conv2d.kernel` and so on. */
  async getWeights(): Promise<NamedWeights> {
    if (this.#compiled) return this.#compiled.arena.read();
    return this.#weights ?? initialWeights(this.#parameters(), this.seed);
  }

  /** Gradients of the last training step, by the same names: for checks. */
  async getGradients(): Promise<NamedWeights> {
    return this.#require('getGradients').arena.read('gradients');
  }

  /** @throws ShapeError when a weight is missing, superfluous or of another shape */
  setWeights(weights: NamedWeights): void {
    checkWeights(this.#parameters(), weights);
    this.#compiled?.arena.write(weights);
    this.#weights = weights;
  }

  /** Frees all that belongs to training; the weights stay. */
  #releaseTraining(): void {
    if (!this.#compiled) return;
    const { bound, steps, arrays } = this.#compiled;
    for (const source of arrays.values()) source.destroy();
    steps.destroy();
    bound.destroy();
  }

  /** Frees the model's memory on the device; its weights are gone. Compiled again it starts from its seed, or from `setWeights`. */
  destroy(): void {
    this.#releaseTraining();
    this.#compiled?.arena.destroy();
    this.#compiled = null;
    this.#weights = null;
  }
}

/** @throws UsageError for a name that is not known */
function resolveOptimizer(optimizer: Optimizer | keyof typeof optimizers): Optimizer {
  if (typeof optimizer !== 'string') return optimizer;
  if (Object.hasOwn(optimizers, optimizer)) return optimizers[optimizer]();
  throw new UsageError(`compile: optimizer expects one of ${Object.keys(optimizers).join(', ')}, got '${optimizer}'`);
}

/** A weight for each class, 1 where none is given. @throws UsageError for a class that is not there or a weight below 0 */
function classWeightsOf(given: Readonly<Record<number, number>> | readonly number[], classes: number): Float32Array {
  const weights = new Float32Array(classes).fill(1);
  for (const [key, weight] of Object.entries(given)) {
    if (!(Number(key) < classes) || !(weight >= 0 && weight < Infinity))
      throw new UsageError(
        `compile: classWeight expects weights of at least 0 for classes 0 to ${classes - 1}, got ${weight} for class ${key}`,
      );
    weights[Number(key)] = weight;
  }
  return weights;
}

/** A model that is a row of layers, used as Keras' `Sequential` is. */
import { ShapeError, UsageError } from '../errors.js';
import { adam } from '../optim/adam.js';
import type { BoundOptimizer, Optimizer } from '../optim/optimizer.js';
import type { Device } from '../tensor/device.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { ArraySource } from './batch-source.js';
import type { Batches } from './batches.js';
import {
  evaluateBatches,
  fitBatches,
  predictBatches,
  type EvaluateOptions,
  type FitOptions,
  type History,
  type OnScores,
  type SetMetrics,
} from './fit.js';
import type { Layer, LayerConfig } from './layers.js';
import { resolveLoss, type Loss } from './losses.js';
import { checkWeights, initialWeights, ParameterArena, type NamedParameter, type NamedWeights } from './parameters.js';
import { Steps } from './steps.js';

export interface CompileOptions {
  device: Device;
  /** 'adam' (the default) or what `adam({ … })` returns. */
  optimizer?: Optimizer | 'adam';
  /** 'binaryCrossentropy' (the default) or what `binaryCrossentropy({ … })` returns. */
  loss?: Loss | 'binaryCrossentropy' | 'binary_crossentropy';
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
  readonly layerTensors: readonly Record<string, Tensor>[];
  /** Sources of `trainOnBatch` and its kin, by batch size. */
  readonly arrays: Map<number, ArraySource>;
}

/** Keras' way to make a layer name of a class name: MaxPooling2D → max_pooling2d. */
const snakeCase = (kind: string): string => kind.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();

export class Sequential {
  readonly #layers: Layer[] = [];
  readonly seed: number;
  #inputShape: Shape | null = null;
  #compiled: Compiled | null = null;
  /** Weights from before `compile`: initial ones are made there. */
  #weights: NamedWeights | null = null;
  /** Training steps done so far; Adam's corrections count them. */
  #step = 0;

  /** @param options.seed of the initial weights: same seed, same weights */
  constructor(layers: readonly Layer[] = [], { seed = 0 }: { seed?: number } = {}) {
    this.seed = seed;
    for (const layer of layers) this.add(layer);
  }

  /**
   * Appends a layer. The first one needs `inputShape`.
   * @throws ShapeError when the layer cannot follow the ones before it; UsageError after `compile`
   */
  add(layer: Layer): this {
    if (this.#compiled) throw new UsageError('add: the model is compiled; add layers before compile()');
    if (this.#layers.length === 0) {
      if (!layer.inputShape)
        throw new UsageError(`add: the first layer (${layer.kind}) needs inputShape, for example [64, 64, 3]`);
      this.#inputShape = layer.inputShape;
    }
    if (layer.name === '') {
      const same = this.#layers.filter(({ kind }) => kind === layer.kind).length;
      layer.name = snakeCase(layer.kind) + (same === 0 ? '' : `_${same}`);
    }
    if (this.#layers.some(({ name }) => name === layer.name))
      throw new UsageError(`add: there is a layer '${layer.name}' already; give this one another name`);
    layer.outputShape(this.outputShape);
    this.#layers.push(layer);
    return this;
  }

  get layers(): readonly Layer[] {
    return this.#layers;
  }

  /** Shape of one input, without the batch axis. */
  get inputShape(): Shape {
    if (!this.#inputShape) throw new UsageError('the model has no layers yet; add() some');
    return this.#inputShape;
  }

  /** Shape of one output, without the batch axis. */
  get outputShape(): Shape {
    return this.#layers.reduce<Shape>((shape, layer) => layer.outputShape(shape), this.inputShape);
  }

  #parameters(): NamedParameter[] {
    let shape = this.inputShape;
    return this.#layers.flatMap((layer) => {
      const described = layer
        .parameters(shape)
        .map((parameter) => ({ ...parameter, fullName: `${layer.name}.${parameter.name}` }));
      shape = layer.outputShape(shape);
      return described;
    });
  }

  /** Number of trainable values: 813,217 for the mission's network. */
  countParameters(): number {
    return this.#parameters().reduce((count, { shape }) => count + sizeOf(shape), 0);
  }

  /** The layers with their output shapes and parameters, as Keras prints them. */
  summary(): string {
    let shape = this.inputShape;
    const rows = this.#layers.map((layer) => {
      const count = layer.parameters(shape).reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
      shape = layer.outputShape(shape);
      return [`${layer.name} (${layer.kind})`, `(None, ${shape.join(', ')})`, count.toLocaleString('en-US')] as const;
    });
    const line = (cells: readonly [string, string, string]): string =>
      `${cells[0].padEnd(32)}${cells[1].padEnd(26)}${cells[2]}`;
    const total = this.countParameters();
    return [
      line(['Layer (type)', 'Output shape', 'Param #']),
      '='.repeat(66),
      ...rows.map(line),
      '='.repeat(66),
      `Total params: ${total.toLocaleString('en-US')} (${((total * 4) / 2 ** 20).toFixed(2)} MiB)`,
    ].join('\n');
  }

  /** The layers as JSON, for model files. */
  config(): { inputShape: Shape; layers: LayerConfig[] } {
    return { inputShape: this.inputShape, layers: this.#layers.map((layer) => layer.config()) };
  }

  /**
   * Puts the model on a device and makes it ready to train. Compiling again on the same device keeps the weights and
   * starts the optimizer anew.
   *
   * @throws UsageError when the loss does not fit the last layer, or the model is on another device
   */
  compile({ device, optimizer = 'adam', loss = 'binaryCrossentropy' }: CompileOptions): this {
    const last = this.#layers.at(-1);
    const resolvedLoss = resolveLoss(loss);
    if (last?.activation !== 'sigmoid' || !sameShape(this.outputShape, [1])) {
      throw new UsageError(
        `compile: ${resolvedLoss.name} expects the model to end in one sigmoid unit, got ${last?.kind} ${formatShape(this.outputShape)} with ${last?.activation}; ` +
          `end with new Dense(1, { activation: 'sigmoid' })`,
      );
    }
    const resolvedOptimizer = optimizer === 'adam' ? adam() : optimizer;
    const arena = this.#placeWeights(device);
    const bound = resolvedOptimizer.bind(arena.values, arena.gradients);
    const layerTensors = this.#layers.map((layer) => arena.ofLayer(layer.name));
    const steps = new Steps(device, (x, logits) => this.#forward(x, layerTensors, logits), resolvedLoss, bound);
    this.#step = 0;
    this.#compiled = {
      device,
      optimizer: resolvedOptimizer,
      loss: resolvedLoss,
      arena,
      bound,
      steps,
      layerTensors,
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

  #forward(x: Tensor, layerTensors: readonly Record<string, Tensor>[], logits: boolean): Tensor {
    let value = x;
    for (let index = 0; index < this.#layers.length; index++) {
      const layer = this.#layers[index];
      const next = this.#layers[index + 1];
      const fused = next && layer.callFused(next, value, layerTensors[index]);
      if (fused) index++; // the next layer is done as well
      value = fused ?? layer.call(value, layerTensors[index], !next && logits ? 'linear' : layer.activation);
    }
    return value;
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
   * The model as a differentiable function of a tensor, for research: x [n, …inputShape] → [n,1].
   * @param options.logits the last layer's values before the sigmoid
   */
  call(x: Tensor, { logits = false }: { logits?: boolean } = {}): Tensor {
    const { layerTensors } = this.#require('call');
    if (!sameShape(x.shape.slice(1), this.inputShape)) {
      throw new ShapeError(`call: the model expects [N,${this.inputShape.join(',')}], got ${formatShape(x.shape)}`);
    }
    return this.#forward(x, layerTensors, logits);
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

  /** Loss and accuracy over batches, weights unchanged. */
  async evaluate(batches: Batches, options: EvaluateOptions = {}): Promise<SetMetrics> {
    this.#checkPictures('evaluate', batches);
    const { device, steps } = this.#require('evaluate');
    return evaluateBatches(device, steps, batches, options);
  }

  /**
   * Probability of class 1 for every picture, in the order of the set (not of its batches): [N].
   * @param options.onScores takes each step's scores as soon as they are there
   */
  async predict(batches: Batches, { onScores }: { onScores?: OnScores } = {}): Promise<Float32Array> {
    this.#checkPictures('predict', batches);
    const { device, steps } = this.#require('predict');
    return predictBatches(device, steps, batches, onScores);
  }

  #checkPictures(method: string, { pictureShape }: Batches): void {
    if (!sameShape(pictureShape, this.inputShape)) {
      throw new ShapeError(
        `${method}: the model expects pictures ${formatShape(this.inputShape)}, got ${formatShape(pictureShape)}; load them with that targetSize`,
      );
    }
  }

  /** One training step on given numbers: x [n, …inputShape], labels y [n]. Loss and accuracy are those before the update. */
  async trainOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    const { steps } = this.#require('trainOnBatch');
    const source = this.#arraySource(x);
    const count = source.load(x, y);
    steps.train(source, count, ++this.#step);
    return this.#batchFigures(steps);
  }

  async testOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    const { steps } = this.#require('testOnBatch');
    const source = this.#arraySource(x);
    steps.evaluate(source, source.load(x, y));
    return this.#batchFigures(steps);
  }

  /** Probabilities of class 1: [n]. */
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

/** A model: a graph of layers from one input to one output, with Keras' methods. `Sequential` is the graph that is a row. */
import { expectArray, expectText, listOf } from '../expect.js';
import { ShapeError, UsageError } from '../errors.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { Device } from '../tensor/device.js';
import { checkNames, preview } from '../options.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../tensor/shape.js';
import { tensor, viewOf, type Tensor, expectTensor } from '../tensor/tensor.js';
import { classesOf, compileGraph, settingsOf, type Compiled, type CompileOptions } from './compile.js';
import { Graph, summaryOf, type ModelConfig, type ModelNode } from './graph.js';
import { SymbolicTensor, type Layer, expectSymbolic } from './layers/layer.js';
import type { Loss } from './losses.js';
import { checkWeights, initialWeights, ParameterArena, type NamedWeights } from './parameters.js';
import type { Batches } from './training/batches.js';
import { evaluateBatches, predictBatches, type EvaluateOptions, type PredictOptions } from './training/evaluate.js';
import type { History } from './training/events.js';
import type { SetMetrics } from './training/figures.js';
import { fitBatches, fitOptionNames, profileBatches, type FitOptions } from './training/fit.js';
import { checkPictures, predictOnBatch, testOnBatch, trainOnBatch, type Expected } from './training/on-batch.js';
import type { StepProfile } from './training/profile.js';
import { readState, writeState, type TrainingState, expectState } from './training/state.js';

/** How `call` and `values` run the layers. */
export interface CallOptions {
  /** The last layer's values before its activation. */
  logits?: boolean;
  /** Batch statistics and dropout, by the mask of step `step`. */
  training?: boolean;
  step?: number;
  /** Values of layers by their names, [n, …]: they are taken as they are, and what only they would need is not computed. */
  given?: Readonly<Record<string, Tensor>>;
  /** Takes the parameters for constants, so that gradients go to `x` and to what is `given`, and nothing of a training changes. */
  constantParameters?: boolean;
}

const callOptionNames = { logits: true, training: true, step: true, given: true, constantParameters: true };

export class Model {
  protected readonly graph: Graph;
  #seed: number;
  #compiled: Compiled | null = null;
  /** Weights from before `compile`: initial ones are made there. */
  #weights: NamedWeights | null = null;

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
  constructor(options: { inputs?: SymbolicTensor; outputs?: SymbolicTensor; seed?: number } = {}) {
    checkNames('Model', options, { inputs: true, outputs: true, seed: true });
    const { inputs, outputs, seed = 0 } = options;
    if (!inputs !== !outputs)
      throw new UsageError(`Model: expects inputs and outputs, got ${inputs ? 'inputs' : 'outputs'} only`);
    if (!Number.isSafeInteger(seed)) throw new UsageError(`Model: seed expects a whole number, got ${preview(seed)}`);
    for (const [name, value] of Object.entries({ inputs, outputs }))
      if (value !== undefined) expectSymbolic(value, `Model: ${name}`);
    this.#seed = seed;
    this.graph = inputs && outputs ? Graph.between(inputs, outputs) : new Graph();
  }

  /**
   * Applies the whole model in another graph, Keras' `model(x)`: its layers become layers there, under their names, and begin
   * with this model's weights as they are when that graph is compiled (they are copied: training there leaves this model as
   * it is). Applied several times, they share their parameters.
   *
   * @throws ShapeError for an input of another shape
   */
  apply(inputs: SymbolicTensor): SymbolicTensor {
    expectSymbolic(inputs, 'apply: inputs');
    if (!sameShape(inputs.shape, this.inputShape))
      throw new ShapeError(
        `apply: the model expects ${formatShape(this.inputShape)}, got ${formatShape(inputs.shape)}`,
      );
    const values = [inputs];
    for (const { layer, inputs: given, shape } of this.nodes) {
      const taken = given.map((value) => values[value]);
      values.push(new SymbolicTensor(shape, layer, taken, this));
    }
    return values[values.length - 1];
  }

  /** @throws UsageError after `compile` */
  protected checkNotCompiled(): void {
    if (this.#compiled) throw new UsageError('add: the model is compiled; add layers before compile()');
  }

  /** Of the initial weights and of dropout. */
  get seed(): number {
    return this.#seed;
  }

  /** Epochs done since `compile`, or when the training's state was taken. */
  get epoch(): number {
    return this.#compiled?.counters.epoch ?? 0;
  }

  /**
   * Whether what this process has of a training is what all ranks have: not so between the updates of an accumulation, or between the
   * means of `syncEvery`. Only then can `trainingState` be gone on from.
   */
  get isWhole(): boolean {
    return this.#compiled?.steps.isWhole ?? true;
  }

  /** The layers in the order in which they run. */
  get layers(): readonly Layer[] {
    return this.graph.layers;
  }

  /** The graph, in the order in which it runs: the last node gives the output. */
  get nodes(): readonly ModelNode[] {
    return this.graph.nodes;
  }

  /** Whether any layer is trained; set, it freezes all layers or none. Takes effect at the next `compile`. */
  get trainable(): boolean {
    return this.layers.some((layer) => layer.trainable);
  }

  set trainable(trainable: boolean) {
    for (const layer of this.layers) layer.trainable = trainable;
  }

  /** Shape of one input, without the batch axis. */
  get inputShape(): Shape {
    return this.graph.inputShape;
  }

  /** Shape of one output, without the batch axis. */
  get outputShape(): Shape {
    return this.graph.outputShape;
  }

  /** Numbers that the model gives for a picture: 1, or one for each class. */
  get units(): number {
    return sizeOf(this.outputShape);
  }

  /** What data must fit. */
  get #expected(): Expected {
    return { inputShape: this.inputShape, classes: classesOf(this.graph) };
  }

  /** Number of values in all parameters: 813,217 for the mission's network. `trainable` leaves running statistics and frozen layers out. */
  countParameters(options: { trainable?: boolean } = {}): number {
    checkNames('countParameters', options, { trainable: true });
    const { trainable = false } = options;
    return this.graph
      .parameters()
      .filter((parameter) => !trainable || parameter.trainable)
      .reduce((count, { shape }) => count + sizeOf(shape), 0);
  }

  /** The layers with their output shapes and parameters, as Keras prints them. */
  summary(): string {
    return summaryOf(this.graph);
  }

  /** The architecture as JSON, for model files. */
  config(): ModelConfig {
    return this.graph.config();
  }

  /**
   * Puts the model on a device and makes it ready to train. Compiling again on the same device keeps the weights and
   * starts the optimizer anew.
   *
   * @throws UsageError when the loss does not fit the last layer, or the model is on another device
   */
  compile(given: CompileOptions): this {
    const settings = settingsOf(this.graph, given);
    this.#compiled = compileGraph(this.graph, this.#placeWeights(given.device), settings, () => this.seed);
    return this;
  }

  /** The arena of the weights on the device: the one that is there if it still fits, or a new one with the weights so far. */
  #placeWeights(device: Device): ParameterArena {
    const parameters = this.graph.parameters();
    const before = this.#compiled;
    before?.training.check('compile');
    before?.figures.check('compile');
    if (!before) {
      const arena = new ParameterArena(device, parameters);
      arena.write(this.#hostWeights());
      if (!this.#weights) for (const { arena: from } of this.#compiledSources(device)) arena.copyFrom(from);
      return arena;
    }
    if (before.device !== device) {
      throw new UsageError(
        `compile: the model is on ${before.device.description.name}; to move it, take getWeights(), ` +
          'destroy() the model, and setWeights() before compile()',
      );
    }
    this.#releaseTraining();
    if (before.arena.fits(parameters)) return before.arena;
    const arena = new ParameterArena(device, parameters); // layers were frozen, or are no longer
    arena.copyFrom(before.arena);
    before.arena.destroy();
    return arena;
  }

  /** The models that were applied in this one. */
  get #sources(): Model[] {
    return [...new Set(this.graph.sources.values())].filter((source) => source instanceof Model);
  }

  #compiledSources(device: Device): Compiled[] {
    return this.#sources.flatMap((source) => {
      if (source.#compiled === null) return source.#weights ? [] : source.#compiledSources(device);
      if (source.#compiled.device === device) return [source.#compiled];
      throw new UsageError(
        `compile: a model that was applied in this one is on ${source.#compiled.device.description.name}, this one is to be on ` +
          `${device.description.name}; take its weights before: model.setWeights(await model.getWeights())`,
      );
    });
  }

  /** Weights without a device: given ones, else initial ones, and those of applied models. */
  #hostWeights(): NamedWeights {
    if (this.#weights) return this.#weights;
    const weights: Record<string, NamedWeights[string]> = { ...initialWeights(this.graph.parameters(), this.seed) };
    for (const source of this.#sources) {
      const theirs = source.#hostWeights();
      for (const name of Object.keys(weights)) if (Object.hasOwn(theirs, name)) weights[name] = theirs[name];
    }
    return weights;
  }

  #require(method: string): Compiled {
    if (!this.#compiled) throw new UsageError(`${method}: the model is not compiled; call compile({ device }) first`);
    return this.#compiled;
  }

  /** @throws UsageError when nothing is to be trained, or layers were frozen since `compile` */
  #requireTraining(method: string): Compiled {
    const compiled = this.#require(method);
    if (!compiled.arena.fits(this.graph.parameters()))
      throw new UsageError(`${method}: layer.trainable was changed after compile(); call compile({ device }) again`);
    if (compiled.arena.values.size === 0)
      throw new UsageError(
        `${method}: expects layers to train, got a model whose layers are all frozen or have no parameters; ` +
          'set layer.trainable = true and compile() again',
      );
    return compiled;
  }

  /** Settings of optimizer and loss, for the run's configuration. */
  get training(): { optimizer: Optimizer; loss: Loss; device: Device } {
    const { optimizer, loss, device } = this.#require('training');
    return { optimizer, loss, device };
  }

  /**
   * The model as a differentiable function of a tensor, for research: x [n, …inputShape] → [n, …outputShape].
   * Tensors that it makes are the caller's to destroy: see `device.scope`.
   */
  call(x: Tensor, options: CallOptions = {}): Tensor {
    checkNames('call', options, callOptionNames);
    return this.#run('call', x, options)[0];
  }

  /**
   * What layers give, by their names: `values(x, { of: ['conv2d_1'] })` → `{ conv2d_1: [n, …] }`, differentiable as `call` is.
   * The uses of a layer that is used several times are `name:0`, `name:1`, …. What is not needed is not computed.
   *
   * @throws UsageError for a name that no layer has, or that stands for several uses
   */
  values(x: Tensor, options: CallOptions & { of: readonly string[] }): Record<string, Tensor> {
    checkNames('values', options, { ...callOptionNames, of: true });
    const { of } = options;
    expectArray(of, 'values: of');
    listOf(expectText)(of, 'values: of');
    const wanted = of.map((name) => this.graph.valueOf(name));
    const values = this.#run('values', x, options, wanted);
    return Object.fromEntries(of.map((name, i) => [name, values[i]]));
  }

  #run(
    method: string,
    x: Tensor,
    { logits = false, training = false, step = 0, given = {}, constantParameters = false }: CallOptions,
    wanted?: readonly number[],
  ): Tensor[] {
    const { tensors } = this.#require(method);
    expectTensor(x, `${method}: x`);
    if (!sameShape(x.shape.slice(1), this.inputShape)) {
      throw new ShapeError(
        `${method}: the model expects [N,${this.inputShape.join(',')}], got ${formatShape(x.shape)}`,
      );
    }
    const taken = new Map([[0, x]]);
    for (const [name, value] of Object.entries(given)) {
      const place = this.graph.valueOf(name);
      const { shape } = this.nodes[place - 1];
      if (!sameShape(value.shape, [x.shape[0], ...shape]))
        throw new ShapeError(
          `${method}: '${name}' gives [${x.shape[0]},${shape.join(',')}], got ${formatShape(value.shape)} for it`,
        );
      taken.set(place, value);
    }
    const options = { logits, training, step: tensor(x.device, Uint32Array.of(step)), seed: this.seed };
    const constants = (of: Record<string, Tensor>): Record<string, Tensor> =>
      Object.fromEntries(Object.entries(of).map(([name, value]) => [name, viewOf(value, value.shape)]));
    return this.graph.run(taken, constantParameters ? tensors.map(constants) : tensors, options, wanted);
  }

  // --- training

  /**
   * Trains on batches of pictures: Keras' `fit_generator`. A second call goes on where the first ended, so that 2 + 2 epochs
   * are 4, bit for bit.
   *
   * @throws NotANumberError when the loss or a parameter is not finite; ShapeError when the pictures do not fit the model;
   *   UsageError when the model is in another training
   */
  async fit(batches: Batches, options: FitOptions = {}): Promise<History> {
    const compiled = this.#requireTraining('fit');
    checkNames('fit', options, fitOptionNames);
    checkPictures('fit', batches, this.#expected);
    if (options.validationData) checkPictures('fit', options.validationData, this.#expected);
    return compiled.training.run('fit', () => fitBatches(compiled, this, batches, options));
  }

  /**
   * Where the time of a training step goes: milliseconds of each kernel, and the device's measured peak beside it. The
   * step is run some times on the first batch, so that the model is trained on; save it before.
   */
  async profile(batches: Batches): Promise<StepProfile> {
    const compiled = this.#requireTraining('profile');
    checkPictures('profile', batches, this.#expected);
    return compiled.training.run('profile', () => profileBatches(compiled, batches));
  }

  /**
   * Where the training stands: with it another model of the same layers, optimizer and loss goes on, bit for bit
   * (`restoreTrainingState`, then `fit`). May be taken at any time, from a callback too; in the midst of an epoch it is the state
   * after the steps that the device was given so far.
   *
   * @throws NotANumberError when the training is broken
   */
  async trainingState(): Promise<TrainingState> {
    const compiled = this.#require('trainingState');
    while (compiled.steps.inTurns) await compiled.steps.inTurns;
    return readState(compiled, this.seed);
  }

  /**
   * Sets weights, optimizer and counters to those of a training; the next `fit` goes on from there.
   * @throws ShapeError for the state of another network; UsageError for another optimizer, or in the midst of a training
   */
  restoreTrainingState(state: TrainingState): void {
    const compiled = this.#requireTraining('restoreTrainingState');
    compiled.training.check('restoreTrainingState');
    expectState(state, 'restoreTrainingState: state');
    writeState(compiled, state);
    if (state.position.seed === this.seed) return;
    this.#seed = state.position.seed;
    compiled.steps.forgetRecordings(); // the seed of dropout is part of them
  }

  /**
   * Loss and accuracy over batches, weights unchanged.
   * @throws NotANumberError when the loss is not finite; UsageError while steps of a training run: at its 'epoch' events none does
   */
  async evaluate(batches: Batches, options: EvaluateOptions = {}): Promise<SetMetrics> {
    const compiled = this.#require('evaluate');
    checkNames('evaluate', options, { steps: true, signal: true, onScores: true, tune: true });
    checkPictures('evaluate', batches, this.#expected);
    if (options.tune) compiled.training.check('evaluate'); // a choice would change the training's bits
    return evaluateBatches(compiled, batches, options);
  }

  /**
   * What the model gives for every picture, in the order of the set (not of its batches): the probability of class 1 [N],
   * or of each class [N,K], row by row.
   * Several callers may do so at once, and during a training.
   * @throws UsageError for `tune` during a training
   */
  async predict(batches: Batches, options: PredictOptions = {}): Promise<Float32Array> {
    const compiled = this.#require('predict');
    checkNames('predict', options, { onScores: true, tune: true });
    checkPictures('predict', batches, this.#expected);
    if (options.tune) compiled.training.check('predict'); // a choice would change the training's bits
    return predictBatches(compiled, batches, this.units, options);
  }

  /**
   * One training step on given numbers: x [n, …inputShape], class indices y [n]. Loss and accuracy are those before the update.
   * @throws NotANumberError when the loss is not finite
   */
  async trainOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    return trainOnBatch(this.#requireTraining('trainOnBatch'), this.#expected, x, y);
  }

  /** @throws NotANumberError when the loss is not finite */
  async testOnBatch(x: Float32Array, y: ArrayLike<number>): Promise<SetMetrics> {
    return testOnBatch(this.#require('testOnBatch'), this.#expected, x, y);
  }

  /** Probabilities of class 1 [n], or of each class [n,K]. */
  async predictOnBatch(x: Float32Array): Promise<Float32Array> {
    return predictOnBatch(this.#require('predictOnBatch'), x);
  }

  // --- weights

  /** All weights by name, `conv2d.kernel` and so on. */
  async getWeights(): Promise<NamedWeights> {
    while (this.#compiled?.steps.inTurns) await this.#compiled.steps.inTurns;
    if (this.#compiled) return this.#compiled.arena.read();
    const weights: Record<string, NamedWeights[string]> = { ...this.#hostWeights() };
    if (this.#weights) return weights;
    for (const source of this.#sources) {
      const theirs = await source.getWeights();
      for (const name of Object.keys(weights)) if (Object.hasOwn(theirs, name)) weights[name] = theirs[name];
    }
    return weights;
  }

  /** Gradients of the last training step, by the same names: for checks. */
  async getGradients(): Promise<NamedWeights> {
    const { steps, arena } = this.#require('getGradients');
    while (steps.inTurns) await steps.inTurns;
    return arena.read('gradients');
  }

  /** @throws ShapeError when a weight is missing, superfluous, of another shape, or not finite */
  setWeights(weights: NamedWeights): void {
    this.#weights = checkWeights(this.graph.parameters(), weights);
    this.#compiled?.arena.write(this.#weights);
  }

  /** Frees all that belongs to training; the weights stay. */
  #releaseTraining(): void {
    if (!this.#compiled) return;
    const { bound, steps, arrays } = this.#compiled;
    arrays.destroy();
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

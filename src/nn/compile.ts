/** Compiling: what is given, resolved and checked, and what a graph of layers becomes on a device. */
import { activate } from './activations.js';
import { UsageError } from '../errors.js';
import { alone, expectGroup, type Group } from '../distributed/group.js';
import { expectWhole, received } from '../expect.js';
import { add } from '../kernels/elementwise/arithmetic.js';
import { sumOfSquares } from '../kernels/reduce/sum-of-squares.js';
import type { Optimizer } from '../optim/optimizer.js';
import { optimizers, type OptimizerName } from '../optim/optimizers.js';
import { checkNames, preview } from '../options.js';
import { Device } from '../tensor/device.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import type { Graph } from './graph.js';
import { resolveLoss, type Loss, type LossName } from './losses.js';
import type { ParameterArena } from './parameters.js';
import { Exclusive } from './training/exclusive.js';
import type { FitOwner } from './training/fit.js';
import { ArraySources } from './training/on-batch.js';
import { newCounters } from './training/state.js';
import { Steps } from './training/steps.js';

export interface CompileOptions {
  device: Device;
  /** A name ('adam' is the default), or what `adam({ … })` and its like return. */
  optimizer?: Optimizer | OptimizerName;
  /** A name, or what `binaryCrossentropy({ … })` and its like return. Default: what fits the model's last activation. */
  loss?: Loss | LossName;
  /** Weights of the classes in the training's loss, by class index; all 1 by default. */
  classWeight?: Readonly<Record<number, number>> | readonly number[];
  /** Accuracy is always counted; the option is there for programs that come from Keras. */
  metrics?: readonly 'accuracy'[];
  /**
   * The ranks that train together, each calling `fit` with the same arguments: each takes its part of every batch, and all have the same
   * weights after each step. Default: this process alone.
   */
  group?: Group;
  /**
   * Steps that each rank makes by itself, on its part of the batches, before the ranks take the mean of their parameters: for networks
   * too slow to sum gradients at each step (local SGD, arXiv:1805.09767). Default 1: gradients are summed.
   */
  syncEvery?: number;
}

const compileOptionNames: Readonly<Record<keyof CompileOptions, true>> = {
  device: true,
  optimizer: true,
  loss: true,
  classWeight: true,
  metrics: true,
  group: true,
  syncEvery: true,
};

/** What `compile` is given, resolved. */
interface Settings {
  readonly device: Device;
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  /** By class. */
  readonly weights: Float32Array | null;
  readonly group: Group;
  readonly syncEvery: number;
}

/** What exists once a model is compiled. */
export interface Compiled extends FitOwner {
  readonly loss: Loss;
  /** The layers' parameters, by node. */
  readonly tensors: readonly Record<string, Tensor>[];
  readonly arrays: ArraySources;
}

/** @throws UsageError for options that are not known, or a loss that does not fit the last layer */
export function settingsOf(graph: Graph, given: CompileOptions): Settings {
  checkCompile(given);
  const { device, optimizer = 'adam', loss, classWeight, group = alone, syncEvery = 1 } = given;
  return {
    device,
    loss: lossFor(graph, loss),
    optimizer: resolveOptimizer(optimizer),
    weights: classWeight ? classWeightsOf(classWeight, classesOf(graph)) : null,
    group,
    syncEvery,
  };
}

/**
 * @param arena of the graph's parameters, on the device
 * @param seed of dropout; that of a training that is restored takes its place
 */
export function compileGraph(
  graph: Graph,
  arena: ParameterArena,
  { device, optimizer, loss, weights, group, syncEvery }: Settings,
  seed: () => number,
): Compiled {
  const bound = optimizer.bind(arena.values, arena.gradients);
  const tensors = graph.nodes.map(({ layer }) => arena.ofLayer(layer.name));
  const steps = new Steps(device, {
    forward: (x, options) => graph.run(new Map([[0, x]]), tensors, { ...options, seed: seed() })[0],
    finish: (scores) => activate(scores, graph.layers[graph.layers.length - 1].activation),
    units: sizeOf(graph.outputShape),
    loss,
    optimizer: bound,
    arena,
    classWeights: weights ? tensor(device, weights) : null,
    penalty: (share) => penaltyOf(graph, arena, share),
    stochastic: graph.isStochastic,
    group,
    syncEvery,
  });
  return {
    device,
    group,
    syncEvery,
    optimizer,
    loss,
    arena,
    bound,
    steps,
    tensors,
    counters: newCounters(),
    training: new Exclusive(),
    figures: new Exclusive(),
    arrays: new ArraySources(device, graph.inputShape),
  };
}

/** What the layers' regularization adds to the loss, or a share of it. */
function penaltyOf(graph: Graph, arena: ParameterArena, share: number): Tensor | null {
  const penalties = graph
    .parameters()
    .flatMap(({ fullName, l2 = 0, trainable }) =>
      l2 > 0 && trainable ? [sumOfSquares(arena.value(fullName), { scale: l2 * share })] : [],
    );
  return penalties.length > 0 ? penalties.reduce(add) : null;
}

/** How many classes data may have. One sigmoid unit stands for two. */
export const classesOf = (graph: Graph): number => Math.max(2, sizeOf(graph.outputShape));

/** @throws UsageError for an option that is not known, and for metrics other than accuracy */
function checkCompile(options: CompileOptions): void {
  checkNames('compile', options, compileOptionNames);
  const metrics: unknown = options.metrics ?? [];
  const isAccuracy = Array.isArray(metrics) && metrics.every((metric) => metric === 'accuracy');
  if (!isAccuracy)
    throw new UsageError(
      `compile: metrics expects 'accuracy', got ${preview(metrics)}; rocAuc, averagePrecision and confusionMatrix take what predict() gives`,
    );
  if (options.group !== undefined) expectGroup(options.group, 'compile: group');
  if (options.syncEvery !== undefined) expectWhole(options.syncEvery, 'compile: syncEvery', 1, 2 ** 31 - 1);
  if (!(options.device instanceof Device))
    throw new UsageError(`compile: device expects what openDevice() gives, got ${received(options.device)}`);
}

/** @throws UsageError for a name that is not known */
function resolveOptimizer(optimizer: Optimizer | OptimizerName): Optimizer {
  if (typeof optimizer !== 'string') return optimizer;
  if (Object.hasOwn(optimizers, optimizer)) return optimizers[optimizer]();
  throw new UsageError(`compile: optimizer expects one of ${Object.keys(optimizers).join(', ')}, got '${optimizer}'`);
}

/**
 * The loss for a model: the one given, or what fits its last activation.
 * @throws UsageError when it does not fit the last layer
 */
function lossFor(graph: Graph, given: Loss | LossName | undefined): Loss {
  const loss = resolveLoss(given ?? (graph.ending === 'softmax' ? 'categoricalCrossentropy' : 'binaryCrossentropy'));
  const { name, ending } = loss;
  const units = graph.outputShape.length === 1 ? graph.outputShape[0] : 0;
  const got = `got ${graph.nodes.at(-1)?.layer.kind} ${formatShape(graph.outputShape)} with ${graph.ending}`;
  if (ending === 'sigmoid' && (graph.ending !== 'sigmoid' || units !== 1))
    throw new UsageError(
      `compile: ${name} expects the model to end in one sigmoid unit, ${got}; end with new Dense(1, { activation: 'sigmoid' })`,
    );
  if (ending === 'softmax' && (graph.ending !== 'softmax' || units < 2))
    throw new UsageError(
      `compile: ${name} expects the model to end in a softmax over the classes, ${got}; end with new Dense(classes, { activation: 'softmax' })`,
    );
  if (units < 1)
    throw new UsageError(`compile: ${name} expects the model to end in a vector, ${got}; add Flatten and Dense layers`);
  return loss;
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

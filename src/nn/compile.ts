/** What `compile` is given, resolved and checked. */
import { UsageError } from '../errors.js';
import { received } from '../expect.js';
import { adam, adamW } from '../optim/adam.js';
import type { Optimizer } from '../optim/optimizer.js';
import { rmsprop } from '../optim/rmsprop.js';
import { sgd } from '../optim/sgd.js';
import { checkNames, preview } from '../options.js';
import { Device } from '../tensor/device.js';
import { formatShape } from '../tensor/shape.js';
import type { Graph } from './graph.js';
import { resolveLoss, type Loss, type LossName } from './losses.js';

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

/** @throws UsageError for an option that is not known, and for metrics other than accuracy */
export function checkCompile(options: CompileOptions): void {
  checkNames('compile', options, { device: true, optimizer: true, loss: true, classWeight: true, metrics: true });
  const metrics: unknown = options.metrics ?? [];
  const isAccuracy = Array.isArray(metrics) && metrics.every((metric) => metric === 'accuracy');
  if (!isAccuracy)
    throw new UsageError(
      `compile: metrics expects 'accuracy', got ${preview(metrics)}; rocAuc, averagePrecision and confusionMatrix take what predict() gives`,
    );
  if (!(options.device instanceof Device))
    throw new UsageError(`compile: device expects what openDevice() gives, got ${received(options.device)}`);
}

/** @throws UsageError for a name that is not known */
export function resolveOptimizer(optimizer: Optimizer | keyof typeof optimizers): Optimizer {
  if (typeof optimizer !== 'string') return optimizer;
  if (Object.hasOwn(optimizers, optimizer)) return optimizers[optimizer]();
  throw new UsageError(`compile: optimizer expects one of ${Object.keys(optimizers).join(', ')}, got '${optimizer}'`);
}

/**
 * The loss for a model: the one given, or what fits its last activation.
 * @throws UsageError when it does not fit the last layer
 */
export function lossFor(graph: Graph, given: Loss | LossName | undefined): Loss {
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
export function classWeightsOf(
  given: Readonly<Record<number, number>> | readonly number[],
  classes: number,
): Float32Array {
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

/**
 * Layers as ONNX operators. ONNX wants channels first, [N,C,H,W], we compute with channels last: values are turned once
 * at the input, stay channels first throughout, and are turned back only where the order of elements counts (Flatten,
 * Reshape, the output). So dense weights stay as they are; convolution kernels change from HWIO to OIHW.
 */
import { UsageError } from '../../errors.js';
import { windowGeometry, type WindowAttributes } from '../../kernels/shared/window.js';
import type { Activation as ActivationName } from '../../nn/activations.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Dense, Flatten } from '../../nn/layers/core.js';
import { MaxPooling2D } from '../../nn/layers/pooling.js';
import type { ModelNode } from '../../nn/graph.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Dropout, Reshape, ZeroPadding2D } from '../../nn/layers/core.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D } from '../../nn/layers/pooling.js';
import type { NamedWeights } from '../../nn/parameters.js';
import type { Shape } from '../../tensor/shape.js';
import { OIHW, transpose } from '../transpose.js';
import type { OnnxGraph } from './graph.js';
import type { Attribute } from './messages.js';

/** A value of the model: the names of its two layouts, as far as the graph has them. Vectors have one layout. */
export class LaidOut {
  readonly #graph: OnnxGraph;
  /** Without the batch axis, channels last. */
  readonly #shape: Shape;
  #first: string | null;
  #last: string | null;

  constructor(graph: OnnxGraph, shape: Shape, { first, last }: { first?: string; last?: string }) {
    this.#graph = graph;
    this.#shape = shape;
    const only = shape.length < 2 ? (first ?? last ?? null) : null;
    this.#first = first ?? only;
    this.#last = last ?? only;
  }

  /** [N,C,…] */
  channelsFirst(): string {
    const { length } = this.#shape;
    const order = [0, length, ...range(1, length)];
    return (this.#first ??= this.#graph.node('to_channels_first', 'Transpose', [this.channelsLast()], { perm: order }));
  }

  /** [N,…,C] */
  channelsLast(): string {
    const order = [0, ...range(2, this.#shape.length + 1), 1];
    return (this.#last ??= this.#graph.node('to_channels_last', 'Transpose', [this.channelsFirst()], { perm: order }));
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** What the operators of one layer are made from. */
interface Context {
  readonly graph: OnnxGraph;
  readonly node: ModelNode;
  /** Names of the inputs, channels first. */
  readonly inputs: readonly string[];
  /** Adds an operator of this layer. @returns the name of its output */
  readonly add: (operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>) => string;
  /** The layer's parameter of that name in another layout, or '' (which ONNX reads as left out) when it has none. */
  readonly weight: (name: string, order?: readonly number[], shape?: Shape) => string;
}

/** @throws UsageError for a layer that is not beltnet's own */
export function addLayer(
  graph: OnnxGraph,
  node: ModelNode,
  values: readonly LaidOut[],
  weights: NamedWeights,
): LaidOut {
  const { layer, shape } = node;
  const add: Context['add'] = (operator, inputs, attributes) => graph.node(layer.name, operator, inputs, attributes);
  const weight: Context['weight'] = (name, order, turnedShape) => {
    const fullName = `${layer.name}.${name}`;
    const given = Object.hasOwn(weights, fullName) ? weights[fullName] : null;
    if (!given) return '';
    if (!order) return graph.constant(fullName, given.shape, () => given.data);
    const turned = turnedShape ?? order.map((axis) => given.shape[axis]);
    return graph.constant(fullName, turned, () => transpose(given.data, given.shape, order));
  };
  if (layer instanceof Flatten || layer instanceof Reshape) {
    const target = graph.integers(`${layer.name}.shape`, [-1, ...shape]);
    return new LaidOut(graph, shape, { last: add('Reshape', [values[0].channelsLast(), target]) });
  }
  const inputs = values.map((value) => value.channelsFirst());
  return new LaidOut(graph, shape, { first: channelsFirst(layer, { graph, node, inputs, add, weight }) });
}

/** @returns the name of the layer's output, channels first */
function channelsFirst(layer: Layer, context: Context): string {
  const { graph, node, inputs, add, weight } = context;
  const [x] = inputs;
  const [input] = node.inputShapes;
  const channels = input.at(-1) ?? 1;
  if (layer instanceof Conv2D) {
    const attributes = { ...convolution(layer, input), group: layer.groups };
    return activations[layer.activation](add('Conv', [x, weight('kernel', OIHW), weight('bias')], attributes), add);
  }
  if (layer instanceof DepthwiseConv2D) {
    // [KH,KW,C,M] → [C,M,KH,KW], in memory the [C·M,1,KH,KW] of a convolution in C groups
    const shape = [channels * layer.depthMultiplier, 1, ...layer.kernelSize];
    const kernel = weight('depthwise_kernel', [2, 3, 0, 1], shape);
    const attributes = { ...convolution(layer, input), group: channels };
    return activations[layer.activation](add('Conv', [x, kernel, weight('bias')], attributes), add);
  }
  if (layer instanceof Dense) {
    const bias = weight('bias');
    const y = bias ? add('Gemm', [x, weight('kernel'), bias]) : add('MatMul', [x, weight('kernel')]);
    return activations[layer.activation](y, add);
  }
  if (layer instanceof MaxPooling2D) return add('MaxPool', [x], pooling(layer, input));
  // count_include_pad is 0 unless given: padding is not counted, as here
  if (layer instanceof AveragePooling2D) return add('AveragePool', [x], pooling(layer, input));
  // Flatten makes [N,C] of [N,C,1,1].
  if (layer instanceof GlobalAveragePooling2D) return add('Flatten', [add('GlobalAveragePool', [x])]);
  if (layer instanceof GlobalMaxPooling2D) return add('Flatten', [add('GlobalMaxPool', [x])]);
  if (layer instanceof BatchNormalization) {
    const filled = (name: string, value: number): string =>
      weight(name) || graph.constant(`${layer.name}.${name}`, [channels], () => new Float32Array(channels).fill(value));
    const parameters = [filled('gamma', 1), filled('beta', 0), weight('moving_mean'), weight('moving_variance')];
    return add('BatchNormalization', [x, ...parameters], { epsilon: { float: layer.epsilon } });
  }
  if (layer instanceof ZeroPadding2D) {
    const [[top, bottom], [left, right]] = layer.padding;
    return add('Pad', [x, graph.integers(`${layer.name}.pads`, [0, 0, top, left, 0, 0, bottom, right])]);
  }
  if (layer instanceof Dropout) return x;
  if (layer instanceof ReLU) return activations.relu(x, add);
  if (layer instanceof Activation || layer instanceof Softmax) return activations[layer.activation](x, add);
  if (layer instanceof LeakyReLU) return add('LeakyRelu', [x], { alpha: { float: layer.negativeSlope } });
  if (layer instanceof ELU) return add('Elu', [x], { alpha: { float: layer.alpha } });
  if (layer instanceof Add) return inputs.reduce((sum, next) => add('Add', [sum, next]));
  if (layer instanceof Multiply) return inputs.reduce((product, next) => add('Mul', [product, next]));
  if (layer instanceof Concatenate) {
    const { length } = node.shape;
    const axis = layer.axis < 0 ? length + 1 + layer.axis : layer.axis; // the batch counts
    return add('Concat', inputs, { axis: axis === length ? 1 : axis + 1 });
  }
  throw new UsageError(
    `export: layer '${layer.name}' of kind ${layer.kind} has no ONNX form; replace it by layers of beltnet's own`,
  );
}

/** Inputs have the channels at axis 1, which softmax runs over. */
const activations: Readonly<Record<ActivationName, (x: string, add: Context['add']) => string>> = {
  linear: (x) => x,
  relu: (x, add) => add('Relu', [x]),
  sigmoid: (x, add) => add('Sigmoid', [x]),
  softmax: (x, add) => add('Softmax', [x], { axis: 1 }),
  tanh: (x, add) => add('Tanh', [x]),
  elu: (x, add) => add('Elu', [x]),
  gelu: (x, add) => add('Gelu', [x]),
  swish: (x, add) => add('Mul', [x, add('Sigmoid', [x])]),
  leaky_relu: (x, add) => add('LeakyRelu', [x], { alpha: { float: 0.2 } }),
};

const convolution = (layer: Conv2D | DepthwiseConv2D, input: Shape) => ({
  ...window(layer, input, { size: layer.kernelSize, dilation: layer.dilationRate }),
  dilations: layer.dilationRate,
});

const pooling = (layer: MaxPooling2D | AveragePooling2D, input: Shape) =>
  window(layer, input, { size: layer.poolSize, dilation: [1, 1] });

/** Padding in numbers: what 'same' means for a stride differs between libraries. */
function window(
  { name, strides, padding }: Conv2D | DepthwiseConv2D | MaxPooling2D | AveragePooling2D,
  input: Shape,
  { size, dilation }: Pick<WindowAttributes, 'size' | 'dilation'>,
): Record<string, Attribute> {
  const geometry = windowGeometry(name, [1, ...input], { size, strides, dilation, padding });
  const { top, left, outputHeight, outputWidth } = geometry;
  const after = (axis: 0 | 1, count: number, before: number): number =>
    Math.max((count - 1) * strides[axis] + (size[axis] - 1) * dilation[axis] + 1 - input[axis] - before, 0);
  return { kernel_shape: size, strides, pads: [top, left, after(0, outputHeight, top), after(1, outputWidth, left)] };
}

/**
 * Layers as ONNX operators. ONNX wants channels first, [N,C,H,W], we compute with channels last: values are turned once
 * at the input, stay channels first throughout, and are turned back only where the order of elements counts (Flatten,
 * Reshape, the output). So dense weights stay as they are; convolution kernels change from HWIO to OIHW.
 */
import { UsageError } from '../../errors.js';
import { windowGeometry, type WindowAttributes } from '../../kernels/shared/window.js';
import type { Activation as ActivationName } from '../../nn/activations.js';
import type { ModelNode } from '../../nn/graph.js';
import type { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import type { Layer } from '../../nn/layers/layer.js';
import type {
  AveragePooling2D,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  MaxPooling2D,
} from '../../nn/layers/pooling.js';
import { NORMALIZATION_EPSILON } from '../../nn/layers/preprocessing.js';
import { ownKind, type LayerKind, type LayerOf } from '../../nn/layers/registry.js';
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
  readonly values: readonly LaidOut[];
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
  const kind = ownKind(layer);
  if (!kind)
    throw new UsageError(
      `export: layer '${layer.name}' of kind ${layer.kind} has no ONNX form; replace it by layers of beltnet's own`,
    );
  const add: Context['add'] = (operator, inputs, attributes) => graph.node(layer.name, operator, inputs, attributes);
  const weight: Context['weight'] = (name, order, turnedShape) => {
    const fullName = `${layer.name}.${name}`;
    const given = Object.hasOwn(weights, fullName) ? weights[fullName] : null;
    if (!given) return '';
    if (!order) return graph.constant(fullName, given.shape, () => given.data);
    const turned = turnedShape ?? order.map((axis) => given.shape[axis]);
    return graph.constant(fullName, turned, () => transpose(given.data, given.shape, order));
  };
  const form: Form<never> = forms[kind];
  const output = form(layer as never, { graph, node, values, add, weight });
  return typeof output === 'string'
    ? new LaidOut(graph, shape, { first: output })
    : new LaidOut(graph, shape, { last: output.channelsLast });
}

/** Adds a layer's operators. @returns the name of the output, channels first unless it says otherwise */
type Form<One extends Layer> = (layer: One, context: Context) => string | { readonly channelsLast: string };

const pass: Form<Layer> = (_, { values: [x] }) => x.channelsFirst();

const activation: Form<Layer> = (layer, { values: [x], add }) => activations[layer.activation](x.channelsFirst(), add);

const inOneRow: Form<Layer> = ({ name }, { graph, node, values: [x], add }) => ({
  channelsLast: add('Reshape', [x.channelsLast(), graph.integers(`${name}.shape`, [-1, ...node.shape])]),
});

const merged =
  (operator: string): Form<Layer> =>
  (_, { values, add }) =>
    values.map((value) => value.channelsFirst()).reduce((left, right) => add(operator, [left, right]));

/** Flatten makes [N,C] of [N,C,1,1]. */
const globalPooling =
  (operator: string): Form<GlobalAveragePooling2D | GlobalMaxPooling2D> =>
  ({ options }, { values: [x], add }) => {
    const y = add(operator, [x.channelsFirst()]);
    return options.keepdims ? y : add('Flatten', [y]);
  };

const forms: { readonly [Kind in LayerKind]: Form<LayerOf<Kind>> } = {
  Activation: activation,
  Add: merged('Add'),
  // count_include_pad is 0 unless given: padding is not counted, as here
  AveragePooling2D: (layer, { node, values: [x], add }) =>
    add('AveragePool', [x.channelsFirst()], pooling(layer, node.inputShapes[0])),
  BatchNormalization({ name, options }, { graph, node, values: [x], add, weight }) {
    const channels = node.shape.at(-1) ?? 1;
    const filled = (parameter: string, value: number): string =>
      weight(parameter) ||
      graph.constant(`${name}.${parameter}`, [channels], () => new Float32Array(channels).fill(value));
    const parameters = [filled('gamma', 1), filled('beta', 0), weight('moving_mean'), weight('moving_variance')];
    return add('BatchNormalization', [x.channelsFirst(), ...parameters], { epsilon: { float: options.epsilon } });
  },
  Concatenate({ options }, { node, values, add }) {
    const { length } = node.shape;
    const axis = options.axis < 0 ? length + 1 + options.axis : options.axis; // the batch counts
    const inputs = values.map((value) => value.channelsFirst());
    return add('Concat', inputs, { axis: axis === length ? 1 : axis + 1 });
  },
  Conv2D(layer, { node, values: [x], add, weight }) {
    const attributes = { ...convolution(layer, node.inputShapes[0]), group: layer.options.groups };
    const y = add('Conv', [x.channelsFirst(), weight('kernel', OIHW), weight('bias')], attributes);
    return activations[layer.activation](y, add);
  },
  Cropping2D({ name, options }, { graph, node, values: [x], add }) {
    const [[top], [left]] = options.cropping;
    const [height, width] = node.shape;
    const bounds = [
      graph.integers(`${name}.starts`, [top, left]),
      graph.integers(`${name}.ends`, [top + height, left + width]),
      graph.integers(`${name}.axes`, [2, 3]),
    ];
    return add('Slice', [x.channelsFirst(), ...bounds]);
  },
  Dense(layer, { values: [x], add, weight }) {
    const bias = weight('bias');
    const inputs = [x.channelsFirst(), weight('kernel')];
    const y = bias ? add('Gemm', [...inputs, bias]) : add('MatMul', inputs);
    return activations[layer.activation](y, add);
  },
  DepthwiseConv2D(layer, { node, values: [x], add, weight }) {
    const [input] = node.inputShapes;
    const { depthMultiplier, kernelSize } = layer.options;
    // [KH,KW,C,M] → [C,M,KH,KW], in memory the [C·M,1,KH,KW] of a convolution in C groups
    const kernel = weight('depthwise_kernel', [2, 3, 0, 1], [input[2] * depthMultiplier, 1, ...kernelSize]);
    const attributes = { ...convolution(layer, input), group: input[2] };
    return activations[layer.activation](add('Conv', [x.channelsFirst(), kernel, weight('bias')], attributes), add);
  },
  Dropout: pass,
  ELU: ({ options }, { values: [x], add }) => add('Elu', [x.channelsFirst()], { alpha: { float: options.alpha } }),
  Flatten: inOneRow,
  GlobalAveragePooling2D: globalPooling('GlobalAveragePool'),
  GlobalMaxPooling2D: globalPooling('GlobalMaxPool'),
  LeakyReLU: ({ options }, { values: [x], add }) =>
    add('LeakyRelu', [x.channelsFirst()], { alpha: { float: options.negativeSlope } }),
  MaxPooling2D: (layer, { node, values: [x], add }) =>
    add('MaxPool', [x.channelsFirst()], pooling(layer, node.inputShapes[0])),
  Multiply: merged('Mul'),
  Normalization({ name }, { graph, node, values: [x], add, weight }) {
    const channels = node.shape.at(-1) ?? 1;
    const filled = (what: string, value: number): string =>
      graph.constant(`${name}.${what}`, [channels], () => new Float32Array(channels).fill(value));
    const parameters = [filled('scale', 1), filled('offset', 0), weight('mean'), weight('variance')];
    return add('BatchNormalization', [x.channelsFirst(), ...parameters], { epsilon: { float: NORMALIZATION_EPSILON } });
  },
  Permute: ({ options }, { values: [x], add }) => ({
    channelsLast: add('Transpose', [x.channelsLast()], { perm: [0, ...options.dims] }),
  }),
  // min(ThresholdedRelu(x), maxValue) − negativeSlope · Relu(threshold − x)
  ReLU({ name, isPlain, options }, { graph, values: [value], add }) {
    const x = value.channelsFirst();
    if (isPlain) return activations.relu(x, add);
    const { maxValue, negativeSlope, threshold } = options;
    const number = (what: string, given: number): string =>
      graph.constant(`${name}.${what}`, [], () => Float32Array.of(given));
    const above = threshold === 0 ? add('Relu', [x]) : add('ThresholdedRelu', [x], { alpha: { float: threshold } });
    const bounded = maxValue === null ? above : add('Min', [above, number('maxValue', maxValue)]);
    if (negativeSlope === 0) return bounded;
    const below = add('Relu', [add('Sub', [number('threshold', threshold), x])]);
    return add('Sub', [bounded, add('Mul', [below, number('negativeSlope', negativeSlope)])]);
  },
  Rescaling({ name, options }, { graph, values: [x], add }) {
    const number = (what: 'scale' | 'offset'): string =>
      graph.constant(`${name}.${what}`, [], () => Float32Array.of(options[what]));
    return add('Add', [add('Mul', [x.channelsFirst(), number('scale')]), number('offset')]);
  },
  Reshape: inOneRow,
  Softmax: activation,
  ZeroPadding2D({ name, options }, { graph, values: [x], add }) {
    const [[top, bottom], [left, right]] = options.padding;
    const pads = graph.integers(`${name}.pads`, [0, 0, top, left, 0, 0, bottom, right]);
    // As −0: onnxruntime (1.30) makes a pad with 0 the padding of a pooling behind it, which takes no part in a maximum or a mean.
    const value = graph.constant(`${name}.value`, [], () => Float32Array.of(options.value || -0));
    return add('Pad', [x.channelsFirst(), pads, value]);
  },
};

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
  hard_sigmoid: (x, add) => add('HardSigmoid', [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
  hard_swish: (x, add) => add('HardSwish', [x]),
  leaky_relu: (x, add) => add('LeakyRelu', [x], { alpha: { float: 0.2 } }),
};

const convolution = ({ name, options }: Conv2D | DepthwiseConv2D, input: Shape) => {
  const { kernelSize: size, strides, padding, dilationRate: dilation } = options;
  return { ...windowAttributes(name, input, { size, strides, padding, dilation }), dilations: dilation };
};

const pooling = ({ name, options }: MaxPooling2D | AveragePooling2D, input: Shape) =>
  windowAttributes(name, input, { ...options, size: options.poolSize, dilation: [1, 1] });

/** Padding in numbers: what 'same' means for a stride differs between libraries. */
function windowAttributes(name: string, input: Shape, window: WindowAttributes): Record<string, Attribute> {
  const { size, strides, dilation } = window;
  const { top, left, outputHeight, outputWidth } = windowGeometry(name, [1, ...input], window);
  const after = (axis: 0 | 1, count: number, before: number): number =>
    Math.max((count - 1) * strides[axis] + (size[axis] - 1) * dilation[axis] + 1 - input[axis] - before, 0);
  return { kernel_shape: size, strides, pads: [top, left, after(0, outputHeight, top), after(1, outputWidth, left)] };
}

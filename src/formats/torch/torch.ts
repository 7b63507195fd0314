/**
 * Weights for PyTorch: safetensors with the names and layouts of a `state_dict`. docs/pytorch.md describes the module
 * that loads it.
 *
 *     convolution   kernel [KH,KW,I,O] → weight [O,I,KH,KW];  depthwise [KH,KW,C,M] → [C·M,1,KH,KW]
 *     dense         kernel [in,out] → weight [out,in], `in` in the order that flattening [C,H,W] gives
 *     batch norm    gamma, beta, moving_mean, moving_variance → weight, bias, running_mean, running_var
 */
import { UsageError } from '../../errors.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Dense, Flatten } from '../../nn/layers/core.js';
import { MaxPooling2D } from '../../nn/layers/pooling.js';
import type { ModelNode } from '../../nn/graph.js';
import type { Model } from '../../nn/model.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Dropout, Reshape, ZeroPadding2D } from '../../nn/layers/core.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D } from '../../nn/layers/pooling.js';
import type { NamedWeights } from '../../nn/parameters.js';
import type { Shape } from '../../tensor/shape.js';
import { expectInfo, type ModelInfo } from '../beltnet/info.js';
import { expectModel, finiteWeights } from '../finite-weights.js';
import { writeSafetensors } from '../safetensors.js';
import { OIHW, transpose } from '../transpose.js';

/** Element i of PyTorch's vector is our element order[i]; null where the two are the same. */
type Order = readonly number[] | null;
type Tensors = Record<string, { shape: Shape; data: Float32Array }>;

/**
 * The file's bytes: equal for equal weights and info.
 * @throws UsageError for a layer that is not beltnet's own, for a name with a dot, and where flattened and other vectors meet
 * element by element; ModelFileError for weights that are not finite
 */
export async function encodeTorchSafetensors(model: Model, info: ModelInfo): Promise<Uint8Array> {
  expectModel(model, 'encodeTorchSafetensors');
  expectInfo(info, 'encodeTorchSafetensors');
  const weights = await finiteWeights(model, 'encodeTorchSafetensors');
  const tensors: Tensors = {};
  const orders: Order[] = [null];
  for (const node of model.nodes) {
    const { name } = node.layer;
    if (name.includes('.'))
      throw new UsageError(
        `export: layer '${name}' has a dot in its name, which PyTorch takes for a module in a module; rename it`,
      );
    const given = node.inputs.map((value) => orders[value]);
    Object.assign(tensors, layerTensors(node.layer, given[0], weights));
    orders.push(orderAfter(node, given));
  }
  if (orders[orders.length - 1])
    throw new UsageError(
      'export: torch-safetensors expects the model to end in a layer with weights of its own after flattening; end with a Dense layer',
    );
  return writeSafetensors(tensors, {
    format: 'pt', // what Python's safetensors.torch writes, and transformers asks for
    architecture: JSON.stringify(model.config()),
    classes: JSON.stringify(info.classNames),
    preprocessing: JSON.stringify(info.preprocessing),
    alert: JSON.stringify(info.alert),
  });
}

/** A layer's parameters as PyTorch has them. A shared layer comes again with the same ones. */
function layerTensors(layer: Layer, order: Order, weights: NamedWeights): Tensors {
  const tensors: Tensors = {};
  const put = (name: string, from: string, axes?: readonly number[], turnedShape?: Shape): void => {
    const fullName = `${layer.name}.${from}`;
    if (!Object.hasOwn(weights, fullName)) return;
    const { shape, data } = weights[fullName];
    const turned = axes
      ? { shape: turnedShape ?? axes.map((axis) => shape[axis]), data: transpose(data, shape, axes) }
      : { shape, data };
    tensors[`${layer.name}.${name}`] = turned;
  };
  if (layer instanceof Conv2D) put('weight', 'kernel', OIHW);
  if (layer instanceof DepthwiseConv2D) {
    const [height, width, channels, multiplier] = weights[`${layer.name}.depthwise_kernel`].shape;
    put('weight', 'depthwise_kernel', [2, 3, 0, 1], [channels * multiplier, 1, height, width]);
  }
  if (layer instanceof Dense) put('weight', 'kernel', [1, 0]);
  put('bias', 'bias');
  if (layer instanceof BatchNormalization) {
    put('weight', 'gamma');
    put('bias', 'beta');
    // PyTorch has both or neither.
    const { shape } = weights[`${layer.name}.moving_mean`];
    const filled = (value: number) => ({ shape, data: new Float32Array(shape[0]).fill(value) });
    if (layer.center && !layer.scale) tensors[`${layer.name}.weight`] = filled(1);
    if (layer.scale && !layer.center) tensors[`${layer.name}.bias`] = filled(0);
    put('running_mean', 'moving_mean');
    put('running_var', 'moving_variance');
  }
  if (!order) return tensors;
  // Inputs are the last axis of a dense weight, and all of a batch normalization's vectors.
  const inputs = order.length;
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) =>
      shape.at(-1) === inputs && !(layer instanceof Dense && name.endsWith('.bias'))
        ? [name, { shape, data: data.map((_, at) => data[at - (at % inputs) + order[at % inputs]]) }]
        : [name, { shape, data }],
    ),
  );
}

/** The order of a node's output, from those of its inputs. */
function orderAfter({ layer, inputs, inputShapes, shape }: ModelNode, orders: readonly Order[]): Order {
  const refuse = (what: string): never => {
    throw new UsageError(`export: layer '${layer.name}' ${what}; PyTorch flattens channels first. Export to onnx`);
  };
  if (layer instanceof Flatten && inputShapes[0].length > 1) return channelsFirstOrder(inputShapes[0]);
  if (layer instanceof Dense) return null;
  if (layer instanceof Concatenate && shape.length === 1) {
    if (orders.every((order) => !order)) return null;
    let before = 0;
    return inputs.flatMap((_, at) => {
      const [length] = inputShapes[at];
      const part = Array.from({ length }, (__, i) => before + (orders[at]?.[i] ?? i));
      before += length;
      return part;
    });
  }
  if (layer instanceof Add || layer instanceof Multiply) {
    if (orders.some((order) => String(order) !== String(orders[0])))
      refuse('joins a flattened vector with another, element by element');
    return orders[0];
  }
  if (layer instanceof Reshape) return orders[0] ? refuse('reshapes a flattened vector') : null;
  if (keepsOrder.some((kind) => layer instanceof kind)) return orders[0];
  throw new UsageError(
    `export: layer '${layer.name}' of kind ${layer.kind} has no PyTorch form; replace it by layers of beltnet's own`,
  );
}

/** Layers of pictures, of which no vector comes, and layers that leave the elements of a vector where they are. */
const keepsOrder = [
  Conv2D,
  DepthwiseConv2D,
  MaxPooling2D,
  AveragePooling2D,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  ZeroPadding2D,
  Concatenate,
  BatchNormalization,
  Flatten,
  Dropout,
  Activation,
  ReLU,
  LeakyReLU,
  ELU,
  Softmax,
];

/** Our place of each element of a flattened [C,…]. Null where one of the two sides has a single element. */
function channelsFirstOrder(shape: Shape): Order {
  const channels = shape[shape.length - 1];
  const places = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  if (channels === 1 || places === 1) return null;
  return Array.from({ length: channels * places }, (_, i) => (i % places) * channels + Math.floor(i / places));
}

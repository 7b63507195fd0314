/**
 * Weights for PyTorch: safetensors with the names and layouts of a `state_dict`. docs/pytorch.md describes the module
 * that loads it.
 *
 *     convolution   kernel [KH,KW,I,O] → weight [O,I,KH,KW];  depthwise [KH,KW,C,M] → [C·M,1,KH,KW]
 *     dense         kernel [in,out] → weight [out,in], `in` in the order that flattening [C,H,W] gives
 *     batch norm    gamma, beta, moving_mean, moving_variance → weight, bias, running_mean, running_var
 */
import { UsageError } from '../../errors.js';
import type { ModelNode } from '../../nn/graph.js';
import { Dense } from '../../nn/layers/core.js';
import type { Layer } from '../../nn/layers/layer.js';
import { ownKind, type LayerKind, type LayerOf } from '../../nn/layers/registry.js';
import type { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import type { Shape } from '../../tensor/shape.js';
import { expectInfo, type ModelInfo } from '../beltnet/info.js';
import { expectModel, finiteWeights } from '../finite-weights.js';
import { writeSafetensors } from '../safetensors.js';
import { OIHW, transpose } from '../transpose.js';

/** Element i of PyTorch's vector is our element order[i]; null where the two are the same. */
type Order = readonly number[] | null;
type TorchTensor = NamedWeights[string];
type Tensors = Record<string, TorchTensor>;

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

/** What becomes of a layer in PyTorch. */
interface Form<One extends Layer> {
  /** Its parameters under PyTorch's names. */
  readonly tensors?: (layer: One, weight: Weight) => Readonly<Record<string, TorchTensor | null>>;
  /** The order of the output's elements, from those of the inputs; by default that of the first. */
  readonly order?: (node: ModelNode, orders: readonly Order[]) => Order;
}

/** A parameter of the layer with its axes in another order; null where it has no such parameter. */
type Weight = (name: string, axes?: readonly number[], shape?: Shape) => TorchTensor | null;

const refuse = ({ layer }: ModelNode, what: string): never => {
  throw new UsageError(`export: layer '${layer.name}' ${what}; PyTorch flattens channels first. Export to onnx`);
};

/** Layers of pictures, of which no vector comes, and layers that leave the elements of a vector where they are. */
const inPlace: Form<Layer> = {};

const elementByElement: Form<Layer> = {
  order: (node, orders) =>
    orders.some((order) => String(order) !== String(orders[0]))
      ? refuse(node, 'joins a flattened vector with another, element by element')
      : orders[0],
};

const forms: { readonly [Kind in LayerKind]: Form<LayerOf<Kind>> } = {
  Activation: inPlace,
  Add: elementByElement,
  AveragePooling2D: inPlace,
  BatchNormalization: {
    tensors({ options: { center, scale } }, weight) {
      const mean = weight('moving_mean')!;
      const filled = (value: number) => ({ shape: mean.shape, data: new Float32Array(mean.shape[0]).fill(value) });
      return {
        ...(scale && { weight: weight('gamma') }),
        ...(center && { bias: weight('beta') }),
        // PyTorch has both or neither.
        ...(center && !scale && { weight: filled(1) }),
        ...(scale && !center && { bias: filled(0) }),
        running_mean: mean,
        running_var: weight('moving_variance'),
      };
    },
  },
  Concatenate: {
    order({ inputs, inputShapes, shape }, orders) {
      if (shape.length !== 1) return orders[0];
      if (orders.every((order) => !order)) return null;
      let before = 0;
      return inputs.flatMap((_, at) => {
        const [length] = inputShapes[at];
        const part = Array.from({ length }, (__, i) => before + (orders[at]?.[i] ?? i));
        before += length;
        return part;
      });
    },
  },
  Conv2D: {
    tensors: (_, weight) => ({ weight: weight('kernel', OIHW), bias: weight('bias') }),
  },
  Cropping2D: inPlace,
  Dense: {
    tensors: (_, weight) => ({ weight: weight('kernel', [1, 0]), bias: weight('bias') }),
    order: () => null,
  },
  DepthwiseConv2D: {
    tensors({ options: { kernelSize, depthMultiplier } }, weight) {
      const [, , channels] = weight('depthwise_kernel')!.shape;
      const shape = [channels * depthMultiplier, 1, ...kernelSize];
      return { weight: weight('depthwise_kernel', [2, 3, 0, 1], shape), bias: weight('bias') };
    },
  },
  Dropout: inPlace,
  ELU: inPlace,
  Flatten: {
    order: ({ inputShapes: [input] }, [order]) => (input.length > 1 ? channelsFirstOrder(input) : order),
  },
  GlobalAveragePooling2D: inPlace,
  GlobalMaxPooling2D: inPlace,
  LeakyReLU: inPlace,
  MaxPooling2D: inPlace,
  Multiply: elementByElement,
  Normalization: {
    tensors: (_, weight) => ({ running_mean: weight('mean'), running_var: weight('variance') }),
  },
  Permute: {
    order: (node, [order]) => (order ? refuse(node, 'turns a flattened vector') : null),
  },
  ReLU: inPlace,
  Rescaling: inPlace,
  Reshape: {
    order: (node, [order]) => (order ? refuse(node, 'reshapes a flattened vector') : null),
  },
  Softmax: inPlace,
  ZeroPadding2D: inPlace,
};

/** @throws UsageError for a layer that is not beltnet's own */
function formOf(layer: Layer): Form<never> {
  const kind = ownKind(layer);
  if (kind) return forms[kind];
  throw new UsageError(
    `export: layer '${layer.name}' of kind ${layer.kind} has no PyTorch form; replace it by layers of beltnet's own`,
  );
}

/** A layer's parameters as PyTorch has them. A shared layer comes again with the same ones. */
function layerTensors(layer: Layer, order: Order, weights: NamedWeights): Tensors {
  const weight: Weight = (name, axes, turnedShape) => {
    const fullName = `${layer.name}.${name}`;
    if (!Object.hasOwn(weights, fullName)) return null;
    const { shape, data } = weights[fullName];
    if (!axes) return { shape, data };
    return { shape: turnedShape ?? axes.map((axis) => shape[axis]), data: transpose(data, shape, axes) };
  };
  const tensors: Tensors = {};
  for (const [name, tensor] of Object.entries(formOf(layer).tensors?.(layer as never, weight) ?? {})) {
    // Inputs are the last axis of a dense weight, and all of a batch normalization's vectors.
    const isOfInputs = tensor?.shape.at(-1) === order?.length && !(layer instanceof Dense && name === 'bias');
    if (tensor) tensors[`${layer.name}.${name}`] = order && isOfInputs ? inOrder(tensor, order) : tensor;
  }
  return tensors;
}

const inOrder = ({ shape, data }: TorchTensor, order: readonly number[]): TorchTensor => ({
  shape,
  data: data.map((_, at) => data[at - (at % order.length) + order[at % order.length]]),
});

/** The order of a node's output, from those of its inputs. */
function orderAfter(node: ModelNode, orders: readonly Order[]): Order {
  const { order } = formOf(node.layer);
  return order ? order(node, orders) : orders[0];
}

/** Our place of each element of a flattened [C,…]. Null where one of the two sides has a single element. */
function channelsFirstOrder(shape: Shape): Order {
  const channels = shape[shape.length - 1];
  const places = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  if (channels === 1 || places === 1) return null;
  return Array.from({ length: channels * places }, (_, i) => (i % places) * channels + Math.floor(i / places));
}

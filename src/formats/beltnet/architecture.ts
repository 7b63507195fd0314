/** A network from its description in a model file. */
import { ModelFileError } from '../../errors.js';
import { activationNames } from '../../nn/activations.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Dense, Flatten } from '../../nn/layers/core.js';
import { MaxPooling2D } from '../../nn/layers/pooling.js';
import { Model } from '../../nn/model.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Dropout, Reshape, ZeroPadding2D } from '../../nn/layers/core.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D } from '../../nn/layers/pooling.js';
import { Sequential } from '../../nn/sequential.js';
import { input } from '../../nn/input.js';
import { formatShape, sizeOf } from '../../tensor/shape.js';

/** Far beyond any network for pictures. Building a model takes time with the square of its layers. */
const MOST_LAYERS = 4096;
const MOST_INPUTS = 1024;
/** Elements that one value of the network may have for one picture: 1 GiB of float32. */
const LARGEST_VALUE = 2 ** 28;

const preview = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);

/** The model of an architecture from a file: every option is checked by type here, by value in the layers. */
export function buildModel(architecture: unknown, isGraph: boolean): Model {
  const model = connectLayers(architecture, isGraph);
  for (const { layer, shape } of model.nodes) {
    if (!(sizeOf(shape) <= LARGEST_VALUE))
      throw new ModelFileError(
        `expected layer '${layer.name}' to give at most ${LARGEST_VALUE} numbers for a picture, got ${formatShape(shape)}`,
      );
  }
  return model;
}

function connectLayers(architecture: unknown, isGraph: boolean): Model {
  const { inputShape, layers, nodes } = (architecture ?? {}) as Record<'inputShape' | 'layers' | 'nodes', unknown>;
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1 << 16;
  if (
    !Array.isArray(inputShape) ||
    ![1, 3].includes(inputShape.length) ||
    !inputShape.every(isCount) ||
    sizeOf(inputShape) > LARGEST_VALUE
  ) {
    throw new ModelFileError(
      `expected an input shape of three lengths (or one, of vectors) in the architecture, got ${preview(inputShape)}`,
    );
  }
  if (!Array.isArray(layers) || layers.length === 0)
    throw new ModelFileError('expected a list of layers in the architecture');
  if (layers.length > MOST_LAYERS)
    throw new ModelFileError(`expected at most ${MOST_LAYERS} layers in the architecture, got ${layers.length}`);
  if (!isGraph) {
    return new Sequential(layers.map((config, index) => buildLayer(config, index === 0 ? inputShape : undefined)));
  }
  return buildGraph(
    inputShape,
    layers.map((config) => buildLayer(config, undefined)),
    nodes,
  );
}

function buildGraph(inputShape: number[], layers: readonly Layer[], nodes: unknown): Model {
  if (!Array.isArray(nodes) || nodes.length === 0)
    throw new ModelFileError(
      `expected a list of nodes in the architecture of a graph, got ${JSON.stringify(nodes)?.slice(0, 60) ?? 'nothing'}`,
    );
  if (nodes.length > MOST_LAYERS)
    throw new ModelFileError(`expected at most ${MOST_LAYERS} nodes in the architecture, got ${nodes.length}`);
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  if (byName.size < layers.length) throw new ModelFileError('expected layers of different names in the architecture');
  const values = [input({ shape: inputShape })];
  for (const node of nodes as unknown[]) {
    const { layer: name, inputs } = (node ?? {}) as { layer?: unknown; inputs?: unknown };
    const layer = byName.get(name as string);
    const known = (value: unknown): boolean => Number.isInteger(value) && (value as number) in values;
    if (!layer || !Array.isArray(inputs) || inputs.length > MOST_INPUTS || !inputs.every(known))
      throw new ModelFileError(
        `expected nodes with the name of a layer and earlier values, got ${JSON.stringify(node)?.slice(0, 120)}`,
      );
    values.push(layer.apply(inputs.map((value: number) => values[value])));
  }
  return new Model({ inputs: values[0], outputs: values[values.length - 1] });
}

function buildLayer(config: unknown, inputShape: number[] | undefined): Layer {
  const options = (config ?? {}) as Record<string, unknown>;
  const refuse = (key: string, expected: string): never => {
    throw new ModelFileError(
      `layer ${preview(options['name'])}: ${key} expects ${expected}, got ${preview(options[key])}`,
    );
  };
  const count = (key: string): number => {
    const value = options[key];
    return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1 << 20
      ? (value as number)
      : refuse(key, 'a positive integer');
  };
  const pair = (key: string): [number, number] => {
    const value = options[key];
    const good =
      Array.isArray(value) &&
      value.length === 2 &&
      value.every((length) => Number.isInteger(length) && length >= 1 && length <= 1 << 12);
    return good ? (value as [number, number]) : refuse(key, 'two positive integers');
  };
  const oneOf = <Value extends string>(key: string, values: readonly Value[]): Value =>
    values.includes(options[key] as Value) ? (options[key] as Value) : refuse(key, values.join(' or '));
  const flag = (key: string): boolean =>
    typeof options[key] === 'boolean' ? options[key] : refuse(key, 'true or false');
  const common = {
    name: typeof options['name'] === 'string' && options['name'] !== '' ? options['name'] : refuse('name', 'a text'),
    ...(inputShape && { inputShape }),
    ...(options['trainable'] !== undefined && { trainable: flag('trainable') }),
  };
  const number = (key: string): number =>
    Number.isFinite(options[key]) ? (options[key] as number) : refuse(key, 'a number');
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  const regularizer = (): { kernelRegularizer?: { l2: number } } => {
    const value = options['kernelRegularizer'];
    if (value === undefined || value === null) return {};
    return isObject(value) && Number.isFinite(value['l2'])
      ? { kernelRegularizer: { l2: value['l2'] as number } }
      : refuse('kernelRegularizer', 'an object with l2');
  };
  const shape = (key: string): number[] => {
    const value = options[key];
    const good =
      Array.isArray(value) &&
      value.length <= 8 &&
      value.every((length) => Number.isInteger(length) && length >= 1 && length <= 1 << 20);
    return good ? (value as number[]) : refuse(key, 'up to 8 positive integers');
  };
  const frame = (): [[number, number], [number, number]] => {
    const value = options['padding'];
    const isPair = (each: unknown): boolean =>
      Array.isArray(each) &&
      each.length === 2 &&
      each.every((side) => Number.isInteger(side) && side >= 0 && side <= 1 << 12);
    return Array.isArray(value) && value.length === 2 && value.every(isPair)
      ? (value as [[number, number], [number, number]])
      : refuse('padding', 'two pairs of integers');
  };
  const activation = () => oneOf('activation', activationNames);
  const padding = () => oneOf('padding', ['valid', 'same']);
  const pooling = () => ({ ...common, poolSize: pair('poolSize'), strides: pair('strides'), padding: padding() });
  switch (options['kind']) {
    case 'Conv2D':
      return new Conv2D(count('filters'), pair('kernelSize'), {
        ...common,
        strides: pair('strides'),
        padding: padding(),
        dilationRate: pair('dilationRate'),
        activation: activation(),
        useBias: flag('useBias'),
        ...regularizer(),
        ...(options['groups'] !== undefined && { groups: count('groups') }),
      });
    case 'DepthwiseConv2D':
      return new DepthwiseConv2D(pair('kernelSize'), {
        ...common,
        strides: pair('strides'),
        padding: padding(),
        dilationRate: pair('dilationRate'),
        depthMultiplier: count('depthMultiplier'),
        activation: activation(),
        useBias: flag('useBias'),
      });
    case 'MaxPooling2D':
      return new MaxPooling2D(pooling());
    case 'AveragePooling2D':
      return new AveragePooling2D(pooling());
    case 'Flatten':
      return new Flatten(common);
    case 'Dense':
      return new Dense(count('units'), {
        ...common,
        activation: activation(),
        useBias: flag('useBias'),
        ...regularizer(),
      });
    case 'Activation':
      return new Activation(activation(), common);
    case 'ReLU':
      return new ReLU(common);
    case 'LeakyReLU':
      return new LeakyReLU({ ...common, negativeSlope: number('negativeSlope') });
    case 'ELU':
      return new ELU({ ...common, alpha: number('alpha') });
    case 'Softmax':
      return new Softmax(common);
    case 'Dropout':
      return new Dropout(number('rate'), common);
    case 'BatchNormalization':
      return new BatchNormalization({
        ...common,
        momentum: number('momentum'),
        epsilon: number('epsilon'),
        center: flag('center'),
        scale: flag('scale'),
        unbiasedVariance: flag('unbiasedVariance'),
      });
    case 'GlobalAveragePooling2D':
      return new GlobalAveragePooling2D(common);
    case 'GlobalMaxPooling2D':
      return new GlobalMaxPooling2D(common);
    case 'ZeroPadding2D':
      return new ZeroPadding2D({ ...common, padding: frame() });
    case 'Reshape':
      return new Reshape(shape('targetShape'), common);
    case 'Add':
      return new Add(common);
    case 'Multiply':
      return new Multiply(common);
    case 'Concatenate':
      return new Concatenate({ ...common, axis: number('axis') });
    default:
      return refuse('kind', 'the name of a layer that this version of beltnet has');
  }
}

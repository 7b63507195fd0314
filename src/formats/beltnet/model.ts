/**
 * beltnet's model files: safetensors with the weights by name (`conv2d.kernel`), and in the metadata, as JSON, all
 * that is needed to predict: architecture, classes, preprocessing and what raises the alert.
 */
import { BeltnetError, ModelFileError } from '../../errors.js';
import { activationNames } from '../../nn/layers/activation.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Conv2D, Dense, DepthwiseConv2D, Flatten, MaxPooling2D } from '../../nn/layers/layers.js';
import { Model, type ModelConfig } from '../../nn/model.js';
import {
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Dropout,
  ELU,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  LeakyReLU,
  Multiply,
  ReLU,
  Reshape,
  Softmax,
  ZeroPadding2D,
} from '../../nn/layers/more-layers.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { Sequential } from '../../nn/sequential.js';
import { input } from '../../nn/symbolic.js';
import { formatShape, sizeOf } from '../../tensor/shape.js';
import { parseJson, type Refuse } from '../json.js';
import { readSafetensors, toFloat32, writeSafetensors, type SafeTensor } from '../safetensors.js';

export interface ModelInfo {
  /** Class index → name; of two classes, index 1 is the one whose probability a sigmoid gives. */
  readonly classNames: readonly string[];
  readonly preprocessing: {
    /** How pictures are resized to the model's input. */
    readonly interpolation: 'nearest' | 'bilinear' | 'bicubic' | 'box' | 'lanczos';
    /** Factor on the pixel values 0 … 255. */
    readonly rescale: number;
    /** The part of each picture that is used, in its own pixels; by default the whole. */
    readonly region?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
    /** Whether pictures are turned as their EXIF orientation says, before all else; by default not. */
    readonly exif?: boolean;
    /** What is done to the rescaled values; by default nothing. */
    readonly normalization?: {
      readonly samplewiseCenter?: boolean;
      readonly samplewiseStdNormalization?: boolean;
      readonly featurewiseMean?: readonly number[];
      readonly featurewiseStd?: readonly number[];
    };
  };
  readonly alert: {
    /** The class that raises the alert … */
    readonly className: string;
    /** … when its probability is at least this. */
    readonly threshold: number;
  };
}

const FORMAT = 'beltnet-model';
/** A row of layers, and a graph. Versions of beltnet that know rows only refuse a graph by its version. */
const VERSIONS = { row: '1', graph: '2' };

/** Types of weights: integers would be a quantized model, which needs more than its numbers. */
const FLOATS: readonly string[] = ['F32', 'F64', 'F16', 'BF16'];

/** Far beyond any network for pictures. Building a model takes time with the square of its layers. */
const MOST_LAYERS = 4096;
const MOST_INPUTS = 1024;
/** Elements that one value of the network may have for one picture: 1 GiB of float32. */
const LARGEST_VALUE = 2 ** 28;

/** The file's bytes: equal for equal weights and info. */
export async function encodeModel(model: Model, info: ModelInfo): Promise<Uint8Array> {
  const architecture: ModelConfig = model.config();
  return writeSafetensors(await model.getWeights(), {
    format: FORMAT,
    version: architecture.nodes ? VERSIONS.graph : VERSIONS.row,
    architecture: JSON.stringify(architecture),
    classes: JSON.stringify(info.classNames),
    preprocessing: JSON.stringify(info.preprocessing),
    alert: JSON.stringify(info.alert),
  });
}

/**
 * @param name of the file, for messages
 * @returns the model, not yet compiled
 * @throws ModelFileError when the file is damaged, of another kind, or contradicts itself
 */
export function decodeModel(bytes: Uint8Array, name: string): { model: Model; info: ModelInfo } {
  const { tensors, metadata } = readSafetensors(bytes, name);
  if (metadata.format !== FORMAT) {
    throw new ModelFileError(
      `${name}: expected a model written by beltnet, got safetensors with format '${metadata.format ?? 'none'}'; train one with "beltnet train"`,
    );
  }
  if (!Object.values(VERSIONS).includes(metadata.version ?? '')) {
    throw new ModelFileError(
      `${name}: expected model format version ${Object.values(VERSIONS).join(' or ')}, got '${metadata.version ?? 'none'}'; use the beltnet version that wrote it`,
    );
  }
  const refuse = (expected: string, received: string): never => {
    throw new ModelFileError(`${name}: expected ${expected}, got ${received}`);
  };
  const field = (key: string): unknown => parseJson(metadata[key] ?? '', `the metadata field '${key}'`, refuse);
  const info = checkInfo(name, field('classes'), field('preprocessing'), field('alert'));
  const weights: NamedWeights = Object.fromEntries(
    [...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, data: weightData(key, tensor, refuse) }]),
  );
  const architecture = field('architecture');
  try {
    const model = buildModel(architecture, metadata.version === VERSIONS.graph);
    for (const { layer, shape } of model.nodes) {
      if (!(sizeOf(shape) <= LARGEST_VALUE))
        throw new ModelFileError(
          `expected layer '${layer.name}' to give at most ${LARGEST_VALUE} numbers for a picture, got ${formatShape(shape)}`,
        );
    }
    model.setWeights(weights);
    const classes = Math.max(2, model.units);
    if (classes !== info.classNames.length)
      throw new ModelFileError(
        `expected as many class names as the model tells apart, ${classes}, got ${info.classNames.length}`,
      );
    return { model, info };
  } catch (error) {
    if (error instanceof BeltnetError) throw new ModelFileError(`${name}: ${error.message}`);
    throw error;
  }
}

/** A weight as float32. Infinity and NaN stay what they are, but no finite number becomes infinite. */
function weightData(key: string, tensor: SafeTensor, refuse: Refuse): Float32Array {
  if (!FLOATS.includes(tensor.dtype)) refuse(`weight '${key}' of type ${FLOATS.join(', ')}`, tensor.dtype);
  const data = toFloat32(tensor);
  if (tensor.data instanceof Float64Array) {
    const given = tensor.data;
    const lost = data.findIndex((value, at) => !Number.isFinite(value) && Number.isFinite(given[at]));
    if (lost >= 0) refuse(`weight '${key}' of numbers that float32 holds`, String(given[lost]));
  }
  return data;
}

function checkInfo(name: string, classes: unknown, preprocessing: unknown, alert: unknown): ModelInfo {
  const expect = (holds: boolean, what: string, got: unknown): void => {
    if (!holds) throw new ModelFileError(`${name}: expected ${what}, got ${JSON.stringify(got)?.slice(0, 120)}`);
  };
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  expect(
    Array.isArray(classes) && classes.length >= 2 && classes.every(isText) && new Set(classes).size === classes.length,
    'two or more different class names',
    classes,
  );
  expect(
    isObject(preprocessing) &&
      ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'].includes(preprocessing['interpolation'] as string) &&
      Number.isFinite(preprocessing['rescale']),
    'preprocessing with interpolation and rescale',
    preprocessing,
  );
  const { region, exif, normalization } = preprocessing as Record<string, unknown>;
  const isWhole = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;
  expect(
    region === undefined ||
      (isObject(region) &&
        [region['x'], region['y']].every((value) => isWhole(value, 0)) &&
        [region['width'], region['height']].every((value) => isWhole(value, 1))),
    'a region with x, y, width and height',
    region,
  );
  const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';
  expect(isFlag(exif), 'true or false for exif', exif);
  const isChannels = (value: unknown): boolean =>
    value === undefined || (Array.isArray(value) && value.length === 3 && value.every((one) => Number.isFinite(one)));
  expect(
    normalization === undefined ||
      (isObject(normalization) &&
        [normalization['samplewiseCenter'], normalization['samplewiseStdNormalization']].every(isFlag) &&
        [normalization['featurewiseMean'], normalization['featurewiseStd']].every(isChannels)),
    'a normalization with a mean and a deviation for each of three channels',
    normalization,
  );
  expect(
    isObject(alert) &&
      (classes as unknown[]).includes(alert['className']) &&
      typeof alert['threshold'] === 'number' &&
      alert['threshold'] >= 0 &&
      alert['threshold'] <= 1,
    'an alert with one of the classes and a threshold from 0 to 1',
    alert,
  );
  return { classNames: classes, preprocessing, alert } as ModelInfo;
}

const preview = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);

/** The model of an architecture from a file: every option is checked by type here, by value in the layers. */
function buildModel(architecture: unknown, isGraph: boolean): Model {
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
        ...{ ...common, strides: pair('strides'), padding: padding(), dilationRate: pair('dilationRate') },
        ...{ activation: activation(), useBias: flag('useBias'), ...regularizer() },
        ...(options['groups'] !== undefined && { groups: count('groups') }),
      });
    case 'DepthwiseConv2D':
      return new DepthwiseConv2D(pair('kernelSize'), {
        ...{ ...common, strides: pair('strides'), padding: padding(), dilationRate: pair('dilationRate') },
        ...{ depthMultiplier: count('depthMultiplier'), activation: activation(), useBias: flag('useBias') },
      });
    case 'MaxPooling2D':
      return new MaxPooling2D(pooling());
    case 'AveragePooling2D':
      return new AveragePooling2D(pooling());
    case 'Flatten':
      return new Flatten(common);
    case 'Dense':
      return new Dense(count('units'), {
        ...{ ...common, activation: activation(), useBias: flag('useBias'), ...regularizer() },
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
        ...{ ...common, momentum: number('momentum'), epsilon: number('epsilon') },
        ...{ center: flag('center'), scale: flag('scale'), unbiasedVariance: flag('unbiasedVariance') },
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

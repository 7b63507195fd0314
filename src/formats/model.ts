/**
 * beltnet's model files: safetensors with the weights by name (`conv2d.kernel`), and in the metadata, as JSON, all
 * that is needed to predict: architecture, classes, preprocessing and what raises the alert.
 */
import { BeltnetError, ModelFileError } from '../errors.js';
import { Conv2D, Dense, Flatten, MaxPooling2D, type Layer } from '../nn/layers.js';
import type { NamedWeights } from '../nn/parameters.js';
import { Sequential } from '../nn/sequential.js';
import { readSafetensors, toFloat32, writeSafetensors } from './safetensors.js';

export interface ModelInfo {
  /** Class index → name; index 1 is the one whose probability the sigmoid gives. */
  readonly classNames: readonly [string, string];
  readonly preprocessing: {
    /** How pictures are resized to the model's input. */
    readonly interpolation: 'nearest' | 'bilinear' | 'box';
    /** Factor on the pixel values 0 … 255. */
    readonly rescale: number;
  };
  readonly alert: {
    /** The class that raises the alert … */
    readonly className: string;
    /** … when its probability is at least this. */
    readonly threshold: number;
  };
}

const FORMAT = 'beltnet-model';
const VERSION = '1';

/** The file's bytes: equal for equal weights and info. */
export async function encodeModel(model: Sequential, info: ModelInfo): Promise<Uint8Array> {
  return writeSafetensors(await model.getWeights(), {
    format: FORMAT,
    version: VERSION,
    architecture: JSON.stringify(model.config()),
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
export function decodeModel(bytes: Uint8Array, name: string): { model: Sequential; info: ModelInfo } {
  const { tensors, metadata } = readSafetensors(bytes, name);
  if (metadata.format !== FORMAT) {
    throw new ModelFileError(
      `${name}: expected a model written by beltnet, got safetensors with format '${metadata.format ?? 'none'}'; train one with "beltnet train"`,
    );
  }
  if (metadata.version !== VERSION) {
    throw new ModelFileError(
      `${name}: expected model format version ${VERSION}, got '${metadata.version ?? 'none'}'; use the beltnet version that wrote it`,
    );
  }
  const field = (key: string): unknown => {
    try {
      return JSON.parse(metadata[key] ?? '');
    } catch {
      throw new ModelFileError(
        `${name}: expected JSON in the metadata field '${key}', got ${JSON.stringify(metadata[key]?.slice(0, 60) ?? 'nothing')}`,
      );
    }
  };
  const info = checkInfo(name, field('classes'), field('preprocessing'), field('alert'));
  const weights: NamedWeights = Object.fromEntries(
    [...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, data: toFloat32(tensor) }]),
  );
  try {
    const model = buildModel(field('architecture'));
    model.setWeights(weights);
    return { model, info };
  } catch (error) {
    if (error instanceof ModelFileError || !(error instanceof BeltnetError)) throw error;
    throw new ModelFileError(`${name}: ${error.message}`);
  }
}

function checkInfo(name: string, classes: unknown, preprocessing: unknown, alert: unknown): ModelInfo {
  const expect = (holds: boolean, what: string, got: unknown): void => {
    if (!holds) throw new ModelFileError(`${name}: expected ${what}, got ${JSON.stringify(got)?.slice(0, 120)}`);
  };
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  expect(
    Array.isArray(classes) && classes.length === 2 && classes.every(isText) && classes[0] !== classes[1],
    'two class names',
    classes,
  );
  expect(
    isObject(preprocessing) &&
      ['nearest', 'bilinear', 'box'].includes(preprocessing['interpolation'] as string) &&
      Number.isFinite(preprocessing['rescale']),
    'preprocessing with interpolation and rescale',
    preprocessing,
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

/** The model of an architecture from a file: every option is checked by type here, by value in the layers. */
function buildModel(architecture: unknown): Sequential {
  const { inputShape, layers } = (architecture ?? {}) as { inputShape?: unknown; layers?: unknown };
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1 << 16;
  if (!Array.isArray(inputShape) || inputShape.length !== 3 || !inputShape.every(isCount)) {
    throw new ModelFileError(
      `expected an input shape of three lengths in the architecture, got ${JSON.stringify(inputShape)}`,
    );
  }
  if (!Array.isArray(layers) || layers.length === 0)
    throw new ModelFileError('expected a list of layers in the architecture');
  const model = new Sequential();
  for (const [index, config] of layers.entries()) {
    model.add(buildLayer(config, index === 0 ? inputShape : undefined));
  }
  return model;
}

function buildLayer(config: unknown, inputShape: number[] | undefined): Layer {
  const options = (config ?? {}) as Record<string, unknown>;
  const refuse = (key: string, expected: string): never => {
    throw new ModelFileError(
      `layer ${JSON.stringify(options['name'])}: ${key} expects ${expected}, got ${JSON.stringify(options[key])}`,
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
    name: typeof options['name'] === 'string' ? options['name'] : refuse('name', 'a text'),
    ...(inputShape && { inputShape }),
  };
  const activation = () => oneOf('activation', ['linear', 'relu', 'sigmoid']);
  const padding = () => oneOf('padding', ['valid', 'same']);
  switch (options['kind']) {
    case 'Conv2D':
      return new Conv2D(count('filters'), pair('kernelSize'), {
        ...{ ...common, strides: pair('strides'), padding: padding(), dilationRate: pair('dilationRate') },
        ...{ activation: activation(), useBias: flag('useBias') },
      });
    case 'MaxPooling2D':
      return new MaxPooling2D({ ...common, poolSize: pair('poolSize'), strides: pair('strides'), padding: padding() });
    case 'Flatten':
      return new Flatten(common);
    case 'Dense':
      return new Dense(count('units'), { ...common, activation: activation(), useBias: flag('useBias') });
    default:
      return refuse('kind', 'Conv2D, MaxPooling2D, Flatten or Dense');
  }
}

/**
 * Keras' layers as ours: of each the options by a schema, and what it becomes. Spellings of Keras 1 are turned into those of
 * Keras 2 and 3 first. Source: the `get_config` methods of Keras 1.2.2, 2.2.4, 2.15 and 3.15.
 */
import * as v from 'valibot';
import { activationNames } from '../../nn/activations.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Cropping2D, Dense, Dropout, Flatten, Reshape, ZeroPadding2D } from '../../nn/layers/core.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D } from '../../nn/layers/pooling.js';
import { Normalization, Rescaling } from '../../nn/layers/preprocessing.js';
import type { LayerKind } from '../../nn/layers/registry.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { preview } from './preview.js';

/** What a layer of Keras becomes: these layers, one after another; none, when it does nothing to a prediction. */
export interface Converted {
  readonly layers: readonly Layer[];
  /** For a `Rescaling`, x·scale + offset: where it is the first layer it belongs to the preprocessing, and `layers` are left out. */
  readonly rescaling?: RescalingOptions;
  /** Weights of the first layer that stand in the options instead of the file of weights. */
  readonly constants?: Readonly<Record<string, Float32Array>>;
  /** What is worth knowing about it. */
  readonly note?: string;
}

export interface RescalingOptions {
  readonly scale: number;
  readonly offset: number;
}

type Options = Readonly<Record<string, unknown>>;

// --- the kinds of values. The texts are what messages say was expected.

const count = v.pipe(
  v.number('a positive integer'),
  v.integer('a positive integer'),
  v.minValue(1, 'at least 1'),
  v.maxValue(2 ** 20, 'at most 2^20'),
);
const whole = v.pipe(
  v.number('an integer'),
  v.integer('an integer'),
  v.minValue(0, 'at least 0'),
  v.maxValue(4096, 'at most 4096'),
);
const number = v.pipe(v.number('a number'), v.finite('a finite number'));
const flag = v.boolean('true or false');
const text = v.pipe(
  v.string('a text'),
  v.nonEmpty('a text that is not empty'),
  v.maxLength(1000, 'at most 1000 letters'),
);
const sides = v.union([count, v.tuple([count, count])], 'a positive integer or two of them');
const padding = v.optional(v.picklist(['valid', 'same'], "'valid' or 'same'"), 'valid');
const axes = v.union(
  [v.pipe(number, v.integer()), v.pipe(v.array(v.pipe(number, v.integer())), v.length(1))],
  'one axis',
);
const channelsLast = v.optional(v.literal('channels_last', "'channels_last', the only order of axes that beltnet has"));
const ignored = v.optional(v.unknown());
const only = <Value extends number | boolean>(value: Value, reason: string) =>
  v.optional(v.literal(value, `${value}, ${reason}`));
const otherNames: Readonly<Record<string, string>> = { silu: 'swish', hard_silu: 'hard_swish' };
const knownActivations = [...activationNames, ...Object.keys(otherNames)].join(', ');
const activation = v.optional(
  v.pipe(
    v.string(`one of ${knownActivations}`),
    v.transform((name) => (Object.hasOwn(otherNames, name) ? otherNames[name] : name)),
    v.picklist(activationNames, `one of ${knownActivations}`),
  ),
  'linear',
);
/** Of regularizers L2 is kept, for a training that goes on. */
const regularizer = v.optional(
  v.pipe(
    v.looseObject(
      { l2: v.optional(v.unknown()), config: v.optional(v.looseObject({ l2: v.optional(v.unknown()) })) },
      'a regularizer',
    ),
    v.transform(({ l2, config }) => {
      const value = config?.l2 ?? l2;
      return typeof value === 'number' && value > 0 && value < Infinity ? { l2: value } : null;
    }),
  ),
);

/** Options that all layers may have. */
const shared = { name: text, data_format: channelsLast };

const convolution = {
  kernel_size: sides,
  strides: v.optional(sides, 1),
  padding,
  dilation_rate: v.optional(sides, 1),
  activation,
  use_bias: v.optional(flag, true),
};
const pooling = { pool_size: v.optional(sides, 2), strides: v.optional(sides), padding };

interface Conversion {
  readonly schema: v.GenericSchema<unknown, Record<string, unknown>>;
  readonly convert: (options: never, inputs: readonly Shape[]) => Converted;
}

/** A kind of layer: its options beside the shared ones, and what it becomes for inputs of given shapes. */
function kind<const Entries extends v.ObjectEntries>(
  entries: Entries,
  convert: (
    options: v.InferOutput<v.StrictObjectSchema<Entries & typeof shared, undefined>>,
    inputs: readonly Shape[],
  ) => Converted | Layer,
): Conversion {
  const schema = v.strictObject({ ...shared, ...entries }) as unknown as Conversion['schema'];
  return {
    schema,
    convert: (options, inputs) => {
      const made = convert(options, inputs);
      return 'layers' in made ? made : { layers: [made] };
    },
  };
}

/** A layer that only training knows: Keras leaves its input as it is when predicting. */
const trainingOnly: Conversion = {
  schema: v.looseObject({ name: text }),
  convert: ({ name }: { name: string }) => leftOut(name),
};

const leftOut = (name: string): Converted => ({
  layers: [],
  note: `layer '${name}' acts in training only and is left out`,
});

const globalPooling = (make: (options: { name: string; keepdims: boolean }) => Layer): Conversion =>
  kind({ keepdims: v.optional(flag, false) }, ({ name, keepdims }) => make({ name, keepdims }));

/** Rows and columns at the edges of a picture. */
const edges = v.pipe(
  v.union(
    [whole, v.tuple([whole, whole]), v.tuple([v.tuple([whole, whole]), v.tuple([whole, whole])])],
    'a number, two, or two pairs',
  ),
  v.transform((given): [[number, number], [number, number]] => {
    const [rows, columns] = typeof given === 'number' ? [given, given] : given;
    const pair = (side: number | [number, number]): [number, number] =>
      typeof side === 'number' ? [side, side] : side;
    return [pair(rows), pair(columns)];
  }),
);

/** A number of at least 0, which older versions write as a list of one. */
const amount = v.union(
  [
    v.pipe(number, v.minValue(0)),
    v.pipe(
      v.tuple([v.pipe(number, v.minValue(0))]),
      v.transform(([one]) => one),
    ),
  ],
  'a number of at least 0',
);

/** One number for all channels, or one for each. */
const numbers = v.union([number, v.array(number)], 'a number, or one for each channel');

function forChannels(name: string, given: number | number[], input: Shape): number[] {
  const channels = input.at(-1) ?? 1;
  const list = [given].flat();
  if (list.length !== 1 && list.length !== channels)
    throw new OptionError(`${name} expects a number, or ${channels}, got ${preview(given)}`);
  return Array.from({ length: channels }, (_, channel) => list[list.length === 1 ? 0 : channel]);
}

/** x·scale + offset with numbers of their own for each channel: (x − mean) / √variance. */
function rescaledChannels(name: string, scale: number[], offset: number[]): Converted {
  if (!scale.every((each) => each > 0))
    throw new OptionError(`scale expects positive numbers where there is one for each channel, got ${preview(scale)}`);
  const constants = {
    mean: Float32Array.from(scale, (each, channel) => -offset[channel] / each),
    variance: Float32Array.from(scale, (each) => each ** -2),
  };
  return { layers: [new Normalization({ name })], constants };
}

/** Whether an axis of Keras, which counts the batch, is the last one. */
const isLast = (axis: number | number[], input: Shape): boolean => [-1, input.length].includes([axis].flat()[0]);

/** A problem with an option's value that depends on the layer's input. */
export class OptionError extends Error {}

/** By Keras' class. Each kind of ours is one, and must be here: what is exported can be imported. */
const conversions: { readonly [Kind in LayerKind]: Conversion } & Readonly<Record<string, Conversion>> = {
  Conv2D: kind(
    { filters: count, ...convolution, groups: v.optional(count, 1), kernel_regularizer: regularizer },
    ({ filters, kernel_size, ...options }) =>
      new Conv2D(filters, kernel_size, {
        ...convolutionOptions(options),
        groups: options.groups,
        kernelRegularizer: options.kernel_regularizer ?? null,
      }),
  ),
  DepthwiseConv2D: kind(
    { ...convolution, depth_multiplier: v.optional(count, 1) },
    ({ kernel_size, depth_multiplier, ...options }) =>
      new DepthwiseConv2D(kernel_size, { ...convolutionOptions(options), depthMultiplier: depth_multiplier }),
  ),
  // Keras applies a depthwise convolution, then one of 1×1 pixels, which has the bias and the activation.
  SeparableConv2D: kind(
    { filters: count, ...convolution, depth_multiplier: v.optional(count, 1) },
    ({ name, filters, kernel_size, strides, dilation_rate, depth_multiplier, ...options }) => ({
      layers: [
        new DepthwiseConv2D(kernel_size, {
          name: `${name}_depthwise`,
          strides,
          padding: options.padding,
          dilationRate: dilation_rate,
          depthMultiplier: depth_multiplier,
          useBias: false,
        }),
        new Conv2D(filters, 1, { name, activation: options.activation, useBias: options.use_bias }),
      ],
    }),
  ),
  Dense: kind(
    { units: count, activation, use_bias: v.optional(flag, true), kernel_regularizer: regularizer },
    ({ name, units, use_bias, ...options }) =>
      new Dense(units, {
        name,
        activation: options.activation,
        useBias: use_bias,
        kernelRegularizer: options.kernel_regularizer ?? null,
      }),
  ),
  MaxPooling2D: kind(pooling, (options) => new MaxPooling2D(poolingOptions(options))),
  AveragePooling2D: kind(pooling, (options) => new AveragePooling2D(poolingOptions(options))),
  GlobalAveragePooling2D: globalPooling((options) => new GlobalAveragePooling2D(options)),
  GlobalMaxPooling2D: globalPooling((options) => new GlobalMaxPooling2D(options)),
  Flatten: kind({}, ({ name }) => new Flatten({ name })),
  Reshape: kind(
    {
      target_shape: v.pipe(
        v.array(v.union([count, v.literal(-1)], 'positive integers, or -1'), 'a list of lengths'),
        v.minLength(1, 'a length'),
        v.maxLength(8, 'at most 8 lengths'),
      ),
    },
    ({ name, target_shape }, [input]) => {
      const known = sizeOf(target_shape.filter((length) => length !== -1));
      return new Reshape(
        target_shape.map((length) => (length === -1 ? sizeOf(input) / known : length)),
        { name },
      );
    },
  ),
  ZeroPadding2D: kind(
    { padding: v.optional(edges, 1) },
    ({ name, padding: given }) => new ZeroPadding2D({ name, padding: given }),
  ),
  Cropping2D: kind({ cropping: v.optional(edges, 0) }, ({ name, cropping }) => new Cropping2D({ name, cropping })),
  BatchNormalization: kind(
    {
      axis: v.optional(axes, -1),
      momentum: v.optional(number, 0.99),
      epsilon: v.optional(number, 1e-3),
      center: v.optional(flag, true),
      scale: v.optional(flag, true),
      renorm: only(false, 'beltnet has no renormalization'),
      renorm_clipping: ignored,
      renorm_momentum: ignored,
      fused: ignored,
      synchronized: ignored,
      virtual_batch_size: ignored,
      mode: v.optional(v.picklist([0, 2], '0 or 2, normalization by the feature')), // Keras 1
    },
    ({ name, axis, momentum, epsilon, center, scale }, [input]) => {
      if (!isLast(axis, input))
        throw new OptionError(`axis expects the last axis, -1 or ${input.length}, got ${preview(axis)}`);
      return new BatchNormalization({ name, momentum, epsilon, center, scale });
    },
  ),
  // With a shape of noise it drops whole channels or branches, which beltnet does not do in training.
  Dropout: kind({ rate: number, noise_shape: v.optional(v.array(v.unknown())) }, ({ name, rate, noise_shape }) =>
    noise_shape ? leftOut(name) : new Dropout(rate, { name }),
  ),
  Activation: kind({ activation }, ({ name, activation: given }) => new Activation(given, { name })),
  ReLU: kind(
    {
      max_value: v.optional(amount),
      negative_slope: v.optional(amount, 0),
      threshold: v.optional(amount, 0),
    },
    ({ name, max_value = null, negative_slope: negativeSlope, threshold }) =>
      new ReLU({ name, maxValue: max_value, negativeSlope, threshold }),
  ),
  LeakyReLU: kind(
    { negative_slope: v.optional(number), alpha: v.optional(number) },
    ({ name, negative_slope, alpha }) => new LeakyReLU({ name, negativeSlope: negative_slope ?? alpha ?? 0.3 }),
  ),
  ELU: kind({ alpha: v.optional(number, 1) }, ({ name, alpha }) => new ELU({ name, alpha })),
  Softmax: kind({ axis: v.optional(axes, -1) }, ({ name, axis }, [input]) => {
    if (!isLast(axis, input))
      throw new OptionError(`axis expects the last axis, -1 or ${input.length}, got ${preview(axis)}`);
    return new Softmax({ name });
  }),
  Add: kind({}, ({ name }) => new Add({ name })),
  Multiply: kind({}, ({ name }) => new Multiply({ name })),
  Concatenate: kind(
    { axis: v.optional(v.pipe(number, v.integer('an integer')), -1) },
    ({ name, axis }) => new Concatenate({ name, axis }),
  ),
  Rescaling: kind({ scale: numbers, offset: v.optional(numbers, 0) }, ({ name, scale, offset }, [input]) =>
    typeof scale === 'number' && typeof offset === 'number'
      ? { layers: [new Rescaling({ name, scale, offset })], rescaling: { scale, offset } }
      : rescaledChannels(name, forChannels('scale', scale, input), forChannels('offset', offset, input)),
  ),
  Normalization: kind(
    {
      axis: v.optional(axes, -1),
      invert: only(false, 'beltnet has no inverse normalization'),
      mean: v.optional(numbers),
      variance: v.optional(numbers),
    },
    ({ name, axis, mean, variance }, [input]) => {
      if (!isLast(axis, input))
        throw new OptionError(`axis expects the last axis, -1 or ${input.length}, got ${preview(axis)}`);
      const layers = [new Normalization({ name })];
      if (mean === undefined || variance === undefined) return { layers };
      const constants = {
        mean: Float32Array.from(forChannels('mean', mean, input)),
        variance: Float32Array.from(forChannels('variance', variance, input)),
      };
      return { layers, constants };
    },
  ),
  ...Object.fromEntries(
    [
      'RandomFlip',
      'RandomRotation',
      'RandomZoom',
      'RandomTranslation',
      'RandomContrast',
      'RandomBrightness',
      'GaussianNoise',
      'GaussianDropout',
      'AlphaDropout',
      'SpatialDropout2D',
      'ActivityRegularization',
    ].map((name) => [name, trainingOnly]),
  ),
};

/** The layers of Keras that can be imported, beside `InputLayer`. */
export const supportedLayers: readonly string[] = Object.keys(conversions);

interface ConvolutionOptions {
  name: string;
  strides: number | [number, number];
  padding: 'valid' | 'same';
  dilation_rate: number | [number, number];
  activation: (typeof activationNames)[number];
  use_bias: boolean;
}

const convolutionOptions = ({
  name,
  strides,
  padding: given,
  dilation_rate,
  activation: by,
  use_bias,
}: ConvolutionOptions) =>
  ({ name, strides, padding: given, dilationRate: dilation_rate, activation: by, useBias: use_bias }) as const;

const poolingOptions = ({
  name,
  pool_size,
  strides,
  padding: given,
}: {
  name: string;
  pool_size: number | [number, number];
  strides?: number | [number, number] | undefined;
  padding: 'valid' | 'same';
}) => ({ name, poolSize: pool_size, padding: given, ...(strides !== undefined && { strides }) });

// --- Keras 1, and what only training needs

const oldClasses: Readonly<Record<string, string>> = {
  Convolution2D: 'Conv2D',
  AtrousConvolution2D: 'Conv2D',
  AtrousConv2D: 'Conv2D',
  SeparableConvolution2D: 'SeparableConv2D',
};

const oldOptions: Readonly<Record<string, string>> = {
  nb_filter: 'filters',
  subsample: 'strides',
  atrous_rate: 'dilation_rate',
  border_mode: 'padding',
  dim_ordering: 'data_format',
  bias: 'use_bias',
  output_dim: 'units',
  p: 'rate',
  W_regularizer: 'kernel_regularizer',
};

const oldOrders: Readonly<Record<string, string>> = { tf: 'channels_last', th: 'channels_first' };

/** How weights begin and what holds them in bounds; how inputs are declared, which is read elsewhere. */
const passedOver =
  /(_initializer|_constraint|_init)$|^(init|weights|[bW]_constraint|(bias|b|beta|gamma|activity|depthwise|pointwise)_regularizer)$|^(trainable|dtype|seed|autocast|build_config|batch_input_shape|batch_shape|input_shape|input_dim|input_length|input_dtype|sparse|ragged|optional|quantization_config)$/;

/** NumPy's numbers, as some versions write them. */
const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && (value as Options)['type'] === 'ndarray'
    ? (value as Options)['value']
    : value;

function modernized(config: Options): Record<string, unknown> {
  const modern: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(config)) {
    // null asks for nothing, whatever the option
    if (given === null || passedOver.test(key) || key === 'nb_row' || key === 'nb_col') continue;
    const name = Object.hasOwn(oldOptions, key) ? oldOptions[key] : key;
    modern[name] =
      key === 'dim_ordering' && typeof given === 'string' && Object.hasOwn(oldOrders, given)
        ? oldOrders[given]
        : plain(given);
  }
  if ('nb_row' in config) modern['kernel_size'] = [config['nb_row'], config['nb_col']];
  return modern;
}

/** The name that Keras 2 and 3 have for a class. */
export const modernClass = (className: string): string =>
  Object.hasOwn(oldClasses, className) ? oldClasses[className] : className;

/**
 * A layer of Keras as ours.
 * @param inputs shapes without the batch axis
 * @returns null for a class that is not supported
 * @throws OptionError saying which option is not what was expected
 */
export function convertLayer(className: string, config: Options, inputs: readonly Shape[]): Converted | null {
  if (!Object.hasOwn(conversions, modernClass(className))) return null;
  const { schema, convert } = conversions[modernClass(className)];
  const { success, output, issues } = v.safeParse(schema, modernized(config), { abortEarly: true });
  if (!success) throw new OptionError(describe(issues[0], schema));
  const converted = convert(output as never, inputs);
  if (config['trainable'] === false) for (const layer of converted.layers) layer.trainable = false;
  return converted;
}

/** What valibot found, in our words: the option, what was expected, what was received. */
function describe(issue: v.BaseIssue<unknown>, schema: object): string {
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  if (issue.type !== 'strict_object') return `${path} expects ${issue.message}, got ${preview(issue.input)}`;
  if (issue.expected === 'never')
    return `has the option ${path} = ${preview(issue.path?.[0].value)}, which is not supported; supported are ${Object.keys((schema as { entries: object }).entries).join(', ')}`;
  return `needs the option ${path}`;
}

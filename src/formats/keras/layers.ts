/**
 * Keras' layers as ours: of each the options by a schema, and what it becomes. Spellings of Keras 1 are turned into those of
 * Keras 2 and 3 first. Source: the `get_config` methods of Keras 1.2.2, 2.2.4, 2.15 and 3.15.
 */
import * as v from 'valibot';
import type { activationNames } from '../../nn/activations.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Cropping2D, Dense, Dropout, Flatten, Permute, Reshape, ZeroPadding2D } from '../../nn/layers/core.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D } from '../../nn/layers/pooling.js';
import { Normalization, Rescaling } from '../../nn/layers/preprocessing.js';
import type { LayerKind } from '../../nn/layers/registry.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import {
  activation,
  amount,
  axes,
  convolution,
  count,
  edges,
  flag,
  ignored,
  number,
  numbers,
  only,
  pooling,
  regularizer,
  shared,
  text,
} from './layer-options.js';
import { modernClass, modernized } from './old-spellings.js';
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
    variance: Float32Array.from(scale, (each) => 1 / (each * each)),
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
  Permute: kind(
    { dims: v.pipe(v.array(count, 'positive integers'), v.maxLength(8, 'at most 8 axes')) },
    ({ name, dims }) => new Permute(dims, { name }),
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

/** The options of Keras' layers, by kinds of values. The texts are what messages say was expected. */
import * as v from 'valibot';
import { activationNames } from '../../nn/activations.js';

export const count = v.pipe(
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
export const number = v.pipe(v.number('a number'), v.finite('a finite number'));
export const flag = v.boolean('true or false');
export const text = v.pipe(
  v.string('a text'),
  v.nonEmpty('a text that is not empty'),
  v.maxLength(1000, 'at most 1000 letters'),
);
const sides = v.union([count, v.tuple([count, count])], 'a positive integer or two of them');
const padding = v.optional(v.picklist(['valid', 'same'], "'valid' or 'same'"), 'valid');
export const axes = v.union(
  [v.pipe(number, v.integer()), v.pipe(v.array(v.pipe(number, v.integer())), v.length(1))],
  'one axis',
);
const channelsLast = v.optional(v.literal('channels_last', "'channels_last', the only order of axes that beltnet has"));
export const ignored = v.optional(v.unknown());
export const only = <Value extends number | boolean>(value: Value, reason: string) =>
  v.optional(v.literal(value, `${value}, ${reason}`));
const otherNames: Readonly<Record<string, string>> = { silu: 'swish', hard_silu: 'hard_swish' };
const knownActivations = [...activationNames, ...Object.keys(otherNames)].join(', ');
export const activation = v.optional(
  v.pipe(
    v.string(`one of ${knownActivations}`),
    v.transform((name) => (Object.hasOwn(otherNames, name) ? otherNames[name] : name)),
    v.picklist(activationNames, `one of ${knownActivations}`),
  ),
  'linear',
);
/** Of regularizers L2 is kept, for a training that goes on. */
export const regularizer = v.optional(
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
export const shared = { name: text, data_format: channelsLast };

export const convolution = {
  kernel_size: sides,
  strides: v.optional(sides, 1),
  padding,
  dilation_rate: v.optional(sides, 1),
  activation,
  use_bias: v.optional(flag, true),
};
export const pooling = { pool_size: v.optional(sides, 2), strides: v.optional(sides), padding };

/** Rows and columns at the edges of a picture. */
export const edges = v.pipe(
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
export const amount = v.union(
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
export const numbers = v.union([number, v.array(number)], 'a number, or one for each channel');

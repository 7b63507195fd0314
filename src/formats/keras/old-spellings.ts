/** Names of Keras 1 as those of Keras 2 and 3; options that only training needs are left out. */

type Options = Readonly<Record<string, unknown>>;

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

/** Options as Keras 2 and 3 spell them, without those that only training needs. */
export function modernized(config: Options): Record<string, unknown> {
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

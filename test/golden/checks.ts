/**
 * How each op of the golden set is computed with beltnet: `checks[op]` gets a case's tensors and a device and returns
 * outputs by the names of the set.
 */
import { type FillMode, warpMatrix } from '../../src/data/augmentation.js';
import type { AugmentAttributes } from '../../src/kernels/augment/attributes.js';
import { augment } from '../../src/kernels/augment/augment.js';
import { averagePool2d } from '../../src/kernels/pool/average-pool2d.js';
import { batchMoments, batchNorm, batchNormInference } from '../../src/kernels/norm/batch-norm.js';
import { binaryCrossEntropy, binaryCrossEntropyWithLogits } from '../../src/kernels/loss/binary-cross-entropy.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { dense } from '../../src/kernels/dense/dense.js';
import { flatten, reshape } from '../../src/kernels/move/reshape.js';
import { oneHot } from '../../src/kernels/loss/labels.js';
import { leakyRelu } from '../../src/kernels/activation/leaky-relu.js';
import { maxPool2d } from '../../src/kernels/pool/max-pool2d.js';
import { globalMaxPool2d } from '../../src/kernels/reduce/reduce-max.js';
import { globalAveragePool2d, mean, sum } from '../../src/kernels/reduce/reduce.js';
import { relu } from '../../src/kernels/activation/relu.js';
import { sigmoid } from '../../src/kernels/activation/sigmoid.js';
import { softmaxCrossEntropy } from '../../src/kernels/loss/softmax-cross-entropy.js';
import { softmax } from '../../src/kernels/activation/softmax.js';
import { tanh } from '../../src/kernels/activation/tanh.js';
import { halfSquaredErrors, meanSquaredErrors } from '../../src/kernels/loss/squared-errors.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import type { NamedWeights } from '../../src/nn/parameters.js';
import { Sequential } from '../../src/nn/sequential.js';
import { adam, adamW } from '../../src/optim/adam.js';
import type { Optimizer } from '../../src/optim/optimizer.js';
import { rmsprop } from '../../src/optim/rmsprop.js';
import { sgd } from '../../src/optim/sgd.js';
import { backward, record } from '../../src/tensor/autograd.js';
import type { Device } from '../../src/tensor/device.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { launch, tensor, zeros, type Tensor } from '../../src/tensor/tensor.js';

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export interface Case {
  readonly attributes: Readonly<Record<string, never>>;
  /** Tensor by its name within the case: `x`, `param/conv1/kernel`, … */
  get(name: string): GoldenTensor;
}

interface PoolAttributes {
  readonly pool_size: [number, number];
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
}

export type Outputs = Record<string, ArrayLike<number>>;
type Check = (golden: Case, device: Device) => Promise<Outputs>;

/** Values in float32, or in float64 on the reference device. */
async function read(value: Tensor): Promise<ArrayLike<number>> {
  return value.device instanceof ReferenceDevice ? value.device.values(value).slice() : value.read();
}

const put = (device: Device, { data, shape }: GoldenTensor): Tensor => tensor(device, Float32Array.from(data), shape);

function parameter(device: Device, golden: GoldenTensor): Tensor {
  const value = put(device, golden);
  value.requiresGradient = true;
  return value;
}

/** An op's output, and its inputs' gradients for the upstream gradient dy. */
async function valueAndGradients(
  golden: Case,
  device: Device,
  inputs: readonly string[],
  compute: (inputs: readonly Tensor[]) => Tensor,
): Promise<Outputs> {
  const tensors = inputs.map((name) => parameter(device, golden.get(name)));
  const { result, tape } = record(() => compute(tensors));
  const gradients = backward(tape, result, put(device, golden.get('dy')));
  const outputs: Outputs = { y: await read(result) };
  for (const [index, name] of inputs.entries()) outputs[`d${name}`] = await read(gradients.get(tensors[index])!);
  return outputs;
}

/** The optimizer of a case, by the set's names. */
function optimizerOf(kind: string, settings: Readonly<Record<string, number>>): Optimizer {
  const { lr, beta_1, beta_2, epsilon, momentum, rho } = settings;
  if (kind.startsWith('adam')) {
    const options = {
      ...{ learningRate: lr, beta1: beta_1, beta2: beta_2, epsilon },
      correction: kind.endsWith('_torch') ? 'pytorch' : 'keras',
    } as const;
    return kind.startsWith('adamw') ? adamW({ ...options, weightDecay: settings['weight_decay'] }) : adam(options);
  }
  if (kind.startsWith('rmsprop')) {
    const epsilonInside = kind.startsWith('rmsprop_keras');
    return rmsprop({ learningRate: lr, rho, epsilon, momentum: momentum ?? 0, epsilonInside });
  }
  if (!kind.startsWith('sgd')) throw new Error(`optimizer ${kind} is not known yet`);
  return sgd({ learningRate: lr, momentum: momentum ?? 0, nesterov: Boolean(settings['nesterov']) });
}

const optimizerTrajectory =
  (kind: string): Check =>
  async (golden, device) => {
    const start = golden.get('theta0');
    const gradients = golden.get('grad');
    const [steps, size] = gradients.shape as [number, number];
    const theta = put(device, start);
    const gradient = zeros(device, [size]);
    const bound = optimizerOf(kind, golden.attributes).bind(theta, gradient);
    const trajectory: number[] = [];
    for (let step = 0; step < steps; step++) {
      gradient.write(Float32Array.from({ length: size }, (_, i) => gradients.data[step * size + i]));
      bound.prepare(step + 1);
      bound.apply();
      trajectory.push(...Array.from(await read(theta)));
    }
    return { theta: trajectory };
  };

const LAYERS = ['conv1', 'conv2', 'dense1', 'dense2'];

/** The mission's network in the sizes of a case, with its weights. */
function network(golden: Case): Sequential {
  const {
    input_shape,
    filters,
    dense: units,
  } = golden.attributes as unknown as { input_shape: number[]; filters: number[]; dense: number };
  const model = new Sequential([
    new Conv2D(filters[0], 3, { name: 'conv1', inputShape: input_shape, activation: 'relu' }),
    new MaxPooling2D(),
    new Conv2D(filters[1], 3, { name: 'conv2', activation: 'relu' }),
    new MaxPooling2D(),
    new Flatten(),
    new Dense(units, { name: 'dense1', activation: 'relu' }),
    new Dense(1, { name: 'dense2', activation: 'sigmoid' }),
  ]);
  const weights: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
  for (const layer of LAYERS) {
    for (const part of ['kernel', 'bias']) {
      const { shape, data } = golden.get(`param/${layer}/${part}`);
      weights[`${layer}.${part}`] = { shape, data: Float32Array.from(data) };
    }
  }
  model.setWeights(weights);
  return model;
}

/** Forward pass with every activation, and every gradient, by ops. */
async function modelGradient(golden: Case, device: Device): Promise<Outputs> {
  const parameters = new Map(
    LAYERS.flatMap((layer) =>
      ['kernel', 'bias'].map((part) => [`${layer}/${part}`, parameter(device, golden.get(`param/${layer}/${part}`))]),
    ),
  );
  const at = (name: string) => parameters.get(name)!;
  const x = parameter(device, golden.get('x'));
  const y = put(device, golden.get('y'));
  const activations = new Map<string, Tensor>();
  const keep = (name: string, value: Tensor) => (activations.set(name, value), value);
  const { result, tape } = record(() => {
    const conv1 = keep('conv1', conv2d(x, at('conv1/kernel'), { bias: at('conv1/bias'), activation: 'relu' }));
    const pool1 = keep('pool1', maxPool2d(conv1));
    const conv2 = keep('conv2', conv2d(pool1, at('conv2/kernel'), { bias: at('conv2/bias'), activation: 'relu' }));
    const pool2 = keep('pool2', maxPool2d(conv2));
    const dense1 = keep(
      'dense1',
      dense(flatten(pool2), at('dense1/kernel'), { bias: at('dense1/bias'), activation: 'relu' }),
    );
    const logits = reshape(dense(dense1, at('dense2/kernel'), { bias: at('dense2/bias') }), [y.size]);
    return { logits, loss: mean(binaryCrossEntropyWithLogits(logits, y)) };
  });
  const gradients = backward(tape, result.loss);
  const outputs: Outputs = {
    logits: await read(result.logits),
    prob: await read(sigmoid(result.logits)),
    loss: await read(result.loss),
    dlogits: await read(gradients.get(result.logits)!),
    'grad/x': await read(gradients.get(x)!),
  };
  for (const [name, value] of activations) outputs[`act/${name}`] = await read(value);
  for (const [name, value] of parameters) outputs[`grad/${name}`] = await read(gradients.get(value)!);
  return outputs;
}

/** What the set keeps of dense1's matrix in the full model: some rows, and sums over all of it. */
function summarize(
  outputs: Outputs,
  name: string,
  matrix: ArrayLike<number>,
  [rows, columns]: readonly number[],
  sampled: ArrayLike<number>,
): void {
  const at = (row: number, column: number) => matrix[row * columns + column];
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
  outputs[`${name}/rows`] = Array.from(sampled).flatMap((row) => range(columns).map((column) => at(row, column)));
  outputs[`${name}/row_sums`] = range(rows).map((row) => total(range(columns).map((column) => at(row, column))));
  outputs[`${name}/col_sums`] = range(columns).map((column) => total(range(rows).map((row) => at(row, column))));
  outputs[`${name}/l2`] = [Math.sqrt(total(Array.from(matrix, (value) => value * value)))];
}

function weightOutputs(outputs: Outputs, prefix: string, weights: NamedWeights, golden: Case): void {
  for (const [name, { shape, data }] of Object.entries(weights)) {
    const key = `${prefix}/${name.replace('.', '/')}`;
    outputs[key] = data;
    if (name === 'dense1.kernel' && data.length > 100_000)
      summarize(outputs, key, data, shape, golden.get('sampled_rows').data);
  }
}

/** Training through the public model, batch by batch. */
async function modelTraining(golden: Case, device: Device): Promise<Outputs> {
  const { optimizer, steps } = golden.attributes as unknown as {
    optimizer: { kind: string } & Record<string, never>;
    steps: number;
  };
  const model = network(golden);
  model.compile({ device, optimizer: optimizerOf(optimizer.kind, optimizer) });
  const X = golden.get('X');
  const Y = golden.get('Y').data;
  const { data: batches, shape } = golden.get('batches');
  const size = model.inputShape.reduce((a, b) => a * b, 1);
  const gather = (samples: number[]) =>
    Float32Array.from(
      { length: samples.length * size },
      (_, i) => X.data[samples[Math.floor(i / size)] * size + (i % size)],
    );
  const logitsOf = async (samples: number[]) => {
    const x = tensor(device, gather(samples), [samples.length, ...model.inputShape]);
    return Array.from(await read(model.call(x, { logits: true })));
  };
  const outputs: Outputs = {};
  const [loss, accuracy, logitsByStep]: number[][] = [[], [], []];
  for (let step = 0; step < steps; step++) {
    const samples = Array.from({ length: shape[1] }, (_, i) => batches[step * shape[1] + i]).filter(
      (sample) => sample >= 0,
    );
    const logits = await logitsOf(samples);
    // The set has 0 where a short batch has no sample.
    logitsByStep.push(...Array.from({ length: shape[1] }, (_, i) => logits[i] ?? 0));
    const labels = samples.map((sample) => Y[sample]);
    const figures = await model.trainOnBatch(gather(samples), labels);
    loss.push(figures.loss);
    accuracy.push(figures.accuracy);
    if (step === 0) {
      outputs['step0/logits'] = logits;
      outputs['step0/prob'] = logits.map((z) => 1 / (1 + Math.exp(-z)));
      outputs['step0/dlogits'] = logits.map((z, i) => (1 / (1 + Math.exp(-z)) - labels[i]) / logits.length);
      outputs['step0/loss'] = [figures.loss];
      weightOutputs(outputs, 'step0/grad', await model.getGradients(), golden);
    }
  }
  Object.assign(outputs, {
    loss,
    accuracy,
    logits_by_step: logitsByStep,
    final_logits: await logitsOf(Array.from(Y, (_, i) => i)),
  });
  weightOutputs(outputs, 'final', await model.getWeights(), golden);
  model.destroy();
  return outputs;
}

const clipped =
  (form: 'keras2' | 'keras3'): Check =>
  async (golden, device) => {
    const p = parameter(device, golden.get('p'));
    const y = put(device, golden.get('y'));
    const { result, tape } = record(() => {
      const loss = binaryCrossEntropy(p, y, { form });
      return { loss, mean: mean(loss) };
    });
    const outputs: Outputs = {
      loss: await read(result.loss),
      loss_mean: await read(result.mean),
      dp_mean: await read(backward(tape, result.mean).get(p)!),
    };
    // The most extreme case is compared with float32 arithmetic, where 1 − 1e-7 is 1 − 2^-23.
    for (const [name, values] of Object.entries(outputs)) outputs[`${name}_float32_arithmetic`] = values;
    return outputs;
  };

/** Values of `compute`, and the gradient of its mean with respect to x. */
async function lossAndGradient(x: Tensor, compute: (x: Tensor) => Tensor) {
  const { result, tape } = record(() => {
    const loss = compute(x);
    return { loss, mean: mean(loss) };
  });
  const gradient = await read(backward(tape, result.mean).get(x)!);
  return { loss: await read(result.loss), mean: await read(result.mean), gradient };
}

const squaredErrors: Check = async (golden, device) => {
  const a = () => parameter(device, golden.get('a'));
  const y = put(device, golden.get('y'));
  const squared = await lossAndGradient(a(), (value) => meanSquaredErrors(value, y));
  const half = await lossAndGradient(a(), (value) => halfSquaredErrors(value, y));
  const summed = a();
  const { result, tape } = record(() => sum(halfSquaredErrors(summed, y)));
  return {
    ...{ per_sample: squared.loss, loss: squared.mean, da: squared.gradient },
    ...{ half_per_sample: half.loss, half_mean: half.mean, half_da_mean: half.gradient },
    half_da_sum: await read(backward(tape, result).get(summed)!),
  };
};

const sigmoidHalfQuadratic: Check = async (golden, device) => {
  const z = parameter(device, golden.get('z'));
  const y = put(device, golden.get('y'));
  const { loss, mean: average, gradient } = await lossAndGradient(z, (value) => halfSquaredErrors(sigmoid(value), y));
  return { a: await read(sigmoid(z)), half_per_sample: loss, half_mean: average, dz_mean: gradient };
};

const categorical: Check = async (golden, device) => {
  const given = golden.get('z');
  const { shape } = given;
  const hard = oneHot(put(device, golden.get('labels')), { classes: shape[1] });
  const of = (targets: Tensor) => lossAndGradient(parameter(device, given), (z) => softmaxCrossEntropy(z, targets));
  const [label, soft] = [await of(hard), await of(put(device, golden.get('soft')))];
  // log softmax is minus the loss of each class.
  const all = await Promise.all(
    Array.from({ length: shape[1] }, async (_, k) => {
      const targets = oneHot(tensor(device, new Float32Array(shape[0]).fill(k)), { classes: shape[1] });
      return read(softmaxCrossEntropy(put(device, given), targets));
    }),
  );
  return {
    ...{ loss: label.loss, loss_mean: label.mean, dz_mean: label.gradient },
    ...{ soft_loss: soft.loss, soft_loss_mean: soft.mean, soft_dz_mean: soft.gradient },
    log_softmax: Array.from(given.data, (_, i) => -all[i % shape[1]][Math.floor(i / shape[1])]),
  };
};

const batchNormalization: Check = async (golden, device) => {
  const { momentum, epsilon } = golden.attributes as unknown as { momentum: number; epsilon: number };
  const moved = async (unbiased: boolean) => {
    const [movingMean, variance] = ['moving_mean', 'moving_var'].map((name) => put(device, golden.get(name)));
    const outputs = await valueAndGradients(golden, device, ['x', 'gamma', 'beta'], ([x, gamma, beta]) =>
      batchNorm(x, gamma, beta, { epsilon, moving: { mean: movingMean, variance, momentum, unbiased } }),
    );
    return { outputs, mean: await read(movingMean), variance: await read(variance) };
  };
  const [biased, unbiased] = [await moved(false), await moved(true)];
  const inference = await valueAndGradients(golden, device, ['x', 'gamma', 'beta'], ([x, gamma, beta]) => {
    const [movingMean, variance] = ['moving_mean', 'moving_var'].map((name) => put(device, golden.get(name)));
    return batchNormInference(x, gamma, beta, movingMean, variance, { epsilon });
  });
  const [batchMean, batchVariance] = launch(batchMoments, [put(device, golden.get('x'))], null);
  return {
    ...biased.outputs,
    ...{ batch_mean: await read(batchMean), batch_var: await read(batchVariance) },
    ...{ new_moving_mean: biased.mean, new_moving_var: biased.variance, new_moving_var_unbiased: unbiased.variance },
    ...{ y_inference: inference['y'], dx_inference: inference['dx'], dgamma_inference: inference['dgamma'] },
  };
};

const IDENTITY = [1, 0, 0, 0, 1, 0];
interface WarpParameters {
  readonly theta: number;
  readonly tx: number;
  readonly ty: number;
  readonly shear: number;
  readonly zx: number;
  readonly zy: number;
}

/** The case's picture through the augmentation kernel: by a matrix, shifts of three channels and a brightness. */
async function augmented(
  golden: Case,
  device: Device,
  attributes: Partial<AugmentAttributes>,
  transform: { readonly matrix?: readonly number[]; readonly shift?: number; readonly brightness?: number },
): Promise<ArrayLike<number>> {
  const { data, shape } = golden.get('x');
  const { matrix = IDENTITY, shift = 0, brightness = 1 } = transform;
  const pictures = tensor(device, Uint8Array.from(data), [1, ...shape]);
  const transforms = Float32Array.from([...matrix, shift, shift, shift, brightness, 0, 0]);
  return read(
    augment(pictures, tensor(device, new Uint32Array(1)), tensor(device, transforms, [1, transforms.length]), {
      ...{ interpolation: 'bilinear', rescale: 1 },
      ...attributes,
    }),
  );
}

/** Our matrix for a case's parameters; the set names the centre of the version that it was made with. */
function matrixOf({ theta, tx, ty, shear, zx, zy }: WarpParameters, golden: Case): readonly number[] {
  const [height, width] = golden.get('x').shape;
  const { center, matrix_output_to_input: expected } = golden.attributes as unknown as {
    center: string;
    matrix_output_to_input: number[][];
  };
  const offset = center.startsWith('h/2+0.5') ? 0.5 : -0.5;
  const radians = Math.PI / 180;
  const warp = { rotation: theta * radians, shear: shear * radians, shiftFirst: tx, shiftSecond: ty };
  const matrix = warpMatrix({ ...warp, zoomFirst: zx, zoomSecond: zy }, height / 2 + offset, width / 2 + offset);
  for (const [index, value] of expected.flat().entries()) {
    if (!(Math.abs(matrix[index] - value) < 1e-9))
      throw new Error(`matrix: got ${matrix.join(' ')}, expected ${expected.flat().join(' ')}`);
  }
  return matrix;
}

/** Columns or rows from the other end, as the product composes flips: an output index leads to length − 1 − index. */
function flipped(matrix: readonly number[], golden: Case, columns: boolean, rows: boolean): number[] {
  const [height, width] = golden.get('x').shape;
  let [a, b, c, d, e, f] = matrix;
  if (columns) [b, c, e, f] = [-b, c + b * (width - 1), -e, f + e * (width - 1)];
  if (rows) [a, c, d, f] = [-a, c + a * (height - 1), -d, f + d * (height - 1)];
  return [a, b, c, d, e, f];
}

export const checks: Readonly<Record<string, Check>> = {
  async affine_transform(golden, device) {
    const { fill_mode, cval, ...parameters } = golden.attributes as unknown as WarpParameters & {
      fill_mode: FillMode;
      cval: number;
    };
    const matrix = matrixOf(parameters, golden);
    return { y: await augmented(golden, device, { fillMode: fill_mode, fillValue: cval }, { matrix }) };
  },
  async flip(golden, device) {
    const flip = (columns: boolean, rows: boolean) =>
      augmented(golden, device, { interpolation: 'nearest' }, { matrix: flipped(IDENTITY, golden, columns, rows) });
    return { horizontal: await flip(true, false), vertical: await flip(false, true) };
  },
  async brightness_shift(golden, device) {
    const { brightness } = golden.attributes as unknown as { brightness: number };
    return {
      y: await augmented(golden, device, { brightness: 'plain' }, { brightness }),
      y_keras_preprocessing: await augmented(golden, device, { brightness: 'stretched' }, { brightness }),
    };
  },
  async channel_shift(golden, device) {
    const { intensity } = golden.attributes as unknown as { intensity: number };
    return { y: await augmented(golden, device, { channelShift: true }, { shift: intensity }) };
  },
  async image_data_generator(golden, device) {
    const { parameters, fill_mode, rescale } = golden.attributes as unknown as {
      fill_mode: FillMode;
      rescale: number;
      parameters: WarpParameters & {
        flip_horizontal: boolean;
        flip_vertical: boolean;
        channel_shift_intensity: number | null;
        brightness: number | null;
      };
    };
    const { flip_horizontal, flip_vertical, channel_shift_intensity: shift, brightness } = parameters;
    const matrix = flipped(matrixOf(parameters, golden), golden, flip_horizontal, flip_vertical);
    const attributes = {
      ...{ fillMode: fill_mode, rescale, channelShift: shift !== null },
      // The set was made by keras-preprocessing 1.1.0, which stretches.
      ...(brightness !== null && { brightness: 'stretched' as const }),
    };
    return {
      y: await augmented(golden, device, attributes, { matrix, shift: shift ?? 0, brightness: brightness ?? 1 }),
    };
  },
  conv2d(golden, device) {
    const {
      strides,
      padding,
      dilation_rate: dilation,
    } = golden.attributes as unknown as {
      strides: [number, number];
      padding: 'valid' | 'same';
      dilation_rate: [number, number];
    };
    return valueAndGradients(golden, device, ['x', 'w', 'b'], ([x, weight, bias]) =>
      conv2d(x, weight, { bias: bias, strides, padding, dilation }),
    );
  },
  max_pool2d(golden, device) {
    const { pool_size: size, strides, padding } = golden.attributes as unknown as PoolAttributes;
    return valueAndGradients(golden, device, ['x'], ([x]) => maxPool2d(x, { size, strides, padding }));
  },
  average_pool2d(golden, device) {
    const { pool_size: size, strides, padding } = golden.attributes as unknown as PoolAttributes;
    return valueAndGradients(golden, device, ['x'], ([x]) => averagePool2d(x, { size, strides, padding }));
  },
  global_average_pool2d: (golden, device) => valueAndGradients(golden, device, ['x'], ([x]) => globalAveragePool2d(x)),
  global_max_pool2d: (golden, device) => valueAndGradients(golden, device, ['x'], ([x]) => globalMaxPool2d(x)),
  batch_norm: batchNormalization,
  tanh: (golden, device) => valueAndGradients(golden, device, ['x'], ([x]) => tanh(x)),
  leaky_relu: (golden, device) =>
    valueAndGradients(golden, device, ['x'], ([x]) =>
      leakyRelu(x, { negativeSlope: golden.attributes['negative_slope'] }),
    ),
  softmax: (golden, device) =>
    valueAndGradients(golden, device, ['x'], ([x]) => softmax(x, { axis: golden.attributes['axis'] })),
  softmax_cross_entropy: categorical,
  mse_and_half_quadratic: squaredErrors,
  sigmoid_then_half_quadratic: sigmoidHalfQuadratic,
  dense: (golden, device) =>
    valueAndGradients(golden, device, ['x', 'w', 'b'], ([x, weight, bias]) => dense(x, weight, { bias: bias })),
  relu: (golden, device) => valueAndGradients(golden, device, ['x'], ([x]) => relu(x)),
  sigmoid: (golden, device) => valueAndGradients(golden, device, ['x'], ([x]) => sigmoid(x)),
  async bce_with_logits(golden, device) {
    const y = put(device, golden.get('y'));
    const gradientOf = async (reduce: (loss: Tensor) => Tensor) => {
      const z = parameter(device, golden.get('z'));
      const { result, tape } = record(() => reduce(binaryCrossEntropyWithLogits(z, y)));
      return { value: await read(result), gradient: await read(backward(tape, result).get(z)!) };
    };
    const z = put(device, golden.get('z'));
    const [summed, averaged] = [await gradientOf(sum), await gradientOf(mean)];
    return {
      loss: await read(binaryCrossEntropyWithLogits(z, y)),
      loss_mean: averaged.value,
      dz_sum: summed.gradient,
      dz_mean: averaged.gradient,
      prob: await read(sigmoid(z)),
    };
  },
  'bce_on_probabilities:keras3': clipped('keras3'),
  'bce_on_probabilities:keras2': clipped('keras2'),
  ...Object.fromEntries(
    [
      ...['adam_keras', 'adam_torch', 'adamw_keras', 'adamw_torch', 'sgd', 'sgd_momentum', 'sgd_nesterov'],
      ...['rmsprop_keras', 'rmsprop_keras_momentum', 'rmsprop_eps_outside', 'rmsprop_torch'],
    ].map((kind) => [`optimizer:${kind}`, optimizerTrajectory(kind)]),
  ),
  model_gradient: modelGradient,
  model_training: modelTraining,
};

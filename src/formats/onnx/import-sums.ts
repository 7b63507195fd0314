/** Operators of ONNX with weights: convolutions, dense layers and batch normalization, their kernels in our order of axes. */
import { ModelFileError } from '../../errors.js';
import { Conv2D, DepthwiseConv2D } from '../../nn/layers/convolution.js';
import { Dense, Reshape } from '../../nn/layers/core.js';
import { Add } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { formatShape } from '../../tensor/shape.js';
import { transpose } from '../transpose.js';
import type { Constant } from './import-constants.js';
import { aligned } from './import-elementwise.js';
import { floats, isConstant, isValue, type Given, type NodeReader, type Operator } from './import-node.js';
import { arranged, CHANNELS_LAST, lengthsOf, valueOf, vectorOf, type Value } from './import-values.js';
import { padded, windowOf } from './import-windows.js';

/** A bias that an Add after this node brings, in place of one of its own. */
function followingBias(
  node: NodeReader,
  outputs: number,
  axesBehind: number,
): { bias: Float32Array; ends: (value: Value) => Given } | null {
  const next = node.follower('Add');
  if (!next || !isConstant(next.other)) return null;
  const { shape, data } = next.other;
  const lengths = shape.toReversed();
  const isByOutput =
    data.length === outputs && (outputs === 1 ? lengths.length <= axesBehind + 1 : lengths[axesBehind] === outputs);
  return isByOutput ? { bias: floats(next.other), ends: (value) => next.becomes(value) } : null;
}

function convolution(node: NodeReader): Given {
  const value = node.value(0, 4);
  const kernel = node.constant(1);
  const own = node.optionalConstant(2);
  if (kernel.shape.length !== 4)
    throw new ModelFileError(`expects a kernel [K,C,KH,KW], got ${formatShape(kernel.shape)}`);
  const [filters, ofGroup, ...size] = kernel.shape as [number, number, number, number];
  const groups = node.number('group', 1);
  const channels = lengthsOf(value, 1)[1];
  if (ofGroup * groups !== channels || filters % groups !== 0 || filters === 0)
    throw new ModelFileError(
      `expects a kernel for ${channels} channels in ${groups} groups, got ${formatShape(kernel.shape)}`,
    );
  if (own && own.data.length !== filters)
    throw new ModelFileError(`expects a bias for each of ${filters} filters, got ${formatShape(own.shape)}`);
  const picture = arranged(value, CHANNELS_LAST, node.context);
  const window = windowOf(node, size, picture.shape);
  const later = own ? null : followingBias(node, filters, 2);
  const bias = own ? floats(own) : later?.bias;
  const options = {
    name: node.named(),
    strides: window.strides,
    dilationRate: window.dilation,
    padding: window.padding === 'same' ? ('same' as const) : ('valid' as const),
    useBias: bias !== undefined,
  };
  const x = typeof window.padding === 'string' ? picture : padded(node, picture, window.padding);
  const data = floats(kernel);
  const isDepthwise = groups > 1 && ofGroup === 1;
  const multiplier = filters / channels;
  const layer = isDepthwise
    ? new DepthwiseConv2D(size, { ...options, depthMultiplier: multiplier })
    : new Conv2D(filters, size, { ...options, groups });
  // [C·M,1,KH,KW] → [KH,KW,C,M], or [K,C,KH,KW] → [KH,KW,C,K]
  if (isDepthwise)
    node.weight(
      layer,
      'depthwise_kernel',
      [...size, channels, multiplier],
      transpose(data, [channels, multiplier, ...size], [2, 3, 0, 1]),
    );
  else node.weight(layer, 'kernel', [...size, ofGroup, filters], transpose(data, kernel.shape, [2, 3, 1, 0]));
  if (bias) node.weight(layer, 'bias', [filters], bias);
  const result = valueOf(node.apply(layer, x), CHANNELS_LAST);
  return later ? later.ends(result) : result;
}

/** x [N,in] · kernel [in,out] + bias */
function dense(node: NodeReader, value: Value, kernel: Constant, bias: Float32Array | null): Value {
  const { tensor, order } = vectorOf(value, node.context);
  const [inputs, units] = kernel.shape;
  if (tensor.shape[0] !== inputs)
    throw new ModelFileError(`expects a kernel for ${tensor.shape[0]} numbers, got ${formatShape(kernel.shape)}`);
  const given = floats(kernel);
  let data = given;
  if (order) {
    data = new Float32Array(given.length);
    for (const [row, place] of order.entries()) data.set(given.subarray(row * units, (row + 1) * units), place * units);
  }
  const layer = new Dense(units, { name: node.named(), useBias: bias !== null });
  node.weight(layer, 'kernel', [inputs, units], data);
  if (bias) node.weight(layer, 'bias', [units], bias);
  return { tensor: node.apply(layer, tensor), axes: [0, 1], flattened: null };
}

function gemm(node: NodeReader): Given {
  const value = node.value(0);
  const given = node.constant(1);
  if (node.number('transA', 0) !== 0)
    throw new ModelFileError('attribute transA expects 0: each row is a picture, got 1');
  if (given.shape.length !== 2)
    throw new ModelFileError(`expects a kernel of two axes, got ${formatShape(given.shape)}`);
  const turned = node.number('transB', 0) === 0 ? given : node.context.folding.transposed(given, [1, 0]);
  const alpha = node.number('alpha', 1);
  const kernel = alpha === 1 ? turned : node.context.folding.changed(turned, (weight) => weight * alpha);
  const beta = node.number('beta', 1);
  const units = kernel.shape[1];
  const third = node.inputs[2];
  if (third && isValue(third) && beta === 1) {
    const made = dense(node, value, kernel, null);
    const { tensors, order } = aligned(node, [made, third]);
    return valueOf(node.apply(new Add({ name: node.named('sum') }), ...tensors), order);
  }
  const summand = node.optionalConstant(2);
  if (summand && summand.data.length !== 1 && !(summand.data.length === units && summand.shape.at(-1) === units))
    throw new ModelFileError(`expects a bias of ${units} numbers, got ${formatShape(summand.shape)}`);
  const bias =
    summand && Float32Array.from({ length: units }, (_, at) => beta * summand.data[summand.data.length === 1 ? 0 : at]);
  return dense(node, value, kernel, bias);
}

function matrixProduct(node: NodeReader): Given {
  const value = node.input(0);
  const given = node.input(1);
  if (!isValue(value) || !isConstant(given) || given.shape.length > 2)
    throw new ModelFileError('expects the product of a value and a constant kernel [in,out], got another one');
  if (given.shape.length === 1) {
    // one number for each row: [in] as [in,1], whose last axis goes away
    const column = { ...given, shape: [given.shape[0], 1] };
    const made = rowsTimes(node, value, column);
    return { ...made, axes: made.axes.slice(0, -1) };
  }
  const later = followingBias(node, given.shape[1], 0);
  const made = rowsTimes(node, value, given, later?.bias);
  return later ? later.ends(made) : made;
}

/** value [N,…,in] · kernel [in,out] */
function rowsTimes(node: NodeReader, value: Value, kernel: Constant, bias?: Float32Array): Value {
  const { length } = value.axes;
  const [inputs, units] = kernel.shape;
  if (length === 2) return dense(node, value, kernel, bias ?? null);
  // for each pixel, or each of a row of vectors: a convolution of one pixel
  const lengths = lengthsOf(value, node.context.batch);
  if ((length !== 3 && length !== 4) || lengths[length - 1] !== inputs)
    throw new ModelFileError(`expects values [N,…,${inputs}], got ${formatShape(lengths)}`);
  const all = Array.from({ length: length - 1 }, (_, at) => at + 1);
  const last = arranged(value, all, node.context);
  const picture =
    length === 4 ? last : node.apply(new Reshape([lengths[1], 1, inputs], { name: node.named('picture') }), last);
  const layer = new Conv2D(units, 1, { name: node.named(), useBias: bias !== undefined });
  node.weight(layer, 'kernel', [1, 1, inputs, units], floats(kernel));
  if (bias) node.weight(layer, 'bias', [units], bias);
  return { tensor: node.apply(layer, picture), axes: length === 4 ? [0, 1, 2, 3] : [0, 1, 3], flattened: null };
}

function batchNormalization(node: NodeReader): Given {
  const value = node.value(0);
  node.only('training_mode', 0, 'the statistics of the file');
  node.only('spatial', 1, 'statistics by channel');
  const epsilon = node.number('epsilon', 1e-5);
  const momentum = node.number('momentum', 0.9);
  const channels = lengthsOf(value, node.context.batch)[1];
  if (!(epsilon > 0)) throw new ModelFileError(`attribute epsilon expects a positive number, got ${epsilon}`);
  const parameters = [1, 2, 3, 4].map((at) => floats(node.constant(at)));
  if (parameters.some(({ length }) => length !== channels))
    throw new ModelFileError(
      `expects ${channels} numbers for each statistic, got ${parameters.map(({ length }) => length).join(', ')}`,
    );
  const layer = new BatchNormalization({
    name: node.named(),
    epsilon,
    momentum: momentum >= 0 && momentum <= 1 ? momentum : 0.9,
    unbiasedVariance: true,
  });
  const isVector = value.axes.length === 2;
  const channelsLast = [...value.axes.keys()].slice(2).concat(1);
  const { tensor, order } = isVector
    ? vectorOf(value, node.context)
    : { tensor: arranged(value, channelsLast, node.context), order: null };
  for (const [at, name] of ['gamma', 'beta', 'moving_mean', 'moving_variance'].entries()) {
    const given = parameters[at];
    const data = given.slice();
    if (order) for (const [i, place] of order.entries()) data[place] = given[i];
    node.weight(layer, name, [channels], data);
  }
  const made = node.apply(layer, tensor);
  return isVector ? { ...value, tensor: made, axes: [0, 1] } : valueOf(made, channelsLast);
}

export const sums: Readonly<Record<string, Operator>> = {
  Conv: convolution,
  Gemm: gemm,
  MatMul: matrixProduct,
  BatchNormalization: batchNormalization,
};

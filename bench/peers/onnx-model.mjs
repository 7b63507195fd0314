/**
 * The network as an ONNX file: just enough of Protocol Buffers to write one. Field numbers are those of onnx.proto
 * (github.com/onnx/onnx), operator set 13.
 */
import { filtersFirst, rowsChannelsFirst } from './layouts.mjs';

const concat = (parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

const integer = (field, value) => concat([varint(field * 8), varint(value)]);
const bytes = (field, value) => concat([varint(field * 8 + 2), varint(value.length), value]);
const text = (field, value) => bytes(field, Buffer.from(value));

const FLOAT = 1;
const INTS = 7;
const INT = 2;

const tensor = (name, { shape, data }) =>
  concat([
    ...shape.map((length) => integer(1, length)),
    ...[integer(2, FLOAT), text(8, name)],
    bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]);

const integers = (name, values) =>
  concat([text(1, name), ...values.map((value) => integer(8, value)), integer(20, INTS)]);
const oneInteger = (name, value) => concat([text(1, name), integer(3, value), integer(20, INT)]);

const node = (type, inputs, output, attributes = []) =>
  concat([
    ...inputs.map((name) => text(1, name)),
    ...[text(2, output), text(4, type)],
    ...attributes.map((attribute) => bytes(5, attribute)),
  ]);

const value = (name, shape) => {
  const dimensions = concat(shape.map((length) => bytes(1, integer(1, length))));
  return concat([text(1, name), bytes(2, bytes(1, concat([integer(1, FLOAT), bytes(2, dimensions)])))]);
};

/** x [batch,C,H,W] → scores [batch,1] */
export function onnxModel(network, weights, batch) {
  const { height, width, channels } = network;
  const initializers = Object.entries(weights).map(([name, weight]) => {
    if (weight.shape.length === 4) return tensor(name, filtersFirst(weight));
    return tensor(name, name === 'dense.kernel' ? rowsChannelsFirst(weight, network) : weight);
  });
  const window = [integers('kernel_shape', [2, 2]), integers('strides', [2, 2])];
  const kernel = [integers('kernel_shape', [3, 3])];
  const nodes = [
    node('Conv', ['x', 'conv2d.kernel', 'conv2d.bias'], 'conv1', kernel),
    node('Relu', ['conv1'], 'relu1'),
    node('MaxPool', ['relu1'], 'pool1', window),
    node('Conv', ['pool1', 'conv2d_1.kernel', 'conv2d_1.bias'], 'conv2', kernel),
    node('Relu', ['conv2'], 'relu2'),
    node('MaxPool', ['relu2'], 'pool2', window),
    node('Flatten', ['pool2'], 'flat', [oneInteger('axis', 1)]),
    node('Gemm', ['flat', 'dense.kernel', 'dense.bias'], 'dense'),
    node('Relu', ['dense'], 'relu3'),
    node('Gemm', ['relu3', 'dense_1.kernel', 'dense_1.bias'], 'logit'),
    node('Sigmoid', ['logit'], 'scores'),
  ];
  const graph = concat([
    ...nodes.map((one) => bytes(1, one)),
    text(2, 'network'),
    ...initializers.map((one) => bytes(5, one)),
    bytes(11, value('x', [batch, channels, height, width])),
    bytes(12, value('scores', [batch, 1])),
  ]);
  return concat([integer(1, 8), bytes(7, graph), bytes(8, concat([text(1, ''), integer(2, 13)]))]);
}

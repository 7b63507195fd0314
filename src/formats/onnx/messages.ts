/**
 * The messages of an ONNX file, with the field numbers of github.com/onnx/onnx, onnx/onnx.proto. Only what classifiers
 * need: no subgraphs, no sparse or external tensors.
 */
import type { Shape } from '../../tensor/shape.js';
import { float, integer, join, message, text, type Fields } from './protobuf.js';

/** Operator set 20 is the first with Gelu; runtimes since the start of 2024 read it, with version 9 of the format. */
const OPSET = 20;
const IR_VERSION = 9;

/** Numbers of TensorProto.DataType, which the Cast operator takes as well. */
export const DataType = { float: 1, uint8: 2, int64: 7, double: 11 } as const;
export type DataTypeName = keyof typeof DataType;

/** Numbers of AttributeProto.AttributeType. */
const AttributeType = { float: 1, integer: 2, integers: 7 } as const;

/** Integers and lists of integers as they are; a float says so, since 1 could be either. */
export type Attribute = number | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly operator: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array | BigInt64Array;
}

/** An input or output of the graph. */
export interface OnnxValue {
  readonly name: string;
  readonly type: DataTypeName;
  /** Lengths, and names of lengths that are known only when the model runs. */
  readonly shape: readonly (number | string)[];
  readonly description: string;
}

export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly input: OnnxValue;
  readonly output: OnnxValue;
  readonly metadata: Readonly<Record<string, string>>;
}

/** ModelProto */
export function modelBytes({ name, nodes, tensors, input, output, metadata }: OnnxModel): Uint8Array {
  const graph = [
    ...nodes.flatMap((node) => message(1, nodeFields(node))),
    ...text(2, name),
    ...tensors.flatMap((tensor) => message(5, tensorFields(tensor))),
    ...message(11, valueFields(input)),
    ...message(12, valueFields(output)),
  ];
  return join([
    ...integer(1, IR_VERSION),
    ...text(2, 'beltnet'),
    ...message(7, graph),
    ...message(8, [...text(1, ''), ...integer(2, OPSET)]),
    ...Object.entries(metadata).flatMap(([key, value]) => message(14, [...text(1, key), ...text(2, value)])),
  ]);
}

/** NodeProto */
function nodeFields({ operator, name, inputs, output, attributes }: OnnxNode): Fields {
  return [
    ...inputs.flatMap((input) => text(1, input)),
    ...text(2, output),
    ...text(3, name),
    ...text(4, operator),
    ...Object.entries(attributes).flatMap(([key, value]) => message(5, attributeFields(key, value))),
  ];
}

/** AttributeProto */
function attributeFields(name: string, value: Attribute): Fields {
  if (typeof value === 'number') return [...text(1, name), ...integer(3, value), ...integer(20, AttributeType.integer)];
  if ('float' in value) return [...text(1, name), ...float(2, value.float), ...integer(20, AttributeType.float)];
  return [...text(1, name), ...value.flatMap((each) => integer(8, each)), ...integer(20, AttributeType.integers)];
}

/** TensorProto, its elements as bytes (little-endian, as on all machines that run WebAssembly). */
function tensorFields({ name, shape, data }: OnnxTensor): Fields {
  const type = data instanceof Float32Array ? 'float' : data instanceof Float64Array ? 'double' : 'int64';
  return [
    ...shape.flatMap((length) => integer(1, length)),
    ...integer(2, DataType[type]),
    ...text(8, name),
    ...message(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  ];
}

/** ValueInfoProto of a tensor */
function valueFields({ name, type, shape, description }: OnnxValue): Fields {
  const lengths = shape.flatMap((length) =>
    message(1, typeof length === 'number' ? integer(1, length) : text(2, length)),
  );
  const tensor = [...integer(1, DataType[type]), ...message(2, lengths)];
  return [...text(1, name), ...message(2, message(1, tensor)), ...text(3, description)];
}

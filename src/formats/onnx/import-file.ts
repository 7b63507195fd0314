/**
 * What an ONNX file says: its graph with all sizes checked, and nothing done with it yet. Field numbers of github.com/onnx/onnx,
 * onnx/onnx.proto.
 */
import { ModelFileError } from '../../errors.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { fieldsOf, varintsOf, type Field } from './import-protobuf.js';

/** A tensor as the file holds it: its numbers are read when they are needed. */
export interface FileTensor {
  readonly name: string;
  readonly shape: Shape;
  /** Number of TensorProto.DataType. */
  readonly type: number;
  /** Its elements one behind another, little-endian. */
  readonly raw: Uint8Array | null;
  /** … or as lists of numbers: of float32, of float64, of integers. */
  readonly floats: readonly Uint8Array[];
  readonly doubles: readonly Uint8Array[];
  readonly integers: readonly number[];
  /** … or where they lie in another file. */
  readonly external: ExternalPlace | null;
}

export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  /** Null: to the end of the file. */
  readonly length: number | null;
}

export type FileAttribute = number | string | readonly number[] | FileTensor | { readonly unsupported: string };

export interface FileNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, FileAttribute>;
}

/** An input or output. */
export interface FileValue {
  readonly name: string;
  /** Number of TensorProto.DataType; 0 when the file does not say. */
  readonly type: number;
  /** Null where a length is not fixed; null for all when the file does not say. */
  readonly shape: readonly (number | null)[] | null;
}

export interface OnnxFile {
  readonly opset: number;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly nodes: readonly FileNode[];
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly inputs: readonly FileValue[];
  readonly outputs: readonly FileValue[];
}

export const OLDEST_OPSET = 7;
const MOST_NODES = 2 ** 15;
const MOST_AXES = 8;
const MOST_ELEMENTS = 2 ** 31;

const decoder = new TextDecoder();
const encoded = (value: Field['value']): Uint8Array => (typeof value === 'number' ? new Uint8Array(0) : value);
const textOf = (value: Field['value']): string => decoder.decode(encoded(value));
const integerOf = (value: Field['value']): number => (typeof value === 'number' ? value : NaN);

/** @throws ModelFileError naming what was expected */
export function readOnnxFile(bytes: Uint8Array, name: string): OnnxFile {
  let graph: Uint8Array | null = null;
  let opset = 0;
  let producer = '';
  const metadata = new Map<string, string>();
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 2) producer = textOf(value);
    if (number === 7) graph = encoded(value);
    if (number === 8) {
      const [domain, version] = opsetOf(encoded(value), name);
      if (domain === '' || domain === 'ai.onnx') opset = version;
    }
    if (number === 14) metadata.set(...entryOf(encoded(value), name));
  }
  if (!graph || opset === 0)
    throw new ModelFileError(`${name}: expects an ONNX model with a graph and its operator set, got none`);
  if (opset < OLDEST_OPSET)
    throw new ModelFileError(`${name}: expects operator set ${OLDEST_OPSET} or later, got ${opset}; export it again`);
  return { opset, producer, metadata, ...readGraph(graph, name) };
}

function opsetOf(bytes: Uint8Array, name: string): [string, number] {
  let domain = '';
  let version = 0;
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) domain = textOf(value);
    if (number === 2) version = integerOf(value);
  }
  return [domain, version];
}

function entryOf(bytes: Uint8Array, name: string): [string, string] {
  const entry: [string, string] = ['', ''];
  for (const { number, value } of fieldsOf(bytes, name))
    if (number === 1 || number === 2) entry[number - 1] = textOf(value);
  return entry;
}

/** GraphProto */
function readGraph(bytes: Uint8Array, name: string): Pick<OnnxFile, 'nodes' | 'tensors' | 'inputs' | 'outputs'> {
  const nodes: FileNode[] = [];
  const tensors = new Map<string, FileTensor>();
  const inputs: FileValue[] = [];
  const outputs: FileValue[] = [];
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) nodes.push(readNode(encoded(value), name));
    if (number === 5) {
      const tensor = readTensor(encoded(value), name);
      tensors.set(tensor.name, tensor);
    }
    if (number === 11) inputs.push(readValue(encoded(value), name));
    if (number === 12) outputs.push(readValue(encoded(value), name));
    if (number === 15)
      throw new ModelFileError(`${name}: expects tensors with all of their elements, got a sparse one`);
    if (nodes.length > MOST_NODES) throw new ModelFileError(`${name}: expects at most ${MOST_NODES} nodes, got more`);
  }
  return { nodes, tensors, inputs, outputs };
}

/** NodeProto */
function readNode(bytes: Uint8Array, name: string): FileNode {
  const node = { name: '', operator: '', domain: '', inputs: [] as string[], outputs: [] as string[] };
  const attributes = new Map<string, FileAttribute>();
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) node.inputs.push(textOf(value));
    if (number === 2) node.outputs.push(textOf(value));
    if (number === 3) node.name = textOf(value);
    if (number === 4) node.operator = textOf(value);
    if (number === 5) attributes.set(...readAttribute(encoded(value), name));
    if (number === 7) node.domain = textOf(value);
  }
  return { ...node, attributes };
}

/** AttributeProto. Subgraphs and lists of tensors are not descended into. */
function readAttribute(bytes: Uint8Array, name: string): [string, FileAttribute] {
  let attribute = '';
  let found: FileAttribute | null = null;
  const list: number[] = [];
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) attribute = textOf(value);
    if (number === 2) [found] = floatsOf([encoded(value)]);
    if (number === 3) found = integerOf(value);
    if (number === 4) found = textOf(value);
    if (number === 5) found = readTensor(encoded(value), name);
    if (number === 6 || number === 11) found = { unsupported: 'a subgraph' };
    if (number === 7) for (const each of floatsOf([encoded(value)])) list.push(each);
    if (number === 8) for (const each of varintsOf(value, name)) list.push(each);
    if (number === 9 || number === 10 || number === 21) found = { unsupported: 'a list of texts or tensors' };
  }
  return [attribute, found ?? list];
}

/** Little-endian float32 of packed pieces, or of one value each. */
export function floatsOf(pieces: readonly Uint8Array[]): Float32Array {
  const count = pieces.reduce((sum, { length }) => sum + Math.floor(length / 4), 0);
  const floats = new Float32Array(count);
  let at = 0;
  for (const piece of pieces) {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let byte = 0; byte + 4 <= piece.length; byte += 4) floats[at++] = view.getFloat32(byte, true);
  }
  return floats;
}

/** TensorProto */
function readTensor(bytes: Uint8Array, name: string): FileTensor {
  const shape: number[] = [];
  const tensor = { name: '', type: 0, raw: null as Uint8Array | null };
  const [floats, doubles, integers]: [Uint8Array[], Uint8Array[], number[]] = [[], [], []];
  const entries = new Map<string, string>();
  let isExternal = false;
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) for (const length of varintsOf(value, name)) shape.push(length);
    if (number === 2) tensor.type = integerOf(value);
    if (number === 4) floats.push(encoded(value));
    if (number === 5 || number === 7 || number === 11) for (const each of varintsOf(value, name)) integers.push(each);
    if (number === 8) tensor.name = textOf(value);
    if (number === 9) tensor.raw = encoded(value);
    if (number === 10) doubles.push(encoded(value));
    if (number === 13) entries.set(...entryOf(encoded(value), name));
    if (number === 14) isExternal = value === 1;
  }
  const isLength = (length: number): boolean => Number.isSafeInteger(length) && length >= 0;
  if (shape.length > MOST_AXES || !shape.every(isLength) || sizeOf(shape) > MOST_ELEMENTS)
    throw new ModelFileError(
      `${name}: tensor '${tensor.name}' expects at most ${MOST_AXES} axes and ${MOST_ELEMENTS} elements, got [${shape.slice(0, MOST_AXES + 1).join(',')}]`,
    );
  return {
    ...tensor,
    shape,
    floats,
    doubles,
    integers,
    external: isExternal ? placeOf(entries, tensor.name, name) : null,
  };
}

function placeOf(entries: ReadonlyMap<string, string>, tensor: string, name: string): ExternalPlace {
  const [offset, length] = ['offset', 'length'].map((key) => Number(entries.get(key) ?? (key === 'offset' ? 0 : NaN)));
  const location = entries.get('location') ?? '';
  const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0;
  if (location === '' || !isSize(offset) || (entries.has('length') && !isSize(length)))
    throw new ModelFileError(
      `${name}: tensor '${tensor}' expects a file with an offset and a length for its elements, got ${JSON.stringify(Object.fromEntries(entries)).slice(0, 200)}`,
    );
  return { location, offset, length: entries.has('length') ? length : null };
}

/** ValueInfoProto → TypeProto → TypeProto.Tensor → TensorShapeProto → Dimension */
function readValue(bytes: Uint8Array, name: string): FileValue {
  const found = { name: '', type: 0, shape: null as (number | null)[] | null };
  const inside = (message: Uint8Array, wanted: number): Uint8Array | null => {
    let last: Uint8Array | null = null;
    for (const { number, value } of fieldsOf(message, name)) if (number === wanted) last = encoded(value);
    return last;
  };
  for (const { number, value } of fieldsOf(bytes, name)) {
    if (number === 1) found.name = textOf(value);
    if (number !== 2) continue;
    const tensor = inside(encoded(value), 1);
    if (!tensor) throw new ModelFileError(`${name}: '${found.name}' expects to be a tensor, got another type`);
    for (const each of fieldsOf(tensor, name)) {
      if (each.number === 1) found.type = integerOf(each.value);
      if (each.number !== 2) continue;
      found.shape = [];
      for (const axis of fieldsOf(encoded(each.value), name)) {
        if (axis.number !== 1) continue;
        let length: number | null = null;
        for (const one of fieldsOf(encoded(axis.value), name)) if (one.number === 1) length = integerOf(one.value);
        found.shape.push(length !== null && length > 0 ? length : null);
        if (found.shape.length > MOST_AXES)
          throw new ModelFileError(`${name}: '${found.name}' expects at most ${MOST_AXES} axes, got more`);
      }
    }
  }
  return found;
}

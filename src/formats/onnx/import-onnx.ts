/**
 * Networks of other libraries from ONNX files, operator set 7 and later: each node becomes layers of ours, whatever depends on no picture
 * is computed here. Nothing of a file is executed. docs/onnx.md lists the operators.
 */
import { BeltnetError, ModelFileError } from '../../errors.js';
import { expectBytes, expectObject, expectText } from '../../expect.js';
import { input } from '../../nn/input.js';
import { Activation } from '../../nn/layers/activation.js';
import type { Layer, SymbolicTensor } from '../../nn/layers/layer.js';
import { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { constantOf, Folding, type ExternalFiles } from './import-constants.js';
import { elementwise } from './import-elementwise.js';
import { readOnnxFile, type FileNode, type FileValue, type OnnxFile } from './import-file.js';
import { NodeReader, type Context, type FindFollower, type Given, type Operator } from './import-node.js';
import { shapes } from './import-shapes.js';
import { sums } from './import-sums.js';
import { arranged, CHANNELS_LAST, checkBatch, isValue, type Value } from './import-values.js';
import { windows } from './import-windows.js';

const operators: Readonly<Record<string, Operator>> = { ...elementwise, ...shapes, ...sums, ...windows };

/** The operators of ONNX that can be read. */
export const supportedOperators: readonly string[] = Object.keys(operators).toSorted();

export interface ImportOnnxOptions {
  /** Of the file, for messages. */
  readonly name?: string;
  /** Rows and columns of the pictures, where the file does not fix them. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Files with the elements of tensors, by the names that the model has for them. */
  readonly files?: ExternalFiles;
}

export interface ImportedOnnx {
  /** Not compiled. Its input and output are channels last, whatever the file has. */
  readonly model: Model;
  /** Whether the file's own pictures are [N,C,H,W]. */
  readonly channelsFirst: boolean;
  /** The layer that gives a value of the file, by the value's name. */
  readonly layers: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Version of the operators. */
  readonly opset: number;
}

const MOST_LAYERS = 4096;
/** Elements that one value may have for one picture: 1 GiB of float32. */
const LARGEST_VALUE = 2 ** 28;
const LONGEST_SIDE = 2 ** 16;
const LONGEST_NAME = 120;

/** ONNX' own operators, by its two names. */
const isOwn = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

/**
 * @throws ModelFileError naming the node and its operator, what was expected and what was received
 * @example
 * const { model } = importOnnx(await readFile('resnet18.onnx'));
 */
export function importOnnx(bytes: Uint8Array, options: ImportOnnxOptions = {}): ImportedOnnx {
  expectBytes(bytes, 'importOnnx: bytes');
  expectObject(options, 'importOnnx: options');
  const { name = 'importOnnx' } = options;
  expectText(name, 'importOnnx: name');
  const file = readOnnxFile(bytes, name);
  try {
    return new Importer(file, options, name).run();
  } catch (error) {
    if (error instanceof ModelFileError && error.message.startsWith(name)) throw error;
    if (!(error instanceof BeltnetError)) throw error;
    throw new ModelFileError(`${name}: ${error.message}`, { cause: error });
  }
}

/** Files beside the model that its tensors lie in, as it names them. @throws ModelFileError for what is no ONNX file */
export function externalFilesOf(bytes: Uint8Array, name: string): string[] {
  const { tensors, nodes } = readOnnxFile(bytes, name);
  const attributes = nodes.flatMap((node) => [...node.attributes.values()]);
  const all = [...tensors.values(), ...attributes.filter((one) => typeof one === 'object' && 'external' in one)];
  return [...new Set(all.flatMap(({ external }) => external?.location ?? []))];
}

class Importer {
  readonly #file: OnnxFile;
  readonly #name: string;
  readonly #options: ImportOnnxOptions;
  readonly #given = new Map<string, Given>();
  readonly #weights: Record<string, NamedWeights[string]> = {};
  readonly #notes: string[] = [];
  readonly #names = new Set<string>();
  /** The last one behind a name that came before. */
  readonly #numbers = new Map<string, number>();
  /** Nodes that an earlier one took in. */
  readonly #taken = new Set<FileNode>();
  readonly #users = new Map<string, FileNode[]>();
  readonly #folding: Folding;
  #layers = 0;

  constructor(file: OnnxFile, options: ImportOnnxOptions, name: string) {
    this.#file = file;
    this.#options = options;
    this.#name = name;
    const elements = [...file.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    this.#folding = new Folding(4 * elements + 2 ** 20);
    for (const node of file.nodes)
      for (const used of node.inputs) this.#users.set(used, [...(this.#users.get(used) ?? []), node]);
  }

  run(): ImportedOnnx {
    const { nodes, outputs, tensors, metadata } = this.#file;
    const { input: start, value: first, channelsFirst, batch } = this.#input();
    const constants = nodes.filter(({ operator }) => operator === 'Constant');
    for (const node of constants) this.#read(node, batch); // what follows may look ahead to them
    for (const node of nodes) if (node.operator !== 'Constant' && !this.#taken.has(node)) this.#read(node, batch);
    const [output, ...others] = outputs;
    if (!output) throw new ModelFileError('expects a graph with an output, got none');
    if (others.length > 0)
      this.#notes.push(
        `of ${outputs.length} outputs '${output.name.slice(0, LONGEST_NAME)}' is taken, the others are left out`,
      );
    const last = this.#given.get(output.name);
    if (!last || !isValue(last))
      throw new ModelFileError(
        `output '${output.name}' expects to depend on the pictures, got ${tensors.has(output.name) ? 'a constant' : 'nothing that does'}`,
      );
    const end = this.#ending(last, channelsFirst, batch);
    const isEmpty = end === first.tensor; // a model has a layer
    const model = new Model({ inputs: start, outputs: isEmpty ? new Activation('linear').apply(end) : end });
    const used = new Set(model.layers.map((layer) => layer.name));
    const layerOf = (key: string): string => key.slice(0, key.lastIndexOf('.'));
    model.setWeights(Object.fromEntries(Object.entries(this.#weights).filter(([key]) => used.has(layerOf(key)))));
    const layers = new Map<string, string>();
    for (const [name, given] of this.#given)
      if (isValue(given) && given.tensor.layer && used.has(given.tensor.layer.name))
        layers.set(name, given.tensor.layer.name);
    return { model, channelsFirst, layers, notes: this.#notes, metadata, opset: this.#file.opset };
  }

  /** The one input that is no weight. */
  #input(): { input: SymbolicTensor; value: Value; channelsFirst: boolean; batch: number } {
    const { inputs, tensors } = this.#file;
    const real = inputs.filter(({ name }) => !tensors.has(name));
    if (real.length !== 1)
      throw new ModelFileError(
        `expects one input, the pictures, got ${
          real
            .map(({ name }) => `'${name.slice(0, 40)}'`)
            .slice(0, 9)
            .join(', ') || 'none'
        }`,
      );
    const [given] = real;
    if (![0, 1, 10, 11, 16].includes(given.type))
      throw new ModelFileError(
        `input '${given.name}' expects floats, got TensorProto type ${given.type}; export the model without its preprocessing`,
      );
    const { shape } = given;
    if (!shape || ![2, 3, 4].includes(shape.length))
      throw new ModelFileError(
        `input '${given.name}' expects pictures [N,C,H,W], [N,H,W,C] or [N,H,W], or vectors [N,F], got ${shape ? `${shape.length} axes` : 'no shape'}`,
      );
    const channelsFirst = shape.length === 4 && this.#hasChannelsFirst(given, shape);
    const { size } = this.#options;
    const fixed = [...shape];
    if (shape.length === 4 && size) {
      const rows = channelsFirst ? 2 : 1;
      for (const [axis, wanted] of [
        [rows, size.height],
        [rows + 1, size.width],
      ] as const) {
        if (fixed[axis] !== null && fixed[axis] !== wanted)
          throw new ModelFileError(
            `the file fixes the size of its pictures, ${formatShape(fixed.map((length) => length ?? 0))}, got another size`,
          );
        fixed[axis] = wanted;
      }
    }
    const lengths = fixed.slice(1);
    if (!lengths.every((length): length is number => length !== null && length <= LONGEST_SIDE))
      throw new ModelFileError(
        `input '${given.name}' expects lengths from 1 to ${LONGEST_SIDE}, got [${shape.map((length) => length ?? '?').join(',')}]; say the size of the pictures`,
      );
    const [a, b, c] = lengths;
    // pictures without channels have one
    const ours: Shape = lengths.length === 2 ? [a, b, 1] : channelsFirst ? [b, c, a] : lengths;
    if (sizeOf(ours) > LARGEST_VALUE)
      throw new ModelFileError(`expects pictures of at most ${LARGEST_VALUE} numbers, got ${formatShape(ours)}`);
    const start = input({ shape: ours });
    const axes = channelsFirst ? [0, 3, 1, 2] : shape.map((_, axis) => axis);
    const value: Value = { tensor: start, axes, flattened: null };
    this.#given.set(given.name, value);
    return { input: start, value, channelsFirst, batch: shape[0] ?? 1 };
  }

  /** Channels last are told by a Transpose that comes before the first window, or where nothing tells, by a last axis of 1, 3 or 4. */
  #hasChannelsFirst({ name }: FileValue, shape: FileValue['shape'] & object): boolean {
    let at = name;
    for (let steps = 0; steps < 16; steps++) {
      const users = this.#users.get(at) ?? [];
      const turns = users.find(({ operator }) => operator === 'Transpose');
      const perm = turns?.attributes.get('perm');
      if (Array.isArray(perm)) return String(perm) !== '0,3,1,2';
      const windowed = ['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'BatchNormalization'];
      if (users.some(({ operator }) => windowed.includes(operator))) return true;
      const [next] = users;
      if (!next?.outputs[0] || ['Reshape', 'Flatten', 'MatMul', 'Gemm'].includes(next.operator)) break;
      [at] = next.outputs;
    }
    const isChannels = (length: number | null): boolean => length !== null && [1, 3, 4].includes(length);
    return !(isChannels(shape[3]) && !isChannels(shape[1]));
  }

  /** The output with its channels last, or as the file has it where it is no picture. */
  #ending(last: Value, channelsFirst: boolean, batch: number): SymbolicTensor {
    checkBatch(last);
    const { length } = last.axes;
    const tools = this.#tools('output', batch);
    const order = length === 4 && channelsFirst ? CHANNELS_LAST : Array.from({ length: length - 1 }, (_, at) => at + 1);
    const axes = last.axes.filter((axis): axis is number => axis !== null);
    if (order.length === 0) throw new ModelFileError('expects numbers for each picture, got one number for all');
    return axes.length === 0 ? last.tensor : arranged(last, order, tools);
  }

  #read(node: FileNode, batch: number): void {
    const { operator, domain, outputs, inputs } = node;
    const label = `node '${(node.name || outputs[0] || '').slice(0, LONGEST_NAME)}' (${operator.slice(0, 40)})`;
    if (!Object.hasOwn(operators, operator) || !isOwn(domain))
      throw new ModelFileError(
        `${label}: expects an operator that beltnet reads (${supportedOperators.join(', ')}), got ${domain && `${domain.slice(0, 60)}.`}${operator.slice(0, 60)}`,
      );
    const extra = outputs
      .slice(1)
      .find(
        (name) => name !== '' && (this.#users.has(name) || this.#file.outputs.some((output) => output.name === name)),
      );
    if (extra !== undefined)
      throw new ModelFileError(
        `${label}: expects its first output to be used alone, got '${extra.slice(0, LONGEST_NAME)}' too`,
      );
    try {
      const given = inputs.map((name) => (name === '' ? null : this.#valueOf(name)));
      const context: Context = {
        ...this.#tools(node.name || outputs[0] || operator, batch, operator),
        opset: this.#file.opset,
        folding: this.#folding,
        weights: this.#weights,
        constantOf: (tensor) => constantOf(tensor, this.#options.files ?? new Map(), this.#name),
      };
      const reader = new NodeReader(node, given, context, this.#followerOf(outputs[0] ?? ''));
      const made = operators[operator](reader);
      if (outputs[0]) this.#given.set(outputs[0], made);
    } catch (error) {
      if (!(error instanceof BeltnetError)) throw error;
      throw new ModelFileError(`${label}: ${error.message}`, { cause: error });
    }
  }

  /** The one node that takes a value, if it is of a kind and its other input is there already: what several nodes are together. */
  #followerOf(value: string, before: readonly FileNode[] = []): FindFollower {
    return (operator) => {
      const [node, ...others] = this.#users.get(value) ?? [];
      const isOutput = this.#file.outputs.some(({ name }) => name === value);
      if (!node || others.length > 0 || isOutput || node.operator !== operator || node.inputs.length !== 2) return null;
      if (!isOwn(node.domain)) return null;
      const other = node.inputs.find((name) => name !== value) ?? '';
      const given = this.#given.get(other) ?? (this.#file.tensors.has(other) ? this.#valueOf(other) : null);
      if (!given) return null;
      const chain = [...before, node];
      const [output = ''] = node.outputs;
      const becomes = (made: Value): Value => {
        for (const taken of chain) this.#taken.add(taken);
        this.#given.set(output, made);
        return made;
      };
      return { other: given, next: this.#followerOf(output, chain), becomes };
    };
  }

  #valueOf(name: string): Given {
    const found = this.#given.get(name);
    if (found) return found;
    const tensor = this.#file.tensors.get(name);
    if (!tensor)
      throw new ModelFileError(`expects inputs that nodes before it give, got '${name.slice(0, LONGEST_NAME)}'`);
    const constant = constantOf(tensor, this.#options.files ?? new Map(), this.#name);
    this.#given.set(name, constant);
    return constant;
  }

  #tools(place: string, batch: number, fallback = 'layer') {
    const base =
      place
        .replace(/[^A-Za-z0-9_]+/g, '_')
        .replace(/^_+|_+$/g, '')
        .slice(-LONGEST_NAME) || fallback;
    const named = (purpose: string): string => {
      const wanted = purpose === '' ? base : `${base}_${purpose}`;
      let name = wanted;
      let number = this.#numbers.get(wanted) ?? 0;
      while (this.#names.has(name)) name = `${wanted}_${++number}`;
      this.#numbers.set(wanted, number);
      this.#names.add(name);
      return name;
    };
    const apply = (layer: Layer, inputs: readonly SymbolicTensor[]): SymbolicTensor => {
      if (++this.#layers > MOST_LAYERS) throw new ModelFileError(`expects at most ${MOST_LAYERS} layers, got more`);
      const made = layer.apply(inputs);
      if (!(sizeOf(made.shape) <= LARGEST_VALUE))
        throw new ModelFileError(
          `expects values of at most ${LARGEST_VALUE} numbers for a picture, got ${formatShape(made.shape)}`,
        );
      return made;
    };
    return { named, apply, batch };
  }
}

/** One node of an ONNX graph while it is read: its inputs and attributes, checked, and the layers that it becomes. */
import { ModelFileError } from '../../errors.js';
import type { Layer, SymbolicTensor } from '../../nn/layers/layer.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import { isConstant, type Constant, type Folding } from './import-constants.js';
import type { FileAttribute, FileNode } from './import-file.js';
import { isValue, lengthsOf, type Tools, type Value } from './import-values.js';

/** What a node gives. */
export type Given = Value | Constant;

/** What an operator becomes. @throws ModelFileError saying what was expected; node and operator are named by the caller */
export type Operator = (node: NodeReader) => Given;

export interface Context extends Tools {
  readonly opset: number;
  readonly folding: Folding;
  readonly weights: Record<string, NamedWeights[string]>;
  readonly constantOf: (tensor: Extract<FileAttribute, { readonly raw: unknown }>) => Constant;
}

/** The one node that takes what a node gives. */
export interface Follower {
  /** Its other input. */
  readonly other: Given;
  /** The one that takes what it gives. */
  readonly next: FindFollower;
  /** What it and those before it are together: they are not read any more. */
  readonly becomes: (value: Value) => Value;
}

export type FindFollower = (operator: string) => Follower | null;

export class NodeReader {
  readonly #node: FileNode;
  readonly #inputs: readonly (Given | null)[];
  readonly context: Context;
  readonly follower: FindFollower;

  constructor(node: FileNode, inputs: readonly (Given | null)[], context: Context, follower: FindFollower) {
    this.#node = node;
    this.#inputs = inputs;
    this.context = context;
    this.follower = follower;
  }

  get opset(): number {
    return this.context.opset;
  }

  get operator(): string {
    return this.#node.operator;
  }

  // --- inputs

  get inputs(): readonly (Given | null)[] {
    return this.#inputs;
  }

  /** The inputs of an operator that takes any number of them. */
  all(): Given[] {
    if (this.#inputs.length === 0) throw new ModelFileError('expects inputs, got none');
    return this.#inputs.map((_, at) => this.input(at));
  }

  /** An input that must be there. */
  input(at: number): Given {
    const input = this.#inputs[at];
    if (!input) throw new ModelFileError(`expects ${at + 1} inputs or more, got ${this.#inputs.length}`);
    return input;
  }

  /** An input that comes from the pictures. */
  value(at: number, rank?: number): Value {
    const value = this.input(at);
    if (!isValue(value)) throw new ModelFileError(`expects input ${at + 1} to come from the pictures, got a constant`);
    if (rank !== undefined && value.axes.length !== rank)
      throw new ModelFileError(
        `expects input ${at + 1} of ${rank} axes, got ${formatShape(lengthsOf(value, this.context.batch))}`,
      );
    return value;
  }

  /** An input that does not depend on the pictures. */
  constant(at: number): Constant {
    const constant = this.input(at);
    if (!isConstant(constant))
      throw new ModelFileError(`expects input ${at + 1} to be a constant, got a value that depends on the pictures`);
    return constant;
  }

  optionalConstant(at: number): Constant | null {
    return this.#inputs[at] ? this.constant(at) : null;
  }

  /** One number; null where it is left out. */
  scalar(at: number): number | null {
    const constant = this.optionalConstant(at);
    if (constant && constant.data.length !== 1)
      throw new ModelFileError(`expects input ${at + 1} to be one number, got ${formatShape(constant.shape)}`);
    return constant && constant.data[0];
  }

  /** A list of integers as an input from some operator set on, as an attribute before; null where it is left out. */
  listOf(attribute: string, at: number): number[] | null {
    const constant = this.optionalConstant(at);
    if (constant && constant.data.length > 64)
      throw new ModelFileError(`expects a list of axes or lengths, got ${formatShape(constant.shape)}`);
    return constant ? [...constant.data] : (this.integers(attribute) ?? null);
  }

  // --- attributes

  #attribute(name: string): FileAttribute | undefined {
    const found = this.#node.attributes.get(name);
    if (typeof found === 'object' && 'unsupported' in found)
      throw new ModelFileError(`attribute ${name} expects a value, got ${found.unsupported}`);
    return found;
  }

  number(name: string, fallback: number): number {
    const given = this.#attribute(name) ?? fallback;
    if (typeof given === 'number' && Number.isFinite(given)) return given;
    throw new ModelFileError(`attribute ${name} expects a number, got ${typeof given}`);
  }

  text(name: string, fallback: string): string {
    const given = this.#attribute(name) ?? fallback;
    if (typeof given === 'string') return given;
    throw new ModelFileError(`attribute ${name} expects a text, got ${typeof given}`);
  }

  integers(name: string): number[] | undefined {
    const given = this.#attribute(name);
    if (given === undefined) return undefined;
    if (Array.isArray(given)) return given as number[];
    throw new ModelFileError(`attribute ${name} expects a list of integers, got ${typeof given}`);
  }

  /** Two integers, of rows and columns. */
  pair(name: string, fallback: readonly [number, number]): [number, number] {
    const given = this.integers(name);
    if (!given || given.length === 0) return [...fallback];
    if (given.length !== 2)
      throw new ModelFileError(`attribute ${name} expects two integers (pictures), got ${formatShape(given)}`);
    return given as [number, number];
  }

  tensor(name: string): Constant | null {
    const given = this.#attribute(name);
    if (given === undefined) return null;
    if (typeof given === 'object' && 'raw' in given) return this.context.constantOf(given);
    throw new ModelFileError(`attribute ${name} expects a tensor, got ${typeof given}`);
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  /** @throws ModelFileError when an attribute is not what alone is supported */
  only(name: string, expected: number | string, why: string): void {
    const given = this.#attribute(name) ?? expected;
    if (given !== expected)
      throw new ModelFileError(
        `attribute ${name} expects ${expected} (${why}), got ${JSON.stringify(given).slice(0, 80)}`,
      );
  }

  /** Axes as numbers from 0. */
  axis(given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank)
      throw new ModelFileError(`expects an axis below ${rank}, got ${given}`);
    return axis;
  }

  // --- layers

  named(purpose = ''): string {
    return this.context.named(purpose);
  }

  apply(layer: Layer, ...inputs: readonly SymbolicTensor[]): SymbolicTensor {
    return this.context.apply(layer, inputs);
  }

  /** A layer that changes no shape. */
  keep(value: Value, layer: Layer): Value {
    return { ...value, tensor: this.apply(layer, value.tensor) };
  }

  weight(layer: Layer, name: string, shape: Shape, data: Float32Array): void {
    this.context.weights[`${layer.name}.${name}`] = { shape, data };
  }
}

/** A constant's elements as weights. */
export const floats = ({ data }: Constant): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data);

export { isConstant, isValue };

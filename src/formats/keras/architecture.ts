/**
 * The architecture that Keras writes as JSON, as a model of ours: a row of layers (`Sequential`) or a graph with one input and one
 * output (`Functional`, formerly `Model`). Source: `get_config` and `from_config` of Keras 1.2.2, 2.2.4, 2.15 and 3.15.
 */
import { BeltnetError, ModelFileError } from '../../errors.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Add, Multiply } from '../../nn/layers/merging.js';
import { Rescaling } from '../../nn/layers/preprocessing.js';
import { Model } from '../../nn/model.js';
import { input } from '../../nn/input.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import type { NamedWeights } from '../../nn/parameters.js';
import type { Shape } from '../../tensor/shape.js';
import {
  DEEPEST,
  firstConfig,
  graphSchema,
  inboundOf,
  isNetwork,
  modelSchema,
  MOST_LAYERS,
  nameOf,
  parse,
  rowSchema,
  type LayerEntry,
  type Reference,
} from './architecture-json.js';
import { preview } from './preview.js';
import { convertLayer, OptionError, supportedLayers, type RescalingOptions } from './layers.js';
import { modernClass } from './old-spellings.js';

/** A layer of Keras that has weights. */
export interface WeightedLayer {
  readonly name: string;
  readonly className: string;
  /** The outermost model in the model that it belongs to; null for a layer of the model itself. */
  readonly network: string | null;
  /** Where Keras 3 keeps its weights: class names, counted; of a model in the model `functional/layers/conv2d`. */
  readonly checkpoint: string;
  /** Our names of them and their shapes, in Keras' order. */
  readonly parameters: readonly { readonly name: string; readonly shape: Shape }[];
}

export interface Architecture {
  readonly model: Model;
  readonly weighted: readonly WeightedLayer[];
  /** Weights that stand in the architecture itself. */
  readonly constants: NamedWeights;
  /** What the model's first layer does to pixels, if it is a `Rescaling`: it is not part of `model`. */
  readonly rescaling: RescalingOptions | null;
  readonly notes: readonly string[];
}

const LONGEST_SIDE = 2 ** 16;

/**
 * @param json what stands in `model.json`, in `config.json` of a `.keras` archive, or in a model's HDF5 file
 * @param name of the file, for messages
 * @param version of Keras that wrote it, if it is known: `hard_sigmoid` is another function since Keras 3
 * @throws ModelFileError for what is no such architecture, and for layers and options that are not supported
 */
export function readArchitecture(json: unknown, name: string, version: string | null = null): Architecture {
  const { class_name: className, config } = parse(modelSchema, json, name);
  const build = new Builder(name, version);
  try {
    if (className === 'Sequential') {
      // until Keras 2.2.2 the list stood there alone
      const row = parse(
        rowSchema,
        Array.isArray(config) ? { layers: config as unknown[] } : config,
        `${name}: Sequential`,
      );
      return build.row(row.layers, json as Record<string, unknown>, row);
    }
    if (className === 'Functional' || className === 'Model') {
      const graph = parse(graphSchema, config, `${name}: ${className}`);
      return build.graph(graph.layers, graph.input_layers, graph.output_layers);
    }
  } catch (error) {
    if (error instanceof ModelFileError || !(error instanceof BeltnetError)) throw error;
    throw new ModelFileError(`${name}: ${error.message}`, { cause: error }); // a shape that a layer cannot follow
  }
  throw new ModelFileError(`${name}: expects a Sequential or Functional model, got ${preview(className)}`);
}

/** Where layers are named and counted: the model itself, or a model in it. */
interface Scope {
  /** Of its layers in Keras 3's weights. */
  readonly path: string;
  /** What is put before names that are taken. */
  readonly prefix: string;
  readonly network: string | null;
  readonly depth: number;
  /** How many layers of each class there were, for the names in Keras 3's weights. */
  readonly counts: Map<string, number>;
}

/** From a model's input to its output; `isFirst` where the input is that of the whole. */
type Network = (inputs: SymbolicTensor, isFirst: boolean) => SymbolicTensor;

interface Applicable {
  /** `numbers` stand beside the inputs in the file: those of an operation. */
  apply(given: readonly SymbolicTensor[], isFirst: boolean, numbers: readonly number[]): SymbolicTensor;
}

class Builder {
  readonly #outermost: Scope = { path: '', prefix: '', network: null, depth: 0, counts: new Map<string, number>() };
  readonly #file: string;
  readonly #notes: string[] = [];
  /** In the order of the file, null for layers without weights: that of their weights, too. */
  readonly #weighted: (WeightedLayer | null)[] = [];
  readonly #constants: Record<string, NamedWeights[string]> = {};
  readonly #names = new Set<string>();
  /** How often layers are applied, at least. */
  #applied = 0;
  #rescaling: RescalingOptions | null = null;

  readonly #version: string | null;

  constructor(file: string, version: string | null) {
    this.#file = file;
    this.#version = version;
  }

  row(entries: readonly LayerEntry[], ...models: readonly Record<string, unknown>[]): Architecture {
    const inputs = input({ shape: this.#inputShape(firstConfig(entries), ...models, models[0]['build_config']) });
    return this.#finish(inputs, this.#rowOf(entries, this.#outermost)(inputs, true));
  }

  graph(entries: readonly LayerEntry[], from: Reference, to: Reference): Architecture {
    const apply = this.#graphOf(entries, from, to, this.#outermost);
    const first = entries.find((entry) => nameOf(entry) === from[0]);
    const inputs = input({ shape: this.#inputShape(first?.config) });
    return this.#finish(inputs, apply(inputs, true));
  }

  #rowOf(entries: readonly LayerEntry[], scope: Scope): Network {
    const layers = entries
      .filter((entry) => entry.class_name !== 'InputLayer')
      .map((entry) => this.#layer(entry, nameOf(entry), scope));
    return (inputs, isFirst) =>
      layers.reduce((value, layer) => layer.apply([value], isFirst && value === inputs, []), inputs);
  }

  #graphOf(entries: readonly LayerEntry[], [from]: Reference, [to, toNode]: Reference, scope: Scope): Network {
    const first = entries.find((entry) => nameOf(entry) === from);
    if (first?.class_name !== 'InputLayer') throw this.#problem(`expects an InputLayer named '${from}'`);
    const others = entries
      .filter((entry) => entry !== first)
      .map((entry) => {
        const name = nameOf(entry);
        const nodes = entry.inbound_nodes.map((node) => inboundOf(node, `${this.#file}: layer '${name}'`));
        return { name, nodes, layer: this.#layer(entry, name, scope) };
      });
    this.#applied += others.reduce((sum, { nodes }) => sum + nodes.length, 0);
    if (this.#applied > MOST_LAYERS)
      throw this.#problem(`expects layers that are applied ${MOST_LAYERS} times in all at most, got more`);
    const users = others.flatMap(({ nodes }) => nodes.flatMap(({ from: given }) => given));
    const isOnlyUse = users.filter(([name]) => name === from).length === 1;
    const key = ([name, node]: Reference): string => `${name}:${node}`;
    return (inputs, isFirst) => {
      const values = new Map([[`${from}:0`, inputs]]);
      // The file's order need not be that of the computation: whatever has its inputs is next.
      let applied = 0;
      for (let left = others.map((one) => ({ ...one, done: 0 })); left.length > 0;) {
        const before = applied;
        for (const one of left) {
          for (; one.done < one.nodes.length; one.done++) {
            const { from: places, numbers } = one.nodes[one.done];
            const given = places.map((place) => values.get(key(place)));
            if (!given.every((value) => value !== undefined)) break;
            const isFirstLayer = isFirst && given[0] === inputs && isOnlyUse;
            values.set(`${one.name}:${one.done}`, one.layer.apply(given, isFirstLayer, numbers));
            applied++;
          }
        }
        left = left.filter(({ nodes, done }) => done < nodes.length);
        if (left.length > 0 && applied === before) {
          const [{ name, nodes, done }] = left;
          throw this.#problem(
            `layer '${name}' expects the outputs of layers of this model, got ${preview(nodes[done].from)}`,
          );
        }
      }
      const outputs = values.get(`${to}:${toNode}`);
      if (!outputs) throw this.#problem(`expects a layer named '${to}', the model's output`);
      return outputs;
    };
  }

  #finish(inputs: SymbolicTensor, outputs: SymbolicTensor): Architecture {
    if (inputs === outputs) throw this.#problem('expects layers that compute something, got none');
    const model = new Model({ inputs, outputs });
    const used = new Set(model.layers.map(({ name }) => name));
    const isUsed = ({ name }: { name: string }): boolean => used.has(name.slice(0, name.lastIndexOf('.')));
    const weighted = this.#weighted.filter((layer) => layer !== null).filter((layer) => layer.parameters.every(isUsed));
    return { model, weighted, constants: this.#constants, rescaling: this.#rescaling, notes: this.#notes };
  }

  /** A layer, or a model in the model, that can be applied, several times if it is shared. */
  #layer(entry: LayerEntry, name: string, scope: Scope): Applicable {
    const { class_name: className, config, registered_name: registered, module } = entry;
    if (/^keras\.(src\.)?ops\./.test(module ?? '')) return this.#operation(entry, name);
    const path = `${scope.path}${this.#count(modernClass(className), scope)}`;
    if (isNetwork(className)) {
      const network = this.#network(entry, name, scope, path);
      return { apply: ([given], isFirst) => network(given, isFirst) };
    }
    const place = this.#weighted.push(null) - 1;
    if (registered?.includes('>'))
      throw this.#problem(
        `layer '${name}' is ${registered}, a class of the program that made the model; supported are Keras' own: ${supportedLayers.join(', ')}`,
      );
    this.#checkType(config['dtype'], name);
    let made: readonly Layer[] | null = null;
    return {
      apply: (given, isFirst, numbers) => {
        // The .h5 of Keras 3 does not say that an Add of a number is an operation.
        if (numbers.length > 0) return this.#operation(entry, name).apply(given, isFirst, numbers);
        if (made) return applyAll(made, given);
        const own = this.#freeName(name, scope);
        const converted = this.#convert(
          className,
          { ...config, name: own },
          given.map(({ shape }) => shape),
        );
        const { layers, rescaling, note, constants = {} } = converted;
        if (note && !this.#notes.includes(note)) this.#notes.push(note);
        const isPreprocessing = rescaling !== undefined && isFirst && !this.#rescaling;
        if (isPreprocessing) this.#rescaling = rescaling;
        if (layers.length === 0 || isPreprocessing) {
          if (given.length !== 1)
            throw this.#problem(`layer '${name}' (${className}) expects one input, got ${given.length}`);
          return given[0];
        }
        made = layers;
        const parameters = parametersOf(layers, given);
        for (const [parameter, data] of Object.entries(constants))
          this.#constants[`${own}.${parameter}`] = { shape: [data.length], data };
        if (parameters.length > 0 && Object.keys(constants).length === 0)
          this.#weighted[place] = {
            name,
            className: modernClass(className),
            network: scope.network,
            checkpoint: path,
            parameters,
          };
        return applyAll(layers, given);
      },
    };
  }

  /** A model in the model: its layers become layers of the whole. */
  #network({ class_name: className, config }: LayerEntry, name: string, scope: Scope, path: string): Network {
    if (scope.depth === DEEPEST)
      throw this.#problem(`layer '${name}' expects models ${DEEPEST} deep at most, got more`);
    const inner: Scope = {
      path: `${path}/layers/`,
      prefix: `${name}_`,
      network: scope.network ?? name,
      depth: scope.depth + 1,
      counts: new Map<string, number>(),
    };
    const place = `${this.#file}: layer '${name}'`;
    if (className === 'Sequential') {
      const { layers } = parse(rowSchema, Array.isArray(config) ? { layers: config as unknown[] } : config, place);
      return this.#rowOf(layers, inner);
    }
    const { layers, input_layers: from, output_layers: to } = parse(graphSchema, config, place);
    return this.#graphOf(layers, from, to, inner);
  }

  /** What Keras 3 makes of `x * 2 + y` in a graph: a function of values and numbers, without weights. */
  #operation({ class_name: className }: LayerEntry, name: string): Applicable {
    return {
      apply: (given, _, numbers) => {
        const own = this.#freeName(name, this.#outermost);
        const [x] = given;
        const [number] = numbers;
        if (given.length === 2 && numbers.length === 0) {
          if (className === 'Add') return new Add({ name: own }).apply(given);
          if (className === 'Multiply') return new Multiply({ name: own }).apply(given);
        } else if (given.length === 1 && numbers.length === 1) {
          if (className === 'Add') return new Rescaling({ name: own, scale: 1, offset: number }).apply(x);
          if (className === 'Multiply') return new Rescaling({ name: own, scale: number }).apply(x);
        }
        throw this.#problem(
          `operation '${name}' (${className}) of ${given.length} layers and ${numbers.length} numbers is not supported; supported are Add and Multiply of two`,
        );
      },
    };
  }

  /** The layer's name; one that a model in the model has as well gets that model's before it. */
  #freeName(name: string, { prefix }: Scope): string {
    let free = name;
    while (this.#names.has(free)) free = `${prefix || '_'}${free}`;
    this.#names.add(free);
    return free;
  }

  #convert(className: string, config: Record<string, unknown>, inputs: readonly Shape[]) {
    const place = `layer '${String(config['name'])}' (${className})`;
    if (config['activation'] === 'hard_sigmoid' && this.#version !== null && /^[12]\./.test(this.#version))
      throw this.#problem(
        `${place} has hard_sigmoid of Keras ${this.#version.slice(0, 20)}, which is another function than that of Keras 3`,
      );
    try {
      const converted = convertLayer(className, config, inputs);
      if (converted) return converted;
    } catch (error) {
      if (error instanceof OptionError || error instanceof BeltnetError)
        throw this.#problem(`${place} ${error.message}`);
      throw error;
    }
    throw this.#problem(`${place} is not supported; supported are InputLayer, ${supportedLayers.join(', ')}`);
  }

  /** conv2d, conv2d_1, … */
  #count(className: string, { counts }: Scope): string {
    const counted = className === 'Model' ? 'Functional' : className;
    const number = counts.get(counted) ?? 0;
    counts.set(counted, number + 1);
    return checkpointName(counted, number);
  }

  /** Numbers are computed in float32 here, whatever the type that a layer computed in. @throws ModelFileError for integers */
  #checkType(type: unknown, name: string): void {
    const policy =
      typeof type === 'object' && type !== null && 'config' in type
        ? (type.config as { name?: unknown } | null)?.name
        : type;
    if (policy === undefined || policy === null || policy === 'float32') return;
    if (typeof policy !== 'string' || !/^(mixed_)?(b?float16|float64)$/.test(policy))
      throw this.#problem(`layer '${name}': dtype expects floats, got ${preview(type)}`);
    const note = `the model was computed in ${policy}; here it is in float32`;
    if (!this.#notes.includes(note)) this.#notes.push(note);
  }

  /** The first of what may hold it: the options of the first layer, and of the model. */
  #inputShape(...places: readonly unknown[]): Shape {
    for (const place of places) {
      if (typeof place !== 'object' || place === null) continue;
      const options = place as Record<string, unknown>;
      const shape =
        options['batch_shape'] ??
        options['batch_input_shape'] ??
        options['build_input_shape'] ??
        (places.indexOf(place) > 0 ? options['input_shape'] : null);
      if (shape !== undefined && shape !== null) return this.#checkShape(shape);
      if (typeof options['input_dim'] === 'number') return this.#checkShape([null, options['input_dim']]);
    }
    throw this.#problem(
      "expects the shape of the model's input in its first layer (batch_shape or batch_input_shape), got none",
    );
  }

  #checkShape(shape: unknown): Shape {
    const [, ...lengths] = Array.isArray(shape) ? (shape as unknown[]) : [];
    const isLength = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LONGEST_SIDE;
    if ((lengths.length !== 3 && lengths.length !== 1) || !lengths.every(isLength))
      throw this.#problem(
        `expects an input of fixed shape, [null, height, width, channels] or [null, length], got ${preview(shape)}`,
      );
    return lengths;
  }

  #problem(what: string): ModelFileError {
    return new ModelFileError(`${this.#file}: ${what}`);
  }
}

/** Keras 3's name of a layer among the weights, which says its class and its place among those of that class. */
export function checkpointName(className: string, number: number): string {
  const snake = className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return number === 0 ? snake : `${snake}_${number}`;
}

function applyAll([first, ...others]: readonly Layer[], given: readonly SymbolicTensor[]): SymbolicTensor {
  return others.reduce((value, layer) => layer.apply(value), first.apply(given));
}

function parametersOf(layers: readonly Layer[], given: readonly SymbolicTensor[]): WeightedLayer['parameters'] {
  let shapes = given.map(({ shape }) => shape);
  return layers.flatMap((layer) => {
    const described = layer.parameters(shapes[0]).map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape }));
    shapes = [layer.outputShape(...shapes)];
    return described;
  });
}

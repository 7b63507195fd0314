/**
 * The architecture that Keras writes as JSON, as a model of ours: a row of layers (`Sequential`) or a graph with one input and one
 * output (`Functional`, formerly `Model`). Source: `get_config` and `from_config` of Keras 1.2.2, 2.2.4, 2.15 and 3.15.
 */
import * as v from 'valibot';
import { BeltnetError, ModelFileError } from '../../errors.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Model } from '../../nn/model.js';
import { input } from '../../nn/input.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import type { Shape } from '../../tensor/shape.js';
import { preview } from './preview.js';
import { convertLayer, modernClass, OptionError, supportedLayers, type Rescaling } from './layers.js';

/** A layer of Keras that has weights. */
export interface WeightedLayer {
  readonly name: string;
  readonly className: string;
  /** Where Keras 3 keeps its weights: class names, counted. */
  readonly checkpoint: string;
  /** Our names of them and their shapes, in Keras' order. */
  readonly parameters: readonly { readonly name: string; readonly shape: Shape }[];
}

export interface Architecture {
  readonly model: Model;
  readonly weighted: readonly WeightedLayer[];
  /** What the model's first layer does to pixels, if it is a `Rescaling`: it is not part of `model`. */
  readonly rescaling: Rescaling | null;
  readonly notes: readonly string[];
}

const MOST_LAYERS = 2000;
const LONGEST_SIDE = 2 ** 16;

const layerSchema = v.looseObject(
  {
    class_name: v.string('a class name'),
    config: v.looseObject({ name: v.optional(v.string('a name')) }, 'an object'),
    registered_name: v.nullish(v.string()),
    name: v.optional(v.string()),
    inbound_nodes: v.optional(v.array(v.unknown(), 'a list of nodes'), []),
  },
  'a layer with class_name and config',
);
type LayerEntry = v.InferOutput<typeof layerSchema>;

const layerList = v.pipe(
  v.array(layerSchema, 'a list of layers'),
  v.minLength(1, 'at least one layer'),
  v.maxLength(MOST_LAYERS, `at most ${MOST_LAYERS} layers`),
);
/** Functional models of Keras 2 have a list of them, those of Keras 3 one, if there is one. */
const ends = v.pipe(
  v.union([v.tuple([reference()]), reference()], 'one layer; beltnet has models of one input and one output'),
  v.transform((given) => (Array.isArray(given[0]) ? given[0] : given) as Reference),
);
const rowSchema = v.looseObject({ layers: layerList }, 'an object with layers');
const graphSchema = v.looseObject({ layers: layerList, input_layers: ends, output_layers: ends });
const modelSchema = v.looseObject(
  { class_name: v.string('a class name'), config: v.unknown() },
  'the JSON of a Keras model, with class_name and config',
);

/** Layer, node of it, output of that node. */
type Reference = [string, number, number];
function reference() {
  return v.tuple([v.string(), v.number(), v.number()]);
}

/** Checks a value by a schema. @throws ModelFileError naming the place, what was expected and what was received */
function parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, place: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  let [issue] = result.issues as readonly v.BaseIssue<unknown>[];
  // of a choice between forms, the problem of the form that came further says more
  const deeper = issue.issues?.toSorted((a, b) => (b.path?.length ?? 0) - (a.path?.length ?? 0))[0];
  if (deeper?.path) issue = deeper;
  const path = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  const got = preview(issue.input);
  throw new ModelFileError(`${place}${path && `, ${path}`}: expected ${issue.message}, got ${got}`);
}

/**
 * @param json what stands in `model.json`, in `config.json` of a `.keras` archive, or in a model's HDF5 file
 * @param name of the file, for messages
 * @throws ModelFileError for what is no such architecture, and for layers and options that are not supported
 */
export function readArchitecture(json: unknown, name: string): Architecture {
  const { class_name: className, config } = parse(modelSchema, json, name);
  const build = new Builder(name);
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
  throw new ModelFileError(`${name}: expected a Sequential or Functional model, got ${preview(className)}`);
}

class Builder {
  readonly #file: string;
  readonly #notes: string[] = [];
  /** In the order of the file, null for layers without weights: that of their weights, too. */
  readonly #weighted: (WeightedLayer | null)[] = [];
  /** How many layers of each class there were, for the names in Keras 3's weights. */
  readonly #counts = new Map<string, number>();
  #rescaling: Rescaling | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  row(entries: readonly LayerEntry[], ...models: readonly Record<string, unknown>[]): Architecture {
    const inputs = input({ shape: this.#inputShape(entries[0].config, ...models, models[0]['build_config']) });
    let outputs = inputs;
    for (const entry of entries) {
      const name = nameOf(entry);
      if (entry.class_name === 'InputLayer') continue;
      outputs = this.#layer(entry, name).apply([outputs], outputs === inputs);
    }
    return this.#finish(inputs, outputs);
  }

  graph(entries: readonly LayerEntry[], [from]: Reference, [to, toNode]: Reference): Architecture {
    const values = new Map<string, SymbolicTensor>();
    const first = entries.find((entry) => nameOf(entry) === from);
    if (first?.class_name !== 'InputLayer') throw this.#problem(`expected an InputLayer named '${from}'`);
    const inputs = input({ shape: this.#inputShape(first.config) });
    values.set(`${from}:0`, inputs);
    const pending = entries
      .filter((entry) => entry !== first)
      .map((entry) => {
        const name = nameOf(entry);
        const nodes = entry.inbound_nodes.map((node) => this.#inboundOf(node, name));
        return { name, nodes, layer: this.#layer(entry, name), done: 0 };
      });
    if (pending.reduce((sum, { nodes }) => sum + nodes.length, 0) > MOST_LAYERS)
      throw this.#problem(`expected layers that are applied ${MOST_LAYERS} times in all at most, got more`);
    const users = pending.flatMap(({ nodes }) => nodes.flat()).filter(([name]) => name === from).length;
    const key = ([name, node]: Reference): string => `${name}:${node}`;
    // The file's order need not be that of the computation: whatever has its inputs is next.
    let applied = 0;
    for (let left = pending; left.length > 0;) {
      const before = applied;
      for (const one of left) {
        for (; one.done < one.nodes.length; one.done++) {
          const given = one.nodes[one.done].map((place) => values.get(key(place)));
          if (!given.every((value) => value !== undefined)) break;
          values.set(`${one.name}:${one.done}`, one.layer.apply(given, given[0] === inputs && users === 1));
          applied++;
        }
      }
      left = left.filter(({ nodes, done }) => done < nodes.length);
      if (left.length > 0 && applied === before) {
        const [{ name, nodes, done }] = left;
        throw this.#problem(`layer '${name}' expects the outputs of layers of this model, got ${preview(nodes[done])}`);
      }
    }
    const outputs = values.get(`${to}:${toNode}`);
    if (!outputs) throw this.#problem(`expected a layer named '${to}', the model's output`);
    return this.#finish(inputs, outputs);
  }

  #finish(inputs: SymbolicTensor, outputs: SymbolicTensor): Architecture {
    if (inputs === outputs) throw this.#problem('expected layers that compute something, got none');
    const model = new Model({ inputs, outputs });
    const used = new Set(model.layers.map(({ name }) => name));
    const isUsed = ({ name }: { name: string }): boolean => used.has(name.slice(0, name.lastIndexOf('.')));
    const weighted = this.#weighted.filter((layer) => layer !== null).filter((layer) => layer.parameters.every(isUsed));
    return { model, weighted, rescaling: this.#rescaling, notes: this.#notes };
  }

  /** A layer that can be applied, several times if it is shared. */
  #layer(
    entry: LayerEntry,
    name: string,
  ): { apply(given: readonly SymbolicTensor[], isFirst: boolean): SymbolicTensor } {
    const { class_name: className, config, registered_name: registered } = entry;
    const checkpoint = this.#count(modernClass(className));
    const place = this.#weighted.push(null) - 1;
    if (registered?.includes('>'))
      throw this.#problem(
        `layer '${name}' is ${registered}, a class of the program that made the model; supported are Keras' own: ${supportedLayers.join(', ')}`,
      );
    this.#checkType(config['dtype'], name);
    let made: readonly Layer[] | null = null;
    return {
      apply: (given, isFirst) => {
        if (made) return applyAll(made, given);
        const converted = this.#convert(
          className,
          { ...config, name },
          given.map(({ shape }) => shape),
        );
        const { layers, rescaling, note } = converted;
        if (note && !this.#notes.includes(note)) this.#notes.push(note);
        if (rescaling) {
          if (!isFirst || this.#rescaling)
            throw this.#problem(
              `layer '${name}': Rescaling is supported as the first layer only, where it belongs to the preprocessing of pictures`,
            );
          this.#rescaling = rescaling;
        }
        if (layers.length === 0) {
          if (given.length !== 1)
            throw this.#problem(`layer '${name}' (${className}) expects one input, got ${given.length}`);
          return given[0];
        }
        made = layers;
        const parameters = parametersOf(layers, given);
        if (parameters.length > 0)
          this.#weighted[place] = { name, className: modernClass(className), checkpoint, parameters };
        return applyAll(layers, given);
      },
    };
  }

  #convert(className: string, config: Record<string, unknown>, inputs: readonly Shape[]) {
    const place = `layer '${String(config['name'])}' (${className})`;
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
  #count(className: string): string {
    const number = this.#counts.get(className) ?? 0;
    this.#counts.set(className, number + 1);
    return checkpointName(className, number);
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
      "expected the shape of the model's input in its first layer (batch_shape or batch_input_shape), got none",
    );
  }

  #checkShape(shape: unknown): Shape {
    const [, ...lengths] = Array.isArray(shape) ? (shape as unknown[]) : [];
    const isLength = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LONGEST_SIDE;
    if ((lengths.length !== 3 && lengths.length !== 1) || !lengths.every(isLength))
      throw this.#problem(
        `expected an input of fixed shape, [null, height, width, channels] or [null, length], got ${preview(shape)}`,
      );
    return lengths;
  }

  /** The inputs of a node: Keras 2 lists them, Keras 3 writes the arguments of the call. */
  #inboundOf(node: unknown, name: string): readonly Reference[] {
    const found: Reference[] = [];
    const collect = (value: unknown, depth: number): void => {
      if (depth > 3) return;
      const history = (value as { config?: { keras_history?: unknown } } | null)?.config?.keras_history ?? value;
      if (Array.isArray(history) && typeof history[0] === 'string') {
        const [layer, nodeIndex, tensorIndex] = history as unknown[];
        if (Number.isInteger(nodeIndex) && tensorIndex === 0) found.push([layer as string, nodeIndex as number, 0]);
        else throw this.#problem(`layer '${name}' expects inputs [layer, node, 0], got ${preview(history)}`);
      } else if (Array.isArray(value)) for (const one of value as unknown[]) collect(one, depth + 1);
    };
    collect((node as { args?: unknown } | null)?.args ?? node, 0);
    if (found.length === 0) throw this.#problem(`layer '${name}' expects inputs from layers, got ${preview(node)}`);
    return found;
  }

  #problem(what: string): ModelFileError {
    return new ModelFileError(`${this.#file}: ${what}`);
  }
}

const nameOf = (entry: LayerEntry): string => entry.config.name ?? entry.name ?? entry.class_name.toLowerCase();

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

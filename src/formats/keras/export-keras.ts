/** Models as Keras 3 saves them: architecture, weights by class and number, in an archive. Source: `saving_lib.py` of Keras 3.15. */
import { UsageError } from '../../errors.js';
import type { Layer } from '../../nn/layers/layer.js';
import { Normalization } from '../../nn/layers/preprocessing.js';
import { ownKind, type LayerKind, type LayerOf } from '../../nn/layers/registry.js';
import type { ModelNode } from '../../nn/graph.js';
import type { Model } from '../../nn/model.js';
import { expectModel, finiteWeights } from '../finite-weights.js';
import { checkpointName } from './architecture.js';
import { zip } from '../../data/sources/zip.js';
import { writeHdf5, type NamedArray } from './write-hdf5.js';

type Options = Record<string, unknown>;

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Our options, which have Keras' names but for their spelling. */
const plain = (layer: Layer): Options => {
  const { kind: _, name: __, ...options } = layer.config();
  return Object.fromEntries(Object.entries(options).map(([option, value]) => [snakeCase(option), value]));
};

/** Of a layer with a `data_format`. */
const ofPictures = (layer: Layer): Options => ({ ...plain(layer), data_format: 'channels_last' });

const withRegularizer = (options: Options): Options => {
  const { kernel_regularizer: config, ...others } = options;
  if (!config) return others;
  const l2 = { module: 'keras.regularizers', class_name: 'L2', config, registered_name: null };
  return { ...others, kernel_regularizer: l2 };
};

/** Of pools, whose padding Keras has by name only. */
const ofPools = (layer: Layer): Options => {
  const options = ofPictures(layer);
  if (typeof options['padding'] === 'string') return options;
  throw new UsageError(
    `export: layer '${layer.name}' has a padding in numbers, which Keras' pools have not; export to onnx`,
  );
};

/** Keras' options of each kind, whose class has the same name there. */
const forms: { readonly [Kind in LayerKind]: (layer: LayerOf<Kind>) => Options } = {
  Activation: plain,
  Add: plain,
  AveragePooling2D: ofPools,
  BatchNormalization(layer) {
    const { unbiased_variance: _, ...options } = plain(layer); // matters in training only
    return options;
  },
  Concatenate: plain,
  Conv2D: (layer) => withRegularizer(ofPictures(layer)),
  Cropping2D: ofPictures,
  Dense: (layer) => withRegularizer(plain(layer)),
  DepthwiseConv2D: ofPictures,
  Dropout: plain,
  ELU: plain,
  Flatten: ofPictures,
  GlobalAveragePooling2D: ofPictures,
  GlobalMaxPooling2D: ofPictures,
  LeakyReLU: plain,
  MaxPooling2D: ofPools,
  Multiply: plain,
  Normalization: () => ({ axis: -1, invert: false, mean: null, variance: null }),
  Permute: plain,
  ReLU: plain,
  Rescaling: plain,
  Reshape: plain,
  Softmax: plain,
  ZeroPadding2D(layer) {
    const { value, ...options } = ofPictures(layer);
    if ((value ?? 0) === 0) return options;
    throw new UsageError(`export: layer '${layer.name}' pads with ${String(value)}, Keras with 0 only; export to onnx`);
  },
};

/** A layer as Keras serializes it. @throws UsageError for a layer that is not beltnet's own */
function serialize(layer: Layer, extra: Readonly<Options> = {}): object {
  const kind = ownKind(layer);
  if (!kind)
    throw new UsageError(
      `export: layer '${layer.name}' of kind ${layer.kind} has no Keras form; replace it by layers of beltnet's own`,
    );
  const options = forms[kind](layer as never);
  const config = { name: layer.name, trainable: layer.trainable, dtype: 'float32', ...options };
  return { module: 'keras.layers', class_name: kind, config, registered_name: null, ...extra };
}

function serializeInput(model: Model, name: string): object {
  const config = { batch_shape: [null, ...model.inputShape], dtype: 'float32', sparse: false, ragged: false, name };
  return { module: 'keras.layers', class_name: 'InputLayer', config, registered_name: null };
}

/**
 * @throws UsageError when the optional package `h5wasm` is missing, or a layer has a name that Keras does not allow;
 * ModelFileError for weights that are not finite
 */
export async function exportKeras(model: Model): Promise<Uint8Array> {
  expectModel(model, 'exportKeras');
  const odd = model.layers.find(({ name }) => name.includes('/'));
  if (odd) throw new UsageError(`export: Keras allows no '/' in the names of layers, got '${odd.name}'; rename it`);
  const row = model.nodes.every(
    ({ layer, inputs }, index) => inputs.join() === String(index) && model.layers[index] === layer,
  );
  const layers = row ? model.layers : inKerasOrder(model.nodes);
  const config = row ? serializeRow(model) : serializeGraph(model, layers);
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return zip({
    'metadata.json': json({ keras_version: '3.0.0', date_saved: '1980-01-01@00:00:00' }), // equal models, equal files
    'config.json': json(config),
    'model.weights.h5': await writeHdf5(await arraysOf(model, layers)),
  });
}

function serializeRow(model: Model): object {
  const layers = [serializeInput(model, freeName(model)), ...model.layers.map((layer) => serialize(layer))];
  const config = {
    name: 'sequential',
    trainable: true,
    dtype: 'float32',
    layers,
    build_input_shape: [null, ...model.inputShape],
  };
  return { module: 'keras', class_name: 'Sequential', config, registered_name: null };
}

function serializeGraph(model: Model, layers: readonly Layer[]): object {
  const name = freeName(model);
  const { nodes } = model;
  /** How often a layer was applied before: Keras numbers the nodes of each layer. */
  const numberOf = (node: ModelNode): number => nodes.filter(({ layer }) => layer === node.layer).indexOf(node);
  const history = (value: number): unknown[] =>
    value === 0 ? [name, 0, 0] : [nodes[value - 1].layer.name, numberOf(nodes[value - 1]), 0];
  const tensor = (value: number): object => ({
    class_name: '__keras_tensor__',
    config: {
      shape: [null, ...(value === 0 ? model.inputShape : nodes[value - 1].shape)],
      dtype: 'float32',
      keras_history: history(value),
    },
  });
  const inboundOf = (layer: Layer): object[] =>
    nodes
      .filter((node) => node.layer === layer)
      .map(({ inputs }) => ({ args: layer.merges ? [inputs.map(tensor)] : inputs.map(tensor), kwargs: {} }));
  const config = {
    name: 'functional',
    trainable: true,
    layers: [
      { ...serializeInput(model, name), name, inbound_nodes: [] },
      ...layers.map((layer) => serialize(layer, { name: layer.name, inbound_nodes: inboundOf(layer) })),
    ],
    // Not in lists, as Keras has them since 3.4: it would warn at each call that it got no list.
    input_layers: history(0),
    output_layers: history(nodes.length),
  };
  return { module: 'keras.src.models.functional', class_name: 'Functional', config, registered_name: 'Functional' };
}

function freeName({ layers }: Model): string {
  let name = 'input_layer';
  while (layers.some((layer) => layer.name === name)) name += '_';
  return name;
}

/**
 * The layers in the order in which a graph of Keras has them once it is loaded, which decides the names of their weights: by their
 * depth, counted from the output, then as a walk from the output meets them. Source: `map_graph` in `ops/function.py`.
 */
function inKerasOrder(nodes: readonly ModelNode[]): Layer[] {
  const met: Layer[] = [];
  const finished: number[] = [];
  const visit = (index: number): void => {
    if (finished.includes(index)) return;
    const { layer, inputs } = nodes[index];
    if (!met.includes(layer)) met.push(layer);
    for (const value of inputs) if (value > 0) visit(value - 1);
    finished.push(index);
  };
  visit(nodes.length - 1);
  const depths = nodes.map(() => 0);
  const layerDepths = new Map<Layer, number>();
  for (const index of finished.toReversed()) {
    const { layer, inputs } = nodes[index];
    const depth = Math.max(depths[index], layerDepths.get(layer) ?? 0);
    layerDepths.set(layer, depth);
    depths[index] = depth;
    for (const value of inputs) if (value > 0) depths[value - 1] = Math.max(depth + 1, depths[value - 1]);
  }
  const depthOf = (layer: Layer): number => layerDepths.get(layer) ?? 0;
  return met.toSorted((a, b) => depthOf(b) - depthOf(a)); // a stable sort
}

/** The weights where Keras 3 looks for them, in its order, which is that of ours. */
async function arraysOf(model: Model, layers: readonly Layer[]): Promise<NamedArray[]> {
  const weights = await finiteWeights(model, 'exportKeras');
  const counts = new Map<string, number>();
  return layers.flatMap((layer) => {
    const number = counts.get(layer.kind) ?? 0;
    counts.set(layer.kind, number + 1);
    const place = `layers/${checkpointName(layer.kind, number)}`;
    const node = model.nodes.find((each) => each.layer === layer);
    const arrays = layer.parameters(node?.inputShapes[0] ?? []).map(({ name }, index): NamedArray => ({
      path: `${place}/vars/${index}`,
      ...weights[`${layer.name}.${name}`],
    }));
    // Keras counts what a Normalization has seen; 0 is what it has before `adapt`.
    if (layer instanceof Normalization)
      arrays.push({ path: `${place}/vars/${arrays.length}`, shape: [], data: Uint32Array.of(0) });
    // Keras saves the state of a dropout's random numbers as well.
    if (layer.stochastic)
      arrays.push({ path: `${place}/seed_generator/vars/0`, shape: [2], data: Uint32Array.of(0, 0) });
    return arrays;
  });
}

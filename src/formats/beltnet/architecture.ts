/** A network as a model file describes it, both ways. */
import { ModelFileError } from '../../errors.js';
import { input } from '../../nn/input.js';
import type { ModelConfig } from '../../nn/graph.js';
import type { Layer } from '../../nn/layers/layer.js';
import { checkSavable, layerOf } from '../../nn/layers/registry.js';
import { Model } from '../../nn/model.js';
import { Sequential } from '../../nn/sequential.js';
import { preview } from '../../options.js';
import { formatShape, sizeOf } from '../../tensor/shape.js';

/** Far beyond any network for pictures. Building a model takes time with the square of its layers. */
const MOST_LAYERS = 4096;
const MOST_INPUTS = 1024;
/** Elements that one value of the network may have for one picture: 1 GiB of float32. */
const LARGEST_VALUE = 2 ** 28;

/**
 * What a file says of a network.
 * @throws UsageError for a layer that could not be loaded again
 */
export function architectureOf(model: Model): ModelConfig {
  model.layers.forEach(checkSavable);
  return model.config();
}

/** The model of an architecture from a file. @throws BeltnetError saying what was expected */
export function buildModel(architecture: unknown, isGraph: boolean): Model {
  const model = connectLayers(architecture, isGraph);
  for (const { layer, shape } of model.nodes) {
    if (!(sizeOf(shape) <= LARGEST_VALUE))
      throw new ModelFileError(
        `expects layer '${layer.name}' to give at most ${LARGEST_VALUE} numbers for a picture, got ${formatShape(shape)}`,
      );
  }
  return model;
}

function connectLayers(architecture: unknown, isGraph: boolean): Model {
  const { inputShape, layers, nodes } = (architecture ?? {}) as Record<'inputShape' | 'layers' | 'nodes', unknown>;
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1 << 16;
  if (
    !Array.isArray(inputShape) ||
    ![1, 3].includes(inputShape.length) ||
    !inputShape.every(isCount) ||
    sizeOf(inputShape) > LARGEST_VALUE
  ) {
    throw new ModelFileError(
      `expects an input shape of three lengths (or one, of vectors) in the architecture, got ${preview(inputShape)}`,
    );
  }
  if (!Array.isArray(layers) || layers.length === 0)
    throw new ModelFileError('expects a list of layers in the architecture');
  if (layers.length > MOST_LAYERS)
    throw new ModelFileError(`expects at most ${MOST_LAYERS} layers in the architecture, got ${layers.length}`);
  if (!isGraph) {
    return new Sequential(layers.map((config, index) => layerOf(config, index === 0 ? inputShape : undefined)));
  }
  return buildGraph(
    inputShape,
    layers.map((config) => layerOf(config)),
    nodes,
  );
}

function buildGraph(inputShape: number[], layers: readonly Layer[], nodes: unknown): Model {
  if (!Array.isArray(nodes) || nodes.length === 0)
    throw new ModelFileError(
      `expects a list of nodes in the architecture of a graph, got ${JSON.stringify(nodes)?.slice(0, 60) ?? 'nothing'}`,
    );
  if (nodes.length > MOST_LAYERS)
    throw new ModelFileError(`expects at most ${MOST_LAYERS} nodes in the architecture, got ${nodes.length}`);
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  if (byName.size < layers.length) throw new ModelFileError('expects layers of different names in the architecture');
  const values = [input({ shape: inputShape })];
  for (const node of nodes as unknown[]) {
    const { layer: name, inputs } = (node ?? {}) as { layer?: unknown; inputs?: unknown };
    const layer = byName.get(name as string);
    const known = (value: unknown): boolean => Number.isInteger(value) && (value as number) in values;
    if (!layer || !Array.isArray(inputs) || inputs.length > MOST_INPUTS || !inputs.every(known))
      throw new ModelFileError(
        `expects nodes with the name of a layer and earlier values, got ${JSON.stringify(node)?.slice(0, 120)}`,
      );
    values.push(layer.apply(inputs.map((value: number) => values[value])));
  }
  return new Model({ inputs: values[0], outputs: values[values.length - 1] });
}

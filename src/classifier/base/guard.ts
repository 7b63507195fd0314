/**
 * A guard: the front part of a base, beside a network that was trained from scratch and whose own values tell nothing of pictures of other
 * kinds. It takes the very values that the network takes, and gives the means of one of the base's layers.
 */
import { ModelFileError, UsageError } from '../../errors.js';
import { buildModel } from '../../formats/beltnet/architecture.js';
import type { Section } from '../../formats/beltnet/container.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import { toFloat16, toFloat32 } from '../../formats/safetensors.js';
import { input } from '../../nn/input.js';
import { Reshape } from '../../nn/layers/core.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import { Concatenate } from '../../nn/layers/merging.js';
import { GlobalAveragePooling2D } from '../../nn/layers/pooling.js';
import { Rescaling } from '../../nn/layers/preprocessing.js';
import { layerOf } from '../../nn/layers/registry.js';
import { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import type { PicturePreparation } from '../preparation.js';
import { tellingLayer, type Base } from './features.js';

export const GUARD_SECTION = 'guard';

/** Smaller pictures are enlarged to at least this, by a whole factor: at 64×64 as they are, boards told 79 % of steel, enlarged 99 %. */
const SHORTEST_SIDE = 128;

/** Before the names of its layers, so that none is one of the network's. */
const PREFIX = 'guard_';

/**
 * @param preparation of the network's pictures
 * @throws UsageError for a network that takes normalized values: what the base was trained on cannot be told from those
 */
export async function guardOn(base: Base, { picture, values }: PicturePreparation): Promise<Model> {
  if (Object.keys(values.normalization).length > 0)
    throw new UsageError('guard: expects pictures that are rescaled and nothing else, got normalized ones');
  const { width, height } = picture.size;
  const inputs = input({ shape: [height, width, 3] });
  const factor = base.preprocessing.rescale / values.rescale;
  const rescaled = factor === 1 ? inputs : new Rescaling({ scale: factor, name: `${PREFIX}rescaling` }).apply(inputs);
  const enlarged = enlarge(rescaled, Math.ceil(SHORTEST_SIDE / Math.min(width, height)));
  const passed = [enlarged];
  const last = base.model.nodes.findLastIndex(({ layer }) => layer.name === base.featureLayers[tellingLayer(base)]);
  const renamed = new Map(
    base.model.layers.map((layer) => [layer, layerOf({ ...layer.config(), name: PREFIX + layer.name })]),
  );
  for (const { layer, inputs: given } of base.model.nodes.slice(0, last + 1))
    passed.push((renamed.get(layer) ?? layer).apply(given.map((from) => passed[from])));
  const means = new GlobalAveragePooling2D({ name: `${PREFIX}mean` }).apply(passed[passed.length - 1]);
  const model = new Model({ inputs, outputs: means });
  const weights = await base.model.getWeights();
  const own = Object.keys(await model.getWeights());
  model.setWeights(Object.fromEntries(own.map((name) => [name, weights[name.slice(PREFIX.length)]])));
  return model;
}

/** Every pixel `times` times in both directions: [H,W,C] → [times·H, times·W, C]. */
function enlarge(x: SymbolicTensor, times: number): SymbolicTensor {
  if (times === 1) return x;
  const [height, width, channels] = x.shape;
  const repeat = (value: SymbolicTensor, name: string): SymbolicTensor =>
    new Concatenate({ name: `${PREFIX}${name}` }).apply(Array.from({ length: times }, () => value));
  const shaped = (value: SymbolicTensor, shape: readonly number[], name: string): SymbolicTensor =>
    new Reshape(shape, { name: `${PREFIX}${name}` }).apply(value);
  // Channels of a pixel beside themselves are that pixel twice; rows beside themselves are that row twice.
  const rows = shaped(repeat(x, 'wider'), [height, 1, times * width * channels], 'rows');
  return shaped(repeat(rows, 'higher'), [times * height, times * width, channels], 'enlarged');
}

/** With weights in half precision, which is what the shipped base has. */
export async function guardSection(guard: Model): Promise<Section> {
  const weights = Object.entries(await guard.getWeights());
  return {
    value: { architecture: guard.config() },
    tensors: Object.fromEntries(
      weights.map(([name, { shape, data }]) => [name, { dtype: 'F16', shape, data: toFloat16(data) } as const]),
    ),
  };
}

/** @throws ModelFileError for a section that is no guard of such a model */
export function guardOf({ sections = {} }: ModelInfo, model: Model, name: string): Model | null {
  const section = sections[GUARD_SECTION];
  if (section === undefined) return null;
  try {
    const { architecture } = (section.value ?? {}) as { architecture?: unknown };
    const guard = buildModel(architecture, Object.hasOwn(Object(architecture), 'nodes'));
    const weights: NamedWeights = Object.fromEntries(
      Object.entries(section.tensors ?? {}).map(([key, tensor]) => [
        key,
        { shape: tensor.shape, data: toFloat32(tensor) },
      ]),
    );
    guard.setWeights(weights);
    const isOther = guard.inputShape.join() !== model.inputShape.join() || guard.outputShape.length !== 1;
    if (!isOther && guard.layers.every((layer) => layer.name.startsWith(PREFIX))) return guard;
    throw new ModelFileError('expects a guard of the inputs of the model');
  } catch (error) {
    throw new ModelFileError(`${name}: section '${GUARD_SECTION}': ${(error as Error).message}`, { cause: error });
  }
}

/**
 * A base: a network that was trained on other pictures, whose inner values describe pictures in general. Its features are the means
 * over all positions of what some of its layers give, joined: one vector a picture.
 */
import { expectModel } from '../../formats/finite-weights.js';
import { type Check, expectArray, expectCount, expectObject, objectWith } from '../../expect.js';
import { ModelFileError, UsageError } from '../../errors.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import { Concatenate } from '../../nn/layers/merging.js';
import { GlobalAveragePooling2D } from '../../nn/layers/pooling.js';
import { Model } from '../../nn/model.js';
import { input } from '../../nn/input.js';
import { applyNodes, takeWeights } from '../../nn/reuse.js';
import { classifierHead } from '../networks.js';

/** The section of a model file that makes it a base. */
export const BASE_SECTION = 'base';

export interface Base {
  readonly name: string;
  /** Not compiled; its weights are read, never changed. */
  readonly model: Model;
  /** Layers whose means are the features, in this order. */
  readonly featureLayers: readonly string[];
  readonly preprocessing: ModelInfo['preprocessing'];
  /** SHA-256 of its weights. */
  readonly hash: string;
}

/** @throws UsageError unless it is a base */
export const expectBase: Check = (value, what) => {
  objectWith({ featureLayers: expectArray, preprocessing: expectObject })(value, what);
  expectModel((value as Base).model, what);
};

/** @throws ModelFileError when the file's section is not what a base needs */
export function featureLayersOf(
  { sections = {} }: Pick<ModelInfo, 'sections'>,
  model: Model,
  name: string,
): readonly string[] {
  const layers = (sections[BASE_SECTION]?.value as { features?: unknown } | undefined)?.features;
  const known = new Set(model.layers.map((layer) => layer.name));
  if (Array.isArray(layers) && layers.length > 0 && layers.every((layer) => known.has(layer as string)))
    return layers as string[];
  throw new ModelFileError(
    `${name}: expects a base that names its feature layers, got ${JSON.stringify(layers) ?? 'none'}`,
  );
}

/**
 * The base as far as its features need it, for pictures of another size if wanted, and what follows: [H,W,C] → [features] → …
 *
 * @param size of the pictures; by default the base's own
 * @param classes 0: the features are the model's output; 2: one sigmoid unit on them; more: softmax over so many
 * @returns a model of the base's layers with weights of its own, the base's at first; those of the head are initial ones
 */
export async function onBase(
  on: Base,
  options: { size?: { width: number; height: number }; classes: number; seed?: number },
): Promise<Model> {
  expectBase(on, 'onBase: base');
  expectObject(options, 'onBase: options');
  const { model: base, featureLayers } = on;
  const { size, classes, seed = 0 } = options;
  expectCount(classes, 'onBase: classes');
  const [height, width, channels] = base.inputShape;
  const inputs = input({ shape: [size?.height ?? height, size?.width ?? width, channels] });
  const places = featureLayers.map((name) => base.nodes.findLastIndex(({ layer }) => layer.name === name));
  const values = applyNodes(base.nodes.slice(0, Math.max(...places) + 1), inputs);
  const means = featureLayers.map((name, index) => {
    const value = places[index] < 0 ? undefined : values[places[index] + 1];
    if (value?.shape.length !== 3)
      throw new UsageError(`base: expects feature layers that give maps [H,W,C], got '${name}'`);
    return new GlobalAveragePooling2D({ name: `${MEAN}${index}` }).apply(value);
  });
  const features = means.length === 1 ? means[0] : new Concatenate({ name: FEATURES }).apply(means);
  const outputs = classes === 0 ? features : classifierHead(classes, { name: HEAD }).apply(features);
  const model = new Model({ inputs, outputs, seed });
  await takeWeights(model, base);
  return model;
}

/** Names of the layers that are put on a base. */
export const FEATURES = 'base_features';
/** With a number behind it, one for each feature layer. */
export const MEAN = 'base_mean_';
export const HEAD = 'base_head';

/**
 * Which of the feature layers tells unknown pictures by its means: the last but one. Deeper ones are more of what the base was trained on:
 * with darknet-tiny's last, 76 % of pictures of steel were told on synthetic belts, with this one 99.7 % (docs/base.md).
 */
export const tellingLayer = ({ featureLayers }: Base): number => Math.max(0, featureLayers.length - 2);

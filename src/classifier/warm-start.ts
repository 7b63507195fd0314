/**
 * Training that begins with trained weights: those of another model (`planFrom`), or a base's with a head that is solved already
 * (base/train-on-base.ts); and fine-tuning, which trains only the last of their layers.
 *
 * Measured: fine-tuning gains a little with hundreds of pictures a class and harms with tens; a learning rate of 1e-4 first destroys
 * the head; batch normalization by batches of new pictures does so at once. docs/base.md has the figures.
 */
import { expectInfo } from '../formats/beltnet/info.js';
import { expectModel } from '../formats/finite-weights.js';
import { expectCount, expectText, listOf, objectWith, expectObject } from '../expect.js';
import { DataError, UsageError } from '../errors.js';
import { classCounts } from '../data/dataset.js';
import { input } from '../nn/input.js';
import { Dense } from '../nn/layers/core.js';
import { BatchNormalization } from '../nn/layers/normalization.js';
import { Model } from '../nn/model.js';
import type { NamedWeights } from '../nn/parameters.js';
import { applyNodes, takeWeights } from '../nn/reuse.js';
import { guardOf } from './base/guard.js';
import { unlikeOf } from './base/unlike-section.js';
import type { NamedModel } from './classifier.js';
import { classifierHead } from './networks.js';
import { preparationOf } from './preparation.js';
import { recipeOf, type RecipeOptions } from './recipe.js';
import { DEFAULT_THRESHOLD, type TrainingPlan } from './training.js';
import { alertClassOf } from './verdict.js';

/** How many of the last layers with weights are trained beside the head. */
export type FineTune = number | 'all';

/** What fine-tuning takes unless it is told otherwise. */
export const FINE_TUNING = { learningRate: 3e-5, epochs: 10, fewestOfClass: 100 } as const;

/**
 * Leaves only the head and the last layers with weights before it to be trained. Batch normalization is frozen throughout, statistics,
 * scale and offset: batches of a new, small set would move them further than the weights.
 *
 * @throws UsageError when the model has fewer such layers
 */
export function freezeAllBut(model: Model, fineTune: FineTune): void {
  expectModel(model, 'freezeAllBut');
  const weighted = model.nodes.flatMap(({ layer, inputShapes }) =>
    layer instanceof BatchNormalization || layer.parameters(inputShapes[0]).length === 0 ? [] : [layer],
  );
  const [head, ...others] = new Set(weighted.toReversed());
  if (fineTune !== 'all') expectCount(fineTune, 'freezeAllBut: fineTune');
  const count = fineTune === 'all' ? others.length : fineTune;
  if (count > others.length)
    throw new UsageError(
      `fine-tune: expects at most the ${others.length} layers with weights before the head, or all, got ${count}`,
    );
  const trained = new Set([head, ...others.slice(0, count)]);
  for (const layer of model.layers) layer.trainable = trained.has(layer);
}

/** @throws UsageError where a class has so few pictures that fine-tuning mostly harms */
export function checkFineTuning(data: {
  readonly labels: ArrayLike<number>;
  readonly classNames: readonly string[];
}): void {
  const counts = classCounts(data);
  const fewest = Math.min(...counts);
  if (fewest >= FINE_TUNING.fewestOfClass) return;
  throw new UsageError(
    `fine-tune: expects at least ${FINE_TUNING.fewestOfClass} pictures of each class to train on, got ${fewest} of ` +
      `'${data.classNames[counts.indexOf(fewest)]}': with so few it mostly harms; leave it out, or --force`,
  );
}

export interface FromOptions extends RecipeOptions {
  /** Decides order, augmentation, dropout, and the initial weights of classes that are added. Default 0. */
  readonly seed?: number;
  /** Default: the model's own. */
  readonly alertClass?: string | undefined;
}

/**
 * A training that begins with all weights of a model and prepares pictures as it does. Classes may be added: they get initial weights in
 * the last layer, those that are there keep theirs.
 *
 * @throws DataError when one of the model's classes is not among the new ones; UsageError when classes are added to a model whose last
 *   layer is not a dense one
 */
export async function planFrom(
  start: NamedModel,
  classNames: readonly string[],
  options: FromOptions = {},
): Promise<TrainingPlan> {
  expectObject(options, 'planFrom: options');
  const { seed = 0 } = options;
  objectWith({
    name: expectText,
    model: (model) => expectModel(model, 'planFrom'),
    info: (info) => expectInfo(info as NamedModel['info'], 'planFrom'),
  })(start, 'planFrom: start');
  listOf(expectText)(classNames, 'planFrom: classNames');
  const { classNames: before, preprocessing, alert } = start.info;
  const lost = before.find((name) => !classNames.includes(name));
  if (lost !== undefined)
    throw new DataError(
      `from: expects pictures of the classes of ${start.name} (${before.join(', ')}), to which others may be added, got ` +
        `${classNames.join(', ')}, without '${lost}'`,
    );
  const [height, width] = start.model.inputShape;
  const { normalization: _, ...recipe } = recipeOf(classNames.length, options);
  const info = {
    classNames,
    preprocessing,
    alert: { className: alertClassOf(classNames, options.alertClass ?? alert.className), threshold: DEFAULT_THRESHOLD },
    sections: { provenance: { value: { from: start.name, classes: before } } },
  };
  return {
    model: await withClasses(start, classNames, seed),
    recipe: { ...recipe, normalization: {} },
    info,
    preparation: preparationOf(info, { width, height }),
    seed,
    unlikeLayer: tellingLayerOf(start),
  };
}

/** The layer by which a model tells unknown pictures, if it does so by one of its own. */
function tellingLayerOf({ info, model, name }: NamedModel): string | null {
  return unlikeOf(info, model, guardOf(info, model, name), name)?.layer ?? null;
}

/** A model of its own with the weights of another, and a last layer for these classes. */
async function withClasses(
  { model, info, name }: NamedModel,
  classNames: readonly string[],
  seed: number,
): Promise<Model> {
  const inputs = input({ shape: model.inputShape });
  const last = model.nodes[model.nodes.length - 1];
  if (info.classNames.join('/') === classNames.join('/')) {
    const same = new Model({ inputs, outputs: applyNodes(model.nodes, inputs)[model.nodes.length], seed });
    same.trainable = true;
    await takeWeights(same, model);
    return same;
  }
  if (!(last.layer instanceof Dense))
    throw new UsageError(
      `from: expects a model whose last layer is dense, so that classes can be added to it, got ${name}, which ends in ${last.layer.kind}`,
    );
  const values = applyNodes(model.nodes.slice(0, -1), inputs);
  const head = classifierHead(classNames.length, { name: last.layer.name, useBias: last.layer.options.useBias });
  const grown = new Model({ inputs, outputs: head.apply(last.inputs.map((from) => values[from])), seed });
  grown.trainable = true;
  const [before, initial] = [await model.getWeights(), await grown.getWeights()];
  const changed: Record<string, NamedWeights[string]> = {};
  for (const part of [`${head.name}.kernel`, `${head.name}.bias`])
    if (part in initial) changed[part] = columnsFor(classNames, initial[part], info.classNames, before[part]);
  await takeWeights(grown, model, changed);
  return grown;
}

type Weight = NamedWeights[string];

/**
 * Weights of a last layer, [in, units] or [units], for other classes: those that were there keep their scores, up to a shift of all of
 * them, which changes no probability. One sigmoid unit is a softmax over 0 and its score.
 */
function columnsFor(
  classNames: readonly string[],
  initial: Weight,
  namesBefore: readonly string[],
  before: Weight,
): Weight {
  const [units, unitsBefore] = [initial.shape.at(-1) ?? 1, before.shape.at(-1) ?? 1];
  const rows = before.data.length / unitsBefore;
  const scoreOf = (row: number, name: string): number | null => {
    const at = namesBefore.indexOf(name);
    if (at < 0) return null;
    return unitsBefore === 1 ? (at === 0 ? 0 : before.data[row]) : before.data[row * unitsBefore + at];
  };
  const data = Float32Array.from(initial.data, (value, index) => {
    const [row, column] = [Math.floor(index / units), index % units];
    if (units > 1) return scoreOf(row, classNames[column]) ?? value;
    const [first, second] = classNames.map((name) => scoreOf(row, name));
    return (second ?? 0) - (first ?? 0);
  });
  return { shape: [...initial.shape.slice(0, -1), units], data: data.subarray(0, rows * units) };
}

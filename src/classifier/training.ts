/**
 * A training of a classifier, from options and class names to what `model.fit` takes and what the model file will say:
 * first the plan, which needs no pictures, then the flows over them.
 */
import { expectArray, expectObject, objectWith } from '../expect.js';
import { DataFlow } from '../data/batches.js';
import type { Dataset } from '../data/dataset.js';
import { imageDataGenerator } from '../data/image-data-generator.js';
import type { Size } from '../data/pictures/resize.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import type { Model } from '../nn/model.js';
import { buildNetwork, type NetworkBuilder, type NetworkName } from './networks.js';
import { preparationOf, preprocessingOf, type PicturePreparation, type PreprocessingOptions } from './preparation.js';
import { recipeOf, type Recipe, type RecipeOptions } from './recipe.js';
import { alertClassOf } from './verdict.js';

/** From this probability on an alert is raised, until a threshold is chosen. */
export const DEFAULT_THRESHOLD = 0.5;

export interface TrainingOptions extends RecipeOptions, Omit<PreprocessingOptions, 'normalization'> {
  /** By name, or what builds one. Default `mission`. */
  readonly network?: NetworkName | NetworkBuilder;
  readonly size: Size;
  /** Decides initial weights, order and augmentation. Default 0. */
  readonly seed?: number;
  /** Default: the second by name. */
  readonly alertClass?: string | undefined;
}

export interface TrainingPlan {
  /** Not yet compiled. */
  readonly model: Model;
  readonly recipe: Recipe;
  /** Without the figures of a featurewise normalization, which need the pictures. */
  readonly info: ModelInfo;
  readonly preparation: PicturePreparation;
  readonly seed: number;
  /** The layer by whose values unknown pictures are told; null where they are not. */
  readonly unlikeLayer: string | null;
}

/** @throws UsageError for pictures too small for the network, or an alert's class that is none of the classes */
export function planTraining(classNames: readonly string[], options: TrainingOptions): TrainingPlan {
  expectArray(classNames, 'planTraining: classNames');
  expectObject(options, 'planTraining: options');
  const { network = 'mission', size, seed = 0 } = options;
  const info = {
    classNames,
    preprocessing: preprocessingOf(options),
    alert: { className: alertClassOf(classNames, options.alertClass), threshold: DEFAULT_THRESHOLD },
  };
  return {
    model:
      typeof network === 'function'
        ? network(size, classNames.length, seed)
        : buildNetwork(network, size, classNames.length, seed),
    recipe: recipeOf(classNames.length, options),
    info,
    preparation: preparationOf(info, size),
    seed,
    unlikeLayer: null,
  };
}

export interface TrainingFlows {
  readonly training: DataFlow;
  readonly validation: DataFlow | null;
  /** What the model file says. */
  readonly info: ModelInfo;
}

const expectPlan = objectWith({
  recipe: objectWith({ augmentation: expectObject, normalization: expectObject }),
  info: objectWith({ preprocessing: expectObject }),
  preparation: objectWith({ values: expectObject, picture: objectWith({ size: expectObject }) }),
});

/** Batches of the pictures, as the plan wants them. */
export async function trainingFlows(
  plan: TrainingPlan,
  training: Dataset,
  validation: Dataset | null,
  batchSize: number,
): Promise<TrainingFlows> {
  expectPlan(plan, 'trainingFlows: plan');
  const { recipe, info, preparation, seed } = plan;
  const { rescale } = preparation.values;
  const { augmentation } = recipe;
  const generator = imageDataGenerator({ ...augmentation, ...recipe.normalization, rescale });
  await generator.fit(training);
  const normalization = info.preprocessing.normalization ?? generator.normalization; // a trained model has its own
  const preprocessing = preprocessingOf({ ...info.preprocessing, normalization });
  const { values } = preparationOf({ preprocessing }, preparation.picture.size);
  return {
    training: new DataFlow(training, { batchSize, seed, augmentation, ...values }),
    validation: validation && new DataFlow(validation, { batchSize, seed, ...values }),
    info: { ...info, preprocessing },
  };
}

/**
 * Training on a base: its features of all pictures, a head on them, and how unlike them a picture may be. Seconds on a CPU, and
 * a hundred pictures are enough where the classes differ in what pictures in general differ in. docs/base.md has the figures.
 */
import { expectArray, expectObject, expectWhole, objectWith } from '../../expect.js';
import { expectDataset, type Dataset } from '../../data/dataset.js';
import type { Size } from '../../data/pictures/resize.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import type { Model } from '../../nn/model.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import { FAULTS_SECTION, faultsOf, figuresOfSet, learnFaultLimits } from '../picture-faults.js';
import { preparationOf, preprocessingOf, type PreprocessingOptions } from '../preparation.js';
import { recipeOf, type RecipeOptions } from '../recipe.js';
import { DEFAULT_THRESHOLD, type TrainingPlan } from '../training.js';
import { alertClassOf, classProbabilities, type Prediction } from '../verdict.js';
import { computeFeatures, computeVersions, type ExtractOptions } from './extract.js';
import { expectBase, HEAD, MEAN, onBase, tellingLayer, type Base } from './features.js';
import { fitHead, scoresOf, type Head } from './head.js';
import { infoWithTold } from './learn-unknown.js';
import { strangers, toldStrangers, type ToldStrangers } from './strangers.js';
import { unlikeSection } from './unlike-section.js';
import { fitUnlike, unlikeness } from './unlike.js';

export interface BasePlanOptions extends RecipeOptions, Pick<PreprocessingOptions, 'region' | 'exif'> {
  /** Of the prepared pictures. Default: what the base was trained on. */
  readonly size?: Size | undefined;
  readonly seed?: number | undefined;
  readonly alertClass?: string | undefined;
}

export interface HeadOptions extends ExtractOptions {
  /** Inverse strength of the head's L2 penalty. Default 0.1. */
  readonly C?: number | undefined;
  /** Augmented copies of each picture from which the head learns, too; by the plan's augmentation. Default 0. */
  readonly versions?: number | undefined;
  /** Called now and then, for a turn of the event loop. */
  readonly pause?: (() => Promise<void>) | undefined;
}

export interface OnBaseOptions extends BasePlanOptions, HeadOptions {
  /** Share of pictures like the training's that are to count as known. Default 0.99. */
  readonly coverage?: number | undefined;
}

/** How pictures are prepared for a base. */
export function basePreparation(base: Base, options: BasePlanOptions) {
  expectBase(base, 'basePreparation: base');
  expectObject(options, 'basePreparation: options');
  const { size, region, exif } = options;
  const [height, width] = base.model.inputShape;
  const { interpolation, rescale, normalization } = base.preprocessing;
  const preprocessing = preprocessingOf({ interpolation, rescale, normalization, region, exif });
  return { preprocessing, ...preparationOf({ preprocessing }, size ?? { width, height }) };
}

/**
 * A training whose network is a base and a head, which has initial weights: `solveHead` is to come.
 * @throws UsageError for an alert's class that is none of the classes
 */
export async function planOnBase(
  base: Base,
  classNames: readonly string[],
  options: BasePlanOptions = {},
): Promise<TrainingPlan> {
  expectArray(classNames, 'planOnBase: classNames');
  expectObject(options, 'planOnBase: options');
  const { seed = 0 } = options;
  const { preprocessing, picture, values } = basePreparation(base, options);
  const model = await onBase(base, { classes: classNames.length, size: picture.size, seed });
  model.trainable = true;
  return {
    model,
    recipe: recipeOf(classNames.length, options),
    info: {
      classNames,
      preprocessing,
      alert: { className: alertClassOf(classNames, options.alertClass), threshold: DEFAULT_THRESHOLD },
      sections: { provenance: { value: { base: base.name, hash: base.hash } } },
    },
    preparation: { picture, values },
    seed,
    unlikeLayer: `${MEAN}${tellingLayer(base)}`,
  };
}

/**
 * Puts the head into the plan's model that separates the training's features best.
 *
 * @param training prepared as the plan says
 * @returns the features [N, width], and the head
 * @throws UsageError when a class has no picture
 */
export async function solveHead(
  base: Base,
  plan: TrainingPlan,
  training: Dataset,
  device: Device,
  options: HeadOptions = {},
): Promise<{ features: Float32Array; head: Head }> {
  expectBase(base, 'solveHead: base');
  objectWith({ model: expectObject, preparation: expectObject })(plan, 'solveHead: plan');
  expectDataset(training, 'solveHead: training');
  expectDevice(device, 'solveHead: device');
  expectObject(options, 'solveHead: options');
  const { model, preparation, recipe, seed } = plan;
  const { C, pause, versions = 0 } = options;
  expectWhole(versions, 'solveHead: versions', 0, 1000);
  const features = await computeFeatures(base, training, preparation, device, options);
  const regression = { copies: 1 + versions, ...(C !== undefined && { C }), ...(pause && { pause }) };
  const copies = { count: versions, augmentation: recipe.augmentation, seed };
  const added = await computeVersions(base, training, preparation, device, copies, options);
  const learned = added.length === 0 ? features : joined(features, added);
  const labels = Array.from({ length: 1 + versions }, () => [...training.labels]).flat();
  const head = await fitHead(learned, labels, training.classNames.length, regression);
  const { kernel, bias, columns } = head;
  model.setWeights({
    ...(await model.getWeights()),
    [`${HEAD}.kernel`]: { shape: [kernel.length / columns, columns], data: kernel },
    [`${HEAD}.bias`]: { shape: [columns], data: bias },
  });
  return { features, head };
}

function joined(one: Float32Array, other: Float32Array): Float32Array {
  const both = new Float32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

export interface OnBase {
  /** Base and head as one model, not compiled. */
  readonly model: Model;
  readonly info: ModelInfo;
  /** What that model says about pictures, prepared as the training's: from their features, without a pass through the network. */
  readonly predict: (dataset: Dataset) => Promise<Prediction[]>;
  /** How many pictures of other kinds it told. */
  readonly told: ToldStrangers;
}

/**
 * @param training prepared as `basePreparation` says
 * @throws UsageError when a class has no picture, or for an alert's class that is none of the classes
 */
export async function trainOnBase(
  base: Base,
  training: Dataset,
  device: Device,
  options: OnBaseOptions = {},
): Promise<OnBase> {
  expectDataset(training, 'trainOnBase: training');
  expectDevice(device, 'trainOnBase: device');
  expectObject(options, 'trainOnBase: options');
  const { seed = 0, coverage, pause } = options;
  const plan = await planOnBase(base, training.classNames, options);
  const { features, head } = await solveHead(base, plan, training, device, options);
  const width = features.length / training.labels.length;
  const layer = `${MEAN}${tellingLayer(base)}`;
  const sizes = base.featureLayers.map((_, n) => widthOf(plan.model, `${MEAN}${n}`));
  const first = sizes.slice(0, tellingLayer(base)).reduce((sum, size) => sum + size, 0);
  const telling = (rows: Float32Array): Float32Array => columnsOf(rows, width, first, sizes[tellingLayer(base)]);
  const unlike = await fitUnlike(telling(features), training.labels, training.classNames.length, {
    seed,
    ...(coverage !== undefined && { coverage }),
    ...(pause && { pause }),
  });
  const figures = await figuresOfSet(training);
  const limits = learnFaultLimits(figures);
  const sections = { ...plan.info.sections, [FAULTS_SECTION]: { value: limits }, unlike: unlikeSection(unlike, layer) };
  const judge = async (dataset: Dataset): Promise<Prediction[]> => {
    const theirs =
      dataset === training ? features : await computeFeatures(base, dataset, plan.preparation, device, options);
    const probabilities = classProbabilities(scoresOf(theirs, head), head.columns);
    const own = telling(theirs);
    const size = own.length / probabilities.length;
    return probabilities.map((each, n) => ({
      probabilities: each,
      unlike: unlikeness(unlike, own.subarray(n * size, (n + 1) * size)),
    }));
  };
  const predict = async (dataset: Dataset): Promise<Prediction[]> => {
    const predictions = await judge(dataset);
    const theirs = dataset === training ? figures : await figuresOfSet(dataset);
    return predictions.map((prediction, n) => ({ ...prediction, faults: faultsOf(theirs[n], limits) }));
  };
  const kinds = strangers(plan.preparation.picture);
  const told = toldStrangers(kinds, await judge(kinds));
  return { model: plan.model, info: infoWithTold({ ...plan.info, sections }, told), predict, told };
}

const widthOf = (model: Model, layer: string): number =>
  model.nodes.find((node) => node.layer.name === layer)?.shape[0] ?? 0;

/** Some columns of rows of `width` numbers. */
function columnsOf(rows: Float32Array, width: number, first: number, count: number): Float32Array {
  const columns = new Float32Array((rows.length / width) * count);
  for (let row = 0; row < rows.length / width; row++)
    columns.set(rows.subarray(row * width + first, row * width + first + count), row * count);
  return columns;
}

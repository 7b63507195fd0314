/** Learning what tells unknown pictures: from a model's own values of its training pictures, or from a guard's. */
import { expectBytes, expectObject, expectText, objectWith } from '../../expect.js';
import { expectDataset, type Dataset } from '../../data/dataset.js';
import type { Sections } from '../../formats/beltnet/container.js';
import type { Sha256 } from '../../formats/content-hash.js';
import type { ModelInfo } from '../../formats/beltnet/info.js';
import { changeInfo, decodeModel } from '../../formats/beltnet/model.js';
import { input } from '../../nn/input.js';
import { Model } from '../../nn/model.js';
import { applyNodes, takeWeights } from '../../nn/reuse.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import { DataFlow } from '../../data/batches.js';
import { Predictor } from '../predictor.js';
import { preparationOf, type PicturePreparation } from '../preparation.js';
import { KNOWN_SECTIONS } from '../tuning.js';
import { passThrough, type ExtractOptions } from './extract.js';
import { expectBase, type Base } from './features.js';
import { GUARD_SECTION, guardOn, guardSection } from './guard.js';
import { strangers, toldStrangers, type ToldStrangers } from './strangers.js';
import { UNLIKE_SECTION, unlikeSection, withTold } from './unlike-section.js';
import { fitUnlike } from './unlike.js';

export interface UnknownOptions extends Omit<ExtractOptions, 'keep'> {
  /** Share of pictures like the training's that are to count as known. Default 0.99. */
  readonly coverage?: number | undefined;
  /** Of the division of the training pictures. Default 0. */
  readonly seed?: number | undefined;
  /** Called now and then, for a turn of the event loop. */
  readonly pause?: (() => Promise<void>) | undefined;
}

/**
 * The section `unlike` of a model.
 *
 * @param layer of the model, whose values are vectors
 * @param training prepared as the model wants it
 */
export async function learnByLayer(
  model: Model,
  layer: string,
  training: Dataset,
  { values }: PicturePreparation,
  device: Device,
  options: UnknownOptions = {},
): Promise<Sections> {
  const inputs = input({ shape: model.inputShape });
  const place = model.nodes.findLastIndex((node) => node.layer.name === layer);
  const front = new Model({ inputs, outputs: applyNodes(model.nodes.slice(0, place + 1), inputs)[place + 1] });
  await takeWeights(front, model);
  return { [UNLIKE_SECTION]: unlikeSection(await learn(front, training, values, device, options), layer) };
}

/**
 * The sections `guard` and `unlike` of a network that was trained from scratch.
 * @throws UsageError for a network of normalized pictures
 */
export async function learnByGuard(
  base: Base,
  training: Dataset,
  preparation: PicturePreparation,
  device: Device,
  options: UnknownOptions = {},
): Promise<Sections> {
  expectBase(base, 'learnByGuard: base');
  expectDataset(training, 'learnByGuard: training');
  objectWith({ picture: expectObject, values: expectObject })(preparation, 'learnByGuard: preparation');
  expectDevice(device, 'learnByGuard: device');
  expectObject(options, 'learnByGuard: options');
  const guard = await guardOn(base, preparation);
  const section = await guardSection(guard);
  const unlike = await learn(guard, training, preparation.values, device, options);
  return { [GUARD_SECTION]: section, [UNLIKE_SECTION]: unlikeSection(unlike, null) };
}

async function learn(
  model: Model,
  training: Dataset,
  values: PicturePreparation['values'],
  device: Device,
  { seed, coverage, pause, ...options }: UnknownOptions,
) {
  const features = await passThrough(model, training, values, device, options).finally(() => model.destroy());
  return fitUnlike(features, training.labels, training.classNames.length, {
    ...(seed !== undefined && { seed }),
    ...(coverage !== undefined && { coverage }),
    ...(pause && { pause }),
  });
}

/**
 * How many pictures of kinds that are made here a model tells, and its info with that.
 * @param model compiled
 */
export async function measureStrangers(
  model: Model,
  info: ModelInfo,
  device: Device,
): Promise<{ readonly told: ToldStrangers; readonly info: ModelInfo }> {
  const [height, width] = model.inputShape;
  const { picture, values } = preparationOf(info, { width, height });
  const set = strangers(picture);
  const predictor = await Predictor.of(model, info, device, 'the model');
  const flow = new DataFlow(set, { batchSize: 16, shuffle: false, ...values });
  const told = toldStrangers(set, await predictor.predict(flow).finally(() => predictor.destroy()));
  return { told, info: infoWithTold(info, told) };
}

export function infoWithTold(info: ModelInfo, told: ToldStrangers): ModelInfo {
  const { sections = {} } = info;
  return { ...info, sections: { ...sections, [UNLIKE_SECTION]: withTold(sections[UNLIKE_SECTION], told) } };
}

/**
 * What tells unknown pictures, into a model file's bytes, and how many of other kinds it told.
 *
 * @param layer of the model, whose values are vectors; null where its info has learned that from a guard
 * @param training prepared as the model wants it
 */
export async function withUnknown(
  file: { readonly bytes: Uint8Array; readonly name: string; readonly hash?: Sha256 },
  layer: string | null,
  training: Dataset,
  device: Device,
  options: UnknownOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly told: ToldStrangers }> {
  objectWith({ bytes: expectBytes, name: expectText })(file, 'withUnknown: file');
  if (layer !== null) expectText(layer, 'withUnknown: layer');
  expectDataset(training, 'withUnknown: training');
  expectDevice(device, 'withUnknown: device');
  expectObject(options, 'withUnknown: options');
  const { bytes, name, hash } = file;
  const reading = { knownSections: KNOWN_SECTIONS, ...(hash && { hash }) };
  const { model, info } = decodeModel(bytes, name, reading);
  const [height, width] = model.inputShape;
  const preparation = preparationOf(info, { width, height });
  const learned = layer === null ? {} : await learnByLayer(model, layer, training, preparation, device, options);
  model.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
  const sections = { ...info.sections, ...learned };
  const measured = await measureStrangers(model, { ...info, sections }, device).finally(() => model.destroy());
  return { bytes: changeInfo(bytes, name, () => measured.info, reading), told: measured.told };
}

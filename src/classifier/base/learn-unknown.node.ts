/** What tells unknown pictures, into a run's best model when its weights are final. */
import { expectObject, expectPath, expectText } from '../../expect.js';
import { expectDataset, type Dataset } from '../../data/dataset.js';
import { changeModelFile, loadModel } from '../../formats/beltnet/model.node.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import { preparationOf } from '../preparation.js';
import { KNOWN_SECTIONS } from '../tuning.js';
import { learnByLayer, measureStrangers, type UnknownOptions } from './learn-unknown.js';
import type { ToldStrangers } from './strangers.js';
import { UNLIKE_SECTION } from './unlike-section.js';

/** Whether a model file says how unlike its training's a picture may be, and what was measured of that. */
export async function tellsUnknown(path: string): Promise<boolean> {
  const { info } = await loadModel(path, { knownSections: KNOWN_SECTIONS });
  return (info.sections?.[UNLIKE_SECTION]?.value as { told?: unknown } | undefined)?.told !== undefined;
}

/**
 * Writes into a model file by what it tells unknown pictures, and how many of other kinds it told.
 *
 * @param layer of the model, whose values are vectors; null where its info has learned that from a guard
 * @param training prepared as the model wants it
 */
export async function learnUnknown(
  path: string,
  layer: string | null,
  training: Dataset,
  device: Device,
  options: UnknownOptions = {},
): Promise<ToldStrangers> {
  expectPath(path, 'learnUnknown: path');
  if (layer !== null) expectText(layer, 'learnUnknown: layer');
  expectDataset(training, 'learnUnknown: training');
  expectDevice(device, 'learnUnknown: device');
  expectObject(options, 'learnUnknown: options');
  const { model, info } = await loadModel(path, { knownSections: KNOWN_SECTIONS });
  const [height, width] = model.inputShape;
  const preparation = preparationOf(info, { width, height });
  const learned = layer === null ? {} : await learnByLayer(model, layer, training, preparation, device, options);
  model.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
  const sections = { ...info.sections, ...learned };
  const measured = await measureStrangers(model, { ...info, sections }, device).finally(() => model.destroy());
  await changeModelFile(path, path, () => measured.info, { knownSections: KNOWN_SECTIONS });
  return measured.told;
}

/** What tells unknown pictures, into a run's best model when its weights are final. */
import { expectPath } from '../../expect.js';
import type { Dataset } from '../../data/dataset.js';
import { readWholeFile, writeFileAtomically } from '../../files.node.js';
import { loadModel, MODEL_FILE } from '../../formats/beltnet/model.node.js';
import { sha256Natively } from '../../formats/sha256.node.js';
import type { Device } from '../../tensor/device.js';
import { KNOWN_SECTIONS } from '../tuning.js';
import { withUnknown, type UnknownOptions } from './learn-unknown.js';
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
  const file = { bytes: await readWholeFile(path, MODEL_FILE), name: path, hash: sha256Natively };
  const { bytes, told } = await withUnknown(file, layer, training, device, options);
  await writeFileAtomically(path, bytes);
  return told;
}

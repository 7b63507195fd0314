/** By what a run's best model tells unknown pictures: learned when its weights are final, from its own values of the training's pictures. */
import { expectObject, expectPath, expectText } from '../../expect.js';
import { DataFlow } from '../../data/batches.js';
import { expectDataset, type Dataset } from '../../data/dataset.js';
import { changeModelFile, loadModel } from '../../formats/beltnet/model.node.js';
import { input } from '../../nn/input.js';
import { Model } from '../../nn/model.js';
import { applyNodes, takeWeights } from '../../nn/reuse.js';
import { expectDevice, type Device } from '../../tensor/device.js';
import { preparationOf } from '../preparation.js';
import { KNOWN_SECTIONS } from '../tuning.js';
import type { HeadOptions } from './train-on-base.js';
import { UNLIKE_SECTION, unlikeSection } from './unlike-section.js';
import { fitUnlike } from './unlike.js';

/** Whether a model file says how unlike its training's a picture may be. */
export async function tellsUnknown(path: string): Promise<boolean> {
  const { info } = await loadModel(path, { knownSections: KNOWN_SECTIONS });
  return info.sections?.[UNLIKE_SECTION] !== undefined;
}

/**
 * Writes the section `unlike` into a model file.
 *
 * @param layer of the model, whose values are vectors
 * @param training prepared as the model wants it
 */
export async function learnUnknown(
  path: string,
  layer: string,
  training: Dataset,
  device: Device,
  options: HeadOptions & { seed?: number; coverage?: number | undefined },
): Promise<void> {
  expectPath(path, 'learnUnknown: path');
  expectText(layer, 'learnUnknown: layer');
  expectDataset(training, 'learnUnknown: training');
  expectDevice(device, 'learnUnknown: device');
  expectObject(options, 'learnUnknown: options');
  const { seed = 0, batchSize = 16, coverage, onProgress, pause } = options;
  const { model, info } = await loadModel(path, { knownSections: KNOWN_SECTIONS });
  const [height, width] = training.pictureShape;
  const { values } = preparationOf(info, { width, height });
  const inputs = input({ shape: model.inputShape });
  const place = model.nodes.findLastIndex((node) => node.layer.name === layer);
  const extractor = new Model({ inputs, outputs: applyNodes(model.nodes.slice(0, place + 1), inputs)[place + 1] });
  await takeWeights(extractor, model);
  extractor.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
  let done = 0;
  const features = await extractor
    .predict(new DataFlow(training, { batchSize, shuffle: false, ...values }), {
      onScores: (indices) => onProgress?.((done += indices.length), training.labels.length),
    })
    .finally(() => extractor.destroy());
  const unlike = await fitUnlike(features, training.labels, training.classNames.length, {
    seed,
    ...(coverage !== undefined && { coverage }),
    ...(pause && { pause }),
  });
  const section = unlikeSection(unlike, layer);
  const change = (before: typeof info): typeof info => ({
    ...before,
    sections: { ...before.sections, [UNLIKE_SECTION]: section },
  });
  await changeModelFile(path, path, change, { knownSections: KNOWN_SECTIONS });
}

/** Classifiers from ONNX files: most end in plain scores, since their training's loss took these; beltnet's models give probabilities. */
import { expectModel } from '../finite-weights.js';
import { expectFunction, objectWith } from '../../expect.js';
import type { ModelInfo } from '../beltnet/info.js';
import { Activation, Softmax } from '../../nn/layers/activation.js';
import { input } from '../../nn/input.js';
import { Model } from '../../nn/model.js';
import type { ImportedOnnx } from './import-onnx.js';

/**
 * The model with a softmax behind its scores, or a sigmoid behind a single one, where it has none; and a note that says so.
 * @returns the model as it is where it ends in no vector, or in probabilities
 */
export async function withProbabilities(model: Model): Promise<{ model: Model; note: string | null }> {
  expectModel(model, 'withProbabilities');
  const ending = model.layers.at(-1)?.activation;
  if (model.outputShape.length !== 1 || ending === 'softmax' || ending === 'sigmoid') return { model, note: null };
  const [units] = model.outputShape;
  const name = units === 1 ? 'sigmoid' : 'softmax';
  const free = model.layers.some((layer) => layer.name === name) ? `${name}_of_scores` : name;
  const layer = units === 1 ? new Activation('sigmoid', { name: free }) : new Softmax({ name: free });
  const inputs = input({ shape: model.inputShape });
  const complete = new Model({ inputs, outputs: layer.apply(model.apply(inputs)) });
  complete.setWeights(await model.getWeights());
  return { model: complete, note: `the file ends in plain scores; a ${name} makes probabilities of them` };
}

/** What a file that beltnet wrote says of itself; other files say nothing of the kind. */
export function infoOf(imported: ImportedOnnx): Partial<Pick<ModelInfo, 'classNames' | 'preprocessing'>> {
  objectWith({ metadata: objectWith({ get: expectFunction }) })(imported, 'infoOf: imported');
  const { metadata } = imported;
  const read = (key: string): unknown => {
    try {
      return JSON.parse(metadata.get(key) ?? 'null') as unknown;
    } catch {
      return null;
    }
  };
  const [classes, preprocessing] = [read('classes'), read('preprocessing')];
  const isNames = Array.isArray(classes) && classes.every((name) => typeof name === 'string');
  const isObject = typeof preprocessing === 'object' && preprocessing !== null;
  return {
    ...(isNames && { classNames: classes }),
    ...(isObject && { preprocessing: preprocessing as ModelInfo['preprocessing'] }),
  };
}

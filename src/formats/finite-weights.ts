import { ModelFileError } from '../errors.js';
import type { Model } from '../nn/model.js';
import { checkFinite, type NamedWeights } from '../nn/parameters.js';

/**
 * The weights of a model that is to be written: a broken one must not travel on.
 * @param name of what writes it, for messages
 * @throws ModelFileError for NaN and infinity
 */
export async function finiteWeights(model: Model, name: string): Promise<NamedWeights> {
  const weights = await model.getWeights();
  checkFinite(weights, (message) => {
    throw new ModelFileError(`${name}: ${message}; such a model cannot predict anything`);
  });
  return weights;
}

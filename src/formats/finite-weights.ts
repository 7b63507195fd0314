import { ModelFileError, UsageError } from '../errors.js';
import { received } from '../expect.js';
import { Model } from '../nn/model.js';
import { checkFinite, type NamedWeights } from '../nn/parameters.js';

/** @throws UsageError unless it is a model */
export function expectModel(model: unknown, method: string): asserts model is Model {
  if (!(model instanceof Model)) throw new UsageError(`${method}: model expects a Model, got ${received(model)}`);
}

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

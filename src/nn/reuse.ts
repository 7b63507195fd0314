/** Parts of a model in another one: its nodes on another input, its weights under their names. The two share their layers. */
import type { ModelNode } from './graph.js';
import { SymbolicTensor } from './layers/layer.js';
import type { Model } from './model.js';
import type { NamedWeights } from './parameters.js';

/** What nodes give on an input: value 0 is the input, value i + 1 what node i gives. */
export function applyNodes(nodes: readonly ModelNode[], inputs: SymbolicTensor): SymbolicTensor[] {
  const values = [inputs];
  for (const { layer, inputs: given } of nodes) values.push(layer.apply(given.map((from) => values[from])));
  return values;
}

/**
 * Gives a model the weights of another under the same names; the others stay as they are.
 * @param changed weights in their place
 */
export async function takeWeights(model: Model, from: Model, changed: NamedWeights = {}): Promise<void> {
  const [own, theirs] = [await model.getWeights(), await from.getWeights()];
  const taken = Object.keys(own).flatMap((name) =>
    Object.hasOwn(theirs, name) ? [[name, theirs[name]] as const] : [],
  );
  model.setWeights({ ...own, ...Object.fromEntries(taken), ...changed });
}

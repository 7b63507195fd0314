/** Networks from beltnet's description of an architecture (the JSON in its model files), for libraries of JavaScript. */
import { Unsupported } from './serve.mjs';

/**
 * Runs a network of these layers, whatever the library's arrays are.
 *
 * @param architecture as it stands in a model file
 * @param layers by kind: (layer, the values that it takes, whether they are used for the last time) → its value
 * @param x the input
 * @returns the last layer's value; it is called with `isLast`
 */
export function run({ layers: described, nodes: given }, layers, x) {
  const byName = new Map(described.map((layer) => [layer.name, layer]));
  const nodes = given ?? described.map(({ name }, index) => ({ layer: name, inputs: [index] }));
  const lastUse = new Map();
  for (const [index, { inputs }] of nodes.entries()) for (const value of inputs) lastUse.set(value, index);
  const values = [x];
  for (const [index, { layer: name, inputs }] of nodes.entries()) {
    const layer = byName.get(name);
    const make = layers[layer.kind];
    if (!make) throw new Unsupported(`not measured: its program has no layer '${layer.kind}'`);
    const taken = inputs.map((value) => ({ value: values[value], isLastUse: lastUse.get(value) === index }));
    values.push(make(layer, taken, index === nodes.length - 1));
  }
  return values.at(-1);
}

/** Scores of one unit end these programs. */
export function oneUnit({ network: { name, classes } }) {
  if (classes > 2) throw new Unsupported(`not measured: its program has no softmax for network '${name}'`);
}

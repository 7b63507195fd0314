/** A network to train from scratch, as the layers that Keras writes as JSON: a whole model, or no more than a list of layers. */
import { ModelFileError, UsageError } from '../errors.js';
import { readArchitecture } from '../formats/keras/architecture.js';
import { input } from '../nn/input.js';
import { Model } from '../nn/model.js';
import { applyNodes } from '../nn/reuse.js';
import { classifierHead, type NetworkBuilder } from './networks.js';

interface LayerEntry {
  readonly class_name?: unknown;
  readonly config?: unknown;
}

/**
 * @param json what `model.to_json()` gives, or `[{ "class_name": "Conv2D", "config": { "filters": 16, "kernel_size": 3 } }, …]`: such a list
 *   takes pictures of any size, and gets a last layer for the classes unless it has one
 * @param name of the file, for messages
 * @returns what builds it; that throws ModelFileError for layers that are not known or do not fit each other, and UsageError where
 *   the network is for other pictures or classes
 */
export const networkOf =
  (json: unknown, name: string): NetworkBuilder =>
  ({ width, height }, classes, seed) => {
    const isList = Array.isArray(json);
    const layers: readonly LayerEntry[] = isList ? (json as LayerEntry[]) : [];
    const first = { class_name: 'InputLayer', config: { name: 'input', batch_input_shape: [null, height, width, 3] } };
    const named = layers.map((entry, index) => withName(entry, index));
    const row = { class_name: 'Sequential', config: { name: 'network', layers: [first, ...named] } };
    const { model, rescaling, constants } = readArchitecture(isList ? row : json, name);
    const { inputShape } = model;
    if (inputShape.join() !== [height, width, 3].join())
      throw new UsageError(
        `network: ${name} is for pictures of ${inputShape[1]}x${inputShape[0]} with ${inputShape[2]} channels, got RGB pictures of ` +
          `${width}x${height}; give --size ${inputShape[1]}x${inputShape[0]}, or a list of layers without an input shape`,
      );
    if (rescaling !== null)
      throw new ModelFileError(`${name}: expects no Rescaling as its first layer, which --rescale does, got one`);
    const inputs = input({ shape: inputShape });
    const values = applyNodes(model.nodes, inputs);
    const last = values[values.length - 1];
    const ending = model.nodes[model.nodes.length - 1].layer.activation;
    const isClassifier = ending === 'sigmoid' || ending === 'softmax';
    if (last.shape.length !== 1 || (!isClassifier && !isList))
      throw new UsageError(
        `network: expects ${name} to end in a vector${isList ? '' : ', with softmax or sigmoid'}, got [${last.shape.join(',')}] with ${ending}`,
      );
    const units = classes === 2 ? [1, 2] : [classes];
    if (isClassifier && !units.includes(last.shape[0]))
      throw new UsageError(
        `network: expects ${name} to end in ${units.join(' or ')} units for ${classes} classes, got ${last.shape[0]}`,
      );
    const outputs = isClassifier ? last : classifierHead(classes).apply(last);
    const network = new Model({ inputs, outputs, seed });
    if (Object.keys(constants).length > 0)
      throw new ModelFileError(`${name}: expects no layers with numbers of their own (Normalization), got such`);
    return network;
  };

/** Keras counts the layers of a class; here their place is enough. */
function withName(entry: LayerEntry, index: number): LayerEntry {
  if (typeof entry?.class_name !== 'string') return entry; // which the reader refuses
  return { ...entry, config: { name: `${entry.class_name.toLowerCase()}_${index + 1}`, ...Object(entry.config) } };
}

/** A model that is a row of layers, used as Keras' `Sequential` is. */
import { UsageError } from '../errors.js';
import { expectList, refuse } from '../expect.js';
import { checkNames } from '../options.js';
import { Layer } from './layers/layer.js';
import { Model } from './model.js';

export class Sequential extends Model {
  /** @param options.seed of the initial weights and of dropout: same seed, same training */
  constructor(layers: readonly Layer[] = [], options: { seed?: number } = {}) {
    checkNames('Sequential', options, { seed: true });
    expectList(layers, 'Sequential: layers');
    super(options);
    for (const layer of layers) this.add(layer);
  }

  /**
   * Appends a layer. The first one needs `inputShape`.
   * @throws ShapeError when the layer cannot follow the ones before it; UsageError after `compile`
   */
  add(layer: Layer): this {
    this.checkNotCompiled();
    if (!(layer instanceof Layer)) refuse(layer, 'Sequential: a layer', 'a Layer');
    const { length } = this.layers;
    if (length === 0) {
      if (!layer.inputShape)
        throw new UsageError(`add: the first layer (${layer.kind}) needs inputShape, for example [64, 64, 3]`);
      this.graph.inputShape = layer.inputShape;
    }
    if (this.layers.includes(layer))
      throw new UsageError(`add: there is a layer '${layer.name}' already; give this one another name`);
    this.graph.append(layer, [length]);
    return this;
  }
}

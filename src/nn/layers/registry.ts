/** All classes of layers: beltnet's own, and those that users register. What model files say of a layer becomes one here. */
import { expectFunction } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { nearestOf, preview } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from './activation.js';
import { Conv2D, DepthwiseConv2D } from './convolution.js';
import { Cropping2D, Dense, Dropout, Flatten, Permute, Reshape, ZeroPadding2D } from './core.js';
import { classOf, type Layer, type LayerClass, type LayerConfig } from './layer.js';
import { Add, Concatenate, Multiply } from './merging.js';
import { BatchNormalization } from './normalization.js';
import { Normalization, Rescaling } from './preprocessing.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D } from './pooling.js';

/** beltnet's own. A new one has a line here; tables of other formats then do not compile until they have a row for it. */
const layerClasses = [
  Activation,
  Add,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Cropping2D,
  Dense,
  DepthwiseConv2D,
  Dropout,
  ELU,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  LeakyReLU,
  MaxPooling2D,
  Multiply,
  Normalization,
  Permute,
  ReLU,
  Rescaling,
  Reshape,
  Softmax,
  ZeroPadding2D,
] as const satisfies readonly LayerClass[];

export type LayerKind = (typeof layerClasses)[number]['kind'];

/** The layer of a kind. */
export type LayerOf<Kind extends LayerKind> = InstanceType<
  Extract<(typeof layerClasses)[number], { readonly kind: Kind }>
>;

/** The kind of one of beltnet's own layers; null for a user's, also for one that is derived of ours. */
export const ownKind = (layer: Layer): LayerKind | null =>
  layerClasses.find((own): boolean => own === layer.constructor)?.kind ?? null;

const registered = new Map<string, LayerClass>(layerClasses.map((own) => [own.kind, own]));

/**
 * Makes a class of layers known, so that models with it can be saved and loaded: call it before either.
 * @throws UsageError unless the class has a static kind, which no other class has, and a static schema
 */
export function registerLayer(layer: LayerClass): void {
  expectFunction(layer, 'registerLayer: layer');
  const { kind, schema } = layer;
  if (typeof kind !== 'string' || kind === '' || typeof schema !== 'object')
    throw new UsageError(
      `registerLayer: expects a class with a static kind and a static schema, got ${preview(kind)} and ${preview(schema)}`,
    );
  if ((registered.get(kind) ?? layer) !== layer)
    throw new UsageError(`registerLayer: expects a kind of its own for each class, got '${kind}' for a second one`);
  registered.set(kind, layer);
}

/**
 * A layer as a model file describes it.
 * @throws UsageError naming the kind or option that is unknown, missing or not what was expected
 */
export function layerOf(config: unknown, inputShape?: Shape): Layer {
  const { kind, ...options } = (config ?? {}) as Record<string, unknown>;
  const { name } = options;
  const place = typeof name === 'string' ? `layer '${name.slice(0, 80)}'` : 'a layer';
  if (typeof name !== 'string' || name === '')
    throw new UsageError(`${place}: name expects a text that is not empty, got ${preview(name)}`);
  const layer = registered.get(kind as string);
  if (!layer) {
    const nearest = typeof kind === 'string' ? nearestOf(kind, [...registered.keys()]) : null;
    throw new UsageError(
      `${place}: kind expects one of ${[...registered.keys()].join(', ')}, got ${preview(kind)}${nearest ? `; did you mean '${nearest}'?` : ''}; make a class of your own known with registerLayer()`,
    );
  }
  for (const [option, one] of Object.entries(layer.schema)) {
    const value = options[option];
    const mayLack = 'isAdded' in one && one.isAdded;
    if (!(value === undefined && mayLack) && one.read(value) === undefined)
      throw new UsageError(`${place}: ${option} expects ${one.expects}, got ${preview(value)}`);
  }
  return construct(layer, inputShape ? { ...options, inputShape } : options);
}

function construct(layer: LayerClass, options: Readonly<Record<string, unknown>>): Layer {
  const { leading = [] } = layer;
  const others = Object.fromEntries(Object.entries(options).filter(([option]) => !leading.includes(option)));
  const given = [...leading.map((option) => options[option]), others];
  return new layer(...(given as never[]));
}

/**
 * Makes sure that a layer can be loaded from what would be saved of it.
 * @throws UsageError for a class that is not registered, and for options that JSON does not keep
 */
export function checkSavable(layer: Layer): void {
  const own = classOf(layer);
  if (registered.get(own.kind) !== own)
    throw new UsageError(
      `layer '${layer.name}': expects a class that can be loaded again, got ${own.name} (${own.kind}); call registerLayer(${own.name}) first`,
    );
  const saved = JSON.stringify(layer.config());
  const loaded = JSON.stringify(layerOf(JSON.parse(saved) as LayerConfig).config());
  if (loaded !== saved)
    throw new UsageError(
      `layer '${layer.name}': expects options that JSON keeps, got ${saved}, which loads as ${loaded}`,
    );
}

/**
 * Weights in the HDF5 files of Keras. Keras 1 and 2 (and `.h5` of Keras 3) keep groups of layers, named in attributes, in the order
 * of the model; Keras 3 keeps `layers/conv2d_1/vars/0`, by class. Source: `legacy_h5_format.py` and `saving_lib.py` of Keras 3.15,
 * `topology.py` of Keras 2.1.
 */
import { ModelFileError } from '../../errors.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { formatShape, sameShape, sizeOf } from '../../tensor/shape.js';
import type { WeightedLayer } from './architecture.js';
import type { Hdf5Dataset, Hdf5Group } from './hdf5.js';
import { preview } from './preview.js';

interface SavedLayer {
  readonly name: string;
  /** With their names in the file, in the file's order. */
  readonly weights: readonly { readonly name: string; readonly value: Hdf5Dataset }[];
}

/**
 * @param name of the file, for messages
 * @throws ModelFileError when weights are missing, superfluous, of another shape, or not finite
 */
export function readWeights(file: Hdf5Group, layers: readonly WeightedLayer[], name: string): NamedWeights {
  const root = file.groups.get('model_weights') ?? file;
  const isLegacy = root.attributes.has('layer_names') || root.attributes.has('layer_names0');
  const saved = isLegacy ? savedLayers(root, layers, name) : checkpointLayers(root, layers, name);
  const isTheano = isLegacy && root.attributes.get('backend') === 'theano';
  const weights: Record<string, NamedWeights[string]> = {};
  for (const [index, layer] of layers.entries()) {
    const place = `${name}: layer '${layer.name}'`;
    const values = inOrder(layer, saved[index], place);
    for (const [i, parameter] of layer.parameters.entries()) {
      const { shape, data } = values[i];
      if (!sameShape(shape, parameter.shape) && !(sizeOf(shape) === 1 && sizeOf(parameter.shape) === 1))
        throw new ModelFileError(
          `${place}: ${parameter.name} expects ${formatShape(parameter.shape)}, got ${formatShape(shape)} (${saved[index].name})`,
        );
      if (!data.every(Number.isFinite))
        throw new ModelFileError(
          `${place}: ${parameter.name} expects finite numbers, got NaN or infinity; the model cannot predict anything`,
        );
      const flipped = isTheano && layer.className === 'Conv2D' && shape.length === 4;
      weights[parameter.name] = { shape: parameter.shape, data: flipped ? rotated(data, shape[2] * shape[3]) : data };
    }
  }
  return weights;
}

/** Theano convolves where others correlate: kernels [KH,KW,C,K] are stored turned by 180 degrees. */
function rotated(kernel: Float32Array, pixel: number): Float32Array {
  const turned = new Float32Array(kernel.length);
  for (let at = 0; at < kernel.length; at += pixel)
    turned.set(kernel.subarray(at, at + pixel), kernel.length - pixel - at);
  return turned;
}

/** How much a Normalization has seen: an integer, which no prediction needs. */
const COUNT = /(?:^|\/)count(?::\d+)?$/;

/** Layers with weights of Keras 1 and 2, matched as Keras does: by their order; by name where all names are the same. */
function savedLayers(root: Hdf5Group, layers: readonly WeightedLayer[], name: string): SavedLayer[] {
  const all = texts(root, 'layer_names', name).map((layer): SavedLayer => {
    const group = groupAt(root, layer);
    if (!group) throw new ModelFileError(`${name}: expects a group '${layer}', which is named in layer_names`);
    const named = texts(group, 'weight_names', `${name}: ${layer}`).filter((weight) => !COUNT.test(weight));
    const weights = named.map((weight) => {
      const value = datasetAt(group, weight);
      if (!value)
        throw new ModelFileError(`${name}: expects the weights '${weight}' of layer '${layer}', which are named there`);
      return { name: weight, value };
    });
    return { name: layer, weights };
  });
  const saved = all.filter(({ weights }) => weights.length > 0);
  /** A model in the model is one layer there. */
  const units = [...new Set(layers.map((layer) => layer.network ?? layer))].map((unit) =>
    typeof unit === 'string'
      ? { name: unit, members: layers.filter(({ network }) => network === unit) }
      : { name: unit.name, members: null },
  );
  if (saved.length !== units.length)
    throw new ModelFileError(
      `${name}: expects weights of ${units.length} layers (${list(units)}), got those of ${saved.length} (${list(saved)})`,
    );
  const byName = new Map(saved.map((layer) => [layer.name, layer]));
  const sameNames = units.every((unit) => byName.has(unit.name));
  return units.flatMap(({ name: unit, members }, index) => {
    const found = sameNames ? (byName.get(unit) as SavedLayer) : saved[index];
    return members ? membersOf(found, members, name) : [found];
  });
}

/** The layers of a model in the model, by the names of their weights: `…/conv1/kernel:0`. */
function membersOf({ name: unit, weights }: SavedLayer, members: readonly WeightedLayer[], name: string): SavedLayer[] {
  const byOwner = new Map<string, SavedLayer['weights'][number][]>();
  for (const weight of weights) {
    const owner = steps(weight.name).at(-2) ?? '';
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), weight]);
  }
  const found = members.map((layer): SavedLayer => ({ name: layer.name, weights: byOwner.get(layer.name) ?? [] }));
  const count = found.reduce((sum, layer) => sum + layer.weights.length, 0);
  if (count !== weights.length)
    throw new ModelFileError(
      `${name}: expects the weights of layer '${unit}' to be named by its layers (${list(members)}), got ${list(weights)}`,
    );
  return found;
}

/** Layers with weights of Keras 3. Keras 2.12 to 2.15 call the group otherwise. */
function checkpointLayers(root: Hdf5Group, layers: readonly WeightedLayer[], name: string): SavedLayer[] {
  const group = root.groups.get('layers') ?? root.groups.get('_layer_checkpoint_dependencies');
  if (!group)
    throw new ModelFileError(
      `${name}: expects weights of Keras (layer_names, model_weights or layers), got groups ${list([...root.groups.keys()].map((key) => ({ name: key }))) || 'none'}`,
    );
  const container = root.groups.has('layers') ? 'layers' : '_layer_checkpoint_dependencies';
  return layers.map(({ name: layer, checkpoint }) => {
    const variables = groupAt(group, `${checkpoint.replaceAll('/layers/', `/${container}/`)}/vars`);
    if (!variables)
      throw new ModelFileError(`${name}: expects weights of layer '${layer}' in layers/${checkpoint}/vars`);
    const weights = [...variables.datasets]
      .toSorted(([a], [b]) => Number(a) - Number(b))
      .map(([index, value]) => ({ name: `${checkpoint}/vars/${index}`, value }));
    return { name: checkpoint, weights };
  });
}

/** What weights are called: of Keras 1 `dense_1_W`, of Keras 2 `dense_1/kernel:0`, of Keras 3 `sequential/dense/kernel`. */
const ROLE =
  /(?:^|[/_])((?:depthwise_|pointwise_)?kernel|bias|gamma|beta|moving_mean|moving_variance|running_mean|running_std|W|b)(?::\d+)?$/;
/** Keras 1: its running_std is the variance. */
const OLD_ROLES: Readonly<Record<string, string>> = {
  W: 'kernel',
  pointwise_kernel: 'kernel',
  b: 'bias',
  running_mean: 'moving_mean',
  running_std: 'moving_variance',
};

/** The values in the order of the layer's parameters: by what their names say, where they say it, else as they come. */
function inOrder(layer: WeightedLayer, { name, weights: given }: SavedLayer, place: string): Hdf5Dataset[] {
  // Behind its mean and variance a Normalization keeps how much it has seen.
  const weights = layer.className === 'Normalization' ? given.slice(0, layer.parameters.length) : given;
  if (weights.length !== layer.parameters.length)
    throw new ModelFileError(
      `${place}: expects ${layer.parameters.length} weights (${list(layer.parameters)}), got ${weights.length} (${list(weights) || name})`,
    );
  const roles = weights.map((weight) => ROLE.exec(weight.name)?.[1] ?? '');
  const byRole = new Map(
    roles.map((role, i) => [Object.hasOwn(OLD_ROLES, role) ? OLD_ROLES[role] : role, weights[i].value]),
  );
  const wanted = layer.parameters.map((parameter) =>
    byRole.get(parameter.name.slice(parameter.name.lastIndexOf('.') + 1)),
  );
  return wanted.every((value) => value !== undefined) ? wanted : weights.map(({ value }) => value);
}

const LONGEST_NAME = 300;

const list = (named: readonly { readonly name: string }[]): string => {
  const all = named.map(({ name }) => name).join(', ');
  return all.length > LONGEST_NAME ? `${all.slice(0, LONGEST_NAME)}…` : all;
};

/** An attribute with a list of texts; long ones are cut into `name0`, `name1`, … */
function texts(group: Hdf5Group, attribute: string, place: string): string[] {
  const found: unknown[] = [];
  const take = (value: unknown): void => {
    for (const text of Array.isArray(value) ? (value as unknown[]) : [value]) found.push(text);
  };
  if (group.attributes.has(attribute)) take(group.attributes.get(attribute));
  else
    for (let part = 0; group.attributes.has(`${attribute}${part}`); part++)
      take(group.attributes.get(`${attribute}${part}`));
  return found.map((text) => {
    if (typeof text !== 'string' || text.length > LONGEST_NAME)
      throw new ModelFileError(`${place}: expects names in the attribute ${attribute}, got ${preview(text)}`);
    return text.replace(/\0+$/, ''); // texts of fixed length are filled up
  });
}

const steps = (path: string): string[] => path.split('/').filter((step) => step !== '');

function groupAt(group: Hdf5Group, path: string): Hdf5Group | undefined {
  return steps(path).reduce<Hdf5Group | undefined>((at, step) => at?.groups.get(step), group);
}

function datasetAt(group: Hdf5Group, path: string): Hdf5Dataset | undefined {
  const all = steps(path);
  return groupAt(group, all.slice(0, -1).join('/'))?.datasets.get(all.at(-1) ?? '');
}

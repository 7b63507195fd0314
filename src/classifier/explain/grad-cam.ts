/**
 * Which places of a picture speak for a class, by gradients: Grad-CAM.
 * Source: Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization" (ICCV 2017).
 *
 * With the maps A [H,W,C] of a layer and the class's score s (before sigmoid or softmax):
 *   αc = 1/(H·W) Σhw ∂s/∂A[h,w,c]     heat[h,w] = max(0, Σc αc · A[h,w,c])
 */
import { expectModel } from '../../formats/finite-weights.js';
import { expectArray, expectCount, expectFinite, listOf } from '../../expect.js';
import { UsageError } from '../../errors.js';
import type { Model } from '../../nn/model.js';
import { backward, record } from '../../tensor/autograd.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { largest, stretched, type HeatMap, expectMap } from './heat-map.js';

/**
 * The layers whose maps are looked at unless others are named. Of a model on a base: those that give its features; else the last
 * that gives maps of more than one place. A pooling layer stands for the convolution before it, whose maps are finer.
 *
 * @throws UsageError for a model without such a layer
 */
export function explainedLayers(model: Model): string[] {
  expectModel(model, 'explainedLayers');
  const { nodes } = model;
  const nameOf = (at: number): string => {
    const uses = nodes.flatMap((node, index) => (node.layer === nodes[at].layer ? [index] : []));
    return nodes[at].layer.name + (uses.length > 1 ? `:${uses.indexOf(at)}` : '');
  };
  const taps = nodes.flatMap(({ layer, inputs }) => (layer.name.startsWith('base_mean_') ? [inputs[0] - 1] : []));
  if (taps.length > 0) return taps.map(nameOf);
  let at = nodes.findLastIndex(({ shape }) => shape.length === 3 && shape[0] * shape[1] > 1);
  while (at >= 0 && nodes[at].layer.kind.includes('Pooling') && nodes[at].inputs[0] > 0) at = nodes[at].inputs[0] - 1;
  if (at >= 0) return [nameOf(at)];
  throw new UsageError(
    'explain: expects a model with layers that give maps [H,W,C], got one without: it sees no places',
  );
}

/**
 * Heat maps of pictures, each for one class. Several layers' are added up, each as its part of the score.
 *
 * @param model compiled; nothing of it changes
 * @param x prepared pictures [N, …inputShape]
 * @param classes index of the class that is asked about, [N]; one sigmoid unit's score stands for class 1, and against class 0
 * @param layers that give maps [H,W,C]
 * @throws UsageError for a layer that does not
 */
export async function gradCam(
  model: Model,
  x: Float32Array,
  classes: ArrayLike<number>,
  layers: readonly string[] = explainedLayers(model),
): Promise<HeatMap[]> {
  expectModel(model, 'gradCam');
  expectFinite(x, 'gradCam: x');
  listOf(expectCount)(classes, 'gradCam: classes');
  expectArray(layers, 'gradCam: layers');
  const { device } = model.training;
  const pictures = classes.length;
  const { units } = model;
  const kept = device.scope((): Tensor[] => {
    const inputs = tensor(device, x, [pictures, ...model.inputShape]);
    const maps = model.values(inputs, { of: layers, constantParameters: true });
    for (const [layer, { shape }] of Object.entries(maps))
      if (shape.length !== 4)
        throw new UsageError(`explain: expects layers that give maps [H,W,C], got '${layer}', which gives none`);
    for (const each of Object.values(maps)) each.requiresGradient = true;
    const { result: scores, tape } = record(() =>
      model.call(inputs, { logits: true, given: maps, constantParameters: true }),
    );
    const gradients = backward(tape, scores, tensor(device, oneHot(classes, units), [pictures, units]));
    return layers.flatMap((layer) => [maps[layer], gradients.get(maps[layer]) ?? []].flat());
  });
  try {
    const values = await Promise.all(kept.map((each) => each.read()));
    const perLayer = layers.map((_, index) => {
      const [, height, width, channels] = kept[2 * index].shape;
      const length = height * width * channels;
      return Array.from({ length: pictures }, (__, n) => {
        const [maps, gradients] = [values[2 * index], values[2 * index + 1]].map((all) =>
          all.subarray(n * length, (n + 1) * length),
        );
        return { width, height, values: weighted(maps, gradients, channels) };
      });
    });
    return Array.from({ length: pictures }, (_, n) => positive(joined(perLayer.map((maps) => maps[n]))));
  } finally {
    for (const each of kept) each.destroy();
  }
}

/** ∂s/∂scores: [N, units]. */
function oneHot(classes: ArrayLike<number>, units: number): Float32Array {
  const seed = new Float32Array(classes.length * units);
  for (let n = 0; n < classes.length; n++) {
    if (units === 1) seed[n] = classes[n] === 1 ? 1 : -1;
    else seed[n * units + classes[n]] = 1;
  }
  return seed;
}

/** Σc αc · A[h,w,c], α being the gradients' means over all places. */
function weighted(maps: Float32Array, gradients: Float32Array, channels: number): Float32Array {
  const places = maps.length / channels;
  const alpha = new Float64Array(channels);
  for (let at = 0; at < gradients.length; at++) alpha[at % channels] += gradients[at] / places;
  return Float32Array.from({ length: places }, (_, place) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += alpha[channel] * maps[place * channels + channel];
    return sum;
  });
}

/** The sum of several layers' maps in the grid of the finest: a place of a coarse map stands for several of that one. */
function joined(maps: readonly HeatMap[]): HeatMap {
  if (maps.length === 1) return maps[0];
  const finest = maps.reduce((best, map) => (map.values.length > best.values.length ? map : best));
  const sum = new Float32Array(finest.values.length);
  for (const map of maps) {
    const share = map.values.length / finest.values.length;
    for (const [at, value] of stretched(map, finest).values.entries()) sum[at] += value * share;
  }
  return { width: finest.width, height: finest.height, values: sum };
}

const positive = (map: HeatMap): HeatMap => ({ ...map, values: map.values.map((value) => Math.max(0, value)) });

/** Where the map is largest, as parts of width and height; null where nothing speaks for the class. */
export function hottest(map: HeatMap): { readonly x: number; readonly y: number } | null {
  expectMap(map, 'hottest: map');
  const at = largest(map);
  if (!(map.values[at] > 0)) return null;
  return { x: ((at % map.width) + 0.5) / map.width, y: (Math.floor(at / map.width) + 0.5) / map.height };
}

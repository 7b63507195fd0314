/**
 * Models that were shown good pictures only, as ordinary models: their layers compute how far a picture is from the good ones, and a sigmoid
 * makes of that the probability of a defect, one half at the alarm limit. So they are saved, run, exported, judged and explained like any
 * other.
 *
 *     scene         means over all positions of three of the base's layers, x [W] → d² = |F·(x − μ)|²
 *     fixed camera  64 channels at each of at most 28×28 positions p, x [P,64] → d² = max over p of |F_p·(x_p − μ_p)|²
 *                   (PaDiM: Defard et al., arXiv:2011.08785)
 *
 * with F·Fᵀ the inverse of the covariance of good pictures. F is a layer's kernel, |…|² a product of its values with themselves.
 */
import { UsageError } from '../../errors.js';
import { applyNodes } from '../../nn/reuse.js';
import { input } from '../../nn/input.js';
import { Conv2D } from '../../nn/layers/convolution.js';
import { Dense, Flatten, Reshape } from '../../nn/layers/core.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import { Concatenate, Multiply } from '../../nn/layers/merging.js';
import { AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D } from '../../nn/layers/pooling.js';
import { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { Random, RandomStream } from '../../tensor/random.js';
import type { Base } from '../base/features.js';

export const goodOnlyWays = ['scene', 'fixed-camera'] as const;
export type GoodOnlyWay = (typeof goodOnlyWays)[number];

/** Layers of these models; the last gives the probability. */
export const SCORE = 'good_only_score';
/** Of fixed cameras: how far each position is, [rows, columns, 1], 1 at the limit. */
export const SCORE_MAP = 'good_only_map';
const WHITENED = 'good_only_whitened';
const CHOSEN = 'good_only_channels';

/** At each position: as many as make files of 7 MB at most. */
const MOST_CHANNELS = 64;
const MOST_POSITIONS_A_SIDE = 28;
const LARGEST_FACTORS = 7e6;

/** How steeply the probability rises: sigmoid of this times (d² / limit² − 1). */
const STEEPNESS = 2;

/** What good pictures look like: means [groups, width], and factors [groups, width, width], lower triangles. */
export interface GoodStatistics {
  readonly means: Float32Array;
  readonly factors: Float32Array;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a way looks at, as a model: [H,W,3] → [groups · width], channels of a position behind each other. */
export interface View {
  readonly model: Model;
  /** Positions that have statistics of their own: 1 of a scene. */
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
}

/** @throws UsageError for a base whose layers do not fit */
export async function viewOf(base: Base, way: GoodOnlyWay, size: Size, seed: number): Promise<View> {
  const built = build(base, way, size, seed);
  const { inputs, view, rows, columns, width } = built;
  const model = new Model({ inputs, outputs: new Flatten({ name: 'good_only_view' }).apply(view) });
  await fill(model, base, built.fixed);
  return { model, rows, columns, width };
}

/**
 * @param limit the distance at which the alarm is raised; null: the model gives d² itself
 * @param sign 1 where the probability is that of a defect, −1 where it is that of a good picture
 */
export async function scorerOf(
  base: Base,
  way: GoodOnlyWay,
  size: Size,
  {
    seed,
    statistics,
    limit,
    sign = 1,
  }: { seed: number; statistics: GoodStatistics; limit: number | null; sign?: 1 | -1 },
): Promise<Model> {
  const { inputs, view, rows, columns, width, fixed } = build(base, way, size, seed);
  const groups = rows * columns;
  const share = limit === null ? 1 : 1 / (limit * limit);
  const steepness = limit === null ? 1 : STEEPNESS * sign;
  const score = new Dense(1, { name: SCORE, activation: limit === null ? 'linear' : 'sigmoid', trainable: false });
  const one = (value: number): NamedWeights[string] => ({ shape: [1], data: Float32Array.of(value) });
  const weights: Record<string, NamedWeights[string]> = {
    ...fixed,
    [`${SCORE}.bias`]: one(limit === null ? 0 : -steepness),
  };
  let outputs: SymbolicTensor;
  if (way === 'scene') {
    const whitened = new Dense(width, { name: WHITENED, trainable: false }).apply(view);
    outputs = score.apply(new Multiply({ name: 'good_only_squares' }).apply([whitened, whitened]));
    weights[`${SCORE}.kernel`] = { shape: [width, 1], data: new Float32Array(width).fill(steepness * share) };
    weights[`${WHITENED}.kernel`] = { shape: [width, width], data: kernelOf(statistics, 1, width) };
  } else {
    const row = new Reshape([1, 1, groups * width], { name: 'good_only_row' }).apply(view);
    const layer = new Conv2D(groups * width, 1, { name: WHITENED, groups, trainable: false });
    const whitened = layer.apply(row);
    const squares = new Multiply({ name: 'good_only_squares' }).apply([whitened, whitened]);
    const picture = new Reshape([rows, columns, width], { name: 'good_only_positions' }).apply(squares);
    const map = new Conv2D(1, 1, { name: SCORE_MAP, useBias: false, trainable: false }).apply(picture);
    outputs = score.apply(new GlobalMaxPooling2D({ name: 'good_only_farthest' }).apply(map));
    weights[`${SCORE}.kernel`] = { shape: [1, 1], data: Float32Array.of(steepness) };
    weights[`${SCORE_MAP}.kernel`] = { shape: [1, 1, width, 1], data: new Float32Array(width).fill(share) };
    weights[`${WHITENED}.kernel`] = { shape: [1, 1, width, groups * width], data: kernelOf(statistics, groups, width) };
  }
  weights[`${WHITENED}.bias`] = { shape: [groups * width], data: biasOf(statistics, groups, width) };
  const model = new Model({ inputs, outputs });
  for (const layer of model.layers) layer.trainable = false;
  await fill(model, base, weights);
  return model;
}

/** Kernel [width, groups · width] of z = F·x, group by group. */
function kernelOf({ factors }: GoodStatistics, groups: number, width: number): Float32Array {
  const kernel = new Float32Array(width * groups * width);
  for (let group = 0; group < groups; group++)
    for (let row = 0; row < width; row++)
      for (let column = 0; column <= row; column++)
        kernel[column * groups * width + group * width + row] = factors[(group * width + row) * width + column];
  return kernel;
}

/** −F·μ */
function biasOf({ means, factors }: GoodStatistics, groups: number, width: number): Float32Array {
  return Float32Array.from({ length: groups * width }, (_, at) => {
    const group = Math.floor(at / width);
    let sum = 0;
    for (let column = 0; column < width; column++) sum -= factors[at * width + column] * means[group * width + column];
    return sum;
  });
}

interface Built {
  readonly inputs: SymbolicTensor;
  readonly view: SymbolicTensor;
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
  /** Weights that are neither the base's nor learned. */
  readonly fixed: NamedWeights;
}

function build(base: Base, way: GoodOnlyWay, { width, height }: Size, seed: number): Built {
  const inputs = input({ shape: [height, width, base.model.inputShape[2]] });
  const places = base.featureLayers.map((name) => base.model.nodes.findLastIndex(({ layer }) => layer.name === name));
  const values = applyNodes(base.model.nodes.slice(0, Math.max(...places) + 1), inputs);
  const maps = places.map((place, index) => {
    const map = place < 0 ? undefined : values[place + 1];
    if (map?.shape.length === 3) return map;
    throw new UsageError(
      `good only: expects feature layers that give maps [H,W,C], got '${base.featureLayers[index]}'`,
    );
  });
  return way === 'scene' ? sceneView(inputs, maps) : cameraView(inputs, maps, seed);
}

function sceneView(inputs: SymbolicTensor, maps: readonly SymbolicTensor[]): Built {
  const means = maps.map((map, index) => new GlobalAveragePooling2D({ name: `good_only_mean_${index}` }).apply(map));
  const view = means.length === 1 ? means[0] : new Concatenate({ name: 'good_only_means' }).apply(means);
  return { inputs, view, rows: 1, columns: 1, width: view.shape[0], fixed: {} };
}

/** The maps on the grid of the deepest, and of their channels some, drawn from the seed. */
function cameraView(inputs: SymbolicTensor, maps: readonly SymbolicTensor[], seed: number): Built {
  const [rows, columns] = [0, 1].map((axis) => Math.min(...maps.map(({ shape }) => shape[axis])));
  if (rows > MOST_POSITIONS_A_SIDE || columns > MOST_POSITIONS_A_SIDE)
    throw new UsageError(
      `fixed camera: expects layers of at most 28×28 positions, got ${rows}×${columns}; take smaller pictures or deeper layers`,
    );
  const onGrid = maps.map((map, index) => {
    const poolSize = [Math.floor(map.shape[0] / rows), Math.floor(map.shape[1] / columns)] as const;
    if (map.shape[0] !== poolSize[0] * rows || map.shape[1] !== poolSize[1] * columns)
      throw new UsageError(
        `fixed camera: expects maps whose sides are multiples of ${rows}×${columns}, got ${map.shape[0]}×${map.shape[1]}; take pictures whose sides are multiples of 32`,
      );
    return poolSize[0] * poolSize[1] === 1
      ? map
      : new AveragePooling2D({ name: `good_only_grid_${index}`, poolSize }).apply(map);
  });
  const all = onGrid.length === 1 ? onGrid[0] : new Concatenate({ name: 'good_only_maps' }).apply(onGrid);
  const channels = all.shape[2];
  const room = Math.floor(Math.sqrt(LARGEST_FACTORS / (4 * rows * columns)));
  const width = Math.min(MOST_CHANNELS, room, channels);
  const chosen = new Random(seed, RandomStream.weights, 0).permutation(channels).slice(0, width);
  const kernel = new Float32Array(channels * width);
  for (const [at, channel] of Array.from(chosen)
    .toSorted((a, b) => a - b)
    .entries())
    kernel[channel * width + at] = 1;
  const choice = new Conv2D(width, 1, { name: CHOSEN, useBias: false, trainable: false });
  const fixed = { [`${CHOSEN}.kernel`]: { shape: [1, 1, channels, width], data: kernel } };
  return { inputs, view: choice.apply(all), rows, columns, width, fixed };
}

async function fill(model: Model, base: Base, weights: NamedWeights): Promise<void> {
  const theirs = await base.model.getWeights();
  const own = await model.getWeights();
  model.setWeights(
    Object.fromEntries(Object.entries(own).map(([name, value]) => [name, weights[name] ?? theirs[name] ?? value])),
  );
}

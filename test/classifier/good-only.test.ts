/** Good pictures only: distances against NumPy and scikit-learn, the limit against its own promise, and models that are like any other. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  alarmLimit,
  Conv2D,
  decodeModel,
  encodeModel,
  encodeOnnx,
  importOnnx,
  input,
  judgeDefects,
  MaxPooling2D,
  Model,
  Random,
  RandomStream,
  rocAuc,
  trainGoodOnly,
  type Base,
  type Dataset,
} from '../../src/index.js';
import { PositionSums, sceneStatistics } from '../../src/classifier/good-only/statistics.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestCpu } from '../support/open-devices.js';

const reference = JSON.parse(readFileSync(new URL('good-only.reference.json', import.meta.url), 'utf8')) as Record<
  'good' | 'others' | 'camera' | 'scene',
  number[]
> & { groups: number; width: number };

let device: Device;
beforeAll(async () => {
  device = await openTestCpu();
});
afterAll(() => device.destroy());

/** The largest over the groups of |F·(x − μ)|. */
function farthest(
  x: readonly number[],
  { means, factors }: { means: Float32Array; factors: Float32Array },
  width: number,
): number {
  const squares = new Float64Array(x.length / width);
  for (let at = 0; at < x.length; at++) {
    const group = Math.floor(at / width);
    let sum = 0;
    for (let j = 0; j < width; j++) sum += factors[at * width + j] * (x[group * width + j] - means[group * width + j]);
    squares[group] += sum ** 2;
  }
  return Math.sqrt(Math.max(...squares));
}

describe('distances', () => {
  const { good, others, groups, width } = reference;
  const length = groups * width;
  const rows = Array.from({ length: others.length / length }, (_, n) => others.slice(n * length, (n + 1) * length));

  test('of a fixed camera are NumPy’s, however many pictures come at a time', () => {
    const sums = new PositionSums(groups, width);
    for (let first = 0; first < good.length; first += 7 * length)
      sums.add(Float32Array.from(good.slice(first, first + 7 * length)));
    const statistics = sums.statistics();
    for (const [n, row] of rows.entries())
      expect(farthest(row, statistics, width) / reference.camera[n]).toBeCloseTo(1, 4);
  });

  test('of a scene are scikit-learn’s', async () => {
    const { means, factors } = await sceneStatistics(Float32Array.from(good), good.length / length);
    for (const [n, row] of rows.entries())
      expect(farthest(row, { means, factors }, length) / reference.scene[n]).toBeCloseTo(1, 4);
  });
});

describe('the limit', () => {
  const random = new Random(24, RandomStream.bootstrap);
  /** Distances whose distribution is known: the share beyond t is 1 − t. */
  const draw = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.uniform());

  test.each([
    [1000, 0.01],
    [300, 0.05],
    [120, 0.1],
  ])('of %i pictures holds %d within its interval in 95 of 100', (count, rate) => {
    const draws = 400;
    let held = 0;
    let sum = 0;
    for (let n = 0; n < draws; n++) {
      const { distance, falseAlarms, isBeyondAll } = alarmLimit(draw(count), rate);
      expect(isBeyondAll).toBe(false);
      const truth = 1 - distance;
      sum += truth;
      if (truth >= falseAlarms.low && truth <= falseAlarms.high) held++;
    }
    expect(held / draws).toBeGreaterThan(0.92);
    expect(sum / draws).toBeLessThanOrEqual(1.1 * rate);
    expect(sum / draws).toBeGreaterThan(0.7 * rate);
  });

  test('of fewer pictures than the rate wants lies beyond all of them, and its interval says so', () => {
    const distances = draw(50);
    const { distance, beyond, falseAlarms, isBeyondAll } = alarmLimit(distances, 0.01);
    expect({ beyond, isBeyondAll }).toEqual({ beyond: 0, isBeyondAll: true });
    expect(distance).toBeGreaterThan(Math.max(...distances));
    expect(falseAlarms.high).toBeGreaterThan(0.05);
  });

  test.each([
    [[], 0.01],
    [[1], 0],
    [[1], 1],
    [[1], NaN],
  ])('of %j at %d is refused', (distances, rate) => {
    expect(() => alarmLimit(distances, rate)).toThrow(
      /expects good pictures that are held back|rate expects a number above 0 and below 1/,
    );
  });
});

// --- a base that nobody trained, and pictures whose middle tells

function randomBase(): Base {
  const x = input({ shape: [32, 32, 3] });
  const first = new Conv2D(8, 3, { padding: 'same', activation: 'relu', name: 'first' }).apply(x);
  const second = new Conv2D(12, 3, { padding: 'same', activation: 'relu', name: 'second' }).apply(
    new MaxPooling2D({ poolSize: 4 }).apply(first),
  );
  const third = new Conv2D(12, 3, { padding: 'same', activation: 'relu', name: 'third' }).apply(
    new MaxPooling2D().apply(second),
  );
  const model = new Model({ inputs: x, outputs: third, seed: 3 });
  const featureLayers = ['second', 'third'];
  return {
    name: 'random',
    model,
    featureLayers,
    preprocessing: { interpolation: 'nearest', rescale: 1 / 255 },
    hash: '',
  };
}

/** Gray with noise; a defect has a spot that is brighter. */
function pictures(count: number, isGood: boolean, stream: number): Dataset {
  const random = new Random(5, RandomStream.synthetic, stream);
  const bytes = new Uint8Array(count * 32 * 32 * 3);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < 32 * 32; i++) {
      const [row, column] = [Math.floor(i / 32), i % 32];
      const isSpot = !isGood && Math.hypot(row - 12, column - 18) < 5;
      bytes.fill(
        100 + (column % 8) * 8 + random.integer(12) + (isSpot ? 40 : 0),
        3 * (n * 1024 + i),
        3 * (n * 1024 + i + 1),
      );
    }
  return {
    name: isGood ? 'good' : 'defects',
    pictures: bytes,
    pictureShape: [32, 32, 3],
    labels: new Uint8Array(count).fill(isGood ? 1 : 0),
    classNames: ['defect', 'good'],
    files: Array.from({ length: count }, (_, n) => `${n}.png`),
    skipped: [],
  };
}

test.each(['scene', 'fixed-camera'] as const)('%s: an ordinary model, which tells defects', async (way) => {
  const base = randomBase();
  const good = pictures(100, true, 1);
  const trained = await trainGoodOnly(base, way, good, device, { falseAlarms: 0.1 });
  const defects = pictures(12, false, 2);
  const figures = await judgeDefects(trained, defects);
  expect(figures.rocAuc).toBeGreaterThan(0.98);
  expect(figures.falseAlarms).toBe(trained.limit.beyond);

  // saved, loaded, and through ONNX: the probability of class 1, which is the good one, one half at the limit
  const { model, info } = decodeModel(await encodeModel(trained.model, trained.info), 'it');
  expect(info.alert).toEqual({ className: 'defect', threshold: 0.5 });
  const again = importOnnx(await encodeOnnx(model, info)).model;
  const fresh = pictures(6, true, 3);
  const both = Float32Array.from(
    [...(fresh.pictures as Uint8Array), ...(defects.pictures as Uint8Array)],
    (value) => value / 255,
  );
  const distances = [...(await trained.distances(fresh)), ...(await trained.distances(defects))];
  const [found, exported] = await Promise.all(
    [model, again].map((one) => one.compile({ device }).predictOnBatch(both)),
  );
  for (const [n, distance] of distances.entries()) {
    const expected = 1 / (1 + Math.exp(2 * (distance ** 2 - 1)));
    expect(found[n]).toBeCloseTo(expected, 3);
    expect(exported[n]).toBeCloseTo(expected, 3);
  }
  expect(
    rocAuc(
      Uint8Array.from(distances, (_, n) => (n < 6 ? 1 : 0)),
      found,
    ),
  ).toBeGreaterThan(0.98);
  expect(model.trainable).toBe(false);
  for (const one of [model, again, trained.model]) one.destroy();
});

test('fewer than 20 good pictures are refused', async () => {
  await expect(trainGoodOnly(randomBase(), 'scene', pictures(19, true, 1), device)).rejects.toThrow(
    'good: expects 20 good pictures or more (hundreds are better), got 19',
  );
});

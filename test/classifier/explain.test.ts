/** Heat maps: PyTorch's numbers, the gap of a belt whose place is known, and what must change them and what must not. */
import {
  agreement,
  beltGap,
  beltPicture,
  Dense,
  encodeModel,
  explainedLayers,
  explainPictures,
  Flatten,
  gradCam,
  hottest,
  occlusion,
  openBase,
  openClassifier,
  openDevice,
  onBase,
  prepare,
  planTraining,
  Sequential,
  trainingFlows,
  type Classifier,
  type Dataset,
  type Device,
  type HeatMap,
} from 'beltnet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { correlation, scaled, stretched } from '../../src/classifier/explain/heat-map.js';
import { noteDevice } from '../support/devices.js';
import { pictures as x, referenceModel } from './explain-reference.js';
import reference from './explain.reference.json' with { type: 'json' };

let device: Device;
beforeAll(async () => {
  noteDevice('cpu');
  device = await openDevice('cpu');
});
afterAll(() => device.destroy());

describe("Grad-CAM is PyTorch's", () => {
  test.each(reference.cases)('$units units, classes $asked', async ({ units, asked, shape, heat }) => {
    const model = referenceModel(units).compile({ device });
    expect(explainedLayers(model)).toEqual(['conv2']);
    const maps = await gradCam(model, x, asked);
    expect([maps.length, maps[0].height, maps[0].width]).toEqual(shape);
    const values = maps.flatMap((map) => [...map.values]);
    const largest = Math.max(...heat);
    expect(largest).toBeGreaterThan(1e-4);
    for (const [at, value] of values.entries()) expect(Math.abs(value - heat[at]) / largest).toBeLessThan(1e-4);
    model.destroy();
  });

  test('a training that goes on notices nothing of it', async () => {
    const [one, other] = [referenceModel(1), referenceModel(1)].map((model) => model.compile({ device }));
    for (const model of [one, other]) await model.trainOnBatch(x, [0, 1]);
    await gradCam(one, x, [0, 1]);
    expect(await one.getGradients()).toEqual(await other.getGradients());
    for (const model of [one, other]) await model.trainOnBatch(x, [0, 1]);
    expect(await one.getWeights()).toEqual(await other.getWeights());
    for (const model of [one, other]) model.destroy();
  });

  test('of layers without places, or that are not there, nothing is shown', async () => {
    const model = referenceModel(1).compile({ device });
    await expect(gradCam(model, x, [0, 1], ['dense1'])).rejects.toThrow(
      /layers that give maps \[H,W,C\], got 'dense1'/,
    );
    await expect(gradCam(model, x, [0, 1], ['conv9'])).rejects.toThrow(/no layer 'conv9'/);
    const flat = new Sequential([new Flatten({ inputShape: [4, 4, 3] }), new Dense(1, { activation: 'sigmoid' })]);
    expect(() => explainedLayers(flat)).toThrow(/it sees no places/);
    model.destroy();
  });

  test('a model on a base is explained by the layers that its features come from', async () => {
    const base = await openBase('darknet-tiny');
    const model = await onBase(base, { classes: 2, size: { width: 64, height: 64 } });
    model.compile({ device });
    expect(explainedLayers(model)).toEqual(base.featureLayers);
    const [map] = await gradCam(
      model,
      Float32Array.from({ length: 64 * 64 * 3 }, (_, i) => (i % 97) / 97),
      [1],
    );
    expect([map.width, map.height]).toEqual([8, 8]); // of the finest of them
    model.destroy();
  });
});

describe('a belt of which it is known where its gap is', () => {
  const [width, height] = [64, 64];
  const seed = 5;
  const pictures = 360;
  const shown = 40;
  const label = (n: number): 'gap' | 'ok' => (n % 2 === 0 ? 'gap' : 'ok');
  const options = (n: number) => ({ seed, index: n >> 1, label: label(n), width: 160, height: 120 });
  /** Twice as large and at 4:3, then as a training prepares them. */
  const bytesOf = (numbers: number[]): Uint8Array =>
    new Uint8Array(
      Buffer.concat(numbers.map((n) => prepare(beltPicture(options(n)), { size: { width, height } }).data)),
    );
  const gapsFrom = pictures; // what the training has not seen
  let classifier: Classifier;
  let gaps: Uint8Array;
  let maps: HeatMap[];
  const length = width * height * 3;

  beforeAll(async () => {
    const dataset: Dataset = {
      ...{ name: 'belt', pictures: bytesOf([...Array(pictures).keys()]), pictureShape: [height, width, 3] },
      ...{ labels: Uint8Array.from({ length: pictures }, (_, n) => n % 2), classNames: ['gap', 'ok'] },
      ...{ files: Array.from({ length: pictures }, (_, n) => `${n}`), skipped: [] },
    };
    const augmentation = { horizontalFlip: true, zoomRange: 0.2, shearRange: 12 } as const;
    const plan = planTraining(['gap', 'ok'], { size: { width, height }, alertClass: 'gap', augmentation, seed: 1 });
    const flows = await trainingFlows(plan, dataset, null, 16);
    plan.model.compile({ device, optimizer: plan.recipe.optimizer, loss: plan.recipe.loss });
    await plan.model.fit(flows.training, { epochs: 6 });
    classifier = await openClassifier(await encodeModel(plan.model, flows.info), { device });
    plan.model.destroy();
    gaps = bytesOf(Array.from({ length: shown }, (_, n) => gapsFrom + 2 * n));
    maps = await explainPictures(classifier, gaps, Array<string>(shown).fill('gap'));
  });
  afterAll(() => classifier.destroy());

  test('the map is hottest in the gap of at least 90 % of the pictures that rightly raise the alarm', async () => {
    const predictions = await classifier.predict(gaps);
    const alarmed = predictions.flatMap(({ probabilities }, n) => (probabilities[0] >= 0.5 ? [n] : []));
    expect(alarmed.length).toBeGreaterThan(0.9 * shown);
    const hits = alarmed.filter((n) => {
      const { start, end } = beltGap(options(gapsFrom + 2 * n));
      const place = hottest(maps[n]);
      return place !== null && place.x >= start && place.x <= end;
    });
    expect(hits.length / alarmed.length).toBeGreaterThanOrEqual(0.9);
    const widths = alarmed.map((n) => beltGap(options(gapsFrom + 2 * n))).map(({ start, end }) => end - start);
    expect(Math.max(...widths)).toBeLessThan(0.65); // chance would be far from it
  });

  test('with other weights the maps are others (Adebayo et al. 2018)', async () => {
    const { model, info } = classifier;
    const random = planTraining(['gap', 'ok'], { size: { width, height }, alertClass: 'gap', seed: 77 }).model;
    const trained = await model.getWeights();
    const initial = await random.getWeights();
    const names = Object.keys(trained);
    for (const layers of [['dense', 'dense_1'], names.map((name) => name.split('.')[0])]) {
      random.setWeights(
        Object.fromEntries(
          names.map((name) => [name, layers.includes(name.split('.')[0]) ? initial[name] : trained[name]]),
        ),
      );
      const other = await openClassifier(await encodeModel(random, info), { device });
      const others = await explainPictures(other, gaps, Array<string>(shown).fill('gap'));
      const alike = maps.map((map, n) => correlation(map, others[n])).map((value) => value || 0); // NaN: nothing is hot
      expect(alike.reduce((sum, value) => sum + value, 0) / shown).toBeLessThan(0.5);
      await other.destroy();
    }
  });

  test('occlusion, which needs no gradients, agrees with most of them', async () => {
    let agreeing = 0;
    for (let n = 0; n < 8; n++) {
      const covered = await occlusion(classifier, gaps.subarray(n * length, (n + 1) * length), 'gap');
      if (agreement(maps[n], covered) > 0.2) agreeing++;
    }
    expect(agreeing).toBeGreaterThanOrEqual(6);
  });

  test('classes and pictures that the model does not have are refused', async () => {
    await expect(explainPictures(classifier, gaps, Array<string>(shown).fill('hole'))).rejects.toThrow(
      /'gap', 'ok', got 'hole'/,
    );
    await expect(explainPictures(classifier, gaps, ['gap'])).rejects.toThrow(/1 pictures of 64×64×3 bytes/);
  });
});

describe('maps as grids', () => {
  test('stretching is bilinear between the middles of places, and scaling ends at 1', () => {
    const map = { width: 2, height: 1, values: Float32Array.of(0, 4) };
    expect([...stretched(map, { width: 4, height: 2 }).values]).toEqual([0, 1, 3, 4, 0, 1, 3, 4]);
    expect([...scaled(map).values]).toEqual([0, 1]);
    expect([...scaled({ ...map, values: Float32Array.of(-2, 0) }).values]).toEqual([0, 0]);
    expect(correlation(map, { ...map, values: Float32Array.of(3, 1) })).toBeCloseTo(-1, 12);
    expect(hottest({ ...map, values: new Float32Array(2) })).toBeNull();
  });
});

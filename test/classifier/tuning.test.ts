/** What is set in a model file after its training: threshold, temperature, and everything else as it was. */
import {
  changeInfo,
  chooseThreshold,
  classProbabilities,
  Conv2D,
  DataFlow,
  decodeModel,
  encodeModel,
  foldTemperature,
  GlobalAveragePooling2D,
  judge,
  KNOWN_SECTIONS,
  ModelFileError,
  openClassifier,
  readSafetensors,
  ReferenceDevice,
  Sequential,
  Softmax,
  temperatureOf,
  UsageError,
  withCalibration,
  withDecision,
  withThreshold,
  type ModelInfo,
} from 'beltnet';
import { describe, expect, test } from 'vitest';
import { noisyPng } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { info, SIDE, tinyModel } from './tiny-model.js';

const logit = (p: number): number => Math.log(p / (1 - p));
const labels = Array.from({ length: 80 }, (_, n) => n % 2);
const rows = labels.map((label, n) => {
  const p = 1 / (1 + Math.exp(((n * 7) % 40) / 5 - 4 - 3 * (2 * label - 1)));
  return [1 - p, p];
});

const pictures = { data: 'belt/val', part: 'validation' } as const;

describe('a threshold', () => {
  const criterion = { costMiss: 50, costFalse: 1 };
  const choice = chooseThreshold(
    labels.map((label) => 1 - label),
    rows.map(([gap]) => gap),
    criterion,
    { resamples: 20 },
  );

  test('is written with its reason; weights, and sections of others, stay to the byte', async () => {
    const given = { ...info, sections: { provenance: { value: { from: 'here' } } } };
    const bytes = await encodeModel(tinyModel(), given);
    const changed = changeInfo(bytes, 'x', (before) => withDecision(before, criterion, choice, pictures));
    const found = decodeModel(changed, 'x').info;
    expect(found.alert).toEqual({ className: 'gap', threshold: choice.threshold });
    expect(found.sections?.['provenance']).toEqual(given.sections.provenance);
    expect(found.sections?.['decision']?.value).toMatchObject({
      threshold: choice.threshold,
      reason: 'the least expected cost, with 50 for a miss, 1 for a false alarm',
      data: 'belt/val',
      counted: { positives: 40, negatives: 40 },
    });
    const [before, after] = [bytes, changed].map((each) => readSafetensors(each, 'x'));
    expect(after.tensors).toEqual(before.tensors);
    expect(after.metadata['architecture']).toBe(before.metadata['architecture']);
  });

  test('in place of the model’s, where one is given', async () => {
    noteDevice('cpu');
    const bytes = await encodeModel(tinyModel(), info);
    for (const [threshold, alert] of [
      [0, true],
      [1, false],
    ] as const) {
      const classifier = await openClassifier(bytes, { device: 'cpu', threshold });
      expect((await classifier.classify(noisyPng('dark', 1))).alert).toBe(alert);
      await classifier.destroy();
    }
    await expect(openClassifier(bytes, { device: 'cpu', threshold: 50 })).rejects.toThrow(
      'threshold: expects a probability from 0 to 1, got 50',
    );
    expect(() => withThreshold(info, Number.NaN)).toThrow(UsageError);
  });
});

describe('a temperature', () => {
  const { info: calibrated, calibration } = withCalibration(
    { ...info, alert: { className: 'gap', threshold: 0.2 } },
    labels,
    rows,
    pictures,
  );

  test('divides the log odds of every verdict; the alarm stays as it was', () => {
    expect(calibration.temperature).not.toBeCloseTo(1, 1);
    for (const row of [...rows, [0.2, 0.8], [0.1999, 0.8001]]) {
      const [before, after] = [{ ...info, alert: { className: 'gap', threshold: 0.2 } }, calibrated].map((each) =>
        judge({ probabilities: row, unlike: null }, each, 'x'),
      );
      expect(logit(after.probabilities['gap'])).toBeCloseTo(logit(row[0]) / calibration.temperature, 9);
      expect([after.alert, after.class]).toEqual([before.alert, before.class]);
    }
  });

  test('on top of another is the product of both, and takes a threshold’s reason away', () => {
    const decided = { ...calibrated, sections: { ...calibrated.sections, decision: { value: 1 } } };
    const verdicts = rows.map((row) => judge({ probabilities: row, unlike: null }, decided, 'x'));
    const again = withCalibration(
      decided,
      labels,
      verdicts.map(({ probabilities }) => [probabilities['gap'], probabilities['ok']]),
      pictures,
    );
    expect(again.calibration.temperature).toBeCloseTo(1, 6);
    expect(temperatureOf(again.info)).toBeCloseTo(calibration.temperature, 6);
    expect(Object.keys(again.info.sections ?? {})).toEqual(['calibration']);
  });

  test('in a file is refused by who does not know it, and read by classifiers', async () => {
    const bytes = await encodeModel(tinyModel(), calibrated);
    expect(() => decodeModel(bytes, 'x')).toThrow(/'calibration', without which the model means something else/);
    const plain = await openClassifier(await encodeModel(tinyModel(), info), { device: 'cpu' });
    const classifier = await openClassifier(bytes, { device: 'cpu' });
    const picture = noisyPng('bright', 1);
    const [before, after] = [await plain.classify(picture), await classifier.classify(picture)];
    await Promise.all([plain.destroy(), classifier.destroy()]);
    const [p, q] = [before, after].map(({ probabilities }) => probabilities['gap']);
    expect(logit(q)).toBeCloseTo(logit(p) / calibration.temperature, 5);
    expect(classProbabilities(Float32Array.of(0.25), 1)).toEqual([[0.75, 0.25]]);
  });

  test.each([0, -1, 'warm', null])('of %j is no temperature', async (temperature) => {
    const bad: ModelInfo = { ...info, sections: { calibration: { value: { temperature }, required: true } } };
    expect(() => temperatureOf(bad, 'x')).toThrow(ModelFileError);
    const bytes = await encodeModel(tinyModel(), bad);
    expect(decodeModel(bytes, 'x', { knownSections: KNOWN_SECTIONS }).info).toEqual(bad);
    await expect(openClassifier(bytes, { name: 'belt', device: 'cpu' })).rejects.toThrow(
      "belt: expects in its section 'calibration' a temperature above 0",
    );
  });

  test.each([1, 3])('is folded into the weights for other runtimes: %i units', async (units) => {
    const device = new ReferenceDevice();
    const set = { name: 'noise', pictureShape: [SIDE, SIDE, 3] as const, pictures: noise(8 * SIDE * SIDE * 3) };
    const logitsOf = async (model: Sequential): Promise<number[][]> => {
      model.compile({ device });
      const scores = await model.predict(new DataFlow(set, { shuffle: false, rescale: 1 / 255 }));
      model.destroy();
      return classProbabilities(scores, units).map((row) => row.slice(1).map((p) => Math.log(p / row[0])));
    };
    const folded = tinyModel(units);
    const given = { ...calibrated, sections: { ...calibrated.sections, provenance: { value: 1 } } };
    expect(await foldTemperature(folded, given)).toEqual({ ...given, sections: { provenance: { value: 1 } } });
    const [before, after] = [await logitsOf(tinyModel(units)), await logitsOf(folded)];
    for (const [n, row] of before.entries())
      for (const [k, value] of row.entries()) expect(after[n][k]).toBeCloseTo(value / calibration.temperature, 5);
  });

  test('is folded through an activation of its own and pooling; where nothing can take it the model is refused', async () => {
    const layers = [new Conv2D(2, 3, { inputShape: [SIDE, SIDE, 3] }), new GlobalAveragePooling2D(), new Softmax()];
    const model = new Sequential(layers, { seed: 1 });
    const before = await model.getWeights();
    await foldTemperature(model, calibrated);
    const after = await model.getWeights();
    for (const [weight, { data }] of Object.entries(before))
      expect([...after[weight].data]).toEqual([...data].map((value) => Math.fround(value / calibration.temperature)));
    const bounded = new Sequential([
      new Conv2D(2, 3, { inputShape: [SIDE, SIDE, 3], activation: 'relu' }),
      new GlobalAveragePooling2D(),
      new Softmax(),
    ]);
    await expect(foldTemperature(bounded, calibrated)).rejects.toThrow(
      'expects logits of a dense layer or a convolution',
    );
  });

  test('takes twenty pictures that differ', () => {
    expect(() => withCalibration(info, labels, rows, { ...pictures, distinctPictures: 19 })).toThrow(
      'expects 20 pictures or more that differ, got 19',
    );
  });
});

function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}

/**
 * What programs give by mistake is told by name: an error of beltnet's own, never a TypeError from inside. And arrays on shared
 * memory work, on every device.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { firstNotFinite } from '../src/expect.js';
import * as beltnet from '../src/index.node.js';
import { openTestDevice } from './support/open-devices.js';

const { BeltnetError, Dense, ReferenceDevice, Sequential } = beltnet;
const { accuracy, averagePrecision, balancedAccuracy, classScores, majorityAccuracy } = beltnet;
const { precisionRecallCurve, rocAuc, rocCurve } = beltnet;

/** What stands for an argument. Text, numbers and objects of other types are among them. */
const HOSTILE: readonly unknown[] = [
  ...[undefined, null, true, 0, -1, 1.5, NaN, Infinity, 2 ** 53, 1n, '', 'x', '__proto__', Symbol('s')],
  ...[{}, { length: 2 }, [], [[]], [null], new Date(0), new Map(), () => 1, Object.create(null)],
  ...[
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    new Float64Array(3),
    new Uint8Array(0),
    new Float32Array(2).fill(NaN),
  ],
];

const device = new ReferenceDevice();
const model = (): beltnet.Sequential => new Sequential([new Dense(1, { inputShape: [12], activation: 'sigmoid' })]);
const compiled = model().compile({ device });
const picture: beltnet.Picture = { width: 2, height: 2, data: new Uint8Array(12).fill(9) };
const info: beltnet.ModelInfo = {
  classNames: ['a', 'b'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'a', threshold: 0.5 },
};

const isObject = (value: unknown): boolean => value === undefined || (typeof value === 'object' && value !== null);

/** Calls with a place for one wrong argument. */
const CALLS: Readonly<Record<string, (wrong: never) => unknown>> = {
  // What test/exports.test.ts leaves out, since it takes its time where the argument can be meant.
  gradcheck: (wrong) => beltnet.gradcheck(wrong).next(),
  'gradcheck, options': (wrong) => (isObject(wrong) ? null : beltnet.gradcheck(device, wrong).next()),
  openDevice: (wrong) => (wrong === undefined ? null : beltnet.openDevice(wrong)),
  'openDevice, options': (wrong) => (isObject(wrong) ? null : beltnet.openDevice('cpu', wrong)),
  chooseDevice: (wrong) => (wrong === undefined ? null : beltnet.chooseDevice(wrong)),
  serve: (wrong) => beltnet.serve(wrong),
  serveModel: (wrong) => beltnet.serveModel(wrong),
  'serveModel, options': (wrong) => (isObject(wrong) ? null : beltnet.serveModel('/nonexistent/x', wrong)),
  'serve, port': (wrong) => (wrong === undefined || wrong === 0 ? null : beltnet.serve({ routes: [], port: wrong })),
  measurePeak: (wrong) => beltnet.measurePeak(wrong),
  synthesize: (wrong) => (typeof wrong === 'string' && wrong !== '' ? null : beltnet.synthesize(wrong)),
  'synthesize, options': (wrong) => (isObject(wrong) ? null : beltnet.synthesize('/nonexistent/x', wrong)),
  decode: (wrong) => beltnet.decode(wrong, 'it'),
  readSafetensors: (wrong) => beltnet.readSafetensors(wrong, 'it'),
  writeSafetensors: (wrong) => beltnet.writeSafetensors(wrong),
  'writeSafetensors, a tensor': (wrong) => beltnet.writeSafetensors({ a: wrong }),
  'writeSafetensors, data': (wrong) => beltnet.writeSafetensors({ a: { shape: [2], data: wrong } }),
  'writeSafetensors, a shape': (wrong) => beltnet.writeSafetensors({ a: { shape: wrong, data: new Float32Array(2) } }),
  decodeModel: (wrong) => beltnet.decodeModel(wrong, 'it'),
  encodeModel: (wrong) => beltnet.encodeModel(wrong, info),
  'encodeModel, info': (wrong) => beltnet.encodeModel(model(), wrong),
  'encodeModel, classNames': (wrong) => beltnet.encodeModel(model(), { ...info, classNames: wrong }),
  'encodeModel, preprocessing': (wrong) => beltnet.encodeModel(model(), { ...info, preprocessing: wrong }),
  'encodeModel, alert': (wrong) => beltnet.encodeModel(model(), { ...info, alert: wrong }),
  'encodeModel, sections': (wrong) => beltnet.encodeModel(model(), { ...info, sections: wrong }),
  'encodeModel, a section': (wrong) => beltnet.encodeModel(model(), { ...info, sections: { a: wrong } }),
  weightsHash: (wrong) => beltnet.weightsHash(wrong),
  encodeOnnx: (wrong) => beltnet.encodeOnnx(wrong, info),
  'encodeOnnx, info': (wrong) => beltnet.encodeOnnx(model(), wrong),
  encodeTorchSafetensors: (wrong) => beltnet.encodeTorchSafetensors(wrong, info),
  exportKeras: (wrong) => beltnet.exportKeras(wrong),
  importKeras: (wrong) => beltnet.importKeras(wrong),
  'importKeras, a file': (wrong) => beltnet.importKeras([wrong]),
  loadModel: (wrong) => beltnet.loadModel(wrong),
  saveModel: (wrong) => beltnet.saveModel('/nonexistent/model.safetensors', wrong, info),
  'saveModel, path': (wrong) =>
    typeof wrong === 'string' && wrong !== '' ? null : beltnet.saveModel(wrong, model(), info),
  relu: (wrong) => beltnet.relu(wrong),
  sigmoid: (wrong) => beltnet.sigmoid(wrong),
  tensor: (wrong) => beltnet.tensor(device, wrong),
  resize: (wrong) => beltnet.resize(wrong, { width: 1, height: 1 }, 'nearest'),
  'resize, size': (wrong) => beltnet.resize(picture, wrong, 'nearest'),
  'resize, interpolation': (wrong) => beltnet.resize(picture, { width: 1, height: 1 }, wrong),
  prepare: (wrong) => beltnet.prepare(wrong, { size: { width: 1, height: 1 } }),
  'prepare, preparation': (wrong) => beltnet.prepare(picture, wrong),
  predictOnBatch: (wrong) => compiled.predictOnBatch(wrong),
  trainOnBatch: (wrong) => compiled.trainOnBatch(wrong, [0]),
  'trainOnBatch, labels': (wrong) => compiled.trainOnBatch(new Float32Array(12), wrong),
  testOnBatch: (wrong) => compiled.testOnBatch(wrong, [0]),
  predict: (wrong) => compiled.predict(wrong),
  evaluate: (wrong) => compiled.evaluate(wrong),
  setWeights: (wrong) => model().setWeights(wrong),
  Sequential: (wrong) => new Sequential(wrong),
  'Sequential, a layer': (wrong) => new Sequential([wrong]),
  Model: (wrong) => new beltnet.Model(wrong),
  input: (wrong) => beltnet.input(wrong),
  compile: (wrong) => model().compile(wrong),
  adam: (wrong) => beltnet.adam(wrong),
  adamW: (wrong) => beltnet.adamW(wrong),
  sgd: (wrong) => beltnet.sgd(wrong),
  rmsprop: (wrong) => beltnet.rmsprop(wrong),
  imageDataGenerator: (wrong) => beltnet.imageDataGenerator(wrong),
  encodePng: (wrong) => beltnet.encodePng(wrong),
  confusionMatrix: (wrong) => beltnet.confusionMatrix(wrong, [0], 1),
  'confusionMatrix, predicted': (wrong) => beltnet.confusionMatrix([0], wrong, 1),
  'confusionMatrix, classes': (wrong) => beltnet.confusionMatrix([0], [0], wrong),
  ...Object.fromEntries(
    [classScores, accuracy, balancedAccuracy, majorityAccuracy].flatMap((figure) => [
      [figure.name, (wrong: never) => figure(wrong)],
      [`${figure.name}, a row`, (wrong: never) => figure([wrong])],
    ]),
  ),
  ...Object.fromEntries(
    [rocAuc, averagePrecision, rocCurve, precisionRecallCurve].flatMap((figure) => [
      [figure.name, (wrong: never) => figure(wrong, [0.5])],
      [`${figure.name}, scores`, (wrong: never) => figure([1], wrong)],
    ]),
  ),
  mcNemar: (wrong) => beltnet.mcNemar(wrong, [true]),
  clopperPearson: (wrong) => beltnet.clopperPearson(wrong, wrong),
  'clopperPearson, confidence': (wrong) => beltnet.clopperPearson(1, 2, wrong),
};

test.each(Object.keys(CALLS))('%s', async (name) => {
  const raw: string[] = [];
  for (const [index, wrong] of HOSTILE.entries()) {
    try {
      await CALLS[name](wrong as never);
    } catch (error) {
      if (!(error instanceof BeltnetError)) raw.push(`argument ${index}: ${String(error)}`);
    }
  }
  expect(raw).toEqual([]);
});

describe('numbers that are not finite', () => {
  test.each([NaN, Infinity, -Infinity])('%s as a picture or a weight is refused', async (value) => {
    const x = new Float32Array(12);
    x[7] = value;
    const message = `x expects finite numbers, got ${value} at 7`;
    await expect(compiled.predictOnBatch(x)).rejects.toThrow(`predictOnBatch: ${message}`);
    await expect(compiled.trainOnBatch(x, [0])).rejects.toThrow(`trainOnBatch: ${message}`);
    await expect(compiled.testOnBatch(x, [0])).rejects.toThrow(`testOnBatch: ${message}`);
    const weights = await model().getWeights();
    weights['dense.kernel'].data[3] = value;
    expect(() => model().setWeights(weights)).toThrow(
      `weight 'dense.kernel' [12,1] expects finite numbers, got ${value} at 3`,
    );
  });

  test('at every place, and large numbers are none of them', () => {
    for (let at = 0; at < 19; at++) {
      const values = new Float32Array(19).fill(3.4e38);
      expect(firstNotFinite(values)).toBe(-1);
      values.set([Infinity, -Infinity, NaN].slice(0, 19 - at), at);
      expect(firstNotFinite(values)).toBe(at);
    }
  });

  test('half a class is no class', async () => {
    await expect(compiled.trainOnBatch(new Float32Array(12), [0.5])).rejects.toThrow('got a picture of class 0.5');
  });
});

describe('shared memory', () => {
  const shared = <View extends Uint8Array | Float32Array>(given: View): View => {
    const view = new (given.constructor as new (buffer: SharedArrayBuffer) => View)(
      new SharedArrayBuffer(given.byteLength),
    );
    view.set(given);
    return view;
  };

  test('files', async () => {
    const file = readFileSync(new URL('fixtures/models/version-2.safetensors', import.meta.url));
    const bytes = Uint8Array.from(file);
    expect(beltnet.decodeModel(shared(bytes), 'it').info).toEqual(beltnet.decodeModel(bytes, 'it').info);
    const png = Uint8Array.from(beltnet.encodePng(picture));
    expect(beltnet.decode(shared(png), 'it')).toEqual(beltnet.decode(png, 'it'));
  });

  test.each<[string, () => Promise<beltnet.Device>]>([
    ['webgpu', () => openTestDevice('webgpu')],
    ['cpu', () => openTestDevice('cpu')],
    ['reference', async () => device],
  ])('numbers on the %s device', async (_, open) => {
    const numbers = Float32Array.from({ length: 12 }, (__, i) => i / 12);
    const on = model().compile({ device: await open() });
    expect(await on.predictOnBatch(shared(numbers))).toEqual(await on.predictOnBatch(numbers));
  });
});

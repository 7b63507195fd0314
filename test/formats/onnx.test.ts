/**
 * ONNX files, run by onnxruntime and decoded by the bindings that its makers generate from the public .proto.
 *
 * Probabilities agree within 1e-5: both sides compute in float32, a few hundred products for each value, whose
 * rounding errors of 6e-8 each add up to about 1e-6 at most; a wrong layout, axis or constant shows from 1e-3 on.
 */
import { readFileSync } from 'node:fs';
import * as proto from 'onnx-proto';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import {
  Conv2D,
  DataFlow,
  Dense,
  encodeOnnx,
  Flatten,
  Layer,
  MaxPooling2D,
  prepare,
  Random,
  RandomStream,
  readSafetensors,
  ReferenceDevice,
  Sequential,
  type Model,
  type ModelInfo,
  type Picture,
} from '../../src/index.js';
import * as beltnet from '../../src/index.js';
import { toFloat32 } from '../../src/formats/safetensors.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestCpu } from '../support/open-devices.js';
import { info, layerModels, randomInput, randomWeights, SHAPE, worstDifference } from './layer-models.js';

const TOLERANCE = 1e-5;

/** A layer of a user's own. */
class Custom extends Layer {
  static readonly kind = 'Custom';
  static readonly schema = {};

  outputShape(given: beltnet.Shape): beltnet.Shape {
    return given;
  }
  call([x]: readonly beltnet.Tensor[]): beltnet.Tensor {
    return x;
  }
}

ort.env.wasm.numThreads = 1;

let cpu: Device;
const reference = new ReferenceDevice();
beforeAll(async () => {
  cpu = await openTestCpu();
});
afterAll(() => cpu.destroy());

/** What onnxruntime makes of the file's one input. */
async function run(bytes: Uint8Array, x: Float32Array | Uint8Array, shape: readonly number[]): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(bytes);
  const type = x instanceof Uint8Array ? 'uint8' : 'float32';
  const results = await session.run({ [session.inputNames[0]]: new ort.Tensor(type, x, shape) });
  await session.release();
  return results[session.outputNames[0]].data as Float32Array;
}

async function predicted(model: Model, x: Float32Array, device: Device): Promise<Float32Array> {
  const copy = beltnet.decodeModel(await beltnet.encodeModel(model, { ...info }), 'it').model;
  const result = await copy.compile({ device }).predictOnBatch(x);
  copy.destroy();
  return result;
}

test('every layer that the package exports is tried here', () => {
  const exported = Object.values(beltnet).filter(
    (value) => typeof value === 'function' && value.prototype instanceof Layer,
  ) as (typeof Layer)[];
  const tried = new Set(
    Object.values(layerModels)
      .flatMap((make) => make().layers)
      .map(({ constructor }) => constructor),
  );
  expect(exported.filter((kind) => !tried.has(kind))).toEqual([]);
});

test.each(Object.entries(layerModels))('%s', async (_, make) => {
  const model = await randomWeights(make());
  const bytes = await encodeOnnx(model, info);
  for (const count of [1, 3]) {
    const x = randomInput(count);
    const probabilities = await run(bytes, x, [count, ...SHAPE]);
    expect(worstDifference(probabilities, await predicted(model, x, cpu))).toBeLessThan(TOLERANCE);
    expect(worstDifference(probabilities, await predicted(model, x, reference))).toBeLessThan(TOLERANCE);
  }
});

describe("PyTorch's golden networks", () => {
  const { tensors } = readSafetensors(
    readFileSync(new URL('../golden/model_small.safetensors', import.meta.url)),
    'golden',
  );
  const values = (name: string): Float32Array => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no ${name}`);
    return toFloat32(found);
  };

  test.each(['m16_f4_5_d7_grad', 'm20x18_f6_3_d11_grad', 'm17x14_f3_7_d5_sgdm_grad'])('%s', async (name) => {
    const [count, ...shape] = tensors.get(`${name}/x`)?.shape ?? [];
    const size = (parameter: string): number => values(`${name}/param/${parameter}/bias`).length;
    const model = new Sequential([
      new Conv2D(size('conv1'), 3, { name: 'conv1', inputShape: shape, activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(size('conv2'), 3, { name: 'conv2', activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(size('dense1'), { name: 'dense1', activation: 'relu' }),
      new Dense(1, { name: 'dense2', activation: 'sigmoid' }),
    ]);
    const names = Object.keys(await model.getWeights());
    model.setWeights(
      Object.fromEntries(
        names.map((full) => {
          const { shape: of } = tensors.get(`${name}/param/${full.replace('.', '/')}`) ?? { shape: [] };
          return [full, { shape: of, data: values(`${name}/param/${full.replace('.', '/')}`) }];
        }),
      ),
    );
    const bytes = await encodeOnnx(model, { ...info, classNames: ['no', 'yes'] });
    const probabilities = await run(bytes, values(`${name}/x`), [count, ...shape]);
    expect(worstDifference(probabilities, values(`${name}/prob`))).toBeLessThan(TOLERANCE);
  });
});

describe('preprocessing in the graph', () => {
  const size = { height: 15, width: 12 };
  const classifier = (): Promise<Model> =>
    randomWeights(
      new Sequential([
        new Conv2D(4, 3, { inputShape: [size.height, size.width, 3], activation: 'relu' }),
        new Flatten(),
        new Dense(1, { activation: 'sigmoid' }),
      ]),
    );
  const pictures = (count: number, width: number, height: number): Picture[] =>
    Array.from({ length: count }, (_, n) => {
      const random = new Random(n, RandomStream.synthetic);
      return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)) };
    });
  const stacked = (all: readonly Picture[]): Uint8Array => {
    const bytes = new Uint8Array(all.length * all[0].data.length);
    all.forEach(({ data }, n) => bytes.set(data, n * data.length));
    return bytes;
  };
  const known = (preprocessing: ModelInfo['preprocessing']): ModelInfo => ({
    ...{ classNames: ['no', 'yes'], preprocessing, alert: { className: 'yes', threshold: 0.5 } },
  });

  /** What our own pipeline makes of the same pictures. */
  async function own(model: Model, all: readonly Picture[], { preprocessing }: ModelInfo): Promise<Float32Array> {
    const { interpolation, region, rescale, normalization = {} } = preprocessing;
    const prepared = all.map((picture) => prepare(picture, { size, interpolation, ...(region && { region }) }));
    const flow = new DataFlow(
      {
        ...{ name: 'pictures', classNames: ['no', 'yes'], files: all.map((_, n) => String(n)), skipped: [] },
        ...{ pictures: stacked(prepared), pictureShape: [size.height, size.width, 3] },
        labels: new Uint8Array(all.length),
      },
      { shuffle: false, batchSize: 8, rescale, normalization },
    );
    return model.compile({ device: reference }).predict(flow);
  }

  const normalizations: Record<string, NonNullable<ModelInfo['preprocessing']['normalization']>> = {
    none: {},
    samplewise: { samplewiseCenter: true, samplewiseStdNormalization: true },
    'samplewise deviation only': { samplewiseStdNormalization: true },
    featurewise: { featurewiseMean: [0.5, 0.4, 0.3], featurewiseStd: [0.2, 0.3, 0.1] },
  };
  test.each(Object.entries(normalizations))('normalization: %s', async (_, normalization) => {
    const [model, all] = [await classifier(), pictures(3, 40, 29)];
    const given = known({ interpolation: 'nearest', rescale: 1 / 255, normalization });
    const bytes = await encodeOnnx(model, given, { withPreprocessing: true });
    const probabilities = await run(bytes, stacked(all), [3, 29, 40, 3]);
    expect(worstDifference(probabilities, await own(model, all, given))).toBeLessThan(TOLERANCE);
  });

  // 4 → 15 and 30 → 12 have whole numbers among the exact coordinates, where rounding decides.
  test.each([
    [12, 15],
    [1, 1],
    [30, 4],
    [640, 480],
    [13, 90],
    [6, 5],
  ])('nearest, to the last pixel, from %i×%i', async (width, height) => {
    const [model, all] = [await classifier(), pictures(2, width, height)];
    const given = known({ interpolation: 'nearest', rescale: 1 / 255 });
    const bytes = await encodeOnnx(model, given, { withPreprocessing: true });
    const probabilities = await run(bytes, stacked(all), [2, height, width, 3]);
    expect(worstDifference(probabilities, await own(model, all, given))).toBeLessThan(TOLERANCE);
  });

  test('a region is cut out, and is missed in pictures that do not hold it', async () => {
    const [model, all] = [await classifier(), pictures(2, 50, 40)];
    const region = { x: 7, y: 11, width: 29, height: 23 };
    const given = known({ interpolation: 'nearest', rescale: 1 / 255, region });
    const bytes = await encodeOnnx(model, given, { withPreprocessing: true });
    const probabilities = await run(bytes, stacked(all), [2, 40, 50, 3]);
    expect(worstDifference(probabilities, await own(model, all, given))).toBeLessThan(TOLERANCE);
    await expect(run(bytes, stacked(pictures(1, 30, 30)), [1, 30, 30, 3])).rejects.toThrow(/out of|bounds/i);
  });

  test('other filters: pictures are resized before', async () => {
    const [model, all] = [await classifier(), pictures(2, 33, 44)];
    const given = known({ interpolation: 'bicubic', rescale: 1 / 255 });
    const bytes = await encodeOnnx(model, given, { withPreprocessing: true });
    const resized = all.map((picture) => prepare(picture, { size, interpolation: 'bicubic' }));
    const probabilities = await run(bytes, stacked(resized), [2, size.height, size.width, 3]);
    expect(worstDifference(probabilities, await own(model, all, given))).toBeLessThan(TOLERANCE);
    await expect(run(bytes, stacked(all), [2, 44, 33, 3])).rejects.toThrow(/invalid dimensions|expected/i);
  });
});

describe('the file', () => {
  test('is a model of standard operators that says what it is', async () => {
    const model = await randomWeights(layerModels['Sequential']());
    const { graph, ...file } = proto.onnx.ModelProto.decode(await encodeOnnx(model, info, { withPreprocessing: true }));
    expect(Number(file.irVersion)).toBe(9);
    expect(file.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 20]]);
    expect(file.producerName).toBe('beltnet');
    expect(Object.fromEntries(file.metadataProps.map(({ key, value }) => [key, value]))).toEqual({
      classes: '["a","b","c"]',
      alert_class: 'b',
      threshold: '0.25',
      preprocessing: JSON.stringify(info.preprocessing),
      preprocessing_inside: 'true',
    });
    const described = (value: proto.onnx.IValueInfoProto): unknown => [
      value.name,
      value.type?.tensorType?.elemType,
      value.type?.tensorType?.shape?.dim?.map(({ dimParam, dimValue }) => dimParam || Number(dimValue)),
    ];
    expect(graph?.input?.map(described)).toEqual([
      ['pictures', proto.onnx.TensorProto.DataType.UINT8, ['N', 'height', 'width', 4]],
    ]);
    expect(graph?.output?.map(described)).toEqual([['probabilities', proto.onnx.TensorProto.DataType.FLOAT, ['N', 3]]]);
    const weights = await model.getWeights();
    const dense = graph?.initializer?.find(({ name }) => name === 'dense.kernel');
    expect(dense?.dims?.map(Number)).toEqual(weights['dense.kernel'].shape);
    expect(new Float32Array(Uint8Array.from(dense?.rawData ?? []).buffer)).toEqual(weights['dense.kernel'].data);
    const names = graph?.node?.map(({ name }) => name) ?? [];
    expect(new Set(names).size).toBe(names.length);
  });

  test('equal input gives equal bytes', async () => {
    const model = await randomWeights(layerModels['a shared layer']());
    expect(await encodeOnnx(model, info)).toEqual(await encodeOnnx(model, info));
  });

  test('what cannot be exported is refused', async () => {
    const model = new Sequential([new Custom({ inputShape: SHAPE }), new Flatten(), new Dense(1)]);
    await expect(encodeOnnx(model, info)).rejects.toThrow(UsageError);
    await expect(encodeOnnx(model, info)).rejects.toThrow("layer 'custom' of kind Custom has no ONNX form");
    const two = { ...info, classNames: ['a', 'b'] };
    await expect(encodeOnnx(layerModels['Flatten'](), two)).rejects.toThrow(
      'expects as many class names as the model tells apart, 3, got 2',
    );
  });
});

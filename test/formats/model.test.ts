/** Model files: a round trip is bit-equal, and whatever is wrong with a file is said in one line. */
import { describe, expect, test } from 'vitest';
import { ModelFileError } from '../../src/errors.js';
import { seal, unseal } from '../../src/formats/beltnet/container.js';
import type { ModelInfo } from '../../src/formats/beltnet/info.js';
import { decodeModel, encodeModel } from '../../src/formats/beltnet/model.js';
import { readSafetensors } from '../../src/formats/safetensors.js';
import { Conv2D } from '../../src/nn/layers/convolution.js';
import { Dense, Flatten } from '../../src/nn/layers/core.js';
import { MaxPooling2D } from '../../src/nn/layers/pooling.js';
import { Sequential } from '../../src/nn/sequential.js';
import type { Model } from '../../src/nn/model.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { info as threeClasses, layerModels, randomWeights } from './layer-models.js';

type TypedBytes = Float64Array | Float32Array | Uint16Array | Int32Array | Uint8Array;

/** What a field may hold that it should not. */
const ODD: readonly unknown[] = [
  ...[null, true, '', 'x', '__proto__', 'constructor', [], {}, [[]], [1], { length: 2 }],
  ...[-1, 0, 1, 2, 1.5, 1e9, 2 ** 31, 2 ** 53, 1e308, -1e308],
  ...[[1, 1], [1e9, 1e9], [4096, 4096], [-1, 3], Array.from({ length: 1000 }, (_, i) => i)],
];

/** A copy of a value with one part of it, at any depth, replaced, taken away or doubled. */
function changedField(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.integer(8) === 0) return ODD[random.integer(ODD.length)];
  const entries = Object.entries(value);
  if (entries.length === 0) return ODD[random.integer(ODD.length)];
  const at = random.integer(entries.length);
  const [key, part] = entries[at];
  const what = random.integer(10);
  if (what === 0) entries.splice(at, 1);
  else if (what === 1) entries.push(Array.isArray(value) ? [String(entries.length), part] : [`${key}2`, part]);
  else entries[at] = [key, changedField(part, random)];
  return Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries);
}

const info: ModelInfo = {
  classNames: ['gap', 'ok'],
  preprocessing: { interpolation: 'nearest', rescale: 1 / 255 },
  alert: { className: 'gap', threshold: 0.5 },
};

const small = (): Sequential =>
  new Sequential([
    new Conv2D(2, [3, 2], { inputShape: [8, 7, 3], activation: 'relu', strides: [2, 1], padding: 'same' }),
    new MaxPooling2D({ poolSize: [2, 2], strides: [1, 2] }),
    new Flatten(),
    new Dense(1, { activation: 'sigmoid', useBias: false }),
  ]);

/** The file with one metadata field changed, and a checksum that is right. */
async function withMetadata(field: string, value: string | undefined): Promise<Uint8Array> {
  const { tensors, metadata } = unseal(await encodeModel(small(), info), 'it');
  const { [field]: _, ...others } = metadata;
  return seal({ tensors, metadata: value === undefined ? others : { ...others, [field]: value } });
}

describe('model files', () => {
  test('a round trip is bit-equal', async () => {
    const bytes = await encodeModel(small(), info);
    const { model, info: read } = decodeModel(bytes, 'it');
    expect(read).toEqual(info);
    expect(model.config()).toEqual(small().config());
    expect(await encodeModel(model, read)).toEqual(bytes);
  });

  test('weights have the names that other tools see', async () => {
    expect([...readSafetensors(await encodeModel(small(), info), 'it').tensors.keys()]).toEqual([
      'conv2d.kernel',
      'conv2d.bias',
      'dense.kernel',
    ]);
  });

  test.each<[string, string | undefined, RegExp]>([
    ['format', undefined, /expects a model written by beltnet, got safetensors with format 'none'/],
    ['version', '4', /expects model format version 1 or 2 or 3, got '4'/],
    ['version', '2', /expects a list of nodes in the architecture of a graph, got nothing/],
    ['architecture', undefined, /expects JSON in the metadata field 'architecture'/],
    ['architecture', '{"inputShape":[8,7,3],"layers":[]}', /expects a list of layers/],
    ['architecture', '{"inputShape":[8,-7,3],"layers":[{}]}', /expects an input shape of three lengths/],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Lambda","name":"a"}]}',
      /kind expects one of Activation, Add, .*, ZeroPadding2D, got 'Lambda'; make a class of your own known/,
    ],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Dense","name":"a","units":1e9}]}',
      /layer 'a': units expects an integer from 1 to 1048576, got 1000000000/,
    ],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Flatten","name":"flatten"}]}',
      /the model has no conv2d.kernel/,
    ],
    ['classes', '["a","a"]', /expects two or more different class names, got \["a","a"\]/],
    ['classes', '["gap","ok","other"]', /as many class names as the model tells apart, 2, got 3/],
    ['preprocessing', '{"interpolation":"cubic"}', /expects preprocessing with interpolation and rescale/],
    ['alert', '{"className":"other","threshold":0.5}', /expects an alert with one of the classes/],
  ])('metadata %s as %s is refused', async (field, value, message) => {
    const bytes = await withMetadata(field, value);
    expect(() => decodeModel(bytes, 'it')).toThrow(ModelFileError);
    expect(() => decodeModel(bytes, 'it')).toThrow(message);
  });

  test.each<[string, string | undefined, RegExp]>([
    ['architecture', `{"inputShape":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, /at most 128 levels deep/],
    ['architecture', '{"inputShape":[8,7,3],"inputShape":[8,7,3],"layers":[]}', /every key once .* 'inputShape' twice/],
    ['architecture', '{"inputShape":[65536,65536,3],"layers":[{}]}', /an input shape of three lengths/],
    [
      'architecture',
      `{"inputShape":[8,7,3],"layers":[${Array.from({ length: 5000 }, () => '{"kind":"ReLU","name":"a"}').join()}]}`,
      /at most 4096 layers in the architecture, got 5000/,
    ],
    [
      'architecture',
      `{"inputShape":[8,7,3],"layers":[{"kind":"ZeroPadding2D","name":"a","padding":[[4096,4096],[4096,4096]]},{"kind":"Conv2D","name":"b",
        "filters":1048576,"kernelSize":[1,1],"strides":[1,1],"padding":"same","dilationRate":[1,1],"activation":"relu","useBias":true}]}`,
      /layer 'b' to give at most 268435456 numbers for a picture, got \[8200,8199,1048576\]/,
    ],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"ReLU","name":""}]}',
      /name expects a text that is not empty, got ''/,
    ],
    ['architecture', `{"inputShape":[8,7,3],"layers":[{"kind":"${'x'.repeat(1e6)}","name":"a"}]}`, /got 'x{80}';/],
    ['architecture', '{"__proto__":{"inputShape":[8,7,3]},"layers":[{}]}', /an input shape of three lengths/],
  ])('a hostile %s is refused: %#', async (field, value, message) => {
    const bytes = await withMetadata(field, value);
    expect(() => decodeModel(bytes, 'it')).toThrow(ModelFileError);
    expect(() => decodeModel(bytes, 'it')).toThrow(message);
  });

  /** The file with weights of another type. */
  async function withWeights(dtype: string, bias: TypedBytes): Promise<Uint8Array> {
    const { metadata } = unseal(await encodeModel(small(), info), 'it');
    const weights = await small().getWeights();
    const bytes = Object.entries(weights).map(([key, { data }]) => (key === 'conv2d.bias' ? bias : data));
    const header: Record<string, unknown> = { __metadata__: metadata };
    let at = 0;
    Object.entries(weights).forEach(([key, { shape }], i) => {
      const type = key === 'conv2d.bias' ? dtype : 'F32';
      header[key] = { dtype: type, shape, data_offsets: [at, (at += bytes[i].byteLength)] };
    });
    const json = new TextEncoder().encode(JSON.stringify(header));
    const file = new Uint8Array(8 + json.length + at);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    file.set(json, 8);
    bytes.forEach(({ buffer, byteOffset, byteLength }, i) => {
      const offset = bytes.slice(0, i).reduce((sum, one) => sum + one.byteLength, 8 + json.length);
      file.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    });
    return file;
  }

  test.each<[string, TypedBytes, number[]]>([
    ['F64', Float64Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ['F16', Uint16Array.of(0x3c00, 0xc000), [1, -2]],
    ['BF16', Uint16Array.of(0x3f80, 0xc040), [1, -3]],
  ])('weights of type %s become float32: %#', async (dtype, bias, expected) => {
    const { model } = decodeModel(await withWeights(dtype, bias), 'it');
    expect([...(await model.getWeights())['conv2d.bias'].data]).toEqual(expected);
  });

  test.each<[string, TypedBytes, RegExp]>([
    ['F64', Float64Array.of(0, Infinity), /weight 'conv2d.bias' \[2\] expects finite numbers, got Infinity at 1/],
    ['F32', Float32Array.of(NaN, 0), /weight 'conv2d.bias' \[2\] expects finite numbers, got NaN at 0/],
    ['F16', Uint16Array.of(0xfc00, 0), /weight 'conv2d.bias' \[2\] expects finite numbers, got -Infinity at 0/],
    ['F64', Float64Array.of(0, 1e39), /weight 'conv2d.bias' of numbers that float32 holds, got 1e\+39/],
    ['I32', Int32Array.of(0, 1), /weight 'conv2d.bias' of type F32, F64, F16, BF16, got I32/],
    ['BOOL', Uint8Array.of(0, 1), /weight 'conv2d.bias' of type F32, F64, F16, BF16, got BOOL/],
  ])('weights of type %s that a model cannot have are refused: %#', async (dtype, bias, message) => {
    const bytes = await withWeights(dtype, bias);
    expect(() => decodeModel(bytes, 'it')).toThrow(ModelFileError);
    expect(() => decodeModel(bytes, 'it')).toThrow(message);
  });

  test('1,000 damaged files give a model or a ModelFileError, nothing else', async () => {
    const whole = await encodeModel(small(), info);
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const random = new Random(2, RandomStream.synthetic, i);
      const bytes = whole.slice(0, random.integer(10) === 0 ? random.integer(whole.length) : whole.length);
      for (let change = random.integer(3); change >= 0 && bytes.length > 0; change--)
        bytes[random.integer(bytes.length)] = random.integer(256);
      try {
        decodeModel(bytes, 'it');
      } catch (error) {
        if (!(error instanceof ModelFileError) || error.message.includes('\n')) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });

  test.each<[string, () => Promise<Model>]>([
    ['a row', async () => small()],
    ['a graph', () => randomWeights(layerModels['Concatenate of vectors']())],
  ])('2,000 files with changed fields (%s) give a model or a ModelFileError, nothing else', async (_, make) => {
    const model = await make();
    const given = model.units === 1 ? info : threeClasses;
    const { tensors, metadata } = unseal(await encodeModel(model, given), 'it');
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      const random = new Random(3, RandomStream.synthetic, i);
      const field = ['architecture', 'architecture', 'preprocessing', 'alert', 'classes'][random.integer(5)];
      const changed = { ...metadata, [field]: JSON.stringify(changedField(JSON.parse(metadata[field] ?? ''), random)) };
      try {
        const { model: read } = decodeModel(seal({ tensors, metadata: changed }), 'it');
        expect(read.units).toBe(model.units);
      } catch (error) {
        if (!(error instanceof ModelFileError) || !/^it: .*$/.test(error.message) || error.message.length > 2100)
          throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000); // names, rates and lengths may change, most other fields may not
  });
});

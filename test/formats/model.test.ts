/** Model files: a round trip is bit-equal, and whatever is wrong with a file is said in one line. */
import { describe, expect, test } from 'vitest';
import { ModelFileError } from '../../src/errors.js';
import { decodeModel, encodeModel, type ModelInfo } from '../../src/formats/model.js';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js';
import { Conv2D, Dense, Flatten, MaxPooling2D } from '../../src/nn/layers.js';
import { Sequential } from '../../src/nn/sequential.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

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

/** The file with one metadata field changed. */
async function withMetadata(field: string, value: string | undefined): Promise<Uint8Array> {
  const { tensors, metadata } = readSafetensors(await encodeModel(small(), info), 'it');
  const { [field]: _, ...others } = metadata;
  const weights = Object.fromEntries(
    [...tensors].map(([key, { shape, data }]) => [key, { shape, data: data as Float32Array }]),
  );
  return writeSafetensors(weights, value === undefined ? others : { ...others, [field]: value });
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
    ['format', undefined, /expected a model written by beltnet, got safetensors with format 'none'/],
    ['version', '3', /expected model format version 1 or 2, got '3'/],
    ['version', '2', /expected a list of nodes in the architecture of a graph, got nothing/],
    ['architecture', undefined, /expected JSON in the metadata field 'architecture'/],
    ['architecture', '{"inputShape":[8,7,3],"layers":[]}', /expected a list of layers/],
    ['architecture', '{"inputShape":[8,-7,3],"layers":[{}]}', /expected an input shape of three lengths/],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Lambda","name":"a"}]}',
      /kind expects the name of a layer that this version of beltnet has, got "Lambda"/,
    ],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Dense","name":"a","units":1e9}]}',
      /units expects a positive integer, got 1000000000/,
    ],
    [
      'architecture',
      '{"inputShape":[8,7,3],"layers":[{"kind":"Flatten","name":"flatten"}]}',
      /the model has no conv2d.kernel/,
    ],
    ['classes', '["a","a"]', /expected two or more different class names, got \["a","a"\]/],
    ['classes', '["gap","ok","other"]', /as many class names as the model tells apart, 2, got 3/],
    ['preprocessing', '{"interpolation":"cubic"}', /expected preprocessing with interpolation and rescale/],
    ['alert', '{"className":"other","threshold":0.5}', /expected an alert with one of the classes/],
  ])('metadata %s as %s is refused', async (field, value, message) => {
    const bytes = await withMetadata(field, value);
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
});

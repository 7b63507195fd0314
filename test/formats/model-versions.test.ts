/** Files of all versions, sections, checksums, the hash of the weights, and what is not saved. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  decodeModel,
  encodeModel,
  encodeOnnx,
  encodeTorchSafetensors,
  exportKeras,
  Dense,
  loadModel,
  ModelFileError,
  readSafetensors,
  ReferenceDevice,
  saveModel,
  Sequential,
  weightsHash,
  writeSafetensors,
  type Model,
  type ModelInfo,
  type Section,
} from '../../src/index.node.js';
import { seal, unseal } from '../../src/formats/beltnet/container.js';
import { sha256Anywhere } from '../../src/formats/content-hash.js';
import { sha256Natively } from '../../src/formats/sha256.node.js';
import { loadDamaged } from './model-mutations.js';
import { modelWithSections } from './model-with-sections.js';

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/models/${name}`, import.meta.url));

/** The hash of weights as docs/model-file.md says it, in other words. */
async function hashByHand(model: Model): Promise<string> {
  const weights = await model.getWeights();
  const names = Object.keys(weights).toSorted();
  const hash = createHash('sha256');
  hash.update(`[[],[${names.map((name) => `["${name}","F32",[${weights[name].shape.join()}]]`).join()}]]`);
  for (const name of names) {
    const bytes = Buffer.alloc(weights[name].data.length * 4);
    weights[name].data.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
    hash.update(bytes);
  }
  return hash.digest('hex');
}

describe('versions', () => {
  const expected = JSON.parse(new TextDecoder().decode(fixture('expected.json'))) as Record<
    string,
    { info: ModelInfo; predictions: number[] }
  >;

  test.each(['version-1', 'version-2'])(
    '%s, as beltnet wrote it then, predicts what it predicted then',
    async (version) => {
      const { model, info } = decodeModel(fixture(`${version}.safetensors`), version);
      expect(info).toEqual(expected[version].info);
      model.compile({ device: new ReferenceDevice() });
      const size = model.inputShape.reduce((product, length) => product * length, 1);
      const pictures = Float32Array.from({ length: 2 * size }, (_, i) => ((i * 37) % 101) / 101);
      const predicted = await model.predictOnBatch(pictures);
      expect([...predicted]).toEqual(expected[version].predictions);
    },
  );

  test.each(['version-1', 'version-2'])('%s keeps what it says when it is saved again', async (version) => {
    const old = decodeModel(fixture(`${version}.safetensors`), version);
    const bytes = await encodeModel(old.model, old.info);
    expect(unseal(bytes, 'it').metadata['version']).toBe('3');
    const { model, info } = decodeModel(bytes, 'it');
    expect(info).toEqual(old.info);
    expect(model.config()).toEqual(old.model.config());
    expect(await weightsHash(model)).toBe(await weightsHash(old.model));
  });

  test('what older versions ignored is ignored in their files, and refused in later ones', () => {
    const file = readSafetensors(fixture('version-1.safetensors'), 'it');
    const tensors = Object.fromEntries(file.tensors);
    const added = {
      author: 'me',
      sections: '{',
      preprocessing: '{"interpolation":"nearest","rescale":1,"mirror":true}',
    };
    const metadata = { ...file.metadata, ...added };
    expect(decodeModel(writeSafetensors(tensors, metadata), 'it').info.preprocessing.rescale).toBe(1);
    const later = (field: object): Uint8Array =>
      writeSafetensors(tensors, { ...file.metadata, version: '3', ...field });
    expect(decodeModel(later({}), 'it').info).toEqual(expected['version-1'].info);
    expect(() => decodeModel(later({ author: 'me' }), 'it')).toThrow(
      /expects metadata with the fields .*, got 'author'/,
    );
    expect(() => decodeModel(later({ preprocessing: added.preprocessing }), 'it')).toThrow(/at most region, exif and/);
  });
});

describe('sections', () => {
  test('are kept, with tensors of every type, and written back', async () => {
    const { model, info } = modelWithSections();
    const bytes = await encodeModel(model, info);
    const read = decodeModel(bytes, 'it');
    expect(read.info).toEqual(info);
    expect(await encodeModel(read.model, read.info)).toEqual(bytes);
    expect([...readSafetensors(bytes, 'it').tensors.keys()].filter((name) => name.includes('/'))).toEqual([
      'statistics/counts',
      'statistics/mean',
      'statistics/small',
    ]);
  });

  test('a required one is refused by who does not know it', async () => {
    const { model, info } = modelWithSections();
    const needs = { ...info, sections: { statistics: { required: true, value: 1 } } };
    const bytes = await encodeModel(model, needs);
    expect(() => decodeModel(bytes, 'it')).toThrow(
      "it: expects sections that this version of beltnet knows, got 'statistics', without which the model means something else",
    );
    expect(decodeModel(bytes, 'it', { knownSections: ['statistics'] }).info).toEqual(needs);
  });

  test('one class stands only where a required section says what the output is', async () => {
    const { model, info } = modelWithSections();
    const alone = { ...info, classNames: ['ok'], alert: { className: 'ok', threshold: 0.5 }, sections: {} };
    await expect(encodeModel(model, alone)).rejects.toThrow(/expects two or more different class names, got \["ok"\]/);
    const scored = { ...alone, sections: { statistics: { required: true } } };
    const bytes = await encodeModel(model, scored);
    expect(decodeModel(bytes, 'it', { knownSections: ['statistics'] }).info).toEqual(scored);
    await expect(encodeModel(model, { ...scored, classNames: ['ok', 'crack'] })).rejects.toThrow(
      /as many class names as the model tells apart, 3, got 2/,
    );
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a name of the weights', { weights: {} }, /small letters, digits and hyphens, and not weights, got 'weights'/],
    ['a name with a slash', { 'a/b': {} }, /small letters, digits and hyphens, and not weights, got 'a\/b'/],
    [
      'an unknown part',
      { a: { value: 1, optional: true } },
      /value, and true or false for required, in the section 'a'/,
    ],
    ['required as a text', { a: { required: 'yes' } }, /value, and true or false for required, in the section 'a'/],
    ['a list', { a: [] }, /value, and true or false for required, in the section 'a'/],
  ])('%s is refused', (_, sections, message) => {
    const { tensors, metadata } = unseal(fixture('version-1.safetensors'), 'it');
    const bytes = seal({ tensors, metadata: { ...metadata, version: '3', sections: JSON.stringify(sections) } });
    expect(() => decodeModel(bytes, 'it')).toThrow(ModelFileError);
    expect(() => decodeModel(bytes, 'it')).toThrow(message);
  });

  test.each<[string, Section, RegExp]>([
    ['NaN', { value: { mean: NaN } }, /expects sections of texts, finite numbers, lists and objects, got NaN/],
    ['a date', { value: { made: new Date() } }, /lists and objects, got a object/],
    ['a big integer', { value: 1n }, /lists and objects, got a bigint/],
    [
      'a tensor that contradicts its shape',
      {
        tensors: { a: { dtype: 'F32', shape: [2], data: new Float32Array(1) } },
      },
      /tensor 'a\/a' F32 \[2\] to take 8 bytes, got 4/,
    ],
    ['a circle', { value: circle() }, /at most 128 levels deep/],
  ])('%s in a section is not saved', async (_, section, message) => {
    const { model, info } = modelWithSections();
    await expect(encodeModel(model, { ...info, sections: { a: section } })).rejects.toThrow(message);
  });

  test('weights that have the name of a section are told', async () => {
    const { info } = modelWithSections();
    const model = new Sequential([new Dense(3, { name: 'statistics/dense', inputShape: [4], activation: 'softmax' })]);
    await expect(encodeModel(model, info)).rejects.toThrow(
      /weights with other names than the section 'statistics', got 'statistics\/dense.kernel'/,
    );
    const { sections: _, ...plain } = info;
    expect(decodeModel(await encodeModel(model, plain), 'it').model.config()).toEqual(model.config());
  });
});

function circle(): unknown {
  const value: Record<string, unknown> = {};
  value['again'] = [value];
  return value;
}

describe('checksum', () => {
  test.each<[string, (metadata: Record<string, string>) => Record<string, string>]>([
    ['a threshold', (m) => ({ ...m, alert: m['alert'].replace('0.125', '0.925') })],
    ['the order of classes', (m) => ({ ...m, classes: m['classes'].replace('"crack","ok"', '"ok","crack"') })],
    ['a factor', (m) => ({ ...m, preprocessing: m['preprocessing'].replace('0.00392', '0.00393') })],
    ['the version', (m) => ({ ...m, version: '2' })],
    ['a section', (m) => ({ ...m, sections: m['sections'].replace('1.5', '2.5') })],
    ['the checksum itself', (m) => ({ ...m, checksum: m['checksum'].replace(/^./, (c) => (c === '0' ? '1' : '0')) })],
  ])('%s changed by anyone is told', async (_, change) => {
    const { model, info } = modelWithSections();
    const { tensors, metadata } = readSafetensors(await encodeModel(model, info), 'it');
    const changed = change(metadata);
    expect(changed).not.toEqual(metadata);
    const bytes = writeSafetensors(Object.fromEntries(tensors), changed);
    expect(() => decodeModel(bytes, 'it')).toThrow(ModelFileError);
    expect(() => decodeModel(bytes, 'it')).toThrow(/it: expects content of checksum [0-9a-f]{64}, got [0-9a-f]{64}: /);
  });

  test('a file that another program wrote in another order is the same; one without a checksum is read', async () => {
    const { model, info } = modelWithSections();
    const bytes = await encodeModel(model, info);
    const { tensors, metadata } = readSafetensors(bytes, 'it');
    const turned = <Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> =>
      Object.fromEntries(entries.toReversed());
    const other = decodeModel(writeSafetensors(turned([...tensors]), turned(Object.entries(metadata))), 'it');
    expect(await encodeModel(other.model, other.info)).toEqual(bytes);
    const { checksum, ...rest } = metadata;
    expect(checksum).toMatch(/^[0-9a-f]{64}$/);
    const foreign = decodeModel(writeSafetensors(Object.fromEntries(tensors), rest), 'it');
    expect(await encodeModel(foreign.model, foreign.info)).toEqual(bytes);
  });

  test('2,000 damaged files: none loads as another model', async () => {
    const { model, info } = modelWithSections();
    const { refused, other } = await loadDamaged(await encodeModel(model, info), 2000);
    expect(other).toEqual([]);
    expect(refused).toBeGreaterThan(1000);
  });

  test('SHA-256 is that of Node, in pieces of any length', () => {
    for (const lengths of [[], [0], [1], [55, 1], [56], [63, 1, 64], [64], [119, 120], [1000, 0, 3333]]) {
      const pieces = lengths.map((length, i) => new Uint8Array(length).map((_, at) => at * 31 + i));
      expect(sha256Anywhere(pieces)).toBe(sha256Natively(pieces));
    }
  });
});

describe('the hash of the weights', () => {
  test('is what the documentation says, and that of the weights alone', async () => {
    const { model, info } = modelWithSections();
    const hash = await weightsHash(model);
    expect(hash).toBe(await hashByHand(model));
    const { model: read } = decodeModel(
      await encodeModel(model, { ...info, alert: { ...info.alert, threshold: 1 } }),
      'it',
    );
    expect(await weightsHash(read)).toBe(hash);
    expect(await weightsHash(read.compile({ device: new ReferenceDevice() }))).toBe(hash);
    const weights = await model.getWeights();
    const [bias] = Object.keys(weights).filter((name) => name.endsWith('bias'));
    read.setWeights({
      ...weights,
      [bias]: { ...weights[bias], data: weights[bias].data.map((v, i) => (i === 0 ? 1e-30 : v)) },
    });
    expect(await weightsHash(read)).not.toBe(hash);
  });

  test('equal models are equal bytes, in whatever order they are described', async () => {
    const { model, info } = modelWithSections();
    const { preprocessing, alert, sections = {} } = info;
    const turned = <Value extends object>(value: Value): Value =>
      Object.fromEntries(Object.entries(value).toReversed()) as Value;
    const other = { ...info, preprocessing: turned(preprocessing), alert: turned(alert), sections: turned(sections) };
    expect(await encodeModel(modelWithSections().model, turned(other))).toEqual(await encodeModel(model, info));
  });
});

describe('what cannot be loaded is not saved', () => {
  /** Weights that only a training can make: no door lets them in. */
  async function broken(): Promise<Model> {
    const { model } = modelWithSections();
    const weights = await model.getWeights();
    weights['dense.kernel'].data[1] = NaN;
    model.getWeights = async () => weights;
    return model;
  }
  const { info } = modelWithSections();

  test.each<[string, (model: Model) => Promise<Uint8Array>]>([
    ['safetensors', (model) => encodeModel(model, info)],
    ['onnx', (model) => encodeOnnx(model, info)],
    ['torch-safetensors', (model) => encodeTorchSafetensors(model, info)],
    ['keras', (model) => exportKeras(model)],
  ])('weights that are not finite, as %s', async (_, encode) => {
    const error: unknown = await encode(await broken()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ModelFileError);
    expect(String(error)).toMatch(/weight 'dense.kernel' \[\d+,3\] expects finite numbers, got NaN at 1/);
  });

  test.each<[string, object, RegExp]>([
    ['a threshold above 1', { alert: { className: 'ok', threshold: 2 } }, /an alert with one of the classes/],
    ['NaN as a factor', { preprocessing: { interpolation: 'nearest', rescale: NaN } }, /finite numbers.*got NaN/],
    [
      'a misspelt option',
      { preprocessing: { interpolation: 'nearest', rescale: 1, exlf: true } },
      /at most region, exif/,
    ],
    ['too few classes', { classNames: ['ok', 'crack'] }, /as many class names as the model tells apart, 3, got 2/],
    ['a class twice', { classNames: ['ok', 'ok', 'crack'] }, /two or more different class names/],
    ['no classes', { classNames: undefined }, /classes of texts, finite numbers, lists and objects, got a undefined/],
  ])('%s', async (_, change, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'beltnet-test-'));
    const path = join(folder, 'model.safetensors');
    writeFileSync(path, 'the old one');
    const { model } = modelWithSections();
    const error: unknown = await saveModel(path, model, { ...info, ...change }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ModelFileError);
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain(path);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
    expect(readFileSync(path, 'utf8')).toBe('the old one');
  });

  test('what is saved is loaded', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'beltnet-test-')), 'model.safetensors');
    const { model } = modelWithSections();
    await saveModel(path, model, info);
    expect(readFileSync(path)).toEqual(Buffer.from(await encodeModel(model, info)));
    expect((await loadModel(path)).info).toEqual(info);
  });
});

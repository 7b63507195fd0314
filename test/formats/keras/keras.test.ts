/** Models to Keras and back, what is refused and how it is said, and the author's own model through the whole command line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { ModelFileError } from '../../../src/errors.js';
import { unzip, zip } from '../../../src/data/sources/zip.js';
import { exportKeras, importKeras, type KerasFile } from '../../../src/formats/keras/keras.js';
import { decodeModel } from '../../../src/formats/beltnet/model.js';
import { Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, input, Model } from '../../../src/index.js';
import { noteDevice } from '../../support/devices.js';
import { beltnet } from '../../cli/run-beltnet.js';

const place = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const fixture = (name: string): KerasFile => ({ name, bytes: new Uint8Array(readFileSync(place(`keras/${name}`))) });
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const folder = mkdtempSync(join(tmpdir(), 'beltnet-keras-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bits = ({ data }: { data: Float32Array }): Uint32Array => new Uint32Array(data.slice().buffer);

/** Graphs whose layers Keras takes in another order than that in which they were made. */
function branches(): Model {
  const x = input({ shape: [6, 6, 3] });
  const late = new Conv2D(3, 1, { name: 'late' });
  const early = new Conv2D(3, 1, { name: 'early' });
  const a = early.apply(x);
  const b = new BatchNormalization().apply(late.apply(late.apply(x)));
  const y = new Add().apply([b, a]);
  const z = new GlobalAveragePooling2D().apply(y);
  return new Model({ inputs: x, outputs: new Dense(2, { activation: 'softmax' }).apply(z) });
}

test('equal models are equal bytes, whatever the clock says', async () => {
  const bytes = await exportKeras(branches());
  vi.useFakeTimers({ now: new Date(2031, 5, 1), toFake: ['Date'] });
  try {
    expect(await exportKeras(branches())).toEqual(bytes);
    expect(new Date().getFullYear()).toBe(2031); // the clock of others is as it was
  } finally {
    vi.useRealTimers();
  }
});

describe('round trips', () => {
  test.each(['plain', 'many', 'dense', 'rescaled', 'mission', 'graph', 'nested', 'trained'])('%s', async (name) => {
    const { model } = await importKeras([fixture(`${name}.keras`)]);
    const { model: again } = await importKeras([{ name: 'again.keras', bytes: await exportKeras(model) }]);
    const [first, second] = [await model.getWeights(), await again.getWeights()];
    expect(Object.keys(second).toSorted()).toEqual(Object.keys(first).toSorted());
    for (const [key, weight] of Object.entries(first)) expect([key, bits(second[key])]).toEqual([key, bits(weight)]);
    expect(again.inputShape).toEqual(model.inputShape);
    expect(again.layers.map((layer) => JSON.stringify(layer.config())).toSorted()).toEqual(
      model.layers.map((layer) => JSON.stringify(layer.config())).toSorted(),
    );
  });

  test('layers of a graph stand in the order that Keras gives them', async () => {
    const entries = await unzip(
      await exportKeras(branches()),
      () => true,
      () => {},
    );
    const config = JSON.parse(new TextDecoder().decode(entries.get('config.json'))) as {
      config: { layers: { name: string }[] };
    };
    // What Keras 3.15 lists in model.layers for this graph: the deepest first, 'late' being applied twice.
    expect(config.config.layers.map(({ name }) => name)).toEqual([
      ...['input_layer', 'late', 'batch_normalization', 'early', 'add', 'global_average_pooling2d', 'dense'],
    ]);
  });

  test('equal models give equal JSON', async () => {
    const { model } = await importKeras([fixture('dense.keras')]);
    const of = async () =>
      (
        await unzip(
          await exportKeras(model),
          () => true,
          () => {},
        )
      ).get('config.json');
    expect(await of()).toEqual(await of());
  });
});

interface Json {
  class_name: string;
  config: { class_name: string; config: Record<string, unknown> }[];
}
const source = JSON.parse(new TextDecoder().decode(fixture('keras2.json').bytes)) as Json;
/** The Keras 2 model with something changed. */
const changed = (change: (json: Json) => void): Promise<unknown> => {
  const json = structuredClone(source);
  change(json);
  return importKeras([{ name: 'model.json', bytes: encode(json) }, fixture('keras2.h5')]);
};
const set =
  (layer: number, options: Record<string, unknown>) =>
  ({ config }: Json): void =>
    void Object.assign(config[layer].config, options);

describe('what is refused, and how', () => {
  test.each<[string, (json: Json) => void, RegExp]>([
    [
      'an unknown layer',
      ({ config }) => void (config[0].class_name = 'LSTM'),
      /^model.json: layer 'conv2d_3' \(LSTM\) is not supported; supported are InputLayer, Conv2D, .*Dense/,
    ],
    ['code', ({ config }) => void (config[0].class_name = 'Lambda'), /\(Lambda\) is not supported/],
    [
      'a class of the program',
      ({ config }) => void Object.assign(config[0], { registered_name: 'mine>Conv2D' }),
      /'conv2d_3' is mine>Conv2D, a class of the program/,
    ],
    [
      'an unknown option',
      set(0, { wavelets: 3 }),
      /'conv2d_3' \(Conv2D\) has the option wavelets = 3, which is not supported; supported are name, .*filters/,
    ],
    [
      'a missing option',
      ({ config }) => void delete config[0].config['filters'],
      /\(Conv2D\) needs the option filters/,
    ],
    [
      'channels first',
      set(0, { data_format: 'channels_first' }),
      /data_format expects 'channels_last', .* got "channels_first"/,
    ],
    ['an unknown activation', set(0, { activation: 'selu' }), /activation expects one of linear, relu, .* got "selu"/],
    ['a type', set(0, { filters: 'many' }), /filters expects a positive integer, got "many"/],
    ['a range', set(0, { filters: -4 }), /filters expects at least 1, got -4/],
    ['an axis', set(6, { axis: 2 }), /axis expects the last axis, -1 or 1, got 2/],
    [
      'a picture without a fixed size',
      set(0, { batch_input_shape: [null, null, null, 3] }),
      /expects an input of fixed shape, .* got \[null,null,null,3\]/,
    ],
    [
      'no input shape',
      ({ config }) => void delete config[0].config['batch_input_shape'],
      /expects the shape of the model's input/,
    ],
    ['integers', set(0, { dtype: 'int8' }), /'conv2d_3': dtype expects floats, got "int8"/],
    ['another width', set(5, { units: 9 }), /layer 'dense_3': dense_3.kernel expects \[36,9\], got \[36,8\]/],
    [
      'a layer too few',
      ({ config }) => void config.pop(),
      /expects weights of 4 layers \(conv2d_3, .*\), got those of 5/,
    ],
    ['a layer that cannot follow', ({ config }) => void config.splice(4, 1), /dense_3/],
    ['no layers', (json) => void (json.config = []), /expects at least one layer, got \[\]/],
    [
      'another kind of model',
      (json) => void (json.class_name = 'Tree'),
      /expects a Sequential or Functional model, got "Tree"/,
    ],
  ])('%s', async (_, change, message) => {
    await expect(changed(change)).rejects.toThrow(ModelFileError);
    await expect(changed(change)).rejects.toThrow(message);
  });

  test('hard_sigmoid of Keras 1 and 2, which is another function', async () => {
    await expect(changed(set(0, { activation: 'hard_sigmoid' }))).rejects.toThrow(
      /'conv2d_3' \(Conv2D\) has hard_sigmoid of Keras 2.1.2, which is another function than that of Keras 3/,
    );
  });

  test('files that are none, or not enough', async () => {
    await expect(importKeras([fixture('keras2.h5')])).rejects.toThrow(/got weights only; give its architecture/);
    await expect(importKeras([fixture('keras2.json')])).rejects.toThrow(
      /expects a .keras archive, .* got keras2.json \(JSON\)/,
    );
    await expect(importKeras([fixture('keras2.json'), fixture('dense.keras')])).rejects.toThrow(
      /dense.keras \(an archive\)/,
    );
    const { bytes } = fixture('dense.keras');
    await expect(importKeras([{ name: 'cut.keras', bytes: bytes.subarray(0, 9000) }])).rejects.toThrow(
      /without a directory/,
    );
  });

  test('a graph with a shared layer that waits for what never comes', async () => {
    const { bytes } = fixture('graph.keras');
    const entries = await unzip(
      bytes,
      () => true,
      () => {},
    );
    const config = new TextDecoder().decode(entries.get('config.json'));
    const json = JSON.parse(config) as { config: { layers: { name: string; inbound_nodes: unknown[] }[] } };
    const shared = json.config.layers.find(({ name }) => name === 'shared');
    shared?.inbound_nodes.splice(1, 1, { args: [['nowhere', 0, 0]], kwargs: {} });
    const weights = entries.get('model.weights.h5') as Uint8Array;
    const changedBytes = await zip({ 'config.json': encode(json), 'model.weights.h5': weights });
    await expect(importKeras([{ name: 'it.keras', bytes: changedBytes }])).rejects.toThrow(
      /layer '.*' expects the outputs of layers of this model, got \[\["/,
    );
  });

  test('nesting without end', async () => {
    const deep = `{"class_name":"Sequential","config":${'['.repeat(1e6)}${']'.repeat(1e6)}}`;
    const file = { name: 'deep.json', bytes: new TextEncoder().encode(deep) };
    await expect(importKeras([file, fixture('keras2.h5')])).rejects.toThrow(ModelFileError);
  });

  test('a damaged weight in an archive, which its checksum shows', async () => {
    const { bytes } = fixture('dense.keras');
    const changedBytes = Uint8Array.from(bytes);
    changedBytes[Math.floor(bytes.length / 2)] ^= 1;
    await expect(importKeras([{ name: 'it.keras', bytes: changedBytes }])).rejects.toThrow(
      /damaged 'model.weights.h5' \(its checksum/,
    );
  });

  test('an archive that claims to hold more than it can', async () => {
    const bytes = await zip({ 'config.json': encode({}), 'model.weights.h5': new Uint8Array(10) });
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length - 4; at++)
      if (view.getUint32(at, true) === 0x02014b50) view.setUint32(at + 24, 0x7fffffff, true);
    await expect(importKeras([{ name: 'bomb.keras', bytes }])).rejects.toThrow(
      /2147483647 bytes, more than the archive can hold/,
    );
  });

  test('weights that are not numbers', async () => {
    const { model } = await importKeras([fixture('dense.keras')]);
    const weights = await model.getWeights();
    const [first] = Object.keys(weights);
    const marker = 0.123456789;
    weights[first].data[0] = marker;
    model.setWeights(weights); // which refuses NaN: it is put into the file's bytes, in the marker's place
    const bytes = await exportKeras(model);
    const entries = await unzip(
      bytes,
      () => true,
      () => {},
    );
    const hdf5 = Buffer.from(entries.get('model.weights.h5') ?? []);
    const sought = Buffer.from(Float32Array.of(marker).buffer);
    const at = hdf5.indexOf(sought);
    expect([at > 0, hdf5.indexOf(sought, at + 1)]).toEqual([true, -1]);
    for (const value of [NaN, Infinity]) {
      hdf5.writeFloatLE(value, at);
      const spoiled = await zip({ ...Object.fromEntries(entries), 'model.weights.h5': new Uint8Array(hdf5) });
      await expect(importKeras([{ name: 'nan.keras', bytes: spoiled }])).rejects.toThrow(
        /dense.*expects finite numbers, got NaN or infinity/,
      );
    }
  });
});

/** What float32 sums in another order may differ by: a few roundings of a probability near 1. 1e-5 is asked for. */
const ROUNDING = 5e-7;

/** Probabilities of class B that Keras 2.1.2 gives for the author's pictures, with the digits that are written down. */
const probabilities: [file: string, value: number, digits: number][] = [
  ['training-a.jpg', 9.13e-7, 5e-10],
  ['training-b.jpg', 0.999997, 5e-7],
  ['test-a1.jpg', 0.15178, 5e-6],
  ['test-a2.jpg', 0.15486, 5e-6],
  ['test-b.jpg', 0.999982, 5e-7],
];

describe('the command line', () => {
  const authors = [place('rothman/model.json'), place('rothman/model.h5')];

  test.each(['webgpu', 'cpu'] as const)(
    "the author's model through decoder, resize and network, on %s",
    async (device) => {
      noteDevice(device);
      const out = join(folder, `${device}.safetensors`);
      const imported = await beltnet(
        ['import', ...authors, '-o', out, '--classes', 'A,B', '--resize', 'nearest', '--rescale', '1/255'],
        { cwd: folder },
      );
      expect(imported).toMatchObject({ code: 0 });
      const pictures = probabilities.map(([file]) => place(`rothman/${file}`));
      const predicted = await beltnet(['predict', out, ...pictures, '--json', '--device', device], {
        cwd: folder,
      });
      expect(predicted).toMatchObject({ code: 0 });
      const rows = predicted.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { file: string; probabilities: { B: number } });
      for (const [file, value, digits] of probabilities) {
        const row = rows.find((each) => each.file.endsWith(file));
        expect(Math.abs((row?.probabilities.B ?? NaN) - value)).toBeLessThanOrEqual(digits + ROUNDING);
      }
    },
  );

  test('classes, preprocessing and alert are stored; a Rescaling layer is part of the preprocessing', async () => {
    const out = join(folder, 'rescaled.safetensors');
    const { code, stdout } = await beltnet(
      [
        'import',
        place('keras/rescaled.keras'),
        '-o',
        out,
        '--classes',
        'gap,ok',
        '--alert-class',
        'gap',
        '--threshold',
        '0.7',
        '--resize',
        'bilinear',
        '--json',
      ],
      { cwd: folder },
    );
    expect(code).toBe(0);
    const { info } = decodeModel(readFileSync(out), out);
    expect(info).toEqual({
      classNames: ['gap', 'ok'],
      preprocessing: { interpolation: 'bilinear', rescale: 1 / 127.5, normalization: { featurewiseMean: [1, 1, 1] } },
      alert: { className: 'gap', threshold: 0.7 },
    });
    expect(JSON.parse(stdout)).toMatchObject({ kerasVersion: '3.15.1', inputShape: [9, 9, 3], classes: ['gap', 'ok'] });
  });

  test('nothing is overwritten, and what is wrong is said in one line', async () => {
    const taken = join(folder, 'taken');
    writeFileSync(taken, 'mine');
    const again = await beltnet(['import', ...authors, '-o', taken], { cwd: folder });
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(readFileSync(taken, 'utf8')).toBe('mine');
    const cut = join(folder, 'cut.h5');
    writeFileSync(cut, readFileSync(place('keras/mission.h5')).subarray(0, 3000));
    const out = join(folder, 'none.safetensors');
    const damaged = await beltnet(['import', cut, '-o', out], { cwd: folder });
    expect(damaged.code).toBe(4);
    expect(damaged.stderr).toMatch(/^beltnet: .*cut.h5: the HDF5 file is damaged.*\n$/);
    const missing = await beltnet(['import', join(folder, 'no.keras'), '-o', out], { cwd: folder });
    expect(missing).toMatchObject({ code: 4 });
    const three = await beltnet(['import', ...authors, '-o', out, '--classes', 'a,b,c'], { cwd: folder });
    expect(three.code).toBe(2);
    expect(three.stderr).toMatch(/--classes: expects 2 names, as many as the model tells apart, got 3/);
  });

  test('export writes what import reads', async () => {
    const [model, archive] = [join(folder, 'a.safetensors'), join(folder, 'a.keras')];
    await beltnet(['import', place('keras/trained.h5'), '-o', model, '--classes', 'gap,ok'], { cwd: folder });
    expect((await beltnet(['export', model, '-o', archive], { cwd: folder })).code).toBe(0);
    const { model: read } = await importKeras([{ name: archive, bytes: new Uint8Array(readFileSync(archive)) }]);
    const first = await decodeModel(readFileSync(model), model).model.getWeights();
    for (const [key, weight] of Object.entries(await read.getWeights()))
      expect([key, bits(weight)]).toEqual([key, bits(first[key])]);
  });
});

/** Networks by name and from files of JSON: what they are, what they learn, and what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildNetwork, Conv2D, Dense, Flatten, MaxPooling2D, Sequential, loadNetwork, planTraining } from 'beltnet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkOf } from '../../src/classifier/network-file.js';
import { beltnet, writeClasses } from '../cli/run-beltnet.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-networks-'));
  writeClasses(join(folder, 'set'), 24);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const train = (line: string) =>
  beltnet(`train set --device cpu --batch 8 --alert-class dark ${line}`.split(' '), { cwd: folder });
const write = (name: string, json: unknown): void => writeFileSync(join(folder, name), JSON.stringify(json));
const list = [
  { class_name: 'Conv2D', config: { filters: 4, kernel_size: [3, 3], activation: 'relu' } },
  { class_name: 'MaxPooling2D', config: { pool_size: [2, 2] } },
  { class_name: 'Flatten' },
];

describe.each([
  ['small', 78_000],
  ['medium', 700_000],
] as const)('%s', (name, about) => {
  test('takes pictures of any size from 8x8 on, with as many parameters', () => {
    const counts = [8, 33, 224].map((side) =>
      buildNetwork(name, { width: side, height: side + 1 }, 2, 0).countParameters(),
    );
    expect(new Set(counts).size).toBe(1);
    expect(Math.abs(counts[0] / about - 1)).toBeLessThan(0.03);
    expect(() => buildNetwork(name, { width: 7, height: 8 }, 2, 0)).toThrow(/at least 8x8/);
    expect(buildNetwork(name, { width: 8, height: 8 }, 5, 0).outputShape).toEqual([5]);
  });
});

test('small learns dark from bright, and its batch normalization predicts as it was trained', async () => {
  const { code, stdout } = await train('--network small --size 16x16 --epochs 8 --split 0.25 --json --name small');
  const epochs = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; valAccuracy?: number });
  expect(code).toBe(0);
  expect(epochs.findLast(({ event }) => event === 'epoch')?.valAccuracy).toBe(1);
});

describe('a file of layers', () => {
  test('is the network that is built by hand, to the bit of its initial weights', async () => {
    write('list.json', list);
    const builder = await loadNetwork(join(folder, 'list.json'));
    const { model } = planTraining(['a', 'b'], { network: builder, size: { width: 12, height: 10 }, seed: 5 });
    const byHand = new Sequential(
      [
        new Conv2D(4, 3, { inputShape: [10, 12, 3], activation: 'relu' }),
        new MaxPooling2D(),
        new Flatten(),
        new Dense(1, { activation: 'sigmoid' }),
      ],
      { seed: 5 },
    );
    const [own, other] = [await model.getWeights(), await byHand.getWeights()];
    expect(Object.values(own).map(({ data }) => data)).toEqual(Object.values(other).map(({ data }) => data));
  });

  test('may end in its own layer for the classes, or be a whole model of Keras', () => {
    const head = { class_name: 'Dense', config: { units: 3, activation: 'softmax' } };
    expect(networkOf([...list, head], 'x.json')({ width: 9, height: 9 }, 3, 0).layers).toHaveLength(4);
    const [first, ...others] = [...list, head].map((entry, n) => ({
      ...entry,
      config: { name: `l${n}`, ...('config' in entry && entry.config) },
    }));
    const whole = {
      class_name: 'Sequential',
      config: {
        name: 'm',
        layers: [{ ...first, config: { ...first.config, batch_input_shape: [null, 9, 9, 3] } }, ...others],
      },
    };
    expect(networkOf(whole, 'x.json')({ width: 9, height: 9 }, 3, 0).outputShape).toEqual([3]);
    expect(() => networkOf(whole, 'x.json')({ width: 8, height: 9 }, 3, 0)).toThrow(/give --size 9x9/);
    expect(() => networkOf(whole, 'x.json')({ width: 9, height: 9 }, 4, 0)).toThrow(/4 units for 4 classes, got 3/);
  });

  test.each([
    ['{', /JSON of a network/],
    [JSON.stringify([{ class_name: 'Conv3D', config: {} }]), /Conv3D/],
    [JSON.stringify([5]), /layer with class_name/],
    [JSON.stringify([]), /./],
    [JSON.stringify([...list, ...list]), /./],
    [JSON.stringify(list.slice(0, 2)), /end in a vector/],
  ])('%s is refused', async (text, message) => {
    writeFileSync(join(folder, 'bad.json'), text);
    await expect(
      (async () => (await loadNetwork(join(folder, 'bad.json')))({ width: 12, height: 12 }, 2, 0))(),
    ).rejects.toThrow(message);
  });

  test('on the command line: trained, resumed, refused when it has changed', async () => {
    write('net.json', list);
    expect(await train('--network net.json --size 12x12 --epochs 1 --name net')).toMatchObject({ code: 0 });
    expect(await beltnet(['train', '--resume', 'runs/net', '--epochs', '2'], { cwd: folder })).toMatchObject({
      code: 0,
    });
    write('net.json', [...list.slice(0, 1), ...list]);
    const changed = await beltnet(['train', '--resume', 'runs/net', '--epochs', '3'], { cwd: folder });
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining('another network')]);
    const unknown = await train('--network large');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('expects mission, small, medium')]);
    const both = await train('--network small --base darknet-tiny');
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--network and --base')]);
  });
});

/**
 * Networks from ONNX files, against what PyTorch, onnxruntime and ONNX' own tests say: test/fixtures/onnx has the scripts that made them.
 * Differences are shares of the largest value: both sides compute in float32, whose roundings add up to some 1e-6 of it; an axis, a kernel or
 * a constant in the wrong place shows from 1e-2 on.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as proto from 'onnx-proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeModel,
  encodeModel,
  encodeOnnx,
  Flatten,
  importOnnx,
  input,
  Model,
  readSafetensors,
  tensor,
  type ImportedOnnx,
} from '../../src/index.js';
import { toFloat32 } from '../../src/formats/safetensors.js';
import { transpose } from '../../src/formats/transpose.js';
import type { Device } from '../../src/tensor/device.js';
import { openTestCpu } from '../support/open-devices.js';
import { info, layerModels, randomInput, randomWeights, worstDifference } from './layer-models.js';

const MOST = 1e-4;

const bytesOf = (name: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`../fixtures/onnx/${name}`, import.meta.url)));
const open = (name: string) => {
  const { tensors, metadata } = readSafetensors(bytesOf(name), name);
  const value = (key: string) => {
    const found = tensors.get(key);
    if (!found) throw new Error(`no ${key} in ${name}`);
    return { shape: found.shape, data: toFloat32(found) };
  };
  return { value, metadata, names: [...tensors.keys()] };
};
type Numbers = ReturnType<ReturnType<typeof open>['value']>;

/** As beltnet has it: pictures channels last. */
const channelsLast = ({ shape, data }: Numbers): Float32Array =>
  shape.length === 4 ? transpose(data, shape, [0, 2, 3, 1]) : data;

const share = (found: ArrayLike<number>, wanted: Float32Array): number =>
  worstDifference(found, wanted) / wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

let cpu: Device;
beforeAll(async () => {
  cpu = await openTestCpu();
});
afterAll(() => cpu.destroy());

describe('networks of torchvision, narrow ones, by both exporters', () => {
  const values = open('values.safetensors');
  const inner = JSON.parse(values.metadata['inner'] ?? '') as Record<string, string>;
  const networks = values.names.flatMap((key) => (key.endsWith('.logits') ? [key.slice(0, -'.logits'.length)] : []));

  /** Of three convolutions, and before the softmax. */
  async function differences(name: string, { model, layers, channelsFirst }: ImportedOnnx): Promise<number[]> {
    model.compile({ device: cpu, loss: 'meanSquaredError' });
    const given = values.value(`${name}.x`);
    const x = tensor(cpu, channelsFirst ? channelsLast(given) : given.data, [2, ...model.inputShape]);
    const of = [0, 1, 2].map((at) => layers.get(inner[`${name}.${at}`]) ?? '');
    const found = model.values(x, { of });
    const shares: number[] = [];
    for (const [at, layer] of of.entries())
      shares.push(share(await found[layer].read(), channelsLast(values.value(`${name}.${at}`))));
    shares.push(share(await model.call(x).read(), values.value(`${name}.logits`).data));
    return shares;
  }

  test.each(networks)('%s', async (name) => {
    const imported = importOnnx(bytesOf(`${name}.onnx`), { name });
    const shares = await differences(name, imported);
    expect(shares.filter((each) => !(each <= MOST))).toEqual([]);

    // one kernel with two filters exchanged is found
    const weights = await imported.model.getWeights();
    const [kernel] = Object.entries(weights).flatMap(([key, one]) =>
      key.endsWith('.kernel') && one.shape.length === 4 ? [one] : [],
    );
    const filters = kernel.shape[3];
    for (let at = 0; at < kernel.data.length; at += filters) kernel.data.subarray(at, at + 2).reverse();
    imported.model.setWeights(weights);
    expect(Math.max(...(await differences(name, imported)))).toBeGreaterThan(100 * MOST);
    imported.model.destroy();
  });

  test('an imported network is a model like any other: it is saved, loaded, exported and trained', async () => {
    const { model: scores } = importOnnx(bytesOf('efficientnet-script.onnx'));
    const inputs = input({ shape: scores.inputShape });
    const model = new Model({ inputs, outputs: new Flatten().apply(scores.apply(inputs)) });
    const five = { ...info, classNames: ['a', 'b', 'c', 'd', 'e'] };
    const saved = decodeModel(await encodeModel(model, five), 'it').model;
    const again = importOnnx(await encodeOnnx(saved, five)).model;
    const x = randomInput(2, model.inputShape);
    const [first, second, third] = await Promise.all(
      [model, saved, again].map((one) => one.compile({ device: cpu, loss: 'meanSquaredError' }).predictOnBatch(x)),
    );
    expect(second).toEqual(first);
    expect(share(third, first)).toBeLessThan(MOST);
    const losses: number[] = [];
    for (let step = 0; step < 6; step++) losses.push((await saved.trainOnBatch(x, [0, 1])).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
    for (const one of [model, saved, again]) one.destroy();
  });
});

test.each(Object.entries(layerModels))('what beltnet writes it reads: %s', async (_, make) => {
  const model = await randomWeights(make());
  const { model: again } = importOnnx(await encodeOnnx(model, info));
  const x = randomInput(2);
  const [wanted, found] = await Promise.all(
    [model, again].map((one) => one.compile({ device: cpu }).predictOnBatch(x)),
  );
  expect(share(found, wanted)).toBeLessThan(1e-5);
  for (const one of [model, again]) one.destroy();
});

test('a batch of any size that a file claims takes no memory', async () => {
  const file = proto.onnx.ModelProto.decode(await encodeOnnx(await randomWeights(layerModels['Cropping2D']()), info));
  file.graph!.input![0].type!.tensorType!.shape!.dim![0] = { dimValue: 2 ** 40 };
  const { model } = importOnnx(proto.onnx.ModelProto.encode(file).finish());
  expect(model.layers.map(({ kind }) => kind)).toContain('Cropping2D');
});

describe("ONNX's own tests of operators", () => {
  const { value, metadata } = open('node-tests.safetensors');
  const tests = JSON.parse(metadata['tests'] ?? '') as Record<string, { model: string; tolerance: [number, number] }>;
  /** What no layer of pictures does: docs/onnx.md. */
  const refused: Record<string, RegExp> = {
    test_matmul_3d: /expects the product of a value and a constant kernel/,
    test_matmul_4d: /expects the product of a value and a constant kernel/,
    test_matmul_bcast: /expects the product of a value and a constant kernel/,
    test_averagepool_2d_dilations: /dilations expects 1 for pools, got 2,2/,
    test_maxpool_2d_dilations: /dilations expects 1 for pools, got 2,2/,
  };

  const fileOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(tests[name].model, 'base64'));

  test.each(Object.entries(refused))('%s is refused', (name, expected) => {
    expect(() => importOnnx(fileOf(name), { name })).toThrow(expected);
  });

  test.each(Object.keys(tests).filter((name) => !Object.hasOwn(refused, name)))('%s', async (name) => {
    const [relative, absolute] = tests[name].tolerance;
    const { model: picture, channelsFirst } = importOnnx(fileOf(name), { name });
    const inputs = input({ shape: picture.inputShape });
    const model = new Model({ inputs, outputs: new Flatten().apply(picture.apply(inputs)) });
    const [x, y] = ['x', 'y'].map((key) => value(`${name}.${key}`));
    const given = channelsFirst ? channelsLast(x) : x.data;
    model.compile({ device: cpu, loss: 'meanSquaredError' });
    const found = await model.call(tensor(cpu, given, [x.shape[0], ...model.inputShape])).read();
    const wanted = channelsFirst ? channelsLast(y) : y.data;
    expect(found.length).toBe(wanted.length);
    const isNear = (one: number, at: number): boolean =>
      Math.abs(one - found[at]) <= absolute + relative * Math.abs(one);
    expect([...wanted].filter((one, at) => !isNear(one, at))).toEqual([]);
    model.destroy();
  });
});

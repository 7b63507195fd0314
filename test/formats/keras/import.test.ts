/** Models that Keras itself wrote: whatever their version and file, they predict here what they predicted there. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadKeras } from '../../../src/formats/keras/keras.node.js';
import { readSafetensors, toFloat32 } from '../../../src/formats/safetensors.js';
import { decodeModel, encodeModel } from '../../../src/formats/beltnet/model.js';
import type { Device } from '../../../src/tensor/device.js';
import { openTestDevice } from '../../support/open-devices.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/keras/${name}`, import.meta.url));
const { tensors } = readSafetensors(readFileSync(fixture('predictions.safetensors')), 'predictions.safetensors');
const stored = (name: string): Float32Array => {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no ${name} among the stored predictions`);
  return toFloat32(tensor);
};

/** The promise of docs/keras.md. Float32 sums in another order differ by a few roundings of probabilities near 1, 6e-8 each. */
const TOLERANCE = 1e-5;

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.length === b.length ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) : Infinity;

/** Files of one model, and the name of its stored inputs and predictions. */
const files: [prediction: string, ...files: string[]][] = [
  ...['plain', 'many', 'dense', 'rescaled', 'mission', 'graph', 'nested', 'trained'].flatMap(
    (name): [string, string][] => [
      [name, `${name}.keras`],
      [name, `${name}.h5`],
    ],
  ),
  ['trained', 'trained.json', 'trained.weights.h5'],
  ['trained', 'trained.weights.h5', 'trained.json'],
  ['trained', 'keras2.json', 'keras2.h5'],
  ['trained', 'keras2.json', 'theano.h5'],
  ['trained', 'keras1.h5'],
];

describe.each(['webgpu', 'cpu'] as const)('on %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice(kind);
  });

  test.each(files)('%s: %s %s', async (prediction, ...names) => {
    const { model, rescaling } = await loadKeras(...names.map(fixture));
    // Through a file of ours, which is where an imported model lives.
    const info = {
      classNames: Array.from({ length: Math.max(2, model.units) }, (_, index) => String(index)),
      preprocessing: { interpolation: 'nearest', rescale: 1 },
      alert: { className: '1', threshold: 0.5 },
    } as const;
    const { model: read } = decodeModel(await encodeModel(model, info), 'it');
    read.compile({ device });
    const x = stored(`${prediction}.x`);
    const scaled = rescaling ? x.map((value) => Math.fround(value * rescaling.scale) + rescaling.offset) : x;
    const y = await read.predictOnBatch(scaled);
    expect(largestDifference(y, stored(`${prediction}.y`))).toBeLessThanOrEqual(TOLERANCE);
    read.destroy();
  });
});

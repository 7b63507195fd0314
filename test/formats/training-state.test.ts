/** The state of a training as a file: what is written is read, and nothing else. */
import { expect, test } from 'vitest';
import { ModelFileError } from '../../src/errors.js';
import { contentHash } from '../../src/formats/content-hash.js';
import { readSafetensors, writeSafetensors, type SafeTensor } from '../../src/formats/safetensors.js';
import {
  adam,
  BatchNormalization,
  decodeTrainingState,
  Dense,
  encodeTrainingState,
  reduceOnPlateau,
  Sequential,
  type TrainingState,
} from '../../src/index.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { openTestDevice } from '../support/open-devices.js';

async function trained(): Promise<TrainingState> {
  const device = await openTestDevice('cpu');
  const model = new Sequential([
    new Dense(3, { inputShape: [2] }),
    new BatchNormalization(),
    new Dense(1, { activation: 'sigmoid' }),
  ]).compile({ device, optimizer: adam({ learningRate: reduceOnPlateau() }) });
  await model.trainOnBatch(Float32Array.of(1, 2, 3, 4), [0, 1]);
  const state = await model.trainingState();
  device.destroy();
  return state;
}

test('is read as it was written; equal states are equal bytes', async () => {
  const state = await trained();
  const bytes = encodeTrainingState(state);
  const read = decodeTrainingState(bytes, 'it');
  expect(read).toEqual(state);
  expect(encodeTrainingState(read)).toEqual(bytes);
});

test('one changed bit anywhere is told', async () => {
  const bytes = encodeTrainingState(await trained());
  const random = new Random(1, RandomStream.synthetic);
  for (let round = 0; round < 300; round++) {
    const broken = bytes.slice();
    broken[random.integer(bytes.length)] ^= 1 << random.integer(8);
    expect(() => decodeTrainingState(broken, 'it')).toThrow(ModelFileError);
  }
});

test('what does not fit is refused, with a right checksum too', async () => {
  const state = await trained();
  const { tensors, metadata } = readSafetensors(encodeTrainingState(state), 'it');
  const { checksum: _, ...content } = metadata;
  const resealed = (change: Record<string, string>, arrays: Record<string, SafeTensor> = {}): Uint8Array => {
    const all = { tensors: { ...Object.fromEntries(tensors), ...arrays }, metadata: { ...content, ...change } };
    return writeSafetensors(all.tensors, { ...all.metadata, checksum: contentHash(all) });
  };
  const read = (bytes: Uint8Array) => () => decodeTrainingState(bytes, 'it');
  expect(read(resealed({}))()).toEqual(state);
  expect(read(resealed({ format: 'beltnet-model' }))).toThrow('it: expects the state of a training written by beltnet');
  expect(read(resealed({ version: '2' }))).toThrow("it: expects version 1 of a training's state, got '2'");
  expect(read(resealed({ more: '' }))).toThrow('it: expects metadata checksum, format, position, version, got ');
  const position = (change: object): string => JSON.stringify({ ...state.position, ...change });
  for (const change of [{ updates: -1 }, { epoch: 0.5 }, { seed: null }, { other: 1 }, { sums: {} }])
    expect(read(resealed({ position: position(change) }))).toThrow('it: expects a position in a training, got ');
  const dense = state.arrays['weights.dense.kernel'];
  const broken = { ...dense, data: dense.data.slice().fill(Number.NaN) };
  expect(read(resealed({}, { 'weights.dense.kernel': { dtype: 'F32', ...broken } }))).toThrow('finite numbers');
  const doubles = { dtype: 'F64', shape: dense.shape, data: Float64Array.from(dense.data) } as const;
  expect(read(resealed({}, { 'weights.dense.kernel': doubles }))).toThrow(
    'it: expects weights.dense.kernel as F32, got F64',
  );
  expect(() => encodeTrainingState({ ...state, arrays: { 'weights.dense.kernel': broken } })).toThrow('finite numbers');
});
